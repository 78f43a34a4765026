"""The text of a web page, read in one pass whose time grows with the page and not faster."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin

__all__ = ["Block", "page_blocks", "page_text"]

_SILENT = frozenset({"script", "style", "noscript", "template", "svg", "iframe", "object"})
_APART = frozenset(
    {"address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "div", "dl", "dt"}
    | {"fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6"}
    | {"head", "header", "hr", "html", "li", "main", "nav", "ol", "option", "p", "pre", "section"}
    | {"select", "table", "tbody", "td", "tfoot", "th", "thead", "title", "tr", "ul"}
)
_TAG = re.compile(r"(/?)([a-zA-Z][a-zA-Z0-9-]{0,40})")
_HREF = re.compile(r"""\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_LONGEST_TAG = 4_000


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, item or cell.

    Args:
        line: Where it begins in the page's source, from 1.
        text: On one line.
        tag: What it stands in: `title`, `h1`, `p`, …
    """

    line: int
    text: str
    tag: str


def page_text(source: str, url: str | None = None) -> str:
    """Return the text of a page, one block a line.

    Args:
        source: HTML.
        url: Where the page is from; where given, links stand in the text as absolute URLs.
    """
    return "\n".join(block.text for block in page_blocks(source, url))


def page_blocks(source: str, url: str | None = None) -> list[Block]:
    """Return the blocks of a page in their order; arguments as in `page_text`."""
    found: list[Block] = []
    words: list[str] = []
    line, counted, begins, tag, link = 1, 0, 1, "", ""
    for position, name, is_end, text in _pieces(source):
        line += source.count("\n", counted, position)
        counted = position
        if name in _APART:
            _close(found, words, begins, tag)
            tag = "" if is_end else name
        elif name == "a" and url is not None:
            if is_end and link:
                words.append(f" <{link}>")
            link = "" if is_end else _link(text, url)
        elif not name:
            seen = text if words else text.lstrip()
            if not words:
                begins = line + text[: len(text) - len(seen)].count("\n")
            if seen:
                words.append(_unescaped(seen))
    _close(found, words, begins, tag)
    return found


def _close(found: list[Block], words: list[str], line: int, tag: str) -> None:
    text = " ".join("".join(words).split())
    words.clear()
    if text:
        found.append(Block(line, text, tag))


def _pieces(source: str) -> Iterator[tuple[int, str, bool, str]]:
    """Position, tag's name (empty for text), whether it ends, and what stands there."""
    lower = source.lower() if source.isascii() else _lower(source)
    at = 0
    while at < len(source):
        opening = source.find("<", at)
        if opening < 0:
            opening = len(source)
        if opening > at:
            yield at, "", False, source[at:opening]
        tag = _TAG.match(source, opening + 1)
        if tag is None:
            at = _after_mark(source, opening)
            if at == opening + 1:
                yield opening, "", False, "<"
            continue
        closing = source.find(">", tag.end())
        closing = len(source) if closing < 0 else closing
        name = tag[2].lower()
        yield opening, name, bool(tag[1]), source[tag.end() : min(closing, opening + _LONGEST_TAG)]
        at = closing + 1
        if name in _SILENT and not tag[1] and source[closing - 1 : closing] != "/":
            end = lower.find(f"</{name}", at)
            at = len(source) if end < 0 else end


def _after_mark(source: str, opening: int) -> int:
    """Where a comment or declaration ends; the next character when `<` is just a sign."""
    if source.startswith("<!--", opening):
        end = source.find("-->", opening + 2)
        return len(source) if end < 0 else end + 3
    if source.startswith(("<!", "<?", "</"), opening):
        end = source.find(">", opening)
        return len(source) if end < 0 else end + 1
    return opening + 1


def _lower(source: str) -> str:
    """In lower case without a change of length, as some letters would make."""
    return source.translate({code: code + 32 for code in range(65, 91)})


def _link(attributes: str, url: str) -> str:
    found = _HREF.search(attributes)
    if found is None:
        return ""
    href = _unescaped(found[1] or found[2] or found[3] or "").strip()
    if not href or href.startswith(("#", "javascript:", "data:")):
        return ""
    try:
        return urljoin(url, href)
    except ValueError:
        return ""


def _unescaped(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:  # a character number of thousands of digits
        return text
