"""Answers are normalized and scored as the published sets do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.runtime.evaluation.scoring import (
    exact_match,
    f1,
    final_answer,
    last_number,
    normalize,
    quasi_exact_match,
)

texts = st.text(max_size=40)


@given(texts)
def test_a_text_matches_itself(text):
    assert exact_match(text, text)
    assert f1(text, text) == (1.0 if normalize(text) else 0.0)


@given(texts, texts)
def test_f1_is_symmetric_and_between_0_and_1(one, other):
    assert 0 <= f1(one, other) <= 1
    assert f1(one, other) == pytest.approx(f1(other, one))


@given(texts)
def test_normalizing_twice_changes_nothing(text):
    assert normalize(normalize(text)) == normalize(text)
    assert normalize(f"The {text}!") == normalize(text)


@given(st.integers(-(10**9), 10**9), st.sampled_from(["", "units", "euros."]))
def test_the_last_number_is_read_back(number, after):
    assert last_number(f"After 3 and 4 it is {number:,} {after}") == number
    assert last_number(f"It is {number / 100:.2f}.") == pytest.approx(number / 100)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("no number", None),
        ("It is 42.", 42),
        ("It costs $1,250.50!", 1250.5),
        ("16.5%", 16.5),
        ("**15**", 15),
        ("-3", -3),
        ("5 − 2 = 3", 3),  # noqa: RUF001 - a minus sign
        ("about −7 degrees", -7),  # noqa: RUF001 - a minus sign
        ("12 in q3.csv", 12),
        ("12 in 2024.csv", 12),
        ("12 on 2025-03-14", 12),
        ("12 at 14:00", 12),
        ("12, in version 1.2.3", 12),
        ("12kg", 12),
        ("7 or 10-12", 7),
        ("1,2", None),
        ("12 (see 3/4)", 12),
    ],
)
def test_the_last_number_is_none_of_names_dates_and_ranges(text, number):
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("42", "42"),
        ("I think.\nFINAL ANSWER: 42\n", "42"),
        ("**Final answer:** Paris", "Paris"),
        ("final answer: 1\nNo.\nFinal Answer: `2`", "2"),
        ("FINAL ANSWER:", ""),
    ],
)
def test_the_final_answer_stands_after_the_last_mark(text, answer):
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    ("answer", "expected", "score"),
    [
        ("The cat sat", "cat sat", 1.0),
        ("a big cat", "cat", pytest.approx(2 / 3)),
        ("cat cat", "cat", pytest.approx(2 / 3)),
        ("dog", "cat", 0.0),
        ("yes it is", "yes", 0.0),
        ("Yes.", "yes", 1.0),
        ("no", "no answer", 0.0),
        ("", "", 0.0),
    ],
)
def test_f1_counts_words_as_hotpotqa_does(answer, expected, score):
    assert f1(answer, expected) == score


@pytest.mark.parametrize(
    ("answer", "expected", "right"),
    [
        ("$1,000", "1000", True),
        ("1000.0", "1,000", False),  # with a comma, GAIA takes what is expected for a list
        ("17%", "17", True),
        ("seventeen", "17", False),
        ("17 kg", "17", False),
        ("Sea Gull!", "seagull", True),
        ("gull", "seagull", False),
        ("a, 2;c", "A,2.0,c", True),
        ("b, a", "a, b", False),
        ("a", "a, b", False),
        ("a.b, c", "ab, c", False),  # punctuation counts in lists
    ],
)
def test_gaias_quasi_exact_match(answer, expected, right):
    assert quasi_exact_match(answer, expected) is right
