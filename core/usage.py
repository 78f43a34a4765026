"""How many tokens a call of a model may take, and how many it took."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
from langchain_core.outputs import LLMResult

from cogwork.core.messages import estimate_tokens

__all__ = ["OUTPUT_TOKENS", "given_tokens", "longest_answer", "usage_of"]

OUTPUT_TOKENS: Final = 1_000
"""Expected of an answer where the model names no limit of its own."""
_OUTPUT_LIMITS: Final = (
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "ls_max_tokens",
)
_NOTHING: Final = {"input_tokens": 0, "output_tokens": 0}


def given_tokens(messages: Sequence[BaseMessage], params: Mapping[str, Any]) -> int:
    """Estimate the input of a chat model: what it is told, and the tools that it is shown.

    A history that grew since it was last counted is not counted anew: it is taken for the same
    if it begins with the same message and has the same one in the place where it ended.

    Args:
        messages: What it is told.
        params: What it is called with, `tools` among it.
    """
    tools = params.get("tools")
    shown = _size_of_tools(tools) if tools else 0
    if not messages:
        return shown
    number, total, first = 0, 0, messages[0]
    counted = _counted.get(id(first))
    if counted is not None and counted[0] is first:
        _, known, last, so_far = counted
        if len(messages) >= known and messages[known - 1] is last:
            number, total = known, so_far
    if number < len(messages):
        total += sum(map(estimate_tokens, cast("Sequence[AnyMessage]", messages[number:])))
        if len(_counted) >= _MOST_COUNTED:
            _counted.clear()
        _counted[id(first)] = (first, len(messages), messages[-1], total)
    return total + shown


_MOST_COUNTED: Final = 256
_counted: dict[int, tuple[BaseMessage, int, BaseMessage, int]] = {}
"""Histories by their first message: it, how many were counted, the last of them, the sum."""


def _size_of_tools(tools: Any) -> int:
    known = _sizes.get(id(tools))
    if known is None or known[0] is not tools:
        if len(_sizes) >= _MOST_COUNTED:
            _sizes.clear()
        known = _sizes[id(tools)] = (tools, len(str(tools)) // 4)
    return known[1]


_sizes: dict[int, tuple[Any, int]] = {}
"""Lists of tools, which a model is shown again and again."""


def longest_answer(*params: Mapping[str, Any]) -> int:
    """Return the tokens that an answer may have, as the first of these limits them."""
    for several in params:
        if several.keys().isdisjoint(_OUTPUT_LIMITS):
            continue
        for name in _OUTPUT_LIMITS:
            if isinstance(several.get(name), int):
                return int(several[name])
    return OUTPUT_TOKENS


def usage_of(
    response: LLMResult | None, given: Callable[[], int], *, failed: bool = False
) -> dict[str, Any] | None:
    """Return LangChain's `usage_metadata` of a call, estimated where the answer has none.

    Args:
        response: What it answered, or of a stream that failed what had come.
        given: The estimate of its input.
        failed: Whether it failed; then without any answer nothing counts.

    Returns:
        None for an answer from LangChain's cache, for which no call was made.
    """
    found = [each for several in (response.generations if response else ()) for each in several]
    if not found:
        return dict(_NOTHING)
    message = getattr(found[0], "message", None)
    usage = getattr(message, "usage_metadata", None)
    if usage:
        return None if usage.get("total_cost") == 0 else dict(usage)
    size = len(found[0].text) // 4
    if isinstance(message, AIMessage) and (message.content or message.tool_calls):
        size = estimate_tokens(message)
    if failed and not size:
        return dict(_NOTHING)
    return {"input_tokens": given(), "output_tokens": size}
