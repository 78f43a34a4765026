"""One thread that talks to the database, and commits what all who wait have brought."""

import asyncio
import contextlib
import math
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from cogwork.core.bus.bell import Bell
from cogwork.core.bus.message import BusError
from cogwork.core.bus.transaction import Database, Transaction

__all__ = ["Worker"]

T = TypeVar("T")
_MOST = 500  # jobs in a transaction
_PATIENCE = 10.0  # seconds for the thread to end


class _Job:
    """A piece of a transaction, who waits for it, and what became of it."""

    __slots__ = ("agents", "error", "future", "loop", "result", "unwanted", "work")

    def __init__(
        self,
        work: Callable[[Transaction], Any],
        agents: Iterable[str],
        unwanted: Callable[[Any], None] | None,
    ) -> None:
        self.work = work
        self.agents = tuple(agents)
        self.unwanted = unwanted
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.result: Any = None
        self.error: BusError | None = None

    def settle(self) -> None:
        """Tell whoever waits; on its own loop."""
        if self.future.done():  # it was cancelled
            self.discard()
        elif self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)

    def discard(self) -> None:
        """Nobody wants the result any more."""
        if self.unwanted is not None and self.error is None:
            self.unwanted(self.result)


class Worker:
    """Runs pieces of work on a database, many in one durable transaction.

    It belongs to no event loop: coroutines of any loop may wait for it at the same time.
    The thread starts with the first of them and ends with `close`, or with the worker.
    """

    def __init__(self, database: Database) -> None:
        self.bell = Bell()
        self._database = database
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._closing: Callable[[], Any] | None = None
        self._closed = False
        self._process = os.getpid()

    async def do(
        self,
        work: Callable[[Transaction], T],
        agents: Iterable[str] = (),
        *,
        unwanted: Callable[[T], None] | None = None,
    ) -> T:
        """Return what `work` returns, once it is durable.

        Args:
            work: Runs on the thread, and may run twice; it raises nothing.
            agents: Whose inboxes it changes.
            unwanted: Called with the result if the caller was cancelled meanwhile.

        Raises:
            BusError: The database cannot do it, or the bus was closed.
        """
        job = _Job(work, agents, unwanted)
        self._put(job)
        try:
            result: T = await job.future
        except asyncio.CancelledError:
            if not job.future.cancelled():  # the result had come already
                job.discard()
            raise
        return result

    def do_later(self, work: Callable[[Transaction], Any]) -> None:
        """Have `work` done without waiting for it; called on a loop."""
        with contextlib.suppress(BusError):  # closed: leases end by themselves
            self._put(_Job(work, (), None))

    def close(self) -> None:
        """Finish what was brought, and end the thread."""
        with self._guard:
            self._closed = True
            closing = self._closing
        if closing is not None:
            closing()
        self.bell.ring(None)  # those who wait try again, and are told

    def _put(self, job: _Job) -> None:
        with self._guard:
            if self._closed:
                raise BusError("the message bus was closed; create another to go on")
            if self._process != os.getpid():
                raise BusError("the message bus was used before a fork; create one in the child")
            if self._closing is None:
                thread = _Thread(self._database, self._jobs, self.bell)
                self._closing = weakref.finalize(self, thread.end)
                thread.start()
            self._jobs.put(job)


class _Thread(threading.Thread):
    """Does the work; knows nothing of the worker, so that a forgotten one ends it."""

    def __init__(
        self, database: Database, jobs: "queue.SimpleQueue[_Job | None]", bell: Bell
    ) -> None:
        super().__init__(name="cogwork-bus", daemon=True)
        self._database = database
        self._jobs = jobs
        self._bell = bell
        self._ending = False
        self._poll = database.poll_seconds
        self._next_look = 0.0

    def end(self) -> None:
        """Let it finish; what waits for a server that is away is given up."""
        self._ending = True
        self._database.stop()
        self._jobs.put(None)
        if threading.current_thread() is not self:
            self.join(_PATIENCE)

    def run(self) -> None:
        """Commit batches until the end."""
        self._database.listen(self._bell.ring)
        try:
            while jobs := self._batch():
                self._commit(jobs)
                jobs.clear()  # they know their mailboxes, which would not be forgotten
        finally:
            self._database.close()

    def _batch(self) -> list[_Job]:
        """Wait for what is brought; nothing means the end."""
        while True:
            jobs = self._brought()
            if self._bell.has_listeners and time.monotonic() >= self._next_look:
                self._look()
            if jobs or (self._ending and self._jobs.empty()):
                return jobs

    def _brought(self) -> list[_Job]:
        """What is brought, or nothing when it is time to look for other processes' writes."""
        seconds = self._poll if self._bell.has_listeners else None
        jobs: list[_Job | None] = []
        with contextlib.suppress(queue.Empty):
            jobs.append(self._jobs.get(timeout=0 if self._ending else seconds))
            while len(jobs) < _MOST:
                jobs.append(self._jobs.get_nowait())
        return [job for job in jobs if job is not None and not job.future.done()]

    def _look(self) -> None:
        self._next_look = time.monotonic() + (self._poll or math.inf)
        if self._poll is not None and self._database.has_changed():
            self._bell.ring(None)

    def _commit(self, jobs: list[_Job]) -> None:
        # What holds inboxes goes first, and what skips held messages last: see `begin`.
        jobs.sort(key=lambda job: not job.agents)

        def work(transaction: Transaction) -> None:
            for job in jobs:
                job.result = job.work(transaction)

        rung: set[str] = set()
        try:
            agents = [name for job in jobs for name in job.agents]
            rung = self._database.transact(agents, work)
        except Exception as error:  # noqa: BLE001 - raised by whoever waits
            told = _as_bus_error(error)
            if len(jobs) > 1 and not told.transient:
                for job in jobs:
                    self._commit([job])
                return
            for job in jobs:
                job.error = told
        _settle(jobs)
        self._bell.ring(rung)


def _settle(jobs: list[_Job]) -> None:
    """Tell those who wait, by one call to each of their loops."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in jobs:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, theirs in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(_settle_here, theirs)


def _settle_here(jobs: list[_Job]) -> None:
    for job in jobs:
        job.settle()


def _as_bus_error(error: Exception) -> BusError:
    if isinstance(error, BusError):
        return error
    raised = BusError(f"the message bus failed: {type(error).__name__}: {error}")
    raised.__cause__ = error
    return raised
