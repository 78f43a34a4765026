"""Figures: what a calculator is to find from the numbers of a table, and figures compared."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from cogwork.core.offline.desk import CannotError
from cogwork.core.offline.queries import Query
from cogwork.core.offline.tables import Table, figure

__all__ = ["COMPARISONS", "Figure", "Reading", "numbers_of", "scope_of"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that is asked for.

    Attributes:
        sentence: What is said of it, with `{}` in its place.
        expression: The sum that gives it, from numbers of the table only; empty where
            the figure stands in the table.
        plain: The same sum with signs only, for a calculator that knows no functions.
        seen: The figure as it stands in the table, where it does.
        label: The group it belongs to.
    """

    sentence: str
    expression: str
    plain: str = ""
    seen: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a table says: figures to be computed, or `sentence` and `value` read off.

    `extreme` ("max" or "min") asks for the groups with that figure.
    """

    sentence: str = ""
    value: str = ""
    figures: tuple[Figure, ...] = ()
    extreme: str = ""


def scope_of(query: Query, place: str) -> str:
    """Return the words for where figures stand: the source and the conditions."""
    return f"{place} where {query.selection.scope}" if query.selection.scope else place


def numbers_of(columns: Sequence[int], table: Table, rows: Sequence[int]) -> list[str]:
    """Return the figures of a column, or the products of several, as written in a sum."""
    found = []
    for row in rows:
        parts = [figure(table.rows[row][column]) for column in columns]
        if all(part is not None for part in parts):
            found.append(" * ".join(part for part in parts if part is not None))
    return found


def _signed(number: str) -> str:
    return f"({number})" if re.search(r"^-|^[^(]* ", number) else number


def _two(query: Query, table: Table, place: str) -> tuple[list[str], list[str]]:
    """Return the names and figures of two rows, two totals or two columns that are compared."""
    rows = query.selection.rows
    if len(query.columns) == 2 and len(rows) == 1:
        parts = [numbers_of((column,), table, rows) for column in query.columns]
        if all(parts):
            return [table.header[c] for c in query.columns], [part[0] for part in parts]
    compared = query.selection.compared
    if compared is None or len(compared[1]) != 2 or len(query.columns) != 1:
        raise CannotError(f"I don't see which two rows{place} are to be compared")
    figures = []
    totals = query.measures == (("sum", query.columns[0]),)
    for cell in compared[1]:
        own = numbers_of(
            query.columns, table, [r for r in rows if table.rows[r][compared[0]] == cell]
        )
        if not own or (len(own) > 1 and not totals):
            raise CannotError(
                f"there {'are several rows' if own else 'is no row'}{place} for {cell}; ask for the total"
            )
        figures.append(own[0] if len(own) == 1 else f"sum({', '.join(own)})")
    return list(compared[1]), figures


def _difference(query: Query, table: Table, place: str) -> Reading:
    """Two rows apart, or the highest and the lowest."""
    ends = {name for name, _ in query.measures}
    if ends == {"max", "min"} and len(query.columns) == 1:
        column, where = query.columns[0], scope_of(query, place)
        listed = ", ".join(numbers_of((column,), table, query.selection.rows))
        sentence = f"The difference between the highest and the lowest {table.header[column]}{where} is {{}}."
        return Reading(figures=(Figure(sentence, f"max({listed}) - min({listed})"),))
    names, figures = _two(query, table, place)
    worth = [sum(map(Decimal, re.findall(r"-?\d+(?:\.\d+)?", text))) for text in figures]
    high, low = figures if worth[0] >= worth[1] else figures[::-1]
    of = f" in {table.header[query.columns[0]]}" if len(query.columns) == 1 else ""
    others = [c for c in query.selection.conditions if len(c.cells) != 2]
    limits = "".join(f" where {table.header[c.column]} {c.said}" for c in others)
    if worth[0] == worth[1]:
        limits += " (they are equal)"
    else:
        limits += f" ({names[0] if worth[0] > worth[1] else names[1]} is higher)"
    sentence = f"The difference{of} between {names[0]} and {names[1]}{place}{limits} is {{}}."
    return Reading(figures=(Figure(sentence, f"{high} - {_signed(low)}"),))


def _ratio(query: Query, table: Table, place: str) -> Reading:
    """One row by another, or one column by another in a row."""
    names, figures = _two(query, table, place)
    of = f" in {table.header[query.columns[0]]}" if len(query.columns) == 1 else ""
    sentence = f"The ratio of {names[0]} to {names[1]}{of}{place} is {{}}."
    return Reading(figures=(Figure(sentence, f"{figures[0]} / {_signed(figures[1])}"),))


def _share(query: Query, table: Table, place: str) -> Reading:
    """A part of the whole: of one column by rows, or of one column by another, or of the rows."""
    where, rows, conditions = (
        scope_of(query, place),
        query.selection.rows,
        query.selection.conditions,
    )
    every = range(len(table.rows))
    if query.measures or query.group is not None or query.texts:
        raise CannotError("I don't see of what the share is meant")
    if len(query.columns) > 1:
        whole, part = query.columns[:2]
        parts = [numbers_of((column,), table, rows) for column in (part, whole)]
        sentence = f"{table.header[part]} is {{}} % of {table.header[whole]}{where}."
    elif len(conditions) != 1:
        raise CannotError(f"I don't see which part{place} is meant")
    elif not query.columns:
        parts = [["1"] * len(rows), ["1"] * len(table.rows)]
        sentence = f"The share of rows{where} is {{}} %."
    else:
        parts = [numbers_of(query.columns, table, picked) for picked in (rows, every)]
        sentence = f"The share of the total {table.header[query.columns[0]]}{where} is {{}} %."
    if not all(parts):
        raise CannotError(f"there are no figures for a share{where}")
    sums = [f"sum({', '.join(part)})" if len(part) > 1 else part[0] for part in parts]
    return Reading(figures=(Figure(sentence, f"{sums[0]} / {_signed(sums[1])} * 100"),))


COMPARISONS = {"share": _share, "ratio": _ratio, "difference": _difference}
