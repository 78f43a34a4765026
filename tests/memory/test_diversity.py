from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cogwork.memory.diversity import best_of, choose
from cogwork.memory.ranking import Weights

SERIES = tuple(f"Kestrel was shown to Ada on {day} May" for day in range(1, 6))
DISK = "The disk is full"


@dataclass(frozen=True)
class Found:
    text: str
    score: float


def test_of_a_series_the_best_comes_and_then_what_is_something_else():
    assert choose([0.9, 0.89, 0.88, 0.87, 0.86, 0.75], [*SERIES, DISK], 2) == [0, 5]


def test_without_a_loss_the_best_come_though_they_are_alike():
    assert choose([0.9, 0.89, 0.88, 0.87, 0.86, 0.75], [*SERIES, DISK], 2, loss=0) == [0, 1]


def test_the_same_text_loses_all_and_another_one_little():
    assert choose([0.9, 0.9, 0.64], ["a b c", "a b c", DISK], 2, loss=0.25) == [0, 1]
    assert choose([0.9, 0.9, 0.66], ["tea", "tea", DISK], 2, loss=0.25) == [0, 2]


def test_what_is_much_better_comes_though_it_is_alike():
    assert choose([0.9, 0.89, 0.2], [SERIES[0], SERIES[1], DISK], 2) == [0, 1]


def test_after_a_hundred_the_best_come_of_what_is_left():
    texts = [f"{day} things of {day}" for day in range(400)]
    scores = [1 - place / 1_000 for place in range(400)]
    places = choose(scores, texts, 300, loss=0)
    assert places == [*range(300)]
    assert len(set(choose(scores, texts, 300))) == 300
    assert {0, 399} < set(choose([*scores[:-1], 0.99], texts, 300))


def test_places_come_in_the_order_of_the_texts():
    assert choose([0.2, 0.9, 0.5], [DISK, SERIES[0], "Ada prefers tea"], 2) == [1, 2]


@pytest.mark.parametrize(
    ("k", "places"), [(-1, []), (0, []), (6, [0, 1, 2, 3, 4, 5]), (9, [*range(6)])]
)
def test_no_more_than_there_are_or_are_wanted(k, places):
    assert choose([1.0] * 6, [*SERIES, DISK], k) == places


def test_the_loss_goes_by_the_weights():
    found = [Found(text, 0.9 - place / 100) for place, text in enumerate(SERIES)]
    found.append(Found(DISK, 0.82))
    assert best_of(found, 2, Weights()) == [found[0], found[5]]
    assert best_of(found, 2, Weights(diversity=0)) == found[:2]
    assert best_of(found, 2, Weights(relevance=0.01)) == found[:2]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.text(max_size=20)), max_size=8), st.integers(0, 8))
def test_so_many_different_places_come_and_the_best_is_among_them(hits, k):
    scores, texts = [score for score, _ in hits], [text for _, text in hits]
    places = choose(scores, texts, k)
    assert len(places) == min(k, len(hits))
    assert sorted(set(places)) == places
    assert not places or max(scores) == max(scores[place] for place in places)
