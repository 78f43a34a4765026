"""Runs graphs as tasks: queued, bounded, watched, cancelled, and continued after a crash.

    with Runner("sqlite:///tasks.db", {"research": graph}) as runner:
        key = runner.submit("research", {"messages": "…"})
        print(runner.result(key))

Runners of several processes may share one file: each starts what is pending, and takes over
what a dead one ran, from its last checkpoint.
"""

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from langchain_core.callbacks import BaseCallbackHandler
from langgraph.checkpoint.base import BaseCheckpointSaver

from cogwork.core.budget import Budget
from cogwork.core.errors import ConfigurationError, TaskError, redact
from cogwork.core.metrics import Metrics
from cogwork.core.registry import nearest
from cogwork.memory.async_saver import ThreadedSaver
from cogwork.memory.checkpoints import create_checkpointer
from cogwork.runtime.tasks.records import Records
from cogwork.runtime.tasks.running import Graph, bound, config_of
from cogwork.runtime.tasks.task import ENDED, Priority, State, Task, TaskEvent
from cogwork.runtime.tasks.workers import Limits, Workers

__all__ = ["Runner"]

_POLL: Final = 0.2  # seconds between looks at what other processes did
_PAGE: Final = 1_000_000


class Runner:
    """Tasks of graphs, in a file.

    Entering it (`with`), or `start`, starts work; else it only submits and looks.

    Args:
        url: `sqlite:///relative.db` or `sqlite:////absolute.db`, for the processes of one
            machine; `postgresql://user:password@host:5432/database` (extra `postgres`), for
            those of many. What is not there is made.
        graphs: What can run, by name: graphs, or functions that make one when it is first
            needed. A name must mean the same graph in every process that shares the file.
        checkpointer: Where graphs keep their threads that were compiled without one; a file
            beside the tasks, or the same database, unless given.
        max_concurrency: How many tasks run here at once.
        max_pending: How many may wait, in all processes.
        admit: Asked before a task starts; what it returns is why none may now, None lets it.
        on_alert: Told of tasks that stall or fail, from the runner's thread; see `Alert`.
        stall_after: Seconds without a word from a task after which it is said to stall.
        callbacks: Given to each run, such as `cogwork.core.tracing.Tracing()`.
        metrics: Counts tasks, and what their runs do.

    Raises:
        ConfigurationError: The URL or a limit is wrong.
        MemoryStoreError: The file cannot be opened or written, now or later.
    """

    def __init__(
        self,
        url: str,
        graphs: Mapping[str, Graph | Callable[[], Graph]] | None = None,
        *,
        checkpointer: BaseCheckpointSaver[Any] | None = None,
        max_concurrency: int = 4,
        max_pending: int = 10_000,
        admit: Callable[[], str | None] | None = None,
        on_alert: Callable[..., None] | None = None,
        stall_after: float = 300.0,
        callbacks: Sequence[BaseCallbackHandler] = (),
        metrics: Metrics | None = None,
    ) -> None:
        place = _place(url)
        if max_concurrency < 1 or max_pending < 1 or stall_after <= 0:
            raise ConfigurationError(
                f"max_concurrency={max_concurrency}, max_pending={max_pending} and "
                f"stall_after={stall_after} must be more than 0"
            )
        self._records = Records(place)
        self._saver = checkpointer or create_checkpointer(_beside(place))
        self._closes = checkpointer is None
        self._makers = dict(graphs or {})
        self._made: dict[str, Graph] = {}
        self._making = threading.Lock()
        self._max_pending = max_pending
        limits = Limits(max_concurrency, stall_after)
        signs = place if isinstance(place, str) else place.with_suffix(".runners")
        self._workers = Workers(self._records, self._graph, list(self._makers), signs, limits)
        self._workers.admit, self._workers.on_alert = admit, on_alert
        self._workers.metrics = metrics
        self._workers.callbacks = [*callbacks, *([metrics.callback] if metrics else [])]

    def start(self) -> Self:
        """Start to work on what is pending, now and later."""
        self._workers.start()
        return self

    def stop(self, grace: float = 10.0) -> None:
        """Take no more work, let what runs come to its next checkpoint, and close the file.

        What has not ended is pending again, for whoever starts next.

        Args:
            grace: Seconds that running nodes have; what is then not at a checkpoint is
                broken off, and its unfinished node runs again from its records.
        """
        self._workers.stop(grace)
        self._records.close()
        if self._closes and isinstance(self._saver, ThreadedSaver):
            self._saver.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def submit(
        self,
        graph: str,
        input: Any,  # noqa: A002 - the name is LangChain's
        *,
        priority: Priority | int = Priority.normal,
        timeout: float | None = None,
        budget: Budget | None = None,
        parent: str | None = None,
        id: str | None = None,  # noqa: A002 - the name is everyone's
    ) -> str:
        """Queue a run of a graph and return its id; it is kept before this returns.

        Args:
            graph: A name in `graphs`.
            input: What the graph is invoked with.
            priority: Higher ones start first; of equal ones, the older.
            timeout: Seconds that it may run.
            budget: What it may spend, over all attempts.
            parent: A task that it belongs to and is cancelled with.
            id: Its id, so that submitting twice is refused; a new one unless given.

        Raises:
            ConfigurationError: There is no such graph, or the timeout is not above 0.
            TaskError: Too many wait already, the id is taken, or there is no such parent.
            MemoryStoreError: The input cannot be kept.
        """
        self._known(graph)
        if timeout is not None and not timeout > 0:
            raise ConfigurationError(f"timeout {timeout} must be seconds above 0")
        key = uuid.uuid4().hex[:12] if id is None else id
        trace = self._records.get(parent).trace if parent is not None else uuid.uuid4().hex
        now = time.time()
        task = Task(
            id=key,
            graph=graph,
            priority=int(priority),
            timeout=timeout,
            budget=None if budget is None else asdict(budget),
            parent=parent,
            trace=trace,
            created=now,
            touched=now,
        )
        self._records.add(task, self._saver.serde.dumps_typed(input), self._max_pending)
        self._workers.wake()
        return key

    def status(self, id: str) -> Task:  # noqa: A002
        """Return what is known of a task.

        Raises:
            TaskError: There is none.
        """
        return self._records.get(id)

    def progress(self, id: str) -> float:  # noqa: A002
        """Return how far a task is, from 0 to 1."""
        return self._records.get(id).progress

    def events(self, id: str, after: int = 0) -> list[TaskEvent]:  # noqa: A002
        """Return what happened to a task after the event of that number, the last 1,000."""
        self._records.get(id)
        return self._records.events(id, after)

    def watch(self, id: str, after: int = 0) -> Iterator[TaskEvent]:  # noqa: A002
        """Yield what happens to a task, until it ends or pauses."""
        while True:
            task = self._records.get(id)
            for event in self._records.events(id, after):
                after = event.number
                yield event
            if task.state in (*ENDED, "paused"):
                return
            self._workers.wait_for_change(_POLL)

    def result(self, id: str, timeout: float | None = None) -> Any:  # noqa: A002
        """Wait for a task's end and return what its graph gave, as `graph.invoke` would.

        Args:
            id: Which task.
            timeout: Seconds to wait; None waits for ever.

        Raises:
            TaskError: It failed, was cancelled, or waits for a person.
            TimeoutError: It has not ended in time; it goes on.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while (task := self._records.get(id)).state not in (*ENDED, "paused"):
            if until is not None and time.monotonic() >= until:
                raise TimeoutError(f"task '{id}' is {task.state} after {timeout:g} s; it goes on")
            self._workers.wait_for_change(_POLL)
        return self._output(task)

    async def aresult(self, id: str) -> Any:  # noqa: A002
        """See `result`; the loop is not held up, and `asyncio.timeout` limits the wait."""
        while (task := self._records.get(id)).state not in (*ENDED, "paused"):
            await asyncio.to_thread(self._workers.wait_for_change, _POLL)
        return await asyncio.to_thread(self._output, task)

    def cancel(self, id: str) -> None:  # noqa: A002
        """Cancel a task and those that belong to it; async code ends within a second.

        A node of synchronous code that has begun cannot be stopped: its thread is left to
        itself, and what it returns is dropped.

        Raises:
            TaskError: There is none, or it has ended.
        """
        self._want(id, "cancel", "cancelled")
        for child in self._records.find(parent=id, limit=_PAGE):
            if child.state not in ENDED:
                self.cancel(child.id)

    def pause(self, id: str) -> None:  # noqa: A002
        """Hold a task at its next checkpoint, until `resume`.

        Raises:
            TaskError: There is none, or it has ended.
        """
        self._want(id, "pause", "paused")

    def resume(self, id: str, answer: Any = None) -> None:  # noqa: A002
        """Let a paused task go on.

        Args:
            id: Which task.
            answer: To its one question, or a mapping from the ids of several to answers;
                plain data.

        Raises:
            TaskError: It is not paused; it asks and there is no answer, or the other way round.
        """
        task = self._records.get(id)
        if task.questions and answer is None:
            raise TaskError(f"task '{id}' asks {len(task.questions)} question(s); give an answer")
        if answer is not None and not task.questions:
            raise TaskError(f"task '{id}' asks nothing; resume it without an answer")
        self._records.change(id, "pending", answer=_by_id(task, answer))
        self._workers.wake()

    def list(self, state: State | None = None, *, limit: int = 100) -> list[Task]:
        """Return tasks, the newest first."""
        return self._records.find(state, limit=limit)

    def cleanup(self, older_than: float = 7 * 86_400.0) -> Sequence[str]:
        """Forget tasks that ended so many seconds ago, with their checkpoints; return which."""
        gone = self._records.remove(time.time() - older_than)
        for key in gone:
            self._saver.delete_thread(key)
        return gone

    def counts(self) -> dict[str, int]:
        """Return how many tasks there are in each state."""
        return self._records.counts()

    def _want(self, key: str, wish: Any, after: State) -> None:
        task = self._records.get(key)
        if task.state == "running" and self._records.wish(key, wish):
            self._workers.want(key, wish)
            return
        self._records.change(key, after)
        self._workers.wake()

    def _output(self, task: Task) -> Any:
        if task.state == "paused":
            asks = f"asks: {task.questions}" if task.questions else "is paused"
            raise TaskError(f"task '{task.id}' {asks}; go on with resume('{task.id}', …)")
        if task.state != "completed":
            raise TaskError(f"task '{task.id}' {task.state}: {task.error or 'on demand'}")
        graph = self._graph(task.graph)
        values = graph.get_state(config_of(task)).values
        wanted = graph.output_channels
        if isinstance(wanted, str):
            return values.get(wanted) if isinstance(values, Mapping) else values
        return {name: values[name] for name in wanted if name in values}

    def _known(self, name: str) -> None:
        if name not in self._makers:
            raise ConfigurationError(
                f"the runner has no graph '{name}'; {nearest(name, list(self._makers))}"
            )

    def _graph(self, name: str) -> Graph:
        self._known(name)
        with self._making:
            if name not in self._made:
                maker = self._makers[name]
                made = maker if not callable(maker) else maker()
                self._made[name] = bound(made, self._saver)
            return self._made[name]


def _by_id(task: Task, answer: Any) -> dict[str, Any] | None:
    if not task.questions:
        return None
    keys = [each["id"] for each in task.questions]
    if isinstance(answer, Mapping) and answer.keys() & set(keys):
        return {key: answer[key] for key in keys if key in answer}
    if len(keys) == 1:
        return {keys[0]: answer}
    raise TaskError(
        f"task '{task.id}' asks {len(keys)} questions; answer by their ids: {', '.join(keys)}"
    )


def _place(url: str) -> Path | str:
    if url.startswith(("postgresql://", "postgres://")):
        return url
    if not url.startswith("sqlite:///") or len(url) <= len("sqlite:///"):
        raise ConfigurationError(
            f"tasks '{redact(url)}': write sqlite:///relative.db, sqlite:////absolute.db, or "
            "postgresql://user:password@host:5432/database"
        )
    return Path(url.removeprefix("sqlite:///")).expanduser().absolute()


def _beside(place: Path | str) -> str:
    """The URL of a checkpointer beside the tasks."""
    if isinstance(place, str):
        return place
    return f"sqlite:////{str(place.with_suffix('.checkpoints.db')).lstrip('/')}"
