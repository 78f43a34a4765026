"""Pools of threads and of processes: standard executors with bounds."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, Self, TypeVar

from cogwork.core.bridge import is_stepping
from cogwork.core.pools.calls import Call, WhenFull, name_of
from cogwork.core.pools.info import PoolInfo
from cogwork.core.pools.workers import Workers

__all__ = ["ProcessPool", "ThreadPool"]

P = ParamSpec("P")
T = TypeVar("T")


class _Pool(Executor):
    """What both pools of executors have in common."""

    def __init__(self, workers: Workers, full: WhenFull) -> None:
        self._workers, self._full = workers, full

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Hand in a call; waits for room in the queue, or refuses, as `full` says.

        The future's `cancel()` drops a call that no worker has begun.

        Raises:
            PoolFullError: The queue is full, and `full` is "refuse".
            RuntimeError: The pool was shut down.
        """
        call = self._enter(fn, args, kwargs)
        if not call.is_admitted:
            try:
                with self._workers.changed:
                    self._workers.changed.wait_for(lambda: call.is_admitted or call.future.done())
            except BaseException:
                call.future.cancel()
                raise
        return call.future

    async def run(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function and wait for what it returns, without holding up the loop.

        When this is cancelled, a call that waits is dropped, a worker process that runs it is
        killed, and a thread that runs it goes on until it ends.

        Raises:
            PoolFullError: The queue is full, and `full` is "refuse".
            RuntimeError: The pool was shut down.
            TimeoutError: The call ran for longer than the pool's `timeout`.
            WorkerLostError: The worker process died.
        """
        if is_stepping():
            return self.submit(fn, *args, **kwargs).result()
        call = self._enter(fn, args, kwargs)
        try:
            result: T = await asyncio.wrap_future(call.future)
        except asyncio.CancelledError:
            self._workers.cancel(call)
            raise
        return result

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,  # noqa: ARG002 - the signature is the standard library's
    ) -> Iterator[T]:
        """Yield the results in the order of what is given, calling ahead as far as there is room.

        Args:
            fn: What to call.
            *iterables: Its arguments; read as results are taken, so they may be endless.
            timeout: Seconds from the first result's being asked for, after which waiting for
                another raises `TimeoutError`.
            chunksize: Not used.
        """
        until = None if timeout is None else time.monotonic() + timeout
        ahead: deque[Future[T]] = deque()

        def first() -> T:
            left = None if until is None else max(until - time.monotonic(), 0)
            return ahead.popleft().result(left)

        try:
            for args in zip(*iterables, strict=False):
                ahead.append(self._enter(fn, args, {}, waits=True).future)
                if len(ahead) >= self._workers.bound:
                    yield first()
            while ahead:
                yield first()
        finally:
            for future in ahead:
                future.cancel()

    def info(self) -> PoolInfo:
        """Return the figures so far."""
        return self._workers.info()

    def shutdown(
        self, wait: bool = True, *, cancel_futures: bool = False, timeout: float | None = None
    ) -> None:
        """Take no more calls, finish those that were handed in, and end the workers.

        Args:
            wait: Whether to wait for that.
            cancel_futures: Whether calls that no worker has begun are cancelled instead.
            timeout: Seconds to wait. After them what waits is cancelled, and what runs ends
                with `TimeoutError`: processes are killed, threads left behind.
        """
        workers = self._workers
        workers.shut()
        if cancel_futures:
            workers.drop()
        if wait and not workers.drained(timeout):
            workers.drop()
            workers.give_up(f"still ran {timeout:g} seconds after the pool began to shut down")
        workers.close(wait=wait)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.shutdown)

    def _enter(
        self,
        fn: Callable[..., Any],
        args: Iterable[Any],
        kwargs: dict[str, Any],
        *,
        waits: bool = False,
    ) -> Call:
        refuse = self._full == "refuse" and not waits
        return self._workers.enter(self._work(fn, args, kwargs), name_of(fn), refuse=refuse)

    def _work(
        self, fn: Callable[..., Any], args: Iterable[Any], kwargs: dict[str, Any]
    ) -> Callable[[], Any]:
        return partial(fn, *args, **kwargs)


class ThreadPool(_Pool):
    """Threads for functions that block. Context variables go with the call.

    A thread cannot be stopped. One whose call outlives `timeout` is left behind: its caller is
    told, another thread takes its place, and `info().left` counts it until it ends. Once as many
    are left as there are workers, no more are replaced. Python waits for such threads when it
    exits; what may never return belongs in a `ProcessPool`.

    Args:
        workers: Threads, at most; as many as processors and 4 unless given.
        queue: Calls that may wait for one.
        timeout: Seconds that a call may run, counted from when a thread begins it.
        full: What becomes of a call when the queue is full: it waits, or is refused.
        name: In messages, and of the threads.

    Raises:
        ConfigurationError: A limit makes no sense.

    Examples:
        >>> with ThreadPool(2) as pool:
        ...     list(pool.map(pow, [2, 3], [5, 2]))
        [32, 9]
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        queue: int = 64,
        timeout: float | None = None,
        full: WhenFull = "wait",
        name: str = "threads",
    ) -> None:
        count = workers if workers is not None else min(32, (os.cpu_count() or 1) + 4)
        super().__init__(Workers(count, queue, timeout, name, processes=False), full)

    def _work(
        self, fn: Callable[..., Any], args: Iterable[Any], kwargs: dict[str, Any]
    ) -> Callable[[], Any]:
        return partial(copy_context().run, fn, *args, **kwargs)


class ProcessPool(_Pool):
    """Processes for what computes, crashes or hangs.

    A call that outlives `timeout`, or whose `run` is cancelled, is killed with its process. A
    process that dies costs its own call, which ends with `WorkerLostError`, and is replaced.
    Functions, arguments and results cross by the standard library's pickling, functions by
    their name; nothing else is unpickled. Context variables do not cross.

    Processes are spawned: they import the program, so what a script does when it is run belongs
    under `if __name__ == "__main__":`.

    Args:
        workers: Processes, at most; as many as processors unless given.
        queue: Calls that may wait for one.
        timeout: Seconds that a call may run, without the start of the process.
        full: What becomes of a call when the queue is full: it waits, or is refused.
        name: In messages.

    Raises:
        ConfigurationError: A limit makes no sense.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        queue: int = 64,
        timeout: float | None = None,
        full: WhenFull = "wait",
        name: str = "processes",
    ) -> None:
        count = workers if workers is not None else os.cpu_count() or 1
        super().__init__(Workers(count, queue, timeout, name, processes=True), full)
