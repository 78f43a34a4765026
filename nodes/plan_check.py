"""Whether a plan can be executed: every fault of it, named at once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.tools import BaseTool
from pydantic import BaseModel, ValidationError

from cogwork.core.registry import nearest
from cogwork.nodes.plan import Plan, Step
from cogwork.nodes.references import references

__all__ = ["MAX_STEPS", "check_plan"]

MAX_STEPS = 200


def check_plan(
    plan: Plan,
    tools: Sequence[BaseTool] = (),
    *,
    max_cost: float | None = None,
    max_steps: int = MAX_STEPS,
) -> list[str]:
    """Return everything that is wrong with a plan; nothing when it can be executed.

    Args:
        plan: Of any origin.
        tools: What its steps may call.
        max_cost: What all steps together may be estimated to cost.
        max_steps: How many steps it may have.
    """
    faults = []
    if not plan.steps:
        faults.append("the plan has no steps")
    if len(plan.steps) > max_steps:
        faults.append(f"the plan has {len(plan.steps)} steps; at most {max_steps} are allowed")
    faults += plan.faults
    known = {tool.name: tool for tool in tools}
    for step in plan.steps:
        faults += _faults_of_tool(step, known)
        faults += _faults_of_references(step, plan)
    cost = sum(step.estimated_cost for step in plan.steps)
    if max_cost is not None and cost > max_cost:
        faults.append(f"the steps are estimated to cost {cost:g}; the budget is {max_cost:g}")
    return faults


def _faults_of_tool(step: Step, known: Mapping[str, BaseTool]) -> Iterator[str]:
    if step.tool is None:
        if not step.description.strip():
            yield f"step '{step.id}' has neither a tool nor a description"
        return
    if step.tool not in known:
        offer = nearest(step.tool, list(known)) if known else "there are no tools"
        yield f"step '{step.id}' calls '{step.tool}', which is no tool; {offer}"
        return
    for place, reason in _misfits(known[step.tool], step.args):
        yield f"step '{step.id}': argument '{place}' of '{step.tool}': {reason}"


def _misfits(tool: BaseTool, args: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the tool's schema says against the arguments; references fit everywhere."""
    schema = tool.tool_call_schema
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        yield from _misfits_of_json(schema, args)
        return
    names = {field.alias or name for name, field in schema.model_fields.items()}
    for name in args:
        if names and name not in names:
            yield name, f"there is no such argument; {nearest(name, sorted(names))}"
    try:
        schema.model_validate(dict(args))
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=False):
            place = [str(part) for part in detail["loc"]]
            if not place or not references(args.get(place[0])):
                yield ".".join(place), detail["msg"].lower()


def _misfits_of_json(schema: Any, args: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    wanted = schema if isinstance(schema, Mapping) else {}
    for name in wanted.get("required", ()):
        if name not in args:
            yield name, "field required"
    properties = wanted.get("properties") or {}
    for name in args:
        if properties and name not in properties:
            yield name, f"there is no such argument; {nearest(name, sorted(properties))}"


def _faults_of_references(step: Step, plan: Plan) -> Iterator[str]:
    ids = {other.id for other in plan.steps}
    for key in references([step.args, step.description]):
        if key not in ids:
            yield f"step '{step.id}' refers to the result of '{key}', which is no step"
        elif key not in _ancestors(step, plan):
            yield (
                f"step '{step.id}' refers to the result of '{key}', which it does not depend on; "
                "add it to depends_on"
            )


def _ancestors(step: Step, plan: Plan) -> set[str]:
    by_id = {other.id: other for other in plan.steps}
    found: set[str] = set()
    waiting = list(step.depends_on)
    while waiting:
        key = waiting.pop()
        if key in by_id and key not in found:
            found.add(key)
            waiting += by_id[key].depends_on
    return found
