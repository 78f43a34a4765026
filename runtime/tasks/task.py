"""What is known of a task, and which states follow which."""

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from cogwork.core.errors import TaskError

__all__ = [
    "ENDED",
    "Phase",
    "Priority",
    "State",
    "Task",
    "TaskEvent",
    "answers_to",
    "require_transition",
]

State: TypeAlias = Literal["pending", "running", "paused", "completed", "failed", "cancelled"]
Phase: TypeAlias = Literal["planning", "executing", "reasoning"]

_ID: Final = re.compile(r"[0-9a-f]{32}")
ENDED: Final[tuple[State, ...]] = ("completed", "failed", "cancelled")

_FOLLOWS: Final[dict[State, tuple[State, ...]]] = {
    "pending": ("running", "paused", "cancelled"),
    "running": ("pending", "paused", "completed", "failed", "cancelled"),
    "paused": ("pending", "cancelled"),
    "completed": (),
    "failed": (),
    "cancelled": (),
}


class Priority(IntEnum):
    """Which of the waiting tasks goes first."""

    low = 0
    normal = 10
    high = 20
    critical = 30


class Task(BaseModel):
    """A run of a graph, from when it was submitted.

    Attributes:
        id: Names it; its checkpoints are those of the thread of this name.
        graph: What runs, by its name in the runner.
        state: Running ones went back to pending when their runner stopped.
        phase: What a running task does, by the node it is in.
        priority: Higher ones go first.
        progress: From 0 to 1; counted where the graph tells its steps, else guessed.
        parent: The task that submitted it; it is cancelled with it.
        trace: The id that a task shares with its parents and children.
        timeout: Seconds that it may run, pauses and waiting not counted.
        ran: Seconds that it has run, before the present start.
        attempts: How often it was started.
        created: Seconds since the epoch, as all times.
        started: When it was last started.
        ended: When it came to its end.
        touched: When it was last heard of.
        budget: Its limits, as `cogwork.core.budget.Budget` has them.
        spent: What its models and tools took so far: tokens, cost, model_calls, tool_calls.
        error: Why it failed.
        questions: What a paused task asks, `{"id", "value"}` each; empty where somebody
            paused it.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    graph: str
    state: State = "pending"
    phase: Phase | None = None
    priority: int = Priority.normal
    progress: float = 0.0
    parent: str | None = None
    trace: str
    timeout: float | None = None
    ran: float = 0.0
    attempts: int = 0
    created: float
    started: float | None = None
    ended: float | None = None
    touched: float
    budget: dict[str, Any] | None = None
    spent: dict[str, float] = {}
    error: str | None = None
    questions: tuple[Any, ...] = ()

    def duration(self, now: float) -> float:
        """Return the seconds that it has run until now."""
        if self.state != "running" or not self.started:
            return self.ran
        return self.ran + max(now - self.started, 0.0)  # a clock may be set back

    def seconds_left(self, now: float) -> float | None:
        """Return about how long it will still run; None while nothing can be said."""
        if self.state != "running" or not 0 < self.progress < 1:
            return None
        return self.duration(now) * (1 - self.progress) / self.progress


class TaskEvent(BaseModel):
    """Something that happened to a task.

    Attributes:
        number: Counts up within the task, from 1.
        at: Seconds since the epoch.
        kind: `state`, `node` (one has ended), `step` and `custom` (what the graph told).
        data: What it says.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    at: float
    kind: str
    data: Any


def require_transition(task: str, before: State, after: State) -> None:
    """Refuse a change of state that is not foreseen.

    Raises:
        TaskError: It is not; both states are named.
    """
    if after not in _FOLLOWS[before]:
        possible = ", ".join(_FOLLOWS[before])
        then = f"it can become {possible}" if possible else "it has ended"
        raise TaskError(f"task '{task}' is {before} and cannot become {after}; {then}")


def answers_to(task: Task, answer: Any) -> dict[str, Any] | None:
    """Return an answer by the ids of the questions that a task asks; None if it asks nothing.

    Raises:
        TaskError: It asks several questions, and the answer names none of them; or the answer
            is to a question that it does not ask, or no longer.
    """
    if not task.questions:
        return None
    keys = [each["id"] for each in task.questions]
    if isinstance(answer, Mapping) and (answer.keys() & set(keys) or _names_questions(answer)):
        if stale := [f"{key!s:.40}" for key in answer if key not in keys]:
            raise TaskError(
                f"task '{task.id}' does not ask {', '.join(stale)}, or no longer; "
                f"it asks {', '.join(keys)}"
            )
        return dict(answer)
    if len(keys) == 1:
        return {keys[0]: answer}
    raise TaskError(
        f"task '{task.id}' asks {len(keys)} questions; answer by their ids: {', '.join(keys)}"
    )


def _names_questions(answer: Mapping[Any, Any]) -> bool:
    """Whether all keys are as LangGraph names questions, which it then takes for such, too."""
    return bool(answer) and all(isinstance(key, str) and _ID.fullmatch(key) for key in answer)
