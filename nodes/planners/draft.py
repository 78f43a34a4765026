"""Steps as models write them, and the plan that is meant.

Models number steps instead of naming them, write `null` and `"none"`, call a field by
another name. All that is read; what changes the meaning of a plan is left for `check_plan`.
"""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from cogwork.core.json_text import json_objects
from cogwork.nodes.plan import Plan, Step
from cogwork.nodes.planning import PlanRequest, does_same
from cogwork.nodes.references import references

__all__ = [
    "Draft",
    "DraftStep",
    "fallback_plan",
    "flag",
    "ids",
    "inert",
    "plan_of",
    "renamed",
    "slug",
    "with_earlier",
]

_NOTHING = frozenset({"", "none", "null", "nil", "n/a", "na"})
_REFERENCE = re.compile(r"\{(?P<step>[^\s{}][^{}\n]{0,99}?)(?=\.result)")
_LOOSE = re.compile(
    r"\{\{\s*(?P<two>[^{}]{1,100}?)\s*\.result(?P<more>[^{}]*?)\s*\}\}"
    r"|\{\s*(?P<one>[^{}]{1,100}?)\s*\.result(?P<rest>[^{}]*?)\s*\}"
)


def _text(value: Any) -> Any:
    """Numbers are names too, and nothing is an empty text."""
    if value is None:
        return ""
    return str(value).strip() if isinstance(value, (str, int, float)) else value


def ids(value: Any) -> Any:
    """Read names of steps, however they are listed."""
    if value is None or value in ("", {}):
        return ()
    if isinstance(value, str):
        value = () if value.casefold() in _NOTHING else re.split(r"\s*,\s*", value)
    found = value if isinstance(value, (list, tuple)) else [value]
    said = [_text(each.get("id") if isinstance(each, Mapping) else each) for each in found]
    return [each for each in said if each != ""]


def _tool(value: Any) -> Any:
    value = _text(value)
    return None if isinstance(value, str) and value.casefold() in _NOTHING else value


def _args(value: Any) -> Any:
    if value is None or value in ("", []):
        return {}
    return next(json_objects(value), value) if isinstance(value, str) else value


def _cost(value: Any) -> float:
    try:
        cost = float(value)
    except (TypeError, ValueError):
        return 1.0
    return cost if cost >= 0 and math.isfinite(cost) else 1.0


def _priority(value: Any) -> int:
    words = {"critical": 2, "high": 1, "low": -1}
    try:
        return words.get(str(value).casefold()) or int(float(value))
    except (TypeError, ValueError, OverflowError):
        return 0


def flag(value: Any) -> bool:
    """Read a yes or no."""
    return str(value).casefold() in {"true", "yes", "1"}


class DraftStep(BaseModel):
    """A step as a model says it; what else it says is ignored."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    id: Annotated[str, BeforeValidator(_text)] = ""
    description: Annotated[str, BeforeValidator(_text)] = Field(
        "", validation_alias=AliasChoices("description", "task", "title", "name")
    )
    depends_on: Annotated[tuple[str, ...], BeforeValidator(ids)] = Field(
        (), validation_alias=AliasChoices("depends_on", "dependsOn", "dependencies")
    )
    tool: Annotated[str | None, BeforeValidator(_tool)] = Field(
        None, validation_alias=AliasChoices("tool", "tool_name")
    )
    args: Annotated[dict[str, Any], BeforeValidator(_args)] = Field(
        {}, validation_alias=AliasChoices("args", "arguments", "parameters")
    )
    estimated_cost: Annotated[float, BeforeValidator(_cost)] = 1.0
    priority: Annotated[int, BeforeValidator(_priority)] = 0
    optional: Annotated[bool, BeforeValidator(flag)] = False


class Draft(BaseModel):
    """A plan as a model says it."""

    steps: list[DraftStep] = Field(
        min_length=1, validation_alias=AliasChoices("steps", "plan", "tasks")
    )


def plan_of(request: PlanRequest, drafts: Sequence[DraftStep]) -> Plan:
    """Return the plan that a model means, joined to the earlier ones.

    Ids become such as can be referred to, and a step depends on what it refers to. A bare
    id that a completed step has is that step.

    Args:
        request: What was asked.
        drafts: What was answered.
    """
    known = _completed(request)
    raw = [draft.id or str(place) for place, draft in enumerate(drafts, 1)]
    names = {key: slug(key) or f"step-{place}" for place, key in enumerate(raw, 1)}
    steps = []
    for key, draft in zip(raw, drafts, strict=True):
        said = draft.tool or draft.description
        again = None if said else known.get(names[key])
        new = Step(id=names[key], **draft.model_dump(exclude={"id"}))
        steps.append(again or renamed(new, names, loose=True))
    return with_earlier(Plan(goal=request.goal, steps=tuple(steps)), request)


def fallback_plan(request: PlanRequest) -> Plan:
    """Return the plan that needs no planner: one free step, which is the goal."""
    step = Step(id="goal", description=inert(request.goal))
    return with_earlier(Plan(goal=request.goal, steps=(step,)), request)


def with_earlier(plan: Plan, request: PlanRequest) -> Plan:
    """Return a plan joined to the completed steps of earlier ones.

    A step that has a completed one's id is given that one's result without being run; so a
    step that has it and is another gets an id of its own. Completed steps that the plan
    rests on without having them come back.

    Args:
        plan: The new plan.
        request: What tells of the earlier ones.
    """
    known = _completed(request)
    own = {step.id for step in plan.steps}
    steps = [renamed(step, {key: key for key in known.keys() | own}) for step in plan.steps]
    names = {key: key for key in own}
    repeated = _repeated(steps, known)
    for key in sorted((own & known.keys()) - repeated):
        numbers = itertools.count(len(request.earlier) + 1)
        taken = {*known, *own, *names.values()}
        names[key] = next(new for n in numbers if (new := f"{key[:90]}-{n}") not in taken)
    steps = [
        known[step.id]
        if step.id in repeated
        else renamed(step.model_copy(update={"id": names[step.id]}), names)
        for step in steps
    ]
    steps = [*_brought_back(steps, known), *steps]
    return plan.model_copy(update={"steps": tuple(steps)})


def slug(name: str) -> str:
    """Return a name in the form that references allow: `"1.2 b"` is `"1-2-b"`."""
    return re.sub(r"[^\w-]+", "-", name).strip("-")[:100]


def inert(text: str) -> str:
    """Return a text in which nothing refers to a result."""
    return re.sub(r"\{(?=[^\s{}][^{}]*\.result)", "{ ", text)


def renamed(step: Step, names: Mapping[str, str], *, loose: bool = False) -> Step:
    """Return a step with other names for the steps it refers to, all of them in `depends_on`.

    Args:
        step: Whose references are meant.
        names: The new names by the old ones; others stay.
        loose: Whether to read references as models write them, too: `"{{ step 1.result }}"`.
    """
    args = _renamed(step.args, names, loose=loose)
    description = _renamed(step.description, names, loose=loose)
    here = set(names.values())
    meant = [key for key in references([args, description]) if key in here]
    before = [names.get(key, key) for key in step.depends_on]
    return step.model_copy(
        update={
            "args": args,
            "description": description,
            "depends_on": tuple(dict.fromkeys([*before, *meant])),
        }
    )


def _renamed(value: Any, names: Mapping[str, str], *, loose: bool) -> Any:
    def tidy(match: re.Match[str]) -> str:
        name = names.get(match["one"] or match["two"])
        return f"{{{name}.result{match['rest'] or match['more'] or ''}}}" if name else match[0]

    if isinstance(value, str):
        if loose:
            return _LOOSE.sub(tidy, value)
        return _REFERENCE.sub(lambda match: "{" + names.get(match["step"], match["step"]), value)
    if isinstance(value, Mapping):
        return {key: _renamed(each, names, loose=loose) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, names, loose=loose) for each in value]
    return value


def _completed(request: PlanRequest) -> dict[str, Step]:
    """The steps whose results are kept, as they were executed, each resting on such steps."""
    kept = request.results
    return {
        step.id: step.model_copy(
            update={"depends_on": tuple(key for key in step.depends_on if key in kept)}
        )
        for plan, results in request.earlier
        for step in plan.steps
        if step.id in results and results[step.id].status == "completed"
    }


def _brought_back(steps: Sequence[Step], known: Mapping[str, Step]) -> list[Step]:
    """The completed steps that steps rest on without there being such steps."""
    found: dict[str, Step] = {step.id: step for step in steps}
    count = len(found)
    waiting = [key for step in steps for key in step.depends_on]
    while waiting:
        key = waiting.pop()
        if key in known and key not in found:
            found[key] = known[key]
            waiting += known[key].depends_on
    return list(found.values())[count:]


def _repeated(steps: Sequence[Step], known: Mapping[str, Step]) -> set[str]:
    """The ids of steps that are the completed ones, and rest on nothing else."""
    same = [step for step in steps if step.id in known and _is_again(step, known[step.id])]
    found = known.keys() - {step.id for step in steps}
    while more := {step.id for step in same if found.issuperset(step.depends_on)} - found:
        found |= more
    return found


def _is_again(step: Step, done: Step) -> bool:
    """Whether a step does what another did, and waits for nothing more."""
    return does_same(step, done) and set(step.depends_on) <= set(done.depends_on)
