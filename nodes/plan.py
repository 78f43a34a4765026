"""A plan: steps that depend on each other, and what can be computed from them."""

import graphlib
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from cogwork.core.errors import PlanningError
from cogwork.core.registry import nearest

__all__ = ["Plan", "Status", "Step", "StepResult"]

Status: TypeAlias = Literal["pending", "running", "completed", "failed", "blocked", "skipped"]


class Step(BaseModel):
    """One thing to do.

    Attributes:
        id: Names it within its plan.
        description: What is to be done; the task itself where no tool is named.
        depends_on: Ids of the steps whose results it needs.
        tool: The tool to call; None leaves the step to the agent that executes free tasks.
        args: The tool's arguments, which may refer to earlier results.
        estimated_cost: What it is thought to take, in whatever unit the budget has.
        priority: Among steps that are ready, the higher one goes first.
        optional: Whether the plan can do without it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(min_length=1, max_length=100)]
    description: str = ""
    depends_on: tuple[str, ...] = ()
    tool: str | None = None
    args: dict[str, Any] = {}
    estimated_cost: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    priority: int = 0
    optional: bool = False


class StepResult(BaseModel):
    """How a step went.

    Attributes:
        id: The step's.
        status: Where it stands.
        result: What it gave, when it is completed.
        error: Why it gave nothing, when it is failed, blocked or skipped.
        attempts: How often it was tried.
        rung: The rung of the recovery ladder that brought the result or ended the step.
        started_at: Seconds since the epoch; None when it never began.
        finished_at: Seconds since the epoch.
        taint: The untrusted sources that it draws on; None where no policy asks for them.
        uncertain: Whether it failed and its effect may have happened all the same.
        way: Which of its ways was tried last: 0 is the first choice, alternatives follow.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    status: Status
    result: Any = None
    error: str | None = None
    attempts: int = 0
    rung: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    taint: tuple[str, ...] | None = None
    uncertain: bool = False
    way: int = 0

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.finished_at or 0.0) - (self.started_at or 0.0) if self.started_at else 0.0


class Plan(BaseModel):
    """Steps towards a goal. Any steps make a plan; `check_plan` tells whether it holds.

    Attributes:
        goal: What the steps are to achieve.
        steps: In no particular order; what must wait says so in `depends_on`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    goal: str = ""
    steps: tuple[Step, ...] = ()

    def __getitem__(self, key: str) -> Step:
        """Return the step with this id.

        Raises:
            PlanningError: There is none.
        """
        try:
            return self._by_id[key]
        except KeyError:
            raise PlanningError(
                f"the plan has no step '{key}'; {nearest(key, list(self._by_id))}"
            ) from None

    @cached_property
    def faults(self) -> tuple[str, ...]:
        """Why the steps have no order; empty when they have one."""
        return (*_faults_of_ids(self), *_faults_of_dependencies(self))

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The ids so that each stands behind what it depends on.

        Raises:
            PlanningError: The dependencies go round in a circle or lead nowhere.
        """
        return tuple(key for group in self.groups for key in group)

    @cached_property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The ids in groups that could run in parallel, each when those before are done.

        Raises:
            PlanningError: The dependencies go round in a circle or lead nowhere.
        """
        sorter = self._sorter()
        found = []
        while sorter.is_active():
            ready = sorter.get_ready()
            found.append(tuple(sorted(ready, key=self._place.__getitem__)))
            sorter.done(*ready)
        return tuple(found)

    @cached_property
    def critical_path(self) -> tuple[str, ...]:
        """The ids of the chain of steps that costs most; nothing can be faster than it."""
        if not self.steps:
            return ()
        last = max(self.order, key=lambda key: self._earliest[key])
        path = [last]
        while before := self[path[-1]].depends_on:
            path.append(max(before, key=lambda key: self._earliest[key]))
        return tuple(reversed(path))

    @cached_property
    def slack(self) -> dict[str, float]:
        """By how much cost each step could be late without making the whole plan late."""
        whole = max(self._earliest.values(), default=0.0)
        return {
            key: whole - self._earliest[key] - self.remaining[key] + self[key].estimated_cost
            for key in self.order
        }

    @cached_property
    def remaining(self) -> dict[str, float]:
        """The cost from the start of each step to the end of the plan, along its longest way."""
        longest: dict[str, float] = {}
        for key in reversed(self.order):
            after = (longest[other] for other in self.dependents[key])
            longest[key] = self[key].estimated_cost + max(after, default=0.0)
        return longest

    @cached_property
    def dependents(self) -> dict[str, tuple[str, ...]]:
        """The ids of the steps that directly wait for each."""
        found: dict[str, list[str]] = {step.id: [] for step in self.steps}
        for step in self.steps:
            for key in dict.fromkeys(step.depends_on):
                found.setdefault(key, []).append(step.id)
        return {key: tuple(waiting) for key, waiting in found.items()}

    @cached_property
    def _by_id(self) -> dict[str, Step]:
        return {step.id: step for step in self.steps}

    @cached_property
    def _place(self) -> dict[str, int]:
        return {step.id: place for place, step in enumerate(self.steps)}

    @cached_property
    def _earliest(self) -> dict[str, float]:
        """The cost at which each step can be done."""
        found: dict[str, float] = {}
        for key in self.order:
            begin = max((found[other] for other in self[key].depends_on), default=0.0)
            found[key] = begin + self[key].estimated_cost
        return found

    def _sorter(self) -> "graphlib.TopologicalSorter[str]":
        if self.faults:
            raise PlanningError("the plan has no order: " + "; ".join(self.faults))
        sorter = graphlib.TopologicalSorter({step.id: step.depends_on for step in self.steps})
        sorter.prepare()
        return sorter


def _faults_of_ids(plan: Plan) -> Iterator[str]:
    ids = [step.id for step in plan.steps]
    for key in dict.fromkeys(key for key in ids if ids.count(key) > 1):
        yield f"{ids.count(key)} steps are called '{key}'; ids must differ"


def _faults_of_dependencies(plan: Plan) -> Iterator[str]:
    ids = {step.id for step in plan.steps}
    edges: dict[str, list[str]] = {}
    for step in plan.steps:
        for key in step.depends_on:
            if key in ids:
                edges.setdefault(step.id, []).append(key)
            else:
                yield f"step '{step.id}' depends on '{key}', which is no step"
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError as error:
        circle = " → ".join(f"'{key}'" for key in error.args[1])
        yield f"the steps wait for each other in a circle: {circle}"
