import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cogwork.core.errors import ConfigurationError
from cogwork.nodes.ranking import Criterion, expected_utility, topsis, weighted_sum


def table(names, rows):
    return {option: dict(zip(names, numbers, strict=True)) for option, numbers in rows.items()}


def scores(ranking):
    return {each.option: each.score for each in ranking}


# Hwang & Yoon (1981), Multiple Attribute Decision Making: the choice of a fighter aircraft,
# with the qualitative attributes on the book's scale from 1 to 9.
NAMES = ("speed", "range", "payload", "price", "reliability", "manoeuvrability")
WEIGHTS = (0.2, 0.1, 0.1, 0.1, 0.2, 0.3)
AIRCRAFT = table(
    NAMES,
    {
        "A1": (2.0, 1500, 20_000, 5.5, 5, 9),
        "A2": (2.5, 2700, 18_000, 6.5, 3, 5),
        "A3": (1.8, 2000, 21_000, 4.5, 7, 7),
        "A4": (2.2, 1800, 20_000, 5.0, 5, 5),
    },
)
AIRCRAFT_CRITERIA = [
    Criterion(name, weight, "cost" if name == "price" else "benefit")
    for name, weight in zip(NAMES, WEIGHTS, strict=True)
]

# Triantaphyllou (2000), Multi-Criteria Decision Making Methods: the weighted sum model.
SUMS = table("abcd", {"A1": (25, 20, 15, 30), "A2": (10, 30, 20, 30), "A3": (30, 10, 30, 10)})
SUM_CRITERIA = [Criterion(*each) for each in zip("abcd", (0.20, 0.15, 0.40, 0.25), strict=True)]


def test_topsis_gives_what_hwang_and_yoon_print_for_their_aircraft():
    ranking = topsis(AIRCRAFT, AIRCRAFT_CRITERIA)
    assert [each.option for each in ranking] == ["A1", "A3", "A4", "A2"]
    printed = {"A1": 0.643, "A2": 0.268, "A3": 0.613, "A4": 0.312}
    assert scores(ranking) == pytest.approx(printed, abs=6e-4)


def test_the_weighted_sum_gives_triantaphyllous_scores_and_his_tie():
    ranking = weighted_sum(SUMS, SUM_CRITERIA, scale="none")
    assert scores(ranking) == pytest.approx({"A1": 21.5, "A2": 22.0, "A3": 22.0})
    assert [(each.option, each.rank) for each in ranking] == [("A2", 1), ("A3", 1), ("A1", 3)]


TWO = table(("gain", "price"), {"x": (10, 4), "y": (5, 2), "z": (0, 1)})
TWO_CRITERIA = [Criterion("gain", 3), Criterion("price", 1, "cost")]


def test_the_scales_of_a_weighted_sum_by_hand():
    # range: gain 1, 1/2, 0 and price 0, 2/3, 1; weights 3/4 and 1/4
    by_range = weighted_sum(TWO, TWO_CRITERIA)
    assert scores(by_range) == pytest.approx({"x": 3 / 4, "y": 3 / 8 + 1 / 6, "z": 1 / 4})
    # max: gain 10/10, 5/10, 0/10 and price 1/4, 1/2, 1/1
    by_ratio = weighted_sum(TWO, TWO_CRITERIA, scale="max")
    assert scores(by_ratio) == pytest.approx({"x": 13 / 16, "y": 1 / 2, "z": 1 / 4})
    # none: (3 * gain - price) / 4
    plain = weighted_sum(TWO, TWO_CRITERIA, scale="none")
    assert scores(plain) == pytest.approx({"x": 6.5, "y": 3.25, "z": -0.25})


def test_topsis_by_hand():
    # one criterion of each kind: columns (3, 4) and (4, 3), both of length 5
    options = table(("gain", "price"), {"x": (3, 4), "y": (4, 3)})
    assert scores(topsis(options, TWO_CRITERIA)) == {"y": 1.0, "x": 0.0}
    both = [Criterion("gain"), Criterion("price")]
    assert scores(topsis(options, both)) == pytest.approx({"x": 0.5, "y": 0.5})


def test_utility_by_hand():
    options = {
        "sure": {"value": 10},
        "bet": {"probability": 0.25, "value": 100, "cost": 4, "time": 3},
        "trap": {"probability": 0.5, "value": -10, "time": 1},
    }
    # 0.25 * 100 - 2 * 4 - 0.5 * 3 = 15.5;  0.5 * -10 - 0.5 * 1 = -5.5
    found = expected_utility(options, cost_weight=2, time_weight=0.5)
    assert [(each.option, each.score, each.rank) for each in found] == [
        ("bet", 15.5, 1),
        ("sure", 10.0, 2),
        ("trap", -5.5, 3),
    ]


def test_equal_scores_share_the_better_rank_in_the_order_given():
    options = {name: {"value": value} for name, value in {"c": 1, "a": 2, "b": 2, "d": 0}.items()}
    found = [(each.option, each.rank) for each in expected_utility(options)]
    assert found == [("a", 1), ("b", 1), ("c", 3), ("d", 4)]
    rounded = {"thirds": {"value": 0.1 + 0.2}, "plain": {"value": 0.3}}
    assert [each.rank for each in expected_utility(rounded)] == [1, 1]
    assert expected_utility(rounded)[0].option == "thirds"
    assert expected_utility(dict(reversed(rounded.items())))[0].option == "plain"


def test_what_does_not_differ_decides_nothing():
    alike = table(("gain", "price"), {"x": (2, 5), "y": (2, 5)})
    assert [each.rank for each in weighted_sum(alike, TWO_CRITERIA)] == [1, 1]
    assert scores(topsis(alike, TWO_CRITERIA)) == {"x": 0.5, "y": 0.5}
    assert scores(topsis({"x": {"gain": 2, "price": 5}}, TWO_CRITERIA)) == {"x": 0.5}


METHODS = [weighted_sum, topsis]


@pytest.mark.parametrize("method", METHODS)
def test_every_fault_is_named(method):
    options = {
        "x": {"gain": math.nan, "price": 1},
        "y": {"gian": 1, "price": True},
        "z": {"gain": "3", "price": math.inf},
    }
    criteria = [Criterion("gain", -1), Criterion("price", math.nan, "cost"), Criterion("price")]
    with pytest.raises(ConfigurationError) as caught:
        method(options, [*criteria, Criterion("age", kind="price")])
    for said in (
        "2 criteria are called 'price'",
        "criterion 'age' is of kind 'price'; choose 'benefit' or 'cost'",
        "weight of 'gain' is -1",
        "weight of 'price' is nan",
        "option 'x': 'gain' is nan",
        "option 'x' has no 'age'",
        "option 'y' has no 'gain'; did you mean 'gian'?",
        "option 'y': 'price' is True",
        "option 'z': 'gain' is '3'",
        "option 'z': 'price' is inf",
    ):
        assert said in str(caught.value)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("options", "criteria", "said"),
    [
        ({}, TWO_CRITERIA, "there are no options"),
        (TWO, [], "there are no criteria"),
        (TWO, [Criterion("gain", 0), Criterion("price", 0)], "at least one must count"),
    ],
)
def test_nothing_to_compare_is_an_error(method, options, criteria, said):
    with pytest.raises(ConfigurationError, match=said):
        method(options, criteria)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"bet": "x", "pass": None}, "'bet' is 'x'; .*'pass' is None"), (["bet"], r"\['bet'\]; give")],
)
def test_options_without_numbers_by_name_are_refused(options, said):
    for method in (expected_utility, lambda o: topsis(o, [Criterion("p")])):
        with pytest.raises(ConfigurationError, match=said):
            method(options)


def test_columns_that_cannot_be_scaled_are_named():
    zero = table(("gain", "price"), {"x": (0, 4), "y": (0, 2)})
    with pytest.raises(ConfigurationError, match="criterion 'gain' is 0 for every option"):
        topsis(zero, TWO_CRITERIA)
    with pytest.raises(ConfigurationError, match=r"'gain' \(benefit\) goes from 0 to 0"):
        weighted_sum(zero, TWO_CRITERIA, scale="max")
    free = table(("gain", "price"), {"x": (1, 0), "y": (-2, 2)})
    with pytest.raises(ConfigurationError, match=r"'price' \(cost\) goes from 0 to 2"):
        weighted_sum(free, TWO_CRITERIA, scale="max")
    with pytest.raises(ConfigurationError, match="choose 'range', 'max' or 'none'"):
        weighted_sum(free, TWO_CRITERIA, scale="log")
    assert weighted_sum(free, TWO_CRITERIA)[0].option == "x"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({}, "has no 'value'"),
        ({"value": 1, "probability": 1.5}, "'probability' is 1.5; it must be a number from 0 to 1"),
        ({"value": 1, "cost": -1}, "'cost' is -1"),
        ({"value": 1, "time": math.nan}, "'time' is nan"),
        ({"value": math.inf}, "'value' is inf"),
    ],
)
def test_an_impossible_prospect_is_refused(option, said):
    with pytest.raises(ConfigurationError, match=said):
        expected_utility({"x": option})
    with pytest.raises(ConfigurationError, match="time_weight is -1"):
        expected_utility({"x": {"value": 1}}, time_weight=-1)


numbers = st.floats(-1e6, 1e6).map(lambda each: round(each, 3))


@st.composite
def decisions(draw):
    criteria = [
        Criterion(name, draw(st.floats(0.01, 100)), draw(st.sampled_from(["benefit", "cost"])))
        for name in "abc"[: draw(st.integers(1, 3))]
    ]
    names = [each.name for each in criteria]
    options = {
        f"o{place}": {name: draw(numbers) for name in names}
        for place in range(draw(st.integers(1, 5)))
    }
    assume(all(any(has[name] for has in options.values()) for name in names))
    return options, criteria


@pytest.mark.parametrize("method", METHODS)
@given(decisions())
def test_scores_are_shares_and_ranks_follow_them(method, decision):
    options, criteria = decision
    found = method(options, criteria)
    assert {each.option for each in found} == set(options)
    assert all(-1e-9 <= each.score <= 1 + 1e-9 for each in found)
    assert found[0].rank == 1
    for one, other in pairwise(found):
        assert one.score >= other.score - 1e-9
        assert one.rank <= other.rank


@pytest.mark.parametrize("method", METHODS)
@given(decisions(), st.floats(0.001, 1000), st.floats(0.001, 1000))
def test_units_and_the_sum_of_the_weights_do_not_matter(method, decision, unit, share):
    options, criteria = decision
    rescaled = {
        name: {key: number * unit for key, number in has.items()} for name, has in options.items()
    }
    heavier = [Criterion(each.name, each.weight * share, each.kind) for each in criteria]
    expected = scores(method(options, criteria))
    assert scores(method(rescaled, heavier)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
@given(decisions())
def test_an_option_that_is_as_good_everywhere_is_not_ranked_below(method, decision):
    options, criteria = decision
    found = {each.option: each for each in method(options, criteria)}
    for one, has in options.items():
        for other, had in options.items():
            if all(
                (has[c.name] - had[c.name]) * (1 if c.kind == "benefit" else -1) >= 0
                for c in criteria
            ):
                assert found[one].score >= found[other].score - 1e-9


@given(decisions())
def test_the_best_of_everything_is_the_ideal_of_topsis(decision):
    options, criteria = decision
    best = {
        each.name: (max if each.kind == "benefit" else min)(
            has[each.name] for has in options.values()
        )
        for each in criteria
    }
    assume(any(has != best for has in options.values()))
    found = scores(topsis({**options, "best": best}, criteria))
    assert found["best"] == pytest.approx(1.0)
