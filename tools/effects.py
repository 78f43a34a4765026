"""Calls that change something happen once, also when the process dies in the middle of one.

A call is a keyed step: noted before it begins, recorded when it has ended. After a crash a
finished call answers from its record. Of one that had begun nobody knows whether its effect
happened; the tool's own probe is asked, else the policy says: ask a person, retry, or fail.

A tool reads the key of the call it is in by `idempotency_key()`, and sends it along to systems
that refuse what they have had.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from cogwork.core.bridge import in_thread
from cogwork.core.errors import InDoubtError, ToolError
from cogwork.core.journal import Journal
from cogwork.tools.approval import ask_person
from cogwork.tools.calling import ReadyTool
from cogwork.tools.taint import label_of, reading

__all__ = ["OnDoubt", "call_once", "idempotency_key", "perform"]

OnDoubt: TypeAlias = Literal["ask", "retry", "fail"]
"""What to do with a call that was cut off: ask a person, call again, or fail."""

_UNKNOWN: Final = "the call was cut off, and nobody knows whether its effect happened"
_COMMAND: Final = "__command__"
_PATIENCE: Final = 86_400.0  # seconds that an answer is good for

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
            interrupts as for an approval (see `cogwork.tools.approval`): `approve` makes the
            call again, `reject` leaves it, and the text of `respond` is its result.

    Raises:
        ToolError: The call is in doubt, and is not made again.
    """
    if tool.spec.effect == "read":
        return await tool.call(call, config)
    journal, key = Journal(config), f"tool:{call['id']}"
    made = partial(perform, journal, key, tool, call["args"])
    run = partial(_recordable, tool, call, config)
    try:
        return _recorded(await made(run, again=on_doubt == "retry"))
    except InDoubtError as error:
        if on_doubt == "fail":
            raise ToolError(f"{_UNKNOWN}; it was not repeated") from error
        times = error.details["times"]
    decision = await _decided(journal, call, config, times)
    if decision["type"] == "approve":
        return _recorded(await made(run, again=True))
    said = str(decision.get("message") or "")
    if decision["type"] == "respond":
        await journal.settle(key, said)
        return said
    raise ToolError(f"{_UNKNOWN}; it was not repeated{f': {said}' if said else ''}")


async def perform(
    journal: Journal,
    key: str,
    tool: ReadyTool,
    args: Mapping[str, Any],
    run: Callable[[], Awaitable[Any]],
    *,
    again: bool = False,
    to_record: Callable[[Any], Any] = lambda found: found,
) -> Any:
    """Run a call as a keyed step, with its idempotency key; ask the tool's probe in doubt.

    Args:
        journal: Of the node.
        key: Names the step.
        tool: Whose call it is. One that is idempotent is called again in doubt.
        args: What it is called with, for its probe.
        run: Makes the call.
        again: Whether to make a call that is in doubt.
        to_record: Makes what `run` returns of what a probe finds.

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
        await journal.settle(key, to_record(found))
        return to_record(found)
    finally:
        _key.reset(before)


async def _asked(probe: Callable[..., Any], args: Mapping[str, Any], key: str) -> Any:
    if inspect.iscoroutinefunction(probe):
        return await probe(args, key)
    return await in_thread(None, probe, args, key)


async def _recordable(tool: ReadyTool, call: Mapping[str, Any], config: RunnableConfig) -> Any:
    with reading(()) as found:
        result = await tool.call(call, config)
    if not isinstance(result, (ToolMessage, Command, list)):
        result = ToolMessage(str(result), name=tool.tool.name, tool_call_id=call["id"])
    if isinstance(result, ToolMessage) and found:  # for who answers from the record
        result.response_metadata = {**result.response_metadata, **label_of(sorted(found))}
    return [_plain(each) for each in result] if isinstance(result, list) else _plain(result)


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
    return result


def _recorded(record: Any) -> Any:
    if isinstance(record, list):
        return [_recorded(each) for each in record]
    if isinstance(record, dict) and _COMMAND in record:
        return Command(**record[_COMMAND])
    return record


async def _decided(
    journal: Journal, call: Mapping[str, Any], config: RunnableConfig, times: int
) -> Mapping[str, Any]:
    """What a person decides about a call that began for the `times`-th time.

    Earlier doubts about it are asked again first, for LangGraph gives answers in their order.
    """
    place = f"doubt:{call['id']}"
    found = re.compile(rf"approval:{re.escape(place)}:(\d+):0")
    asked = {int(match[1]) for key in await journal.finished() if (match := found.fullmatch(key))}
    for number in sorted({*asked, times}):
        decision = await ask_person(
            call,
            config,
            place=f"{place}:{number}",
            reason=f"{_UNKNOWN}, and approving makes it again",
            seconds=_PATIENCE,
            check=lambda _: "",
            allowed=("approve", "reject", "respond"),
        )
    return decision
