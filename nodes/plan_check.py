"""Whether a plan can be executed: every fault of it, named at once."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.tools import BaseTool
from pydantic import BaseModel, ValidationError

from cogwork.core.json_text import misfits, unkeepable
from cogwork.core.registry import nearest
from cogwork.nodes.plan import Plan, Step
from cogwork.nodes.references import is_plain, references, unreadable

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
        if why := unkeepable(step.args):
            place, _, reason = why.partition(": ")
            faults.append(f"step '{step.id}': argument '{place}' {reason}")
            continue
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
    yield from _unknown(args, [field.alias or name for name, field in schema.model_fields.items()])
    try:
        schema.model_validate(dict(args))
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=False):
            place = [str(part) for part in detail["loc"]]
            if not references(args.get(place[0]) if place else args):
                yield ".".join(place), detail["msg"].lower()
    except Exception as error:  # noqa: BLE001 - a validator of the tool's own
        if not references(args):
            yield "", f"{type(error).__name__}: {error}"


def _misfits_of_json(schema: Any, args: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a JSON schema says, such as tools of MCP servers have; Pydantic has no part in it."""
    wanted = schema if isinstance(schema, Mapping) else {}
    properties = wanted.get("properties") or {}
    for name in wanted.get("required", ()):
        if name not in args:
            yield name, "field required"
    if not wanted.get("additionalProperties"):
        yield from _unknown(args, properties)
    known = {name: value for name, value in args.items() if not references(value)}
    sent = json.loads(json.dumps(known, default=str))
    for said in misfits(sent, {**wanted, "required": []}):
        place, _, reason = said.partition(": ")
        yield place, reason


def _unknown(args: Iterable[str], names: Collection[str]) -> Iterator[tuple[str, str]]:
    for name in args:
        if names and name not in names:
            yield name, f"there is no such argument; {nearest(name, sorted(names))}"


def _faults_of_references(step: Step, plan: Plan) -> Iterator[str]:
    ids = {other.id for other in plan.steps}
    for key in references([step.args, step.description]):
        if key not in ids:
            if is_plain(key):
                yield f"step '{step.id}' refers to the result of '{key}', which is no step"
        elif key not in step.depends_on:
            yield (
                f"step '{step.id}' refers to the result of '{key}', which it does not depend on; "
                "add it to depends_on"
            )
    said = unreadable(step.args, ids)
    told = unreadable(step.description, ids)
    for text in [*said, *(each for each in told if not each[1:2].isspace())]:
        yield (
            f"step '{step.id}' has '{text}', which looks like a reference and cannot be read; "
            "write {step.result}, {step.result.key} or {step.result[0]}"
        )
    if references(f"{{{step.id}.result}}") != [step.id]:
        yield f"nothing can refer to a step called '{step.id}'; use letters, digits, - and _"
