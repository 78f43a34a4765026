"""Vectors in memory, scored exactly."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from cogwork.memory.store.records import Records
from cogwork.memory.store.rows import Ids, Matrix, Space, VectorRow

__all__ = ["ExactIndex", "Scores", "descending"]

Scores = Matrix  # of one dimension
_FIRST = 1024
_LOADED = 10_000  # vectors read at once
_TILE = 256
_GAPS = 8  # times the columns wanted, read along rather than picked
_DIGITS = 6  # equal vectors must score equally, wherever they lie in a matrix


class ExactIndex:
    """The vectors of the namespaces that are searched, as the columns of one matrix.

    They are read when first searched, brought up to date when the namespace's version
    has changed, and forgotten when others need the room, the namespace that was searched
    longest ago first.

    Args:
        records: Where they are read from.
        capacity: Vectors kept in memory at most, unless one search needs more.
    """

    def __init__(self, records: Records, capacity: int) -> None:
        self._records = records
        self._capacity = capacity
        self._lock = threading.Lock()
        self._held: OrderedDict[int, int] = OrderedDict()  # versions by namespace
        self._columns = _Columns(0)

    def score(self, spaces: Sequence[Space], query: Scores) -> tuple[Ids, Scores]:
        """Return the item and the cosine of every vector in these namespaces.

        Args:
            spaces: As the records say they are now.
            query: Of unit length.
        """
        with self._lock:
            self._refresh(spaces)
            self._make_room(spaces)
            return self._columns.score([space.id for space in spaces], query)

    def _refresh(self, spaces: Sequence[Space]) -> None:
        """Read what is not held, and what others have written since."""
        absent = []
        for space in spaces:
            held = self._held.get(space.id)
            if held is None:
                absent.append(space)
                continue
            self._held.move_to_end(space.id)
            if held < space.version:
                self._insert(self._records.vectors_since([space.id], held))
                self._held[space.id] = space.version
                if self._columns.count(space.id) != space.vectors:
                    self._columns.keep(space.id, self._records.indexed_items(space.id))
        for portion in _portions(absent):
            self._insert(self._records.vectors_since([space.id for space in portion], -1))
            self._held.update((space.id, space.version) for space in portion)

    def _insert(self, rows: Sequence[VectorRow]) -> None:
        if not rows:
            return
        dims = len(rows[0].data) // 4
        if dims != self._columns.dims:  # another embedding model made everything anew
            self._columns = _Columns(dims)
            self._held.clear()
        self._columns.insert(rows)

    def _make_room(self, spaces: Sequence[Space]) -> None:
        needed = {space.id for space in spaces}
        while self._columns.size > self._capacity:
            oldest = next(iter(self._held))
            if oldest in needed:
                return
            del self._held[oldest]
            self._columns.keep(oldest, ())


class _Columns:
    """A matrix of vectors side by side; a column without owner is free."""

    def __init__(self, dims: int) -> None:
        self.dims = dims
        self.size = 0
        self._end = 0
        self._matrix: Matrix = np.zeros((dims, 0), np.float32)
        self._owners: Ids = np.zeros(0, np.int64)
        self._items: Ids = np.zeros(0, np.int64)
        self._of_item: dict[int, list[int]] = {}
        self._free: list[int] = []

    def count(self, namespace: int) -> int:
        return int(np.count_nonzero(self._owners[: self._end] == namespace))

    def score(self, namespaces: Sequence[int], query: Scores) -> tuple[Ids, Scores]:
        columns = self._owned(namespaces)
        if not len(columns):
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        first, last = int(columns[0]), int(columns[-1]) + 1
        if last - first <= _GAPS * len(columns):
            scores = (query @ self._matrix[:, first:last])[columns - first]
        else:
            scores = query @ self._matrix[:, columns]
        return self._items[columns], scores

    def insert(self, rows: Sequence[VectorRow]) -> None:
        """Add vectors; those that their items had before go."""
        self._drop({row.item_id for row in rows})
        columns = self._room(len(rows))
        for start in range(0, len(rows), _TILE):  # in tiles that the processor's cache holds
            part = rows[start : start + _TILE]
            flat = np.frombuffer(b"".join([row.data for row in part]), "<f4")
            where = columns[start : start + _TILE]
            target = where if where[-1] - where[0] >= len(where) else slice(where[0], where[-1] + 1)
            self._matrix[:, target] = flat.reshape(len(part), self.dims).T
        self._owners[columns] = [row.namespace_id for row in rows]
        self._items[columns] = [row.item_id for row in rows]
        for row, column in zip(rows, columns.tolist(), strict=True):
            self._of_item.setdefault(row.item_id, []).append(column)
        self.size += len(rows)

    def keep(self, namespace: int, items: Collection[int]) -> None:
        """Drop what the namespace has besides these items."""
        held = self._items[self._owned([namespace])]
        self._drop(set(held.tolist()).difference(items))

    def _owned(self, namespaces: Sequence[int]) -> Ids:
        owners = self._owners[: self._end]
        if len(namespaces) == 1:
            return np.flatnonzero(owners == namespaces[0])
        return np.flatnonzero(np.isin(owners, namespaces))

    def _drop(self, items: Iterable[int]) -> None:
        for item in items:
            for column in self._of_item.pop(item, ()):
                self._owners[column] = 0
                self._free.append(column)
                self.size -= 1

    def _room(self, count: int) -> Ids:
        """Return free columns in order, side by side unless enough were free before."""
        if count <= len(self._free):
            taken = self._free[-count:]
            del self._free[-count:]
            return np.sort(np.array(taken, np.int64))
        first, self._end = self._end, self._end + count
        if self._end > len(self._owners):
            room = max(self._end, 2 * first)
            self._matrix = _wider(self._matrix, room)
            self._owners, self._items = _wider(self._owners, room), _wider(self._items, room)
        return np.arange(first, self._end)


def _wider(array: "np.ndarray[Any, Any]", room: int) -> Any:
    wider = np.zeros((*array.shape[:-1], room), array.dtype)
    wider[..., : array.shape[-1]] = array
    return wider


def _portions(spaces: Sequence[Space]) -> Iterator[list[Space]]:
    """Yield the spaces in groups that are not read all at once."""
    portion: list[Space] = []
    for space in spaces:
        portion.append(space)
        if sum(each.vectors for each in portion) >= _LOADED:
            yield portion
            portion = []
    if portion:
        yield portion


def descending(ids: Ids, scores: Scores) -> Iterator[tuple[list[int], list[float]]]:
    """Yield ids and scores, best first and equal ones by id, in growing portions."""
    best = np.ones(len(ids), bool)
    if len(ids) > 2 * _FIRST:
        best = scores >= np.partition(scores, -_FIRST)[-_FIRST] - 10.0**-_DIGITS
    for portion in (best, ~best):
        part, values = ids[portion], np.round(scores[portion].astype(np.float64), _DIGITS)
        order = np.lexsort((part, -values))
        size, start = 32, 0
        while start < len(order):
            chosen = order[start : start + size]
            yield part[chosen].tolist(), values[chosen].tolist()
            start, size = start + size, min(2 * size, _FIRST)
