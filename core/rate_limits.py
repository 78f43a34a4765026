"""Rate limits for models and tools: requests and tokens per minute, with bursts, in line.

A limit holds in every window of a minute, not only in those of the clock; see
`cogwork.core.rate_window`.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.tools import BaseTool

from cogwork.core.errors import ConfigurationError
from cogwork.core.guarding import Call, guarded
from cogwork.core.rate_window import Window
from cogwork.core.shared import shared_values
from cogwork.core.usage import given_tokens, longest_answer

__all__ = ["RateLimiter"]

T = TypeVar("T")


class _Permit(NamedTuple):
    call: Call
    tokens: int
    slot: int


class RateLimiter(BaseRateLimiter):
    """Lets as many calls through as the limits allow; the others wait, in order of arrival.

    It is a `rate_limiter` of LangChain's chat models. A limit on tokens has to see the call
    too: `wrap` gives a model that shows it. Of the callers of one process the first to come is
    the first to go; among processes that share a limiter, whoever asks first when there is
    room.

    Args:
        name: Of what is limited; limiters with one name at one URL count together.
        requests: How many in any `seconds`.
        tokens: How many in any `seconds`, of input and output. A call that expects more
            than all of them is let through when it is alone.
        burst: How many requests may follow each other at once, before they are paced evenly;
            None for as many as the limit allows.
        seconds: The window of the limits; a minute.
        url: Where it is shared: `sqlite:///file` for the processes of one machine,
            `postgresql://…` for many, or None for this process.

    Raises:
        ConfigurationError: A limit is not positive, none is given, a burst without
            `requests`, or the URL is none.

    Examples:
        >>> limiter = RateLimiter("search", requests=2)
        >>> [limiter.acquire(blocking=False) for _ in range(3)]
        [True, True, False]
    """

    def __init__(
        self,
        name: str,
        *,
        requests: int | None = None,
        tokens: int | None = None,
        burst: int | None = None,
        seconds: float = 60.0,
        url: str | None = None,
    ) -> None:
        given = {"requests": requests, "tokens": tokens, "burst": burst, "seconds": seconds}
        for key, limit in given.items():
            if limit is not None and not limit > 0:
                raise ConfigurationError(f"{key} is {limit}; it must be more than 0")
        if requests is None and (tokens is None or burst is not None):
            raise ConfigurationError(f"limit the requests of '{name}', as in requests=60")
        self.name = name
        self._window = Window(requests, tokens, burst, seconds)
        self._values = shared_values(url)
        self._key = f"rate {name}"
        self._is_shared = url is not None
        self._line = _Line()

    def acquire(self, *, blocking: bool = True) -> bool:
        """Wait for leave to make a request.

        Args:
            blocking: Whether to wait at all.

        Returns:
            Whether there is leave; without `blocking`, False when others wait.

        Raises:
            ConfigurationError: Tokens are limited, and the model was not wrapped.
        """
        self._require_no_tokens()
        if not blocking:
            return self._line.is_empty() and not self._ask(0)[0]
        self._wait(0)
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        """Do what `acquire` does, without holding up the loop."""
        self._require_no_tokens()
        if not blocking:
            return self._line.is_empty() and not (await self._aask(0))[0]
        await self._await(0)
        return True

    def wrap(self, thing: T) -> T:
        """Return a copy of a chat model or a tool, each call of which waits for leave.

        A model's tokens are expected as its input, estimated, and its longest answer, and
        corrected when the answer says how many they were.

        Raises:
            ConfigurationError: It is neither; or a tool, and tokens are limited.
        """
        if self._window.tokens is not None and isinstance(thing, BaseTool):
            raise ConfigurationError(
                f"'{self.name}' limits tokens, which only models tell; limit a tool by requests"
            )
        return guarded(thing, self)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Wait for leave before what is inside of the `with`."""
        self.acquire()
        yield

    @asynccontextmanager
    async def aguard(self) -> AsyncIterator[None]:
        """Wait for leave before what is inside of the `async with`."""
        await self.aacquire()
        yield

    def enter(self, call: Call) -> _Permit:
        """Wait for leave to make a call of what was wrapped."""
        tokens = self._expected(call)
        return _Permit(call, tokens, self._wait(tokens))

    async def aenter(self, call: Call) -> _Permit:
        """Do what `enter` does, without holding up the loop."""
        tokens = self._expected(call)
        return _Permit(call, tokens, await self._await(tokens))

    def leave(self, permit: _Permit, result: Any, error: BaseException | None) -> None:
        """Correct what was expected of a call by what it took; a failed one may be counted."""
        if self._window.tokens is None or error is not None:
            return
        tokens = _taken(result) or self._estimated(permit.call, result)

        def correct(value: dict[str, Any], now: float) -> None:
            self._window.correct(value, now, permit.slot, tokens - permit.tokens)

        if tokens != permit.tokens:
            self._values.change(self._key, correct)

    async def aleave(self, permit: _Permit, result: Any, error: BaseException | None) -> None:
        """Do what `leave` does, without holding up the loop."""
        if self._is_shared:
            await asyncio.shield(asyncio.to_thread(self.leave, permit, result, error))
        else:
            self.leave(permit, result, error)

    def used(self) -> tuple[int, int]:
        """Return the requests and the tokens that count now."""

        def read(value: dict[str, Any], now: float) -> list[int]:
            return self._window.counted(value, now)

        requests, tokens = self._values.change(self._key, read)
        return requests, tokens

    def close(self) -> None:
        """Close the connection to where it is shared."""
        self._values.close()

    def _require_no_tokens(self) -> None:
        if self._window.tokens is not None:
            raise ConfigurationError(
                f"'{self.name}' limits tokens but does not see the call; use limiter.wrap(model) "
                "instead of rate_limiter=limiter"
            )

    def _expected(self, call: Call) -> int:
        if self._window.tokens is None:
            return 0
        return self._given(call) + longest_answer(call.kwargs, vars(call.thing))

    def _given(self, call: Call) -> int:
        if isinstance(call.thing, BaseChatModel):
            return given_tokens(call.args[0], call.kwargs)
        return sum(map(len, call.args[0])) // 4  # a text model's prompts

    def _estimated(self, call: Call, result: Any) -> int:
        found = result if isinstance(result, list) else result.generations
        return self._given(call) + sum(len(getattr(each, "text", "")) for each in found) // 4

    def _wait(self, tokens: int) -> int:
        """Stand in line until there is leave; return the slot in which the call is counted."""
        if self._line.is_empty():
            seconds, slot = self._ask(tokens)
            if not seconds:
                return slot
        if _is_on_loop():  # to stand in line would hold up those who stand before
            return self._ask_until(tokens)
        turn = self._line.join(None)
        try:
            turn.result()
            return self._ask_until(tokens)
        finally:
            self._line.leave(turn)

    async def _await(self, tokens: int) -> int:
        if self._line.is_empty():
            seconds, slot = await self._aask(tokens)
            if not seconds:
                return slot
        turn = self._line.join(asyncio.get_running_loop())
        try:
            if not turn.done():
                await asyncio.wrap_future(turn)
            while True:
                seconds, slot = await self._aask(tokens)
                if not seconds:
                    return slot
                await asyncio.sleep(seconds)
        finally:
            self._line.leave(turn)

    def _ask_until(self, tokens: int) -> int:
        while True:
            seconds, slot = self._ask(tokens)
            if not seconds:
                return slot
            time.sleep(seconds)

    def _ask(self, tokens: int) -> tuple[float, int]:
        def wait(value: dict[str, Any], now: float) -> tuple[float, int]:
            return self._window.wait(value, now, tokens)

        return self._values.change(self._key, wait)

    async def _aask(self, tokens: int) -> tuple[float, int]:
        if not self._is_shared:
            return self._ask(tokens)
        return await asyncio.to_thread(self._ask, tokens)


def _taken(result: Any) -> int:
    """The tokens that a call took, as its answer says; 0 if it does not."""
    found = result if isinstance(result, list) else getattr(result, "generations", [])
    usages = [getattr(getattr(each, "message", None), "usage_metadata", None) for each in found]
    return sum(usage["total_tokens"] for usage in usages if usage)


class _Place(NamedTuple):
    turn: "Future[None]"
    loop: asyncio.AbstractEventLoop | None

    def is_dead(self) -> bool:
        """Whether its loop was closed, so that it can neither go nor leave."""
        return self.loop is not None and self.loop.is_closed()


class _Line:
    """Those who wait, in order of arrival; the first has its turn."""

    def __init__(self) -> None:
        self._waiting: deque[_Place] = deque()
        self._guard = threading.Lock()

    def is_empty(self) -> bool:
        return not self._waiting

    def join(self, loop: asyncio.AbstractEventLoop | None) -> "Future[None]":
        """Stand at the end, on a loop or in a thread; the result is there when it is one's turn."""
        turn: Future[None] = Future()
        with self._guard:
            self._waiting.append(_Place(turn, loop))
            self._call_first()
        return turn

    def leave(self, turn: "Future[None]") -> None:
        """Go, whether one had one's turn or gave up."""
        with self._guard:
            self._waiting = deque(each for each in self._waiting if each.turn is not turn)
            self._call_first()

    def _call_first(self) -> None:
        while self._waiting and self._waiting[0].is_dead():
            self._waiting.popleft()
        if self._waiting and not self._waiting[0].turn.done():
            try:
                self._waiting[0].turn.set_result(None)
            except InvalidStateError:  # it gave up just now, and is about to leave
                return


def _is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
