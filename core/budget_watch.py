"""What models and tools are called, seen through LangChain's callbacks and booked in a ledger."""

import asyncio
import logging
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast
from uuid import UUID

from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult
from langgraph.errors import GraphBubbleUp

from cogwork.core.budget import Ledger, Spent
from cogwork.core.errors import CircuitOpenError, CogworkError
from cogwork.core.prices import price_of
from cogwork.core.usage import given_tokens, longest_answer, usage_of
from cogwork.core.watching import Watch, WatchedCall

__all__ = ["LedgerWatch"]


_LANGCHAIN: Final = "langchain_core.callbacks.manager"  # logs whatever a callback raises
_UNAWAITED: Final = "coroutine 'ahandle_event' was never awaited"
_MODEL_CALL: Final = Spent(model_calls=1)
_TOOL_CALL: Final = Spent(tool_calls=1)


@dataclass(slots=True)
class _Call:
    """A call in flight."""

    began: float
    forget: Callable[[], None]
    model: str = ""
    provider: str | None = None
    count: Callable[[], int] = int


class _NoRefusals(logging.Filter):
    """Leaves out of LangChain's log what a ledger refuses, which is no fault of a callback."""

    def filter(self, record: logging.LogRecord) -> bool:
        refused = isinstance(sys.exception(), CogworkError)
        told_by = record.args[0] if isinstance(record.args, tuple) and record.args else None
        return not (refused and told_by == LedgerWatch.__name__)


logging.getLogger(_LANGCHAIN).addFilter(_NoRefusals())


class LedgerWatch(Watch):
    """Books the calls of models and tools in a ledger; refuses by raising.

    Args:
        ledger: Where they are booked.
        also: A watch that sees the calls that are not refused, and nodes; one handler takes less
            time than two.
    """

    raise_error = True
    ignore_chain = True

    def __init__(self, ledger: Ledger, also: Watch | None = None) -> None:
        self.ledger = ledger
        if also is not None:
            self.also = also
            self.ignore_chain = also.ignore_chain
            for event in ("on_chain_start", "on_chain_end", "on_chain_error"):
                setattr(self, event, getattr(also, event))
        self._calls: dict[int, _Call] = {}  # by number, since a UUID is slow to find
        names = {name for each in ledger.accounts for name, _ in each.budget.limits()}
        self._prices_ahead = "cost" in names
        self._counts_ahead = bool(names & {"cost", "tokens"})

    def on_chat_model_start(
        self,
        serialized: dict[str, Any] | None,
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        **kwargs: Any,
    ) -> None:
        """Reserve what the call of a chat model may take."""
        params = kwargs.get("invocation_params") or {}
        self._begin(run_id, partial(given_tokens, messages[0], params), kwargs)
        if self.also is not None:
            self.also.on_chat_model_start(serialized or {}, messages, run_id=run_id, **kwargs)

    def on_llm_start(
        self,
        serialized: dict[str, Any] | None,
        prompts: list[str],
        *,
        run_id: UUID,
        **kwargs: Any,
    ) -> None:
        """Reserve what the call of a text model may take."""
        self._begin(run_id, lambda: 4 + sum(map(len, prompts)) // 4, kwargs)
        if self.also is not None:
            self.also.on_llm_start(serialized or {}, prompts, run_id=run_id, **kwargs)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Settle a call with what its answer says that it took."""
        self._end(run_id, response)
        if self.also is not None:
            self.also.on_llm_end(response, run_id=run_id, **kwargs)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Settle a call that failed with what had been streamed, if anything."""
        if isinstance(error, CircuitOpenError):  # it was not made
            self._close(run_id, made=0)
        else:
            self._end(run_id, kwargs.get("response"), failed=True)
        if self.also is not None:
            self.also.on_llm_error(error, run_id=run_id, **kwargs)

    def on_tool_start(
        self,
        serialized: dict[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        **kwargs: Any,
    ) -> None:
        """Book the call of a tool."""
        self.ledger.reserve(run_id.int, _TOOL_CALL)
        self._calls[run_id.int] = _Call(time.perf_counter(), self._when_cancelled(run_id))
        if self.also is not None:
            self.also.on_tool_start(serialized or {}, input_str, run_id=run_id, **kwargs)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Count the call of a tool."""
        self._close(run_id)
        if self.also is not None:
            self.also.on_tool_end(output, run_id=run_id, **kwargs)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Count the call of a tool, unless it stopped to ask a person and will be made again."""
        self._close(run_id, made=not isinstance(error, GraphBubbleUp))
        if self.also is not None:
            self.also.on_tool_error(error, run_id=run_id, **kwargs)

    def tool_begins(self, call: WatchedCall) -> None:
        """Book the call of a tool of which LangChain's callbacks are not told."""
        self.ledger.reserve(call, _TOOL_CALL)

    def tool_ends(self, call: WatchedCall, error: BaseException | None) -> None:
        """Count it, unless it stopped to ask a person, or another budget refused it."""
        made = call.made and not isinstance(error, GraphBubbleUp)
        self.ledger.settle(call, Spent(0, 0.0, call.seconds, 0, made))

    def _begin(self, run_id: UUID, count: Callable[[], int], about: dict[str, Any]) -> None:
        metadata = about.get("metadata") or {}
        params = about.get("invocation_params") or {}
        model = str(metadata.get("ls_model_name") or params.get("model") or "unknown")
        provider = metadata.get("ls_provider")
        asked = _MODEL_CALL
        if self._counts_ahead:
            given, answer = count(), longest_answer(params, metadata)
            count = partial(int, given)
            cost = 0.0
            if self._prices_ahead:
                usage = {"input_tokens": given, "output_tokens": answer}
                cost = price_of(model, usage, provider=provider) or 0.0
            asked = Spent(given + answer, cost, 0.0, 1)
        try:
            self.ledger.reserve(run_id.int, asked)
        except CogworkError:
            # LangChain then never awaits the callbacks after this one: nobody need know of it.
            warnings.filterwarnings("ignore", _UNAWAITED, RuntimeWarning)
            raise
        forget = self._when_cancelled(run_id)
        self._calls[run_id.int] = _Call(time.perf_counter(), forget, model, provider, count)

    def _end(self, run_id: UUID, response: LLMResult | None, *, failed: bool = False) -> None:
        call = self._calls.get(run_id.int)
        if call is None:
            return
        usage = usage_of(response, call.count, failed=failed)
        if usage is None:  # answered from LangChain's cache
            self._close(run_id, made=0)
            return
        tokens = usage["input_tokens"] + usage["output_tokens"]
        cost = None
        if tokens:
            say = self._prices_ahead
            cost = price_of(call.model, usage, provider=call.provider, say=say)
        self._close(run_id, tokens, cost or 0.0)

    def _close(self, run_id: UUID, tokens: int = 0, cost: float = 0.0, made: int = 1) -> None:
        call = self._calls.pop(run_id.int, None)
        if call is None:
            return
        call.forget()
        took = time.perf_counter() - call.began
        calls = (made, 0) if call.model else (0, made)
        self.ledger.settle(run_id.int, Spent(tokens, cost, took, *calls))

    def _when_cancelled(self, run_id: UUID) -> Callable[[], None]:
        """Settle the call when its task ends without a word, as LangChain lets it.

        Returns:
            What to call when the call has ended in another way.
        """
        loop = asyncio._get_running_loop()  # noqa: SLF001 - asks without raising, which costs more
        task = asyncio.current_task(loop) if loop is not None else None
        if task is None:
            return _nothing

        def ended(_: Any) -> None:
            self._close(run_id)

        task.add_done_callback(ended)
        return cast("Callable[[], None]", partial(task.remove_done_callback, ended))


def _nothing() -> None:
    """For a call that nobody can cancel."""
