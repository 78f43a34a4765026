"""One SQLite file: commits shared by the threads that wait for them, reads beside them."""

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from cogwork.core.errors import MemoryStoreError
from cogwork.core.write_ahead import use_write_ahead_log
from cogwork.memory.log_room import LogRoom
from cogwork.memory.store.group_commit import GroupCommit

__all__ = ["SqliteFile"]

T = TypeVar("T")
_ADVICE = {  # by the start of SQLite's name for the error
    "SQLITE_BUSY": "another program is writing to it; close that one",
    "SQLITE_CANTOPEN": "make its folder writable or choose another",
    "SQLITE_CORRUPT": "the file is damaged; restore a copy of its folder, or move the folder away to start afresh",
    "SQLITE_FULL": "free some disk space; what was stored before is intact",
    "SQLITE_IOERR": "the disk is full, over quota or failing; what was stored before is intact",
    "SQLITE_NOTADB": "the file is something else or damaged; move it away or choose another folder",
    "SQLITE_READONLY": "make the file and its folder writable or choose another",
    "SQLITE_TOOBIG": "the value is larger than a gigabyte; store a reference to it instead",
}


@contextmanager
def _explained(path: Path, name: str) -> Iterator[None]:
    """Raise what SQLite says as errors that name the way out."""
    try:
        yield
    except sqlite3.Error as error:
        kind = getattr(error, "sqlite_errorname", "")
        advice = next((text for start, text in _ADVICE.items() if kind.startswith(start)), "")
        raise MemoryStoreError(
            f"{name} '{path}': {error}" + (f"; {advice}" if advice else ""),
            details={"path": str(path), "sqlite": kind},
            transient=kind.startswith("SQLITE_BUSY"),
        ) from error


class SqliteFile:
    """Connections to a file in write-ahead mode with full synchronisation.

    `write` commits what all waiting threads brought in one transaction: the first of
    them does it for the others. `read` lends a connection of its own to each reader. A fork
    of the process has connections of its own.

    Args:
        path: The file; it is created.
        prepare: Called with the first connection, to create or migrate tables.
        name: What errors call it.

    Raises:
        MemoryStoreError: The file cannot be opened, now or later.
    """

    def __init__(
        self,
        path: Path,
        prepare: Callable[[sqlite3.Connection], None],
        *,
        name: str = "memory store",
    ) -> None:
        self.path = path
        self.name = name
        self._prepare = prepare
        self._closed = False
        self._inherited: list[object] = []
        self.commits = 0
        """How many transactions wrote; only this object writes to the file."""
        self._open()

    def _open(self) -> None:
        self._group = GroupCommit(self._transact)
        self._readers: deque[sqlite3.Connection] = deque()
        self._room = LogRoom(self.path)
        with self._explained():
            self._writer = self._connect()
            try:
                use_write_ahead_log(self._writer)
                self._writer.execute("PRAGMA synchronous = FULL")
                self._writer.execute("PRAGMA cache_size = -16000")  # a batch fits; kilobytes
                self._writer.execute("PRAGMA wal_autocheckpoint = 4000")  # pages of 4 kB
                self._prepare(self._writer)
            except BaseException:
                self._writer.close()
                raise
        self._process = os.getpid()

    def _be_here(self) -> None:
        """Leave to the process that this one is a fork of what is its own, and open it anew."""
        if self._process != os.getpid() and not self._closed:
            # Not closed, which would end what the other holds.
            self._inherited += [self._writer, self._readers, self._room]
            self._open()

    def write(self, work: Callable[[sqlite3.Cursor], T]) -> T:
        """Run `work` in a transaction and return its result once that is durable."""
        self._be_here()
        with self._explained():
            return self._group.write(work)

    def look(self, work: Callable[[sqlite3.Cursor], T]) -> T:
        """Run `work` in a transaction that is taken back, and return its result."""
        self._be_here()
        with self._explained(), self._group.lock:
            self._require_open()
            cursor = self._writer.cursor()
            try:
                cursor.execute("BEGIN IMMEDIATE")
                return work(cursor)
            finally:
                if self._writer.in_transaction:
                    cursor.execute("ROLLBACK")
                cursor.close()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that sees what is committed."""
        self._be_here()
        self._require_open()
        with self._explained():
            try:
                connection = self._readers.pop()
            except IndexError:
                connection = self._connect()
                connection.execute("PRAGMA query_only = 1")
            try:
                yield connection
            finally:
                if self._closed:
                    connection.close()
                else:
                    self._readers.append(connection)

    def close(self) -> None:
        """Wait for the commit that is under way and close all connections."""
        if self._process != os.getpid():
            self._closed = True
            return
        with self._group.lock:
            self._closed = True
            self._room.close()
            self._writer.close()
            while self._readers:
                self._readers.pop().close()

    def _transact(self, work: Callable[[sqlite3.Cursor], None]) -> None:
        self._require_open()
        cursor = self._writer.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            work(cursor)
            cursor.execute("COMMIT")
            self.commits += 1
            self._room.make()
        except BaseException:
            if self._writer.in_transaction:
                cursor.execute("ROLLBACK")
            raise
        finally:
            cursor.close()

    def _require_open(self) -> None:
        if self._closed:
            raise MemoryStoreError(f"{self.name} '{self.path}' was closed; create another to go on")

    def _explained(self) -> AbstractContextManager[None]:
        return _explained(self.path, self.name)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=30, check_same_thread=False, isolation_level=None
        )
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA mmap_size = 268435456")
        return connection
