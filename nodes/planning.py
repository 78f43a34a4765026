"""Planning: what a planner is asked, and the node that asks it until the plan holds.

A planner is an async function from a `PlanRequest` to a `Plan`. It may be wrong: the node
checks every plan, sends the faults back once, and then refuses with all of them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool

from cogwork.core.bridge import Node, node
from cogwork.core.errors import PlanningError
from cogwork.nodes.history import is_question
from cogwork.nodes.plan import Plan, StepResult
from cogwork.nodes.plan_check import MAX_STEPS, check_plan
from cogwork.tools.taint import inherited_taint, merge_taint, taint_of

__all__ = ["PlanRequest", "Planner", "make_plan", "make_review"]

_REMEMBERED = 5  # executions that replanning looks back on
_CONTEXT = 4_000  # characters of what was said before


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What a planner is asked.

    Args:
        goal: What the plan is to achieve.
        tools: What its steps may call.
        context: What is known besides the goal.
        refused: The planner's last answer, when it was refused.
        faults: Why it was; empty at first.
        earlier: Plans that were executed for this goal and did not achieve it, with how
            their steps went, newest last, at most 5. Steps that are completed are kept: a new
            plan that names them again gets their results without running them.
        examples: Plans that achieved similar goals.
        max_steps: How many steps the plan may have.
    """

    goal: str
    tools: Sequence[BaseTool] = ()
    context: str = ""
    refused: Plan | None = None
    faults: Sequence[str] = ()
    earlier: Sequence[tuple[Plan, Mapping[str, StepResult]]] = ()
    examples: Sequence[Plan] = ()
    max_steps: int = MAX_STEPS

    @property
    def results(self) -> dict[str, StepResult]:
        """The completed steps of earlier plans, by id."""
        return {
            key: result
            for _, results in self.earlier
            for key, result in results.items()
            if result.status == "completed"
        }


Planner: TypeAlias = Callable[[PlanRequest, RunnableConfig], Awaitable[Plan]]
"""Makes a plan, or raises `PlanningError`."""


def make_plan(
    planner: Planner,
    tools: Sequence[BaseTool] = (),
    *,
    max_cost: float | None = None,
    max_steps: int = MAX_STEPS,
) -> Node:
    """Make the node that plans for the last question, and again when a plan has failed.

    Args:
        planner: Makes the plans.
        tools: What their steps may call.
        max_cost: What all steps together may be estimated to cost.
        max_steps: How many steps a plan may have.

    Raises:
        PlanningError: From the node: also the second plan is invalid; the faults are named.
    """

    @node(loop=True)
    async def plan(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Make a plan that holds.

        Reads: messages, plan, earlier, feedback, taint
        Writes: plan, results, feedback, plan_taint
        """
        question, context = _question(state["messages"])
        earlier = [
            (old, results) for old, results in state.get("earlier") or () if old.goal == question
        ]
        feedback = state.get("feedback")
        request = PlanRequest(
            goal=question,
            tools=tools,
            context=context,
            refused=state.get("plan") if feedback else None,
            faults=[feedback] if feedback else [],
            earlier=earlier[-_REMEMBERED:],
            max_steps=max_steps,
        )
        made = await _ask(planner, request, config, max_cost)
        read = taint_of(state) if "taint" in state else ()
        update = {"plan": made, "results": _kept(made, request), "feedback": None}
        return {**update, "plan_taint": merge_taint(read, inherited_taint())}

    return plan


def make_review(
    max_replans: int,
    *,
    remember: Callable[[Plan, Mapping[str, StepResult]], Awaitable[Any]] | None = None,
) -> Node:
    """Make the node that looks whether a plan has failed and another may be made.

    Args:
        max_replans: How often, for one question.
        remember: Is told of plans that worked, but for those made in a tainted run.
    """

    @node(loop=True)
    async def review(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Note a plan that failed, as long as another may be made.

        Reads: plan, results, earlier, plan_taint
        Writes: earlier, stop_reason
        """
        plan, results = state["plan"], state.get("results") or {}
        earlier = [each for each in state.get("earlier") or () if each[0].goal == plan.goal]
        lost = any(one.status in ("failed", "blocked") for one in results.values())
        if lost and len(earlier) < max_replans:
            return {"earlier": [*earlier, (plan, results)], "stop_reason": "replan"}
        if remember is not None and not (lost or state.get("plan_taint")):
            await remember(plan, results)
        return {"stop_reason": None}

    return review


async def _ask(
    planner: Planner, request: PlanRequest, config: RunnableConfig, max_cost: float | None
) -> Plan:
    """A valid plan: the planner's first, or its second after the faults of the first."""
    made, faults = await _checked(planner, request, config, max_cost)
    if faults:
        again = replace(request, refused=made, faults=faults)
        made, faults = await _checked(planner, again, config, max_cost)
    if faults:
        raise PlanningError(
            f"there is no valid plan for '{request.goal:.200}': " + "; ".join(faults),
            details={"plan": made.model_dump(mode="json"), "faults": faults},
        )
    return made.model_copy(update={"goal": request.goal})


async def _checked(
    planner: Planner, request: PlanRequest, config: RunnableConfig, max_cost: float | None
) -> tuple[Plan, list[str]]:
    made = await planner(request, config)
    return made, check_plan(made, request.tools, max_cost=max_cost, max_steps=request.max_steps)


def _kept(plan: Plan, request: PlanRequest) -> dict[str, StepResult]:
    """The results of those steps that the new plan has again, doing the same."""
    return {
        step.id: results[step.id]
        for old, results in request.earlier
        for step in old.steps
        if step in plan.steps and step.id in results and results[step.id].status == "completed"
    }


def _question(messages: Sequence[AnyMessage]) -> tuple[str, str]:
    """The last question, and what was said before it."""
    place = next((n for n in range(len(messages) - 1, -1, -1) if is_question(messages[n])), None)
    if place is None:
        raise PlanningError("there is no question to plan for; send a message")
    said = [f"{each.type}: {each.text}" for each in messages[:place] if each.text.strip()]
    return str(messages[place].text), "\n".join(said)[-_CONTEXT:]
