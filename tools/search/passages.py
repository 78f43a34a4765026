"""Files taken apart into passages that know where they stand: file, line or page."""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from cogwork.core.errors import ToolError
from cogwork.tools.http.page import page_blocks

__all__ = ["KINDS", "Passage", "passages_of"]

_LONGEST = 1_000  # characters, about 200 words: more would blur what a passage is about
_MOST_PAGES = 2_000
_HEADING = re.compile(r"#{1,6}\s+(.{1,200}?)\s*#*")

Lines = Iterable[tuple[int, str, bool]]
"""Number, text, and whether it is a heading."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A few sentences of a file.

    Args:
        path: Of the file, relative to the folder.
        place: `L12` for a line, `page=3` for a page.
        title: The heading that it stands under, or the file's name.
        text: On one line.
    """

    path: str
    place: str
    title: str
    text: str


def passages_of(path: str, content: bytes) -> list[Passage]:
    """Take a file apart.

    Raises:
        ToolError: It is of no kind that is read, is no text, or is damaged.
    """
    read = KINDS.get(PurePosixPath(path).suffix.lower())
    if read is None:
        raise ToolError(f"'{path}' is none of {', '.join(sorted(KINDS))}")
    return list(read(path, content))


def _plain(path: str, content: bytes) -> Iterator[Passage]:
    lines = _decoded(path, content).splitlines()
    return _grouped(path, ((number, line, False) for number, line in enumerate(lines, 1)))


def _markdown(path: str, content: bytes) -> Iterator[Passage]:
    return _grouped(path, _headed(_decoded(path, content).splitlines()))


def _headed(lines: list[str]) -> Iterator[tuple[int, str, bool]]:
    is_code = False
    for number, line in enumerate(lines, 1):
        is_code ^= line.lstrip().startswith(("```", "~~~"))
        heading = None if is_code else _HEADING.fullmatch(line)
        yield (number, heading[1], True) if heading else (number, line, False)


def _html(path: str, content: bytes) -> Iterator[Passage]:
    found = page_blocks(_decoded(path, content))
    heads = {"title", "h1", "h2", "h3", "h4", "h5", "h6"}
    lines = ((block.line, block.text, block.tag in heads) for block in found)
    return _grouped(path, lines)


def _pdf(path: str, content: bytes) -> Iterator[Passage]:
    try:
        from pypdf import PdfReader
    except ImportError as error:
        raise ToolError(
            f"'{path}' is a PDF; reading it needs pypdf: pip install 'cogwork[search]'"
        ) from error
    try:
        reader = PdfReader(io.BytesIO(content))
        for number, page in enumerate(reader.pages[:_MOST_PAGES], 1):
            lines = ((number, line, False) for line in page.extract_text().splitlines())
            yield from _grouped(path, lines, place="page=")
    except Exception as error:  # pypdf raises whatever a damaged file leads it to
        raise ToolError(f"'{path}' cannot be read as a PDF: {error}") from error


KINDS: dict[str, Callable[[str, bytes], Iterator[Passage]]] = {
    ".txt": _plain,
    ".text": _plain,
    ".rst": _plain,
    ".md": _markdown,
    ".markdown": _markdown,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
}
"""What reads a file, by the ending of its name."""


def _decoded(path: str, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    if b"\0" in content:
        raise ToolError(f"'{path}' is binary")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _grouped(path: str, lines: Lines, place: str = "L") -> Iterator[Passage]:
    """Join lines to passages; blank lines and headings end one that is long enough."""
    title, begins, words, size = PurePosixPath(path).name, 0, list[str](), 0

    def passage() -> Iterator[Passage]:
        text = " ".join(" ".join(words).split())
        for start in range(0, len(text), _LONGEST):
            yield Passage(path, f"{place}{begins}", title, text[start : start + _LONGEST])

    for number, line, is_heading in lines:
        is_full = size + len(line) > _LONGEST or (not line.strip() and size > _LONGEST // 4)
        if words and (is_heading or is_full):
            yield from passage()
            words, size = [], 0
        if is_heading:
            title = line
        elif line.strip():
            begins = begins if words else number
            words.append(line)
            size += len(line)
    if words:
        yield from passage()
