"""Counting: how many entries a text has, by a calculator: no number is made up here."""

import re

from cogwork.core.offline.asking import where_in
from cogwork.core.offline.calculating import compute
from cogwork.core.offline.desk import Attempt, Desk, Found
from cogwork.core.offline.documents import Document, is_cut
from cogwork.core.offline.measures import measures
from cogwork.core.offline.results import CannotError, Result
from cogwork.core.offline.tables import read_items
from cogwork.core.offline.words import stem, stems, tokens

__all__ = ["count_items", "count_lines"]

_LINES = re.compile(r"\b(?:lines?|entries|items|files|results|names)\b")
_NOUN = re.compile(r"(?i)\b(?:how many|number of|count)\s+(?:the\s+|all\s+)?(?P<noun>[a-z][\w-]*)")


def count_lines(text: str, desk: Desk, document: Document) -> Attempt:
    """Count the lines of a text, or those with a word: "how many errors are in log.txt"."""
    if measures(text)[:1] != ("count",):
        return None
    items = read_items(document.text)
    place = where_in(document)
    if is_cut(document.text):
        raise CannotError(f"only a part{place} was shown, so it cannot be counted")
    if _LINES.search(text.lower()) or re.search(r"(?i)\bthem\b", text):
        return (yield from count_items(items, desk, text, place))
    asked = _NOUN.search(text)
    noun = asked["noun"] if asked else ""
    hits = [item for item in items if noun and stem(noun) in stems(item)]
    told = any(re.search(r"(?<![\d:.-])\d+\s+(?:\w+\s+)?$", _before(item, noun)) for item in hits)
    if len(hits) < 2 or told:
        return None  # "3 eggs" says it in words
    return (yield from _count(len(hits), desk, f"lines with “{noun}”{place}", {stem(noun)}))


def _before(item: str, noun: str) -> str:
    for word in re.finditer(r"[\w-]+", item):
        if stem(noun) in {stem(part) for part in tokens(word.group())}:
            return item[: word.start()]
    return item


def count_items(items: list[str], desk: Desk, text: str, place: str = "") -> Found[Result]:
    """Count the entries of a listing."""
    kind = _LINES.search(text.lower())
    noun = kind.group() if kind else "entries"
    return (yield from _count(len(items), desk, f"{noun}{place}", {stem(noun)}))


def _count(size: int, desk: Desk, what: str, names: set[str]) -> Found[Result]:
    ones = ["1"] * size or ["0"]
    values = yield from compute(
        desk,
        [f"sum({', '.join(ones)})"],
        simple=[" + ".join(ones)],
        thought="I need to count them.",
    )
    return Result(
        f"The number of {what} is {values[0]}.", values[0], frozenset(names | {"count", "number"})
    )
