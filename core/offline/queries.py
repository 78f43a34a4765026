"""Queries: what a question wants to know of a table."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cogwork.core.offline.columns import (
    ANY_FIGURE,
    counts_figures,
    figure_columns,
    is_key,
    named_columns,
)
from cogwork.core.offline.conditions import Selection, select
from cogwork.core.offline.measures import BY_NAME, SUPERLATIVES, measures, spoken
from cogwork.core.offline.mentions import Mention, mentions
from cogwork.core.offline.tables import Table
from cogwork.core.offline.words import STOPWORDS, tokens

__all__ = ["Query", "read_query"]

_COUNT_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10}
_TOP = re.compile(
    rf"\b(?:top|bottom)\s+(?P<a>\d+|{'|'.join(_COUNT_WORDS)})\b"
    rf"|\b(?P<b>\d+|{'|'.join(_COUNT_WORDS)})\s+(?:\w+\s+)?(?:{SUPERLATIVES['max']}"
    rf"|{SUPERLATIVES['min']})\b"
)
_RANK = re.compile(r"\b(?P<rank>second|third|2nd|3rd)[\s-]+(?:most|least|\w+est)\b")
_CHECK = re.compile(r"(?i)^\W*(?:is|are|was|were|does|do|did|has|have)\b")
_TIMES = re.compile(r"times|multipl|product of|[×*]")
_SORTED = re.compile(r"(?i)\b(?P<how>sort|rank|order)(?:ed|s)?\b.*\bby\b")
_RISING = re.compile(r"(?i)\bascending|\b(?:lowest|smallest|least)\s+first\b")
_FALLING = re.compile(r"(?i)\bdescending|\b(?:highest|largest|most)\s+first\b")
_GROUP = re.compile(
    r"\b(?:per|by|for each|in each|for every|of each|in every|each)\s+(?P<by>[\w-]+)"
)


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a table.

    Attributes:
        measures: In the order in which they are asked: "sum", "mean", "max", …
        columns: The numeric columns it is about, in the order of the question.
        label: The column whose value names a row.
        selection: The rows it is about.
        group: The column by which rows are grouped.
        picks: Whether rows are wanted rather than figures ("which city has the most…").
        top: How many rows are wanted, or the place of the one that is (negative).
        pairs: Which measure is asked of which column.
        multiplied: Whether the product of two columns is meant ("price times quantity").
        texts: Further columns that are asked for, as they stand.
        distinct: Whether different values are to be counted, not rows.
        checks: Whether only yes or no is asked for.
    """

    measures: tuple[str, ...]
    columns: tuple[int, ...]
    label: int
    selection: Selection
    group: int | None = None
    pairs: tuple[tuple[str, int], ...] = ()
    picks: bool = False
    top: int = 1
    multiplied: bool = False
    texts: tuple[int, ...] = ()
    distinct: bool = False
    checks: bool = False


def read_query(question: str, table: Table, hints: Sequence[str] = ()) -> Query | None:
    """Return what `question` asks of `table`, or `None` if it is not about it.

    Args:
        question: What is asked.
        table: The table it may be about.
        hints: Earlier questions, whose column is meant when this one names none.

    Raises:
        CannotError: It names a value that the table does not have.
    """
    text = spoken(question)
    named = named_columns(text, table)
    wanted = _wanted(text, table, named)
    selection = select(text, table, named)
    texts = tuple(m.column for m in named if m.column not in table.numeric and m.score >= 5)
    columns = figure_columns(text, named, table, selection, hints if wanted else ())
    group = _group(text, table)
    counts = "count" in wanted
    if not named and not selection.scope and not counts and not (wanted and columns):
        return None
    if counts and columns and counts_figures(text, named, columns[0]):
        # "how many people live in Oslo" asks for a figure, not for the number of rows
        wanted = tuple("sum" if name == "count" else name for name in wanted)
    label = _label(texts, table, selection)
    multiplied = len(columns) > 1 and bool(_TIMES.search(text.lower()))
    wanted = wanted or (("sum",) if multiplied else ())
    top = _top(text.lower())
    if order := _order(text):
        wanted, top = (order,), max(2, len(selection.rows))
    extreme = not {"max", "min"}.isdisjoint(wanted)
    compares = len(set(selection.named)) > 1
    return Query(
        measures=wanted,
        columns=columns,
        label=label,
        selection=selection,
        group=group if group not in columns else None,
        pairs=_pairs(text, wanted, columns, table),
        picks=extreme
        and (top != 1 or (group is None and (compares or _picks(text, texts, columns)))),
        top=top,
        multiplied=len(columns) > 1
        and bool(re.search(r"times|multipl|product|[×*]", text.lower())),
        texts=texts,
        distinct=bool(re.search(r"(?i)\b(?:different|distinct|unique)\b", text)),
        checks=not wanted and bool(_CHECK.match(text)),
    )


def _pairs(
    text: str, wanted: tuple[str, ...], columns: tuple[int, ...], table: Table
) -> tuple[tuple[str, int], ...]:
    """Return which measure is asked of which column.

    In "the highest x and the lowest y" each has its own; in "mean and median of x" they
    share one; a measure of something that this table does not have is left out.
    """
    single = [name for name in wanted if name != "count"]
    if len(single) < 2:
        return tuple((name, column) for name in single for column in columns)
    lower = text.lower()
    starts = [next((m.start() for m in [BY_NAME[name].search(lower)] if m), 0) for name in single]
    found: list[tuple[str, int]] = []
    for name, start, end in zip(single, starts, [*starts[1:], len(text)], strict=True):
        part = text[start:end]
        own = [m.column for m in mentions(part, table.header) if m.column in columns]
        rest = [
            word
            for word in tokens(BY_NAME[name].sub(" ", part.lower()))
            if word not in STOPWORDS | ANY_FIGURE
        ]
        if own or not rest:
            found += [(name, column) for column in own or columns]
    return tuple(found) or tuple((name, column) for name in single for column in columns)


def _wanted(text: str, table: Table, named: list[Mention]) -> tuple[str, ...]:
    """Return the measures, without those that only are a column's name."""
    wanted = measures(text)
    exact = {table.header[m.column].lower() for m in named if m.score >= 5}
    own = {name for name in wanted if any(measures(column) == (name,) for column in exact)}
    return (
        tuple(name for name in wanted if name not in own)
        if own and len(wanted) > len(own)
        else wanted
    )


def _label(texts: tuple[int, ...], table: Table, selection: Selection) -> int:
    """Return the column that names rows: the one asked for, else the first of text."""
    free = [column for column in texts if column not in selection.columns]
    plain = [c for c in range(len(table.header)) if c not in table.numeric]
    keys = [c for c in range(len(table.header)) if is_key(table, c)]
    return next(iter([*free, *plain, *keys]), 0)


def _group(text: str, table: Table) -> int | None:
    for match in _GROUP.finditer(text.lower()):
        for mention in mentions(match["by"], table.header):
            if mention.score >= 5 and (
                mention.column not in table.numeric or is_key(table, mention.column)
            ):
                return mention.column
    return None


def _order(text: str) -> str:
    """Return by which end rows are to be sorted, if they are."""
    said = _SORTED.search(text)
    if not said:
        return ""
    if _FALLING.search(text) or (said["how"].lower() == "rank" and not _RISING.search(text)):
        return "max"
    return "min"


def _top(text: str) -> int:
    if match := _RANK.search(text):
        return -2 if match["rank"] in {"second", "2nd"} else -3
    match = _TOP.search(text)
    if not match:
        return 1
    count = match["a"] or match["b"]
    return _COUNT_WORDS.get(count) or max(1, int(count))


def _picks(text: str, texts: tuple[int, ...], columns: tuple[int, ...]) -> bool:
    """Tell whether rows are wanted: "which city has the most", not "what is the most"."""
    if re.search(r"\b(?:which|who|whose|where)\b", text.lower()):
        return True
    having = re.search(r"\b(?:with|has|have|had|having)\b", text.lower())
    with_most = re.search(
        rf"\bwith\s+(?:the\s+)?(?:{SUPERLATIVES['max']}|{SUPERLATIVES['min']})", text.lower()
    )
    return bool(with_most) or (bool(texts) and (not columns or bool(having)))
