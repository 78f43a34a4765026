"""Writes of event loops: one thread commits what all of them brought meanwhile."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, NamedTuple, TypeVar

__all__ = ["Commits"]

R = TypeVar("R")
_LINGER = 5.0  # seconds that the thread waits for more before it ends


class _Waiting(NamedTuple, Generic[R]):
    row: R
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[None]"


class Commits(Generic[R]):
    """Lets tasks of any event loop wait for a commit that they share.

    While one transaction is made durable, the next one gathers. When it fails, each of its
    parts is tried alone, so that the one at fault fails alone.

    Args:
        commit: Writes all that it is given in one transaction, all or nothing, and returns
            when that is durable. It runs in a thread of its own.
    """

    def __init__(self, commit: Callable[[Sequence[R]], None]) -> None:
        self._commit = commit
        self._waiting: SimpleQueue[_Waiting[R] | None] = SimpleQueue()  # None: it is closed
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def write(self, row: R) -> "asyncio.Future[None]":
        """Await it, and the row is durable. A caller that is cancelled has written all the same."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.put(_Waiting(row, loop, done))
        if self._thread is None:
            self._start()
        return done

    @property
    def is_here(self) -> bool:
        """Whether the caller is the thread that commits, as when the collector runs there."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Commit what waits, and end the thread."""
        thread = self._thread
        if thread is not None:
            self._waiting.put(None)
            thread.join()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="checkpoint commits", daemon=True
                )
                self._thread.start()

    def _work(self) -> None:
        while batch := self._next():
            try:
                self._commit([each.row for each in batch])
            except BaseException as error:  # noqa: BLE001 - raised where it is awaited
                self._one_by_one(batch, error)
            else:
                _release([(each, None) for each in batch])
        self._thread = None
        if not self._waiting.empty():  # it came when this thread had ceased to look
            self._start()

    def _next(self) -> list[_Waiting[R]]:
        """What waits; nothing when it is time to end."""
        batch: list[_Waiting[R]] = []
        try:
            each = self._waiting.get(timeout=_LINGER)
            while each is not None:
                batch.append(each)
                each = self._waiting.get_nowait()
        except Empty:
            return batch
        if batch:  # commit these, then come back for the end
            self._waiting.put(None)
        return batch

    def _one_by_one(self, batch: list[_Waiting[R]], error: BaseException) -> None:
        if len(batch) == 1 or getattr(error, "transient", False):  # a busy file is so for all
            _release([(each, error) for each in batch])
            return
        for each in batch:
            try:
                self._commit([each.row])
            except BaseException as own:  # noqa: BLE001 - raised where it is awaited
                _release([(each, own)])
            else:
                _release([(each, None)])


def _release(ended: Sequence[tuple[_Waiting[R], BaseException | None]]) -> None:
    """Wake the callers, each loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting[R], BaseException | None]]] = {}
    for each in ended:
        by_loop.setdefault(each[0].loop, []).append(each)
    for loop, of_loop in by_loop.items():
        try:
            loop.call_soon_threadsafe(_wake, of_loop)
        except RuntimeError:  # the loop is closed, and nobody waits in it
            continue


def _wake(ended: Sequence[tuple[_Waiting[R], BaseException | None]]) -> None:
    for waiting, error in ended:
        if waiting.done.done():  # whoever waited was cancelled
            continue
        if error is None:
            waiting.done.set_result(None)
        else:
            waiting.done.set_exception(error)
