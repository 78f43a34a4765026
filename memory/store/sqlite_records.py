"""A store's records in one SQLite file of the standard library."""

import json
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cogwork.core.errors import MemoryStoreError
from cogwork.memory.store import sqlite_writes
from cogwork.memory.store.filters import Plain
from cogwork.memory.store.full_text import place_word
from cogwork.memory.store.namespaces import Namespace
from cogwork.memory.store.note_log import NoteLog, is_small, refuse_orphans
from cogwork.memory.store.records import Records
from cogwork.memory.store.rows import Change, Indexed, Space
from cogwork.memory.store.sqlite_file import SqliteFile
from cogwork.memory.store.sqlite_schema import prepare

__all__ = ["SqliteRecords"]

T = TypeVar("T")
_MOST_NOTED = 100  # changes that are applied together
_REMEMBERED = 1000  # prefixes
_MANY = 1000  # vectors, of which it matters what BM25 counts
_COUNTED = 100  # commits until texts are counted again
_APPLIED = "noted"  # the fact that says which note was applied last


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
        refuse_orphans(path)
        self._file = SqliteFile(path, lambda connection: prepare(connection, path))
        self._counting = threading.Lock()
        self._gained = 0
        self._stuck = False
        try:
            with self._file.read() as connection:
                self._notes = NoteLog(path, _applied(connection.cursor()))
        except BaseException:
            self._file.close()
            raise
        self._spaces: dict[Namespace, tuple[int, list[Space]]] = {}
        self._texts = -_COUNTED, 0  # when and how many

    def write(self, changes: Sequence[Change], now: int) -> int:
        """Write all or nothing, durably; return how many vectors more are known of."""
        # What a read has seen applied is to be applied just so, and nothing with it.
        if is_small(changes) and not self._stuck:
            self._notes.add(changes, now)
            if len(self._notes.pending) >= _MOST_NOTED:
                self._is_settled()
        else:
            self._count(self._write(lambda cursor: sqlite_writes.apply(cursor, changes, now)))
        with self._counting:
            gained, self._gained = self._gained, 0
        return gained

    def sweep(self, now: int) -> int:
        """Delete what has expired, and namespaces that are empty; return how many items."""
        return self._write(lambda cursor: sqlite_writes.sweep(cursor, now))

    def index_again(self, entries: Sequence[Indexed]) -> None:
        """Replace text and vectors of items that have not changed since."""
        self._write(lambda cursor: sqlite_writes.index_again(cursor, entries))

    def spaces(self, prefix: Namespace) -> list[Space]:
        """Return the namespaces under the prefix that have vectors."""
        self._is_settled()
        commits = self._file.commits
        known = self._spaces.get(prefix)
        if known is None or known[0] != commits or self._notes.pending:
            if len(self._spaces) >= _REMEMBERED:
                self._spaces.clear()
            known = self._spaces[prefix] = commits, super().spaces(prefix)
        return known[1]

    def search_text(
        self, prefix: Namespace, words: Sequence[str], limit: int
    ) -> list[tuple[int, float]]:
        """Return ids of items whose text has one of the words and their BM25, best first."""
        quoted = " OR ".join(f'"{word}"' for word in words)
        match = f"body : ({quoted})"
        if not self._is_most(prefix):
            match = f"place : {place_word(prefix)} AND {match}"
        return self._read(
            "SELECT rowid, -bm25(texts, 0.0, 1.0) AS score FROM texts WHERE texts MATCH ? "
            "ORDER BY score DESC, rowid DESC LIMIT ?",
            (match, limit),
        )

    def close(self) -> None:
        """Let go of the files."""
        self._file.close()
        self._notes.close()

    def _is_most(self, prefix: Namespace) -> bool:
        """Whether under the prefix is so much that BM25 counts it in vain; the rest is passed over."""
        here = sum(space.vectors for space in self.spaces(prefix)) if prefix else 0
        return not prefix or (here >= _MANY and 2 * here > self._text_total())

    def _text_total(self) -> int:
        """Return about how many texts there are; to count them takes long if there are many."""
        commits, (counted, total) = self._file.commits, self._texts
        if commits >= counted + _COUNTED:
            total = self._one("SELECT COUNT(*) FROM texts_docsize")
            self._texts = commits, total
        return total

    def _read(self, query: str, args: Sequence[Any] = ()) -> list[Any]:
        if self._is_settled():
            return self._read_now(query, args)
        return self._file.look(lambda cursor: self._settled_rows(cursor, query, args))

    def _read_now(self, query: str, args: Sequence[Any] = ()) -> list[Any]:
        with self._file.read() as connection:
            return connection.execute(query, args).fetchall()

    def _write(self, work: Callable[[Any], T]) -> T:
        def settled(cursor: sqlite3.Cursor) -> tuple[int, int, T]:
            gained = self._settle(cursor)
            return _applied(cursor), gained, work(cursor)

        applied, gained, result = self._file.write(settled)
        self._notes.forget(applied)
        self._stuck = False
        self._count(gained)
        return result

    def _settle(self, cursor: sqlite3.Cursor) -> int:
        """Apply what is noted; return how many vectors more there are."""
        if not self._notes.pending:
            return 0
        notes = self._notes.take(_applied(cursor))
        changes = ((change, note.at) for note in notes for change in note.changes)
        gained = sqlite_writes.apply_in_order(cursor, changes)
        if notes:
            cursor.execute(
                "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)",
                (_APPLIED, str(notes[-1].number)),
            )
        return gained

    def _settled_rows(
        self, cursor: sqlite3.Cursor, query: str, args: Sequence[Any]
    ) -> list[Any]:  # fmt: skip
        self._settle(cursor)
        return cursor.execute(query, args).fetchall()

    def _is_settled(self) -> bool:
        """Apply what is noted, so that reads see it; false if that fails, say for want of space."""
        if self._notes.pending:
            try:
                self._write(lambda _: None)
            except MemoryStoreError:  # the next write will say it; reads can do without
                self._stuck = True
                return False
        return True

    def _count(self, gained: int) -> None:
        with self._counting:
            self._gained += gained

    def _list(self, ids: Sequence[int]) -> str:
        return json.dumps(ids)

    def _field_equals(self, field: str, demanded: Plain) -> tuple[str, list[Any]]:
        return "json_extract(value, ?) = ?", [f'$."{field}"', demanded]


def _applied(cursor: sqlite3.Cursor) -> int:
    row = cursor.execute("SELECT value FROM facts WHERE name = ?", (_APPLIED,)).fetchone()
    return int(row[0]) if row else 0
