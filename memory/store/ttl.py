"""When expired items are deleted; they are never returned, deleted or not."""

import threading
from collections.abc import Callable

__all__ = ["Sweeper"]


class Sweeper:
    """Sweeps when a write comes after the interval, or in a thread that is started.

    Args:
        sweep: Deletes what has expired.
        clock: Seconds since 1970.
        minutes: Between two sweeps; None to leave it to the caller.
    """

    def __init__(
        self, sweep: Callable[[], int], clock: Callable[[], float], minutes: float | None
    ) -> None:
        self._sweep = sweep
        self._clock = clock
        self._interval = None if minutes is None else minutes * 60
        self._last = clock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def after_write(self) -> None:
        """Sweep if the interval has passed."""
        now = self._clock()
        if self._interval is not None and now - self._last >= self._interval:
            self._last = now
            self._sweep()

    def start(self, minutes: float | None = None) -> None:
        """Sweep in a thread from now on, also when nothing is written."""
        self.stop()
        self._stopping = threading.Event()
        seconds = self._interval or 300.0 if minutes is None else minutes * 60
        self._thread = threading.Thread(
            target=_run,
            args=(self._sweep, seconds, self._stopping),
            name="cogwork-ttl",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread, if there is one."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None


def _run(sweep: Callable[[], int], seconds: float, stopping: threading.Event) -> None:
    while not stopping.wait(seconds):
        sweep()
