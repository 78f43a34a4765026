"""Calls that are the same and come at the same time make one: threads, tasks, and loops alike.

Whoever comes first makes the call; the others wait for it. What it returns, or raises, is
told to all, and then forgotten. When whoever makes it is cut off, or stopped by what concerns
only its own run (an interrupt, a budget), one of the others takes over.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Hashable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, TypeVar

from langgraph.errors import GraphBubbleUp

from cogwork.core.errors import BudgetError

__all__ = ["SingleFlight"]

T = TypeVar("T")
_ITS_OWN: Final = (GraphBubbleUp, BudgetError)
_PATIENCE: Final = 2.0  # seconds in which a loop has to give a sign of life


@dataclass(slots=True, eq=False)
class _Flight(Generic[T]):
    """A call under way, and the loop whose task makes it."""

    loop: asyncio.AbstractEventLoop | None
    future: "Future[T]" = field(default_factory=Future)
    result: T | None = None

    def is_dead(self) -> bool:
        """Whether its loop was closed before it ended."""
        return self.loop is not None and self.loop.is_closed()


_inside: ContextVar[tuple[_Flight[Any], ...]] = ContextVar("cogwork_flights", default=())
"""The calls that this one is made by."""


class SingleFlight(Generic[T]):
    """Joins calls of the same key.

    A call that could only wait for itself is made: one with the key of a call that makes it,
    a synchronous one on the very loop that it would wait for, and one for a loop that gives
    no sign of life, as when it waits for the caller.

    Args:
        on_join: Called for each call that waits for another.

    Examples:
        >>> SingleFlight().run("a key", lambda: 6 * 7)
        42
    """

    def __init__(self, on_join: Callable[[], None] = lambda: None) -> None:
        self._on_join = on_join
        self._lock = threading.Lock()
        self._flights: dict[Hashable, _Flight[T]] = {}

    def run(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` returns, or what it returns to another who asks for the same."""
        while True:
            flight, is_mine = self._join(key, None)
            if is_mine:
                with self._leading(key, flight):
                    flight.result = make()
                return flight.result
            if not self._may_wait(flight, _running_loop()):
                return make()
            self._on_join()
            pulse = _Pulse(flight.loop)
            while not _has_ended(flight):
                if pulse.is_lost():
                    return make()
            with suppress(CancelledError):  # whoever made it was cut off: ask again
                return flight.future.result()

    async def arun(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Do what `run` does, for an async function."""
        while True:
            flight, is_mine = self._join(key, asyncio.get_running_loop())
            if is_mine:
                with self._leading(key, flight):
                    flight.result = await make()
                return flight.result
            if not self._may_wait(flight, None):
                return await make()
            self._on_join()
            pulse = _Pulse(flight.loop)
            ended = _told(flight)
            while not flight.future.done():
                await asyncio.wait([ended], timeout=_PATIENCE)
                if not flight.future.done() and pulse.is_lost():
                    return await make()
            with suppress(CancelledError):
                return flight.future.result()

    def is_making(self, key: Hashable) -> bool:
        """Whether this is called by the call of this key."""
        with self._lock:
            return self._flights.get(key) in _inside.get()

    def _join(
        self, key: Hashable, loop: asyncio.AbstractEventLoop | None
    ) -> tuple[_Flight[T], bool]:
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None and not flight.is_dead():
                return flight, False
            flight = self._flights[key] = _Flight(loop)
            return flight, True

    def _may_wait(self, flight: _Flight[T], blocked: asyncio.AbstractEventLoop | None) -> bool:
        """Whether waiting, which would block this loop, can end."""
        return flight not in _inside.get() and (blocked is None or flight.loop is not blocked)

    @contextmanager
    def _leading(self, key: Hashable, flight: _Flight[T]) -> Iterator[None]:
        """Tell those who wait how it ended."""
        token = _inside.set((*_inside.get(), flight))
        try:
            yield
        except _ITS_OWN:
            self._end(key, flight, flight.future.cancel)
            raise
        except Exception as error:
            self._end(key, flight, partial(flight.future.set_exception, error))
            raise
        except BaseException:
            self._end(key, flight, flight.future.cancel)
            raise
        else:
            tell = flight.future.set_result
            self._end(key, flight, lambda: tell(flight.result))  # type: ignore[arg-type] # it has one
        finally:
            with suppress(ValueError):  # what is left of a closed loop ends in any context
                _inside.reset(token)

    def _end(self, key: Hashable, flight: _Flight[T], tell: Callable[[], Any]) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
        tell()


class _Pulse:
    """Whether the loop that makes a call still turns; of a thread, which ends by itself, it does."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop
        self._beat: threading.Event | None = None

    def is_lost(self) -> bool:
        """Whether the loop gave no sign since it was asked; asks it for the next one."""
        if self._loop is None:
            return False
        lost = self._beat is not None and not self._beat.is_set()
        self._beat = threading.Event()
        try:
            self._loop.call_soon_threadsafe(self._beat.set)
        except RuntimeError:  # it is closed
            return True
        return lost


def _has_ended(flight: _Flight[Any]) -> bool:
    """Wait a while for it."""
    try:
        flight.future.exception(timeout=_PATIENCE)
    except TimeoutError:
        return flight.future.done()
    except CancelledError:
        pass
    return True


def _told(flight: _Flight[Any]) -> "asyncio.Future[None]":
    """What is done on this loop when the call has ended, and cancels nothing."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def tell(_: "Future[Any]") -> None:
        with suppress(RuntimeError):  # nobody waits on a loop that is closed
            loop.call_soon_threadsafe(lambda: None if ended.done() else ended.set_result(None))

    flight.future.add_done_callback(tell)
    return ended


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
