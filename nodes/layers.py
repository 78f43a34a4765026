"""What three layers hand each other: a directive down, orders down, a report up; pure functions.

The strategic layer says what is wanted and which way to go, the tactical layer who does what
when, the operational layer does it. Errors travel up as setbacks.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from cogwork.core.errors import ConfigurationError, PlanningError
from cogwork.nodes.plan import Plan, StepResult
from cogwork.nodes.ranking import Options
from cogwork.nodes.recovery import Action, Rung, next_rung
from cogwork.nodes.roles import Assignment, Requirement

__all__ = [
    "LAYERS",
    "STRATEGIES",
    "Check",
    "Directive",
    "Goal",
    "Orders",
    "Report",
    "Setback",
    "climb",
    "in_sequence",
    "report_of",
    "split_budget",
    "strategy_options",
]

Layer: TypeAlias = Literal["strategic", "tactical", "operational"]
LAYERS: Final[dict[str, float]] = {"strategic": 0.1, "tactical": 0.1, "operational": 0.8}
"""How a budget is split unless said otherwise."""

STRATEGIES: Final[dict[str, str]] = {
    "direct": "one agent does the whole",
    "divide": "parts go to those who can do them, at the same time where they can",
    "stepwise": "parts are done one after the other, each on all that was found before",
}
"""The strategies there are."""


class Goal(BaseModel):
    """A goal that can be reached and checked (specific, measurable, bound in time).

    Attributes:
        intent: What is wanted, in one sentence.
        outcomes: What is to be there in the end.
        constraints: What must be kept to.
        success: By what one sees that it worked.
        priority: Beside other goals.
        deadline: Until when, as it was said; None where nothing was.
    """

    model_config = ConfigDict(frozen=True)

    intent: Annotated[str, Field(min_length=1)]
    outcomes: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    success: tuple[str, ...] = ()
    priority: Literal["low", "normal", "high", "critical"] = "normal"
    deadline: str | None = None


class Directive(BaseModel):
    """From the strategic to the tactical layer.

    Attributes:
        goal: What is wanted.
        strategy: One of `STRATEGIES`.
        budget: What each layer may spend, in the unit of `estimated_cost`.
        notes: What is known of earlier ways that failed.
    """

    model_config = ConfigDict(frozen=True)

    goal: Goal
    strategy: str
    budget: dict[str, float]
    notes: tuple[str, ...] = ()


class Check(BaseModel):
    """What is watched about a step.

    Attributes:
        step: Its id.
        max_attempts: More than these are worth a word.
        max_seconds: So is a longer time; None where nobody said.
    """

    model_config = ConfigDict(frozen=True)

    step: str
    max_attempts: int = 1
    max_seconds: float | None = None


class Orders(BaseModel):
    """From the tactical to the operational layer.

    Attributes:
        plan: What is to be done.
        assignments: Who does it, by step.
        budget: What each step may spend.
        checks: The monitoring plan.
        results: Of steps that are done already.
    """

    model_config = ConfigDict(frozen=True)

    plan: Plan
    assignments: dict[str, Assignment]
    budget: dict[str, float]
    checks: tuple[Check, ...] = ()
    results: dict[str, StepResult] = {}


class Setback(BaseModel):
    """Why a layer cannot go on.

    Attributes:
        layer: Which one.
        reason: In words.
        is_uncertain: Whether something may have happened all the same, so that nothing must
            be done in another way.
    """

    model_config = ConfigDict(frozen=True)

    layer: Layer
    reason: str
    is_uncertain: bool = False


class Report(BaseModel):
    """From the operational layer up.

    Attributes:
        results: How each step went.
        outputs: What the completed ones gave, transformed.
        remarks: What the monitoring plan found.
        setback: Why not everything was done; None when it was.
    """

    model_config = ConfigDict(frozen=True)

    results: dict[str, StepResult]
    outputs: dict[str, Any]
    remarks: tuple[str, ...] = ()
    setback: Setback | None = None


def split_budget(total: float, weights: Mapping[str, float]) -> dict[str, float]:
    """Return shares of a budget that add up to it.

    Args:
        total: In any unit.
        weights: Of each share beside the others; where all are 0 each counts the same.

    Raises:
        ConfigurationError: A number is negative or not finite.

    Examples:
        >>> split_budget(100, {"think": 1, "do": 3})
        {'think': 25.0, 'do': 75.0}
    """
    given = [total, *weights.values()]
    if not all(math.isfinite(each) and each >= 0 for each in given):
        raise ConfigurationError(
            f"a budget of {total} cannot be split by {dict(weights)}; give finite numbers from 0 on"
        )
    whole = math.fsum(weights.values())
    if not whole:
        return {key: total / len(weights) for key in weights}
    return {key: total * (each / whole) for key, each in weights.items()}


def strategy_options(goal: Goal, parts: int, tried: Sequence[str] = ()) -> Options:
    """Return what `expected_utility` chooses a strategy by.

    One agent is surest and cheapest where there is one outcome; the more there are, the
    more is gained by dividing them. What was tried is left out.

    Args:
        goal: What is wanted.
        parts: How many outcomes it has, as far as one can see.
        tried: Strategies that failed.
    """
    many = max(parts, len(goal.outcomes), 1)
    urgent = 1.5 if goal.deadline or goal.priority in ("high", "critical") else 1.0
    options = {
        "direct": {"value": 10.0, "probability": 0.9 ** (many - 1), "time": 0.5 * many * urgent},
        "divide": {"value": 10.0, "probability": 0.9, "time": 0.5 * urgent, "cost": 0.2 * many},
        "stepwise": {"value": 10.0, "probability": 0.85, "time": 0.5 * many * urgent},
    }
    return {name: numbers for name, numbers in options.items() if name not in tried}


def climb(
    ladder: Sequence[Rung], setback: Setback, used: Sequence[int], possible: Sequence[Action]
) -> tuple[Action | None, list[int]]:
    """Return what a layer does about a setback of the one below, and how often each rung was used.

    Args:
        ladder: Tried in its order.
        setback: What went wrong.
        used: How often each rung was used before; none where it is empty.
        possible: What can be done at all. What may have happened is only escalated.
    """
    counts = list(used) or [0] * len(ladder)
    open_: Sequence[Action] = ["escalate"] if setback.is_uncertain else possible
    left = [rung for rung, count in zip(ladder, counts, strict=True) if count < rung.limit]
    rung = next_rung(
        left, PlanningError(setback.reason), Counter(), [each for each in open_ if each in possible]
    )
    if rung is None:
        return None, counts
    place = next(n for n, each in enumerate(ladder) if each is rung)
    counts[place] += 1
    return rung.action, counts


def report_of(
    orders: Orders, results: Mapping[str, StepResult], outputs: Mapping[str, Any]
) -> Report:
    """Return the report on orders that were carried out.

    Args:
        orders: What was to be done.
        results: How each step went.
        outputs: What they gave, transformed.
    """
    lost = [one for one in results.values() if one.status in ("failed", "blocked")]
    setback = None
    if lost:
        setback = Setback(
            layer="operational",
            reason="; ".join(f"step '{one.id}' {one.status}: {one.error}" for one in lost),
            is_uncertain=any(one.uncertain for one in lost),
        )
    remarks = [each for check in orders.checks for each in _remarks(check, results)]
    return Report(
        results=dict(results), outputs=dict(outputs), remarks=tuple(remarks), setback=setback
    )


def in_sequence(requirements: Sequence[Requirement]) -> list[Requirement]:
    """Return requirements of which each waits for all before it.

    Args:
        requirements: In an order that their dependencies allow.
    """
    keys = [each.id for each in requirements]
    return [
        each.model_copy(update={"depends_on": tuple(keys[:place])})
        for place, each in enumerate(requirements)
    ]


def _remarks(check: Check, results: Mapping[str, StepResult]) -> list[str]:
    one = results.get(check.step)
    if one is None:
        return []
    found = []
    if one.attempts > check.max_attempts:
        found.append(f"step '{one.id}' took {one.attempts} attempts")
    if check.max_seconds is not None and one.seconds > check.max_seconds:
        found.append(f"step '{one.id}' took {one.seconds:.1f} s, over {check.max_seconds:g} s")
    return found
