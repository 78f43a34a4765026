"""What a store keeps, and how it is asked of the databases that keep it.

Everything a store knows is here: values, times, expiry, texts, vectors, and the outbox
through which the vectors reach Chroma. All else is an index that can be made again.

What two databases say alike is said once, with `?` for arguments; `sqlite_records` and
`postgres_records` add what they say differently.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, TypeVar

import numpy as np

from cogwork.memory.store.filters import Plain
from cogwork.memory.store.namespaces import Namespace, decode, encode, span
from cogwork.memory.store.rows import Change, Ids, Indexed, Matrix, Row, Source, Space, VectorRow

__all__ = ["EVERYTHING", "MINUTE", "NEW", "REMOVED", "Cursor", "Records", "within"]

T = TypeVar("T")

EVERYTHING = 2**62
"""A limit that is none, in any database."""
MINUTE = 60_000_000
NEW, TAKEN, REMOVED = 0, 1, 2
"""What the outbox says of a vector: Chroma has not seen it, may have, must forget it."""

_ROW = "items.id, path, key, value, created_at, updated_at, ttl, expires_at"
_JOINED = "items JOIN namespaces ON namespaces.id = items.namespace_id"
_ALIVE = "(expires_at IS NULL OR expires_at > ?)"


class Cursor(Protocol):
    """What a piece of a transaction is given."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""

    def execute(self, statement: str, args: Sequence[Any] = ..., /) -> Any:
        """Run a statement with `?` for its arguments."""

    def fetchone(self) -> Any:
        """Return the next row."""

    def fetchall(self) -> list[Any]:
        """Return the rows left."""


class Records(ABC):
    """A database of items. Every method may be called from any thread.

    `now` is microseconds since 1970; what expires at or before it is not returned.
    Errors of the database come as `MemoryStoreError`.
    """

    place: str
    """Where it is, for messages; without secrets."""
    shared = False
    """Whether other processes may write to it too."""
    _listed: str

    @abstractmethod
    def _read(self, query: str, args: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query."""

    @abstractmethod
    def _write(self, work: Callable[[Any], T]) -> T:
        """Run `work` in a transaction; return when it is durable. It may run twice."""

    @abstractmethod
    def _list(self, ids: Sequence[int]) -> Any:
        """Return the argument for `_listed`."""

    @abstractmethod
    def write(self, changes: Sequence[Change], now: int) -> int:
        """Write all or nothing, durably; return how many vectors more there are."""

    @abstractmethod
    def sweep(self, now: int) -> int:
        """Delete what has expired, and namespaces that are empty; return how many items."""

    @abstractmethod
    def index_again(self, entries: Sequence[Indexed]) -> None:
        """Replace text and vectors of items that have not changed since."""

    @abstractmethod
    def search_text(
        self, prefix: Namespace, words: Sequence[str], limit: int
    ) -> list[tuple[int, float]]:
        """Return ids of items whose text has one of the words and their BM25, best first.

        Some may be expired, or lie elsewhere.
        """

    @abstractmethod
    def _field_equals(self, field: str, demanded: Plain) -> tuple[str, list[Any]]:
        """Return a condition that holds for items whose field is this, and its arguments."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the database."""

    def feeding(self) -> AbstractContextManager[None]:
        """Wait until no other process feeds Chroma, and keep it so."""
        return nullcontext()

    def get(self, namespace: Namespace, key: str, now: int) -> Row | None:
        """Return one item."""
        found = self._read(
            f"SELECT {_ROW} FROM {_JOINED} WHERE path = ? AND key = ? AND {_ALIVE}",  # noqa: S608 - constants only
            (encode(namespace), key, now),
        )
        return _row(found[0]) if found else None

    def rows(self, ids: Sequence[int]) -> list[Row]:
        """Return the items of these ids that exist, in any order, expired ones too."""
        found = self._read(
            f"SELECT {_ROW} FROM {_JOINED} WHERE items.id {self._listed}",  # noqa: S608 - constants only
            (self._list(ids),),
        )
        return [_row(row) for row in found]

    def rows_of_vectors(self, ids: Sequence[int]) -> list[tuple[int, Row]]:
        """Return every item that has one of these vectors, with the vector's id."""
        links = self._read(
            f"SELECT vector_id, item_id FROM links WHERE vector_id {self._listed}",  # noqa: S608 - constants only
            (self._list(ids),),
        )
        rows = {row.id: row for row in self.rows([item for _, item in links])}
        return [(vector, rows[item]) for vector, item in links if item in rows]

    def listing(
        self, prefix: Namespace, now: int, limit: int, equal: Mapping[str, Plain]
    ) -> list[int]:
        """Return ids of items under the prefix, last updated first, then by key.

        Items whose fields differ from those in `equal` may be left out.
        """
        where, order, tables = _ALIVE, "updated_at DESC, key", "items"
        args: list[Any] = [now]
        if prefix:
            where, order, tables = f"path >= ? AND path < ? AND {where}", f"{order}, path", _JOINED
            args = [*span(prefix), now]
        for field, demanded in equal.items():
            condition, more = self._field_equals(field, demanded)
            where += f" AND {condition}"
            args += more
        found = self._read(
            f"SELECT items.id FROM {tables} WHERE {where} ORDER BY {order} LIMIT ?",  # noqa: S608 - constants only
            (*args, limit),
        )
        return [item for (item,) in found]

    def namespaces(self, prefix: Namespace, now: int) -> list[Namespace]:
        """Return the namespaces under the prefix that hold an item, in any order."""
        where, bounds = within(prefix)
        found = self._read(
            f"SELECT path FROM namespaces WHERE {where} AND EXISTS "  # noqa: S608 - constants only
            f"(SELECT 1 FROM items WHERE namespace_id = namespaces.id AND {_ALIVE})",
            (*bounds, now),
        )
        return [decode(path) for (path,) in found]

    def touch(self, ids: Sequence[int], now: int) -> None:
        """Let items that have a time to live begin it again."""
        statement = (
            f"UPDATE items SET expires_at = ? + CAST(ttl * {MINUTE} AS BIGINT) "  # noqa: S608 - constants only
            f"WHERE ttl IS NOT NULL AND id {self._listed} AND expires_at > ?"
        )
        self._run(statement, (now, self._list(ids), now))

    def spaces(self, prefix: Namespace) -> list[Space]:
        """Return the namespaces under the prefix that have vectors."""
        where, bounds = within(prefix)
        found = self._read(
            f"SELECT id, vectors, version FROM namespaces WHERE vectors > 0 AND {where}",  # noqa: S608 - constants only
            bounds,
        )
        return [Space._make(row) for row in found]

    def vectors_since(self, namespace_ids: Sequence[int], version: int) -> list[VectorRow]:
        """Return the vectors of items that got others after this version of their namespace."""
        return self._read(
            "SELECT namespace_id, item_id, data FROM links "  # noqa: S608 - constants only
            "JOIN vectors ON vectors.id = vector_id "
            f"WHERE namespace_id {self._listed} AND version > ?",
            (self._list(namespace_ids), version),
        )

    def indexed_items(self, namespace_id: int) -> list[int]:
        """Return the items of a namespace that have vectors, once for each vector."""
        found = self._read("SELECT item_id FROM links WHERE namespace_id = ?", (namespace_id,))
        return [item for (item,) in found]

    def vector_total(self) -> int:
        """Return how many vectors the items have."""
        return int(self._one("SELECT COALESCE(SUM(vectors), 0) FROM namespaces"))

    def vectors(self, ids: Sequence[int]) -> tuple[Ids, Matrix]:
        """Return the vectors of these ids that exist."""
        return _stacked(
            self._read(
                f"SELECT id, data FROM vectors WHERE id {self._listed}",  # noqa: S608 - constants only
                (self._list(ids),),
            )
        )

    def scan(self, size: int) -> Iterator[tuple[Ids, Matrix]]:
        """Return all distinct vectors, `size` at a time."""
        query = "SELECT id, data FROM vectors WHERE id > ? ORDER BY id LIMIT ?"
        last = 0
        while block := self._read(query, (last, size)):
            last = block[-1][0]
            yield _stacked(block)

    def vector_ids(self) -> list[int]:
        """Return the ids of all distinct vectors."""
        return [vector for (vector,) in self._read("SELECT id FROM vectors")]

    def pending(self, limit: int) -> list[int]:
        """Return vectors that Chroma may not have yet."""
        found = self._read("SELECT vector_id FROM outbox WHERE state < ? LIMIT ?", (REMOVED, limit))
        return [vector for (vector,) in found]

    def take(self, limit: int) -> list[tuple[int, int]]:
        """Return vectors for Chroma, each with its state, and note that it may have them."""

        def work(cursor: Cursor) -> list[tuple[int, int]]:
            cursor.execute(
                "SELECT vector_id, state FROM outbox ORDER BY vector_id LIMIT ?", (limit,)
            )
            found = [(vector, state or TAKEN) for vector, state in cursor.fetchall()]
            taken = self._list([vector for vector, _ in found])
            cursor.execute(
                f"UPDATE outbox SET state = ? WHERE state = ? AND vector_id {self._listed}",  # noqa: S608 - constants only
                (TAKEN, NEW, taken),
            )
            return found

        return self._write(work)

    def confirm(self, taken: Sequence[tuple[int, int]]) -> None:
        """Forget what was taken, but for what changed since; Chroma has it."""

        def work(cursor: Cursor) -> None:
            for state in (TAKEN, REMOVED):
                done = self._list([vector for vector, was in taken if was == state])
                cursor.execute(
                    f"DELETE FROM outbox WHERE state = ? AND vector_id {self._listed}",  # noqa: S608 - constants only
                    (state, done),
                )

        self._write(work)

    def enqueue_all(self) -> None:
        """Put every vector into the outbox, as if all were new."""

        def work(cursor: Cursor) -> None:
            cursor.execute("DELETE FROM outbox")
            cursor.execute(
                "INSERT INTO outbox (vector_id, state) SELECT id, ? FROM vectors", (NEW,)
            )

        self._write(work)

    def sources(self, after: int, limit: int) -> list[Source]:
        """Return items by id, to index them again."""
        found = self._read(
            "SELECT id, value, fields, updated_at FROM items WHERE id > ? ORDER BY id LIMIT ?",
            (after, limit),
        )
        return [Source._make(row) for row in found]

    def drop_vectors(self) -> None:
        """Forget all vectors and what is pending of them."""

        def work(cursor: Cursor) -> None:
            for table in ("links", "vectors", "outbox"):
                cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - constants only
            cursor.execute("UPDATE namespaces SET vectors = 0, version = version + 1")

        self._write(work)

    def fact(self, name: str) -> str | None:
        """Return what the store has noted under this name."""
        found = self._read("SELECT value FROM facts WHERE name = ?", (name,))
        return str(found[0][0]) if found else None

    def note(self, name: str, value: str) -> None:
        """Note something under a name."""
        statement = (
            "INSERT INTO facts (name, value) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        )
        self._run(statement, (name, value))

    def counts(self, now: int) -> dict[str, Any]:
        """Return how many items, namespaces, vectors and pending entries there are."""
        return {
            "items": self._one(f"SELECT COUNT(*) FROM items WHERE {_ALIVE}", (now,)),  # noqa: S608 - constants only
            "namespaces": len(self.namespaces((), now)),
            "vectors": self.vector_total(),
            "distinct_vectors": self._one("SELECT COUNT(*) FROM vectors"),
            "pending": self._one("SELECT COUNT(*) FROM outbox"),
        }

    def _one(self, query: str, args: Sequence[Any] = ()) -> Any:
        return self._read(query, args)[0][0]

    def _run(self, statement: str, args: Sequence[Any] = ()) -> None:
        self._write(lambda cursor: cursor.execute(statement, args) and None)


def within(prefix: Namespace) -> tuple[str, tuple[str, ...]]:
    """Return the condition for namespaces under a prefix, and its arguments."""
    return ("path >= ? AND path < ?", span(prefix)) if prefix else ("TRUE", ())


def _row(found: Sequence[Any]) -> Row:
    return Row(found[0], decode(found[1]), *found[2:])


def _stacked(found: Sequence[tuple[int, bytes]]) -> tuple[Ids, Matrix]:
    ids = np.array([vector for vector, _ in found], dtype=np.int64)
    flat = np.frombuffer(b"".join([data for _, data in found]), dtype="<f4")
    return ids, flat.reshape(len(found), -1 if found else 0)
