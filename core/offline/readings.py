"""Readings: what a table says to a query, read off or as sums for a calculator."""

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from cogwork.core.offline.conditions import verdict_columns
from cogwork.core.offline.desk import CannotError
from cogwork.core.offline.figures import COMPARISONS, Figure, Reading, numbers_of, scope_of
from cogwork.core.offline.queries import Query
from cogwork.core.offline.tables import Table, figure

__all__ = ["Figure", "Reading", "consult"]

_NOUNS = {
    "sum": "total", "mean": "mean", "median": "median", "max": "highest", "min": "lowest",
    "stdev": "standard deviation",
}  # fmt: skip
_PLAIN = {"sum": "{}", "mean": "({}) / {n}"}  # for calculators that know no functions


def consult(query: Query, table: Table, source: str = "") -> Reading | None:
    """Return what `table` says to `query`, or `None` if the query is no question to it.

    Args:
        query: What is asked.
        table: Where to look.
        source: The name of the table in answers, such as its file's.

    Raises:
        CannotError: No row or no column fits.
    """
    place = f" in {source}" if source else ""
    if query.checks:
        return _check(query, table, place)
    counts = query.measures and {name for name, _ in query.measures} == {"count"}
    if not query.selection.rows and not counts:
        scope = query.selection.scope
        raise CannotError(f"no row{place} has {scope}" if scope else f"there is no row{place}")
    if query.compares:
        return COMPARISONS[query.compares](query, table, place)
    if query.picks:
        return (
            _best_group(query, table, place)
            if query.group is not None
            else _pick(query, table, place)
        )
    if query.measures:
        return (
            _per_group(query, table, place)
            if query.group is not None
            else _aggregate(query, table, place)
        )
    return _lookup(query, table, place)


def _figure(
    measure: str, columns: Sequence[int], table: Table, rows: Sequence[int], where: str
) -> Figure:
    of = " times ".join(table.header[column] for column in columns) + where
    numbers = numbers_of(columns, table, rows)
    if not numbers:
        raise CannotError(f"there is no figure for the {_NOUNS[measure]} of {of}")
    if measure == "stdev" and len(numbers) == 1:
        raise CannotError(f"one figure of {of} has no standard deviation")
    noun = of if len(rows) == 1 and measure == "sum" else f"{_NOUNS[measure]} of {of}"
    left_out = "" if len(numbers) == len(rows) else " Rows without a figure are left out."
    sentence = f"The {noun} is {{}}.{left_out}"
    cells = [table.rows[row][columns[0]] for row in rows] if len(columns) == 1 else []
    if len(numbers) == 1:
        seen = next((cell for cell in cells if figure(cell)), "")
        return Figure(sentence, "" if seen else numbers[0], seen=seen)
    plain = _PLAIN.get(measure, "").format(" + ".join(numbers), n=len(numbers))
    extreme = {"max": max, "min": min}.get(measure)
    seen = extreme(filter(figure, cells), key=_size) if extreme and cells else ""
    return Figure(sentence, f"{measure}({', '.join(numbers)})", plain, seen)


def _size(cell: str) -> Decimal:
    return Decimal(figure(cell) or 0)


def _count(size: int, of: str) -> Figure:
    ones = ["1"] * size or ["0"]
    return Figure(f"The number of {of} is {{}}.", f"sum({', '.join(ones)})", " + ".join(ones))


def _aggregate(query: Query, table: Table, place: str) -> Reading:
    where, rows = scope_of(query, place), query.selection.rows
    figures = []
    for measure, column in query.measures:
        if measure != "count":
            columns = query.columns[:2] if query.multiplied else (column,)
            figures.append(_figure(measure, columns, table, rows, where))
        elif column < 0:
            figures.append(_count(len(rows), f"rows{where}"))
        else:
            limited = any(c in table.numeric for c in query.selection.columns)
            if limited and len(table.distinct(column)) < len(table.rows):
                raise CannotError(
                    f"several rows have the same {table.header[column]}, and I don't see whether each "
                    "of them or their total is meant"
                )
            cells = {table.rows[row][column] for row in rows} - {""}
            figures.append(_count(len(cells), f"different values of {table.header[column]}{where}"))
    return Reading(figures=tuple(figures))


def _per_group(query: Query, table: Table, place: str, by: int | None = None) -> Reading:
    by = query.group if by is None else by
    if len(query.measures) != 1 or by is None:
        raise CannotError("I can only give one figure for each group")
    measure, column = query.measures[0]
    groups: dict[str, list[int]] = {}
    for row in query.selection.rows:
        groups.setdefault(table.rows[row][by] or "(empty)", []).append(row)
    columns = query.columns[:2] if query.multiplied else (column,)
    figures = []
    for label, rows in groups.items():
        if measure == "count" and column >= 0:
            raise CannotError("I can only count the rows of each group")
        made = (
            _count(len(rows), "")
            if measure == "count"
            else _figure(measure, columns, table, rows, "")
        )
        figures.append(replace(made, sentence=f"{label}: {{}}", label=label))
    noun = (
        "number of rows"
        if measure == "count"
        else f"{_NOUNS[measure]} of " + " times ".join(table.header[c] for c in columns)
    )
    return Reading(
        f"The {noun} by {table.header[by]}{scope_of(query, place)}: ", "", tuple(figures)
    )


def _best_group(query: Query, table: Table, place: str) -> Reading:
    """The group with the highest total: its figures have to be computed first."""
    if query.label not in query.texts and query.group == -1:
        raise CannotError("I don't see which groups are meant")
    made = _per_group(query, table, place, query.label if query.group == -1 else query.group)
    noun = made.sentence.partition(" by ")[0].removeprefix("The ")
    said = f"the {_NOUNS[query.picks]} {noun}{scope_of(query, place)}"
    return Reading(said, "", made.figures, query.picks)


def _pick(query: Query, table: Table, place: str) -> Reading:
    if len(query.columns) != 1:
        raise CannotError(f"I don't see by which column; there are {', '.join(table.header)}")
    column, label, end = query.columns[0], query.label, _NOUNS[query.picks]
    name, where = table.header[column], scope_of(query, place)
    known = [row for row in query.selection.rows if figure(table.rows[row][column]) is not None]
    ordered = sorted(
        known, key=lambda r: _size(table.rows[r][column]), reverse=query.picks == "max"
    )
    cells = [table.rows[row][column] for row in ordered]
    if not ordered:
        raise CannotError(f"there is no figure in {name}{where}")
    if query.top > 1:
        last = _size(cells[min(query.top, len(cells)) - 1])
        shown = [
            row
            for row in ordered
            if (_size(table.rows[row][column]) - last) * (1 if query.picks == "max" else -1) >= 0
        ]
        lines = [f"{table.rows[r][label]} ({table.rows[r][column]})" for r in shown]
        return Reading(f"By {end} {name}{where}: {', '.join(lines)}.", "\n".join(lines))
    place_in_order = -query.top - 1 if query.top < 0 else 0
    sizes = [_size(cell) for cell in cells]
    if place_in_order >= len(sizes) or (
        place_in_order and len(set(sizes[: place_in_order + 1])) <= place_in_order
    ):
        raise CannotError(f"there is no single row at that place by {name}{where}")
    best = sizes[place_in_order]
    names = list(
        dict.fromkeys(table.rows[r][label] for r in ordered if _size(table.rows[r][column]) == best)
    )
    rows = [table.rows[row][label] for row in query.selection.rows]
    single = " of a single row" if len(set(rows)) < len(rows) else ""
    rank = {-2: "second ", -3: "third "}.get(query.top, "")
    who, verb = " and ".join(names), "have" if len(names) > 1 else "has"
    return Reading(
        f"{who} {verb} the {rank}{end} {name}{single}{where}: {cells[place_in_order]}.", who
    )


def _check(query: Query, table: Table, place: str) -> Reading:
    """Answer "did Cara pass" by the cell that says it, "is Oslo in it" by whether it is."""
    known = verdict_columns(table)
    rows = query.selection.rows
    if len(query.texts) == 1 and query.texts[0] in known and rows:
        column = query.texts[0]
        cells = {table.rows[row][column] for row in rows}
        if len(cells) > 1:
            raise CannotError(
                f"{table.header[column]} is yes for some rows{scope_of(query, place)} and no for others"
            )
        cell = cells.pop()
        verdict = "yes" if cell == known[column][0] else "no"
        said = f"the {table.header[column]}{scope_of(query, place)} is {cell}"
        return Reading(f"{verdict.capitalize()}: {said}.", verdict)
    if query.texts or query.columns or not query.selection.scope:
        raise CannotError("I don't see what is to be checked")
    sentence = f"{'Yes: there is a' if rows else 'No: there is no'} row{place} where {query.selection.scope}."
    return Reading(sentence, "yes" if rows else "no")


def _lookup(query: Query, table: Table, place: str) -> Reading | None:
    rows = query.selection.rows
    taken = query.selection.columns
    wanted = [c for c in (*query.columns, *query.texts) if c not in taken or c not in table.numeric]
    if query.group is not None:
        raise CannotError("I don't see what is asked of each group")
    if not query.selection.scope:
        if len(wanted) != 1:
            return _list(query, table, place, wanted) if wanted else None
        cells = [row[wanted[0]] for row in table.rows if row[wanted[0]]]
        values = cells if wanted[0] in table.numeric else table.distinct(wanted[0])
        return Reading(f"{table.header[wanted[0]]}{place}: {', '.join(values)}.", "\n".join(values))
    if not wanted and query.names:
        wanted = [query.label]
    _refuse_denied(query, table)
    if not wanted:
        names = range(len(table.header))
        lines = [", ".join(f"{table.header[c]} {table.rows[r][c]}" for c in names) for r in rows]
        return Reading("; ".join(lines) + ".", "\n".join(lines))
    if len(rows) == 1 and not query.names:
        row = table.rows[rows[0]]
        if empty := [table.header[c] for c in wanted if not row[c]]:
            raise CannotError(f"there is no {' and no '.join(empty)}{scope_of(query, place)}")
        said = [f"The {table.header[c]}{scope_of(query, place)} is {row[c]}." for c in wanted]
        return Reading(" ".join(said), ", ".join(row[c] for c in wanted))
    return _list(query, table, place, wanted)


def _refuse_denied(query: Query, table: Table) -> None:
    """Refuse names by what their rows are not, where a name has several rows."""
    denied = any(re.match("is (?:not|neither|empty)", c.said) for c in query.selection.conditions)
    if query.names and denied and len(table.distinct(query.label)) < len(table.rows):
        raise CannotError(
            f"several rows have the same {table.header[query.label]}, and I don't see whether none of "
            "them or only some are meant"
        )


def _list(query: Query, table: Table, place: str, wanted: list[int]) -> Reading:
    """Name the rows, each with the columns that are wanted of it."""
    others = [column for column in wanted if column != query.label]
    shown = []
    for row in query.selection.rows:
        cells = ", ".join(table.rows[row][column] or "(empty)" for column in others)
        shown.append(f"{table.rows[row][query.label]} {cells}".strip())
    shown = list(dict.fromkeys(shown))
    head = ", ".join(table.header[column] for column in others or wanted)
    limits = (
        place if query.selection.columns == {query.label} and others else scope_of(query, place)
    )
    return Reading(f"{head}{limits}: {'; '.join(shown)}.", "\n".join(shown))
