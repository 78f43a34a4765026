"""Planning: what a planner is asked, and the node that asks it until the plan holds.

A planner is an async function from a `PlanRequest` to a `Plan`. It may be wrong: the node
checks every plan, sends the faults back once, and then refuses with all of them.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool

from cogwork.core.bridge import Node, node
from cogwork.core.errors import PlanningError
from cogwork.nodes.history import is_question
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.plan_check import MAX_STEPS, check_plan
from cogwork.tools.taint import inherited_taint, merge_taint, taint_of

__all__ = [
    "Executions",
    "PlanRequest",
    "Planner",
    "does_same",
    "kept_results",
    "make_plan",
    "make_review",
]

Executions: TypeAlias = Sequence[tuple[Plan, Mapping[str, StepResult]]]
"""Plans that were executed, with how their steps went, newest last."""

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
            plan that has them again, and all that they depend on, gets their results without
            running them.
        examples: Plans that achieved similar goals.
        max_steps: How many steps the plan may have.
    """

    goal: str
    tools: Sequence[BaseTool] = ()
    context: str = ""
    refused: Plan | None = None
    faults: Sequence[str] = ()
    earlier: Executions = ()
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
    stop_reason: str | None = None,
) -> Node:
    """Make the node that plans for the last question, and again when a plan has failed.

    A new plan that has a failed step again, with nothing about it changed, is no better one:
    the old plan stays, and the stop reason is `incomplete`.

    Args:
        planner: Makes the plans.
        tools: What their steps may call.
        max_cost: What all steps together may be estimated to cost.
        max_steps: How many steps a plan may have.
        stop_reason: Is written with a plan that holds, for a graph that stops there.

    Raises:
        PlanningError: From the node: also the second plan is invalid; the faults are named.
    """

    @node(loop=True)
    async def plan(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Make a plan that holds.

        Reads: messages, plan, earlier, feedback, taint
        Writes: plan, results, feedback, plan_taint, stop_reason
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
        kept = kept_results(made, request.earlier)
        told = {"feedback": None, "plan_taint": merge_taint(read, inherited_taint())}
        if not feedback and _fails_again(made, kept, request.earlier):
            old, results = request.earlier[-1]
            return {**told, "plan": old, "results": results, "stop_reason": "incomplete"}
        return {**told, "plan": made, "results": kept, "stop_reason": stop_reason}

    return plan


def make_review(
    max_replans: int,
    *,
    remember: Callable[[Plan, Mapping[str, StepResult]], Awaitable[Any]] | None = None,
) -> Node:
    """Make the node that looks whether a plan has failed and another may be made.

    None is made when the effect of a failed step may have happened: it could happen twice.

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
        unsure = any(one.uncertain for one in results.values())
        if lost and not unsure and len(earlier) < max_replans:
            return {"earlier": [*earlier, (plan, results)], "stop_reason": "replan"}
        if remember is not None and not (lost or state.get("plan_taint")):
            await remember(plan, results)
        return {"stop_reason": "incomplete" if lost else None}

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


def kept_results(plan: Plan, earlier: Executions) -> dict[str, StepResult]:
    """Return the results of those steps that are done already, and need not run again.

    A step's result is kept when it does the same as before, and all that it rests on is
    kept, too: the very results that it drew on then.

    Args:
        plan: What is to be executed; it has an order.
        earlier: Plans that were executed before, with how their steps went, newest last.
    """
    kept: dict[str, StepResult] = {}
    for key in plan.order:
        for old, results in reversed(earlier):
            gave = results.get(key)
            if gave and gave.status == "completed" and _is_as_it_was(plan, key, old, results, kept):
                kept[key] = gave
                break
    return kept


def does_same(step: Step, other: Step) -> bool:
    """Whether two steps do the same; how the call of a tool is described does not matter.

    Args:
        step: One of them.
        other: The other.
    """
    said = step.tool is not None or step.description == other.description
    return said and step.tool == other.tool and _written(step.args) == _written(other.args)


def _is_as_it_was(
    plan: Plan,
    key: str,
    old: Plan,
    results: Mapping[str, StepResult],
    kept: Mapping[str, StepResult],
) -> bool:
    """Whether a step is what it was in an execution, and rests on the same results."""
    before = {step.id: step for step in old.steps}
    if key not in before or not does_same(plan[key], before[key]):
        return False
    rests, rested = set(plan[key].depends_on), set(before[key].depends_on)
    drew = {each for each in rested if _completed(results.get(each))}
    return drew <= rests <= rested and all(
        _is_same_result(kept.get(each), results[each])
        if each in drew
        else each in before
        and does_same(plan[each], before[each])  # was skipped, and would be again
        for each in rests
    )


def _fails_again(plan: Plan, kept: Mapping[str, StepResult], earlier: Executions) -> bool:
    """Whether a plan has a step that failed before, without any change to it."""
    return any(
        gave.status == "failed"
        and _is_as_it_was(plan, step.id, old, results, kept)
        and step.optional == old[step.id].optional
        for old, results in earlier
        for step in plan.steps
        if (gave := results.get(step.id))
    )


def _completed(result: StepResult | None) -> bool:
    return result is not None and result.status == "completed"


def _is_same_result(one: StepResult | None, other: StepResult) -> bool:
    """Whether two results are of the same run of a step; a checkpoint may have copied them."""
    if one is None or one is other:
        return one is other
    times = (one.started_at, one.finished_at) == (other.started_at, other.finished_at)
    return times and repr(one.result) == repr(other.result)


def _written(args: Mapping[str, Any]) -> str:
    return json.dumps(args, sort_keys=True, default=repr)


def _question(messages: Sequence[AnyMessage]) -> tuple[str, str]:
    """The last question, and what was said before it."""
    place = next((n for n in range(len(messages) - 1, -1, -1) if is_question(messages[n])), None)
    if place is None or not messages[place].text.strip():
        raise PlanningError("there is no question to plan for; send a message with a text")
    said = [f"{each.type}: {each.text}" for each in messages[:place] if each.text.strip()]
    return str(messages[place].text), "\n".join(said)[-_CONTEXT:]
