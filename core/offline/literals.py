"""Literals: what stands in a text as it is, such as quoted strings, paths, URLs and numbers."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from cogwork.core.offline.words import word_set

__all__ = ["FILLER", "Literals", "number", "read_literals"]

FILLER = "\x01"  # one per character of a literal that was taken out of a text

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_QUOTED = re.compile(
    r"\"([^\"\n]*)\"|“([^”]*)”|„([^“]*)“|«([^»]*)»|`([^`\n]+)`|(?<!\w)'([^'\n]+)'(?!\w)"
)
_URL = re.compile(r"\bhttps?://[^\s<>\"'`)\]]+[^\s<>\"'`)\].,;:!?]")
_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_DATE = re.compile(
    rf"\b\d{{4}}-\d{{2}}-\d{{2}}(?:[T ]\d{{2}}:\d{{2}}(?::\d{{2}})?)?\b"
    rf"|\b\d{{1,2}}[./]\d{{1,2}}[./]\d{{4}}\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)?\.?\s+(?:of\s+)?{_MONTH}\b(?:,?\s+\d{{4}}\b)?"
    rf"|\b{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s+\d{{4}}\b)?"
    rf"|\b{_MONTH}\s+\d{{4}}\b"
)
_FILE = re.compile(
    r"(?<![\w@/.~*-])(?:~?/|\.{1,2}/)?(?:[\w.-]+/)*[\w-][\w.-]*\.[A-Za-z]\w{0,7}(?![\w/*])"
    r"|(?<![\w@/.-])(?:[\w.-]+/)*(?:README|LICENSE|CHANGELOG|CONTRIBUTING|Makefile|Dockerfile)"
    r"(?![\w/.])"
)
_FOLDER = re.compile(
    r"(?<![\w@/.~*<\x01-])(?:(?:~|\.{1,2})?/(?:[\w.-]+/?)+|(?<!\S)\.{1,2}(?=\s|$)|(?:[\w.-]+/)+"
    r"(?:[\w-]+/?)*)"
)
_GLOB = re.compile(
    r"(?<!\S)(?:[\w./*-]*\*\.\w+|[\w./-]+/\*[\w.*]*|[A-Za-z_][\w-]*\*)(?=[\s,;:?!)]|\.?$)"
)
_NUMBER = re.compile(
    r"(?<![\w.])(?:(?<![\w)%]\s)(?<![\w)%])-(?=\d))?"
    r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\d|st\b|nd\b|rd\b|th\b)"
)
_KNOWN = word_set(
    """csv tsv txt md json jsonl yaml yml toml xml html htm py js ts log ini cfg conf pdf doc
    docx xls xlsx parquet db sqlite sql sh png jpg jpeg svg gif zip gz tar ipynb rst tex
    lock dat out data bak env"""
)
_DOMAINS = word_set("com org net io ai co uk de eu gov edu fr")
_PLACE_BEFORE = re.compile(
    r"\b(?:in|under|inside|within|from|to|at|into|of|folder|directory|path|file|list|read|open)\s+"
    r"(?:the\s+)?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Literals:
    """The literals of one text, each kind in the order in which they stand there."""

    quoted: tuple[str, ...]
    urls: tuple[str, ...]
    emails: tuple[str, ...]
    dates: tuple[str, ...]
    globs: tuple[str, ...]
    paths: tuple[str, ...]
    numbers: tuple[str, ...]
    masked: str  # the text, with every literal but the numbers replaced by filler


def number(text: str) -> int | float:
    """Read a number that `Literals.numbers` holds; whole ones become integers."""
    plain = text.replace(",", "")
    return float(plain) if re.search(r"[.eE]", plain) else int(plain)


@lru_cache(maxsize=1024)
def read_literals(text: str) -> Literals:
    """Find the literals of `text`; what is part of one is not found as another."""
    left = text
    left, quoted = _take(_QUOTED, left)
    left, urls = _take(_URL, left)
    left, emails = _take(_EMAIL, left)
    left, dates = _take(_DATE, left)
    left, globs = _take(_GLOB, left)
    left, files = _take(_FILE, left, _is_file)
    left, folders = _take(_FOLDER, left, _is_folder)
    named = [path for path in quoted if _FILE.fullmatch(path.replace(" ", "_"))]
    spoken = sorted({*files, *folders, *named}, key=text.find)
    found = tuple(match.group() for match in _NUMBER.finditer(left) if _is_finite(match.group()))
    return Literals(quoted, urls, emails, dates, globs, tuple(spoken), found, left)


def _is_finite(digits: str) -> bool:
    return len(digits) <= 300 and math.isfinite(float(digits.replace(",", "")))


def _take(
    pattern: re.Pattern[str],
    text: str,
    accept: Callable[[re.Match[str]], bool] = lambda _: True,
) -> tuple[str, tuple[str, ...]]:
    found: list[str] = []

    def replace(match: re.Match[str]) -> str:
        if not accept(match):
            return match.group()
        found.append(next((group for group in match.groups() if group is not None), match.group()))
        return FILLER * len(match.group())

    return pattern.sub(replace, text), tuple(found)


def _is_file(match: re.Match[str]) -> bool:
    """Tell files from abbreviations (`e.g.`), domains (`example.com`) and measures (`3.5kg`)."""
    path = match.group()
    name, dot, ending = path.rpartition("/")[2].rpartition(".")
    if not dot or ending.lower() in _KNOWN:
        return True
    if all(len(part) <= 1 for part in path.split(".")) or name.replace(".", "").isdigit():
        return False
    return "/" in path or ending.lower() not in _DOMAINS


def _is_folder(match: re.Match[str]) -> bool:
    """Tell folders from alternatives (`and/or`) and fractions (`3/4`)."""
    path = match.group()
    if all(part.replace(".", "").isdigit() for part in path.split("/") if part):
        return path.startswith(".")
    if path[0] in "./~" or path.endswith("/") or path.count("/") > 1:
        return True
    return bool(_PLACE_BEFORE.search(match.string[: match.start()]))
