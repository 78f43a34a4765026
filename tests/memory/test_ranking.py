import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cogwork.core.errors import ConfigurationError
from cogwork.memory.ranking import (
    DAY,
    Weights,
    blend,
    coverage,
    fuse,
    lower_bound,
    overlap,
    recency,
    usefulness,
)

unit = st.floats(0, 1)
ages = st.floats(0, 1e9)
weights = st.builds(
    Weights,
    relevance=st.floats(0.01, 10),
    importance=st.floats(0, 10),
    recency=st.floats(0, 10),
    half_life_days=st.floats(0.1, 1000),
)
scores = st.dictionaries(
    st.sampled_from("abcdefgh"), st.floats(-1e3, 1e3).map(lambda score: round(score, 3))
)


@given(unit, unit, ages, weights)
def test_a_blend_stays_between_0_and_1(relevance, importance, age, given_weights):
    assert 0 <= blend(relevance, importance, age, given_weights) <= 1


@given(unit, unit, unit, ages, weights)
def test_what_is_more_relevant_never_ranks_lower(one, other, importance, age, given_weights):
    low, high = sorted((one, other))
    below = blend(low, importance, age, given_weights)
    assert below <= blend(high, importance, age, given_weights) + 1e-12


def test_the_default_blend_is_seven_two_one_with_a_half_life_of_thirty_days():
    assert blend(1, 0, math.inf) == pytest.approx(0.7)
    assert blend(0, 1, math.inf) == pytest.approx(0.2)
    assert blend(0, 0, 0) == pytest.approx(0.1)
    assert blend(0, 0, 30 * DAY) == pytest.approx(0.05)


def test_recency_halves_with_each_half_life_and_the_future_is_now():
    assert recency(2 * 7 * DAY, half_life_days=7) == pytest.approx(0.25)
    assert recency(-100) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"relevance": -1},
        {"recency": math.nan},
        {"half_life_days": 0},
        {"relevance": 0, "importance": 0, "recency": 0},
    ],
)
def test_impossible_weights_are_refused(wrong):
    with pytest.raises(ConfigurationError):
        Weights(**wrong)


@given(unit, ages, st.integers(0, 10**6))
def test_usefulness_grows_with_importance_use_and_freshness(importance, age, accesses):
    here = usefulness(importance, age, accesses)
    assert 0 <= here <= 1
    assert usefulness(1.0, age, accesses) >= here
    assert usefulness(importance, 0, accesses) >= here
    assert usefulness(importance, age, accesses + 1) >= here


@given(scores, scores)
def test_fusion_keeps_every_hit_and_averages_zero(vector, text):
    fused = fuse(vector, text)
    assert set(fused) == set(vector) | set(text)
    assert math.fsum(fused.values()) == pytest.approx(0, abs=1e-6)


@given(scores, st.floats(0.5, 100))
def test_fusion_does_not_depend_on_the_scale_of_a_list(vector, factor):
    text = {"a": 3.0, "b": 1.0, "z": 0.5}
    scaled = {key: score * factor for key, score in vector.items()}
    assert fuse(scaled, text) == pytest.approx(fuse(vector, text), abs=1e-3)


@given(scores, scores)
def test_what_is_better_in_both_lists_is_better_fused(vector, text):
    fused = fuse(vector, text)
    for one in vector.keys() & text.keys():
        for other in vector.keys() & text.keys():
            if vector[one] > vector[other] and text[one] > text[other]:
                assert fused[one] >= fused[other]


def test_constant_empty_and_single_lists_say_nothing():
    vector = {"a": 0.9, "b": 0.1}
    alone = fuse(vector, {})
    assert fuse(vector, {"a": 5.0, "b": 5.0}) == alone
    assert fuse({"a": 0.3}, {}) == fuse({}, {"a": 7.0}) == {"a": 0.0}
    assert fuse({}, {}) == {}


def test_the_only_hit_of_a_list_stands_out():
    vector = {f"near {place}": 0.6 - place / 100 for place in range(20)}
    fused = fuse(vector, {"named": 7.5})
    assert max(fused, key=fused.__getitem__) == "named"


def test_scores_that_are_not_finite_count_as_missing():
    assert fuse({"a": math.nan, "b": 1.0}, {"a": 2.0}) == fuse({"b": 1.0}, {"a": 2.0})
    assert fuse({"a": math.inf}, {}) == {}


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_lower_bound_lies_below_the_rate_and_above_nothing(successes, failures):
    trials = successes + failures
    bound = lower_bound(successes, trials)
    assert 0 <= bound <= (successes / trials if trials else 0) + 1e-12


@given(st.integers(0, 100), st.integers(1, 100))
def test_more_of_the_same_evidence_raises_the_bound(successes, failures):
    trials = successes + failures
    assert lower_bound(10 * successes, 10 * trials) >= lower_bound(successes, trials)


def test_nine_of_ten_beats_one_of_one():
    assert lower_bound(9, 10) == pytest.approx(0.5958, abs=1e-4)  # published value
    assert lower_bound(9, 10) > lower_bound(1, 1)
    with pytest.raises(ConfigurationError):
        lower_bound(2, 1)


@given(st.text(), st.text())
def test_overlap_lies_between_0_and_1_and_a_text_has_all_its_words(query, text):
    assert 0 <= overlap(query, text) <= 1 + 1e-12
    if overlap(query, query):
        assert overlap(query, f"{text} {query}") == pytest.approx(1)


def test_overlap_sees_through_endings_and_ignores_chance():
    assert overlap("meeting plans", "We planned the meetings") > 0.5
    assert overlap("meeting", "the mean thing") == 0
    assert overlap("", "anything") == overlap("what", "") == 0


def test_overlap_ignores_function_words_beside_others():
    assert overlap("Where is the key?", "Where is the exit?") == 0
    assert overlap("Who is it?", "It is Ada") > 0


def test_full_text_counts_as_much_as_it_is_trusted():
    vector, text = {"a": 0.9, "b": 0.5, "c": 0.1}, {"c": 3.0}
    assert fuse(vector, text, trust=0) == pytest.approx(fuse(vector, {}))
    assert fuse(vector, text)["c"] > fuse(vector, text, trust=0.5)["c"]


@example("0\u0345", "")  # a sign that becomes a letter without case
@given(st.text(), st.text())
def test_coverage_lies_between_0_and_1_and_a_text_has_all_its_words(query, text):
    assert 0 <= coverage(query, text) <= 1
    if any(map(str.isalnum, query)):
        assert coverage(query, f"{query} {text}") == 1


def test_coverage_sees_through_endings_but_not_through_digits():
    assert coverage("Are backups saved?", "The backup saves all") == 1
    assert coverage("invoice 2024-117", "the invoices 2024-1170") == pytest.approx(3 / 5)
    assert coverage("", "anything") == 0
