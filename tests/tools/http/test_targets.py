import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.errors import ToolError
from cogwork.tools.http.targets import parse_target


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("http://example.com", "http://example.com", "/"),
        ("HTTPS://EXAMPLE.com:443/a?b=c#d", "https://example.com", "/a?b=c"),
        ("https://example.com.:8443?x", "https://example.com:8443", "/?x"),
        ("http://bücher.example/é", "http://xn--bcher-kva.example", "/%C3%A9"),
        ("http://[2606:4700:0::1111]:80/", "http://[2606:4700::1111]", "/"),
        ("http://1.1.1.1/a b", "http://1.1.1.1", "/a%20b"),
        ("  https://a_b.example.com/  ", "https://a_b.example.com", "/"),
        ("https://example.com/@user:x", "https://example.com", "/@user:x"),
        ("http://1。1。1。1/", "http://1.1.1.1", "/"),
    ],
)
def test_a_url_is_taken_apart_in_one_way(url, origin, path):
    target = parse_target(url)
    assert (target.origin, target.path) == (origin, path)
    assert parse_target(target.url) == target


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("example.com", "not absolute"),
        ("ftp://example.com/", "only http and https"),
        ("file:///etc/passwd", "malformed"),
        ("unix://socket/", "only http and https"),
        ("http://user:secret@example.com/", "user name or password"),
        ("http://example.com:99999/", "ports go from"),
        ("http://example.com:0/", "ports go from"),
        ("http://example.com:-1/", "malformed"),
        ("http://exam ple.com/", "malformed"),
        ("http://example.com\\@evil.com/", "user name or password"),
        ("http://example.com\r\nHost: evil/", "control or invisible"),
        ("http://exam\u200bple.com/", "control or invisible"),
        ("http://0x7f000001/", "unusual form"),
        ("http://127.1/", "unusual form"),
        ("http://017700000001/", "unusual form"),
        ("http://\uff11.\uff11.\uff11.\uff11/", "no host name"),
        ("http://a..b/", "no host name"),
        ("http://-a.com/", "no host name"),
        (f"http://{'a' * 64}.com/", "no host name"),
        (f"http://{'a.' * 127}com/", "no host name"),
        ("http://%6cocalhost/", "malformed"),
        ("http://[::1/", "malformed"),
        ("http://[1::2::3]/", "no IPv6 address"),
        (f"http://example.com/{'a' * 9000}", "8,192"),
        ("", "not absolute"),
    ],
)
def test_what_is_read_in_several_ways_is_refused(url, said):
    with pytest.raises(ToolError, match=said):
        parse_target(url)


def test_no_message_holds_a_password():
    for url in ("http://user:hunter22@example.com/", "http://user:hunter22@/", "x://u:hunter22@h"):
        with pytest.raises(ToolError) as raised:
            parse_target(url)
        assert "hunter22" not in str(raised.value)


def test_a_shown_url_has_no_query():
    assert parse_target("https://example.com/a?signature=abc").shown == "https://example.com/a"


@pytest.mark.parametrize(
    ("location", "goal"),
    [
        ("/b", "https://example.com/b"),
        ("b?c", "https://example.com/x/b?c"),
        ("//other.com/b", "https://other.com/b"),
        ("http://other.com:8080", "http://other.com:8080/"),
        ("#top", "https://example.com/x/a?q"),
    ],
)
def test_a_redirect_leads_where_a_browser_would_go(location, goal):
    assert parse_target("https://example.com/x/a?q").join(location).url == goal


@pytest.mark.parametrize(
    "location",
    [
        "\\\\evil.com",
        "http:\\\\evil.com",
        "javascript:alert(1)",
        "http://u@evil.com",
        "http://[x",
        "file:///etc/passwd",
        "/a\x00b",
        "http://0x7f.1/",
    ],
)
def test_a_redirect_to_a_malformed_address_is_refused(location):
    with pytest.raises(ToolError, match="redirects to"):
        parse_target("https://example.com/").join(location)


@given(st.text())
def test_any_text_is_a_target_or_a_tool_error(text):
    for url in (text, f"http://{text}", f"http://{text}.com/", f"https://example.com/{text}"):
        try:
            target = parse_target(url)
        except ToolError:
            continue
        assert parse_target(target.url) == target
        assert target.url.isascii()
