"""The action of a ReAct loop: one tool call, run with a limit, its failure an observation."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command

from cogwork.core.bridge import Node, node
from cogwork.core.errors import BudgetError, redact
from cogwork.core.registry import nearest
from cogwork.nodes.history import FROM_TOOL
from cogwork.tools.calling import ReadyTool, reason_of

__all__ = ["make_act"]


def make_act(
    tools: Sequence[BaseTool],
    *,
    timeout: float | None = None,
    max_output: int = 20_000,
) -> Node:
    """Make the node that runs one tool call.

    It takes the call itself as its input: a router sends each call of a turn to it with
    `Send("act", call)`, so that calls run in parallel, each with its own checkpointed
    result and its own interrupts. An unknown tool, invalid arguments, a timeout and a
    failure come back as observations that the model can correct; interrupts pass.

    Async tools run on the loop, synchronous ones in a thread of their own, or directly
    where the run is synchronous and sets no limit.

    Args:
        tools: What may be called.
        timeout: Seconds for one attempt where a tool declares none; `None` for no limit.
        max_output: Characters of a result that are kept; beyond them head and tail stay.
    """
    ready = {tool.name: ReadyTool(tool, timeout) for tool in tools}

    @node
    async def act(call: Mapping[str, Any], config: RunnableConfig) -> Any:
        """Run one tool call.

        Reads: the call it is sent
        Writes: messages
        """
        started = time.perf_counter()
        outcome = await _outcome(ready, call, config)
        seconds = round(time.perf_counter() - started, 6)
        if isinstance(outcome, ToolMessage):
            return {"messages": [_observed(outcome, seconds, max_output)]}
        for message in _messages_in(outcome):
            _observed(message, seconds, max_output)
        return outcome

    return act


async def _outcome(
    ready: Mapping[str, ReadyTool], call: Mapping[str, Any], config: RunnableConfig
) -> ToolMessage | Command[Any] | list[Any]:
    """The call's result, or a message that says why there is none."""
    name = str(call["name"])
    if call.get("error") or call["type"] == "invalid_tool_call":
        return _failure(call, f"the arguments are not valid JSON: {call['args']!r:.500}")
    if name not in ready:
        return _failure(call, f"no tool is called '{name}'; {nearest(name, list(ready))}")
    tool = ready[name]
    try:
        result = await tool.call(call, config)
    except (GraphBubbleUp, BudgetError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a tool raises, the model sees it
        return _failure(call, reason_of(error, tool.tool.name))
    if isinstance(result, (ToolMessage, Command, list)):
        return result
    return ToolMessage(str(result), name=name, tool_call_id=call["id"])


def _failure(call: Mapping[str, Any], reason: str) -> ToolMessage:
    return ToolMessage(
        f"Error: {redact(reason)}", name=call["name"], tool_call_id=call["id"], status="error"
    )


def _messages_in(outcome: Any) -> Iterator[ToolMessage | HumanMessage]:
    """What a tool wrote to the history itself, by a `Command` or by a list of them."""
    for each in outcome if isinstance(outcome, list) else [outcome]:
        update = each.update if isinstance(each, Command) else each
        if isinstance(update, dict):
            yield from (
                message
                for message in update.get("messages") or ()
                if isinstance(message, (ToolMessage, HumanMessage))
            )


def _observed(
    message: ToolMessage | HumanMessage, seconds: float, limit: int
) -> ToolMessage | HumanMessage:
    """Bound the message, and note what a trace needs to know of it."""
    about: dict[str, Any] = {"seconds": seconds}
    content, is_shortened = _shorten(message.content, limit)
    if is_shortened:
        message.content = content
        about["shortened"] = True
    if isinstance(message, HumanMessage):
        about[FROM_TOOL] = True
    message.response_metadata = {**message.response_metadata, **about}
    return message


def _shorten(content: Any, limit: int) -> tuple[Any, bool]:
    """Keep head and tail of a text; of blocks, the first that fit."""
    if isinstance(content, str):
        return (_head_and_tail(content, limit), True) if len(content) > limit else (content, False)
    kept: list[Any] = []
    left, is_shortened = limit, False
    for block in content:
        text = block if isinstance(block, str) else block.get("text")
        if not isinstance(text, str):
            kept.append(block)
            continue
        if len(text) > left:
            is_shortened = True
            text = _head_and_tail(text, left)
        left -= min(len(text), left)
        kept.append(text if isinstance(block, str) else {**block, "text": text})
    return kept, is_shortened


def _head_and_tail(text: str, limit: int) -> str:
    tail = limit // 4
    head = limit - tail
    return (
        f"{text[:head]}\n[… {len(text) - limit:,} of {len(text):,} characters left out …]\n"
        f"{text[len(text) - tail :]}"
    )
