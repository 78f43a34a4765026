"""What part of the history a model is shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AnyMessage, ToolMessage

from cogwork.core.messages import estimate_tokens

__all__ = ["FROM_TOOL", "UNKEPT", "bound_history", "is_question", "tool_calls_of"]

FROM_TOOL = "from_tool"
"""Marks, in `response_metadata`, a human message that a tool wrote (to show a picture, say)."""

UNKEPT = "the arguments cannot be kept: "
"""Begins the error of an invalid tool call whose arguments no checkpointer could hold."""

_LOST = "This call was interrupted; its result is not known."


def bound_history(messages: Sequence[AnyMessage], max_tokens: int) -> list[AnyMessage]:
    """Return the newest messages that fit, as a history that every provider accepts.

    A tool call and its results stay or go together. The last question and what came last
    are kept whatever their size, and what is older begins with a question. A call that
    never got its result (its run was interrupted, then another question was asked) gets
    one that says so; a result without its call is dropped.

    Args:
        messages: The whole history, oldest first.
        max_tokens: The bound, in tokens as `estimate_tokens` counts them.
    """
    if _fits_as_it_is(messages, max_tokens):
        return list(messages)
    rounds = _rounds(messages)
    sizes = [sum(map(estimate_tokens, group)) for group in rounds]
    if sum(sizes) > max_tokens:
        rounds = [rounds[place] for place in _fitting(rounds, sizes, max_tokens)]
    return [message for group in rounds for message in group]


def tool_calls_of(message: AnyMessage) -> list[Mapping[str, Any]]:
    """Every call that a message makes, those with malformed arguments included."""
    if message.type != "ai":
        return []
    if not message.invalid_tool_calls:
        return [*message.tool_calls]
    return [*message.tool_calls, *message.invalid_tool_calls]


def is_question(message: AnyMessage) -> bool:
    """Whether a person wrote the message, so that a new turn begins with it."""
    return message.type == "human" and FROM_TOOL not in message.response_metadata


def _fits_as_it_is(messages: Sequence[AnyMessage], max_tokens: int) -> bool:
    """Whether all of it fits and every call has its results; the usual case, in one pass."""
    waiting = 0
    for message in messages:
        max_tokens -= estimate_tokens(message)
        if message.type == "tool":
            waiting -= 1
        elif waiting:
            return False
        elif message.type == "ai":
            waiting = len(message.tool_calls) + len(message.invalid_tool_calls)
    return not waiting and max_tokens >= 0


def _fitting(rounds: list[list[AnyMessage]], sizes: list[int], max_tokens: int) -> list[int]:
    """The places of the rounds to keep, in order."""
    questions = [place for place, group in enumerate(rounds) if is_question(group[0])]
    kept = {len(rounds) - 1, *questions[-1:]}
    left = max_tokens - sum(sizes[place] for place in kept)
    for place in reversed(range(len(rounds))):
        if place in kept:
            continue
        left -= sizes[place]
        if left < 0:
            break
        kept.add(place)
    first = next((place for place in questions if place in kept), 0)
    return sorted(place for place in kept if place >= first)


def _rounds(messages: Sequence[AnyMessage]) -> list[list[AnyMessage]]:
    """Split a history into single messages and calls with their results."""
    rounds: list[list[AnyMessage]] = []
    waiting: dict[str | None, str | None] = {}
    for message in messages:
        if message.type == "tool":
            if waiting.pop(message.tool_call_id, "absent") != "absent":
                rounds[-1].append(message)
            continue
        if waiting:
            _close(rounds[-1], waiting)
        rounds.append([message])
        waiting = {call["id"]: call["name"] for call in tool_calls_of(message)}
    if waiting:
        _close(rounds[-1], waiting)
    return rounds


def _close(group: list[AnyMessage], waiting: dict[str | None, str | None]) -> None:
    group.extend(
        ToolMessage(_LOST, name=name, tool_call_id=call_id or "", status="error")
        for call_id, name in waiting.items()
    )
