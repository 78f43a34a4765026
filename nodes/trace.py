"""The typed trace of a ReAct thread: thought, action and observation, step by step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.types import StateSnapshot

from cogwork.nodes.history import tool_calls_of

__all__ = ["TraceStep", "trace"]


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One tool call with the thought behind it, or an answer (`tool` is then `None`).

    `tokens` counts the model call of the thought; of several calls in one turn the first
    carries it. `output` and `seconds` are `None` while a call runs.
    """

    turn: int
    thought: str
    tool: str | None = None
    input: Any = None
    output: str | None = None
    failed: bool = False
    seconds: float | None = None
    tokens: int = 0


def trace(state: Any) -> list[TraceStep]:
    """Read the steps of a finished or running thread.

    Args:
        state: A graph's result, or the snapshot that `graph.get_state(config)` returns.

    Returns:
        The steps of every question in the thread, oldest first; `turn` counts questions
        from 1.
    """
    values = state.values if isinstance(state, StateSnapshot) else state
    return list(_steps(values.get("messages", [])))


def _steps(messages: Sequence[AnyMessage]) -> Iterator[TraceStep]:
    turn = 0
    for place, message in enumerate(messages):
        if isinstance(message, HumanMessage):
            turn += 1
        elif isinstance(message, AIMessage):
            tokens = message.usage_metadata["total_tokens"] if message.usage_metadata else 0
            results = _results(messages, place + 1)
            calls = tool_calls_of(message)
            if not calls:
                yield TraceStep(turn, thought="", output=message.text, tokens=tokens)
            for index, call in enumerate(calls):
                yield _call_step(turn, message, call, results, 0 if index else tokens)


def _results(messages: Sequence[AnyMessage], start: int) -> dict[str, ToolMessage]:
    """The results that follow a thought; ids need only be unique within it."""
    results = {}
    for message in messages[start:]:
        if not isinstance(message, ToolMessage):
            break
        results[message.tool_call_id] = message
    return results


def _call_step(
    turn: int,
    message: AIMessage,
    call: Mapping[str, Any],
    results: Mapping[str, ToolMessage],
    tokens: int,
) -> TraceStep:
    result = results.get(call["id"])
    return TraceStep(
        turn,
        thought=message.text,
        tool=call["name"],
        input=call["args"],
        output=result.text if result else None,
        failed=result is not None and result.status == "error",
        seconds=result.response_metadata.get("seconds") if result else None,
        tokens=tokens,
    )
