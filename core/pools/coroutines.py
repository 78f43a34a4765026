"""A pool of coroutines on the caller's loop."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, Self, TypeVar

from cogwork.core.pools.calls import WhenFull, check_limits, name_of
from cogwork.core.pools.info import PoolFullError, PoolInfo, Tally

__all__ = ["AsyncPool"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Job:
    name: str
    admitted: asyncio.Event = field(default_factory=asyncio.Event)
    since: float = field(default_factory=time.monotonic)  # in the queue, then running
    has_begun: bool = False
    is_late: bool = False


class AsyncPool:
    """Coroutines on the caller's loop, so many at a time; on one loop after another, too.

    Leaving its block by an exception cancels what is under way.

    Args:
        workers: Coroutines that run at a time.
        queue: Calls that may wait.
        timeout: Seconds that a call may run; then it is cancelled.
        full: What becomes of a call when the queue is full: it waits, or is refused.
        name: In messages.

    Raises:
        ConfigurationError: A limit makes no sense.
    """

    def __init__(
        self,
        workers: int = 32,
        *,
        queue: int = 64,
        timeout: float | None = None,
        full: WhenFull = "wait",
        name: str = "coroutines",
    ) -> None:
        check_limits(name, workers, queue, timeout)
        self._count, self._timeout, self._full, self._name = workers, timeout, full, name
        self._bound = workers + queue
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: dict[asyncio.Task[Any], _Job] = {}
        self._is_closed = False
        self._tally = Tally()

    async def submit(
        self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> "asyncio.Task[T]":
        """Hand in a call and return its task; waits for room in the queue, or refuses.

        Raises:
            PoolFullError: The queue is full, and `full` is "refuse".
            RuntimeError: The pool was shut down, or has calls on another loop.
        """
        task = self._enter(partial(fn, *args, **kwargs), name_of(fn))
        try:
            await self._jobs[task].admitted.wait()
        except asyncio.CancelledError:
            task.cancel()
            raise
        return task

    async def run(self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function and return what it returns; when cancelled, the call is too.

        Raises:
            PoolFullError: The queue is full, and `full` is "refuse".
            RuntimeError: The pool was shut down.
            TimeoutError: The call ran for longer than the pool's `timeout`.
        """
        result: T = await self._enter(partial(fn, *args, **kwargs), name_of(fn))
        return result

    async def map(
        self, fn: Callable[..., Awaitable[T]], *iterables: Iterable[Any]
    ) -> AsyncIterator[T]:
        """Yield the results in the order of what is given, calling ahead as far as there is room.

        Args:
            fn: What to call.
            *iterables: Its arguments; read as results are taken, so they may be endless.
        """
        ahead: deque[asyncio.Task[T]] = deque()
        try:
            for args in zip(*iterables, strict=False):
                ahead.append(self._enter(partial(fn, *args), name_of(fn), waits=True))
                if len(ahead) >= self._bound:
                    yield await ahead.popleft()
            while ahead:
                yield await ahead.popleft()
        finally:
            for task in ahead:
                task.cancel()

    def info(self) -> PoolInfo:
        """Return the figures so far."""
        jobs = self._jobs.values()
        running = sum(job.has_begun for job in jobs)
        admitted = sum(job.admitted.is_set() for job in jobs)
        return self._tally.info(
            self._count, running=running, queued=admitted - running, waiting=len(jobs) - admitted
        )

    async def shutdown(
        self,
        *,
        cancel_futures: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109 - it does not end the wait with an error
    ) -> None:
        """Take no more calls and wait for those that were handed in.

        Args:
            cancel_futures: Whether calls that have not begun are cancelled instead.
            timeout: Seconds to wait; after them all calls are cancelled.
        """
        self._is_closed = True
        for task, job in self._jobs.items():
            if cancel_futures and not job.has_begun:
                task.cancel()
        if self._jobs:
            _, pending = await asyncio.wait(list(self._jobs), timeout=timeout)
            for task in pending:
                task.cancel()
            if pending:
                await asyncio.wait(pending)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self.shutdown(timeout=None if kind is None else 0)

    def _enter(
        self, work: Callable[[], Awaitable[T]], name: str, *, waits: bool = False
    ) -> "asyncio.Task[T]":
        if self._is_closed:
            raise RuntimeError(f"pool '{self._name}' was shut down and takes no more calls")
        self._settle()
        if self._full == "refuse" and not waits and len(self._jobs) >= self._bound:
            self._tally.ends["refused"] += 1
            raise PoolFullError(
                f"pool '{self._name}' is full with {len(self._jobs)} calls; "
                "try again later, or enlarge its queue",
                transient=True,
            )
        job = _Job(name)
        task = asyncio.create_task(self._work(work, job))
        self._jobs[task] = job
        task.add_done_callback(self._done)
        return task

    def _settle(self) -> None:
        """Be on the caller's loop; what was on one that is closed is gone."""
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        if self._loop is not None and not self._loop.is_closed() and self._jobs:
            raise RuntimeError(
                f"pool '{self._name}' has calls on another event loop; give each loop its own"
            )
        self._loop = loop
        self._jobs.clear()
        self._room, self._free = asyncio.Semaphore(self._bound), asyncio.Semaphore(self._count)

    async def _work(self, work: Callable[[], Awaitable[T]], job: _Job) -> T:
        async with self._room:
            job.admitted.set()
            async with self._free:
                now = time.monotonic()
                self._tally.queue_seconds += now - job.since
                job.since, job.has_begun = now, True
                try:
                    async with asyncio.timeout(self._timeout) as limit:
                        return await work()
                except TimeoutError:
                    job.is_late = limit.expired()
                    if not job.is_late:
                        raise
                    raise TimeoutError(
                        f"'{job.name}' in pool '{self._name}' did not end within "
                        f"{self._timeout:g} seconds"
                    ) from None

    def _done(self, task: "asyncio.Task[Any]") -> None:
        job = self._jobs.pop(task)
        job.admitted.set()
        if job.has_begun:
            self._tally.seconds += time.monotonic() - job.since
        if task.cancelled():
            end = "cancelled"
        elif task.exception() is None:
            end = "finished"
        else:
            end = "timed_out" if job.is_late else "failed"
        self._tally.ends[end] += 1
