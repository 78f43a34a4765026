"""The MECE planner: components that do not overlap and leave nothing out, then one step for all.

Mutually exclusive, collectively exhaustive; Minto (1987), The Pyramid Principle.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from langchain_core.runnables import RunnableConfig
from pydantic import AliasChoices, BaseModel, BeforeValidator, Field

from cogwork.core.errors import StructuredOutputError
from cogwork.core.models import ChatModel
from cogwork.nodes.plan import Plan, Step
from cogwork.nodes.planners.asking import ask, section, together
from cogwork.nodes.planners.draft import fallback_plan, ids, inert, slug, with_earlier
from cogwork.nodes.planning import Planner, PlanRequest

__all__ = ["make_mece_planner"]

DIVIDE = """
You divide a goal into components, two to seven. First choose the one dimension along which it
divides best (by time, by place, by audience, by kind, by cause, …). Then name the components
along it: no two overlap, together they are the whole goal, and each can be worked on without
the others; if one cannot, say in depends_on which it needs. Describe each so that it is understood
alone, and say what it leaves to the others.
Components in <earlier> failed; divide another way. Where <feedback> names faults, avoid them.
"""

COMPLETE = """
You check one component of a goal. The goal here is the component; <notes> shows the whole. List
in missing what belongs to this component and its description does not cover. List nothing that
belongs to another component. An empty list is a good answer.
"""

VERIFY = """
You check how a goal was divided. List in overlaps what more than one component in <notes> would
do, and in gaps what the goal needs and none of them does. Empty lists are a good answer.
"""


_WHOLE = (
    "Summarise the results of all components, without doing anything again, as one complete "
    'answer to "{goal}".'
)


class Component(BaseModel):
    """A part of a goal; in a good division it needs no other one."""

    name: str = Field(validation_alias=AliasChoices("name", "title", "id"))
    description: str = ""
    depends_on: Annotated[tuple[str, ...], BeforeValidator(ids)] = ()


class Division(BaseModel):
    """What a goal consists of, along one dimension."""

    dimension: str = ""
    components: list[Component] = Field(min_length=1)


class Completeness(BaseModel):
    """What a component lacks."""

    missing: list[str] = []


class Verification(BaseModel):
    """How components fail to be the whole."""

    overlaps: list[str] = []
    gaps: list[str] = []


def make_mece_planner(model: ChatModel, *, prompt: str | None = None) -> Planner:
    """Make the planner that divides the goal into components without overlaps and gaps.

    The model chooses a dimension and components, checks each for completeness and all
    together for overlaps and gaps, and divides once more when something was found. Each
    component is a free step, and the last step puts all of them together. A goal that
    cannot be divided is one free step.

    Args:
        model: Any LangChain chat model.
        prompt: What the model is told beyond the rules, when it divides.

    Raises:
        ModelError: From the planner: the model cannot be reached.
    """
    rules = f"{DIVIDE}\n{prompt}" if prompt else DIVIDE

    async def plan(request: PlanRequest, config: RunnableConfig) -> Plan:
        division = await _divide(model, rules, request, config)
        if division is None or len(division.components) < 2:
            return fallback_plan(request)
        faults = await _faults(model, division, request, config)
        if faults:
            again = replace(request, faults=[*request.faults, *faults])
            notes = _notes(request, division)
            better = await _divide(model, rules, again, config, more=notes)
            if better and len(better.components) > 1:
                division = better
        return with_earlier(Plan(goal=request.goal, steps=_steps(request, division)), request)

    return plan


async def _divide(
    model: ChatModel, rules: str, request: PlanRequest, config: RunnableConfig, *, more: str = ""
) -> Division | None:
    try:
        division: Division = await ask(model, Division, rules, request, config, more=more)
    except StructuredOutputError:
        return None
    return division


async def _faults(
    model: ChatModel, division: Division, request: PlanRequest, config: RunnableConfig
) -> list[str]:
    """What the checks find; a check without a usable answer finds nothing."""
    notes = _notes(request, division)
    bare = replace(request, refused=None, faults=(), earlier=(), examples=())

    async def lacks(component: Component) -> list[str]:
        part = replace(bare, goal=f"{component.name}: {component.description}")
        try:
            found: Completeness = await ask(model, Completeness, COMPLETE, part, config, more=notes)
        except StructuredOutputError:
            return []
        return [f"component '{component.name}' lacks: {each}" for each in found.missing]

    async def verify() -> list[str]:
        try:
            found: Verification = await ask(model, Verification, VERIFY, bare, config, more=notes)
        except StructuredOutputError:
            return []
        overlaps = [f"components overlap: {each}" for each in found.overlaps]
        return overlaps + [f"no component does this: {each}" for each in found.gaps]

    needed = [
        f"component '{each.name}' cannot be worked on without {', '.join(each.depends_on)}"
        for each in division.components
        if each.depends_on
    ]
    checks = [lacks(component) for component in division.components]
    found = await together([*checks, verify()])
    return needed + [fault for faults in found for fault in faults]


def _notes(request: PlanRequest, division: Division) -> str:
    parts = [f"Component {each.name}: {each.description}" for each in division.components]
    whole = f"The whole goal: {request.goal}"
    return section("notes", [whole, f"It is divided by: {division.dimension}", *parts])


def _steps(request: PlanRequest, division: Division) -> tuple[Step, ...]:
    """A step for each component, with what it needs if it cannot be helped, and the last one."""
    keys = _ids(division.components)
    known = {str(place): key for place, key in enumerate(keys, 1)}
    known |= {each.name: key for each, key in zip(division.components, keys, strict=True)}
    steps = [
        Step(
            id=key,
            description=inert(
                ": ".join(dict.fromkeys(filter(None, (each.name, each.description))))
            ),
            depends_on=tuple(known[name] for name in each.depends_on if name in known),
        )
        for key, each in zip(keys, division.components, strict=True)
    ]
    whole = inert(_WHOLE.replace("{goal}", request.goal.replace('"', "'")))
    return (*steps, Step(id="integrate", description=whole, depends_on=tuple(keys)))


def _ids(components: Sequence[Component]) -> list[str]:
    """An id of each component's name; a second one of the same name is counted."""
    found: list[str] = []
    for place, each in enumerate(components, 1):
        key = slug(each.name.casefold())[:60]
        free = key and key not in found and key != "integrate"
        found.append(key if free else f"{key or 'component'}-part-{place}")
    return found
