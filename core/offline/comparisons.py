"""Comparisons: differences, ratios and shares of what stands in a table."""

import re

from cogwork.core.offline.figures import Figure, Reading, about, column_of, numbers_of, where
from cogwork.core.offline.queries import Query
from cogwork.core.offline.results import CannotError
from cogwork.core.offline.tables import Table, figure

__all__ = ["difference", "ratio", "share"]


def _two(query: Query, table: Table) -> tuple[list[str], list[str]] | None:
    """Return names and figures of the two rows that are compared, in the question's order."""
    if not query.columns:
        return None
    names, numbers = [], []
    for value in dict.fromkeys(query.selection.named):
        rows = [row for row in query.selection.rows if value in table.rows[row]]
        found = numbers_of(query, table, rows)
        if len(found) == 1:
            names.append(value)
            numbers.append(found[0])
    if len(numbers) == 2:
        return names, numbers
    if len(query.selection.rows) == 2:
        rows = list(query.selection.rows)
        names = [table.rows[row][query.label] for row in rows]
        found = numbers_of(query, table, rows)
        return (names, found) if len(found) == 2 else None
    return None


def difference(query: Query, table: Table, place: str) -> Reading:
    """Two rows apart, or the highest and the lowest."""
    name = column_of(query, table)
    if two := _two(query, table):
        (one, other), (a, b) = two
        high, low = (a, b) if float(a) >= float(b) else (b, a)
        sentence = f"The difference in {name} between {one} and {other}{place} is {{}}."
        return Reading(figures=(Figure(sentence, f"{high} - {_signed(low)}"),))
    if len(query.columns) > 1 and len(query.selection.rows) == 1:
        return _two_columns(query, table, place)
    numbers = numbers_of(query, table, query.selection.rows)
    if {"max", "min"} <= set(query.measures) and numbers:
        both = f"the highest and the lowest {name}{where(query, place)}"
        sentence = f"The difference between {both} is {{}}."
        listed = ", ".join(numbers)
        return Reading(figures=(Figure(sentence, f"max({listed}) - min({listed})"),))
    raise CannotError(f"I don't see which two rows{place} are to be compared")


def _two_columns(query: Query, table: Table, place: str) -> Reading:
    row = table.rows[query.selection.rows[0]]
    first, second = (figure(row[column]) or "0" for column in query.columns[:2])
    high, low = (first, second) if float(first) >= float(second) else (second, first)
    names = " and ".join(table.header[column] for column in query.columns[:2])
    sentence = f"The difference between {names}{where(query, place)} is {{}}."
    return Reading(figures=(Figure(sentence, f"{high} - {_signed(low)}"),))


def ratio(query: Query, table: Table, place: str) -> Reading:
    """One row by another, or one column by another in a row."""
    name = column_of(query, table)
    if len(query.columns) > 1 and len(query.selection.rows) == 1:
        parts = [figure(table.rows[query.selection.rows[0]][c]) or "" for c in query.columns[:2]]
        names = [table.header[c] for c in query.columns[:2]]
        sentence = f"The ratio of {names[0]} to {names[1]}{where(query, place)} is {{}}."
        return Reading(figures=(Figure(sentence, f"{parts[0]} / {_signed(parts[1])}"),))
    two = _two(query, table)
    if not two:
        raise CannotError(f"I don't see which two rows{place} are to be compared")
    (one, other), (a, b) = two
    sentence = f"The ratio of {one} to {other} in {name}{place} is {{}}."
    return Reading(figures=(Figure(sentence, f"{a} / {_signed(b)}"),))


def share(query: Query, table: Table, place: str) -> Reading:
    """A part of the whole: of one column by rows, or of one column by another, or of the rows."""
    if not query.columns and query.selection.scope:
        return _share_of_rows(query, table, place)
    name = column_of(query, table)
    limits = where(query, place)
    if len(query.columns) > 1:
        whole, part = query.columns[0], query.columns[1]
        sums = [numbers_of(about(query, c), table, query.selection.rows) for c in (part, whole)]
        sentence = f"{table.header[part]} is {{}} % of {table.header[whole]}{limits}."
    else:
        sums = [
            numbers_of(query, table, query.selection.rows),
            numbers_of(query, table, range(len(table.rows))),
        ]
        sentence = f"The share of the total {name}{limits} is {{}} %."
    if not all(sums) or (len(query.columns) == 1 and len(sums[0]) == len(sums[1])):
        raise CannotError(f"I don't see which part of {name}{place} is meant")
    parts = [f"sum({', '.join(s)})" if len(s) > 1 else s[0] for s in sums]
    return Reading(figures=(Figure(sentence, f"{parts[0]} / {_signed(parts[1])} * 100"),))


def _share_of_rows(query: Query, table: Table, place: str) -> Reading:
    counts = [", ".join(["1"] * size) for size in (len(query.selection.rows), len(table.rows))]
    sentence = f"The share of rows{where(query, place)} is {{}} %."
    return Reading(figures=(Figure(sentence, f"sum({counts[0]}) / sum({counts[1]}) * 100"),))


def _signed(number: str) -> str:
    return f"({number})" if re.search(r"^-|^[^(]* ", number) else number
