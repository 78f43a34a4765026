"""Wakes those who wait for tasks of this process: threads, and coroutines on any event loop."""

import asyncio
import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator

__all__ = ["Changes"]


class Changes:
    """Counts what happens to tasks; who waits is woken."""

    def __init__(self) -> None:
        self.number = 0
        """How often something changed; looked at before what may change."""
        self._changed = threading.Condition()
        self._wakes: defaultdict[str, set[Callable[[], None]]] = defaultdict(set)

    def tell(self, key: str | None = None) -> None:
        """Wake all threads that wait, and the coroutines that wait for this task."""
        with self._changed:
            self.number += 1
            self._changed.notify_all()
            wakes = [] if key is None else list(self._wakes.get(key, ()))
        for wake in wakes:
            wake()

    def wait(self, seen: int, seconds: float) -> None:
        """Wait until more has changed than was seen, or so long."""
        with self._changed:
            self._changed.wait_for(lambda: self.number != seen, seconds)

    @contextlib.contextmanager
    def listening(self, key: str) -> Iterator[asyncio.Event]:
        """Yield an event that is set when something happens to a task."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(changed.set)

        with self._changed:
            self._wakes[key].add(wake)
        try:
            yield changed
        finally:
            with self._changed:
                self._wakes[key].discard(wake)
                if not self._wakes[key]:
                    del self._wakes[key]
