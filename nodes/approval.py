"""A person looks at the plan before anything runs: approves, edits, rejects or responds.

The question has the form of LangChain's human-in-the-loop requests, so existing inboxes
show it: one action `execute_plan`, whose arguments are the plan.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.types import interrupt
from pydantic import ValidationError

from cogwork.core.bridge import Node, node
from cogwork.core.errors import PlanningError, ToolError
from cogwork.nodes.plan import Plan
from cogwork.nodes.plan_check import check_plan
from cogwork.nodes.planning import kept_results
from cogwork.tools.approval import DECISIONS, decision_in

__all__ = ["make_approve"]

_ACTION: Final = "execute_plan"


def make_approve(
    tools: Sequence[BaseTool] = (),
    *,
    max_cost: float | None = None,
    stop_reason: str | None = None,
) -> Node:
    """Make the node that asks a person whether the plan may run.

    It is answered by `{"decisions": [{"type": "approve"}]}`, by the single decision, or by
    the bare word, with a message behind a colon: `respond: without the web`. `edit` brings `edited_action`, whose `args` are the whole plan; results of
    earlier plans stay with the steps that it leaves as they are. `reject` ends the run;
    `respond` has a new plan made with the `message`. What decides nothing, and an edited plan
    with faults, is asked about again.

    Args:
        tools: What the steps of an edited plan may call.
        max_cost: What they may be estimated to cost together.
        stop_reason: Is written with a plan that may run, for a graph that stops there.
    """

    @node
    async def approve(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Ask whether the plan may run.

        Reads: plan, results
        Writes: plan, results, feedback, stop_reason, messages, earlier
        """
        plan: Plan = state["plan"]
        trouble = ""
        while True:
            try:
                decision = _decision(interrupt(_request(plan, trouble)))
                if decision["type"] == "edit":
                    plan = _edited(plan, decision, tools, max_cost)
                break
            except (PlanningError, ToolError) as error:
                trouble = str(error)
        kind, message = decision["type"], str(decision.get("message") or "")
        if kind == "edit":
            kept = kept_results(plan, [(state["plan"], state.get("results") or {})])
            return {"plan": plan, "results": kept, "stop_reason": stop_reason}
        if kind == "respond":
            return {"feedback": f"A person says of this plan: {message}", "stop_reason": None}
        if kind == "reject":
            said = f"The plan was rejected{f': {message}' if message else '.'}"
            return {"messages": [AIMessage(said)], "stop_reason": "rejected", "earlier": []}
        return {"stop_reason": stop_reason}

    return approve


def _decision(answer: Any) -> Mapping[str, Any]:
    """The decision in an answer, which may come as text: JSON, `word`, or `word: message`."""
    if not isinstance(answer, str):
        return decision_in(answer)
    try:
        given = json.loads(answer)
    except ValueError:
        given = None
    if isinstance(given, Mapping):
        return decision_in(given)
    word, _, message = answer.partition(":")
    if word.strip().lower() not in DECISIONS:
        return decision_in(answer)
    return {"type": word.strip().lower(), "message": message.strip()}


def _request(plan: Plan, trouble: str) -> dict[str, Any]:
    steps = "\n".join(
        f"{number}. {step.description or step.tool}" for number, step in enumerate(plan.steps, 1)
    )
    args = plan.model_dump(mode="json")
    shown = (trouble, plan.goal, steps)
    return {
        "action_requests": [
            {"name": _ACTION, "args": args, "description": "\n\n".join(filter(None, shown))}
        ],
        "review_configs": [{"action_name": _ACTION, "allowed_decisions": list(DECISIONS)}],
    }


def _edited(
    plan: Plan, decision: Mapping[str, Any], tools: Sequence[BaseTool], max_cost: float | None
) -> Plan:
    action = decision.get("edited_action")
    args = action.get("args") if isinstance(action, Mapping) else None
    if not isinstance(args, Mapping):
        raise PlanningError(
            'the edit brings no plan; its edited_action is {"name": "execute_plan", "args": '
            '{"steps": [...]}}'
        )
    try:
        edited = Plan.model_validate({"goal": plan.goal, **args})
        faults = check_plan(edited, tools, max_cost=max_cost)
    except (ValidationError, RecursionError) as error:
        raise PlanningError(f"the edited plan is no plan: {error}") from error
    if faults:
        raise PlanningError("the edited plan cannot run: " + "; ".join(faults))
    return edited.model_copy(update={"goal": plan.goal})
