import pytest

from cogwork.core.errors import ToolError
from cogwork.tools.http.body import Answer


def answer(body: bytes, kind: str = "text/plain") -> Answer:
    return Answer("https://a.example/", 200, {"content-type": kind}, body)


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("é".encode(), "text/plain", "é"),
        ("\ufeffé".encode(), "text/plain; charset=utf-8", "é"),
        ("é".encode("latin-1"), "text/html; charset=ISO-8859-1", "é"),
        ("é".encode("cp1252"), "text/html; charset='windows-1252'", "é"),
        ("é".encode("utf-16"), 'text/plain; charset="utf-16"', "é"),
        ("語".encode("shift_jis"), "text/plain; charset=Shift_JIS", "語"),
        (b"\xff", "text/plain", "\ufffd"),
        (b"\\u0041", "text/plain; charset=unicode_escape", "\\u0041"),
        (b"xn--a", "text/plain; charset=idna", "xn--a"),
        (b"abcd", "text/plain; charset=hex", "abcd"),
        (b"abcd", "text/plain; charset=no-such-thing", "abcd"),
    ],
)
def test_text_is_read_in_the_charset_that_the_server_names(body, kind, text):
    assert answer(body, kind).text() == text


@pytest.mark.parametrize("body", [b"<p>", b"", b"[" * 100_000, b"{'a': 1}", b"9" * 5_000])
def test_what_is_no_json_is_an_error(body):
    with pytest.raises(ToolError, match="answered no JSON but text/plain"):
        answer(body).json()


@pytest.mark.parametrize(
    ("body", "kind", "is_text"),
    [
        (b"x", "text/plain", True),
        (b"x", "", True),
        (b"<svg/>", "image/svg+xml", True),
        (b"x", "image/png", False),
        (b"x", "application/octet-stream", False),
        (b"a\0b", "text/plain", False),
        ("ab".encode("utf-16"), "text/plain; charset=utf-16", True),
    ],
)
def test_only_text_is_text(body, kind, is_text):
    assert answer(body, kind).is_text is is_text


def test_a_media_type_has_no_parameters():
    assert answer(b"", "Text/HTML ; charset=x").content_type == "text/html"
    assert Answer("u", 200).content_type == ""
