"""Calls that change something happen once, also when the process dies in the middle of one.

A call is a keyed step: noted before it begins, recorded when it has ended. After a crash a
finished call answers from its record. Of one that had begun nobody knows whether its effect
happened; the tool's own probe is asked, else the policy says: ask a person, retry, or fail.

A tool reads the key of the call it is in by `idempotency_key()`, and sends it along to systems
that refuse what they have had.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, interrupt

from cogwork.core.bridge import in_thread
from cogwork.core.errors import InDoubtError, ToolError
from cogwork.core.journal import Journal
from cogwork.tools.calling import ReadyTool

__all__ = ["OnDoubt", "call_once", "idempotency_key", "perform"]

OnDoubt: TypeAlias = Literal["ask", "retry", "fail"]
"""What to do with a call that was cut off: ask a person, call again, or fail."""

_UNKNOWN: Final = "the call was cut off, and nobody knows whether its effect happened"
_COMMAND: Final = "__command__"

_key: ContextVar[str | None] = ContextVar("cogwork_idempotency_key", default=None)


def idempotency_key() -> str | None:
    """Return the key of the call that this code runs in; None in one that changes nothing.

    The key is the same when the call is made again after a crash, and no other call has it.
    """
    return _key.get()


async def call_once(
    tool: ReadyTool, call: Mapping[str, Any], config: RunnableConfig, *, on_doubt: OnDoubt = "ask"
) -> Any:
    """Call a tool from a node; what it changes is changed once.

    Args:
        tool: What to call.
        call: The model's call, whose id names it.
        config: Of the node.
        on_doubt: What to do with a call of which nobody knows whether it happened. `ask`
            interrupts with a request in LangChain's human-in-the-loop schema: `approve` makes
            the call again, `reject` leaves it, and the text of `respond` is its result.

    Raises:
        ToolError: The call is in doubt, and is not made again.
    """
    if tool.spec.effect == "read":
        return await tool.call(call, config)
    journal, key = Journal(config), f"tool:{call['id']}"
    run = partial(_recordable, tool, call, config)
    try:
        return _recorded(await perform(journal, key, tool, call["args"], run))
    except InDoubtError as error:
        if on_doubt == "retry":
            return _recorded(await perform(journal, key, tool, call["args"], run, again=True))
        if on_doubt == "fail":
            raise ToolError(f"{_UNKNOWN}; it was not repeated") from error
    decision = _ask(tool, call)
    if decision["type"] == "approve":
        return _recorded(await perform(journal, key, tool, call["args"], run, again=True))
    if decision["type"] == "respond":
        await journal.settle(key, str(decision.get("message", "")))
        return str(decision.get("message", ""))
    why = decision.get("message")
    raise ToolError(f"{_UNKNOWN}; it was not repeated{f': {why}' if why else ''}")


async def perform(
    journal: Journal,
    key: str,
    tool: ReadyTool,
    args: Mapping[str, Any],
    run: Callable[[], Awaitable[Any]],
    *,
    again: bool = False,
) -> Any:
    """Run a call as a keyed step, with its idempotency key; ask the tool's probe in doubt.

    Args:
        journal: Of the node.
        key: Names the step.
        tool: Whose call it is. One that is idempotent is called again in doubt.
        args: What it is called with, for its probe.
        run: Makes the call.
        again: Whether to make a call that is in doubt.

    Raises:
        InDoubtError: Nobody knows whether it happened.
    """
    step = partial(journal.step, key, run, effect=tool.spec.effect)
    before = _key.set(journal.identity(key))
    try:
        return await step(on_doubt="retry" if again or tool.spec.idempotent else "raise")
    except InDoubtError:
        probe = getattr(tool.tool, "probe", None)
        if probe is None:
            raise
        found = await _asked(probe, args, journal.identity(key))
        if found is None:
            return await step(on_doubt="retry")
        await journal.settle(key, found)
        return found
    finally:
        _key.reset(before)


async def _asked(probe: Callable[..., Any], args: Mapping[str, Any], key: str) -> Any:
    if inspect.iscoroutinefunction(probe):
        return await probe(args, key)
    return await in_thread(None, probe, args, key)


async def _recordable(tool: ReadyTool, call: Mapping[str, Any], config: RunnableConfig) -> Any:
    result = await tool.call(call, config)
    if isinstance(result, list):
        return [_plain(each) for each in result]
    return _plain(result)


def _plain(result: Any) -> Any:
    """What a checkpointer can hold of it."""
    if isinstance(result, Command):
        return {
            _COMMAND: {
                "graph": result.graph,
                "update": result.update,
                "resume": result.resume,
                "goto": result.goto,
            }
        }
    return result if isinstance(result, ToolMessage) else str(result)


def _recorded(record: Any) -> Any:
    if isinstance(record, list):
        return [_recorded(each) for each in record]
    if isinstance(record, dict) and _COMMAND in record:
        return Command(**record[_COMMAND])
    return record


def _ask(tool: ReadyTool, call: Mapping[str, Any]) -> Mapping[str, Any]:
    name = tool.tool.name
    request = {
        "action_requests": [
            {
                "name": name,
                "args": dict(call["args"]),
                "description": f"{name}: {_UNKNOWN}. Approve to call it again.",
            }
        ],
        "review_configs": [
            {"action_name": name, "allowed_decisions": ["approve", "reject", "respond"]}
        ],
    }
    answer = interrupt(request)
    decisions = answer.get("decisions") if isinstance(answer, Mapping) else None
    decision = decisions[0] if decisions else None
    if not isinstance(decision, Mapping) or decision.get("type") not in {
        "approve",
        "reject",
        "respond",
    }:
        raise ToolError(f"{_UNKNOWN}; the answer {answer!r:.100} decides nothing")
    return decision
