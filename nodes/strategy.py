"""The strategic layer: what is wanted, which way to go, and another way when one has failed."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import interrupt

from cogwork.core.bridge import Node, node
from cogwork.core.errors import ConfigurationError, PlanningError, StructuredOutputError
from cogwork.core.models import ChatModel
from cogwork.core.structured import structured_output
from cogwork.nodes.layers import (
    LAYERS,
    STRATEGIES,
    Directive,
    Goal,
    Setback,
    climb,
    split_budget,
    strategy_options,
)
from cogwork.nodes.ranking import Options
from cogwork.nodes.recovery import Action, Rung
from cogwork.nodes.requirements import goal_of

__all__ = [
    "NONE_LEFT",
    "make_clarify",
    "make_direct",
    "make_reconsider",
    "options_left",
    "route_after_reconsider",
]

NONE_LEFT: Final = "none"
"""The choice where every strategy was tried."""

_RULES = """
Say what is wanted, so that others can do it and see whether it worked: the intent in one sentence,
the outcomes that are to be there in the end, constraints that were stated, by what one sees that
it worked, how urgent it is, and the deadline if one was stated. Make nothing up.
"""


def make_clarify(model: ChatModel) -> Node:
    """Make the node that turns the last question into a goal; one that is given is taken.

    Args:
        model: Any LangChain chat model. Where it says nothing usable, the question is the
            goal's intent and only outcome.

    Raises:
        PlanningError: From the node: there is no question.
        ModelError: From the node: the model cannot be reached.
    """

    @node
    async def clarify(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Say what is wanted.

        Reads: messages, given_goal
        Writes: goal, given_goal
        """
        if (goal := state.get("given_goal")) is not None:
            return {"goal": Goal.model_validate(goal), "given_goal": None}
        question, context = goal_of(state.get("messages") or ())
        if not question:
            raise PlanningError("there is nothing to clarify; send a message, or give a goal")
        before = [SystemMessage(f"What was said before:\n{context}")] if context else []
        asked = [SystemMessage(_RULES.strip()), *before, HumanMessage(question)]
        try:
            found: Goal = await structured_output(model, Goal, asked, config)
        except StructuredOutputError:
            found = Goal(intent=question, outcomes=(question,))
        return {"goal": found, "given_goal": None}

    return clarify


def options_left(state: Any) -> Options:
    """Return the strategies to choose from, for `make_decide`.

    Args:
        state: With the `goal`, and what was `tried`.
    """
    goal: Goal = state["goal"]
    return strategy_options(goal, len(goal.outcomes), state.get("tried") or ())


def make_direct(budget: float | Mapping[str, float]) -> Node:
    """Make the node that hands the goal down with a strategy and a budget.

    Args:
        budget: For one goal, in the unit of `estimated_cost`: all of it, to be split by
            `LAYERS`, or what each layer may spend.

    Raises:
        ConfigurationError: The budget cannot be split.
    """
    shares = _shares(budget)

    @node
    def direct(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Hand the goal down.

        Reads: goal, decision, tried, setback
        Writes: directive, tried, setback, tactical_used, orders, report
        """
        choice, setback = state["decision"]["choice"], state.get("setback")
        if choice == NONE_LEFT:
            return {"directive": None}
        notes = (setback.reason,) if setback else ()
        return {
            "directive": Directive(goal=state["goal"], strategy=choice, budget=shares, notes=notes),
            "tried": [*(state.get("tried") or ()), choice],
            "setback": None,
            "tactical_used": [],
            "orders": None,
            "report": None,
        }

    return direct


def _shares(budget: float | Mapping[str, float]) -> dict[str, float]:
    if not isinstance(budget, Mapping):
        return split_budget(budget, LAYERS)
    if budget.keys() != LAYERS.keys():
        raise ConfigurationError(
            f"the budget is split by {sorted(budget)}; give a number for each of {sorted(LAYERS)}"
        )
    return split_budget(sum(budget.values()), budget)


def make_reconsider(ladder: Sequence[Rung]) -> Node:
    """Make the node that says what is done when the tactical layer has given up.

    Args:
        ladder: `fallback` goes on to another strategy; `escalate` asks a person, who names
            one, or says `stop`; nothing else is left to do here.
    """

    @node
    def reconsider(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Say how to go on after a setback.

        Reads: goal, setback, tried, strategic_used
        Writes: strategic_used, course, decision, directive
        """
        setback: Setback = state["setback"]
        tried = state.get("tried") or ()
        left = [name for name in STRATEGIES if name not in tried]
        possible: list[Action] = ["escalate", *(["fallback"] if left else [])]  # type: ignore[list-item]  # a literal
        action, used = climb(ladder, setback, state.get("strategic_used") or (), possible)
        if action == "fallback":
            return {"strategic_used": used, "course": "decide"}
        choice = _ask(state["goal"], setback, tried) if action else "stop"
        if choice == "stop":
            return {"strategic_used": used, "course": "stop", "directive": None}
        return {
            "strategic_used": used,
            "course": "direct",
            "decision": {"choice": choice, "scores": {}, "tied": []},
        }

    return reconsider


def route_after_reconsider(state: Any) -> str:
    """Choose again, go the way that a person named, or stop."""
    course: str = state["course"]
    return course


def _ask(goal: Goal, setback: Setback, tried: Sequence[str]) -> str:
    """What a person says: a strategy, or `stop`; asked until it is one of them."""
    options, trouble = [*STRATEGIES, "stop"], ""
    while True:
        question = {
            "type": "setback",
            "goal": goal.intent,
            "error": setback.reason,
            "tried": list(tried),
            "options": options,
        }
        said = str(interrupt({**question, **({"trouble": trouble} if trouble else {})}))
        if (answer := said.strip().lower()) in options:
            return answer
        trouble = f"{said!r:.100} is no answer here; answer {', '.join(options)}"
