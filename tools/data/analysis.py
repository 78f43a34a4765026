"""What a table says: pure functions from a polars table to rows.

Tukey (1977), Exploratory Data Analysis (fences at 1.5 interquartile ranges).
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cogwork.core.errors import ToolError
from cogwork.core.registry import nearest
from cogwork.tools.table import Rows

if TYPE_CHECKING:
    from polars import DataFrame, Series

__all__ = ["column_of", "correlate", "describe", "find_outliers", "fit_trend", "group", "numbers"]

_MOST = 200  # rows that an answer holds


def describe(table: "DataFrame") -> Rows:
    """Return a row for each column: type, values, missing ones, distinct ones, and spread."""
    names = ("column", "type", "values", "missing", "distinct", "min", "median", "max", "mean")
    rows = [_described(table[name]) for name in table.columns]
    return Rows.of((*names, "std", "most frequent"), rows, _MOST)


def _described(column: "Series") -> list[Any]:
    known = column.drop_nulls()
    row: list[Any] = [column.name, str(column.dtype), len(known), column.null_count()]
    if column.dtype.is_nested() or not len(known):
        return [*row, None, None, None, None, None, None, None]
    row += [known.n_unique(), _short(known.min()), None, _short(known.max()), None, None]
    if column.dtype.is_numeric():
        row[6], row[8:] = _short(known.median()), [_short(known.mean()), _short(known.std())]
    common = known.value_counts(sort=True).row(0)
    return [*row, f"{_short(common[0])} ({common[1]} times)" if common[1] > 1 else None]


def group(table: "DataFrame", by: Sequence[str], columns: Sequence[str] = ()) -> Rows:
    """Return, for each group, its size, and sum, mean, least and greatest of its numbers.

    Args:
        table: The table.
        by: The columns whose values make a group.
        columns: The numbers; all of them unless given.

    Raises:
        ToolError: There is no such column, or it has no numbers.
    """
    import polars as pl

    for name in by:
        column_of(table, name)
    if not by:
        raise ToolError("say by which columns the rows are grouped")
    chosen = [name for name in columns or _numeric(table) if name not in by]
    for name in chosen:
        numbers(table, name)
    asked = [
        each
        for name in chosen
        for each in (
            pl.col(name).sum().alias(f"sum of {name}"),
            pl.col(name).mean().alias(f"mean of {name}"),
            pl.col(name).min().alias(f"min of {name}"),
            pl.col(name).max().alias(f"max of {name}"),
        )
    ]
    found = table.group_by(list(by), maintain_order=True).agg(pl.len().alias("rows"), *asked)
    found = found.sort(["rows", *by], descending=[True, *[False] * len(by)], nulls_last=True)
    return Rows.of(found.columns, (list(map(_short, row)) for row in found.iter_rows()), _MOST)


def correlate(table: "DataFrame", columns: Sequence[str] = ()) -> Rows:
    """Return Pearson's r of each pair of columns, over the rows that have both, strongest first.

    Args:
        table: The table.
        columns: Two or more with numbers; all of them unless given.

    Raises:
        ToolError: There are fewer than two, or one has no numbers.
    """
    chosen = list(columns) or _numeric(table)
    if len(chosen) < 2:
        raise ToolError(
            f"a correlation needs two columns of numbers; there is {', '.join(chosen) or 'none'}"
        )
    found = [
        (one, other, *_pearson(table, one, other))
        for place, one in enumerate(chosen)
        for other in chosen[place + 1 :]
    ]
    found.sort(key=lambda each: -abs(each[2]) if each[2] is not None else 1.0)
    rows = [
        (one, other, "undefined: one of them does not vary" if r is None else f"{r:.4f}", n)
        for one, other, r, n in found
    ]
    return Rows.of(("column", "and", "r", "rows"), rows, _MOST)


def _pearson(table: "DataFrame", one: str, other: str) -> tuple[float | None, int]:
    import numpy as np

    pair = _finite(numbers(table, one), numbers(table, other))
    if pair.height < 2:
        return None, pair.height
    x, y = (_scaled(pair[name].to_numpy()) for name in ("x", "y"))
    if not np.ptp(x) or not np.ptp(y):
        return None, pair.height
    return float(np.corrcoef(x, y)[0, 1]), pair.height


def _scaled(values: Any) -> Any:
    """Numbers from -1 to 1, which no difference or square makes too large."""
    most = abs(values).max()
    return values / most if most else values


def fit_trend(table: "DataFrame", column: str, over: str | None = None) -> Rows:
    """Return the line of least squares through a column.

    Args:
        table: The table.
        column: The numbers.
        over: A column of numbers or dates; the number of the row unless given. Over dates the
            slope is per day.

    Raises:
        ToolError: There is no such column, or fewer than three different places.
    """
    import numpy as np
    import polars as pl

    y = numbers(table, column)
    x, unit = pl.Series(range(1, table.height + 1)), "row"
    if over is not None:
        place = column_of(table, over)
        unit = "day" if place.dtype.is_temporal() else over
        x = _days(place) if place.dtype.is_temporal() else numbers(table, over)
    pair = _finite(x, y)
    at, values = (pair[name].to_numpy().astype(float) for name in ("x", "y"))
    if len(np.unique(at)) < 3:
        raise ToolError(f"a trend of '{column}' needs three places or more; it has {len(at)} rows")
    slope, start = np.polyfit(at - at.min(), values, 1)
    left = values - (start + slope * (at - at.min()))
    whole = float(((values - values.mean()) ** 2).sum())
    explained = 1 - float((left**2).sum()) / whole if whole else 1.0
    flat = math.isclose(slope * np.ptp(at), 0.0, abs_tol=1e-9 * max(1.0, abs(values).max()))
    facts = {
        "direction": "flat" if flat else "rising" if slope > 0 else "falling",
        f"slope per {unit}": _short(float(slope)),
        "value at the start": _short(float(start)),
        "value at the end": _short(float(start + slope * np.ptp(at))),
        "r²": f"{explained:.4f}",
        "rows": len(values),
    }
    return Rows.of(("fact", "value"), list(facts.items()), _MOST)


def find_outliers(table: "DataFrame", column: str) -> Rows:
    """Return the rows beyond Tukey's fences, 1.5 interquartile ranges outside the quartiles.

    Args:
        table: The table.
        column: The numbers.

    Raises:
        ToolError: There is no such column, or it has no numbers.
    """
    import polars as pl

    values = numbers(table, column)
    known = values.drop_nulls()
    if not len(known):
        raise ToolError(f"the column '{column}' has no values")
    low, high = known.quantile(0.25, "linear"), known.quantile(0.75, "linear")
    assert low is not None and high is not None  # noqa: S101, PT018 - there are values
    reach = 1.5 * (high - low)
    beyond = (values < low - reach) | (values > high + reach)
    rows = table.with_row_index("row", offset=1).filter(beyond.fill_null(value=False))
    rows = rows.sort((pl.col(column) - (low + high) / 2).abs(), descending=True)
    found = Rows.of(rows.columns, (list(map(_short, row)) for row in rows.iter_rows()), _MOST)
    if found.rows:
        return found
    within = f"none: all are from {_short(low - reach)} to {_short(high + reach)}"
    return Rows.of(("outliers",), [(within,)], 1)


def column_of(table: "DataFrame", name: str) -> "Series":
    """Return a column.

    Raises:
        ToolError: There is none; the nearest names are offered.
    """
    if name not in table.columns:
        raise ToolError(f"there is no column '{name}'; {nearest(name, table.columns)}")
    return table[name]


def numbers(table: "DataFrame", name: str) -> "Series":
    """Return a column of numbers.

    Raises:
        ToolError: There is none, or it holds something else.
    """
    column = column_of(table, name)
    if not column.dtype.is_numeric():
        raise ToolError(
            f"the column '{name}' holds {column.dtype}, not numbers; columns of numbers: "
            f"{', '.join(_numeric(table)) or 'none'}"
        )
    return column


def _numeric(table: "DataFrame") -> list[str]:
    return [name for name in table.columns if table[name].dtype.is_numeric()]


def _finite(x: "Series", y: "Series") -> "DataFrame":
    """The rows that have both, without infinities."""
    import polars as pl

    pair = pl.DataFrame({"x": x.cast(pl.Float64), "y": y.cast(pl.Float64)}).drop_nulls()
    return pair.filter(pl.col("x").is_finite() & pl.col("y").is_finite())


def _days(dates: "Series") -> "Series":
    import polars as pl

    return dates.cast(pl.Datetime("us")).cast(pl.Int64) / 86_400_000_000


def _short(value: Any) -> Any:
    """A number with at most ten digits, which no rounding error survives."""
    return f"{value:.10g}" if isinstance(value, float) else value
