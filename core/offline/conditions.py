"""Conditions: which rows of a table a question is about; each is taken out of the skeleton."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cogwork.core.offline.desk import CannotError
from cogwork.core.offline.limits import Condition, dates, limits
from cogwork.core.offline.question import Skeleton, date_columns
from cogwork.core.offline.tables import Table
from cogwork.core.offline.words import word_set

__all__ = ["Condition", "Selection", "select", "verdict_columns"]

_GAP = (
    r"(?: (?:in|from|the|for|of|a|an|at|on|to|live|living|come|located|be|is|are|was|were|equal|equals|=|do"
    r"|does|did|have|has|had|rows|sold|with))*"
)
_NOT = r"(?:not|non|no|except|excluding|without|apart from|other than|neither|but|!=|<>|do not)"
_LIST = r"V\d+(?:(?: (?:and|or|nor|,))?(?: the| in| from| for| of| a)* V\d+)*"
_VALUES = re.compile(
    rf" (?P<not>(?:but |is |are )?{_NOT}(?: not)?{_GAP} (?:(?P<c>C\d+)(?: is)? )?)?(?P<list>{_LIST})(?= )"
)
_TIES = r"(?: (?:is|are|was|were|=|equals|equal to|==|of|in|on|a|an|the))*"
_YES, _NO = word_set("yes true y"), word_set("no false n")
_COUNTS = {"first": 0, "second": 1, "third": 2, "last": -1}
_ROW = re.compile(
    r" (?P<which>first|second|third|last)(?: (?P<n>N\d+|two|three|four|five))? rows(?= )"
)
_SMALL = {"two": 2, "three": 3, "four": 4, "five": 5}


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows that a question is about, the words for that, and the conditions."""

    rows: tuple[int, ...]
    scope: str
    conditions: tuple[Condition, ...]

    @property
    def columns(self) -> frozenset[int]:
        """The columns that the conditions are on."""
        return frozenset(condition.column for condition in self.conditions)

    @property
    def compared(self) -> tuple[int, tuple[str, ...]] | None:
        """The column and the two or more cells that are set side by side, if there are."""
        found = [c for c in self.conditions if len(c.cells) > 1]
        return (found[0].column, found[0].cells) if len(found) == 1 else None


def select(skeleton: Skeleton) -> Selection:
    """Take the conditions out of a question's skeleton and return the rows they leave.

    Raises:
        CannotError: It is not clear what a condition is on.
    """
    table = skeleton.table
    found = [*_empties(skeleton), *_spelled(skeleton), *dates(skeleton)]
    found += [*limits(skeleton), *_states(skeleton), *_values(skeleton)]
    position = _position(skeleton)
    keep = [
        index
        for index, row in enumerate(table.rows)
        if all(condition.holds(row[condition.column]) for condition in found)
    ]
    scopes = [f"{table.header[c.column]} {c.said}" for c in found]
    if position:
        if found:
            raise CannotError("I don't see whether rows are to be counted before or after the rest")
        keep = keep[position[0]]
        scopes = [position[1]]
    return Selection(tuple(keep), " and ".join(scopes), tuple(found))


def _position(skeleton: Skeleton) -> tuple[slice, str] | None:
    match = _ROW.search(skeleton.text)
    if not match:
        return None
    start, said = _COUNTS[match["which"]], match["n"] or "one"
    size = int(skeleton.numbers[int(said[1:])]) if said[0] == "N" else _SMALL.get(said, 1)
    if match["n"] and start in {1, 2}:
        return None
    skeleton.take(match)
    where = slice(-size, None) if start < 0 else slice(start, start + size)
    return (
        where,
        f"the row is {match['which']}"
        if size == 1
        else f"the row is one of the {match['which']} {size}",
    )


def _empties(skeleton: Skeleton) -> list[Condition]:
    """Take "without a salary", "has no salary", "not shipped", and "have a salary"."""
    found = []
    verdicts = verdict_columns(skeleton.table)
    dates = date_columns(skeleton.table)
    for pattern, empty in (
        (
            r" (?:without|with no|has no|have no|had no|not have|no)(?: an?| any)? C(\d+)(?= (?!V|N|D|is |over |under ))",
            True,
        ),
        (r" not C(\d+)(?= )", True),
        (
            r" (?:have|has|with) (?:an?|any) C(\d+)(?= (?:\||rows|in|are|is|there|has|\s*$)|\s*$)",
            False,
        ),
    ):
        for match in reversed(list(re.finditer(pattern, skeleton.text))):
            column = int(match[1])
            if column in verdicts or (pattern.startswith(" not") and column not in dates):
                continue
            if not empty and re.search(rf"C{column}\b", skeleton.text[: match.start()]):
                continue
            skeleton.take(match)
            said = "is empty" if empty else "is not empty"
            found.append(Condition(column, said, partial(_is_blank, empty)))
    return found


def _spelled(skeleton: Skeleton) -> list[Condition]:
    """Take "starts with N", "ends with x" and "contains 'x'"."""
    tests = {
        "start": ("starts with", str.startswith), "begin": ("starts with", str.startswith),
        "end": ("ends with", str.endswith), "contain": ("contains", str.__contains__),
    }  # fmt: skip
    found = []
    pattern = re.compile(
        r" (?P<own>C\d+)(?: that| which| is)* (?P<how>(?:start|begin|end)(?:s|ing)? with|contain(?:s|ing)?)"
        r"(?: an?(?= [a-zVQ]))?(?: the letter)? (?P<what>[a-z]+|Q\d+|V\d+)(?= )"
    )
    while match := pattern.search(skeleton.text):
        what = skeleton.told.get(match["what"], match["what"])
        said, test = next(value for key, value in tests.items() if match["how"].startswith(key))
        skeleton.take(match)
        holds = partial(_spells, test, what.lower())
        found.append(Condition(int(match["own"][1:]), f"{said} {what}", holds))
    return found


def _is_blank(wanted: object, cell: str) -> bool:
    return (not cell.strip()) is wanted


def _spells(test: Callable[[str, str], bool], what: str, cell: str) -> bool:
    return test(cell.lower(), what)


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


def _values(skeleton: Skeleton) -> list[Condition]:
    """Take the cells that the question names, those of one column together."""
    chosen = _columns_of_values(skeleton)
    wanted: dict[int, list[str]] = {}
    unwanted: dict[int, list[str]] = {}
    for match in list(_VALUES.finditer(skeleton.text)):
        symbols = re.findall(r"V\d+", match["list"])
        columns = {chosen[symbol][0] for symbol in symbols}
        if match["c"] and int(match["c"][1:]) not in columns:
            raise CannotError("I don't see what “not” belongs to")
        if len(columns) > 1 and (
            match["not"] or " or " in match["list"] or " nor " in match["list"]
        ):
            raise CannotError("I don't see how the conditions on several columns go together")
        both = re.search(r" both(?: [a-z]+)* $", skeleton.text[: match.start()] + " ")
        if both and len(symbols) > 1:
            raise CannotError("I don't see what “both” is to mean here")
        for symbol in symbols:
            column, cell = chosen[symbol]
            (unwanted if match["not"] else wanted).setdefault(column, []).append(cell)
    _consume_values(skeleton, {symbol: column for symbol, (column, _) in chosen.items()})
    found = [_is(column, cells) for column, cells in wanted.items()]
    return found + [_is_not(column, cells) for column, cells in unwanted.items()]


def _is(column: int, cells: list[str]) -> Condition:
    known = tuple(dict.fromkeys(cells))
    return Condition(column, f"is {' or '.join(known)}", lambda cell: cell in known, known)


def _is_not(column: int, cells: list[str]) -> Condition:
    known = tuple(dict.fromkeys(cells))
    said = f"is neither {' nor '.join(known)}" if len(known) > 1 else f"is not {known[0]}"
    return Condition(column, said, lambda cell: cell not in known)


def _consume_values(skeleton: Skeleton, columns: dict[str, int]) -> None:
    """Take the values out together with their columns' names and what joins them."""

    def put(match: re.Match[str]) -> str:
        own = match["c"] if match["not"] else None
        keeps = own and int(own[1:]) not in {columns[v] for v in re.findall(r"V\d+", match["list"])}
        return f" {own} | " if keeps else " | "

    for symbol, column in columns.items():
        skeleton.tidy(
            rf" (?:and )?C{column}{_TIES}(?= (?:{_NOT} |{_LIST[:4]}|not )*{symbol}\b)", " "
        )
        skeleton.tidy(rf"(?<= {symbol}) C{column}(?= )(?! (?:in|of|has|have|is|are)? ?C\d+ V)", "")
    skeleton.text = _VALUES.sub(put, skeleton.text)


def _columns_of_values(skeleton: Skeleton) -> dict[str, tuple[int, str]]:
    """Return which column each named cell is of; its name beside it decides, if several have it."""
    found: dict[str, tuple[int, str]] = {}
    for index, cells in enumerate(skeleton.values):
        symbol = f"V{index}"
        beside = re.search(
            rf"(?:C(\d+){_TIES}(?: not)?(?: V\d+ (?:or|and))* )?{symbol}\b(?: C(\d+))?",
            skeleton.text,
        )
        if beside is None:
            continue
        named = {int(group) for group in beside.groups() if group}
        own = [cell for cell in cells if cell[0] in named] or list(cells)
        exact = [cell for cell in own if cell[1] == skeleton.told[symbol]]
        if len({column for column, _ in own}) > 1:
            places = " and ".join(skeleton.table.header[column] for column, _ in own)
            raise CannotError(
                f"“{skeleton.told[symbol]}” stands in {places}, and I don't see which is meant"
            )
        found[symbol] = (exact or own)[0]
    return found


def _states(skeleton: Skeleton) -> list[Condition]:
    """Take conditions on columns of yes and no: "how many passed", "not paid"."""
    if re.match(r" (?:is|are|was|were|does|do|did|has|have) (?!.* not C)", skeleton.text):
        return []
    found = []
    for column, (yes, no) in verdict_columns(skeleton.table).items():
        cells = [f"V{i}" for i, known in enumerate(skeleton.values) if column in dict(known)]
        own = "|".join(cells) or "-"
        match = re.search(
            rf" (?P<not>(?:not|no|without)(?: been| be)? )?C{column}(?= )(?! (?:(?:is|=|was) )?(?:not )?(?:{own})\b)",
            skeleton.text,
        )
        group = re.search(rf" (?:per|by|each|every) C{column} ", skeleton.text)
        if (
            match
            and not group
            and not re.search(
                rf"(?:what|which)(?: is| are| was)?(?: the)? C{column} ", skeleton.text
            )
        ):
            cell = no if match["not"] else yes
            skeleton.take(match)
            found.append(_is(column, [cell]))
    return found
