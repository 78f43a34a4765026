"""What every cache here stands on: bounded, least recently used first, with a time to live.

`open_cache` gives one in memory or in a SQLite file; what it has done, and what to make of
it, is in its `CacheInfo`. Tools, models and nodes keep their results in it.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from cogwork.core.cache_info import CacheInfo
from cogwork.core.errors import ConfigurationError, MemoryStoreError, redact

__all__ = ["BoundedCache", "Key", "Limits", "MemoryCache", "as_is", "open_cache"]

T = TypeVar("T")
Key: TypeAlias = tuple[Hashable, Hashable]
"""The space of a value, which can be cleared alone, and its name there; texts, in a file."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a cache holds, and for how long.

    Attributes:
        ttl: Seconds for which a result holds; None for as long as there is room.
        max_entries: Results that are kept; the one that was not used for longest goes first.
        max_bytes: What they may take together; None for no such limit.

    Raises:
        ConfigurationError: A limit is not positive.
    """

    ttl: float | None
    max_entries: int
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        for name in ("ttl", "max_entries", "max_bytes"):
            limit = getattr(self, name)
            if limit is not None and not limit > 0:
                raise ConfigurationError(f"{name} is {limit}; it must be more than 0")


@dataclass(slots=True)
class _Counts:
    hits: int = 0
    misses: int = 0
    coalesced: int = 0
    evicted: int = 0
    expired: int = 0
    failed: int = 0
    last_failure: str = ""


def as_is(value: Any) -> Any:
    """Return the value; what reads values that need no reading."""
    return value


class BoundedCache(ABC):
    """Values by key, counted; safe to use from threads and loops.

    A cache never fails a call: what cannot be written is not kept, and what cannot be read is
    forgotten. Both are counted.

    Args:
        limits: What it holds at most.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._counts = _Counts()
        self._lock = threading.Lock()

    def get(
        self, key: Key, load: Callable[[Any], Any] = as_is, *, count_miss: bool = True
    ) -> Any | None:
        """Return what was kept, read by `load`; None when there is nothing.

        Args:
            key: Of the value.
            load: Makes a value of what was kept. What it refuses is forgotten.
            count_miss: False when the caller asks again before it makes the call.
        """
        with self._lock:
            try:
                found = self._read(key)
            except MemoryStoreError as error:
                found = None
                self._failed(str(error))
            value = None if found is None else self._loaded(key, found, load)
            if value is not None:
                self._counts.hits += 1
            elif count_miss:
                self._counts.misses += 1
            return value

    async def aget(
        self, key: Key, load: Callable[[Any], Any] = as_is, *, count_miss: bool = True
    ) -> Any | None:
        """Do what `get` does, without holding up the loop."""
        return await self.aside(partial(self.get, key, load, count_miss=count_miss))

    def put(self, key: Key, value: Any, ttl: float | None = None) -> None:
        """Keep a value, for `ttl` seconds rather than the cache's own when it is given."""
        size = len(value) if isinstance(value, bytes) else 0
        with self._lock:
            if self.limits.max_bytes is not None and size > self.limits.max_bytes:
                self._failed(f"it has {size} bytes, and max_bytes is {self.limits.max_bytes}")
                return
            try:
                self._write(key, value, size, self.limits.ttl if ttl is None else ttl)
            except MemoryStoreError as error:
                self._failed(str(error))

    async def aput(self, key: Key, value: Any, ttl: float | None = None) -> None:
        """Do what `put` does, without holding up the loop."""
        await self.aside(partial(self.put, key, value, ttl))

    async def aside(self, work: Callable[[], T]) -> T:
        """Do work on this cache so that it does not hold up the loop."""
        return work()

    def note_coalesced(self) -> None:
        """Count a call that waits for the same call of another."""
        with self._lock:
            self._counts.coalesced += 1

    def note_failed(self, reason: str) -> None:
        """Count a result that its owner could not make ready to be kept."""
        with self._lock:
            self._failed(reason)

    def info(self) -> CacheInfo:
        """Return what it has done so far.

        Raises:
            MemoryStoreError: Its file cannot be read.
        """
        with self._lock:
            entries, size = self._holds()
            counts = {name: getattr(self._counts, name) for name in _Counts.__slots__}
            return CacheInfo(entries=entries, bytes=size, **counts)

    def clear(self, space: Hashable = None) -> None:
        """Forget all values, or those of one space.

        Raises:
            MemoryStoreError: Its file cannot be written.
        """
        with self._lock:
            self._clear(space)

    def close(self) -> None:
        """Close what is open, which is nothing in memory."""
        return

    def _loaded(self, key: Key, found: Any, load: Callable[[Any], Any]) -> Any | None:
        try:
            return load(found)
        except Exception as error:  # noqa: BLE001 - counted; readers of foreign bytes raise anything
            self._failed(f"{type(error).__name__}: {error}")
            self._forget(key)
            return None

    def _failed(self, reason: str) -> None:
        self._counts.failed += 1
        self._counts.last_failure = redact(" ".join(reason.split()))[:300]

    @abstractmethod
    def _read(self, key: Key) -> Any | None: ...
    @abstractmethod
    def _write(self, key: Key, value: Any, size: int, ttl: float | None) -> None: ...
    @abstractmethod
    def _forget(self, key: Key) -> None: ...
    @abstractmethod
    def _clear(self, space: Hashable) -> None: ...
    @abstractmethod
    def _holds(self) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True)
class _Kept:
    value: Any
    size: int
    until: float


class MemoryCache(BoundedCache):
    """In this process; any object can be kept, and is given back as it is."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._bytes = 0

    def _read(self, key: Key) -> Any | None:
        found = self._kept.get(key)
        if found is None:
            return None
        if time.monotonic() >= found.until:
            self._forget(key)
            self._counts.expired += 1
            return None
        self._kept.move_to_end(key)
        return found.value

    def _write(self, key: Key, value: Any, size: int, ttl: float | None) -> None:
        self._forget(key)
        until = float("inf") if ttl is None else time.monotonic() + ttl
        self._kept[key] = _Kept(value, size, until)
        self._bytes += size
        limits = self.limits
        while len(self._kept) > limits.max_entries or self._bytes > (
            limits.max_bytes or self._bytes
        ):
            self._forget(next(iter(self._kept)))
            self._counts.evicted += 1

    def _forget(self, key: Key) -> None:
        if (found := self._kept.pop(key, None)) is not None:
            self._bytes -= found.size

    def _clear(self, space: Hashable) -> None:
        for key in [each for each in self._kept if space is None or each[0] == space]:
            self._forget(key)

    def _holds(self) -> tuple[int, int]:
        return len(self._kept), self._bytes


def open_cache(url: str | None, kind: str, limits: Limits) -> BoundedCache:
    """Return the cache at a URL.

    Args:
        url: `sqlite:///relative/file`, `sqlite:////absolute/file`, which processes share, or
            None for this process's memory.
        kind: What is kept, such as `models`: each kind has its own room in a file.
        limits: What it holds at most.

    Raises:
        ConfigurationError: The URL is neither.
        MemoryStoreError: The file cannot be opened.
    """
    if url is None:
        return MemoryCache(limits)
    if not url.startswith("sqlite:///") or len(url) == len("sqlite:///"):
        raise ConfigurationError(
            f"'{redact(url)}' is no place for a cache; write sqlite:///file, or None for memory"
        )
    from cogwork.core.cache_file import FileCache

    return FileCache(Path(url.removeprefix("sqlite:///")), kind, limits)
