"""A store's records in PostgreSQL, which several processes share (extra `postgres`)."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from cogwork.core.errors import MemoryStoreError
from cogwork.core.postgres import Asking, Server, translated
from cogwork.memory.store import postgres_writes
from cogwork.memory.store.filters import Plain
from cogwork.memory.store.full_text import plain_words
from cogwork.memory.store.group_commit import GroupCommit
from cogwork.memory.store.namespaces import Namespace
from cogwork.memory.store.postgres_schema import SCHEMA, prepare
from cogwork.memory.store.records import Records, within
from cogwork.memory.store.rows import Change, Indexed

__all__ = ["PostgresRecords"]

T = TypeVar("T")
_POOL_SIZE = 10
_WRITING = 0x636F6777  # advisory locks; "cogw"
_FEEDING = 0x636F6766  # "cogf"
_BM25 = """
WITH scope AS (
    SELECT SUM(item_count)::float8 AS items,
        GREATEST(SUM(word_count)::float8 / NULLIF(SUM(item_count), 0), 1)::float8 AS mean
    FROM namespaces WHERE {where}
), hits AS (
    SELECT items.id, length(words)::float8 AS size, lexeme, cardinality(positions)::float8 AS often
    FROM items JOIN namespaces ON namespaces.id = items.namespace_id,
        unnest(words) AS word (lexeme, positions, weights)
    WHERE {where} AND words @@ ?::tsquery AND lexeme = ANY(?)
), rare AS (
    SELECT lexeme, ln(1 + (MAX(items) - COUNT(*) + 0.5) / (COUNT(*) + 0.5)) AS worth
    FROM hits, scope GROUP BY lexeme
)
SELECT id, SUM(worth * often * 2.2 / (often + 1.2 * (0.25 + 0.75 * size / mean))) AS score
FROM hits JOIN rare USING (lexeme), scope GROUP BY id ORDER BY score DESC, id DESC LIMIT ?
"""


class PostgresRecords(Records):
    """The records of a store in the schema `cogwork_memory` of a database.

    Args:
        url: `postgresql://user:password@host:5432/database`, as libpq reads it.

    Raises:
        ConfigurationError: The extra is not installed, or libpq cannot read the URL.
        MemoryStoreError: The server cannot be reached or refuses, now or later.
    """

    shared = True
    _listed = "= ANY(?)"

    def __init__(self, url: str) -> None:
        self._server = server = Server.at(url, "memory store")
        from psycopg_pool import ConnectionPool

        self.place = f"postgresql://{server.host}/{server.database}"
        self._closed = False
        self._group = GroupCommit(self._transact)
        self._feeding = threading.Lock()
        with self._server.explained():
            with server.connect(prepare_threshold=0) as connection:
                prepare(connection, self.place)
            self._pool: ConnectionPool[Any] = ConnectionPool(
                kwargs={**server.options, "prepare_threshold": 0},
                min_size=1,
                max_size=_POOL_SIZE,
                configure=_configure,
                check=ConnectionPool.check_connection,  # survives a restart of the server
                open=True,
            )

    def write(self, changes: Sequence[Change], now: int) -> int:
        """Write all or nothing, durably; return how many vectors more there are."""
        return self._write(lambda cursor: postgres_writes.apply(cursor, changes, now))

    def sweep(self, now: int) -> int:
        """Delete what has expired, and namespaces that are empty; return how many items."""
        return self._write(lambda cursor: postgres_writes.sweep(cursor, now))

    def index_again(self, entries: Sequence[Indexed]) -> None:
        """Replace text and vectors of items that have not changed since."""
        self._write(lambda cursor: postgres_writes.index_again(cursor, entries))

    def search_text(
        self, prefix: Namespace, words: Sequence[str], limit: int
    ) -> list[tuple[int, float]]:
        """Return ids of items whose text has one of the words and their BM25, best first."""
        asked = plain_words(" ".join(words))
        lexemes = self._one("SELECT tsvector_to_array(to_tsvector('words', ?))", (asked,))
        if not lexemes:
            return []
        where, bounds = within(prefix)
        either = " | ".join(f"'{lexeme}'" for lexeme in lexemes)
        query = _BM25.format(where=where)
        return self._read(query, (*bounds, *bounds, either, lexemes, limit))

    @contextmanager
    def feeding(self) -> Iterator[None]:
        """Wait until no other process feeds Chroma, and keep it so."""
        with self._connection() as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (_FEEDING,))
            try:
                yield
            finally:
                connection.execute("SELECT pg_advisory_unlock(%s)", (_FEEDING,))

    def close(self) -> None:
        """Let go of the connections."""
        with self._group.lock:
            self._closed = True
            self._pool.close()

    def _read(self, query: str, args: Sequence[Any] = ()) -> list[Any]:
        with self._connection() as connection, connection.cursor(binary=True) as cursor:
            found: list[Any] = cursor.execute(translated(query), args).fetchall()
        return found

    def _write(self, work: Callable[[Any], T]) -> T:
        with self._server.explained():
            return self._group.write(work)

    def _transact(self, work: Callable[[Any], None]) -> None:
        with (
            self._connection() as connection,
            connection.transaction(),
            connection.cursor(binary=True) as cursor,
        ):
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_WRITING,))
            work(Asking(cursor))

    def _list(self, ids: Sequence[int]) -> list[int]:
        return list(ids)

    def _field_equals(self, field: str, demanded: Plain) -> tuple[str, list[Any]]:
        return "plain @> ?::jsonb", [json.dumps({field: demanded})]

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        if self._closed:
            raise MemoryStoreError(
                f"memory store '{self.place}' was closed; create another to go on"
            )
        with self._server.explained(), self._pool.connection() as connection:
            yield connection


def _configure(connection: Any) -> None:
    connection.execute(f"SET search_path TO {SCHEMA}, pg_catalog")
