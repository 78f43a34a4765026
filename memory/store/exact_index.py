"""Vectors in memory, scored exactly."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from cogwork.memory.store.records import Records
from cogwork.memory.store.rows import Ids, Matrix, Space, VectorRow

__all__ = ["ExactIndex", "Scores", "descending"]

Scores = Matrix  # of one dimension
_MOST = 1024  # put out at once
_LOADED = 2_000  # vectors read at once; a few rows at a time spare the garbage collector
_AT_ONCE = 1024  # copied
_GROUP = 64
_GAPS = 3  # times the lines wanted, read along rather than copied together
_DIGITS = 6  # equal vectors must score equally, wherever they lie in a matrix


class ExactIndex:
    """The vectors of the namespaces that are searched, in one matrix.

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
        self._table = _Table(0)

    def score(self, spaces: Sequence[Space], query: Scores) -> tuple[Ids, Scores]:
        """Return the item and the cosine of every vector in these namespaces.

        Args:
            spaces: As the records say they are now.
            query: Of unit length.
        """
        with self._lock:
            self._refresh(spaces)
            self._make_room(spaces)
            return self._table.score([space.id for space in spaces], query)

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
                changed = self._records.vectors_since([space.id], held)
                self._table.drop(space.id, [item for _, item, _ in changed])
                self._insert(changed)
                self._held[space.id] = space.version
                if self._table.count(space.id) != space.vectors:
                    self._table.keep(space.id, self._records.indexed_items(space.id))
        for portion in _portions(absent):
            self._insert(self._records.vectors_since([space.id for space in portion], -1))
            self._held.update((space.id, space.version) for space in portion)

    def _insert(self, rows: Sequence[VectorRow]) -> None:
        if not rows:
            return
        dims = len(rows[0][2]) // 4
        if dims != self._table.dims:  # another embedding model made everything anew
            self._table = _Table(dims)
            self._held.clear()
        self._table.insert(rows)

    def _make_room(self, spaces: Sequence[Space]) -> None:
        needed = {space.id for space in spaces}
        while self._table.size > self._capacity:
            oldest = next(iter(self._held))
            if oldest in needed:
                return
            del self._held[oldest]
            self._table.keep(oldest, ())


class _Table:
    """A matrix of vectors, one below the other; a line of no item is free."""

    def __init__(self, dims: int) -> None:
        self.dims = dims
        self.size = 0
        self._end = 0
        self._matrix: Matrix = np.zeros((0, dims), np.float32)
        self._items: Ids = np.zeros(0, np.int64)
        self._owned: dict[int, Ids] = {}  # lines by namespace, in order
        self._free: list[int] = []

    def count(self, namespace: int) -> int:
        return len(self._owned.get(namespace, ()))

    def score(self, namespaces: Sequence[int], query: Scores) -> tuple[Ids, Scores]:
        lines = self._chosen(namespaces)
        if not len(lines):
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        first, last = int(lines[0]), int(lines[-1]) + 1
        # Not `@`: its threads wait for each other, long when others use the processor too.
        if last - first > _GAPS * len(lines):
            return self._items[lines], np.vecdot(self._matrix[lines], query)
        scores = np.vecdot(self._matrix[first:last], query)
        if last - first == len(lines):
            return self._items[first:last].copy(), scores
        return self._items[lines], scores[lines - first]

    def insert(self, rows: Sequence[VectorRow]) -> None:
        """Add vectors, of items that have none here."""
        lines = self._room(len(rows))
        for start in range(0, len(rows), _AT_ONCE):
            part = rows[start : start + _AT_ONCE]
            flat = np.frombuffer(b"".join([data for _, _, data in part]), "<f4")
            self._matrix[lines[start : start + _AT_ONCE]] = flat.reshape(len(part), self.dims)
        self._items[lines] = [item for _, item, _ in rows]
        owners = np.array([namespace for namespace, _, _ in rows])
        for namespace in np.unique(owners).tolist():
            held = self._owned.get(namespace, lines[:0])
            self._owned[namespace] = np.sort(np.append(held, lines[owners == namespace]))
        self.size += len(rows)

    def drop(self, namespace: int, items: Collection[int]) -> None:
        """Drop the vectors of these items of the namespace."""
        held = self._owned.get(namespace, self._items[:0])
        self._release(namespace, np.isin(self._items[held], list(items)))

    def keep(self, namespace: int, items: Collection[int]) -> None:
        """Drop what the namespace has besides these items."""
        held = self._owned.get(namespace, self._items[:0])
        self._release(namespace, ~np.isin(self._items[held], list(items)))

    def _chosen(self, namespaces: Sequence[int]) -> Ids:
        """Return the lines of these namespaces, in order."""
        owned = [self._owned[each] for each in namespaces if each in self._owned]
        if len(owned) == 1:
            return owned[0]
        if sum(map(len, owned)) == self.size:
            return np.flatnonzero(self._items[: self._end])
        return np.sort(np.concatenate(owned)) if owned else self._items[:0]

    def _release(self, namespace: int, gone: "np.ndarray[Any, np.dtype[np.bool_]]") -> None:
        if gone.any():
            held = self._owned[namespace]
            self._owned[namespace] = held[~gone]
            self._items[held[gone]] = 0
            self._free += held[gone].tolist()
            self.size -= int(np.count_nonzero(gone))

    def _room(self, count: int) -> Ids:
        """Return free lines in order, one below the other unless enough were free before."""
        if count <= len(self._free):
            taken = self._free[-count:]
            del self._free[-count:]
            return np.sort(np.array(taken, np.int64))
        first, self._end = self._end, self._end + count
        if self._end > len(self._items):
            room = max(self._end, 2 * first)
            self._matrix, self._items = _longer(self._matrix, room), _longer(self._items, room)
        return np.arange(first, self._end)


def _longer(array: "np.ndarray[Any, Any]", room: int) -> Any:
    longer = np.zeros((room, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer


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


def descending(
    ids: Ids, scores: Scores, wanted: int = 32
) -> Iterator[tuple[list[int], list[float]]]:
    """Yield ids and scores, best first and equal ones by id, in portions of growing size.

    Args:
        ids: Of what was scored.
        scores: Theirs.
        wanted: How many will probably be read; the rest is put in order when it is asked for.
    """
    size = max(wanted, 8)
    while len(ids):
        best = scores >= _bound(scores, size) - 10.0**-_DIGITS
        part, values = ids[best], np.round(scores[best].astype(np.float64), _DIGITS)
        order = np.lexsort((part, -values))
        for start in range(0, len(order), _MOST):
            chosen = order[start : start + _MOST]
            yield part[chosen].tolist(), values[chosen].tolist()
        ids, scores, size = ids[~best], scores[~best], 4 * size


def _bound(scores: Scores, count: int) -> float:
    """Return a score that at least `count` reach, or all, and not many more."""
    groups = len(scores) // _GROUP
    if groups >= 4 * count:  # of so many groups each has one at least as good
        scores = scores[: groups * _GROUP].reshape(groups, _GROUP).max(axis=1)
    if len(scores) <= 2 * count:
        return float(scores.min())
    return float(np.partition(scores, -count)[-count])
