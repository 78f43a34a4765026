"""The observation of a ReAct loop: what came back, and whether it leads anywhere."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableConfig

from cogwork.core.bridge import Node, node
from cogwork.nodes.history import is_question, tool_calls_of
from cogwork.tools.taint import tell_taint

__all__ = ["make_observe"]


def make_observe(
    *, max_steps: int = 10, max_repeats: int = 3, return_direct: Container[str] = ()
) -> Node:
    """Make the node that decides whether the loop goes on after a step.

    Args:
        max_steps: Steps (one thought with its calls) that one question may take.
        max_repeats: How often one question may meet the same call with the same result.
        return_direct: Names of tools whose result is the answer; a step that only calls
            such tools, and succeeds, ends the loop.
    """

    @node
    def observe(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Stop a loop that is at its limit or makes no progress.

        Reads: messages, taint
        Writes: stop_reason
        """
        tell_taint(state)
        messages = state["messages"]
        if return_direct and _is_answered(messages, return_direct):
            return {"stop_reason": "answered"}
        steps = _steps(messages)
        if len(steps) >= max_steps:
            return {"stop_reason": "step_limit"}
        if len(steps) >= max_repeats and _repeats(messages, steps) >= max_repeats:
            return {"stop_reason": "no_progress"}
        return {"stop_reason": None}

    return observe


def _steps(messages: Sequence[AnyMessage]) -> list[int]:
    """The places of the thoughts since the last question, newest first."""
    steps = []
    for place in range(len(messages) - 1, -1, -1):
        message = messages[place]
        if message.type == "ai":
            steps.append(place)
        elif is_question(message):
            break
    return steps


def _is_answered(messages: Sequence[AnyMessage], return_direct: Container[str]) -> bool:
    place = _steps(messages)[0]
    results = [message for message in messages[place + 1 :] if message.type == "tool"]
    return all(one.name in return_direct and one.status == "success" for one in results)


def _repeats(messages: Sequence[AnyMessage], steps: Sequence[int]) -> int:
    """How often a call of the newest step was made with the same result, itself included."""
    most = 0
    for wanted in tool_calls_of(messages[steps[0]]):
        found = _result(messages, steps[0], wanted)
        count = 0
        for place in steps:
            for call in tool_calls_of(messages[place]):
                if call["args"] == wanted["args"] and call["name"] == wanted["name"]:
                    count += _result(messages, place, call) == found
        most = max(most, count)
    return most


def _result(messages: Sequence[AnyMessage], place: int, call: Mapping[str, Any]) -> Any:
    """What a call gave; ids need only be unique within a thought."""
    for later in range(place + 1, len(messages)):
        message = messages[later]
        if message.type == "ai":
            break
        if message.type == "tool" and message.tool_call_id == call["id"]:
            return message.content
    return None
