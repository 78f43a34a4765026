"""Figures: what a calculator is to find from the numbers of a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from cogwork.core.offline.queries import Query
from cogwork.core.offline.results import CannotError
from cogwork.core.offline.tables import Table, figure

__all__ = ["Figure", "Reading", "about", "column_of", "numbers_of", "where"]


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

    `extreme` ("max" or "min") asks for the group with that figure.
    """

    sentence: str = ""
    value: str = ""
    figures: tuple[Figure, ...] = ()
    extreme: str = ""


def numbers_of(query: Query, table: Table, rows: Sequence[int]) -> list[str]:
    """Return the figures of the query's column, or its products, as written in a sum."""
    columns = query.columns if query.multiplied else query.columns[:1]
    found = []
    for row in rows:
        parts = [figure(table.rows[row][column]) for column in columns]
        if all(part is not None for part in parts):
            found.append(" * ".join(part for part in parts if part is not None))
    return found


def column_of(query: Query, table: Table) -> str:
    """Return the name of the column that is asked about.

    Raises:
        CannotError: None is.
    """
    if not query.columns:
        raise CannotError(f"I don't see which column is meant; there are {', '.join(table.header)}")
    return " times ".join(table.header[c] for c in query.columns[: 2 if query.multiplied else 1])


def where(query: Query, place: str) -> str:
    """Return the words for where the figures stand: the source and the conditions."""
    return f"{place} where {query.selection.scope}" if query.selection.scope else place


def about(query: Query, column: int) -> Query:
    """Return the query about one column only."""
    return Query(query.measures, (column,), query.label, query.selection)
