"""Said and written sums become expressions; what is no sum does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.offline.arithmetic import expressions, put_value
from cogwork.tools.calculator import evaluate


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("What is 17.5 % of 2340?", ["17.5 / 100 * 2340"]),
        ("What's 3 * (4+5) - 2^3?", ["3 * (4 + 5) - 2 ** 3"]),
        ("3 \u00d7 4 \u00f7 2", ["3 * 4 / 2"]),
        ("3x4", ["3 * 4"]),
        ("seven times six", ["7 * 6"]),
        ("add 5 to 7", ["5 + 7"]),
        ("subtract 3 from 10", ["10 - 3"]),
        ("divide 1,200 by 8", ["1200 / 8"]),
        ("the square root of 144 plus 1", ["sqrt(144) + 1"]),
        ("2 to the power of 10", ["2 ** 10"]),
        ("what is 12 squared", ["12 ** 2"]),
        ("half of 90", ["90 / 2"]),
        ("200 + 10%", ["200 * (1 + 10 / 100)"]),
        ("What is 100 minus 20%?", ["100 * (1 - 20 / 100)"]),
        ("10 % 3", ["10 % 3"]),
        ("average of 3, 5 and 10", ["mean(3, 5, 10)"]),
        ("sum of the numbers from 1 to 4", ["sum(1, 2, 3, 4)"]),
        ("compute max(3, 9) - min(1, 2)", ["max(3, 9) - min(1, 2)"]),
        ("round 3.14159 to 2 decimals", ["round(3.14159, 2)"]),
        ("Compute 3 + 4, 5 * 6 and 7 - 1.", ["3 + 4", "5 * 6", "7 - 1"]),
        ("calculate `12*12`", ["12 * 12"]),
        ("5 percent of 5 percent of 1000", ["5 / 100 * (5 / 100 * 1000)"]),
        ("half of a quarter of 80", ["80 / 4 / 2"]),
        ("3 plus 4 times 2, then divided by 11", ["(3 + 4 * 2) / 11"]),
        ("What is 15% more than 80?", ["80 * (1 + 15 / 100)"]),
        ("1.200,50 + 1", ["1200.50 + 1"]),
        ("12,5 * 2", ["12.5 * 2"]),
        ("twenty-five times two hundred", ["25 * 200"]),
        ("100 / two thirds of 90", ["100 / (2 / 3 * 90)"]),
    ],
)
def test_sum_is_found(text: str, found: list[str]) -> None:
    assert list(expressions(text)) == found


@pytest.mark.parametrize(
    "text",
    [
        "pages 10-15 of x.pdf",
        "call me on 555-1234",
        "What happened on 2024-01-05?",
        "The mean of the amount column",
        "what is 5",
        "read notes-2024.txt",
        "and/or",
        "version 1.2.3",
        "(see 3 + 4)",
        "2+2 and 3*?",
        "2 + 2 in binary",
        "2 + 2 apples",
        "12 km plus 500 m",
        "the sum of 1, 2 and 3 times 2",  # of all, or of the last?
        "the sum of 3,5 and 10",  # 3,5 or 3 and 5?
        "-2 squared",
        "17 divided by 5 with remainder",
        "x + 2",
        "",
    ],
)
def test_what_is_no_sum_is_left_alone(text: str) -> None:
    assert expressions(text) == ()


@pytest.mark.parametrize(
    ("text", "value", "complete"),
    [
        ("add 3", "42", "42 + 3"),
        ("divide by 2", "-8", "(-8) / 2"),
        ("double it", "5", "double 5 it"),
        ("increase by 10 %", "50", "increase 50 by 10 %"),
        ("tell me more", "5", "tell me more"),
    ],
)
def test_an_open_sum_goes_on_from_the_value_before(text: str, value: str, complete: str) -> None:
    assert put_value(text, value) == complete


@given(st.recursive(
    st.integers(0, 99).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    max_leaves=6,
))  # fmt: skip
def test_a_written_sum_keeps_its_value(written: str) -> None:
    for found in expressions(f"What is {written}?"):
        assert evaluate(found) == evaluate(written)
