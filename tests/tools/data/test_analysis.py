"""What tables say, against values computed by hand."""

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cogwork.core.errors import ToolError
from cogwork.tools.data.analysis import correlate, describe, find_outliers, fit_trend, group

SALES = pl.DataFrame(
    {
        "city": ["Oslo", "Rome", "Oslo", "Rome", None],
        "units": [10, 20, 30, 40, None],
        "price": [1.0, 2.0, 3.0, 4.0, 100.0],
        "day": ["2024-01-01", "2024-01-02", "2024-01-04", "2024-01-05", "2024-01-08"],
    }
).with_columns(pl.col("day").str.to_date())


def rows(found: Any) -> list[dict[str, Any]]:
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def test_columns_are_described():
    city, units, price, day = rows(describe(SALES))
    assert (city["values"], city["missing"], city["distinct"]) == (4, 1, 2)
    assert city["most frequent"] in ("Oslo (2 times)", "Rome (2 times)")
    assert (units["min"], units["median"], units["max"], units["mean"]) == (10, "25", 40, "25")
    assert float(units["std"]) == pytest.approx(12.90994449)
    assert price["most frequent"] is None
    assert (str(day["min"]), day["mean"]) == ("2024-01-01", None)


def test_groups_have_sizes_and_sums():
    first, second, third = rows(group(SALES, ["city"], ["units"]))
    assert (first["city"], first["rows"], first["sum of units"], first["mean of units"]) == (
        "Oslo",
        2,
        40,
        "20",
    )
    assert (second["city"], second["max of units"]) == ("Rome", 40)
    assert (third["city"], third["rows"], third["sum of units"]) == (None, 1, 0)
    assert "sum of price" in group(SALES, ["city"]).columns


def test_correlations_are_pearsons_over_complete_rows():
    (pair,) = rows(correlate(SALES))
    assert (pair["column"], pair["and"], pair["r"], pair["rows"]) == ("units", "price", "1.0000", 4)
    anscombe = pl.DataFrame(
        {
            "x": [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5],
            "y": [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68],
        }
    )
    assert rows(correlate(anscombe))[0]["r"] == "0.8164"
    flat = pl.DataFrame({"x": [1, 1, 1], "y": [1, 2, 3]})
    assert rows(correlate(flat))[0]["r"].startswith("undefined")


def test_trend_is_the_line_of_least_squares():
    facts = dict(fit_trend(SALES, "units").rows)
    assert (facts["direction"], facts["slope per row"], facts["r²"]) == ("rising", "10", "1.0000")
    over = dict(fit_trend(SALES, "price", "units").rows)
    assert (over["slope per units"], over["rows"]) == ("0.1", 4)
    days = dict(fit_trend(SALES, "units", "day").rows)
    assert float(days["slope per day"]) == pytest.approx(7.0)
    flat = pl.DataFrame({"y": [5.0, 5.0, 5.0]})
    assert dict(fit_trend(flat, "y").rows)["direction"] == "flat"


def test_outliers_are_beyond_tukeys_fences():
    (found,) = rows(find_outliers(SALES, "price"))
    assert (found["row"], found["price"]) == (5, "100")
    assert find_outliers(SALES, "units").rows == [("none: all are from -5 to 55",)]


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=30), st.floats(0.1, 10))
def test_a_line_is_found_again(values: list[float], slope: float):
    table = pl.DataFrame({"x": values, "y": [3 + slope * each for each in values]})
    if len(set(values)) < 3 or max(values) - min(values) < 1:
        return
    facts = dict(fit_trend(table, "y", "x").rows)
    assert math.isclose(float(facts["slope per x"]), slope, rel_tol=1e-4)


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), min_size=1, max_size=20))
@example([1.7976931348623157e308, -9.9792015476736e291, -1.7976931348623157e308])
def test_any_numbers_are_described_and_grouped(values: list[float | None]):
    table = pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64), "k": [0] * len(values)})
    assert len(describe(table).rows) == 2
    assert group(table, ["k"]).rows[0][1] == len(values)
    correlate(table)
    correlate(table.with_columns(y=pl.int_range(pl.len())), ["x", "y"])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: group(SALES, ["town"]), "there is no column 'town'"),
        (lambda: group(SALES, []), "by which columns"),
        (lambda: group(SALES, ["city"], ["day"]), "holds Date, not numbers"),
        (lambda: correlate(SALES.select("city", "price")), "needs two columns of numbers"),
        (lambda: correlate(SALES, ["units", "city"]), "'city' holds String, not numbers"),
        (lambda: fit_trend(SALES.head(2), "units"), "needs three places or more"),
        (lambda: find_outliers(SALES, "unit"), "did you mean 'units'"),
        (lambda: find_outliers(SALES.tail(1), "units"), "has no values"),
    ],
)
def test_what_cannot_be_answered_is_said(call: Any, says: str):
    with pytest.raises(ToolError, match=says):
        call()
