"""Conditions: which rows of a table a question is about."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cogwork.core.offline.results import CannotError
from cogwork.core.offline.tables import Table, figure
from cogwork.core.offline.words import STOPWORDS, stem, tokens, word_set

__all__ = ["Mention", "Selection", "mentions", "select"]

_OPERATORS = {
    ">=": r">=|≥|at\s+least|no\s+less\s+than|not\s+less\s+than|since|from",
    "<=": r"<=|≤|at\s+most|no\s+more\s+than|not\s+more\s+than|up\s+to|until",
    ">": r">|(?:more|greater|larger|higher|bigger|older|later|longer)\s+than|over|above|exceed(?:s|ing)?|after",
    "<": r"<|(?:less|fewer|smaller|lower|younger|earlier|shorter)\s+than|under|below|before",
    "!=": r"!=|<>|(?:is\s+)?not(?:\s+equal\s+to)?|other\s+than|except",
    "=": r"==?|equals?(?:\s+to)?|is|was|of|in",
}
_SAID = "|".join(f"(?P<o{index}>{said})" for index, said in enumerate(_OPERATORS.values()))
_FIGURE = r"\s*[$€£]?\s*(-?\d[\d,]*(?:\.\d+)?)\b"
_COMPARED = re.compile(rf"(?<!\w)(?:{_SAID}){_FIGURE.replace('(-', '(?P<bound>-')}")
_YEAR = re.compile(r"[12]\d{3}")
_BETWEEN = re.compile(rf"\b(?:between|from){_FIGURE}\s+(?:and|to|until)\b{_FIGURE}")
_NEGATED = re.compile(
    r"(?:\bnot|\bexcluding|\bexcept(?:\s+for)?|\bother\s+than|\bwithout|!=)\s*(?:in\s+|the\s+)?['\"]?$"
)
_EMPTY_NAMES = word_set(
    """all each every whole entire year years period column columns row rows data file table me us this
    that it them which what whom total average mean"""
)
_LIMITED = re.compile(
    r"\b(?P<by>for|of|in|is|by|does|did|has|than)\s+(?:the\s+)?(?P<word>[^\W\d_][\w-]+)"
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A column that a question names: where it stands there, and how surely it is meant."""

    column: int
    position: int
    score: float


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows that a question is about and the words for that, such as "region is North"."""

    rows: tuple[int, ...]
    scope: str
    columns: frozenset[int]  # columns that the conditions are on
    named: tuple[str, ...]  # values that the question names, in its order


def mentions(question: str, header: Sequence[str]) -> list[Mention]:
    """Return the columns that `question` names, best first.

    A word counts for the column with the longest name it is part of: "renewable twh"
    names no column "twh" as well.
    """
    said = [stem(word) for word in tokens(question)]
    raw = " ".join(["", *re.findall(r"[\w-]+", question.lower()), ""])
    taken: set[int] = set()
    found = []
    wanted = [
        ([stem(word) for word in tokens(name) if word not in STOPWORDS] or [name.lower()], column)
        for column, name in enumerate(header)
    ]
    for words, column in sorted(wanted, key=lambda item: -len(item[0])):
        place = _place(words, said, taken)
        if place:
            exact = f" {header[column].lower()} " in raw
            found.append(Mention(column, min(place), 5 + 2 * len(words) + 3 * exact))
            taken |= set(place)
    sure = {mention.column for mention in found}
    for words, column in wanted:
        hits = [said.index(word) for word in words if word in said]
        if column not in sure and hits and len(hits) < len(words) and not taken & set(hits):
            found.append(Mention(column, min(hits), 2 * len(hits) / len(words)))
    return sorted(found, key=lambda mention: (-mention.score, mention.position))


def _place(words: list[str], said: list[str], taken: set[int]) -> list[int]:
    """Return where all `words` stand in what was said: side by side, else anywhere."""
    size = len(words)
    for start in range(len(said) - size + 1):
        span = list(range(start, start + size))
        if said[start : start + size] == words and not taken & set(span):
            return span
    spread = [
        next((i for i, w in enumerate(said) if w == word and i not in taken), -1) for word in words
    ]
    return spread if size > 1 and -1 not in spread else []


def select(question: str, table: Table, named: Sequence[Mention]) -> Selection:
    """Return the rows that the conditions in `question` leave.

    Raises:
        CannotError: A condition names something that the table does not have.
    """
    keep = set(range(len(table.rows)))
    scopes: list[str] = []
    columns: set[int] = set()
    values = _values(question, table)
    for column, wanted, unwanted in _by_column(values):
        rows = {i for i in keep if not wanted or table.rows[i][column] in wanted}
        keep = {i for i in rows if table.rows[i][column] not in unwanted}
        columns.add(column)
        scopes += [f"{table.header[column]} is {' or '.join(wanted)}"] if wanted else []
        scopes += [f"{table.header[column]} is not {value}" for value in unwanted]
    for column, operator, bound in _comparisons(question, table, named):
        keep = {i for i in keep if _holds(table.rows[i][column], operator, bound)}
        columns.add(column)
        scopes.append(f"{table.header[column]} {_SPOKEN[operator]} {bound}")
    _refuse_unknown(question, table, [value for _, value, _ in values])
    ordered = tuple(sorted(keep))
    return Selection(
        ordered, " and ".join(scopes), frozenset(columns), tuple(v for _, v, _ in values)
    )


_SPOKEN = {
    ">": "is over",
    "<": "is under",
    ">=": "is at least",
    "<=": "is at most",
    "=": "is",
    "!=": "is not",
}


def _values(question: str, table: Table) -> list[tuple[int, str, bool]]:
    """Return (column, value, negated) for cells that the question names, longest first."""
    known = _known_values(table)
    words = [
        (match.group(), match.start())
        for match in re.finditer(r"[^\W\d_]+(?:'[a-z]+)?|\d+(?:[.,]\d+)*", question)
    ]
    headers = {stem(word) for name in table.header for word in tokens(name)}
    found = []
    index = 0
    while index < len(words):
        size = _longest_value(words[index : index + 6], known, headers)
        if size:
            key = tuple(stem(word) for word, _ in words[index : index + size])
            negated = bool(_NEGATED.search(question[: words[index][1]].lower()))
            found.append((*known[key], negated))
        index += size or 1
    return found


@lru_cache(maxsize=16)
def _known_values(table: Table) -> dict[tuple[str, ...], tuple[int, str]]:
    """Return the cells of text by their stems, with their columns."""
    known: dict[tuple[str, ...], tuple[int, str]] = {}
    for column in range(len(table.header)):
        if column not in table.numeric:
            for value in table.distinct(column):
                known.setdefault(tuple(stem(word) for word in tokens(value)), (column, value))
    return known


def _longest_value(
    words: list[tuple[str, int]], known: dict[tuple[str, ...], tuple[int, str]], headers: set[str]
) -> int:
    for size in range(len(words), 0, -1):
        key = tuple(stem(word) for word, _ in words[:size])
        if key not in known or (
            size == 1 and (words[0][0].lower() in STOPWORDS or key[0] in headers)
        ):
            continue
        return size
    return 0


def _by_column(values: list[tuple[int, str, bool]]) -> list[tuple[int, list[str], list[str]]]:
    columns = list(dict.fromkeys(column for column, _, _ in values))
    return [
        (
            column,
            list(
                dict.fromkeys(value for c, value, negated in values if c == column and not negated)
            ),
            list(dict.fromkeys(value for c, value, negated in values if c == column and negated)),
        )
        for column in columns
    ]


def _comparisons(
    question: str, table: Table, named: Sequence[Mention]
) -> list[tuple[int, str, str]]:
    """Return (column, operator, number) for comparisons such as "year after 2015"."""
    text = question.lower()
    found: list[tuple[int, str, str]] = []
    for match in _BETWEEN.finditer(text):
        column = _compared(text[: match.start()], text[match.end() :], match[1], table, named)
        if column is not None:
            found += [(column, ">=", match[1]), (column, "<=", match[2])]
    text = _BETWEEN.sub(lambda match: " " * len(match.group()), text)
    for match in _COMPARED.finditer(text):
        operator = next(op for index, op in enumerate(_OPERATORS) if match[f"o{index}"])
        bound = match["bound"].replace(",", "")
        column = _compared(text[: match.start()], text[match.end() :], bound, table, named)
        if column is not None:
            found.append((column, operator, bound))
        elif _YEAR.fullmatch(bound) and not any(bound in name for name in table.header):
            raise CannotError(f"{bound} does not stand in the table, which has {_columns(table)}")
        elif operator in {">", "<"}:
            raise CannotError(
                f"I don't see which column {_SPOKEN[operator]} {bound}; there are {_columns(table)}"
            )
    return found


def _compared(
    before: str, after: str, bound: str, table: Table, named: Sequence[Mention]
) -> int | None:
    """Return the numeric column that a comparison with `bound` is about."""
    numeric = {mention.column for mention in named} & table.numeric
    close = mentions(" ".join(tokens(before)[-4:]), table.header)
    beside = [m.column for m in close if m.column in numeric]
    years = [c for c in sorted(table.numeric) if "year" in tokens(table.header[c])]
    if years and _YEAR.fullmatch(bound) and years[0] not in beside:
        return years[0]
    next_to = mentions(" ".join(tokens(after)[:2]), table.header)
    return next(iter([*beside, *(m.column for m in next_to if m.column in numeric)]), None)


def _holds(cell: str, operator: str, bound: str) -> bool:
    digits = figure(cell)
    if digits is None:
        return False
    left, right = float(digits), float(bound.replace(",", ""))
    return {
        ">": left > right,
        "<": left < right,
        ">=": left >= right,
        "<=": left <= right,
        "=": left == right,
        "!=": left != right,
    }[operator]


def _refuse_unknown(question: str, table: Table, values: list[str]) -> None:
    """Refuse a condition on something that is nowhere in the table: never ignore it."""
    known = {stem(word) for value in (*values, *table.header) for word in tokens(value)}
    headers = {stem(word) for name in table.header for word in tokens(name)}
    for match in _LIMITED.finditer(question):
        word = match["word"]
        after_header = not headers.isdisjoint(
            stem(w) for w in tokens(question[: match.start()])[-1:]
        )
        named = word[0].isupper() or match["by"] == "for" or (match["by"] == "is" and after_header)
        unit = any(letter.isupper() for letter in word[1:])
        degree = re.search(r"(?:est|er)$|^(?:most|least|more|less)$", word)
        if not named or unit or degree or word.lower() in STOPWORDS | _EMPTY_NAMES:
            continue
        if known.isdisjoint(stem(part) for part in tokens(word)):
            raise CannotError(f"“{word}” does not stand in the table, which has {_columns(table)}")


def _columns(table: Table) -> str:
    return ", ".join(table.header)
