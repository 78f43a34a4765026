"""What a run spent its time, tokens and dollars on, node by node: a callback that draws itself."""

# ruff: noqa: ARG002 - the signatures are LangChain's

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import LLMResult
from langgraph.errors import GraphBubbleUp

from cogwork.core.drawing.gantt import Bar, Kind, draw_gantt
from cogwork.core.prices import price_of

__all__ = ["NodeCost", "Timeline"]


@dataclass(frozen=True, slots=True)
class NodeCost:
    """What the runs of one node came to.

    Attributes:
        node: Its path, as in `writer:think` for a node of the subgraph `writer`.
        runs: How often it ran.
        seconds: Of all its runs, those of graphs inside it among them.
        model_calls: Made in it, but not in nodes inside it; the same holds for the rest.
        tool_calls: Calls of tools.
        input_tokens: As the models told.
        output_tokens: As the models told.
        cost: Dollars, of models whose price is known.
        failures: How many of its runs failed.
    """

    node: str
    runs: int
    seconds: float
    model_calls: int
    tool_calls: int
    input_tokens: int
    output_tokens: int
    cost: float
    failures: int


@dataclass(slots=True)
class _Run:
    """One run of a node."""

    path: str
    start: float
    end: float | None = None
    status: Kind = "done"
    model_calls: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0


@dataclass(slots=True)
class _Model:
    run: _Run | None
    name: str
    provider: str | None = field(default=None)


class Timeline(BaseCallbackHandler):
    """A callback that notes each node's runs: `graph.invoke(question, {"callbacks": [timeline]})`.

    Works on any graph of LangGraph; what was said is not kept. One object may watch several runs,
    also at once.

    Examples:
        >>> from cogwork.graphs import create_react_agent
        >>> timeline = Timeline()
        >>> agent = create_react_agent("offline")
        >>> _ = agent.invoke({"messages": "Hello"}, {"callbacks": [timeline]})
        >>> [(each.node, each.runs, each.model_calls) for each in timeline.nodes()]
        [('think', 1, 1)]
    """

    run_inline = True  # what runs at the same time would else be noted late

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._runs: list[_Run] = []
        self._open: dict[UUID, _Run | None] = {}
        self._models: dict[UUID, _Model] = {}

    def __deepcopy__(self, _: Any) -> "Timeline":
        return self  # a copy would note apart

    def nodes(self) -> list[NodeCost]:
        """Return what each node came to, in the order in which they first ran."""
        with self._guard:
            runs, now = list(self._runs), time.monotonic()
        paths = dict.fromkeys(run.path for run in runs)
        return [_sum(path, [run for run in runs if run.path == path], now) for path in paths]

    def to_svg(self, title: str = "Run") -> str:
        """Draw when each node ran and what it cost, as the text of an SVG file."""
        with self._guard:
            runs, now = list(self._runs), time.monotonic()
        begin = min((run.start for run in runs), default=0.0)
        bars = [_bar(run, begin, now) for run in sorted(runs, key=lambda run: run.start)]
        whole = max((bar.end for bar in bars), default=0.0)
        spent = _words(
            sum(run.model_calls for run in runs),
            sum(run.tool_calls for run in runs),
            sum(run.input_tokens + run.output_tokens for run in runs),
            sum(run.cost for run in runs),
        )
        return draw_gantt(title, ", ".join([f"{whole:.3g} s", *spent]), bars)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        lines = [f"{each.node}: {each.runs} runs, {each.seconds:.3g} s" for each in self.nodes()]
        return {"image/svg+xml": self.to_svg(), "text/plain": "\n".join(lines) or "nothing ran"}

    def on_chain_start(
        self,
        serialized: Any,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """A graph or a node begins; runnables within a node belong to it."""
        metadata = kwargs.get("metadata") or {}
        node = metadata.get("langgraph_node")
        with self._guard:
            above = self._open.get(parent_run_id) if parent_run_id else None
            if node is not None and kwargs.get("name") == node and not _is_inside(above, metadata):
                run = _Run(_path(metadata, node), time.monotonic())
                self._runs.append(run)
                self._open[run_id] = run
            else:
                self._open[run_id] = above

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """It has ended."""
        self._end(run_id, "done")

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It has failed, or waits for a person."""
        self._end(run_id, "idle" if isinstance(error, GraphBubbleUp) else "failed")

    def on_tool_start(
        self,
        serialized: Any,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """A tool is called."""
        with self._guard:
            run = self._open.get(parent_run_id) if parent_run_id else None
            self._open[run_id] = run  # what the tool calls
            if run is not None:
                run.tool_calls += 1

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """It has answered."""
        self._forget(run_id)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It has failed, or asks a person."""
        self._forget(run_id)

    def on_chat_model_start(
        self,
        serialized: Any,
        messages: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """A model is called."""
        metadata = kwargs.get("metadata") or {}
        named = kwargs.get("name") or (serialized or {}).get("name") or "model"
        with self._guard:
            run = self._open.get(parent_run_id) if parent_run_id else None
            name = metadata.get("ls_model_name") or named
            self._models[run_id] = _Model(run, name, metadata.get("ls_provider"))
            if run is not None:
                run.model_calls += 1

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """It has answered."""
        with self._guard:
            model = self._models.pop(run_id, None)
            if model is None or model.run is None:
                return
            for generation in (each for group in response.generations for each in group):
                usage = getattr(getattr(generation, "message", None), "usage_metadata", None) or {}
                model.run.input_tokens += usage.get("input_tokens") or 0
                model.run.output_tokens += usage.get("output_tokens") or 0
                priced = price_of(model.name, usage, provider=model.provider, say=False)
                model.run.cost += priced or 0.0

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It has failed."""
        with self._guard:
            self._models.pop(run_id, None)

    def _end(self, run_id: UUID, status: Kind) -> None:
        with self._guard:
            run = self._open.pop(run_id, None)
            # What is within a node ends before it, so the node's own end is the last.
            if run is not None:
                run.end = time.monotonic()
                run.status = status

    def _forget(self, run_id: UUID) -> None:
        with self._guard:
            self._open.pop(run_id, None)


def _path(metadata: dict[str, Any], node: str) -> str:
    """The names in `writer:3f2…|think:9ab…`, with colons between."""
    space = str(metadata.get("langgraph_checkpoint_ns") or metadata.get("checkpoint_ns") or node)
    return ":".join(part.split(":", 1)[0] for part in space.split("|"))


def _is_inside(above: _Run | None, metadata: dict[str, Any]) -> bool:
    """Whether something in a node bears the node's own name."""
    return above is not None and above.path == _path(metadata, metadata["langgraph_node"])


def _sum(path: str, runs: Sequence[_Run], now: float) -> NodeCost:
    return NodeCost(
        path,
        len(runs),
        sum((now if run.end is None else run.end) - run.start for run in runs),
        sum(run.model_calls for run in runs),
        sum(run.tool_calls for run in runs),
        sum(run.input_tokens for run in runs),
        sum(run.output_tokens for run in runs),
        sum(run.cost for run in runs),
        sum(run.status == "failed" for run in runs),
    )


def _bar(run: _Run, begin: float, now: float) -> Bar:
    end = now if run.end is None else run.end
    spent = _words(run.model_calls, run.tool_calls, run.input_tokens + run.output_tokens, run.cost)
    note = ", ".join([f"{(end - run.start) * 1000:.0f} ms", *spent])
    state = {"failed": ": failed", "idle": ": waits for a person"}.get(run.status, "")
    kind: Kind = "idle" if run.end is None else run.status
    return Bar(run.path, run.start - begin, end - begin, kind, note, f"{run.path}{state}: {note}")


def _words(models: int, tools: int, tokens: int, cost: float) -> list[str]:
    said = [
        f"{count} {one}{'s' if count != 1 else ''}"
        for count, one in ((models, "model call"), (tools, "tool call"), (tokens, "token"))
        if count
    ]
    return [*said, f"${cost:.4f}"] if cost else said
