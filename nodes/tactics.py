"""The tactical layer: the parts of a goal, who does them, what they may cost, what is watched."""

from collections.abc import Sequence
from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_core.runnables import RunnableConfig

from cogwork.core.bridge import Node, in_thread, node
from cogwork.core.errors import PlanningError
from cogwork.core.models import ChatModel
from cogwork.nodes.layers import (
    Check,
    Directive,
    Orders,
    Report,
    Setback,
    climb,
    in_sequence,
    split_budget,
)
from cogwork.nodes.plan_check import check_plan
from cogwork.nodes.planners.draft import inert
from cogwork.nodes.planning import kept_results
from cogwork.nodes.recovery import Action, Rung
from cogwork.nodes.requirements import analyze_goal
from cogwork.nodes.roles import Requirement, Role, assign_roles, requirements_plan

__all__ = ["make_break_down", "make_order", "make_review_report", "route_after_review_report"]

_NEAREST = 1e-6  # a cosine that any role has, where one of them is to do the whole


def make_break_down(model: ChatModel, roles: Sequence[Role]) -> Node:
    """Make the node that breaks a goal into parts, as the strategy says.

    Args:
        model: Says what the goal requires.
        roles: Of the team.

    Raises:
        ModelError: From the node: the model cannot be reached.
    """

    @node
    async def break_down(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Say what the goal requires.

        Reads: directive, report
        Writes: needs, setback
        """
        directive: Directive = state["directive"]
        goal, report = directive.goal, state.get("report")
        if directive.strategy == "direct":
            whole = Requirement(id="goal", description=inert(goal.intent))
            return {"needs": [whole], "setback": None}
        notes = [*directive.notes, *([report.setback.reason] if report else [])]
        said = [*(f"Constraint: {each}" for each in goal.constraints), *notes]
        try:
            needs = await analyze_goal(
                model, goal.intent, roles, context="\n".join(said), config=config
            )
        except PlanningError as error:
            return {"needs": [], "setback": Setback(layer="tactical", reason=str(error))}
        if directive.strategy == "stepwise":
            order = requirements_plan(needs).order
            needs = in_sequence(sorted(needs, key=lambda each: order.index(each.id)))
        return {"needs": needs, "setback": None}

    return break_down


def make_order(
    roles: Sequence[Role],
    *,
    embeddings: Embeddings | str = "static",
    threshold: float = 0.4,
    max_seconds: float | None = None,
) -> Node:
    """Make the node that says who does what, for how much, and what is watched.

    What nobody can do, what cannot be executed, what costs more than the operational layer
    may spend, and parts that are those which failed, are setbacks for the layer above.

    Args:
        roles: Of the team.
        embeddings: By which capabilities are compared; see `assign_roles`.
        threshold: Least cosine by which a role fits.
        max_seconds: For a step, before the report has a word about it.
    """

    @node
    async def order(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Make orders of the parts.

        Reads: directive, needs, orders, report, setback
        Writes: orders, setback
        """
        directive, needs, before = state["directive"], state["needs"], state.get("orders")
        if state.get("setback"):
            return {"orders": None}
        spare = directive.budget["operational"]
        plan = requirements_plan(needs, goal=directive.goal.intent)
        faults = check_plan(plan, max_cost=spare)
        least = _NEAREST if directive.strategy == "direct" else threshold

        def match() -> Any:
            return assign_roles(needs, roles, embeddings=embeddings, threshold=least)

        found, gaps = ([], []) if faults else await in_thread(None, match)
        faults = [*faults, *map(str, gaps)]
        if before and before.plan == plan:
            faults = [*faults, "the parts are those that failed"]
        if faults:
            setback = Setback(layer="tactical", reason="; ".join(faults))
            return {"orders": None, "setback": setback}
        earlier = [(before.plan, state["report"].results)] if before else []
        return {
            "orders": Orders(
                plan=plan,
                assignments={each.requirement: each for each in found},
                budget=split_budget(spare, {each.id: each.estimated_cost for each in plan.steps}),
                checks=tuple(Check(step=each.id, max_seconds=max_seconds) for each in plan.steps),
                results=kept_results(plan, earlier),
            ),
            "setback": None,
        }

    return order


def make_review_report(ladder: Sequence[Rung]) -> Node:
    """Make the node that says what is done about what the operational layer could not do.

    Args:
        ladder: `recompose` breaks the goal down anew, and keeps what is done; nothing else is
            left to do here. What it does not take goes to the layer above.
    """

    @node
    def review(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Say what is done about a setback.

        Reads: report, directive, tactical_used
        Writes: tactical_used, setback, orders
        """
        report: Report = state["report"]
        setback = report.setback or Setback(layer="operational", reason="nothing was reported")
        possible: list[Action] = [] if state["directive"].strategy == "direct" else ["recompose"]
        action, used = climb(ladder, setback, state.get("tactical_used") or (), possible)
        if action:
            return {"tactical_used": used, "setback": None}
        up = setback.model_copy(update={"layer": "tactical"})
        return {"tactical_used": used, "setback": up, "orders": None}

    return review


def route_after_review_report(state: Any) -> str:
    """Break down anew, or give up."""
    return "up" if state.get("setback") else "again"
