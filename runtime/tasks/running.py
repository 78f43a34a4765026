"""One task at work: its graph is run from where its checkpoint is to its end, or to a pause."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias, cast

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.errors import GraphDrained
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import RunControl
from langgraph.types import Command, StateSnapshot

from cogwork.core.budget import Budget, Ledger
from cogwork.core.budget_runs import open_budget
from cogwork.core.errors import (
    BudgetError,
    CogworkError,
    ConfigurationError,
    MemoryStoreError,
    redact,
)
from cogwork.memory.checkpoints import with_state_types
from cogwork.runtime.tasks.alerts import Kind
from cogwork.runtime.tasks.progress import Progress
from cogwork.runtime.tasks.task import State, Task

__all__ = ["Ended", "Graph", "Running", "Wish", "bound", "failed", "output_of", "serde_of"]

_log = logging.getLogger(__name__)

Graph: TypeAlias = CompiledStateGraph[Any, Any, Any, Any]
Wish: TypeAlias = Literal["cancel", "pause", "stop"]

_AFTER_WISH: dict[Wish, State] = {"cancel": "cancelled", "pause": "paused", "stop": "pending"}
_MOST = 1_000  # events that wait to be written; of a task so many are kept
_ATTEMPTS = 10  # starts of a task after which a database that is away fails it


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: the state of its task, what else is known, and how a failure is told."""

    state: State
    values: Mapping[str, Any] = field(default_factory=dict)
    alert: Kind = "failed"


class Running:
    """A task while it runs.

    Args:
        task: Which.
        graph: With a checkpointer.
        given: Its input.
        answers: Of persons, by the ids of questions.
        callbacks: Of the run.
    """

    def __init__(
        self,
        task: Task,
        graph: Graph,
        given: Any,
        answers: Mapping[str, Any] | None = None,
        callbacks: Sequence[BaseCallbackHandler] = (),
    ) -> None:
        self.task = task
        self.heard = time.monotonic()
        self.stalled = False
        self.progress = Progress(task.progress)
        self.wish: Wish | None = None
        self._graph = graph
        self._given = given
        self._answers = answers
        self._callbacks = callbacks
        self._control = RunControl()
        self._told: deque[tuple[str, Any]] = deque(maxlen=_MOST)
        self._began = time.monotonic()
        self._work: asyncio.Task[Ended] | None = None
        self._ledger: Ledger | None = None

    def start(self) -> "asyncio.Task[Ended]":
        """Start it on the loop of the caller."""
        self._work = asyncio.create_task(self._run(), name=f"task {self.task.id}")
        return self._work

    def want(self, wish: Wish) -> None:
        """Cancel it at once; or pause or stop it where its next checkpoint is."""
        if self.wish == "cancel":
            return
        self.wish = wish
        if wish == "cancel":
            self.break_off()
        else:
            self._control.request_drain(wish)

    def break_off(self) -> None:
        """End it now; what it has recorded stays."""
        if self._work is not None:
            self._work.cancel()

    def take_events(self) -> list[tuple[str, Any]]:
        """Return what happened since the last call."""
        told = list(self._told)
        self._told.clear()
        return told

    def spent(self) -> dict[str, float]:
        """Return what the task has taken, in this attempt and those before."""
        before = self.task.spent
        if self._ledger is None:
            return before
        now = self._ledger.spent.as_dict()
        return {
            name: before.get(name, 0) + value for name, value in now.items() if name != "seconds"
        }

    def ran(self) -> float:
        """Return the seconds that it ran, over all attempts; no clock that is set changes them."""
        return self.task.ran + time.monotonic() - self._began

    async def _run(self) -> Ended:
        left = None if self.task.timeout is None else max(self.task.timeout - self.task.ran, 0)
        try:
            with open_budget(Budget()) as self._ledger:  # counts, and limits nothing
                async with asyncio.timeout(left) as limit:
                    return await self._follow()
        except asyncio.CancelledError:
            if self.wish is None:
                raise
            return Ended(_AFTER_WISH[self.wish])
        except GraphDrained as drained:
            return Ended("paused" if drained.reason == "pause" else "pending")
        except TimeoutError as error:
            if not limit.expired():
                return failed(self.task, error)
            told = f"it ran longer than {self.task.timeout:g} s"
            return Ended("failed", {"error": told}, "timeout")
        except BaseException as error:  # noqa: BLE001 - whatever a graph raises ends its task, not the runner
            return failed(self.task, error)

    async def _follow(self) -> Ended:
        config = _config_of(self.task)
        given = self._given
        if self.task.attempts > 1:
            given = self._input(await self._graph.aget_state(config))
        stream = self._graph.astream(
            given,
            {**config, "callbacks": list(self._callbacks)},
            stream_mode=["updates", "custom"],
            subgraphs=True,
            durability="sync",
            control=self._control,
        )
        async for namespace, mode, event in cast("AsyncIterator[tuple[Any, str, Any]]", stream):
            self._hear(namespace, mode, event)
        snapshot = await self._graph.aget_state(config)
        if snapshot.interrupts:
            asked = [{"id": each.id, "value": each.value} for each in snapshot.interrupts]
            return Ended("paused", {"questions": asked})
        return Ended("completed")

    def _input(self, snapshot: StateSnapshot) -> Any:
        if _is_older(snapshot, self.task):
            return self._given
        # After a crash the answer may have been heard already, and another question wait.
        open_ = {each.id for each in snapshot.interrupts}
        answers = {key: said for key, said in (self._answers or {}).items() if key in open_}
        return Command(resume=answers) if answers else None

    def _hear(self, namespace: tuple[str, ...], mode: Any, event: Any) -> None:
        if mode == "custom":
            self.progress.custom(event)
            self._tell("step" if _is_step(event) else "custom", event)
            return
        for name in event:
            if not name.startswith("__"):
                if not namespace:
                    self.progress.node(name)
                self._tell("node", {"node": "/".join([*map(_node, namespace), name])})

    def _tell(self, kind: str, data: Any) -> None:
        self.heard = time.monotonic()
        self._told.append((kind, data))


def failed(task: Task, error: BaseException, what: str = "") -> Ended:
    """Return how a task ends by an error; it starts again if a database is away, not for ever.

    Args:
        task: Which.
        error: Why.
        what: What failed, before the error's message.
    """
    away = isinstance(error, MemoryStoreError) and error.transient
    if away and task.attempts < _ATTEMPTS:
        _log.warning("task '%s' starts again: %s", task.id, _told(error))
        return Ended("pending")
    alert: Kind = "overspent" if isinstance(error, BudgetError) else "failed"
    return Ended("failed", {"error": what + _told(error)}, alert)


def bound(graph: Graph, checkpointer: BaseCheckpointSaver[Any]) -> Graph:
    """Return the graph with a checkpointer: its own if it was compiled with one."""
    if isinstance(graph.checkpointer, BaseCheckpointSaver):
        return graph
    return graph.copy({"checkpointer": with_state_types(checkpointer, graph)})


def serde_of(graph: Graph) -> SerializerProtocol:
    """Return what turns a graph's input into bytes and back."""
    saver = graph.checkpointer
    if not isinstance(saver, BaseCheckpointSaver):
        raise ConfigurationError(f"graph '{graph.name}' has no checkpointer of its own")
    return saver.serde


def _config_of(task: Task) -> RunnableConfig:
    """Return the config that a task's graph runs with."""
    return {
        "configurable": {"thread_id": task.id},
        "metadata": {"task_id": task.id, "trace_id": task.trace},
    }


def output_of(task: Task, graph: Graph) -> Any:
    """Return what a completed task's graph gave, as `graph.invoke` would."""
    values = graph.get_state(_config_of(task)).values
    wanted = graph.output_channels
    if isinstance(wanted, str):
        return values.get(wanted) if isinstance(values, Mapping) else values
    return {name: values[name] for name in wanted if name in values}


def _is_step(event: Any) -> bool:
    return isinstance(event, Mapping) and event.get("type") == "step"


def _node(namespace: str) -> str:
    return namespace.partition(":")[0]


def _is_older(snapshot: StateSnapshot, task: Task) -> bool:
    """Whether a thread has nothing of the task: it is empty, or was there before."""
    if not snapshot.created_at:
        return True
    is_its_own = (snapshot.metadata or {}).get("trace_id") == task.trace
    return not is_its_own and datetime.fromisoformat(snapshot.created_at).timestamp() < task.created


def _told(error: BaseException) -> str:
    if isinstance(error, CogworkError):
        return error.safe_message()
    return redact(f"{type(error).__name__}: {error}")
