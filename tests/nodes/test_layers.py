"""What layers hand each other: budgets add up, setbacks climb, strategies fit the goal."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cogwork.core.errors import ConfigurationError
from cogwork.nodes.layers import (
    STRATEGIES,
    Check,
    Goal,
    Orders,
    Setback,
    climb,
    in_sequence,
    report_of,
    split_budget,
    strategy_options,
)
from cogwork.nodes.operations import choose_tools
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.ranking import expected_utility
from cogwork.nodes.recovery import Rung
from cogwork.nodes.roles import Requirement
from cogwork.tools.base import tool

LADDER = (Rung("recompose"), Rung("fallback", limit=2), Rung("escalate"))
BAD = Setback(layer="tactical", reason="burnt")


def best(goal, **more):
    return expected_utility(strategy_options(goal, len(goal.outcomes), **more))[0].option


def test_one_outcome_goes_to_one_agent_and_many_are_divided():
    assert best(Goal(intent="x", outcomes=("a",))) == "direct"
    assert best(Goal(intent="x", outcomes=("a", "b", "c"))) == "divide"


def test_what_was_tried_is_not_chosen_again():
    goal = Goal(intent="x", outcomes=("a", "b"))
    assert best(goal, tried=["divide"]) == "direct"
    assert strategy_options(goal, 2, tried=list(STRATEGIES)) == {}


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0, 1e6),
    st.dictionaries(st.text(max_size=3), st.floats(0, 1e6), min_size=1, max_size=6),
)
def test_shares_of_a_budget_add_up_to_it(total, weights):
    shares = split_budget(total, weights)
    assert shares.keys() == weights.keys()
    assert math.isclose(math.fsum(shares.values()), total, rel_tol=1e-9, abs_tol=1e-300)
    assert all(share >= 0 for share in shares.values())


@pytest.mark.parametrize("total", [-1, math.nan, math.inf])
def test_impossible_budgets_are_refused(total):
    with pytest.raises(ConfigurationError, match="cannot be split"):
        split_budget(total, {"a": 1})


def test_setback_climbs_the_ladder_rung_by_rung():
    used, actions = [], []
    for _ in range(5):
        action, used = climb(LADDER, BAD, used, ["recompose", "fallback", "escalate"])
        actions.append(action)
    assert actions == ["recompose", "fallback", "fallback", "escalate", None]
    assert used == [1, 2, 1]


def test_only_what_is_possible_is_climbed():
    assert climb(LADDER, BAD, [], ["fallback"]) == ("fallback", [0, 1, 0])
    assert climb(LADDER, BAD, [], []) == (None, [0, 0, 0])


def test_what_may_have_happened_is_only_escalated():
    unsure = BAD.model_copy(update={"is_uncertain": True})
    assert climb(LADDER, unsure, [], ["recompose", "escalate"])[0] == "escalate"
    assert climb(LADDER, unsure, [], ["recompose", "fallback"])[0] is None


def test_report_names_what_failed_and_what_was_watched():
    plan = Plan(steps=[Step(id="a", description="x"), Step(id="b", description="y")])
    checks = (Check(step="a", max_seconds=1), Check(step="absent"))
    orders = Orders(plan=plan, assignments={}, budget={}, checks=checks)
    good = StepResult(id="a", status="completed", result=1, attempts=2, started_at=1, finished_at=3)
    bad = StepResult(id="b", status="failed", error="burnt", uncertain=True)
    report = report_of(orders, {"a": good, "b": bad}, {"a": 1})
    assert report.remarks == ("step 'a' took 2 attempts", "step 'a' took 2.0 s, over 1 s")
    assert report.setback == Setback(
        layer="operational", reason="step 'b' failed: burnt", is_uncertain=True
    )
    assert report_of(orders, {"a": good}, {}).setback is None


def test_sequence_waits_for_all_before():
    needs = [Requirement(id=key, description=key) for key in "abc"]
    assert [each.depends_on for each in in_sequence(needs)] == [(), ("a",), ("a", "b")]


def test_each_step_gets_the_tools_nearest_to_it():
    def make(name, about):
        def work(what: str) -> str:
            return what

        work.__name__, work.__doc__ = name, about
        return tool(effect="read")(work)

    tools = [
        make("weather", "Tell the weather forecast of a city."),
        make("calculator", "Compute an arithmetic expression."),
        make("mail", "Send a message to somebody."),
    ]
    plan = Plan(
        steps=[
            Step(id="rain", description="Find the weather forecast for Oslo"),
            Step(id="sum", description="Compute the arithmetic expression 6 * 7"),
        ]
    )
    assert choose_tools(plan, tools, most=1) == {"rain": ("weather",), "sum": ("calculator",)}
    every = ("calculator", "mail", "weather")
    assert choose_tools(plan, tools, most=3) == {"rain": every, "sum": every}
