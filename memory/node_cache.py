"""A cache for nodes of graphs, as LangGraph asks for it: bounded, and strict about what it reads."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from langgraph.cache.base import BaseCache, FullKey, Namespace

from cogwork.core.cache_info import CacheInfo
from cogwork.core.caching import Key, Limits, open_cache
from cogwork.core.errors import MemoryStoreError
from cogwork.memory.strict_serializer import StrictSerializer

__all__ = ["NodeCache"]

_BETWEEN = b"\0"  # the name of the format and the bytes in it


class NodeCache(BaseCache[Any]):
    """Remembers what nodes have written, for `compile(cache=…)` and nodes with a `CachePolicy`.

    Never pickle: what is read may only be plain data, messages and the types that are
    allowed. What was not written so is forgotten, and the node runs.

    Args:
        ttl: Seconds for which a result holds, unless the node's `CachePolicy` says; None for as
            long as there is room.
        max_entries: Results that are kept; the one that was not used for longest goes first.
        max_bytes: What they may take together; None for no such limit.
        url: `sqlite:///file`, which processes share, or None for this process's memory.
        allowed_types: Classes that may be constructed besides messages and LangGraph's own.

    Raises:
        ConfigurationError: A limit is not positive, or the URL is none.
        MemoryStoreError: The file cannot be opened.

    Examples:
        >>> cache = NodeCache()
        >>> cache.set({(("node",), "key"): ({"answer": 42}, None)})
        >>> cache.get([(("node",), "key")])
        {(('node',), 'key'): {'answer': 42}}
    """

    def __init__(
        self,
        *,
        ttl: float | None = 3600.0,
        max_entries: int = 1_000,
        max_bytes: int | None = None,
        url: str | None = None,
        allowed_types: Sequence[type] = (),
    ) -> None:
        super().__init__(serde=StrictSerializer(allowed_types))
        self._kept = open_cache(url, "nodes", Limits(ttl, max_entries, max_bytes))

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        """Return what is kept under these keys."""
        found = {key: self._kept.get(_key(key), self._read) for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        """Do what `get` does, without holding up the loop."""
        return await self._kept.aside(partial(self.get, keys))

    def set(self, pairs: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        """Keep values, each for its seconds."""
        for key, (value, ttl) in pairs.items():
            try:
                kind, data = self.serde.dumps_typed(value)
            except MemoryStoreError as error:
                self._kept.note_failed(str(error))
            else:
                self._kept.put(_key(key), kind.encode() + _BETWEEN + data, ttl)

    async def aset(self, pairs: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        """Do what `set` does, without holding up the loop."""
        await self._kept.aside(partial(self.set, pairs))

    def clear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Forget what is kept in these namespaces; all of it without any."""
        if namespaces is None:
            self._kept.clear()
        for namespace in namespaces or ():
            self._kept.clear(json.dumps(namespace))

    async def aclear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Do what `clear` does, without holding up the loop."""
        await self._kept.aside(partial(self.clear, namespaces))

    def info(self) -> CacheInfo:
        """Return what it has done so far."""
        return self._kept.info()

    def close(self) -> None:
        """Close its file; it is opened again when it is needed."""
        self._kept.close()

    def _read(self, kept: bytes) -> Any:
        kind, _, data = kept.partition(_BETWEEN)
        return self.serde.loads_typed((kind.decode(), data))


def _key(key: FullKey) -> Key:
    return json.dumps(key[0]), key[1]
