"""Quoting: what a text itself says to a question, in its own words."""

import re

from cogwork.core.offline.answers import asked_stems, extract, join, shorten, summarize
from cogwork.core.offline.asking import SHOWING
from cogwork.core.offline.documents import Document
from cogwork.core.offline.goals import is_question
from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.matching import main_verb
from cogwork.core.offline.measures import spoken
from cogwork.core.offline.names import names_in
from cogwork.core.offline.results import Result
from cogwork.core.offline.tables import read_items, read_table
from cogwork.core.offline.words import actions, sentences, stem, stems

__all__ = ["is_summary", "quote", "summary"]

_WHOLE = re.compile(
    r"(?i)\bwhat(?:'s|\s+is|\s+stands?)\s+(?:written\s+)?in(?:side)?\b"
    r"|\bwhat\s+(?:do(?:es)?\s+)?\S+(?:\s+\S+)?\s+(?:says?|contains?|reads?|holds?)\b|\bcontents?\b"
)
_PLACE = re.compile(
    r"(?i)\b(?P<which>first|second|third|last)\s+(?:(?P<count>\d+|two|three|four|five|ten)\s+)?"
    r"(?P<kind>lines?|rows?|sentences?|entr(?:y|ies)|items?)\b"
)
_COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}
_LITERALS = re.compile(
    r"(?i)\b(?:extract|list|find|get|give|show|which|what)\b.*?\b(?P<kind>dates?|e-?mails?|urls?"
    r"|links?|numbers?|names?)\b"
)
_FIELDS = {
    "date": "dates",
    "email": "emails",
    "mail": "emails",
    "url": "urls",
    "link": "urls",
    "number": "numbers",
}


def is_summary(text: str) -> bool:
    """Tell whether a summary is asked for."""
    return "summarize" in actions(stems(text)) or bool(
        re.search(r"(?i)\b(?:key|main) points\b", text)
    )


def summary(text: str, found: list[Document]) -> Result:
    """Summarise documents in their own sentences; of a table, say which columns it has."""
    tables = [(d, table) for d in found if (table := read_table(d.text))]
    prose = [document.text for document in found if read_table(document.text) is None]
    said = [f"{d.name or 'The table'} has the columns {', '.join(t.header)}." for d, t in tables]
    if prose:
        said += summarize("\n".join(prose), limit=_how_many(text), about=text)
    return Result(join(said), join(said), frozenset({stem("summary"), "summarize"}))


def _how_many(text: str) -> int:
    """Return how many sentences a summary may have: "in one sentence"."""
    said = re.search(
        r"(?i)\b(?:in|to)\s+(\d+|one|two|three|four|five)\s+(?:\w+\s+)?sentences?\b", text
    )
    numbers = {"one": 1, **_COUNTS}
    return numbers.get(said[1].lower()) or min(int(said[1]), 50) if said else 3


def quote(text: str, found: list[Document]) -> Result | None:
    """Return what the documents say to a question, or `None` if they do not say it."""
    names = frozenset(stems(text))
    for reader in (_by_place, _literals, _section):
        if said := reader(text, found):
            return Result("\n".join(said) if len(said) > 3 else join(said), "\n".join(said), names)
    if is_question(text) or main_verb(text) not in SHOWING:
        said = extract(spoken(text), [document.text for document in found])
        if said and (is_question(text) or not main_verb(text)):
            return Result(join(said), join(said), names)
    shows = main_verb(text) in SHOWING or text.split(" ", 1)[0].lower() in SHOWING
    if not shows and not _WHOLE.search(text):
        return None
    whole = "\n\n".join(document.text for document in found)
    return Result(shorten(whole, 4000), whole, names, "document", found[0].name)


def _by_place(text: str, found: list[Document]) -> list[str]:
    """Return what stands at a place: "the first line", "the last two rows"."""
    asked = _PLACE.search(text)
    if not asked:
        return []
    kind = asked["kind"].lower()
    whole = found[0].text
    units = (
        sentences(whole)
        if kind.startswith("sentence")
        else [u for u in whole.splitlines() if u.strip()]
    )
    if kind.startswith("row") and read_table(whole):
        units = units[1:]
    count = asked["count"] or "1"
    size = _COUNTS.get(count.lower()) or int(count)
    start = {"first": 0, "second": 1, "third": 2}.get(asked["which"].lower())
    return units[start : start + size] if start is not None else units[-size:]


def _literals(text: str, found: list[Document]) -> list[str]:
    """Return the dates, addresses, numbers or names in the text, if these are asked for."""
    asked = _LITERALS.search(text)
    if not asked or any(read_table(document.text) for document in found):
        return []
    kind = asked["kind"].lower().replace("-", "").removesuffix("s")
    whole = "\n".join(document.text for document in found)
    said = names_in(whole) if kind == "name" else getattr(read_literals(whole), _FIELDS[kind])
    return list(dict.fromkeys(said)) if asked["kind"].lower().endswith("s") else []


def _section(text: str, found: list[Document]) -> list[str]:
    """Return what stands under the heading that is asked for."""
    wanted = asked_stems(spoken(text))
    for document in found:
        parts = re.split(r"(?m)^#+\s+(.+)$", document.text)
        for heading, body in zip(parts[1::2], parts[2::2], strict=True):
            if wanted and wanted <= set(stems(heading)) and body.strip():
                return read_items(body)
    return []
