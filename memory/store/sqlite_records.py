"""A store's records in one SQLite file of the standard library."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cogwork.memory.store import sqlite_writes
from cogwork.memory.store.filters import Plain
from cogwork.memory.store.full_text import place_word
from cogwork.memory.store.namespaces import Namespace
from cogwork.memory.store.records import Records
from cogwork.memory.store.rows import Change, Indexed
from cogwork.memory.store.sqlite_file import SqliteFile
from cogwork.memory.store.sqlite_schema import prepare

__all__ = ["SqliteRecords"]

T = TypeVar("T")


class SqliteRecords(Records):
    """The records of a store in one file.

    Args:
        path: The file; it is created.

    Raises:
        MemoryStoreError: The file cannot be opened, now or later.
    """

    _listed = "IN (SELECT value FROM json_each(?))"

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._file = SqliteFile(path, lambda connection: prepare(connection, path))

    def write(self, changes: Sequence[Change], now: int) -> int:
        """Write all or nothing, durably; return how many vectors more there are."""
        return self._file.write(lambda cursor: sqlite_writes.apply(cursor, changes, now))

    def sweep(self, now: int) -> int:
        """Delete what has expired, and namespaces that are empty; return how many items."""
        return self._file.write(lambda cursor: sqlite_writes.sweep(cursor, now))

    def index_again(self, entries: Sequence[Indexed]) -> None:
        """Replace text and vectors of items that have not changed since."""
        self._file.write(lambda cursor: sqlite_writes.index_again(cursor, entries))

    def search_text(
        self, prefix: Namespace, words: Sequence[str], limit: int
    ) -> list[tuple[int, float]]:
        """Return ids of items whose text has one of the words and their BM25, best first."""
        quoted = " OR ".join(f'"{word}"' for word in words)
        match = f"body : ({quoted})"
        if prefix:
            match = f"place : {place_word(prefix)} AND {match}"
        return self._read(
            "SELECT rowid, -bm25(texts, 0.0, 1.0) AS score FROM texts WHERE texts MATCH ? "
            "ORDER BY score DESC, rowid DESC LIMIT ?",
            (match, limit),
        )

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _read(self, query: str, args: Sequence[Any] = ()) -> list[Any]:
        with self._file.read() as connection:
            return connection.execute(query, args).fetchall()

    def _write(self, work: Callable[[Any], T]) -> T:
        return self._file.write(work)

    def _list(self, ids: Sequence[int]) -> str:
        return json.dumps(ids)

    def _field_equals(self, field: str, demanded: Plain) -> tuple[str, list[Any]]:
        return "json_extract(value, ?) = ?", [f'$."{field}"', demanded]
