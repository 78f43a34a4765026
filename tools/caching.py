"""A cache for tools that only read: bounded, with a time to live, and one call for many askers."""

import asyncio
import copy
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, timedelta, timezone
from datetime import time as time_of_day
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import wraps
from pathlib import PurePath
from typing import Any, Final, TypeAlias, TypeVar
from uuid import UUID

from langchain_core.tools import StructuredTool
from pydantic import BaseModel, SecretBytes, SecretStr

from cogwork.core.errors import ConfigurationError
from cogwork.tools.base import spec_of
from cogwork.tools.quick import reads_more
from cogwork.tools.taint import has_read, reading

__all__ = ["CacheInfo", "ToolCache"]

SomeTool = TypeVar("SomeTool", bound=StructuredTool)
_Key: TypeAlias = tuple["_Body", "_Body", bytes]
_FAITHFUL: Final = (  # whose repr tells all that they are
    *(type(None), bool, int, float, str, bytes, Enum, date, time_of_day, timedelta, timezone),
    *(Decimal, Fraction, UUID, PurePath),
)


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What a cache has done.

    Attributes:
        hits: Calls that were answered from it.
        misses: Calls that were made.
        coalesced: Calls that waited for the same call of another.
        entries: Results that it holds.
    """

    hits: int
    misses: int
    coalesced: int
    entries: int


class ToolCache:
    """Remembers what tools have read, and lets calls that are the same wait for one.

    A failure is told to all who wait for the call, and is not remembered. Untrusted text
    that a call has read taints also those who are answered from it.

    Args:
        ttl: Seconds for which a result holds; None for as long as there is room.
        max_entries: Results that are kept; the one that was not used for longest goes first.

    Raises:
        ConfigurationError: A limit is not positive.

    Example:
        >>> from cogwork.tools import load_tools
        >>> cache = ToolCache(ttl=60)
        >>> (calculator,) = map(cache.wrap, load_tools("calculator"))
        >>> calculator.invoke({"expression": "6 * 7"}), calculator.invoke({"expression": "6 * 7"})
        ('42', '42')
        >>> cache.info()
        CacheInfo(hits=1, misses=1, coalesced=0, entries=1)
    """

    def __init__(self, *, ttl: float | None = 300.0, max_entries: int = 1_000) -> None:
        for name, limit in (("ttl", ttl), ("max_entries", max_entries)):
            if limit is not None and not limit > 0:
                raise ConfigurationError(f"{name} is {limit}; it must be more than 0")
        self._ttl = ttl
        self._max = max_entries
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, tuple[float, _Call]] = OrderedDict()
        self._running: dict[tuple[str, _Key], _Call] = {}
        self._hits = self._misses = self._coalesced = 0

    def wrap(self, tool: SomeTool) -> SomeTool:
        """Return a copy of a tool that asks this cache first.

        Args:
            tool: Of functions whose result depends on the model's arguments alone. Copies
                of a tool share their results; tools made anew, such as those of another
                root folder, do not. Arguments that cannot be told apart are not cached.

        Raises:
            ConfigurationError: It changes something, or its result depends on more.
        """
        _check(tool)
        changes: dict[str, Any] = {}
        if tool.func is not None:
            changes["func"] = self._wrapped(tool, tool.func)
        if tool.coroutine is not None:
            changes["coroutine"] = self._wrapped_async(tool, tool.coroutine)
        return tool.model_copy(update=changes)

    def info(self) -> CacheInfo:
        """Return what it has done so far."""
        with self._lock:
            return CacheInfo(self._hits, self._misses, self._coalesced, len(self._kept))

    def clear(self) -> None:
        """Forget all results."""
        with self._lock:
            self._kept.clear()

    def _wrapped(self, tool: StructuredTool, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def cached(**args: Any) -> Any:
            key = _key(tool, args)
            if key is None:
                return function(**args)
            while True:
                call, is_mine = self._find(key, "sync")
                if is_mine:
                    with self._making(key, call):
                        with call.noting():
                            result = function(**args)
                        call.future.set_result(result)
                with suppress(CancelledError):  # whoever made it was cut off: make it here
                    return call.result()

        return cached

    def _wrapped_async(
        self, tool: StructuredTool, function: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        @wraps(function)
        async def cached(**args: Any) -> Any:
            key = _key(tool, args)
            if key is None:
                return await function(**args)
            while True:
                call, is_mine = self._find(key, "async")
                if is_mine:
                    with self._making(key, call):
                        with call.noting():
                            result = await function(**args)
                        call.future.set_result(result)
                if not call.future.done():
                    ended = asyncio.wrap_future(call.future)
                    ended.add_done_callback(_seen)
                    await asyncio.wait([ended])
                with suppress(CancelledError):
                    return call.result()

        return cached

    def _find(self, key: _Key, way: str) -> tuple["_Call", bool]:
        """The call of this key, finished or running; and whether the asker is to make it.

        Synchronous and async calls do not wait for each other, which could block a loop.
        """
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and (self._ttl is None or time.monotonic() < kept[0] + self._ttl):
                self._kept.move_to_end(key)
                self._hits += 1
                return kept[1], False
            if (running := self._running.get((way, key))) is not None:
                self._coalesced += 1
                return running, False
            self._misses += 1
            call = self._running[way, key] = _Call(way)
            return call, True

    @contextmanager
    def _making(self, key: _Key, call: "_Call") -> Iterator[None]:
        """Tell those who wait how the call ended, and keep its result."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised for each who asked
            self._over(key, call)
            call.future.set_exception(error)
        except BaseException:
            self._over(key, call)
            call.future.cancel()
            raise
        else:
            self._over(key, call, keep=True)

    def _over(self, key: _Key, call: "_Call", *, keep: bool = False) -> None:
        with self._lock:
            del self._running[call.way, key]
            if keep:
                self._kept[key] = (time.monotonic(), call)
                self._kept.move_to_end(key)
                while len(self._kept) > self._max:
                    self._kept.popitem(last=False)


def _seen(ended: "asyncio.Future[Any]") -> None:
    """Take note of a failure, which is raised from the call itself; else asyncio complains."""
    if not ended.cancelled():
        ended.exception()


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    way: str
    future: Future[Any] = field(default_factory=Future)
    read: set[str] = field(default_factory=set)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note the untrusted sources that are read, also when it fails."""
        with reading(()) as found:
            try:
                yield
            finally:
                self.read.update(found)

    def result(self) -> Any:
        """Wait for what it gives or raises; whoever asks has read what was read for it."""
        try:
            return copy.deepcopy(self.future.result())
        finally:
            has_read(*self.read)


@dataclass(frozen=True, slots=True, eq=False)
class _Body:
    """A tool's function; equal to itself only."""

    function: Callable[..., Any] | None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Body) and other.function is self.function

    def __hash__(self) -> int:
        return id(self.function)


def _key(tool: StructuredTool, args: dict[str, Any]) -> _Key | None:
    """What names a call; None when its arguments cannot be told apart from others."""
    try:
        told = repr(_told(args)).encode("utf-8", "surrogatepass")
    except (TypeError, RecursionError):
        return None
    return _Body(tool.func), _Body(tool.coroutine), hashlib.sha256(told).digest()


def _told(value: Any) -> tuple[str, Any]:
    """A value as texts and tuples of them, of which no two values have the same."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, _FAITHFUL):
        return kind, repr(value)
    if isinstance(value, SecretStr | SecretBytes):  # whose repr hides what they hold
        return kind, repr(value.get_secret_value())
    if isinstance(value, Mapping):
        return kind, sorted((_told(name), _told(each)) for name, each in value.items())
    if isinstance(value, list | tuple):
        return kind, [_told(each) for each in value]
    if isinstance(value, set | frozenset):
        return kind, sorted(_told(each) for each in value)
    if isinstance(value, BaseModel):
        return kind, [(name, _told(each)) for name, each in value]
    if is_dataclass(value) and not isinstance(value, type):
        return kind, [(each.name, _told(getattr(value, each.name))) for each in fields(value)]
    raise TypeError(f"values of {kind} cannot be told apart")


def _check(tool: StructuredTool) -> None:
    effect = spec_of(tool).effect
    if effect != "read":
        raise ConfigurationError(
            f"'{tool.name}' has the effect '{effect}', and a call that is answered from a cache "
            "has none; declare it with effect='read' if it changes nothing"
        )
    if reads_more(tool):
        raise ConfigurationError(
            f"'{tool.name}' reads its run's config or state, so one run's result may be wrong "
            "for another; cache a function of its arguments inside it"
        )
