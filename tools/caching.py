"""A cache for tools that only read: bounded, with a time to live, and one call for many askers."""

import copy
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from langchain_core.tools import StructuredTool
from langgraph.errors import GraphBubbleUp

from cogwork.core.cache_info import CacheInfo
from cogwork.core.caching import Key, Limits, as_is, open_cache
from cogwork.core.errors import BudgetError, ConfigurationError
from cogwork.core.fingerprint import fingerprint
from cogwork.core.single_flight import SingleFlight
from cogwork.tools.base import spec_of
from cogwork.tools.quick import reads_more
from cogwork.tools.taint import has_read, reading

__all__ = ["CacheInfo", "ToolCache"]

SomeTool = TypeVar("SomeTool", bound=StructuredTool)


class ToolCache:
    """Remembers what tools have read, and lets calls that are the same wait for one.

    A failure is told to all who wait for the call, and is not remembered; neither is what
    cannot be copied, for which each makes a call of his own. Untrusted text
    that a call has read taints also those who are answered from it.

    Args:
        ttl: Seconds for which a result holds; None for as long as there is room.
        max_entries: Results that are kept; the one that was not used for longest goes first.
        max_bytes: What they may take together in a file; None for no such limit.
        url: Where they are kept: `sqlite:///file`, which processes share and which holds plain
            JSON only, or None for this process.

    Raises:
        ConfigurationError: A limit is not positive, or the URL is none.
        MemoryStoreError: The file cannot be opened.

    Examples:
        >>> from cogwork.tools import load_tools
        >>> cache = ToolCache(ttl=60)
        >>> (calculator,) = map(cache.wrap, load_tools("calculator"))
        >>> calculator.invoke({"expression": "6 * 7"}), calculator.invoke({"expression": "6 * 7"})
        ('42', '42')
        >>> cache.info().hits, cache.info().misses
        (1, 1)
    """

    def __init__(
        self,
        *,
        ttl: float | None = 300.0,
        max_entries: int = 1_000,
        max_bytes: int | None = None,
        url: str | None = None,
    ) -> None:
        if max_bytes is not None and url is None:
            raise ConfigurationError(
                "max_bytes bounds a file, and objects in memory have no such size; give a url, "
                "or max_entries alone"
            )
        self._kept = open_cache(url, "tools", Limits(ttl, max_entries, max_bytes))
        self._is_file = url is not None
        self._load = _from_json if self._is_file else as_is
        self._flights: SingleFlight[_Outcome] = SingleFlight(self._kept.note_coalesced)

    def wrap(self, tool: SomeTool, *, name: str | None = None) -> SomeTool:
        """Return a copy of a tool that asks this cache first.

        Args:
            tool: Of functions whose result depends on the model's arguments alone. Copies
                of a tool share their results; tools made anew, such as those of another
                root folder, do not. Arguments that cannot be told apart are not cached.
            name: What tools share their results by instead. A file needs one, for nothing
                else is the same in the next process: choose another for each root, database
                or account.

        Raises:
            ConfigurationError: It changes something, its result depends on more, or a name
                is missing.
        """
        _check(tool)
        if name is None and self._is_file:
            raise ConfigurationError(
                f"'{tool.name}' needs a name to be found again in a file: "
                f"wrap({tool.name}, name=…), another for each root, database or account"
            )
        space = json.dumps([tool.name, name]) if name else (_Body(tool.func), _Body(tool.coroutine))
        changes: dict[str, Any] = {}
        if tool.func is not None:
            changes["func"] = self._wrapped(space, tool.func)
        if tool.coroutine is not None:
            changes["coroutine"] = self._wrapped_async(space, tool.coroutine)
        return tool.model_copy(update=changes)

    def info(self) -> CacheInfo:
        """Return what it has done so far."""
        return self._kept.info()

    def clear(self) -> None:
        """Forget all results."""
        self._kept.clear()

    def close(self) -> None:
        """Close its file; it is opened again when it is needed."""
        self._kept.close()

    def _wrapped(self, space: Any, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def cached(**args: Any) -> Any:
            key = _key(space, args)
            if key is None:
                return function(**args)
            made = _Outcome()

            def make() -> _Outcome:
                if (found := self._kept.get(key, self._load)) is not None:
                    return found  # type: ignore[no-any-return] # it is what was put
                with made.noting():
                    made.value = function(**args)
                if (data := self._data(made)) is not None:
                    self._kept.put(key, data)
                return made

            kept = self._kept.get(key, self._load, count_miss=False)
            outcome = kept or self._flights.run(key, make)
            if outcome.is_live and outcome is not made:
                return function(**args)
            return outcome.given()

        return cached

    def _wrapped_async(
        self, space: Any, function: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        @wraps(function)
        async def cached(**args: Any) -> Any:
            key = _key(space, args)
            if key is None:
                return await function(**args)
            made = _Outcome()

            async def make() -> _Outcome:
                if (found := await self._kept.aget(key, self._load)) is not None:
                    return found  # type: ignore[no-any-return] # it is what was put
                with made.noting():
                    made.value = await function(**args)
                if (data := self._data(made)) is not None:
                    await self._kept.aput(key, data)
                return made

            kept = await self._kept.aget(key, self._load, count_miss=False)
            outcome = kept or await self._flights.arun(key, make)
            if outcome.is_live and outcome is not made:
                return await function(**args)
            return outcome.given()

        return cached

    def _data(self, outcome: "_Outcome") -> Any:
        """What is kept of it; None of a failure, and of what a file cannot hold."""
        if outcome.error is not None:
            return None
        if outcome.is_live:
            self._kept.note_failed(f"a {type(outcome.value).__name__} cannot be copied")
            return None
        if not self._is_file:
            return outcome
        try:
            told = json.dumps(outcome.value)
        except (TypeError, ValueError, RecursionError) as error:
            self._kept.note_failed(f"a file holds plain JSON only: {error}")
            return None
        if fingerprint(json.loads(told)) != fingerprint(outcome.value):
            self._kept.note_failed("a file holds plain JSON only, without tuples or other keys")
            return None
        return json.dumps({"value": outcome.value, "read": sorted(outcome.read)}).encode()


@dataclass(slots=True)
class _Outcome:
    """What a call gave or raised, and the untrusted sources that it read."""

    value: Any = None
    error: Exception | None = None
    read: frozenset[str] = frozenset()
    is_live: bool = False
    """Whether the value cannot be copied, and so belongs to whoever made the call."""

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note what is read, also when it fails, and the failure."""
        with reading(()) as found:
            try:
                yield
            except (GraphBubbleUp, BudgetError):  # of the caller's run, not of the call
                raise
            except Exception as error:  # noqa: BLE001 - raised for each who asked
                self.error = error
            finally:
                self.read = frozenset(found)
                self.is_live = not _can_be_copied(self.value)

    def given(self) -> Any:
        """Return or raise it; whoever asks has read what was read for it."""
        has_read(*self.read)
        if self.error is not None:
            raise self.error
        return self.value if self.is_live else copy.deepcopy(self.value)


def _can_be_copied(value: Any) -> bool:
    try:
        copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - copying runs code of whoever wrote the value's class
        return False
    return True


def _from_json(data: bytes) -> _Outcome:
    found = json.loads(data)
    if set(found) != {"value", "read"} or not all(isinstance(each, str) for each in found["read"]):
        raise ValueError("it is no result of a tool")
    return _Outcome(found["value"], read=frozenset(found["read"]))


@dataclass(frozen=True, slots=True, eq=False)
class _Body:
    """A tool's function; equal to itself only."""

    function: Callable[..., Any] | None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Body) and other.function is self.function

    def __hash__(self) -> int:
        return id(self.function)


def _key(space: Any, args: dict[str, Any]) -> Key | None:
    """What names a call; None when its arguments cannot be told apart from others."""
    told = fingerprint(args)
    return None if told is None else (space, told.hex())


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
