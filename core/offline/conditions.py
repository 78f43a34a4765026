"""Conditions: which rows of a table a question is about."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cogwork.core.offline.limits import SPOKEN, holds, limits_in
from cogwork.core.offline.mentions import Mention
from cogwork.core.offline.results import CannotError
from cogwork.core.offline.tables import Table
from cogwork.core.offline.words import STOPWORDS, stem, tokens, word_set

__all__ = ["Selection", "select", "verdict_columns"]

_NEGATED = re.compile(
    r"(?:\bnot|\bexcluding|\bexcept(?:\s+for)?|\bother\s+than|\bwithout|!=)\s*(?:in\s+)?"
    r"(?:the\s+)?['\"]?$"
)
_CALENDAR = re.compile(
    r"(?i)(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
    r"|jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_ASKS_STATE = re.compile(r"(?i)^\W*(?:is|are|was|were|does|do|did|has|have)\b")
_YES = word_set("yes true y")
_NO = word_set("no false n")
_EMPTY_NAMES = word_set(
    """all each every whole entire year years period column columns row rows data file table me us
    this that it them which what whom total average mean between over under above below more
    less most least best at greater higher lower equal"""
)
_LIMITED = re.compile(
    r"(?:\b(?P<by>for|is|equals?)|=)\s+(?:the\s+)?['\"“]?(?P<word>[^\W\d_][\w-]+)"
)
_NAMED = re.compile(r"(?<![.?!:(])\s['\"“]?(?P<word>[A-Z][\w-]+)")


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows that a question is about and the words for that, such as "region is North"."""

    rows: tuple[int, ...]
    scope: str
    columns: frozenset[int]  # columns that the conditions are on
    named: tuple[str, ...]  # values that the question names, in its order


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
    for column, wanted_value in _states(question, table, named, columns):
        keep = {i for i in keep if table.rows[i][column] == wanted_value}
        columns.add(column)
        scopes.append(f"{table.header[column]} is {wanted_value}")
    for column, operator, bound in limits_in(question, table, named):
        keep = {i for i in keep if holds(table.rows[i][column], operator, bound)}
        columns.add(column)
        scopes.append(f"{table.header[column]} {SPOKEN[operator]} {bound}")
    _refuse_unknown(question, table, [value for _, value, _ in values])
    ordered = tuple(sorted(keep))
    return Selection(
        ordered, " and ".join(scopes), frozenset(columns), tuple(v for _, v, _ in values)
    )


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
        if not size and _named_outright(question, words[index], known, table.header):
            size = 1
        if size:
            key = tuple(_key(word) for word, _ in words[index : index + size])
            negated = bool(_NEGATED.search(question[: words[index][1]].lower()))
            found.append((*known[key], negated))
        index += size or 1
    return found


def _named_outright(
    question: str,
    word: tuple[str, int],
    known: dict[tuple[str, ...], tuple[int, str]],
    headers: Sequence[str],
) -> bool:
    """Tell whether a value that looks like a common word is meant: "where zone is A"."""
    key = (_key(word[0]),)
    if key not in known or not word[0][0].isupper():
        return False
    before = question[: word[1]].rstrip(" '\"")
    named = {stem(part) for part in tokens(headers[known[key][0]])}
    return (
        before.lower().endswith((" is", "=", " equals"))
        or stem((tokens(before) or [""])[-1]) in named
    )


def _key(word: str) -> str:
    """Return what a word of a cell is compared by; days and months go by three letters."""
    short = word[:3].lower()
    return short if _CALENDAR.fullmatch(word) else stem(word)


@lru_cache(maxsize=16)
def _known_values(table: Table) -> dict[tuple[str, ...], tuple[int, str]]:
    """Return the cells of text by their stems, with their columns."""
    known: dict[tuple[str, ...], tuple[int, str]] = {}
    for column in range(len(table.header)):
        if column not in table.numeric:
            for value in table.distinct(column):
                known.setdefault(tuple(_key(word) for word in tokens(value)), (column, value))
    return known


def _longest_value(
    words: list[tuple[str, int]], known: dict[tuple[str, ...], tuple[int, str]], headers: set[str]
) -> int:
    for size in range(len(words), 0, -1):
        key = tuple(_key(word) for word, _ in words[:size])
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


def verdict_columns(table: Table) -> dict[int, tuple[str, str]]:
    """Return the columns that say yes or no, with the words they say it in."""
    found = {}
    for column in range(len(table.header)):
        values = table.distinct(column)
        yes = [value for value in values if value.lower() in _YES]
        no = [value for value in values if value.lower() in _NO]
        if values and len(values) == len(yes) + len(no) <= 2:
            found[column] = ((yes or [""])[0], (no or [""])[0])
    return found


def _states(
    question: str, table: Table, named: Sequence[Mention], taken: set[int]
) -> list[tuple[int, str]]:
    """Return conditions on columns of yes and no: "how many passed", "who did not pass"."""
    if _ASKS_STATE.match(question):
        return []
    known = verdict_columns(table)
    meant = [m.column for m in named if m.column in known and m.column not in taken]
    if not meant:
        return []
    denied = re.search(r"(?i)\b(?:not|n't|never|without)\b|n't\b", question)
    return [(column, known[column][1 if denied else 0]) for column in meant]


def _refuse_unknown(question: str, table: Table, values: list[str]) -> None:
    """Refuse a condition on something that is nowhere in the table: never ignore it."""
    known = {_key(word) for value in (*values, *table.header) for word in tokens(value)}
    headers = {stem(word) for name in table.header for word in tokens(name)}
    said = [match["word"] for match in _NAMED.finditer(question)]
    for match in _LIMITED.finditer(question):
        before = tokens(question[: match.start()])[-1:]
        if match["by"] == "for" or not headers.isdisjoint(stem(word) for word in before):
            said.append(match["word"])
    for word in said:
        unit = any(letter.isupper() for letter in word[1:])
        degree = len(word) > 5 and word.islower() and word.endswith(("est", "er"))
        if unit or degree or word.lower() in STOPWORDS | _EMPTY_NAMES:
            continue
        if known.isdisjoint(_key(part) for part in tokens(word)):
            raise CannotError(f"“{word}” does not stand in the table, which has {_columns(table)}")


def _columns(table: Table) -> str:
    return ", ".join(table.header)
