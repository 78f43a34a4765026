"""The loop that starts pending tasks, watches them, and puts down what becomes of them."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from langchain_core.callbacks import BaseCallbackHandler

from cogwork.core.budget import Budget
from cogwork.core.budget_runs import with_budget
from cogwork.core.errors import CogworkError, MemoryStoreError, TaskError, redact
from cogwork.core.metrics import Metrics
from cogwork.runtime.tasks.alerts import Alerts
from cogwork.runtime.tasks.changes import Changes
from cogwork.runtime.tasks.claims import Claims
from cogwork.runtime.tasks.node_threads import node_threads
from cogwork.runtime.tasks.places import Place, presence_at
from cogwork.runtime.tasks.records import Records
from cogwork.runtime.tasks.running import Ended, Graph, Running, Wish, failed, serde_of
from cogwork.runtime.tasks.task import ENDED, Task

__all__ = ["Limits", "Workers"]

_log = logging.getLogger(__name__)
_TICK: Final = 0.1  # seconds between looks at wishes, progress and pending tasks
_CARE: Final = 1.0  # seconds between looks for runners that died
_AWAY: Final = 60.0  # seconds that the database may be away when a task ends, before it is told


@dataclass(frozen=True, slots=True)
class Limits:
    """How many tasks run at once, and after how many silent seconds one is said to stall."""

    max_concurrency: int
    stall_after: float


class Workers:
    """Runs tasks on a loop of its own thread.

    Args:
        records: Of the tasks.
        graph: Makes or returns the graph of a name.
        names: Of the graphs that can run here.
        place: Of the tasks; runners leave signs of life beside them.
        limits: For all of them.
    """

    def __init__(
        self,
        records: Records,
        graph: Callable[[str], Graph],
        names: Sequence[str],
        place: Place,
        limits: Limits,
    ) -> None:
        self.admit: Callable[[], str | None] | None = None
        self.alerts = Alerts()
        self.changes = Changes()
        self.metrics: Metrics | None = None
        self.callbacks: Sequence[BaseCallbackHandler] = ()
        self._records = records
        self._claims = Claims(records.file)
        self._graph = graph
        self._names = names
        self._limits = limits
        self._place = place
        self._running: dict[str, Running] = {}
        self._starting: set[str] = set()
        self._ends: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        # Apart from the loop's own threads, in which synchronous nodes may be stuck.
        self._writers = ThreadPoolExecutor(2, "cogwork-tasks")
        # Apart from these, for a graph may take long to make.
        self._makers = ThreadPoolExecutor(4, "cogwork-graphs")
        self._is_closed = False

    def start(self) -> None:
        """Start the loop; nothing happens if it runs.

        Raises:
            TaskError: It was stopped.
        """
        if self._is_closed:
            raise TaskError("this runner was stopped; make another one to go on")
        if self._thread is not None:
            return
        self._presence = presence_at(self._place)
        self._owner = self._presence.owner
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="cogwork-runner", daemon=True
        )
        self._thread.start()
        ready.wait()

    def stop(self, grace: float) -> None:
        """Drain and end the loop."""
        self._is_closed = True
        if self._thread is not None and self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._drain, grace)
            self._thread.join()
            self._presence.leave()
        self._writers.shutdown()
        self._makers.shutdown(wait=False)
        self.changes.tell()

    def wake(self) -> None:
        """Look at once for pending tasks."""
        if self._loop is not None and not self._stopping:
            with contextlib.suppress(RuntimeError):  # it has just ended
                self._loop.call_soon_threadsafe(self._due.set)
        self.changes.tell()

    def want(self, key: str, wish: Wish) -> None:
        """Hand a wish to a task that runs here."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._hand, key, wish)

    def _run(self, ready: threading.Event) -> None:
        # Not `asyncio.run`, which waits for threads, in which a cancelled node may be stuck.
        loop = asyncio.new_event_loop()
        loop.set_default_executor(node_threads())
        serving = loop.create_task(self._serve(ready))
        try:
            while not serving.done():
                # `sys.exit()` in a node ends its task; asyncio would have it end the loop too.
                with contextlib.suppress(SystemExit, KeyboardInterrupt):
                    loop.run_until_complete(serving)
            serving.result()
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._due = asyncio.Event()
        cared = -_CARE
        ready.set()
        while not self._stopping or self._running or self._starting:
            now = time.monotonic()
            try:
                if now - cared >= _CARE:
                    await self._care()
                    cared = now
                await self._look()
                await self._tell()
            except Exception as error:  # noqa: BLE001 - the database is away; what runs goes on
                told = error.safe_message() if isinstance(error, CogworkError) else repr(error)
                _log.warning("the runner could not look at its tasks: %s", redact(told))
                self.alerts.refuse(redact(told))
                await asyncio.sleep(_CARE)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), _TICK)
            self._due.clear()
        await asyncio.gather(*self._ends.values())
        rest = asyncio.all_tasks() - {asyncio.current_task()}  # that graphs started and left
        for each in rest:
            each.cancel()
        if rest:
            await asyncio.wait(rest, timeout=_CARE)

    async def _care(self) -> None:
        """Take over what dead runners ran, and see whether others took what runs here."""
        running = set(self._running)
        held = await self._write(self._take_over)
        for key in running - held:  # taken for dead: somebody else runs it
            if key in self._running:
                self._running[key].want("cancel")
        # Claimed, but the answer never came: the database went away just then.
        if lost := held - self._running.keys() - self._ends.keys():
            await self._write(self._claims.put_back, self._owner, lost)

    def _take_over(self) -> set[str]:
        self._presence.keep()
        owners = self._claims.owners()
        if dead := [owner for owner in owners if not self._presence.lives(owner)]:
            self._claims.requeue(dead)
        return self._claims.held(self._owner)

    async def _look(self) -> None:
        """Start what may start, and hear what other processes want."""
        for key, wish in (await self._write(self._claims.wishes, self._owner)).items():
            self._hand(key, wish)
        while not self._stopping and self._busy() < self._limits.max_concurrency:
            if self.admit is not None and (reason := self.admit()):
                self.alerts.refuse(reason)
                return
            self.alerts.refuse(None)
            task = await self._write(self._claims.claim, self._owner, self._names)
            if task is None:
                return
            self._starting.add(task.id)
            self._see(task.id, self._begin(task))

    def _busy(self) -> int:
        return len(self._running) + len(self._starting)

    def _bounded(self, task: Task, graph: Graph) -> Graph:
        return with_budget(
            graph,
            Budget(**(task.budget or {})),
            name=f"task {task.id}",
            on_warning=lambda warning: self.alerts.tell(
                "budget", task, f"{warning.limit}: {warning.spent:g} of {warning.of:g} spent"
            ),
            also=None if self.metrics is None else self.metrics.callback,
        )

    async def _begin(self, task: Task) -> None:
        try:
            running = await self._made(task)
        except asyncio.CancelledError:  # nobody waits for the graph to be made
            self._starting.discard(task.id)
            await self._end(task, Ended("pending"))
            return
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a graph that cannot be made fails its task
            self._starting.discard(task.id)
            await self._end(task, failed(task, error, "it could not start: "))
            return
        self._starting.discard(task.id)
        self._running[task.id] = running
        self._count(task.graph)
        if self._stopping:
            running.want("stop")
        await self._see_to(running)

    async def _made(self, task: Task) -> Running:
        given, answers = await self._write(self._records.input_of, task.id)
        loop = asyncio.get_running_loop()
        graph = await loop.run_in_executor(self._makers, self._graph, task.graph)
        counted = [] if self.metrics is None else [self.metrics.callback]
        callbacks = [*self.callbacks, *counted]
        if task.budget is not None:
            # A callback beside one that refuses may be left waiting for its turn.
            graph, callbacks = self._bounded(task, graph), list(self.callbacks)
        return Running(task, graph, serde_of(graph).loads_typed(given), answers, callbacks)

    def _see(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        """Let something go on beside, until the end of a task is written down."""
        end = asyncio.create_task(work)
        self._ends[key] = end

        def forget(_: object) -> None:
            if self._ends.get(key) is end:  # it may have begun again
                del self._ends[key]

        end.add_done_callback(forget)

    async def _see_to(self, running: Running) -> None:
        try:
            ended = await running.start()
        except asyncio.CancelledError:
            ended = Ended("pending")
        finally:
            del self._running[running.task.id]
        if events := running.take_events():
            told = {running.task.id: _way_of(running)}
            try:
                await self._write(self._claims.tell, self._owner, told, {running.task.id: events})
            except Exception as error:  # noqa: BLE001 - without its last events, but it has ended
                _log.warning("task '%s' lost events: %s", running.task.id, redact(repr(error)))
        values = {**ended.values, "spent": running.spent(), "ran": running.ran()}
        await self._end(running.task, Ended(ended.state, values, ended.alert))
        self._count(running.task.graph)
        self._due.set()

    def _count(self, graph: str) -> None:
        if self.metrics is not None:
            active = sum(each.task.graph == graph for each in self._running.values())
            self.metrics.active_tasks.labels(graph).set(active)

    async def _end(self, task: Task, ended: Ended) -> None:
        change = partial(
            self._records.change,
            task.id,
            ended.state,
            owner=self._owner,
            **{"answer": None, **ended.values},
        )
        until, told = time.monotonic() + _AWAY, False
        while True:  # the disk may have room again; until then nobody else may run it
            try:
                changed = await self._write(change)
                break
            except MemoryStoreError as error:
                if not error.transient or time.monotonic() > until:
                    if not told:
                        self.alerts.tell("refused", task, error.safe_message())
                    if self._stopping:
                        return
                    told = True
                await asyncio.sleep(_CARE / 2)
        self.changes.tell(task.id)
        if changed is not None and self.metrics is not None and changed.state in ENDED:
            self.metrics.task_seconds.labels(task.graph, changed.state).observe(changed.ran)
        if ended.state == "failed":
            self.alerts.tell(ended.alert, task, str(ended.values.get("error")))

    async def _tell(self) -> None:
        """Write down progress and events, and look for tasks that say nothing."""
        progress, events = {}, {}
        for key, running in self._running.items():
            if told := running.take_events():
                progress[key] = _way_of(running)
                events[key] = told
        if events:
            await self._write(self._claims.tell, self._owner, progress, events)
            self.changes.tell()
        for running in self._running.values():
            silent = time.monotonic() - running.heard
            if silent > self._limits.stall_after and not running.stalled:
                running.stalled = True
                message = f"it has said nothing for {silent:.0f} s"
                self.alerts.tell("stalled", running.task, message)

    def _hand(self, key: str, wish: Wish) -> None:
        running = self._running.get(key)
        if running is not None and running.wish != wish:
            running.want(wish)
        elif wish == "cancel" and key in self._starting:
            self._ends[key].cancel()

    def _drain(self, grace: float) -> None:
        self._stopping = True
        for running in self._running.values():
            running.want("stop")
        asyncio.get_running_loop().call_later(grace, self._break_off)
        self._due.set()

    def _break_off(self) -> None:
        for running in self._running.values():
            running.break_off()
        for key in self._starting:
            self._ends[key].cancel()

    async def _write(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._writers, function, *args)


def _way_of(running: Running) -> tuple[float, str | None, dict[str, float]]:
    return running.progress.share, running.progress.phase, running.spent()
