"""When answers are the same."""

from datetime import date
from decimal import Decimal
from enum import Enum
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from cogwork.core.embeddings import create_embeddings
from cogwork.nodes.agreement import cluster_texts, normalized, number_in


class Colour(Enum):
    RED = "red"


class Fact(BaseModel):
    name: str
    size: float


SAME = [
    ("42", 42, 42.0, "42.0", " 42 ", "42.", "+42", Decimal("42.00"), Fraction(42), np.int64(42)),
    ("1,000", "1000", 1e3, "1e3", "1,000.00"),
    ("-0.5", "-.5", "−0.50", -0.5, np.float64(-0.5)),  # noqa: RUF001 - a minus sign
    (0.1, "0.1", Decimal("0.1"), Fraction(1, 10)),
    ("Yes", "yes", " YES ", "yes.", "Yes!", '"Yes"', "**Yes**", "“yes.”", "y\u200bes"),
    ("Straße", "STRASSE"),
    ("caf\u00e9", "cafe\u0301", "CAFÉ"),
    ("New  York\nCity", "new york city", "New\u00a0York City"),
    (True, "true", "True"),
    ([1, "A"], (1.0, "a."), ["1", "a"]),
    ({"a": 1, "b": [2]}, {"b": ["2"], "a": "1"}),
    (Fact(name="X", size=1), {"name": "x", "size": 1}),
    (Colour.RED, "red"),
    ({8, 0}, {0, 8}, frozenset({0, 8})),  # these two iterate as they were filled
    (date(2024, 1, 2), "2024-01-02"),
]
DIFFERENT = [
    (41, 42),
    ("yes", "no"),
    (True, 1),
    (True, "yes"),
    ("007", "7"),
    ("0,123", "123"),
    ("x²", "x2"),
    ("5", "-5"),
    ("5%", "5"),
    ("5!", "5"),
    ("n!", "n"),
    ("10²", "102"),
    ("1,5", "15"),
    ("1,00", "100"),
    ("5 mW", "5 MW"),
    ("(0, 1)", "[0, 1]"),
    ("5'", '5"'),
    ("1/10", 0.1),
    ("x < 5", "x > 5"),
    ("A", "B"),
    ("null", None),
    ([1, 2], [2, 1]),
    ([12], [1, 2]),
    ({"a": 1}, {"a": 2}),
    (b"\xff", b"\xfe"),
    (10**40, 10**40 + 1),
    (10**4000, 10**4000 + 1),
    (9007199254740993, 9007199254740992.0),
    ("1e400", "1e401"),
    ("1" * 5000, "1" * 4999 + "2"),
]


@pytest.mark.parametrize("values", SAME, ids=repr)
def test_ways_to_write_one_answer_are_the_same(values):
    assert len({normalized(each) for each in values}) == 1
    assert normalized(values[0]) is not None


@pytest.mark.parametrize("mark", [".", ". ", ".,;:", "!", '"', "**", ". !"])
def test_an_answer_of_nothing_but_marks_takes_no_time_that_grows_with_its_square(mark):
    # A model that has lost the thread answers so; to compare it took hours.
    said = mark * 500_000
    assert len({normalized(said), normalized(f"{said}x"), normalized(f"{said}y")}) == 3


@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=repr)
def test_different_answers_stay_different(one, other):
    assert normalized(one) != normalized(other)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -float("inf"), Decimal("NaN")])
def test_what_is_no_answer_has_no_key(value):
    assert normalized(value) is None
    assert number_in(value) is None


@given(st.text())
def test_normalising_again_changes_nothing(text):
    key = normalized(text)
    assert normalized(key.removeprefix("t:")) == key or key.startswith("n:")


@given(st.text(min_size=1))
def test_capitals_and_white_space_around_never_matter_to_words(text):
    if not any(letter.isdigit() for letter in text):
        assert normalized(f" {text}\n") == normalized(text)
        assert normalized(text.casefold()) == normalized(text)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.decimals(-1000, 1000))
def test_a_number_and_its_text_are_the_same(number):
    assert normalized(str(number)) == normalized(number)
    assert number_in(str(number)) == number_in(number)


@pytest.mark.parametrize(
    "hostile", ["9" * 100_000, "1e999999999", Decimal("1e999999"), "1," * 9999]
)
def test_hostile_numbers_are_texts(hostile):
    assert number_in(hostile) is None
    assert normalized(hostile).startswith("t:")


PARAPHRASES = [
    ("The capital of Australia is Canberra.", "Canberra is Australia's capital city."),
    (
        "The outage was caused by an expired certificate.",
        "An expired certificate caused the outage.",
    ),
    ("The best option is to wait until next week.", "Waiting until next week is the best option."),
    ("The bug is a race condition in the cache.", "There is a race condition in the cache."),
    ("Heavy trucks can cross the bridge safely.", "Heavy trucks crossing the bridge are safe."),
]
CONTRADICTIONS = [
    ("The capital of Australia is Canberra.", "The capital of Australia is Sydney."),
    ("The answer to the question is 41.", "The answer to the question is 42."),
    ("There are three moons around it.", "There are four moons around it."),
    ("The bridge is safe for heavy trucks.", "The bridge is unsafe for heavy trucks."),
    ("The bridge is safe for heavy trucks.", "The bridge is not safe for heavy trucks."),
    ("Sales rose in the last quarter.", "Sales fell in the last quarter."),
    ("Take the pill before a meal, please.", "Take the pill after a meal, please."),
    ("Alice wrote the report and Bob reviewed it.", "Bob wrote the report and Alice reviewed it."),
    ("It stays at -5 degrees all night.", "It stays at 5 degrees all night."),
    ("Choose it whenever x > y holds here.", "Choose it whenever x < y holds here."),
    ("This doesn't work on any Linux machine.", "This does work on any Linux machine."),
    ("There are 3 red and 4 blue balls.", "There are 4 red and 3 blue balls."),
]


STATIC = create_embeddings("static")


def clusters(texts, threshold=0.8, same=None):
    keys = [normalized(each).removeprefix("t:") for each in texts]
    return cluster_texts(keys, STATIC, threshold, same)


@pytest.mark.parametrize("texts", PARAPHRASES, ids=lambda texts: texts[1])
def test_paraphrases_are_one_cluster(texts):
    assert len(clusters(texts)) == 1


@pytest.mark.parametrize("texts", CONTRADICTIONS, ids=lambda texts: texts[1])
def test_contradictions_are_two_clusters(texts):
    assert len(clusters(texts)) == 2


def test_a_judge_decides_where_words_leave_doubt_but_never_about_numbers():
    doubtful = (
        "Buy the parts from a cheaper supplier.",
        "Purchase the parts from a cheaper supplier.",
    )
    assert len(clusters(doubtful)) == 2
    assert len(clusters(doubtful, same=lambda one, other: True)) == 1
    numbers = CONTRADICTIONS[1]
    assert len(clusters(numbers, same=lambda one, other: True)) == 2


def test_a_higher_threshold_asks_for_nearer_texts():
    texts = ("The bug is in the cache.", "The bug is in the cache of the payment service in Oslo.")
    assert len(clusters(texts, threshold=0.3)) == 1
    assert len(clusters(texts, threshold=0.99)) == 2


def test_no_chain_of_near_texts_joins_those_that_differ():
    vague = "The capital of the country is there."
    one = "The capital of the country is there, Canberra."
    other = "The capital of the country is there, Sydney."
    found = clusters([vague, one, other], threshold=0.5)
    assert len(found) == 2
    assert not any(len(each) == 3 for each in found)


def test_of_two_equally_near_texts_the_order_does_not_choose():
    middle = "the bridge was closed for trucks"
    sides = (
        "ada: the bridge was closed for trucks, bob",
        "bob: the bridge was closed for trucks, ada",
    )
    found = clusters([middle, *sides], threshold=0.5)
    assert len(found) == 2
    assert found == clusters([middle, *reversed(sides)], threshold=0.5)


WORDS = st.sampled_from(
    ["bridge", "safe", "unsafe", "not", "Ada", "wrote", "4", "four", "the", "in"]
)
TEXTS = st.lists(st.lists(WORDS, min_size=5, max_size=7).map(" ".join), min_size=1, max_size=8)


@given(TEXTS, st.randoms(use_true_random=False))
def test_clusters_are_a_partition_whatever_the_order_and_the_repeats(texts, random):
    found = clusters(texts)
    members = [text for cluster in found for text in cluster]
    assert sorted(members) == sorted({normalized(each).removeprefix("t:") for each in texts})
    shuffled = [*texts, *texts]
    random.shuffle(shuffled)
    assert sorted(map(sorted, clusters(shuffled))) == sorted(map(sorted, found))
