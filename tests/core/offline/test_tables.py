"""Tables are found in what tools give, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.offline.tables import figure, read_items, read_table

ROWS = (("a", "1"), ("b", "2"))


@pytest.mark.parametrize(
    "text",
    [
        "name,n\na,1\nb,2\n",
        "name;n\r\na;1\r\nb;2",
        "name\tn\na\t1\nb\t2",
        "| name | n |\n|------|---|\n| a | 1 |\n| b | 2 |",
        '[{"name": "a", "n": 1}, {"name": "b", "n": 2}]',
        '{"page": 1, "rows": [{"name": "a", "n": 1}, {"name": "b", "n": 2}]}',
        "Contents of t.csv:\n\nname,n\na,1\nb,2\n(end)",
    ],
)
def test_table_is_found_in_every_usual_form(text: str) -> None:
    table = read_table(text)
    assert table is not None
    assert table.header == ("name", "n")
    assert table.rows == ROWS
    assert table.numeric == {1}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Just a sentence.",
        "The first, of two lines.\nThe second, of two lines.",
        "1,2\n3,4",
        '{"a": 1}',
        "[1, 2]",
        "{broken",
    ],
)
def test_prose_and_bare_figures_are_no_table(text: str) -> None:
    assert read_table(text) is None


def test_quoted_cells_and_short_rows() -> None:
    table = read_table('city,n\n"York, New","1,200"\nshort\nRome,3\nBern,4\n')
    assert table is not None
    assert table.rows == (("York, New", "1,200"), ("Rome", "3"), ("Bern", "4"))


@pytest.mark.parametrize(
    ("cell", "digits"),
    [
        ("12", "12"), ("1,200", "1200"), ("1 200", "1200"), ("$1,200.50", "1200.50"), ("5 %", "5"),
        ("\u22123", "-3"), ("1,5", "1.5"), ("1e3", "1e3"), ("n/a", None), ("12 apples", None), ("", None),
        ("1e999", None),
    ],
)  # fmt: skip
def test_figure_of_a_cell(cell: str, digits: str | None) -> None:
    assert figure(cell) == digits


def test_items_are_a_json_list_or_lines() -> None:
    assert read_items('["a.csv", "b.csv"]') == ["a.csv", "b.csv"]
    assert read_items("- a.csv\n2. b.csv\n\nc.csv") == ["a.csv", "b.csv", "c.csv"]


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(-999, 999)), min_size=1, max_size=30))
def test_every_row_of_a_csv_is_kept(rows: list[tuple[str, int]]) -> None:
    text = "\n".join(["kind,amount", *(f"{kind},{amount}" for kind, amount in rows)])
    table = read_table(text)
    assert table is not None
    assert [(kind, int(amount)) for kind, amount in table.rows] == rows
