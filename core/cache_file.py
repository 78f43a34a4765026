"""A bounded cache in a SQLite file, which the processes of a machine share."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from cogwork.core.caching import BoundedCache, Key, Limits
from cogwork.core.errors import MemoryStoreError
from cogwork.core.write_ahead import use_write_ahead_log

__all__ = ["FileCache"]

T = TypeVar("T")
_TOUCHES: Final = 100  # reads that may wait to be noted
_PATIENCE: Final = 5.0  # seconds for another process that writes: a cache is not worth more


class FileCache(BoundedCache):
    """Keeps bytes in a table of a file, in write-ahead mode.

    A hit writes nothing: which values were used is noted with the next write. A power cut may
    lose the last results, and nothing else.

    Args:
        path: The file; it and its folders are created.
        kind: Letters; the table is called after it.
        limits: Of the table.

    Raises:
        MemoryStoreError: The file cannot be opened.
    """

    def __init__(self, path: Path, kind: str, limits: Limits) -> None:
        super().__init__(limits)
        self._path = path.absolute()
        self._table = f"cogwork_cache_{kind}"
        self._touched: dict[Key, None] = {}
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._thread: ThreadPoolExecutor | None = None
        with self._explained():
            self._opened()

    async def aside(self, work: Callable[[], T]) -> T:
        """Do it in a thread of its own; those of the loop may all wait for what is being made."""
        if self._thread is None or self._process != os.getpid():
            self._thread = ThreadPoolExecutor(1, "cogwork-cache")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """Note what was used, and close the file; it is opened again when it is needed."""
        with self._lock:
            if self._connection is None or self._process != os.getpid():
                return
            try:
                self._note_use()
            finally:
                self._connection.close()
                self._connection = self._thread = None

    def _read(self, key: Key) -> Any | None:
        with self._explained():
            found = self._run("SELECT value, until FROM {} WHERE space = ? AND name = ?", key)
            if not found:
                return None
            value, until = found[0]
            if not isinstance(value, bytes) or not isinstance(until, float | None):
                self._forget(key)
                raise MemoryStoreError("a row of the cache is not as it was written")
            if until is not None and time.time() >= until:
                self._counts.expired += 1
                with self._change():
                    self._remove("space = ? AND name = ?", *key)
                return None
            self._touched.pop(key, None)
            self._touched[key] = None
            if len(self._touched) >= _TOUCHES:
                self._note_use()
            return value

    def _note_use(self) -> None:
        try:
            with self._change():  # which writes it down with whatever else is to be
                pass
        except MemoryStoreError as error:  # what was found is found all the same
            self._touched.clear()
            self._failed(str(error))

    def _write(self, key: Key, value: Any, size: int, ttl: float | None) -> None:
        if not isinstance(value, bytes):
            raise MemoryStoreError(f"a {type(value).__name__} is not bytes")
        with self._change():
            self._remove("space = ? AND name = ?", *key)
            self._run(
                "INSERT INTO {} (space, name, value, size, until, used) VALUES (?, ?, ?, ?, ?, 0)",
                (*key, value, size, None if ttl is None else time.time() + ttl),
            )
            self._run("UPDATE {}_sums SET entries = entries + 1, bytes = bytes + ?", (size,))
            self._use(key)
            if self._is_too_full():
                self._remove("until <= ?", time.time())
            while self._is_too_full():
                self._counts.evicted += self._remove(
                    f"rowid IN (SELECT rowid FROM {self._table} ORDER BY used LIMIT ?)",  # noqa: S608 - our own table
                    max(1, self._sums()[0] - self.limits.max_entries),
                )

    def _forget(self, key: Key) -> None:
        try:
            with self._change():
                self._remove("space = ? AND name = ?", *key)
        except MemoryStoreError as error:
            self._failed(str(error))

    def _clear(self, space: Hashable) -> None:
        with self._change():
            self._remove(*(("1",) if space is None else ("space = ?", space)))

    def _holds(self) -> tuple[int, int]:
        with self._explained():
            return self._sums()

    def _is_too_full(self) -> bool:
        entries, size = self._sums()
        limits = self.limits
        return entries > limits.max_entries or size > (limits.max_bytes or size)

    def _sums(self) -> tuple[int, int]:
        [(entries, size)] = self._run("SELECT entries, bytes FROM {}_sums")
        return entries, size

    def _use(self, key: Key) -> None:
        self._run(
            "UPDATE {} SET used = (SELECT max(used) + 1 FROM {}) WHERE space = ? AND name = ?", key
        )

    def _remove(self, where: str, *values: Any) -> int:
        gone = self._run(f"DELETE FROM {{}} WHERE {where} RETURNING size", values)  # noqa: S608 - `where` is written here
        self._run(
            "UPDATE {}_sums SET entries = entries - ?, bytes = bytes - ?",
            (len(gone), sum(size for (size,) in gone)),
        )
        return len(gone)

    @contextmanager
    def _change(self) -> Iterator[None]:
        """A transaction, which begins with what was used since the last one."""
        with self._explained():
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                for key in self._touched:
                    self._use(key)
                yield
                connection.execute("COMMIT")
                self._touched.clear()
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _run(self, statement: str, values: Any = ()) -> list[Any]:
        return self._opened().execute(statement.replace("{}", self._table), values).fetchall()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None or self._process != os.getpid():  # a fork has its own
            self._path.parent.mkdir(parents=True, exist_ok=True)
            opened = sqlite3.connect(
                self._path, timeout=_PATIENCE, check_same_thread=False, isolation_level=None
            )
            self._prepare(opened)
            self._connection, self._process = opened, os.getpid()
        return self._connection

    def _prepare(self, opened: sqlite3.Connection) -> None:
        table = self._table
        try:
            use_write_ahead_log(opened, _PATIENCE)
            opened.execute("PRAGMA synchronous = NORMAL")
            opened.executescript(
                f"""
                BEGIN IMMEDIATE;
                CREATE TABLE IF NOT EXISTS {table} (
                    space TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
                    size INTEGER NOT NULL, until REAL, used INTEGER NOT NULL,
                    PRIMARY KEY (space, name)
                );
                CREATE INDEX IF NOT EXISTS {table}_used ON {table} (used);
                CREATE INDEX IF NOT EXISTS {table}_until ON {table} (until);
                CREATE TABLE IF NOT EXISTS {table}_sums (
                    row INTEGER PRIMARY KEY, entries INTEGER NOT NULL, bytes INTEGER NOT NULL
                );
                INSERT OR IGNORE INTO {table}_sums
                    SELECT 1, count(*), coalesce(sum(size), 0) FROM {table};
                COMMIT;
                """  # noqa: S608 - our own table
            )
        except BaseException:
            opened.close()
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeError) as error:
            raise MemoryStoreError(
                f"the cache in '{self._path}' cannot be used: {error}; make the file and its "
                "folder writable, delete it, or choose another",
                transient="locked" in str(error),
            ) from error
