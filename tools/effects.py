"""Calls that change something happen once, also when the process dies in the middle of one.

A call is a keyed step: noted before it begins, recorded when it has ended. After a crash a
finished call answers from its record. Of one that had begun nobody knows whether its effect
happened; nor of one whose answer was lost (see `may_have_happened`). The tool's own probe is
asked, else the policy says: ask a person, retry, or fail.

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
from cogwork.core.errors import (
    BudgetError,
    CircuitOpenError,
    InDoubtError,
    MemoryStoreError,
    ToolError,
)
from cogwork.core.journal import Doubt, Journal
from cogwork.core.retry import is_transient
from cogwork.tools.approval import ask_person
from cogwork.tools.calling import ReadyTool, reason_of
from cogwork.tools.taint import label_of, reading

__all__ = [
    "OnDoubt",
    "call_once",
    "holdable",
    "idempotency_key",
    "may_have_happened",
    "perform",
]

OnDoubt: TypeAlias = Literal["ask", "retry", "fail"]
"""What to do with a call that was cut off: ask a person, call again, or fail."""

_UNKNOWN: Final = "the call was cut off, and nobody knows whether its effect happened"
_COMMAND: Final = "__command__"
_TEXT: Final = 10_000  # characters kept of a result that cannot be recorded as it is
_PATIENCE: Final = 86_400.0  # seconds that an answer is good for

_key: ContextVar[str | None] = ContextVar("cogwork_idempotency_key", default=None)


def idempotency_key() -> str | None:
    """Return the key of the call that this code runs in; None in one that changes nothing.

    The key is the same when the call is made again after a crash, and no other call has it.
    """
    return _key.get()


def may_have_happened(error: BaseException) -> bool:
    """Whether a call that failed like this may have taken effect all the same.

    Yes when its answer was lost on the way: transient errors such as `ConnectionError` and
    `TimeoutError`, the tool's own time limit, and `InDoubtError`. No for everything else: by
    wrong arguments, or a `ToolError` that is not transient, a tool says that it did not; and
    what a budget or a circuit breaker refuses was not sent.
    """
    if isinstance(error, BaseExceptionGroup):
        return any(map(may_have_happened, error.exceptions))
    if isinstance(error, BudgetError | CircuitOpenError):
        return False
    return isinstance(error, InDoubtError) or is_transient(error) or _is_out_of_time(error)


def holdable(journal: Journal, result: Any) -> Any:
    """Return what the checkpointer can hold of a result: itself, else its text, bounded.

    Raises:
        InDoubtError: It has no text either.
    """
    if journal.holds(result):
        return result
    try:
        return str(result)[:_TEXT].encode(errors="replace").decode()
    except Exception as error:
        raise InDoubtError(
            f"the result, of type {type(result).__name__}, can neither be recorded nor be "
            "written as text; let the tool return plain data"
        ) from error


async def call_once(
    tool: ReadyTool, call: Mapping[str, Any], config: RunnableConfig, *, on_doubt: OnDoubt = "ask"
) -> Any:
    """Call a tool from a node; what it changes is changed once.

    Args:
        tool: What to call.
        call: The model's call, whose id names it.
        config: Of the node.
        on_doubt: What to do with a call that was cut off. `ask` interrupts as for an approval
            (see `cogwork.tools.approval`): `approve` makes the call again, `reject` leaves
            it, and the text of `respond` is its result.

    Raises:
        ToolError: The call is in doubt, and is not made again. One that fails now and may
            have happened all the same is not asked about: the error says so.
    """
    if tool.spec.effect == "read":
        return await tool.call(call, config)
    journal, key = Journal(config), f"tool:{call['id']}"
    made = partial(_made, journal, key, tool, call, config)
    times = await journal.doubts(key)
    if f"approval:doubt:{call['id']}:{times}:0" not in await journal.finished():
        try:
            return await made(again=on_doubt == "retry")
        except InDoubtError as error:
            if on_doubt == "fail":
                raise ToolError(f"{_UNKNOWN}; it was not repeated") from error
            times = error.details["times"]
    decision = await _decided(journal, call, config, times)
    if decision["type"] == "approve":
        return await made(again=True)
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
        run: Makes the call, and returns what can be recorded (see `holdable`).
        again: Whether to make a call that is in doubt.
        to_record: Makes what `run` returns of what a probe finds.

    Raises:
        InDoubtError: Nobody knows whether it happened. `details` tell how often it began
            (`times`), and whether it failed just now (`failed`) or was cut off before.
    """
    step = partial(_step, journal, key, tool, run)
    before = _key.set(journal.identity(key))
    try:
        return await step("retry" if again or tool.spec.idempotent else "raise")
    except InDoubtError as error:
        probe = getattr(tool.tool, "probe", None)
        if probe is None:
            raise
        found = await _asked(probe, args, journal.identity(key), error)
        if found is None and _is_out_of_time(error.__cause__):
            raise  # a thread that did not answer in time may still do it
        if found is None:
            return await step("retry")
        await journal.settle(key, to_record(found))
        return to_record(found)
    finally:
        _key.reset(before)


async def _made(
    journal: Journal,
    key: str,
    tool: ReadyTool,
    call: Mapping[str, Any],
    config: RunnableConfig,
    *,
    again: bool,
) -> Any:
    """The result of a model's call, or the error that tells the model of a doubt."""
    run = partial(_recordable, tool, call, config, journal)
    try:
        done = await perform(journal, key, tool, call["args"], run, again=again)
    except InDoubtError as error:
        if not error.details.get("failed"):
            raise
        raise ToolError(f"{error}; do not make this call again without asking") from error
    return _recorded(done)


async def _step(
    journal: Journal, key: str, tool: ReadyTool, run: Callable[[], Awaitable[Any]], on_doubt: Doubt
) -> Any:
    """What a call returns; in doubt when its answer, or its record, was lost."""
    name, has_ended = tool.tool.name, False
    can_repeat = tool.spec.idempotent or tool.spec.effect == "read"

    async def lost(reason: str) -> InDoubtError:
        details = {"step": key, "times": await journal.doubts(key), "failed": True}
        told = f"{reason}; nobody knows whether its effect happened"
        return InDoubtError(told, details=details, transient=True)

    async def sure() -> Any:
        nonlocal has_ended
        try:
            found = await run()
        except Exception as error:
            if can_repeat or not may_have_happened(error):
                raise
            raise await lost(reason_of(error, name)) from error
        has_ended = True
        return found

    try:
        return await journal.step(key, sure, effect=tool.spec.effect, on_doubt=on_doubt)
    except MemoryStoreError as error:
        if can_repeat or not has_ended:
            raise
        raise await lost(f"{name} was called, but {error}") from error


async def _asked(
    probe: Callable[..., Any], args: Mapping[str, Any], key: str, doubt: InDoubtError
) -> Any:
    """What a probe knows of a call.

    Raises:
        InDoubtError: It does not know either.
    """
    try:
        if inspect.iscoroutinefunction(probe):
            return await probe(args, key)
        return await in_thread(None, probe, args, key)
    except Exception as error:
        reason = reason_of(error, "its probe")
        raise InDoubtError(f"{doubt}; {reason}", details=doubt.details) from error


def _is_out_of_time(error: BaseException | None) -> bool:
    """Whether a tool was given up after its time limit, as `ReadyTool` says it."""
    return isinstance(error, ToolError) and isinstance(error.__cause__, TimeoutError)


async def _recordable(
    tool: ReadyTool, call: Mapping[str, Any], config: RunnableConfig, journal: Journal
) -> Any:
    with reading(()) as found:
        result = await tool.call(call, config)
    if not isinstance(result, (ToolMessage, Command, list)):
        result = _message(tool, call, result)
    if isinstance(result, ToolMessage) and found:  # for who answers from the record
        result.response_metadata = {**result.response_metadata, **label_of(sorted(found))}
    plain = [_plain(each) for each in result] if isinstance(result, list) else _plain(result)
    if journal.holds(plain):
        return plain
    text = holdable(journal, result.content if isinstance(result, ToolMessage) else result)
    return _message(tool, call, text)


def _message(tool: ReadyTool, call: Mapping[str, Any], result: Any) -> ToolMessage:
    return ToolMessage(str(result), name=tool.tool.name, tool_call_id=call["id"])


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
