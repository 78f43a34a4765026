"""Limits: conditions on figures and dates, such as "over 100" and "in March 2024"."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cogwork.core.offline.desk import CannotError
from cogwork.core.offline.question import Skeleton, date_columns, is_key
from cogwork.core.offline.tables import figure

__all__ = ["Condition", "dates", "limits"]

_OWN = r"(?P<own>C\d+)"
_MORE = r"more|greater|larger|higher|bigger|older|later|longer|taller|heavier|warmer|hotter|richer|faster"
_LESS = r"less|fewer|smaller|lower|younger|earlier|shorter|lighter|colder|cheaper|slower"
_OPERATORS = {
    ">=": r"(?:at least|no (?:less|fewer) than|not (?:less|fewer) than|>=|≥)",
    "<=": r"(?:at most|no more than|not more than|up to|<=|≤)",
    ">": rf"(?:over|above|exceeding|exceeds?|>|(?:{_MORE}) than)",
    "<": rf"(?:under|below|<|(?:{_LESS}) than)",
    "!=": r"(?:is not|are not|was not|not|!=|<>|other than)",
    "=": r"(?:exactly|equals|equal to|equal|==?|is|are|was|were|of|aged)",
}
_SWAPPED = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "=": "!=", "!=": "="}
_BINDS = r"(?: (?:is|are|was|were|be|that|which|with|a|an|of|the|who))*"
SPOKEN = {
    ">": "is over", "<": "is under", ">=": "is at least", "<=": "is at most", "=": "is",
    "!=": "is not",
}  # fmt: skip
_IMPLIED = {
    "older": "age", "younger": "age", "aged": "age", "warmer": "temp", "hotter": "temp",
    "colder": "temp", "taller": "height", "heavier": "weight", "cheaper": "price",
}  # fmt: skip
_WHEN = {
    ">=": r"(?:since|from|starting)", "<=": r"(?:until|till|up to|through)", ">": r"after",
    "<": r"before", "=": r"(?:in|for|of|during|on|from the|is|from)",
}  # fmt: skip
_ASKED = re.compile(
    r" (?:totals?|sum|mean|averages?|avg|median|how many)(?: (?:of|the|all))*$"
)  # before a column


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a column, in words and as a test of a cell."""

    column: int
    said: str
    holds: Callable[[str], bool]
    cells: tuple[str, ...] = ()


def dates(skeleton: Skeleton) -> list[Condition]:
    """Take "in March 2024", "before 2024" and "between 2024-01-01 and 2024-03-05"."""
    table, found = skeleton.table, []
    columns = date_columns(table)
    years = [c for c in table.numeric if table.header[c].lower() == "year"]
    if years and not columns:
        return _years(skeleton, years[0])
    when = r"(?P<{}>D\d+|N\d+)"
    between = rf" (?:{_OWN} (?:is |was |were )?)?(?:between|from) {when.format('low')} (?:and|to|until|till) {when.format('high')}(?= )"
    if match := re.search(between, skeleton.text):
        low, high = _date(skeleton, match["low"]), _date(skeleton, match["high"])
        if low[:2] == "--" and high[:4].isdigit():
            low = high[:4] + low[1:]
        if (column := _dated(match["own"], columns)) is not None and low and high and low[0] != "-":
            skeleton.take(match, _kept(match, columns))
            found += [
                _when(column, ">=", low),
                _when(column, "<=", high),
            ]
    for sign, said in _WHEN.items():
        pattern = rf" (?:{_OWN} (?:is |was |were )?)?(?P<not>not )?{said}(?: the)?(?: month| year)?(?: of)? {when.format('date')}(?= )"
        while match := re.search(pattern, skeleton.text):
            date, column = _date(skeleton, match["date"]), _dated(match["own"], columns)
            if column is None or not date or (date[0] == "-" and sign != "="):
                break
            skeleton.take(match, _kept(match, columns))
            found.append(_when(column, _SWAPPED[sign] if match["not"] else sign, date))
    return found


def _kept(match: re.Match[str], columns: list[int]) -> str:
    """Return what stays of a piece: a column that is asked for, not limited."""
    own = match["own"]
    return f" {own} | " if own and int(own[1:]) not in columns else " | "


def _dated(own: str | None, columns: list[int]) -> int | None:
    if own and int(own[1:]) in columns:
        return int(own[1:])
    return columns[0] if len(columns) == 1 else None


def _date(skeleton: Skeleton, symbol: str) -> str:
    """Return the date that a symbol stands for; a number is one if it is a year."""
    if symbol[0] == "D":
        return skeleton.dates[int(symbol[1:])]
    number = skeleton.numbers[int(symbol[1:])]
    return number if re.fullmatch(r"[12]\d{3}", number) else ""


def _when(column: int, sign: str, date: str) -> Condition:
    def holds(cell: str) -> bool:
        if date.startswith("--"):
            return (cell[4:7] == date[1:4]) is (sign == "=") and bool(cell)
        return bool(cell) and _COMPARED[sign](cell[: len(date)], date)

    said = {"=": "is in", "!=": "is not in", ">": "is after", "<": "is before"}.get(
        sign, SPOKEN[sign]
    )
    shown = f"month {date[2:4]}" if date.startswith("--") else date
    return Condition(column, f"{said} {shown}", holds)


def _years(skeleton: Skeleton, column: int) -> list[Condition]:
    """Take years where the table has a column of years."""
    found: list[Condition] = []
    if match := re.search(r" (?:between|from) (N\d+) (?:and|to|until) (N\d+)(?= )", skeleton.text):
        low, high = _date(skeleton, match[1]), _date(skeleton, match[2])
        if low and high:
            skeleton.take(match)
            found += [
                _limit(column, ">=", low),
                _limit(column, "<=", high),
            ]
    for sign, said in _WHEN.items():
        pattern = rf" (?:C{column} (?:is |was )?)?(?P<not>not )?{said}(?: the)?(?: year| C{column})? (N\d+)(?= )"
        for match in reversed(list(re.finditer(pattern, skeleton.text))):
            if year := _date(skeleton, match[2]):
                skeleton.take(match)
                found.append(_limit(column, _SWAPPED[sign] if match["not"] else sign, year))
    return found


_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le, "=": operator.eq,
    "!=": operator.ne,
}  # fmt: skip


def _limit(column: int, sign: str, bound: str) -> Condition:
    def holds(cell: str) -> bool:
        digits = figure(cell)
        return digits is not None and _COMPARED[sign](float(digits), float(bound))

    return Condition(column, f"{SPOKEN[sign]} {bound}", holds)


def limits(skeleton: Skeleton) -> list[Condition]:
    """Take "amount is over 100", "more than 20 units" and "between 30 and 40"."""
    found: list[Condition] = []
    own = rf"(?: (?P<before>C\d+){_BINDS})?"
    after = r"(?:(?: in)? (?P<after>C\d+))?(?= )"
    between = re.compile(rf"{own} between (?P<low>N\d+) and (?P<high>N\d+){after}")
    while match := between.search(skeleton.text):
        column = _limited(skeleton, match)
        low, high = (skeleton.numbers[int(match[name][1:])] for name in ("low", "high"))
        _close(skeleton, match, column)
        found += [
            _limit(column, ">=", low),
            _limit(column, "<=", high),
        ]
    for sign, said in _OPERATORS.items():
        pattern = re.compile(
            rf"{own} (?P<not>not )?(?P<said>{said})(?: the| a)* (?P<n>N\d+)(?P<or> or (?:more|less|fewer|N\d+))?{after}"
        )
        while match := _first_limit(pattern, skeleton, sign):
            column = _limited(skeleton, match)
            _close(skeleton, match, column)
            chosen = _SWAPPED[sign] if match["not"] else sign
            found.append(_bounded(skeleton, match, column, chosen))
    plain = re.compile(r" (?P<before>C\d+) (?P<n>N\d+)(?= )")
    while match := plain.search(skeleton.text):
        column = int(match["before"][1:])
        if column not in skeleton.table.numeric:
            break
        skeleton.take(match)
        found.append(_limit(column, "=", skeleton.numbers[int(match["n"][1:])]))
    return found


def _bounded(skeleton: Skeleton, match: re.Match[str], column: int, sign: str) -> Condition:
    bound = skeleton.numbers[int(match["n"][1:])]
    either = (match["or"] or "").removeprefix(" or ")
    if not either:
        return _limit(column, sign, bound)
    if sign != "=":
        raise CannotError(
            f"I don't see what “or {skeleton.told.get(either, either)}” is to mean here"
        )
    if either[0] != "N":
        return _limit(column, ">=" if either == "more" else "<=", bound)
    bounds = (bound, skeleton.numbers[int(either[1:])])
    tests = [_limit(column, "=", each) for each in bounds]
    said = f"is {bounds[0]} or {bounds[1]}"
    return Condition(column, said, lambda cell: any(t.holds(cell) for t in tests))


def _first_limit(pattern: re.Pattern[str], skeleton: Skeleton, sign: str) -> re.Match[str] | None:
    """Return the first limit; "of 5" and "is 5" are some only beside a column of figures."""
    for match in pattern.finditer(skeleton.text):
        beside = match["before"] or match["after"]
        numeric = beside and int(beside[1:]) in skeleton.table.numeric
        if sign not in {"=", "!="} or numeric or "aged" in match["said"]:
            return match
    return None


def _close(skeleton: Skeleton, match: re.Match[str], column: int) -> None:
    """Take a limit out; a column stays that is asked for: "the total of amount over 60"."""
    stays = [m for m in (match["before"], match["after"]) if m and m != f"C{column}"]
    if match["before"] == f"C{column}" and _ASKED.search(skeleton.text[: match.start()]):
        stays.append(f"C{column}")
    skeleton.take(match, f" {' '.join(stays)} | ")


def _limited(skeleton: Skeleton, match: re.Match[str]) -> int:
    """Return the column of figures that a limit is on."""
    table = skeleton.table
    for name in ("before", "after"):
        if match[name] and int(match[name][1:]) in table.numeric:
            return int(match[name][1:])
    said = match["said"] if "said" in match.re.groupindex else ""
    for word, column in _IMPLIED.items():
        named = [c for c in table.numeric if column in re.split(r"[\W_]+", table.header[c].lower())]
        if word in said and named:
            return named[0]
    plain = [c for c in table.numeric if not is_key(table, c)]
    general = not re.search(r"older|younger|aged|warmer|hotter|colder|taller|heavier|cheaper", said)
    if len(plain) == 1 and general:
        return plain[0]
    raise CannotError(
        f"I don't see which column is meant by “{said or 'between'}”; there are {', '.join(table.header)}"
    )
