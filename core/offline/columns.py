"""Columns: which columns of figures a question is about, named or only meant."""

import re
from collections.abc import Sequence

from cogwork.core.offline.conditions import Selection
from cogwork.core.offline.measures import measures, spoken
from cogwork.core.offline.mentions import Mention, mentions
from cogwork.core.offline.tables import Table
from cogwork.core.offline.words import stem, tokens, word_set

__all__ = ["ANY_FIGURE", "counts_figures", "figure_columns", "is_key", "named_columns"]

_IMPLIED = {  # what an adjective measures, and of which column
    "old": "age", "young": "age", "cheap": "price cost", "expensive": "price cost",
    "tall": "height", "heavy": "weight mass", "light": "weight mass", "long": "length duration",
    "hot": "temperature temp",
    "cold": "temperature temp", "warm": "temperature temp", "fast": "speed", "rich": "income gdp",
    "populous": "population", "people": "population", "inhabitants": "population",
    "lives": "population", "live": "population", "costs": "price cost", "cost": "price",
    "earns": "salary income", "paid": "salary", "born": "birth", "sold": "sales quantity units",
}  # fmt: skip
_OF_WHAT = re.compile(
    r"\b(?:totals?|sum|mean|averages?|median|share|percentage)\s+"
    r"(?:of\s+)?(?:all\s+)?(?:the\s+)?([a-z_]\w*)",
    re.IGNORECASE,
)
ANY_FIGURE = word_set(
    """value values number numbers figure figures column data all it them of in for row rows by
    per each is was and"""
)


def named_columns(text: str, table: Table) -> list[Mention]:
    """Return the columns that are named, or meant by an adjective such as "oldest"."""
    named = mentions(text, table.header)
    if any(m.column in table.numeric for m in named):
        return named
    said = {_adjective(word) for word in tokens(text)}
    for word, columns in _IMPLIED.items():
        meant = [m for m in mentions(columns, table.header) if m.column in table.numeric]
        if word in said and meant:
            return [*meant, *named]
    return named


def counts_figures(text: str, named: list[Mention], column: int) -> bool:
    """Tell whether "how many" is about a column of figures: people, not cities."""
    said = re.search(r"(?i)\b(?:how many|number of)\s+(.*)", text)
    after = tokens(said[1])[:2] if said else []
    place = next((m.position for m in named if m.column == column), -1)
    own = [index for index, word in enumerate(tokens(text)) if word in after]
    return place in own or any(_adjective(word) in _IMPLIED for word in after)


def _adjective(word: str) -> str:
    """Return the plain form of a superlative: hottest → hot, heaviest → heavy."""
    plain = re.sub(r"(?:est|er)$", "", word)
    if plain == word or len(plain) < 3:
        return word
    plain = re.sub(r"i$", "y", plain)
    return plain[:-1] if plain[-1] == plain[-2] else plain


def figure_columns(
    text: str, named: list[Mention], table: Table, selection: Selection, hints: Sequence[str]
) -> tuple[int, ...]:
    """Return the numeric columns that are meant, in the order of the question."""
    numeric = [m for m in named if m.column in table.numeric]
    free = [m for m in numeric if m.column not in selection.columns]
    if not free and "count" in measures(text):
        return ()
    free = free or numeric
    if free:
        figures = [m for m in free if not is_key(table, m.column)] or free
        sure = [m for m in figures if m.score >= 5] or figures[:1]
        return tuple(m.column for m in sorted(sure, key=lambda m: m.position))
    for hint in filter(None, hints):
        before = [m for m in mentions(spoken(hint), table.header) if m.column in table.numeric]
        if before:
            return (before[0].column,)
    asks_text = any(m.column not in table.numeric and m.score >= 5 for m in named)
    if asks_text and not measures(text):
        return ()
    plain = [c for c in sorted(table.numeric) if not is_key(table, c)]
    return (plain[0],) if len(plain) == 1 and not _names_other(text, table) else ()


def _names_other(text: str, table: Table) -> bool:
    """Tell whether a sum is asked for something that is no column: "the total of price"."""
    known = {stem(word) for name in table.header for word in tokens(name)}
    said = [match[1].lower() for match in _OF_WHAT.finditer(text)]
    return any(word not in ANY_FIGURE and stem(word) not in known for word in said)


def is_key(table: Table, column: int) -> bool:
    """Tell whether a column of figures only names or dates rows, so that no total is of it."""
    words = set(tokens(table.header[column]))
    return bool(
        words & {"id", "year", "month", "day", "nr", "no", "number", "index", "rank", "zip"}
    )
