"""A question to a table as a skeleton: its columns, values, numbers and dates become symbols.

"total units in March 2024 where region is North" → "total C4 in D0 where C1 is V0". The rules
of `conditions` and `queries` take pieces out of the skeleton; what none of them takes is
told to the person, so no part of a question is ever dropped.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from cogwork.core.offline.desk import CannotError
from cogwork.core.offline.tables import Table, is_date
from cogwork.core.offline.words import singular, word_set

__all__ = [
    "ALIASES",
    "NOISE",
    "ROWS",
    "Skeleton",
    "date_columns",
    "is_key",
    "read_skeleton",
    "refusal",
]

NOISE = word_set(
    """a an the is are was were be been do does did has have had of in for from at on with to and
    what which who whose where there that please tell give show list name find get compute
    calculate determine me us we you i it its they them their this these those all whole entire file
    table data dataset csv column columns value values figure figures number numbers according using
    based into each's read compare extract identify who's what's would much be also then can could
    kind people's live lives living come comes located listed recorded sold sell belong produce
    produced entry entries among out named called"""
)
_MEASURING = word_set(
    """total totals sum mean average averages median count counts minimum maximum min max highest
    lowest most least number share percent percentage ratio difference top bottom first last second
    order"""
)
_GRAMMAR = word_set("not no or and over under per by than only all any other both up")
ROWS = word_set("row rows entry entries record records item items")
_PEOPLE = word_set("people persons person everybody everyone somebody anybody who")
_OF_PEOPLE = word_set("name person employee age salary first_name firstname surname gender")
_UNITS = word_set(
    "km km2 m m2 cm mm kg g t c f k usd eur gbp percent pct kwh mwh gwh twh s ms min h ha l ml"
)
ALIASES = {  # what else people call a column
    "temperature": ("temp",), "quantity": ("qty",), "people": ("population",),
    "inhabitant": ("population",), "earn": ("salary", "income"), "earns": ("salary", "income"),
    "earning": ("salary", "income"), "earner": ("salary", "income"), "cost": ("price",), "aged": ("age",),
}  # fmt: skip
_KIN = {"woman": "female", "women": "female", "man": "male", "men": "male"}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_TOKEN = re.compile(
    r"\"(?P<q1>[^\"\n]+)\"|“(?P<q2>[^”\n]+)”|`(?P<q3>[^`\n]+)`|(?<!\w)'(?P<q4>[^'\n]+)'(?!\w)"
    r"|(?P<date>\b\d{4}-\d{2}(?:-\d{2})?\b"
    rf"|\b(?i:(?:\d{{1,2}}\s+)?{_MONTH}\b(?:\s+(?:of\s+)?\d{{4}}\b)?))"
    r"|(?P<number>(?<![\w.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w.]*\d)|(?<![\w.,])-?\d+(?:\.\d+)?)"
    r"(?P<scale>k\b|\s+(?:thousand|million|billion)\b)?"
    r"|(?P<word>[^\W\d_]+(?:['’][a-z]+)?|\d+)|(?P<sign>>=|<=|!=|<>|==?|[<>≥≤×*%$€£+/])"
)
_SCALES = {"k": 1_000, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_LONGEST = 300  # words of a question


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    kind: str
    key: str = ""


@dataclass(slots=True)
class Skeleton:
    """The skeleton and what its symbols stand for.

    `text` has a space at either end. `V` symbols stand for the cells that a phrase may mean,
    as (column, cell); numbers are plain digits; dates are prefixes of ISO dates, or "--03"
    for a month of any year.
    """

    table: Table
    text: str = " "
    values: list[tuple[tuple[int, str], ...]] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    quoted: list[str] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)

    def take(self, match: re.Match[str], left: str = " | ") -> None:
        """Take a matched piece out; `left` stays in its place."""
        self.text = f"{self.text[: match.start()]}{left}{self.text[match.end() :]}"

    def tidy(self, pattern: str, put: str) -> None:
        """Rewrite every place where `pattern` matches."""
        self.text = re.sub(pattern, put, self.text)


def is_key(table: Table, column: int) -> bool:
    """Tell whether a column of figures only names or dates rows, so that no total is of it."""
    words = {token.key for token in _tokens(table.header[column])}
    keys = word_set("id year month day nr no number index rank zip code key")
    return bool(words & keys)


def refusal(skeleton: Skeleton, left: Iterable[str]) -> CannotError:
    """Return the error that names the words of a question that were not understood."""
    said = dict.fromkeys(skeleton.told.get(word, word) for word in left)
    listed = ", ".join(f"“{word}”" for word in list(said)[:6])
    columns = ", ".join(skeleton.table.header)
    return CannotError(f"I don't understand {listed} here; the table has {columns}")


def read_skeleton(question: str, table: Table, source: str = "") -> Skeleton:
    """Read a question that has no path in it any more.

    Args:
        question: What is asked.
        table: The table it is asked of.
        source: The table's file, whose name may be the word for its rows.

    Raises:
        CannotError: The question is too long to be one.
    """
    tokens = _tokens(question)
    if len(tokens) > _LONGEST:
        raise CannotError(f"a question of {len(tokens)} words is more than I can follow")
    found = Skeleton(table)
    parts: list[str] = []
    index = 0
    while index < len(tokens):
        size, symbol = _symbol(tokens, index, found, source)
        parts.append(symbol)
        index += size
    found.text = f" {' '.join(parts)} "
    return found


def _tokens(text: str) -> list[_Token]:
    found = []
    for match in _TOKEN.finditer(re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", " ", text)):
        kind = match.lastgroup or ""
        if kind == "scale":
            kind = "number"
        if kind.startswith("q"):
            found.append(_Token(match[kind], "quoted", match[kind].lower()))
        elif kind == "number":
            found.append(_Token(match.group(), kind, _digits(match["number"], match["scale"])))
        else:
            word = match.group().replace("’", "'")
            found.extend(_words(word) if kind == "word" else [_Token(word, kind, word.lower())])
    return found


def _words(word: str) -> list[_Token]:
    """Return a word, or the two that a shortened one stands for: "isn't", "who's"."""
    if word.lower().endswith("n't"):
        return [_Token(word[:-3], "word", word[:-3].lower()), _Token("not", "word", "not")]
    return [_Token(word, "word", singular(word))]


def _digits(number: str, scale: str | None) -> str:
    plain = number.replace(",", "")
    if not scale:
        return plain
    value = float(plain) * _SCALES[scale.strip().lower()]
    return str(int(value)) if value == int(value) else str(value)


def _keys(text: str) -> tuple[str, ...]:
    return tuple(token.key for token in _tokens(text))


@lru_cache(maxsize=16)
def _headers(table: Table) -> dict[tuple[str, ...], list[int]]:
    """Return the columns by their names, also without a unit at the end: "area_km2"."""
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)
    names = [_keys(name) for name in table.header]
    for column, keys in enumerate(names):
        found[keys].append(column)
    for column, keys in enumerate(names):
        size = len(keys)
        while size > 1 and (keys[size - 1] in _UNITS or keys[size - 1][:1].isdigit()):
            size -= 1
            if keys[:size] not in names:
                found[keys[:size]].append(column)
    return found


@lru_cache(maxsize=16)
def _cells(table: Table) -> dict[tuple[str, ...], list[tuple[int, str]]]:
    found: dict[tuple[str, ...], list[tuple[int, str]]] = defaultdict(list)
    for column in range(len(table.header)):
        if column not in table.numeric:
            for value in table.distinct(column):
                found[_keys(value)].append((column, value))
    return found


def _symbol(tokens: list[_Token], index: int, found: Skeleton, source: str) -> tuple[int, str]:
    """Return the symbol for what stands at `index`, and how many tokens it stands for."""
    for size in range(min(8, len(tokens) - index), 0, -1):
        span = tokens[index : index + size]
        keys = tuple(token.key for token in span)
        if span[0].kind == "quoted":
            keys = _keys(span[0].text) if size == 1 else ()
        said = " ".join(token.text for token in span)
        columns = _headers(found.table).get(keys, [])
        if columns and not _is_measure(tokens, index, size, found.table):
            return size, _named(columns, said, found)
        cells = _cells(found.table).get(keys) or _kin(keys, found.table)
        if cells and _is_meant(tokens, index, size, cells, found.table):
            found.values.append(tuple(cells))
            return size, _told(f"V{len(found.values) - 1}", said, found)
    return 1, _single(tokens[index], found, source)


def _named(columns: list[int], said: str, found: Skeleton) -> str:
    if len(columns) > 1:
        raise CannotError(f"there are {len(columns)} columns that are called {said}")
    return _told(f"C{columns[0]}", said, found)


def _told(symbol: str, said: str, found: Skeleton) -> str:
    found.told[symbol] = said
    return symbol


def _kin(keys: tuple[str, ...], table: Table) -> list[tuple[int, str]]:
    """Return the cells for "women", where the table says "female"."""
    return _cells(table).get((_KIN[keys[0]],), []) if len(keys) == 1 and keys[0] in _KIN else []


def _is_measure(tokens: list[_Token], index: int, size: int, table: Table) -> bool:
    """Tell whether "total" is a measure here though a column is called so as well."""
    if size > 1 or tokens[index].text.lower() not in _MEASURING:
        return False
    after = tokens[index + 1] if index + 1 < len(tokens) else None
    return after is not None and (after.key == "of" or (after.key,) in _headers(table))


def _is_meant(
    tokens: list[_Token], index: int, size: int, cells: list[tuple[int, str]], table: Table
) -> bool:
    """Tell whether a cell is meant by a word that is also a common one: "IT", "A", "open"."""
    token = tokens[index]
    word = token.text.lower()
    common = word in NOISE | _MEASURING | _GRAMMAR | ROWS or len(word) == 1 or token.key.isdigit()
    if size > 1 or token.kind == "quoted" or not common:
        return True
    beside = [
        tokens[index - 1].key if index else "",
        *(t.key for t in tokens[index + 1 : index + 2]),
    ]
    own = {key for column, _ in cells for key in _keys(table.header[column])}
    if not own.isdisjoint(beside) or beside[0] in {"=", "equals"}:
        return True
    after_is = beside[0] == "is" and index > 1 and tokens[index - 2].key in own
    shouts = all(other.text.isupper() for other in tokens if other.kind == "word")
    return after_is or (
        len(word) > 1
        and token.text.isupper()
        and not shouts
        and any(cell == token.text for _, cell in cells)
    )


def _single(token: _Token, found: Skeleton, source: str) -> str:
    """Return the symbol for a token that is no column and no value."""
    if token.kind == "number":
        found.numbers.append(token.key)
        return _told(f"N{len(found.numbers) - 1}", token.text, found)
    if token.kind == "date":
        found.dates.append(_iso(token.key))
        return _told(f"D{len(found.dates) - 1}", token.text, found)
    if token.kind == "quoted":
        found.quoted.append(token.text)
        return _told(f"Q{len(found.quoted) - 1}", token.text, found)
    word = token.text.lower()
    found.told.setdefault(word, token.text)
    if (
        word.startswith("un")
        and len(columns := _headers(found.table).get((token.key[2:],), [])) == 1
    ):
        return f"not {_told(f'C{columns[0]}', token.text, found)}"
    for name in ALIASES.get(token.key, ()):
        if columns := _headers(found.table).get((name,), []):
            return _named(columns, token.text, found)
    file = singular(re.sub(r"\.\w+$", "", source.rpartition("/")[2]))
    people = word in _PEOPLE and not _OF_PEOPLE.isdisjoint(map(str.lower, found.table.header))
    if word not in NOISE and (token.key == file or people or word in ROWS):
        return "rows"
    return word


def _iso(said: str) -> str:
    """Return a date as the beginning of an ISO date: "4 May 2024" → 2024-05-04."""
    if said[0].isdigit() and "-" in said:
        return said
    day = re.match(r"\d{1,2}(?!\d)", said)
    month = re.search(r"[a-z]{3}", said)
    year = re.search(r"\d{4}", said)
    number = _MONTHS.index(month.group()) + 1 if month else 0
    whole = f"{year.group() if year else '-'}-{number:02}"
    return (
        f"{whole}-{int(day.group()):02}"
        if day and not (year and day.start() == year.start())
        else whole
    )


def date_columns(table: Table) -> list[int]:
    """Return the columns whose cells are all ISO dates."""
    return [c for c in range(len(table.header)) if is_date([row[c] for row in table.rows])]
