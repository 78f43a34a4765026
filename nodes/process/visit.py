"""One visit to a step: what it sees, what it notes in the trail, and how it ends."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from langchain_core.runnables import Runnable, RunnableConfig

from cogwork.core.journal import Journal
from cogwork.nodes.process.definition import Definition, Step
from cogwork.nodes.process.trail import Entry
from cogwork.tools.audit import AuditLog
from cogwork.tools.calling import ReadyTool
from cogwork.tools.effects import OnDoubt

__all__ = ["Clock", "Means", "Outcome", "Visit", "time_text"]

Clock: TypeAlias = Callable[[], float]
"""Tells the time, in seconds since the epoch."""

_SYSTEM: Final = "process"


def time_text(seconds: float) -> str:
    """Return a time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class Means:
    """What the steps of all definitions work with.

    Args:
        tools: By name.
        agents: By name; `model` is the model itself.
        roles: The persons of each role, besides those that definitions name.
        subprocesses: Graphs of other definitions, by their names.
        clock: Tells the time.
        on_doubt: What to do with a call whose process died in the middle of it.
        log: Where the trail is noted too.
    """

    tools: Mapping[str, ReadyTool] = field(default_factory=dict)
    agents: Mapping[str, Runnable[Any, Any]] = field(default_factory=dict)
    roles: Mapping[str, Collection[str]] = field(default_factory=dict)
    subprocesses: Mapping[str, Runnable[Any, Any]] = field(default_factory=dict)
    clock: Clock = time.time
    on_doubt: OnDoubt = "ask"
    log: AuditLog | None = None

    def persons(self, definition: Definition, role: str) -> set[str]:
        """Return who is in a role."""
        return {*definition.roles.get(role, ()), *self.roles.get(role, ())}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended.

    Args:
        target: The id of the step to go on with; None for the end of these steps.
        result: What it gave.
        event: `completed`, `skipped`, `failed` or `ended`.
        by: Who or what did it.
        note: Why it was skipped or failed.
        role: In which somebody decided.
    """

    target: str | None
    result: Any = None
    event: str = "completed"
    by: str = ""
    note: str = ""
    role: str = ""


class Visit:
    """One run of a step's node.

    Args:
        definition: The step's.
        step: What is done.
        means: What it works with.
        state: Of the instance.
        config: Of the node.
    """

    def __init__(
        self,
        definition: Definition,
        step: Step,
        means: Means,
        state: Mapping[str, Any],
        config: RunnableConfig,
    ) -> None:
        self.definition = definition
        self.step = step
        self.means = means
        self.state = state
        self.config = config
        self.journal = Journal(config)
        self.trail: list[Entry] = []

    @property
    def values(self) -> dict[str, Any]:
        """What expressions see: the input, and what each step gave; nothing of others."""
        results = self.state.get("results") or {}
        given = {each.id: results.get(each.id) or {} for each in self.definition.all_steps()}
        return {**given, "input": self.state.get("input") or {}}

    async def once(self, key: str, function: Callable[[], Any]) -> Any:
        """Return what a function gave when it was first called in this step."""
        return await self.journal.step(key, function)

    async def now(self, key: str) -> float:
        """Return the time when this was first asked, under this key."""
        found: float = await self.once(f"time:{key}", self.means.clock)
        return found

    async def note(self, key: str, event: str, **told: Any) -> None:
        """Add an entry to the trail, once under this key.

        Args:
            key: Names the entry within the step.
            event: What happened; see `Entry`.
            **told: `by`, `role`, `input`, `result`, `note`, `at` (seconds since the epoch).
        """

        def write() -> Entry:
            entry = self._entry(key, event, told)
            if self.means.log is not None:
                thread = (self.config.get("configurable") or {}).get("thread_id")
                record = {"entry" if name == "id" else name: each for name, each in entry.items()}
                self.means.log.append({**record, "thread": thread})
            return entry

        self.trail.append(await self.once(f"note:{key}", write))

    def _entry(self, key: str, event: str, told: Mapping[str, Any]) -> Entry:
        return {
            "id": f"{self.definition.key}/{self.step.id}/{key}",
            "at": time_text(told.get("at") or self.means.clock()),
            "process": self.definition.process,
            "version": self.definition.version,
            "step": self.step.id,
            "kind": self.step.kind,
            "event": event,
            "by": str(told.get("by") or _SYSTEM),
            "role": str(told.get("role") or ""),
            "input": told.get("input"),
            "result": told.get("result"),
            "note": str(told.get("note") or ""),
        }
