"""What a definition of a process says, as data.

Definition ─ steps ─┬─ ToolStep, AgentStep      work that may fail (`recovery`)
                    ├─ RuleStep                 sets values and decides, by conditions
                    ├─ ApprovalStep, WaitStep   a person, an event or a time (`deadlines`)
                    ├─ ParallelStep             branches of steps, which join
                    ├─ SubprocessStep           another definition
                    └─ EndStep                  how the process ends
"""

import hashlib
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, Field

from cogwork.nodes.process.parts import (
    Approval,
    Case,
    Choice,
    Deadline,
    Name,
    Part,
    Remedy,
    Seconds,
    Text,
    Version,
    Wait,
)

__all__ = [
    "KINDS",
    "AgentStep",
    "ApprovalStep",
    "Definition",
    "EndStep",
    "ParallelStep",
    "RuleStep",
    "Step",
    "SubprocessStep",
    "ToolStep",
    "WaitStep",
    "WorkStep",
]


class _Step(Part):
    id: Name
    description: str = ""
    when: Text | None = None
    next: Text | None = None

    @property
    def kind(self) -> str:
        """What kind of step it is, as it is written."""
        return next(kind for kind, model in KINDS.items() if type(self) is model)


class WorkStep(_Step):
    """A step that does something and may fail.

    Attributes:
        within: Seconds for one attempt.
        recovery: What is done about a failure, in this order.
        failed: The step to go on with when nothing has helped; else the process fails.
    """

    within: Seconds | None = None
    recovery: tuple[Remedy, ...] = ()
    failed: Text | None = None


class ToolStep(WorkStep):
    """Calls a tool; `parse` says what a text that it returns is."""

    tool: Text
    args: dict[str, Any] = Field(default_factory=dict)
    parse: Literal["json", "csv"] | None = None


class AgentStep(WorkStep):
    """Gives a task to a graph, or to the model itself (`agent: model`)."""

    agent: Text
    task: Text


class RuleStep(_Step):
    """Takes the first of its cases whose condition holds."""

    rule: Annotated[tuple[Case, ...], Field(min_length=1)]
    failed: Text | None = None


class ApprovalStep(_Step):
    """Asks a person of a role to approve or reject, and perhaps to edit."""

    approval: Approval
    deadlines: tuple[Deadline, ...] = ()
    on: Choice


class WaitStep(_Step):
    """Waits for an event or a time; no process sleeps meanwhile."""

    wait: Wait
    deadlines: tuple[Deadline, ...] = ()


class SubprocessStep(_Step):
    """Runs another definition, and fails when that does."""

    subprocess: Name
    input: dict[str, Any] = Field(default_factory=dict)
    failed: Text | None = None


class ParallelStep(_Step):
    """Runs branches of steps at the same time, and goes on when all have ended."""

    parallel: Annotated[dict[Name, tuple["Step", ...]], Field(min_length=2)]
    failed: Text | None = None


class EndStep(Part):
    """Ends the process; its id is what `status` then says."""

    end: Name
    description: str = ""

    @property
    def id(self) -> str:
        """Names it, as steps are named."""
        return self.end

    @property
    def kind(self) -> str:
        """What kind of step it is, as it is written."""
        return "end"


Step: TypeAlias = (
    ToolStep
    | AgentStep
    | RuleStep
    | ApprovalStep
    | WaitStep
    | ParallelStep
    | SubprocessStep
    | EndStep
)
"""A step of any kind."""

KINDS: Final[dict[str, type[BaseModel]]] = {
    "tool": ToolStep,
    "agent": AgentStep,
    "rule": RuleStep,
    "approval": ApprovalStep,
    "wait": WaitStep,
    "parallel": ParallelStep,
    "subprocess": SubprocessStep,
    "end": EndStep,
}
"""The kinds of steps, by the key that makes a step one."""

ParallelStep.model_rebuild()


class Definition(Part):
    """One version of a process.

    Attributes:
        process: Its name.
        version: Its version; a running instance keeps the one that it began with.
        description: What it is for.
        roles: The roles, with the persons in each.
        input: What an instance is given: `text`, `number`, `boolean`, `list` or `mapping`.
        steps: In their order; each is followed by the next unless it says otherwise.
        text: The definition as it was written.
        file: Where it was written.
    """

    process: Name
    version: Version
    description: str = ""
    roles: dict[str, tuple[Text, ...]] = Field(default_factory=dict)
    input: dict[str, Literal["text", "number", "boolean", "list", "mapping"]] = Field(
        default_factory=dict
    )
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    text: str = Field(default="", exclude=True, repr=False)
    file: str = Field(default="", exclude=True)

    @property
    def key(self) -> str:
        """Names it among all definitions: `invoice_approval@2`."""
        return f"{self.process}@{self.version}"

    @property
    def digest(self) -> str:
        """Tells it from any other that says something else, however it is written."""
        said = self.model_dump_json(exclude={"roles", "description"})
        return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()

    def all_steps(self) -> Iterator[Step]:
        """Yield every step, also those in branches."""
        for _, step in self.placed_steps():
            yield step

    def placed_steps(self) -> Iterator[tuple[tuple[str | int, ...], Step]]:
        """Yield every step with its place in the file."""
        yield from _placed(self.steps, ("steps",))


def _placed(
    steps: tuple[Step, ...], path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Step]]:
    for number, step in enumerate(steps):
        yield (*path, number), step
        if isinstance(step, ParallelStep):
            for name, branch in step.parallel.items():
                yield from _placed(branch, (*path, number, "parallel", name))
