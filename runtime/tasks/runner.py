"""Runs graphs as tasks: queued, bounded, watched, cancelled, and continued after a crash.

    with Runner("sqlite:///tasks.db", {"research": graph}) as runner:
        key = runner.submit("research", {"messages": "…"})
        print(runner.result(key))

Runners of several processes may share one file: each starts what is pending, and takes over
what a dead one ran, from its last checkpoint.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from langchain_core.callbacks import BaseCallbackHandler
from langgraph.checkpoint.base import BaseCheckpointSaver

from cogwork.core.budget import Budget
from cogwork.core.errors import ConfigurationError, TaskError
from cogwork.core.metrics import Metrics
from cogwork.core.registry import nearest
from cogwork.memory.async_saver import ThreadedSaver
from cogwork.memory.checkpoints import create_checkpointer
from cogwork.runtime.tasks.alerts import Alert, Alerts
from cogwork.runtime.tasks.looking import POLL, Looking
from cogwork.runtime.tasks.places import checkpoints_beside, place_of
from cogwork.runtime.tasks.records import Records
from cogwork.runtime.tasks.running import Graph, bound, output_of
from cogwork.runtime.tasks.submission import new_task, require_count, require_seconds
from cogwork.runtime.tasks.task import ENDED, Priority, State, Task, answers_to
from cogwork.runtime.tasks.workers import Limits, Workers
from cogwork.runtime.wording import counted

__all__ = ["Runner"]

_LATEST: Final = 2.0  # the same for coroutines, when a task takes long
_PAGE: Final = 1_000_000


class Runner(Looking):
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
        on_alert: Callable[[Alert], object] | None = None,
        stall_after: float = 300.0,
        callbacks: Sequence[BaseCallbackHandler] = (),
        metrics: Metrics | None = None,
    ) -> None:
        place = place_of(url)
        require_count("max_concurrency", max_concurrency)
        require_count("max_pending", max_pending)
        require_seconds("stall_after", stall_after, "it is when a silent task is said to stall")
        records = Records(place)
        super().__init__(records, stall_after)
        self._saver = checkpointer or create_checkpointer(checkpoints_beside(place))
        self._closes = checkpointer is None
        self._makers = dict(graphs or {})
        self._made: dict[str, Graph] = {}
        self._making = {name: threading.Lock() for name in self._makers}
        self._max_pending = max_pending
        limits = Limits(max_concurrency, stall_after)
        self._workers = Workers(records, self._graph, list(self._makers), place, limits)
        self._workers.changes = self._changes
        self._workers.admit, self._workers.metrics = admit, metrics
        self._workers.alerts = Alerts(on_alert, metrics)
        self._workers.callbacks = list(callbacks)

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
            ConfigurationError: There is no such graph or parent, or a value is impossible.
            TaskError: Too many wait already, the id is taken, or the parent was cancelled.
            MemoryStoreError: The input cannot be kept.
        """
        self._known(graph)
        task = new_task(
            graph,
            self._records.get,
            priority=priority,
            timeout=timeout,
            budget=budget,
            parent=parent,
            id=id,
        )
        self._records.add(task, self._saver.serde.dumps_typed(input), self._max_pending)
        self._workers.wake()
        return task.id

    def result(self, id: str, timeout: float | None = None) -> Any:  # noqa: A002
        """Wait for a task's end and return what its graph gave, as `graph.invoke` would.

        Args:
            id: Which task.
            timeout: Seconds to wait; None waits for ever.

        Raises:
            TaskError: It failed, was cancelled, or waits for a person.
            TimeoutError: It has not ended in time; it goes on.
        """
        if timeout is not None:
            require_seconds("timeout", timeout, "leave it out to wait for ever", least=True)
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            seen = self._changes.number
            if (task := self._records.get(id)).state in (*ENDED, "paused"):
                return self._output(task)
            left = POLL if until is None else until - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"task '{id}' is {task.state} after {timeout:g} s; it goes on")
            self._changes.wait(seen, min(left, POLL))

    async def aresult(self, id: str) -> Any:  # noqa: A002
        """See `result`; the loop is not held up, and `asyncio.timeout` limits the wait.

        The other calls block for a statement of the database; `asyncio.to_thread` keeps them
        off the loop.
        """
        pause = POLL
        with self._changes.listening(id) as changed:
            while True:
                changed.clear()
                task = await asyncio.to_thread(self._records.get, id)
                if task.state in (*ENDED, "paused"):
                    return await asyncio.to_thread(self._output, task)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), pause)
                pause = min(pause * 1.1, _LATEST)  # thousands may wait for what takes long

    def cancel(self, id: str) -> None:  # noqa: A002
        """Cancel a task and those that belong to it; async code ends within a second.

        A node of synchronous code that has begun cannot be stopped: its thread is left to
        itself, and what it returns is dropped.

        Raises:
            TaskError: There is none, or it has ended.
        """
        if self.status(id).state not in ENDED:
            self._cancel_those_of(id)  # first, or one of them would take its place
        self._want(id, "cancel", "cancelled")
        self._cancel_those_of(id)  # that came meanwhile

    def _cancel_those_of(self, parent: str) -> None:
        for child in self._records.find(parent=parent, limit=_PAGE):
            if child.state not in ENDED:
                with contextlib.suppress(TaskError):  # it has just ended
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
        if task.state != "paused":
            raise TaskError(f"task '{id}' is {task.state}; only a paused one can be resumed")
        if task.questions and answer is None:
            asked = counted(len(task.questions), "question")
            raise TaskError(f"task '{id}' asks {asked}; give an answer")
        if answer is not None and not task.questions:
            raise TaskError(f"task '{id}' asks nothing; resume it without an answer")
        self._records.change(id, "pending", answer=answers_to(task, answer))
        self._workers.wake()

    def cleanup(self, older_than: float = 7 * 86_400.0) -> Sequence[str]:
        """Forget tasks that ended so many seconds ago, with their checkpoints; return which.

        What a graph keeps that was compiled with a checkpointer of its own is left there.

        Raises:
            ConfigurationError: That is no number of seconds.
        """
        require_seconds("older_than", older_than, "0 forgets all that ended", least=True)
        gone = self._records.remove(time.time() - older_than)
        for key in gone:
            self._saver.delete_thread(key)
        return gone

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
        return output_of(task, self._graph(task.graph))

    def _known(self, name: str) -> None:
        if not isinstance(name, str) or name not in self._makers:
            raise ConfigurationError(
                f"the runner has no graph {name!a}; {nearest(str(name), list(self._makers))}"
            )

    def _graph(self, name: str) -> Graph:
        self._known(name)
        with self._making[name]:  # one takes long, and others must not wait for it
            if name not in self._made:
                maker = self._makers[name]
                made = maker if not callable(maker) else maker()
                self._made[name] = bound(made, self._saver)
            return self._made[name]
