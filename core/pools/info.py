"""What pools of workers say of themselves: their figures, for people and for Prometheus, and errors."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cogwork.core.errors import CogworkError

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["Pool", "PoolFullError", "PoolInfo", "PoolMetrics", "WorkerLostError"]


class PoolFullError(CogworkError):
    """All workers of a pool are busy, and its queue is full."""


class WorkerLostError(CogworkError):
    """A worker process died while it ran the call, or none could be started."""


@dataclass(frozen=True, slots=True)
class PoolInfo:
    """The figures of a pool.

    Attributes:
        workers: That it may have.
        running: Calls that workers are busy with.
        queued: Calls that wait in the queue.
        waiting: Calls that wait for room in the queue, and with them their callers.
        left: Threads that outlived the timeout of their call and still run; never more than
            `workers`.
        finished: Calls that returned.
        failed: Calls that raised.
        timed_out: Calls that were given up after their time.
        cancelled: Calls that their callers gave up.
        refused: Calls that found the queue full.
        lost: Calls whose worker process died or could not be started.
        seconds: That the calls ran, in all.
        queue_seconds: That they waited for a worker before, in all.
    """

    workers: int
    running: int = 0
    queued: int = 0
    waiting: int = 0
    left: int = 0
    finished: int = 0
    failed: int = 0
    timed_out: int = 0
    cancelled: int = 0
    refused: int = 0
    lost: int = 0
    seconds: float = 0.0
    queue_seconds: float = 0.0


ENDS = ("finished", "failed", "timed_out", "cancelled", "refused", "lost")


class Tally:
    """Counts how calls ended. Whoever holds one holds a lock around it."""

    def __init__(self) -> None:
        self.ends: Counter[str] = Counter()
        self.seconds = 0.0
        self.queue_seconds = 0.0

    def info(self, workers: int, **now: int) -> PoolInfo:
        """Return the figures, with those of this moment."""
        return PoolInfo(
            workers,
            **now,
            **{end: self.ends[end] for end in ENDS},
            seconds=self.seconds,
            queue_seconds=self.queue_seconds,
        )


class Pool(Protocol):
    """A pool that says what it does."""

    def info(self) -> PoolInfo:
        """Return its figures so far."""
        ...


class PoolMetrics:
    """Asks pools for their figures when Prometheus reads them: `registry.register(PoolMetrics())`.

    Attributes:
        watched: The pools, by the name that the label `pool` has.
    """

    def __init__(self) -> None:
        self.watched: dict[str, Pool] = {}

    def collect(self) -> "Iterator[Metric]":
        """Yield `agent_pool_calls_total`, `agent_pool_seconds_total` and `agent_pool_now`."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        calls = CounterMetricFamily(
            "agent_pool_calls", "Calls of pools, by how they ended", labels=["pool", "result"]
        )
        seconds = CounterMetricFamily(
            "agent_pool_seconds", "Seconds of calls of pools", labels=["pool", "phase"]
        )
        now = GaugeMetricFamily(
            "agent_pool_now", "Calls in pools now, and threads left", labels=["pool", "phase"]
        )
        for name, pool in list(self.watched.items()):
            info = pool.info()
            for end in ENDS:
                calls.add_metric([name, end], getattr(info, end))
            seconds.add_metric([name, "running"], info.seconds)
            seconds.add_metric([name, "queued"], info.queue_seconds)
            for phase in ("running", "queued", "waiting", "left"):
                now.add_metric([name, phase], getattr(info, phase))
        yield from (calls, seconds, now)
