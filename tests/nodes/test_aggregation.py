"""Votes, consensus, means and hierarchies of answers."""

import math
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from cogwork.core.errors import ConfigurationError
from cogwork.nodes.aggregate import hierarchical
from cogwork.nodes.aggregation import (
    Answer,
    Consensus,
    Mean,
    View,
    Vote,
    consensus,
    vote,
    weighted_mean,
)

LONG = [
    "The bridge is safe for heavy trucks.",
    "For heavy trucks, the bridge is safe.",
    "The bridge is unsafe for heavy trucks.",
    "The bridge is closed for heavy trucks.",
]


def said(*values, confidence=1.0):
    """Answers of agents a, b, c …; a pair is a value with its confidence."""
    pairs = [each if isinstance(each, tuple) else (each, confidence) for each in values]
    return [Answer("abcdefghij"[i], *pair) for i, pair in enumerate(pairs)]


def fields(each):
    return {"x": each, "y": {"deep": each}, "z": 1.5}


NUMBERS = st.integers(-5, 5) | st.sampled_from([0.5, "1,000", 1000, "2"])
MISSING = st.sampled_from([None, math.nan, math.inf, -math.inf])
VALUES = {
    vote: st.sampled_from(["yes", "Yes ", "no", 1, 1.0, "1", 2, True, (1, 2)]),
    consensus: st.sampled_from([*LONG, "yes", "no", 42, "42.0"]),
    weighted_mean: NUMBERS,
    hierarchical: st.sampled_from(["yes", "no", 4, *LONG]).map(fields),
}
METHODS = pytest.mark.parametrize("method", VALUES, ids=lambda method: method.__name__)


def answers(values, least=0, confidences=None):
    confidences = confidences or st.integers(0, 100).map(lambda percent: percent / 100)
    one = st.builds(Answer, st.sampled_from("abcd"), values, confidences)
    return st.lists(one, min_size=least, max_size=7)


@METHODS
@settings(max_examples=40, deadline=None)  # the first consensus reads a table
@given(data=st.data())
def test_the_order_of_the_answers_never_matters(method, data):
    given_ = data.draw(answers(VALUES[method] | MISSING))
    assert method(data.draw(st.permutations(given_))) == method(given_)


@METHODS
@settings(max_examples=40, deadline=None)  # the first consensus reads a table
@given(data=st.data())
def test_an_agreeing_answer_never_lowers_the_agreement(method, data):
    given_ = data.draw(answers(VALUES[method], least=1))
    before = method(given_)
    agreeing = before.value if not before.tied else agreeing_with(before)
    confidence = data.draw(st.sampled_from([0.0, 0.3, 1.0, 7.0]))
    after = method([*given_, Answer("e", agreeing, confidence)])
    assert after.agreement >= before.agreement - 1e-9
    assert before.tied or after.headcount >= before.headcount - 1e-9


def agreeing_with(result):
    if not isinstance(result.tied[0], dict):
        return result.tied[0]
    value = {**result.value, "y": dict(result.value["y"])}
    for name, part in result.parts.items():
        if part.tied:
            value[name] = part.tied[0]
    return value


@METHODS
@settings(max_examples=40, deadline=None)  # the first consensus reads a table
@given(data=st.data(), factor=st.sampled_from([1e-200, 0.001, 1 / 3, 0.7, 2, 1e6, 1e200]))
def test_scaling_all_confidences_changes_no_outcome(method, data, factor):
    given_ = data.draw(answers(VALUES[method]))
    scaled = [replace(each, confidence=each.confidence * factor) for each in given_]
    one, other = method(given_), method(scaled)
    assert (one.tied, one.abstained) == (other.tied, other.abstained)
    assert [view.agents for view in one.dissent] == [view.agents for view in other.dissent]
    assert one.agreement == pytest.approx(other.agreement)
    if method is weighted_mean:
        assert one.value == pytest.approx(other.value)
        assert one.variance == pytest.approx(other.variance)
    else:
        assert one.value == other.value or method is hierarchical


@METHODS
def test_no_answers_and_only_abstentions_have_no_value(method):
    for given_ in ([], said(None, None)):
        found = method(given_)
        assert (found.value, found.agreement, found.headcount) == (None, 0.0, 0.0)
        assert (found.dissent, found.tied) == ((), ())
        assert found.abstained == tuple(each.agent for each in given_)


@pytest.mark.parametrize("confidence", [1.0, 0.0, 0.25])
@METHODS
def test_one_answer_is_the_result_whatever_its_confidence(method, confidence):
    value = {"x": "yes", "y": {"deep": 2}} if method is hierarchical else 7
    found = method([Answer("a", value, confidence)])
    assert (found.value, found.agreement, found.headcount) == (value, 1.0, 1.0)
    assert (found.dissent, found.tied, found.abstained) == ((), (), ())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, Decimal("NaN"), None])
@METHODS
def test_a_value_that_is_none_or_not_finite_abstains(method, value):
    usual = {"n": 7.0} if method is hierarchical else 7
    found = method(said(usual, value, usual))
    assert (found.value, found.agreement, found.abstained) == (usual, 1.0, ("b",))


@pytest.mark.parametrize("confidence", [math.nan, math.inf, -math.inf, -0.1, 10**400, "high", None])
def test_a_confidence_that_is_no_weight_is_refused_by_name(confidence):
    with pytest.raises(ConfigurationError, match="agent 'ada'"):
        Answer("ada", "yes", confidence)


@given(answers(VALUES[vote] | MISSING))
def test_views_and_abstentions_have_every_answer_once(given_):
    for found in (vote(given_), consensus(given_)):
        agents = [agent for view in found.views for agent in view.agents]
        assert sorted([*agents, *found.abstained]) == sorted(each.agent for each in given_)
        assert math.fsum(view.share for view in found.views) == pytest.approx(
            1.0 if agents else 0.0
        )


def test_a_vote_adds_up_confidences_or_counts_heads():
    given_ = said("Paris", ("Lyon", 0.5), ("lyon.", 0.25), ("Rome", 0.25), None)
    paris = View("Paris", ("a",), 0.5)
    lyon, rome = View("Lyon", ("b", "c"), 0.375), View("Rome", ("d",), 0.125)
    assert vote(given_) == Vote(
        value="Paris",
        agreement=0.5,
        headcount=0.25,
        dissent=(lyon, rome),
        abstained=("e",),
        views=(paris, lyon, rome),
    )
    assert vote(given_, weighted=False).value == "Lyon"


def test_a_tie_is_said_and_not_broken():
    found = vote(said("b", "a", "c", "a", "b"))
    assert (found.value, found.tied) == (None, ("a", "b"))
    assert [view.value for view in found.dissent] == ["c"]
    assert found.agreement == 0.4


def test_rounding_makes_and_breaks_no_tie():
    for one, two, sum_ in ((0.1, 0.2, 0.3), (0.21, 0.46, 0.67), (0.1, 0.7, 0.8)):
        assert vote(said(("a", one), ("a", two), ("b", sum_))).tied == ("a", "b")
    assert vote(said(("a", 0.3), ("b", 0.3000001))).value == "b"
    assert vote(said(("a", 1e308), ("a", 1e308), ("b", 1.5e308))).value == "a"


def test_where_nobody_is_confident_each_answer_counts_the_same():
    found = vote(said("a", "a", "b", confidence=0.0))
    assert (found.value, found.agreement) == ("a", pytest.approx(2 / 3))
    assert vote(said(("a", 0.0), ("a", 0.0), ("b", 0.1))).value == "b"


def test_without_a_quorum_there_is_no_value():
    given_ = said("a", "a", None, None)
    assert vote(given_, quorum=0.5).value == "a"
    found = vote(given_, quorum=0.51)
    assert (found.value, found.is_quorate, found.agreement) == (None, False, 1.0)
    assert vote([], quorum=0.5).is_quorate is True
    with pytest.raises(ConfigurationError, match="quorum is 2"):
        vote(given_, quorum=2)


def test_a_view_is_worded_as_most_of_its_weight_words_it():
    assert vote(said(("PARIS", 0.2), ("Paris", 0.5), ("paris", 0.2))).value == "Paris"


def test_consensus_clusters_long_answers_by_meaning():
    found = consensus(said(*LONG[:3], (None, 1.0)))
    assert isinstance(found, Consensus)
    assert found.value == LONG[1]
    assert found.agreement == pytest.approx(2 / 3)
    assert [(view.agents, view.value) for view in found.dissent] == [(("c",), LONG[2])]
    assert found.abstained == ("d",)


@pytest.mark.parametrize("pair", [("41", "42"), ("yes", "no"), ("very yes", "very no"), (1, 2)])
def test_short_and_numeric_answers_are_the_same_only_exactly(pair):
    found = consensus(said(*pair), threshold=0.01, same=lambda one, other: True)
    assert (found.value, len(found.views)) == (None, 2)


def test_short_answers_load_no_embeddings():
    assert consensus(said("yes", "no", "yes"), embeddings="no such embeddings").value == "yes"
    with pytest.raises(ConfigurationError, match="no such embeddings"):
        consensus(said(*LONG), embeddings="no such embeddings")


def test_consensus_refuses_a_threshold_that_is_no_cosine():
    with pytest.raises(ConfigurationError, match="threshold is 0"):
        consensus(said("a"), threshold=0)


def test_a_mean_by_hand():
    found = weighted_mean(said((10, 0.5), ("12", 0.25), (16.0, 0.25)))
    # mean = 5 + 3 + 4; variance = (0.5*4 + 0 + 0.25*16) / (1 - 0.375)
    assert found == Mean(
        value=12.0,
        variance=9.6,
        agreement=0.25,
        headcount=1 / 3,
        dissent=(View(10, ("a",), 0.5), View(16.0, ("c",), 0.25)),
    )
    assert weighted_mean(said(10, 12, 16), tolerance=10).dissent == ()


def test_equal_confidences_give_the_usual_mean_and_variance():
    found = weighted_mean(said(1, 2, 3, 4, confidence=0.0))
    assert (found.value, found.variance) == (2.5, pytest.approx(5 / 3))
    assert weighted_mean(said(3)).variance is None
    assert weighted_mean(said((3, 1.0), (5, 0.0))).variance is None


def test_a_mean_is_exact_for_numbers_of_any_size():
    assert weighted_mean(said(1e16, 1.0, -1e16)).value == pytest.approx(1 / 3, rel=1e-15)
    huge = weighted_mean(said(1.7e308, 1.7e308, -1.7e308))
    assert (huge.value, huge.variance) == (pytest.approx(1.7e308 / 3), math.inf)
    assert weighted_mean(said(0.1, 0.1, 0.1), tolerance=0).agreement == 1.0


@pytest.mark.parametrize("value", ["about ten", True, [1], 10**400])
def test_a_value_that_cannot_be_averaged_is_refused_by_name(value):
    with pytest.raises(ConfigurationError, match="agent 'b'"):
        weighted_mean(said(1, value))


class Offer(BaseModel):
    price: float
    count: int
    ready: bool
    note: str
    place: dict


def offer(price, count, note, city):
    return Offer(price=price, count=count, ready=True, note=note, place={"city": city})


def test_components_are_aggregated_by_their_type():
    found = hierarchical(
        [
            Answer("a", offer(9, 1989, LONG[0], "Oslo")),
            Answer("b", offer(11, 1991, LONG[1], "Oslo")),
            Answer("c", offer(10, 1991, LONG[2], "Rome"), 0.5),
        ]
    )
    assert found.value == {
        "price": 10.0,
        "count": 1991,
        "ready": True,
        "note": LONG[1],
        "place": {"city": "Oslo"},
    }
    kinds = {name: type(part).__name__ for name, part in found.parts.items()}
    assert kinds == {
        "count": "Vote",
        "note": "Consensus",
        "place": "Hierarchy",
        "price": "Mean",
        "ready": "Vote",
    }
    assert found.agreement == pytest.approx(0.2)  # of the price: one of three is near the mean
    assert View({"place": {"city": "Rome"}}, ("c",), 0.2) in found.dissent


def test_how_components_are_aggregated_can_be_declared():
    values = [{"n": 1, "deep": {"n": 1}}, {"n": 2, "deep": {"n": 2}}]
    how = {"n": weighted_mean, "deep": {"n": weighted_mean}}
    assert hierarchical(said(*values), how).value == {"n": 1.5, "deep": {"n": 1.5}}
    undeclared = hierarchical(said(*values))
    assert undeclared.value == {"n": None, "deep": {"n": None}}
    assert undeclared.tied == ({"deep": {"n": 1}}, {"deep": {"n": 2}}, {"n": 1}, {"n": 2})


def test_an_answer_abstains_from_a_component_that_it_lacks():
    found = hierarchical(said({"x": 1}, {"x": 1, "y": 2}, None), {"never": vote})
    assert found.value == {"x": 1, "y": 2, "never": None}
    assert found.parts["y"].abstained == ("a", "c")
    assert (found.abstained, found.agreement) == (("c",), 1.0)


def test_a_component_that_is_not_finite_abstains():
    found = hierarchical(said({"x": 1.0}, {"x": math.nan}, {"x": 2}))
    assert (found.value, found.parts["x"].abstained) == ({"x": 1.5}, ("b",))
    mixed = hierarchical(said({"x": 1.0}, {"x": True}, {"x": 1}))
    assert (mixed.value, type(mixed.parts["x"])) == ({"x": 1}, Vote)


def test_components_may_have_any_names():
    assert hierarchical(said({1: "x", "1": "y"}, {"1": "y", 1: "x"})).value == {1: "x", "1": "y"}


def test_a_value_without_components_is_refused_by_name():
    with pytest.raises(ConfigurationError, match="agent 'b'"):
        hierarchical(said({"x": 1}, "x is 1"))
