"""The action of a ReAct loop: one tool call, run with a limit, its failure an observation."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command

from cogwork.core.bridge import Node, node
from cogwork.core.errors import BudgetError, redact
from cogwork.core.json_text import unkeepable
from cogwork.core.registry import Registry, nearest
from cogwork.nodes.history import FROM_TOOL, UNKEPT
from cogwork.tools.audit import AuditLog
from cogwork.tools.calling import ReadyTool, ReadyTools, reason_of
from cogwork.tools.effects import OnDoubt, call_once
from cogwork.tools.guard import EDITED, Guard
from cogwork.tools.policy import Policy
from cogwork.tools.taint import SOURCE, UNTRUSTED, has_read, label_of, reading, taint_in

__all__ = ["make_act"]


def make_act(
    tools: Sequence[BaseTool] | Registry[BaseTool],
    *,
    timeout: float | None = None,
    max_output: int = 20_000,
    policy: Policy | None = None,
    on_doubt: OnDoubt = "ask",
    audit: AuditLog | None = None,
) -> Node:
    """Make the node that runs one tool call.

    It takes the call itself as its input: a router sends each call of a turn to it with
    `Send("act", call)`, so that calls run in parallel, each with its own checkpointed
    result and its own interrupts. An unknown tool, invalid arguments, a timeout and a
    failure come back as observations that the model can correct; interrupts pass.

    Async tools run on the loop, synchronous ones in a thread of their own, or directly
    where the run is synchronous and sets no limit.

    Args:
        tools: What may be called; of a registry nothing is created before it is called.
        timeout: Seconds for one attempt where a tool declares none; `None` for no limit.
        max_output: Characters of a result that are kept; beyond them head and tail stay.
        policy: Which calls are made, ask a person first, or are refused; the state then
            needs a key `taint` (see `cogwork.tools.taint`). `None` makes every call.
        on_doubt: What to do with a call that changes something and was cut off by a crash
            (see `cogwork.tools.effects`).
        audit: Where calls, and decisions about them, are noted.
    """
    ready = ReadyTools(tools, timeout, audit)
    guard = Guard(policy, ready.specs, audit) if policy is not None else None

    @node
    async def act(call: Mapping[str, Any], config: RunnableConfig) -> Any:
        """Run one tool call.

        Reads: the call it is sent, messages, taint
        Writes: messages, taint
        """
        started = time.perf_counter()
        outcome, sources = await _outcome(ready, call, config, guard, on_doubt)
        seconds = round(time.perf_counter() - started, 6)
        about = {"seconds": seconds, **label_of(sources)}
        taint = sources if guard else None
        if isinstance(outcome, ToolMessage):
            update: dict[str, Any] = {"messages": [_observed(outcome, about, max_output)]}
            return {**update, "taint": taint} if taint else update
        for message in _messages_in(outcome):
            _observed(message, about, max_output)
        if not taint:
            return outcome
        return [
            *(outcome if isinstance(outcome, list) else [outcome]),
            Command(update={"taint": taint}),
        ]

    return act


async def _outcome(
    ready: Mapping[str, ReadyTool],
    call: Mapping[str, Any],
    config: RunnableConfig,
    guard: Guard | None,
    on_doubt: OnDoubt,
) -> tuple[ToolMessage | Command[Any] | list[Any], list[str]]:
    """The call's result, or why there is none; and the untrusted sources in it."""
    name = str(call["name"])
    if call.get("error") or call["type"] == "invalid_tool_call":
        return _failure(call, _why_invalid(call)), []
    if name not in ready:
        return _failure(call, f"no tool is called '{name}'; {nearest(name, list(ready))}"), []
    if guard is None:
        result = await _made(ready[name], call, config, on_doubt)
        return result, _sources(ready[name], result)
    taint = taint_in(config, guard.trusted)
    admitted = await guard.admit(call, taint, config)
    if isinstance(admitted, ToolMessage):
        return admitted, []
    tool = ready[admitted["name"]]
    with reading(taint) as found:
        result = await _made(tool, admitted, config, on_doubt)
    if admitted is not call:
        _say_edited(result, admitted)
    return result, _sources(tool, result, found)


async def _made(
    tool: ReadyTool, call: Mapping[str, Any], config: RunnableConfig, on_doubt: OnDoubt
) -> ToolMessage | Command[Any] | list[Any]:
    """The result of a call that is made."""
    name = tool.tool.name
    try:
        result = await call_once(tool, call, config, on_doubt=on_doubt)
    except (GraphBubbleUp, BudgetError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a tool raises, the model sees it
        return _failure(call, reason_of(error, name))
    if isinstance(result, ToolMessage) and (why := unkeepable([result.content, result.artifact])):
        return _failure(call, f"the result of {name} cannot be kept: it {why.partition(': ')[2]}")
    if isinstance(result, (ToolMessage, Command, list)):
        return result
    return ToolMessage(str(result), name=name, tool_call_id=call["id"])


def _why_invalid(call: Mapping[str, Any]) -> str:
    error = str(call.get("error"))
    if error.startswith(UNKEPT):
        return f"{error}; send less, or send it as text"
    return f"the arguments are not valid JSON: {call['args']!r:.500}"


def _sources(tool: ReadyTool, result: Any, found: Collection[str] = ()) -> list[str]:
    """The untrusted sources of a result: the tool, and what was read inside of the call."""
    labels = (message.response_metadata.get(SOURCE) for message in _messages_in(result))
    if tool.spec.is_untrusted or UNTRUSTED in labels:
        found = {tool.tool.name, *found}
    if found:
        has_read(*found)
    return sorted(found)


def _say_edited(result: Any, made: Mapping[str, Any]) -> None:
    note = EDITED.format(name=made["name"], args=made["args"])
    for message in _messages_in(result):
        if isinstance(message, ToolMessage) and isinstance(message.content, str):
            message.content = note + message.content


def _failure(call: Mapping[str, Any], reason: str) -> ToolMessage:
    return ToolMessage(
        f"Error: {redact(reason)}", name=call["name"], tool_call_id=call["id"], status="error"
    )


def _messages_in(outcome: Any) -> Iterator[ToolMessage | HumanMessage]:
    """The messages of an outcome, also those that a tool wrote to the history by a `Command`."""
    for each in outcome if isinstance(outcome, list) else [outcome]:
        if isinstance(each, ToolMessage):
            yield each
            continue
        update = each.update if isinstance(each, Command) else each
        if isinstance(update, dict):
            yield from (
                message
                for message in update.get("messages") or ()
                if isinstance(message, (ToolMessage, HumanMessage))
            )


def _observed(
    message: ToolMessage | HumanMessage, about: Mapping[str, Any], limit: int
) -> ToolMessage | HumanMessage:
    """Bound the message, and note what a trace needs to know of it."""
    noted = {**message.response_metadata, **about}
    content, is_shortened = _shorten(message.content, limit)
    if is_shortened:
        message.content = content
        noted["shortened"] = True
    if isinstance(message, HumanMessage):
        noted[FROM_TOOL] = True
    message.response_metadata = noted
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
