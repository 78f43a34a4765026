from hypothesis import given
from hypothesis import strategies as st

from cogwork.tools.http.page import page_blocks, page_text

PAGE = """<!DOCTYPE html>
<html><head><title>Tea &amp; time</title>
<style>p { color: red }</style><script>if (a < b) { alert("</p>") }</script></head>
<body>
<!-- <p>hidden</p> -->
<h1>How to
  brew</h1>
<p>Pour <b>hot</b> water, 1 < 2 litres.<br>Wait.</p>
<ul><li>green</li><li>black <a href="/kinds?a=1&amp;b=2">kinds</a></li></ul>
</body></html>"""


def test_a_page_becomes_its_text_block_by_block():
    assert page_text(PAGE).split("\n") == [
        "Tea & time",
        "How to brew",
        "Pour hot water, 1 < 2 litres.",
        "Wait.",
        "green",
        "black kinds",
    ]


def test_links_are_absolute_where_the_page_s_address_is_known():
    text = page_text(PAGE, "https://tea.example/x/")
    assert "kinds <https://tea.example/kinds?a=1&b=2>" in text
    assert page_text('<a href="javascript:x()">a</a><a>b</a>', "https://tea.example") == "ab"


def test_blocks_know_their_line_and_tag():
    found = [(block.line, block.tag, block.text) for block in page_blocks(PAGE)]
    assert found[:3] == [
        (2, "title", "Tea & time"),
        (6, "h1", "How to brew"),
        (8, "p", "Pour hot water, 1 < 2 litres."),
    ]


def test_unfinished_pages_are_read_as_far_as_they_go():
    assert page_text("<p>one<!-- two") == "one"
    assert page_text("<p>one<script>two") == "one"
    assert page_text("<p>one<b two") == "one"
    assert page_text("&#" + "9" * 5000 + ";").startswith("&#999")


def test_hostile_pages_are_read_in_one_pass():
    """Each of these takes minutes in a parser that looks back."""
    size = 300_000
    for piece in ("<!--", "<a ", "</", "<![", "<script>", "&", "<p", "<b>x</b>", "<", "<a href='"):
        page_text(piece * size, "https://a.example")


@given(st.text(alphabet="<>/!-ab p&;\"'=\n"))
def test_any_text_is_a_page(text):
    lines = text.count("\n") + 1
    assert all(1 <= block.line <= lines for block in page_blocks(text))
