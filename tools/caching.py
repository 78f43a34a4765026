"""A cache for tools that only read: bounded, with a time to live, and one call for many askers."""

import asyncio
import copy
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeAlias, TypeVar

from langchain_core.tools import StructuredTool

from cogwork.core.errors import ConfigurationError
from cogwork.tools.base import spec_of
from cogwork.tools.quick import reads_more
from cogwork.tools.taint import has_read, reading

__all__ = ["CacheInfo", "ToolCache"]

SomeTool = TypeVar("SomeTool", bound=StructuredTool)
_Key: TypeAlias = tuple[str, str]


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
        self._running: dict[tuple[str, str, str], _Call] = {}
        self._hits = self._misses = self._coalesced = 0

    def wrap(self, tool: SomeTool) -> SomeTool:
        """Return a copy of a tool that asks this cache first.

        Args:
            tool: Of functions whose result depends on the model's arguments alone. Tools
                of one name share their results.

        Raises:
            ConfigurationError: It changes something, or its result depends on more.
        """
        _check(tool)
        changes: dict[str, Any] = {}
        if tool.func is not None:
            changes["func"] = self._wrapped(tool.name, tool.func)
        if tool.coroutine is not None:
            changes["coroutine"] = self._wrapped_async(tool.name, tool.coroutine)
        return tool.model_copy(update=changes)

    def info(self) -> CacheInfo:
        """Return what it has done so far."""
        with self._lock:
            return CacheInfo(self._hits, self._misses, self._coalesced, len(self._kept))

    def clear(self) -> None:
        """Forget all results."""
        with self._lock:
            self._kept.clear()

    def _wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def cached(**args: Any) -> Any:
            key = _key(name, args)
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
        self, name: str, function: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        @wraps(function)
        async def cached(**args: Any) -> Any:
            key = _key(name, args)
            while True:
                call, is_mine = self._find(key, "async")
                if is_mine:
                    with self._making(key, call):
                        with call.noting():
                            result = await function(**args)
                        call.future.set_result(result)
                if not call.future.done():
                    await asyncio.wait([asyncio.wrap_future(call.future)])
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
            if (running := self._running.get((way, *key))) is not None:
                self._coalesced += 1
                return running, False
            self._misses += 1
            call = self._running[way, *key] = _Call(way)
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
            del self._running[call.way, *key]
            if keep:
                self._kept[key] = (time.monotonic(), call)
                self._kept.move_to_end(key)
                while len(self._kept) > self._max:
                    self._kept.popitem(last=False)


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


def _key(name: str, args: dict[str, Any]) -> _Key:
    return name, json.dumps(args, sort_keys=True, default=repr)


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
