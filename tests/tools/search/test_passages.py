import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper import pdf

from cogwork.core.errors import ToolError
from cogwork.tools.search.passages import passages_of

MARKDOWN = """# Tea

Green tea is made of leaves.

## Brewing ##
Use water
of 80 degrees.
```python
# not a heading
```
"""


def places(path: str, content: bytes) -> list[tuple[str, str, str]]:
    return [(each.place, each.title, each.text) for each in passages_of(path, content)]


def test_markdown_is_split_at_headings_and_knows_its_lines():
    assert places("tea.md", MARKDOWN.encode()) == [
        ("L3", "Tea", "Green tea is made of leaves."),
        ("L6", "Brewing", "Use water of 80 degrees. ```python # not a heading ```"),
    ]


def test_text_is_split_where_it_is_long_enough_and_blank():
    paragraph = "word " * 60
    text = f"\n{paragraph}\n\n{paragraph}\n"
    assert [place for place, _, _ in places("a/notes.txt", text.encode())] == ["L2", "L4"]
    assert places("a/notes.txt", b"x")[0][1] == "notes.txt"


def test_html_is_read_as_text_with_the_lines_of_its_source():
    page = b"<title>T</title>\n<script>x</script>\n<h1>Head</h1>\n<p>One\ntwo</p>"
    assert places("a.html", page) == [("L4", "Head", "One two")]


def test_a_pdf_is_cited_by_page():
    content = pdf("Green tea is made of leaves.", "Black tea is oxidized.")
    assert places("a.pdf", content) == [
        ("page=1", "a.pdf", "Green tea is made of leaves."),
        ("page=2", "a.pdf", "Black tea is oxidized."),
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("é".encode(), "é"),
        ("\ufeffé".encode(), "é"),
        ("é".encode("utf-16"), "é"),
        ("é".encode("cp1252"), "é"),
    ],
)
def test_text_is_read_in_the_usual_encodings(content, text):
    assert places("a.txt", content)[0][2] == text


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("a.txt", b"\x00\x01", "is binary"),
        ("a.py", b"x", "is none of"),
        ("a.pdf", b"no pdf", "cannot be read as a PDF"),
        ("a.pdf", pdf("x")[:200], "cannot be read as a PDF"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(path, content, said):
    with pytest.raises(ToolError, match=said):
        passages_of(path, content)


@given(st.text(alphabet="ab \n#`", max_size=3_000))
def test_no_word_is_lost_and_no_passage_is_long(text):
    found = passages_of("a.txt", text.encode())
    assert "".join("".join(each.text for each in found).split()) == "".join(text.split())
    assert all(0 < len(each.text) <= 1_000 for each in found)
