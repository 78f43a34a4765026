"""What a text names: numbers, money, dates, names, addresses, by rules that need no model.

Each rule reads the text once, so that the time grows with its length and no faster.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from cogwork.nodes.names import find_names
from cogwork.nodes.quantities import NUMBER, read_quantity

__all__ = ["Entity", "EntityKind", "find_entities"]

EntityKind: TypeAlias = Literal[
    "url", "email", "file", "money", "percent", "quantity", "number", "date", "time", "code",
    "quoted", "name",
]  # fmt: skip


class Entity(BaseModel):
    """Something that a text names.

    `value` is a number, or a date or time as ISO 8601 writes it (`2024-05-12`, `2024-05`,
    `--05-12` where no year is said, `14:30`); None where a text has none or it can be read in
    two ways, as `03/04/2024`. `high` is the upper end of a range. `unit` is the symbol of a
    unit, or the ISO 4217 code of a currency. `start` counts characters.
    """

    model_config = ConfigDict(frozen=True)

    kind: EntityKind
    text: str
    start: int
    value: float | str | None = None
    high: float | str | None = None
    unit: str | None = None

    @property
    def end(self) -> int:
        """Where the text goes on."""
        return self.start + len(self.text)


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_WEEKDAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_CENTURY = "(?:1[5-9]|2[01])"
_YEAR = rf"{_CENTURY}\d\d"
_BEFORE_YEAR = "|".join(
    rf"(?<=\b{word}\s)"
    for word in ("in", "since", "by", "until", "till", "from", "before", "after", "during", "year")
)
_DATES = rf"""
  (?P<iso>{_YEAR}-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?(?![\w-])
    | {_YEAR}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?=T\d))
| (?P<dotted>\d{{1,2}}\.[ ]?\d{{1,2}}\.[ ]?\d{{4}}(?!\w))
| (?P<slashed>\d{{1,2}}/\d{{1,2}}/(?:\d{{4}}|\d\d)(?![\w/]))
| (?P<written>\d{{1,2}}(?:st|nd|rd|th)?\.?\s(?:of\s)?{_MONTH}(?:,?\s\d{{4}}(?!\w))?
    | {_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?(?!\w|[.,:]\d)(?:,?\s\d{{4}}(?!\w))?
    | {_MONTH},?\s\d{{4}}(?!\w))
| (?P<years>{_YEAR}\s?[-–—]\s?{_YEAR}(?![\w-]))
| (?P<year>(?:{_BEFORE_YEAR}){_YEAR}(?!\w|[.,:%-]\d|\s?%)|{_CENTURY}\d0s\b)
| (?P<loose>Q[1-4](?:[ /-]?\d{{4}})?(?!\w)|{_WEEKDAY}\b|\b(?:today|tomorrow|yesterday|tonight)\b
    | \b(?:this|next|last|coming|past)\s(?:week(?:end)?|month|quarter|year|decade|century|summer
      |winter|autumn|spring|{_WEEKDAY})\b)
"""  # noqa: RUF001 - dashes as people type them
_TOKEN = re.compile(
    rf"""
  (?P<url>(?:https?|ftp)://[^\s<>"]++|(?<![\w@.-])www\.[^\s<>"]++)
| (?P<email>(?<![\w.+-])[\w.+-]{{1,64}}@[\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{1,8}})
| (?P<host>(?<![\w@.-])(?:[\w-]{{1,63}}\.){{1,5}}(?:com|org|net|edu|gov|io|dev|eu|de|uk)
    (?![\w-])(?:/[^\s<>"]*+)?)
| (?P<file>(?<![\w/.~-])(?:~?/)?(?:[\w~.-]{{1,100}}/){{0,10}}[\w-]{{1,100}}\.(?:csv|tsv|xlsx?|json|ya?ml
    |pdf|docx?|txt|md|py|js|ts|sql|log|html?|xml|parquet|png|jpe?g|zip|ipynb)(?!\w))
| (?<![\w.])(?:{_DATES})
| (?P<time>(?<![\w:.])\d{{1,2}}(?::\d\d(?::\d\d)?(?![\w:])(?:\s?[ap]\.?m\b\.?)?|\s?[ap]\.?m\b\.?)
    | (?<=\dT)\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:?\d\d)?)
| (?P<quantity>(?<![\w.,]){NUMBER}(?!\w))
| (?P<code>(?<![\w-])(?!\d+(?:st|nd|rd|th)\b)(?:[^\W\d_]{{1,12}}[-./]?\d|\d{{1,12}}[-/.]?\w)(?:[-./]?\w){{0,30}})
""",
    re.VERBOSE | re.IGNORECASE,
)
_QUOTED = re.compile(
    r"\"[^\"\n]{1,300}\"|“[^”\n]{1,300}”|„[^“”\n]{1,300}[“”]|«[^»\n]{1,300}»|`[^`\n]{1,300}`"
    r"|(?<!\w)['‘](?!\s)[^'’\n]{1,300}['’](?!\w)"  # noqa: RUF001 - quotes as people type them
)
_CLOSING = ".,;:!?'\")]}…"


def find_entities(text: str, limit: int | None = None) -> tuple[Entity, ...]:
    """Return what a text names, in the order of the text.

    Quotations hold entities of their own. A capitalised word is a name inside a sentence; at
    its start only where something shows it: a second such word, capitals or digits within, an
    apostrophe and s, or the same word as a name elsewhere. "pounds" is the weight; the money is "£", "GBP"
    or "pounds sterling".

    Args:
        text: Of any length.
        limit: How many at most, the first ones; what stands behind them is not read as numbers
            and the like. None for all.

    Examples:
        >>> [(each.kind, each.value, each.unit) for each in find_entities("€1.2m by 3 May 2025")]
        [('money', 1200000.0, 'EUR'), ('date', '2025-05-03', None)]
    """
    read = (entity for match in _TOKEN.finditer(text) if (entity := _entity(match)))
    found = list(islice(read, limit))
    quoted = [
        Entity(kind="quoted", text=match.group(), start=match.start(), value=match.group()[1:-1])
        for match in islice(_QUOTED.finditer(text), limit)
    ]
    taken = [(each.start, each.end) for each in (*found, *quoted)]
    names = [
        Entity(kind="name", text=text[start:end], start=start)
        for start, end in islice(find_names(text, taken), limit)
    ]
    whole = sorted((*found, *quoted, *names), key=lambda each: (each.start, -each.end))
    return tuple(whole[:limit])


def _entity(match: re.Match[str]) -> Entity | None:
    kind, text, start = match.lastgroup, match.group(), match.start()
    if kind in ("url", "host"):
        return Entity(kind="url", text=text.rstrip(_CLOSING), start=start)
    if kind == "email" or kind == "file" or kind == "code":
        return Entity(kind=kind, text=text.rstrip("."), start=start)
    if kind == "time":
        return Entity(kind="time", text=text, start=start, value=_time(text))
    if kind not in _READERS:
        return _quantity(match)
    low, high = _READERS[kind](text)
    return Entity(kind="date", text=text, start=start, value=low, high=high)


def _quantity(match: re.Match[str]) -> Entity | None:
    found = read_quantity(match)
    return None if found is None else Entity.model_validate(found, from_attributes=True)


def _time(text: str) -> str | None:
    digits = re.match(r"(\d{1,2})(?::(\d\d))?(?::(\d\d))?", text)
    if digits is None:
        return None
    hour, rest = int(digits[1]), [part for part in digits.groups()[1:] if part]
    if half := re.search(r"([ap])\.?m", text, re.IGNORECASE):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (half[1].lower() == "p")
    if hour > 24 or any(int(part) > 59 for part in rest):
        return None
    return ":".join([f"{hour:02}", *(rest or ["00"])])


def _numbers(text: str) -> Iterator[int]:
    return (int(digits) for digits in re.findall(r"\d+", text))


def _day(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _dotted(text: str) -> tuple[str | None, None]:
    day, month, year = _numbers(text)
    return _day(year, month, day), None


def _slashed(text: str) -> tuple[str | None, None]:
    first, second, year = _numbers(text)
    year += 2000 if year < 100 else 0
    if first <= 12 and second <= 12 and first != second:
        return None, None  # 3 April or March 4th
    return (_day(year, second, first) or _day(year, first, second)), None


def _written(text: str) -> tuple[str | None, None]:
    name = re.search(r"[^\W\d_]{3,}", text)
    month = _MONTHS.index(name[0][:3].lower()) + 1 if name else 0
    numbers = list(_numbers(text))
    years = [number for number in numbers if number > 31]
    days = [number for number in numbers if number <= 31]
    if not days:
        return f"{years[0]}-{month:02}", None
    if not years:
        known = _day(2024, month, days[0])  # a leap year
        return (f"-{known[4:]}" if known else None), None
    return _day(years[0], month, days[0]), None


def _years(text: str) -> tuple[str | None, str | None]:
    low, high = _numbers(text)
    return str(low), str(high)


_READERS: dict[str | None, Callable[[str], tuple[str | None, str | None]]] = {
    "iso": lambda text: (text, None),
    "dotted": _dotted,
    "slashed": _slashed,
    "written": _written,
    "years": _years,
    "year": lambda text: (text.rstrip("sS"), None),
    "loose": lambda _: (None, None),
}
