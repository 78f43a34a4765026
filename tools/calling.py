"""One tool, ready to be called: with its time limit, its retries, and arguments of the graph."""

import inspect
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException
from langgraph.errors import GraphBubbleUp
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy
from pydantic import ValidationError

from cogwork.core.bridge import in_thread, on_loop, pause
from cogwork.core.errors import CogworkError, ToolError, redact
from cogwork.core.registry import Registry
from cogwork.core.retry import is_transient, retry_after
from cogwork.tools.audit import AuditLog
from cogwork.tools.base import ToolSpec, spec_of
from cogwork.tools.taint import inherited_taint

__all__ = ["ReadyTool", "ReadyTools", "delay_before", "reason_of"]

_LONGEST = 2_000  # characters of a reason


class ReadyTool:
    """A tool with what is known of it, looked up once.

    Args:
        tool: What to call.
        timeout: Seconds for one attempt where the tool declares none; `None` for no limit.
        audit: Where each attempt is noted: one that changes something before it begins and
            when it has ended, one that reads when it has ended.
    """

    __slots__ = ("audit", "is_async", "reaches_in", "spec", "timeout", "tool")

    def __init__(
        self, tool: BaseTool, timeout: float | None, audit: AuditLog | None = None
    ) -> None:
        self.tool = tool
        self.audit = audit
        self.spec: ToolSpec = spec_of(tool)
        self.timeout = self.spec.timeout or timeout
        self.is_async = _is_async(tool)
        self.reaches_in = ToolNode([tool], handle_tool_errors=False) if _is_injected(tool) else None

    async def call(self, call: Mapping[str, Any], config: RunnableConfig) -> Any:
        """Call it as often as its retry policy allows; the last failure is raised.

        Args:
            call: Its arguments, or a whole tool call, for which it answers a message.
            config: Of the run.
        """
        policy = self.spec.retry or RetryPolicy(max_attempts=1)
        for attempt in range(1, policy.max_attempts + 1):
            try:
                return await self.run(call, config)
            except GraphBubbleUp:
                raise
            except Exception as error:
                if attempt == policy.max_attempts or not is_transient(error):
                    raise
                await pause(delay_before(policy, attempt, error))
        raise AssertionError("the last attempt returns or raises")

    async def run(self, call: Mapping[str, Any], config: RunnableConfig) -> Any:
        """Call it once.

        Raises:
            ToolError: It did not answer in time, or the audit log cannot be written.
        """
        if self.audit is None:
            return await self._limited(call, config)
        about = self._about(call, config)
        started = time.perf_counter()
        status = "cut off"
        if self.spec.effect != "read":
            await self._note({"event": "begun", **about})
        try:
            result = await self._limited(call, config)
        except GraphBubbleUp:
            status = "interrupted"
            raise
        except Exception as error:
            status = "error"
            about["error"] = reason_of(error, self.tool.name)
            raise
        else:
            status = getattr(result, "status", "success")
            return result
        finally:
            seconds = round(time.perf_counter() - started, 6)
            await self._note({"event": "ended", **about, "status": status, "seconds": seconds})

    def _about(self, call: Mapping[str, Any], config: RunnableConfig) -> dict[str, Any]:
        is_whole = call.get("type") == "tool_call"
        return {
            "tool": self.tool.name,
            "effect": self.spec.effect,
            "args": call["args"] if is_whole else call,
            "call": call["id"] if is_whole else None,
            "thread": (config.get("configurable") or {}).get("thread_id"),
            "taint": inherited_taint(),
        }

    async def _note(self, record: Mapping[str, Any]) -> None:
        if self.audit is not None:
            await in_thread(None, self.audit.append, record)

    async def _limited(self, call: Mapping[str, Any], config: RunnableConfig) -> Any:
        started = time.perf_counter()
        try:
            return await self._run(call, config)
        except TimeoutError as error:
            if self.timeout is None or time.perf_counter() - started < self.timeout:
                raise  # the tool's own
            # Not tried again: a thread that hangs cannot be stopped, only added to.
            unknown = "" if self.spec.effect == "read" else "; what it does may happen all the same"
            raise ToolError(
                f"{self.tool.name} did not answer within {self.timeout:g} seconds{unknown}"
            ) from error

    async def _run(self, call: Mapping[str, Any], config: RunnableConfig) -> Any:
        if self.reaches_in is not None:
            result = await on_loop(self.timeout, self.reaches_in.ainvoke, [call], config)
            messages = result.get("messages") if isinstance(result, dict) else None
            return messages[0] if messages else result
        if self.is_async:
            return await on_loop(self.timeout, self.tool.ainvoke, dict(call), config)
        return await in_thread(self.timeout, self.tool.invoke, dict(call), config)


class ReadyTools(Mapping[str, ReadyTool]):
    """Tools by name, made ready when they are first looked up.

    Args:
        tools: What may be called; of a registry nothing is created before it is needed.
        timeout: As in `ReadyTool`.
        audit: As in `ReadyTool`.
    """

    def __init__(
        self,
        tools: Sequence[BaseTool] | Registry[BaseTool],
        timeout: float | None,
        audit: AuditLog | None = None,
    ) -> None:
        self._registry = tools if isinstance(tools, Registry) else None
        self._make = partial(ReadyTool, timeout=timeout, audit=audit)
        given = () if isinstance(tools, Registry) else tools
        self._ready = {tool.name: self._make(tool) for tool in given}
        self.specs: Mapping[str, ToolSpec] = _Specs(self)

    def __getitem__(self, name: str) -> ReadyTool:
        if self._registry is None:
            return self._ready[name]
        if name not in self._registry:  # also when it was unregistered since
            raise KeyError(name)
        tool, ready = self._registry.get(name), self._ready.get(name)
        if ready is None or ready.tool is not tool:
            ready = self._ready[name] = self._make(tool)
        return ready

    def __contains__(self, name: object) -> bool:
        return name in (self._ready if self._registry is None else self._registry)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ready if self._registry is None else self._registry.names())

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Specs(Mapping[str, ToolSpec]):
    """What the tools declare, by name."""

    def __init__(self, ready: ReadyTools) -> None:
        self._ready = ready

    def __getitem__(self, name: str) -> ToolSpec:
        return self._ready[name].spec

    def __contains__(self, name: object) -> bool:
        return name in self._ready

    def __iter__(self) -> Iterator[str]:
        return iter(self._ready)

    def __len__(self) -> int:
        return len(self._ready)


def reason_of(error: BaseException, name: str) -> str:
    """Return what went wrong with a call of the tool `name`, for a model or a person.

    At most 2,000 characters: a server that answers a call with an error chooses its length.
    Secrets are redacted, also one that the end cuts off.
    """
    reason = redact(_reason(error, name)[: 2 * _LONGEST])
    return reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]}…"


def _reason(error: BaseException, name: str) -> str:
    if isinstance(error, ValidationError):
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'arguments'}: {fault['msg']} "
            f"(got {fault['input']!r:.100})"
            for fault in error.errors(include_url=False, include_context=False)
        )
        return f"invalid arguments for {name}: {faults}"
    if isinstance(error, CogworkError):
        return " ".join(str(error)[: 2 * _LONGEST].split())
    if isinstance(error, ToolException):
        return str(error)
    return f"{name} failed: {type(error).__name__}{f': {error}' if str(error) else ''}"


def delay_before(policy: RetryPolicy, attempt: int, error: Exception) -> float:
    """Return the seconds before the next attempt: what a server asked for, else backoff."""
    asked = retry_after(error)
    if asked is not None:
        return min(asked, policy.max_interval)
    backoff = policy.initial_interval * policy.backoff_factor ** (attempt - 1)
    spread = random.uniform(0.5, 1.0) if policy.jitter else 1.0  # noqa: S311 - no secret
    return min(backoff * spread, policy.max_interval)


def _is_async(tool: BaseTool) -> bool:
    """Whether the tool has an async body of its own, rather than a thread around a sync one."""
    if hasattr(tool, "coroutine"):
        return tool.coroutine is not None
    return type(tool)._arun is not BaseTool._arun  # noqa: SLF001 - LangChain asks it the same way


def _is_injected(tool: BaseTool) -> bool:
    """Whether the graph gives the tool arguments (state, store, runtime) besides the model's."""
    shown = tool.tool_call_schema
    asked = shown["properties"] if isinstance(shown, dict) else shown.__annotations__
    body = getattr(tool, "coroutine", None) or getattr(tool, "func", None) or tool._run  # noqa: SLF001 - a tool's body
    hidden = set(inspect.signature(body).parameters) - set(asked)
    return bool(hidden - {"config", "run_manager", "callbacks", "args", "kwargs"})
