"""Prometheus metrics of runs: a callback that counts, in a registry of its own."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, Protocol, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from cogwork.core.breaker import CircuitBreaker
from cogwork.core.errors import CogworkError
from cogwork.core.metrics_counting import SECONDS, Counting
from cogwork.core.pools.info import Pool, PoolMetrics

__all__ = ["Metrics"]

_log = logging.getLogger(__name__)
_SHARES: Final = tuple(tenth / 10 for tenth in range(1, 11))
_STATES: Final = {"closed": 0, "half_open": 1, "open": 2}


class CacheFigures(Protocol):
    """What a cache has done: answered itself, made, waited for the same call of another."""

    @property
    def hits(self) -> int: ...
    @property
    def misses(self) -> int: ...
    @property
    def coalesced(self) -> int: ...


class Cache(Protocol):
    """A cache that says what it has done."""

    def info(self) -> CacheFigures:
        """Return its figures so far."""
        ...


class _Caches(Collector):
    """Asks caches for their figures when they are read."""

    def __init__(self) -> None:
        self.watched: dict[str, Cache] = {}

    def collect(self) -> Iterator[CounterMetricFamily]:
        reads = CounterMetricFamily(
            "agent_cache_reads", "Reads of caches, by result", labels=["cache", "result"]
        )
        for name, cache in list(self.watched.items()):
            try:
                info = cache.info()
            except CogworkError as error:  # the other figures are told all the same
                _log.warning("no figures of cache '%s': %s", name, error)
                continue
            reads.add_metric([name, "hits"], info.hits)
            reads.add_metric([name, "misses"], info.misses)
            reads.add_metric([name, "coalesced"], info.coalesced)
        yield reads


class Metrics:
    """What runs took, called and spent.

    Nothing is counted of a run that the callback is not given to. Labels are names of graphs,
    nodes, tools and models, never what they were given or said.

    Args:
        registry: Where the metrics are; a new one unless given. A registry takes one `Metrics`.

    Examples:
        >>> from cogwork.graphs import create_react_agent
        >>> metrics = Metrics()
        >>> agent = create_react_agent("offline")
        >>> _ = agent.invoke({"messages": "hello"}, {"callbacks": [metrics.callback]})
        >>> metrics.registry.get_sample_value("agent_node_seconds_count", {"node": "think"})
        1
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        kept = self.registry
        self.task_seconds = Histogram(
            "agent_task_duration_seconds",
            "Seconds that tasks ran, by how they ended",
            ["graph", "state"],
            buckets=SECONDS,
            registry=kept,
        )
        self.active_tasks = Gauge("agent_active_tasks", "Tasks that run", ["graph"], registry=kept)
        self.task_alerts = Counter(
            "agent_task_alerts", "Alerts about tasks", ["graph", "kind"], registry=kept
        )
        self.confidence = Histogram(
            "agent_reasoning_confidence",
            "How confident answers were, from 0 to 1",
            ["source"],
            buckets=_SHARES,
            registry=kept,
        )
        self.breaker_state = Gauge(
            "agent_breaker_state", "0 closed, 1 half open, 2 open", ["breaker"], registry=kept
        )
        self._caches = _Caches()
        kept.register(self._caches)
        self._pools = PoolMetrics()
        kept.register(cast("Collector", self._pools))  # has all that is asked of one
        self.callback = Counting()
        kept.register(self.callback)

    def watch_breaker(self, breaker: CircuitBreaker) -> None:
        """Tell a breaker's state from now on, as `agent_breaker_state`; NaN when it is not known."""
        self.breaker_state.labels(breaker.name).set_function(partial(_state_of, breaker))

    def watch_cache(self, name: str, cache: Cache) -> None:
        """Tell what a cache is asked from now on, as `agent_cache_reads_total`.

        Args:
            name: Of the cache, as the label has it.
            cache: With an `info()` as `cogwork.tools.caching.ToolCache` has it.
        """
        self._caches.watched[name] = cache

    def watch_pool(self, name: str, pool: Pool) -> None:
        """Tell what a pool does from now on, as `agent_pool_calls_total` and others.

        Args:
            name: Of the pool, as the label has it.
            pool: One of `cogwork.core.pools`.
        """
        self._pools.watched[name] = pool

    def text(self) -> str:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry).decode()

    @contextmanager
    def serve(self, port: int = 9464, host: str = "127.0.0.1") -> Iterator[int]:
        """Answer Prometheus over HTTP while the block runs; yields the port.

        Args:
            port: To listen on; 0 for a free one.
            host: This machine alone unless given.

        Raises:
            OSError: The port is taken.
        """
        from prometheus_client import start_http_server

        server, thread = start_http_server(port, host, self.registry)
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _state_of(breaker: CircuitBreaker) -> float:
    try:
        return _STATES[breaker.state]
    except CogworkError as error:
        _log.warning("no state of breaker '%s': %s", breaker.name, error)
        return math.nan
