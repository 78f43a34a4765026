"""The hierarchical planner: tasks are split into tasks, until each can be done in one step."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, TypeAlias

from langchain_core.runnables import RunnableConfig
from pydantic import AliasChoices, BaseModel, BeforeValidator, Field

from cogwork.core.errors import ConfigurationError, StructuredOutputError
from cogwork.core.models import ChatModel
from cogwork.nodes.plan import Plan, Step
from cogwork.nodes.planners.asking import ask, section, together
from cogwork.nodes.planners.draft import DraftStep, fallback_plan, flag, renamed, with_earlier
from cogwork.nodes.planning import Planner, PlanRequest
from cogwork.nodes.references import references

__all__ = ["Task", "lifted", "make_hierarchical_planner"]

_TOLD = 40  # other tasks that a model is told of
_AT_ONCE = 8  # calls of the model
_JOIN = "Put together what the parts of this task gave: "

RULES = """
You split a task into the smaller tasks that it consists of, two to seven; others carry them out.
Together they do the whole task and nothing else.

Give each an id, a description that is understood without the others, and in depends_on the ids
of those of its siblings whose results it needs, and no others.

Say of each whether it is atomic: one agent can do it in one go. One that a single call of a tool
does is atomic; name that tool, with args that fit the schema in <tools>. "{a.result}" in args
stands for the result of task a. If the task cannot be split, answer with it alone, as atomic.

Plans in <examples> achieved similar goals. What a completed step in <earlier> did is not
done again: depend on its id. Go another way than the one that failed. Where <feedback> names faults, avoid them.
"""


@dataclass(slots=True)
class Task:
    """A task in the tree.

    Args:
        step: The step that it is, as long as it has no children; the ids in `depends_on`
            are those of its siblings.
        children: The tasks that it consists of.
        atomic: Whether it is not to be split.
    """

    step: Step
    children: "list[Task]" = field(default_factory=list)
    atomic: bool = False


Split: TypeAlias = Callable[[PlanRequest, str, str], Awaitable[list[Task]]]
"""From what is asked, the id of the task and notes to the tasks that it consists of."""


class Part(DraftStep):
    """A task as a model says it."""

    atomic: Annotated[bool, BeforeValidator(flag)] = False


class Parts(BaseModel):
    """The tasks that a task consists of."""

    steps: list[Part] = Field(
        min_length=1, validation_alias=AliasChoices("steps", "subtasks", "tasks", "plan")
    )


def make_hierarchical_planner(
    model: ChatModel, *, max_depth: int = 5, max_calls: int = 50, prompt: str | None = None
) -> Planner:
    """Make the planner that splits the goal, its parts, their parts, and so on.

    A task is not split further when a tool does it, when the model says that it is atomic,
    when it cannot be split, or when a limit is reached. All tasks of a level are split at
    the same time. The ids tell the place in the tree: `"2-1"` is the first part of `"2"`.

    Args:
        model: Any LangChain chat model.
        max_depth: How deep tasks are nested.
        max_calls: How often the model is asked for parts of one plan.
        prompt: What the model is told beyond the rules.

    Raises:
        ConfigurationError: A limit is less than 1.
        ModelError: From the planner: the model cannot be reached.
    """
    for name, value in {"max_depth": max_depth, "max_calls": max_calls}.items():
        if value < 1:
            raise ConfigurationError(f"{name} is {value}; it must be 1 or more")
    rules = f"{RULES}\n{prompt}" if prompt else RULES

    async def plan(request: PlanRequest, config: RunnableConfig) -> Plan:
        limit = asyncio.Semaphore(_AT_ONCE)

        async def split(asked: PlanRequest, above: str = "", notes: str = "") -> list[Task]:
            try:
                async with limit:
                    parts: Parts = await ask(model, Parts, rules, asked, config, more=notes)
            except StructuredOutputError:
                return []
            return _tasks(parts.steps, asked, above)

        roots = await split(request)
        await _grow(roots, request, split, max_depth, max_calls - 1)
        if not roots:
            return fallback_plan(request)
        return with_earlier(Plan(goal=request.goal, steps=tuple(lifted(roots))), request)

    return plan


async def _grow(
    roots: Sequence[Task], request: PlanRequest, split: Split, depth: int, calls: int
) -> None:
    """Split the leaves, level by level, as long as there is room for more."""
    for _ in range(1, depth):
        leaves = [leaf for root in roots for leaf in _leaves(root)]
        room = request.max_steps - len(leaves)
        opened = [leaf for leaf in leaves if not leaf.atomic][: max(0, min(calls, room))]
        calls -= len(opened)
        found = await together(
            split(_inner(request, leaf), leaf.step.id, _notes(request, leaf, leaves))
            for leaf in opened
        )
        for leaf, children in zip(opened, found, strict=True):
            room -= _adopt(leaf, children, room)


def lifted(roots: Sequence[Task]) -> list[Step]:
    """Return the leaves of a tree of tasks as steps that keep its order.

    Where one task depends on another, every leaf of the first depends on the leaves that
    end the second. A task whose result is referred to, and which ends in several leaves, gets
    one more that puts them together.

    Args:
        roots: The tasks; no two in the tree have the same id.
    """
    every = [task for root in roots for task in _below(root)]
    said = references([[task.step.args, task.step.description] for task in every])
    ends: dict[str, tuple[str, ...]] = {}
    joins: list[Step] = []
    names: dict[str, str] = {}
    for task in reversed(every):  # children stand behind their parents
        key = task.step.id
        inner = {other for child in task.children for other in child.step.depends_on}
        last = [child.step.id for child in task.children if child.step.id not in inner]
        ends[key] = tuple(end for child in last for end in ends[child]) or (key,)
        names[key] = ends[key][0]
        if len(ends[key]) > 1 and key in said:
            joins.append(
                Step(id=key, description=_JOIN + task.step.description, depends_on=ends[key])
            )
            ends[key] = (key,)
            names[key] = key
    steps = [step for root in roots for step in _steps(root, (), ends)]
    return [renamed(step, names) for step in [*steps, *reversed(joins)]]


def _steps(
    task: Task,
    before: tuple[str, ...],
    ends: dict[str, tuple[str, ...]],
    above: Step | None = None,
) -> Iterator[Step]:
    """The leaves below a task; what is said of the task holds for each of them."""
    needed = [end for key in task.step.depends_on for end in ends.get(key, (key,))]
    before = tuple(dict.fromkeys([*before, *needed]))
    step = task.step
    if above:
        step = step.model_copy(
            update={
                "optional": step.optional or above.optional,
                "priority": step.priority + above.priority,
            }
        )
    if not task.children:
        yield step.model_copy(update={"depends_on": before})
    for child in task.children:
        yield from _steps(child, before, ends, step)


def _below(task: Task) -> Iterator[Task]:
    yield task
    for child in task.children:
        yield from _below(child)


def _leaves(task: Task) -> Iterator[Task]:
    return (each for each in _below(task) if not each.children)


def _tasks(parts: Sequence[Part], request: PlanRequest, above: str) -> list[Task]:
    """The answer as tasks with ids of their place, whatever the model called them."""
    prefix = f"{above}-" if above else ""
    names: dict[str, str] = {}
    for place, part in enumerate(parts, 1):
        names.setdefault(part.id or str(place), f"{prefix}{place}")
    tools = {tool.name for tool in request.tools}
    found = []
    for place, part in enumerate(parts, 1):
        said = part.model_dump(exclude={"id", "atomic"})
        step = renamed(Step(id=f"{prefix}{place}", **said), names, loose=True)
        found.append(Task(step, atomic=part.atomic or part.tool in tools))
    return found


def _adopt(task: Task, children: list[Task], room: int) -> int:
    """Put children below a task, if they are some; returns how many leaves that adds."""
    task.atomic = True
    if len(children) == 1:
        if children[0].step.tool:  # the same task, but now it is known how
            kept = {"id": task.step.id, "depends_on": task.step.depends_on}
            task.step = children[0].step.model_copy(update=kept)
        return 0
    if len(children) - 1 > room:
        return 0
    task.children = children
    return max(0, len(children) - 1)


def _inner(request: PlanRequest, task: Task) -> PlanRequest:
    return replace(request, goal=task.step.description, refused=None, faults=(), examples=())


def _notes(request: PlanRequest, task: Task, leaves: Sequence[Task]) -> str:
    """Where a task stands: what it is for, and what others do already."""
    others = [
        f"Done by others, id {each.step.id}: {each.step.description}"
        for each in leaves
        if each is not task
    ]
    return section("notes", [f"The task is a part of this goal: {request.goal}", *others[:_TOLD]])
