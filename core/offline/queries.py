"""Queries: what a question wants to know of a table."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cogwork.core.offline.conditions import Mention, Selection, mentions, select
from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.tables import Table
from cogwork.core.offline.words import stem, tokens, word_set

__all__ = ["SUPERLATIVES", "Query", "measures", "read_query", "spoken"]

SUPERLATIVES = {
    "max": r"maximum|max|highest|largest|biggest|greatest|(?<!at )most(?! recent)|tallest|longest"
    r"|oldest|latest|newest|heaviest|fastest|richest|hottest|warmest|strongest|top|most recent|best"
    r"|(?:more|higher|larger|bigger|greater|older)(?! than)",
    "min": r"minimum|min|lowest|smallest|(?<!at )least|fewest|shortest|youngest|earliest|lightest"
    r"|slowest|poorest|coldest|cheapest|weakest"
    r"|(?:fewer|less|lower|smaller|younger)(?! than)",
}
_MEASURES = {
    "share": r"percentages?|percent|shares?|proportion|fraction|what part",
    "ratio": r"ratio|how many times",
    "difference": r"difference|how (?:much|many) (?:more|less|fewer|larger|higher|bigger|lower|smaller|older)",
    "mean": r"mean|averages?|avg",
    "median": r"median",
    "sum": r"totals?|sum(?:med)?|altogether|combined|overall|add(?:ed|ing)? up|all together|in all",
    **SUPERLATIVES,
    "count": r"how many|number of|count",
}
_PATTERNS = [(name, re.compile(rf"\b(?:{said})\b")) for name, said in _MEASURES.items()]
_IMPLIED = {  # what an adjective measures, and of which column
    "old": "age", "young": "age", "cheap": "price cost", "expensive": "price cost",
    "tall": "height", "heavy": "weight mass", "light": "weight mass", "long": "length duration", "hot": "temperature",
    "cold": "temperature", "warm": "temperature", "fast": "speed", "rich": "income gdp",
    "populous": "population", "people": "population", "inhabitants": "population",
    "lives": "population", "live": "population", "costs": "price cost", "cost": "price",
    "earns": "salary income", "paid": "salary", "born": "birth", "sold": "sales quantity units",
}  # fmt: skip
_COUNT_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10}
_TOP = re.compile(
    rf"\b(?:top|bottom)\s+(?P<a>\d+|{'|'.join(_COUNT_WORDS)})\b"
    rf"|\b(?P<b>\d+|{'|'.join(_COUNT_WORDS)})\s+(?:\w+\s+)?(?:{SUPERLATIVES['max']}|{SUPERLATIVES['min']})\b"
)
_RANK = re.compile(r"\b(?P<rank>second|third|2nd|3rd)[\s-]+(?:most|least|\w+est)\b")
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
        multiplied: Whether the product of two columns is meant ("price times quantity").
        texts: Further columns that are asked for, as they stand.
    """

    measures: tuple[str, ...]
    columns: tuple[int, ...]
    label: int
    selection: Selection
    group: int | None = None
    picks: bool = False
    top: int = 1
    multiplied: bool = False
    texts: tuple[int, ...] = ()


def spoken(question: str) -> str:
    """Return the question without paths and URLs, whose words name no column."""
    literals = read_literals(question)
    for part in (*literals.paths, *literals.urls, *literals.globs):
        question = question.replace(part, " ")
    return re.sub(r"\b(?:in|of|from|file|column)\s*(?=[,?.!]|$)", "", question).strip()


def measures(question: str) -> tuple[str, ...]:
    """Return which figures `question` asks for, in its order."""
    text = re.sub(r"\w*_\w*", " ", question.lower())
    found: list[tuple[int, str]] = []
    for name, pattern in _PATTERNS:
        match = pattern.search(text)
        if match:
            found.append((match.start(), name))
            text = pattern.sub(lambda hit: " " * len(hit.group()), text)
    return tuple(name for _, name in sorted(found))


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
    named = _named(text, table)
    wanted = _wanted(text, table, named)
    selection = select(text, table, named)
    columns = _figures(text, named, table, selection, hints if wanted else ())
    group = _group(text, table)
    counts = "count" in wanted
    if not named and not selection.scope and not counts and not (wanted and columns):
        return None
    if counts and columns and _counts_figures(text, named, columns[0]):
        # "how many people live in Oslo" asks for a figure, not for the number of rows
        wanted = tuple("sum" if name == "count" else name for name in wanted)
    texts = tuple(m.column for m in named if m.column not in table.numeric and m.score >= 5)
    label = _label(texts, table, selection)
    top = _top(text.lower())
    extreme = not {"max", "min"}.isdisjoint(wanted)
    return Query(
        measures=wanted,
        columns=columns,
        label=label,
        selection=selection,
        group=group if group not in columns else None,
        picks=extreme and (top != 1 or (group is None and _picks(text, texts, columns))),
        top=top,
        multiplied=len(columns) > 1
        and bool(re.search(r"times|multipl|product|[×*]", text.lower())),
        texts=texts,
    )


def _named(text: str, table: Table) -> list[Mention]:
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


def _counts_figures(text: str, named: list[Mention], column: int) -> bool:
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


def _figures(
    text: str, named: list[Mention], table: Table, selection: Selection, hints: Sequence[str]
) -> tuple[int, ...]:
    """Return the numeric columns that are meant, in the order of the question."""
    numeric = [m for m in named if m.column in table.numeric]
    free = [m for m in numeric if m.column not in selection.columns]
    if not free and "count" in measures(text):
        return ()
    free = free or numeric
    if free:
        sure = [m for m in free if m.score >= 5] or free[:1]
        return tuple(m.column for m in sorted(sure, key=lambda m: m.position))
    for hint in filter(None, hints):
        before = [m for m in mentions(spoken(hint), table.header) if m.column in table.numeric]
        if before:
            return (before[0].column,)
    plain = [c for c in sorted(table.numeric) if not _is_key(table, c)]
    return (plain[0],) if len(plain) == 1 and not _names_other(text, table) else ()


_OF_WHAT = re.compile(
    r"\b(?:totals?|sum|mean|averages?|median|share|percentage)\s+(?:of\s+)?(?:all\s+)?(?:the\s+)?([a-z_]\w*)",
    re.IGNORECASE,
)
_ANY_FIGURE = word_set(
    "value values number numbers figure figures column data all it them of in for row rows by per each is was and"
)


def _names_other(text: str, table: Table) -> bool:
    """Tell whether a sum is asked for something that is no column: "the total of price"."""
    known = {stem(word) for name in table.header for word in tokens(name)}
    said = [match[1].lower() for match in _OF_WHAT.finditer(text)]
    return any(word not in _ANY_FIGURE and stem(word) not in known for word in said)


def _is_key(table: Table, column: int) -> bool:
    words = set(tokens(table.header[column]))
    return bool(
        words & {"id", "year", "month", "day", "nr", "no", "number", "index", "rank", "zip"}
    )


def _label(texts: tuple[int, ...], table: Table, selection: Selection) -> int:
    """Return the column that names rows: the one asked for, else the first of text."""
    free = [column for column in texts if column not in selection.columns]
    plain = [c for c in range(len(table.header)) if c not in table.numeric]
    keys = [c for c in range(len(table.header)) if _is_key(table, c)]
    return next(iter([*free, *plain, *keys]), 0)


def _group(text: str, table: Table) -> int | None:
    for match in _GROUP.finditer(text.lower()):
        for mention in mentions(match["by"], table.header):
            if mention.score >= 5 and (
                mention.column not in table.numeric or _is_key(table, mention.column)
            ):
                return mention.column
    return None


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
    return bool(texts) and (not columns or bool(having))
