"""What metrics count of a run: how often, how long, how many tokens, at what price.

Plain numbers under one lock, which Prometheus is told when it asks: its own counters and
histograms take several times as long for each call.
"""

# ruff: noqa: ARG002 - the signatures are LangChain's

import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Final
from uuid import UUID

from langchain_core.outputs import LLMResult
from langgraph.errors import GraphBubbleUp
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from cogwork.core.prices import price_of
from cogwork.core.watching import Watch, WatchedCall

__all__ = ["SECONDS", "Counting"]

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
"""The upper bounds of histograms of durations."""
_MOST_OPEN: Final = 100_000  # calls and nodes that have begun
_BOUNDS: Final = (*(str(float(each)) for each in SECONDS), "+Inf")


class _Times:
    """How often something took how long."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * len(_BOUNDS)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.seconds += seconds


class _Tokens:
    """What the answers of a model took."""

    __slots__ = ("cost", "input", "output")

    def __init__(self) -> None:
        self.input = self.output = 0
        self.cost = 0.0


class Counting(Watch, Collector):
    """A callback that counts what LangChain and LangGraph tell of runs, and tells Prometheus."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._nodes: defaultdict[str, _Times] = defaultdict(_Times)
        self._tools: defaultdict[str, _Times] = defaultdict(_Times)
        self._models: defaultdict[str, _Times] = defaultdict(_Times)
        self._tool_calls: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._model_calls: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._tokens: defaultdict[str, _Tokens] = defaultdict(_Tokens)
        self._begun: dict[int, tuple[float, str]] = {}  # by number, since a UUID is slow to find

    def collect(self) -> list[Metric]:
        """Tell what was counted so far."""
        tokens = CounterMetricFamily("agent_model_tokens", "Tokens", labels=["model", "kind"])
        cost = CounterMetricFamily("agent_model_cost_dollars", "Dollars", labels=["model"])
        with self._guard:
            for model, taken in self._tokens.items():
                tokens.add_metric([model, "input"], taken.input)
                tokens.add_metric([model, "output"], taken.output)
                cost.add_metric([model], taken.cost)
            return [
                _histogram("agent_node_seconds", "Seconds of nodes", "node", self._nodes),
                _histogram("agent_tool_seconds", "Seconds of tools", "tool", self._tools),
                _histogram("agent_model_seconds", "Seconds of models", "model", self._models),
                _calls("agent_tool_calls", "Calls of tools", "tool", self._tool_calls),
                _calls("agent_model_calls", "Calls of models", "model", self._model_calls),
                tokens,
                cost,
            ]

    def on_chain_start(
        self,
        serialized: Any,
        inputs: Any,
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        """A node begins; other chains are not counted."""
        if name is not None and metadata and metadata.get("langgraph_node") == name:
            self._begun[run_id.int] = (time.perf_counter(), name)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A node has ended."""
        begun = self._begun.pop(run_id.int, None)
        if begun is not None:
            began, node = begun
            took = time.perf_counter() - began
            with self._guard:
                times = self._nodes[node]
                times.counts[bisect_left(SECONDS, took)] += 1
                times.seconds += took

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A node has failed, or waits for a person."""
        self.on_chain_end(None, run_id=run_id)

    def on_tool_start(
        self, serialized: Any, input_str: str, *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A tool is called."""
        self._begin(run_id, kwargs.get("name") or (serialized or {}).get("name") or "tool")

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool has answered."""
        if begun := self._begun.pop(run_id.int, None):
            self._tool(begun[1], time.perf_counter() - begun[0], output, None)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool has failed, or asks a person."""
        if begun := self._begun.pop(run_id.int, None):
            self._tool(begun[1], time.perf_counter() - begun[0], None, error)

    def tool_ends(self, call: WatchedCall, error: BaseException | None) -> None:
        """A tool has answered, or failed, of which LangChain's callbacks are not told."""
        if call.made:
            self._tool(call.tool, call.seconds, call.result, error)

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A chat model is called."""
        metadata = kwargs.get("metadata") or {}
        named = metadata.get("ls_model_name") or kwargs.get("name")
        self._begin(run_id, named or (serialized or {}).get("name") or "model")

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """A model has answered."""
        begun = self._begun.pop(run_id.int, None)
        if begun is None:
            return
        took, model = time.perf_counter() - begun[0], begun[1]
        with self._guard:
            self._models[model].add(took)
            self._model_calls[model, "ok"] += 1
        for generation in (each for group in response.generations for each in group):
            usage = getattr(getattr(generation, "message", None), "usage_metadata", None)
            if usage:
                self._take(model, usage)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A model has failed."""
        begun = self._begun.pop(run_id.int, None)
        if begun is not None:
            took = time.perf_counter() - begun[0]
            with self._guard:
                self._models[begun[1]].add(took)
                self._model_calls[begun[1], "error"] += 1

    def _begin(self, run_id: UUID, name: str) -> None:
        if len(self._begun) >= _MOST_OPEN:  # calls that a budget refused never end
            for stale in list(self._begun)[: _MOST_OPEN // 2]:
                self._begun.pop(stale, None)
        self._begun[run_id.int] = (time.perf_counter(), name)

    def _take(self, model: str, usage: Mapping[str, Any]) -> None:
        price = price_of(model, usage, say=False) or 0.0
        with self._guard:
            taken = self._tokens[model]
            taken.input += usage.get("input_tokens", 0)
            taken.output += usage.get("output_tokens", 0)
            taken.cost += price

    def _tool(self, name: str, seconds: float, output: Any, error: BaseException | None) -> None:
        if isinstance(error, GraphBubbleUp):
            status = "asked"
        else:
            failed = error is not None or getattr(output, "status", "success") == "error"
            status = "error" if failed else "ok"
        with self._guard:
            self._tools[name].add(seconds)
            self._tool_calls[name, status] += 1


def _histogram(name: str, about: str, label: str, times: Mapping[str, _Times]) -> Metric:
    family = HistogramMetricFamily(name, about, labels=[label])
    for value, taken in times.items():
        buckets = list(zip(_BOUNDS, accumulate(taken.counts), strict=True))
        family.add_metric([value], buckets, taken.seconds)
    return family


def _calls(name: str, about: str, label: str, calls: Mapping[tuple[str, str], int]) -> Metric:
    family = CounterMetricFamily(name, f"{about}, by how they ended", labels=[label, "status"])
    for labels, count in calls.items():
        family.add_metric(labels, count)
    return family
