"""Questions to tables: exactly the rows and columns that are meant, or a refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.offline.desk import CannotError
from cogwork.core.offline.queries import read_query
from cogwork.core.offline.readings import Reading, consult
from cogwork.core.offline.tables import read_table

SALES = """date,region,product,amount,quantity,paid
2024-01-03,North,Widget,120.50,3,yes
2024-01-04,South,Gadget,80,2,no
2024-01-05,North,Gadget,45.25,1,yes
2024-01-06,East,Widget,200,5,no
"""
YEARS = "country,year,twh,renewable_twh\nNorway,2019,150,140\nNorway,2020,154,151\nSweden,2020,161,109\n"


def ask(question: str, text: str = SALES) -> Reading:
    table = read_table(text)
    assert table is not None
    query = read_query(question, table)
    assert query is not None
    reading = consult(query, table)
    assert reading is not None
    return reading


def sums(question: str, text: str = SALES) -> list[str]:
    return [figure.expression or figure.seen for figure in ask(question, text).figures]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("total of amount", "sum(120.50, 80, 45.25, 200)"),
        ("total amount for the North region", "sum(120.50, 45.25)"),
        ("What is the total of amount where region is 'North'?", "sum(120.50, 45.25)"),
        ("total amount where region = North and product is Gadget", "45.25"),
        ("total amount of North and South", "sum(120.50, 80, 45.25)"),
        ("total amount except North", "sum(80, 200)"),
        ("total amount not in the North region", "sum(80, 200)"),
        ("mean quantity where amount is over 100", "mean(3, 5)"),
        ("mean quantity where amount > 100", "mean(3, 5)"),
        ("sum of quantity where amount is at least 80 and region is not East", "sum(3, 2)"),
        ("sum of amount where quantity is between 2 and 3", "sum(120.50, 80)"),
        ("sum of amount where quantity is under 3", "sum(80, 45.25)"),
        ("total amount that was paid", "sum(120.50, 45.25)"),
        ("total amount that was not paid", "sum(80, 200)"),
        ("the amount times the quantity, in total", "sum(120.50 * 3, 80 * 2, 45.25 * 1, 200 * 5)"),
        ("What is the highest amount?", "max(120.50, 80, 45.25, 200)"),
        ("how many Widgets", "sum(1, 1)"),
        ("number of different regions", "sum(1, 1, 1)"),
    ],
)
def test_sum_is_over_exactly_the_rows_that_are_meant(question: str, expected: str) -> None:
    assert sums(question) == [expected]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("total twh", ["sum(150, 154, 161)"]),
        ("total renewable twh", ["sum(140, 151, 109)"]),
        ("total twh in 2020", ["sum(154, 161)"]),
        ("total twh after 2019", ["sum(154, 161)"]),
        ("total twh since 2019", ["sum(150, 154, 161)"]),
        ("mean of twh and of renewable_twh in Norway", ["mean(150, 154)", "mean(140, 151)"]),
        ("highest twh and lowest renewable_twh", ["max(150, 154, 161)", "min(140, 151, 109)"]),
        ("difference in twh between Norway and Sweden in 2020", ["161 - 154"]),
        ("ratio of twh of Norway to Sweden in 2020", ["154 / 161"]),
        ("What share of twh was renewable_twh in Sweden?", ["109 / 161 * 100"]),
        ("What percentage of rows is for Norway?", ["sum(1, 1) / sum(1, 1, 1) * 100"]),
        ("total twh by year", ["150", "sum(154, 161)"]),
    ],
)
def test_column_and_year_are_the_ones_that_are_meant(question: str, expected: list[str]) -> None:
    assert sums(question, YEARS) == expected


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (
            "Which product has the lowest amount?",
            "Gadget has the lowest amount of a single row: 45.25.",
        ),
        ("top 2 regions by quantity", "By highest quantity: East (5), North (3)."),
        (
            "Which region has the second highest amount?",
            "North has the second highest amount of a single row: 120.50.",
        ),
        (
            "rank the products by amount",
            "By highest amount: Widget (200), Widget (120.50), Gadget (80)",
        ),
        (
            "sort the regions by quantity",
            "By lowest quantity: North (1), South (2), North (3), East (5).",
        ),
        ("What is the amount of South?", "The amount where region is South is 80."),
        ("Which regions are there?", "region: North, South, East."),
        ("Was South paid?", "No: the paid where region is South is no."),
        (
            "Is South over 100 in amount?",
            "No: there is no row where amount is over 100 and region is South.",
        ),
    ],
)
def test_what_stands_in_the_table_is_read_off(question: str, sentence: str) -> None:
    assert sentence in ask(question).sentence


@pytest.mark.parametrize(
    "question",
    [
        "total amount for the West region",
        "total amount for west",
        "total amount in Atlantis",
        "total amount where region is 'West'",
        "total amount where region = west",
        "total amount where quantity is 77",
        "total amount in 2031",
        "total amount where weight is over 10",
        "total of weight",
        "What is the difference in amount?",
    ],
)
def test_what_the_table_does_not_have_is_never_ignored(question: str) -> None:
    table = read_table(SALES)
    assert table is not None
    try:
        query = read_query(question, table)
        reading = query and consult(query, table)
    except CannotError:
        return
    assert reading is None


NAMES = ["North", "South", "East", "West", "Upper Hill", "Porto", "Ghent"]


@given(
    rows=st.lists(st.tuples(st.sampled_from(NAMES), st.integers(1, 999)), min_size=1, max_size=12),
    wanted=st.sampled_from(NAMES),
    form=st.sampled_from(
        ["total of amount where place is {}", "What is the total amount for {}?", "sum of amount in {}",
         "Compute the total amount of {}."]
    ),
)  # fmt: skip
def test_a_filtered_total_is_of_those_rows_and_no_others(
    rows: list[tuple[str, int]], wanted: str, form: str
) -> None:
    text = "\n".join(["place,amount", *(f"{place},{amount}" for place, amount in rows)])
    numbers = [str(amount) for place, amount in rows if place == wanted]
    question = form.format(wanted)
    if not numbers:
        with pytest.raises(CannotError):
            ask(question, text)
        return
    expected = numbers[0] if len(numbers) == 1 else f"sum({', '.join(numbers)})"
    assert sums(question, text) == [expected]
