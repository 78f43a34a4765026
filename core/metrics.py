"""Prometheus metrics of runs: a callback that counts, in a registry of its own."""

# ruff: noqa: ARG002 - the signatures are LangChain's

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import LLMResult
from langgraph.errors import GraphBubbleUp
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from cogwork.core.breaker import CircuitBreaker
from cogwork.core.prices import price_of

__all__ = ["Metrics"]

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
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
            info = cache.info()
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

    Example:
        >>> from cogwork.graphs import create_react_agent
        >>> metrics = Metrics()
        >>> agent = create_react_agent("offline")
        >>> _ = agent.invoke({"messages": "hello"}, {"callbacks": [metrics.callback]})
        >>> metrics.registry.get_sample_value("agent_node_seconds_count", {"node": "think"})
        1.0
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        kept = self.registry
        self.tool_calls = Counter(
            "agent_tool_calls",
            "Calls of tools, by how they ended",
            ["tool", "status"],
            registry=kept,
        )
        self.tool_seconds = Histogram(
            "agent_tool_seconds",
            "Seconds of calls of tools",
            ["tool"],
            buckets=_SECONDS,
            registry=kept,
        )
        self.node_seconds = Histogram(
            "agent_node_seconds", "Seconds of nodes", ["node"], buckets=_SECONDS, registry=kept
        )
        self.model_calls = Counter(
            "agent_model_calls",
            "Calls of models, by how they ended",
            ["model", "status"],
            registry=kept,
        )
        self.model_seconds = Histogram(
            "agent_model_seconds",
            "Seconds of calls of models",
            ["model"],
            buckets=_SECONDS,
            registry=kept,
        )
        self.tokens = Counter("agent_model_tokens", "Tokens", ["model", "kind"], registry=kept)
        self.cost = Counter("agent_model_cost_dollars", "Dollars", ["model"], registry=kept)
        self.task_seconds = Histogram(
            "agent_task_duration_seconds",
            "Seconds that tasks ran, by how they ended",
            ["graph", "state"],
            buckets=_SECONDS,
            registry=kept,
        )
        self.active_tasks = Gauge("agent_active_tasks", "Tasks that run", ["graph"], registry=kept)
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
        self.callback = _Counting(self)

    def watch_breaker(self, breaker: CircuitBreaker) -> None:
        """Tell a breaker's state from now on, as `agent_breaker_state`."""
        self.breaker_state.labels(breaker.name).set_function(lambda: _STATES[breaker.state])

    def watch_cache(self, name: str, cache: Cache) -> None:
        """Tell what a cache is asked from now on, as `agent_cache_reads_total`.

        Args:
            name: Of the cache, as the label has it.
            cache: With an `info()` as `cogwork.tools.caching.ToolCache` has it.
        """
        self._caches.watched[name] = cache

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


class _Counting(BaseCallbackHandler):
    """Counts what LangChain and LangGraph tell of a run."""

    run_inline = True  # counting takes microseconds; a thread for each would take more

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._begun: dict[UUID, tuple[float, str]] = {}

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A node begins; other chains are not counted."""
        metadata = kwargs.get("metadata") or {}
        if kwargs.get("name") == metadata.get("langgraph_node", ""):
            self._begin(run_id, metadata["langgraph_node"])

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A node has ended."""
        self._node(run_id)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A node has failed, or waits for a person."""
        self._node(run_id)

    def on_tool_start(
        self, serialized: Any, input_str: str, *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A tool is called."""
        self._begin(run_id, kwargs.get("name") or (serialized or {}).get("name") or "tool")

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool has answered."""
        failed = getattr(output, "status", "success") == "error"
        self._tool(run_id, "error" if failed else "ok")

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool has failed, or asks a person."""
        self._tool(run_id, "asked" if isinstance(error, GraphBubbleUp) else "error")

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A chat model is called."""
        metadata = kwargs.get("metadata") or {}
        named = kwargs.get("name") or (serialized or {}).get("name") or "model"
        self._begin(run_id, metadata.get("ls_model_name") or named)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """A model has answered."""
        if (model := self._model(run_id, "ok")) is None:
            return
        for generation in (each for group in response.generations for each in group):
            usage = getattr(getattr(generation, "message", None), "usage_metadata", None) or {}
            for kind in ("input", "output"):
                self._metrics.tokens.labels(model, kind).inc(usage.get(f"{kind}_tokens", 0))
            if usage and (price := price_of(model, usage, say=False)):
                self._metrics.cost.labels(model).inc(price)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A model has failed."""
        self._model(run_id, "error")

    def _begin(self, run_id: UUID, name: str) -> None:
        self._begun[run_id] = (time.perf_counter(), name)

    def _end(self, run_id: UUID) -> tuple[float, str] | None:
        begun = self._begun.pop(run_id, None)
        return None if begun is None else (time.perf_counter() - begun[0], begun[1])

    def _node(self, run_id: UUID) -> None:
        if ended := self._end(run_id):
            self._metrics.node_seconds.labels(ended[1]).observe(ended[0])

    def _tool(self, run_id: UUID, status: str) -> None:
        if ended := self._end(run_id):
            self._metrics.tool_calls.labels(ended[1], status).inc()
            self._metrics.tool_seconds.labels(ended[1]).observe(ended[0])

    def _model(self, run_id: UUID, status: str) -> str | None:
        ended = self._end(run_id)
        if ended is None:
            return None
        self._metrics.model_calls.labels(ended[1], status).inc()
        self._metrics.model_seconds.labels(ended[1]).observe(ended[0])
        return ended[1]
