"""What models and tools are called, seen through LangChain's callbacks and booked in a ledger."""

import asyncio
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult
from langgraph.errors import GraphBubbleUp

from cogwork.core.budget import Ledger, Spent
from cogwork.core.errors import CircuitOpenError
from cogwork.core.prices import price_of
from cogwork.core.usage import GivenTokens, longest_answer, usage_of

__all__ = ["TOOL_CALL", "Watch"]


_MODEL_CALL: Final = Spent(model_calls=1)
TOOL_CALL: Final = Spent(tool_calls=1)


@dataclass(slots=True)
class _Call:
    """A call in flight."""

    model: str
    provider: str | None
    count: Callable[[], int]
    forget: Callable[[], None]
    of_model: bool = True
    began: float = field(default_factory=time.monotonic)


class Watch(BaseCallbackHandler):
    """Books the calls of models and tools in a ledger; refuses by raising."""

    raise_error = True
    run_inline = True  # in the caller's task, before the call is made
    ignore_chain = True
    ignore_retriever = True
    ignore_custom_event = True
    ignore_retry = True

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._given = GivenTokens()
        self._calls: dict[Hashable, _Call] = {}
        names = {name for each in ledger.accounts for name, _ in each.budget.limits()}
        self._prices_ahead = "cost" in names
        self._counts_ahead = bool(names & {"cost", "tokens"})

    def __deepcopy__(self, _: Any) -> "Watch":
        return self  # a copy would count apart

    def on_chat_model_start(
        self,
        serialized: dict[str, Any] | None,  # noqa: ARG002 - LangChain's signature
        messages: list[list[BaseMessage]],
        *,
        run_id: Hashable,
        **kwargs: Any,
    ) -> None:
        """Reserve what the call of a chat model may take."""
        params = kwargs.get("invocation_params") or {}
        self._begin(run_id, partial(self._given, messages[0], params), kwargs)

    def on_llm_start(
        self,
        serialized: dict[str, Any] | None,  # noqa: ARG002 - LangChain's signature
        prompts: list[str],
        *,
        run_id: Hashable,
        **kwargs: Any,
    ) -> None:
        """Reserve what the call of a text model may take."""
        self._begin(run_id, lambda: 4 + sum(map(len, prompts)) // 4, kwargs)

    def on_llm_end(self, response: LLMResult, *, run_id: Hashable, **_: Any) -> None:
        """Settle a call with what its answer says that it took."""
        self._end(run_id, response)

    def on_llm_error(self, error: BaseException, *, run_id: Hashable, **kwargs: Any) -> None:
        """Settle a call that failed with what had been streamed, if anything."""
        if isinstance(error, CircuitOpenError):  # it was not made
            self._close(run_id, made=0)
            return
        self._end(run_id, kwargs.get("response"), failed=True)

    def on_tool_start(
        self,
        serialized: dict[str, Any] | None,  # noqa: ARG002 - LangChain's signature
        input_str: str,  # noqa: ARG002 - LangChain's signature
        *,
        run_id: Hashable,
        **_: Any,
    ) -> None:
        """Book the call of a tool."""
        self.ledger.reserve(run_id, TOOL_CALL)
        self._calls[run_id] = _Call("", None, int, self._when_cancelled(run_id), of_model=False)

    def on_tool_end(self, output: Any, *, run_id: Hashable, **_: Any) -> None:  # noqa: ARG002 - LangChain's signature
        """Count the call of a tool."""
        self._close(run_id)

    def on_tool_error(self, error: BaseException, *, run_id: Hashable, **_: Any) -> None:
        """Count the call of a tool, unless it stopped to ask a person and will be made again."""
        self._close(run_id, made=not isinstance(error, GraphBubbleUp))

    def _begin(self, run_id: Hashable, count: Callable[[], int], about: dict[str, Any]) -> None:
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
            asked = Spent(tokens=given + answer, cost=cost, model_calls=1)
        self.ledger.reserve(run_id, asked)
        self._calls[run_id] = _Call(model, provider, count, self._when_cancelled(run_id))

    def _end(self, run_id: Hashable, response: LLMResult | None, *, failed: bool = False) -> None:
        call = self._calls.get(run_id)
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

    def _close(self, run_id: Hashable, tokens: int = 0, cost: float = 0.0, made: int = 1) -> None:
        call = self._calls.pop(run_id, None)
        if call is None:
            return
        call.forget()
        took = time.monotonic() - call.began
        used = Spent(tokens, cost, took, made * call.of_model, made * (not call.of_model))
        self.ledger.settle(run_id, used)

    def _when_cancelled(self, run_id: Hashable) -> Callable[[], None]:
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
