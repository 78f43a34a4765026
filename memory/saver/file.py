"""One SQLite file of checkpoints: its writer, its readers, and errors that name the way out."""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from cogwork.core.errors import MemoryStoreError
from cogwork.core.write_ahead import use_write_ahead_log
from cogwork.memory.log_room import LogRoom
from cogwork.memory.store.group_commit import GroupCommit

__all__ = ["CheckpointFile"]

T = TypeVar("T")
_ADVICE = {  # by the start of SQLite's name for the error
    "SQLITE_BUSY": "another process is writing to it; try again, lengthen the wait by "
    "'?timeout=seconds' in the URL, or use postgresql:// when many processes write",
    "SQLITE_CANTOPEN": "make its folder writable or choose another path",
    "SQLITE_CORRUPT": "the file is damaged; restore a copy, or move it away to start afresh",
    "SQLITE_FULL": "free some disk space; what was saved before is intact",
    "SQLITE_IOERR": "the disk is full, over quota or failing; what was saved before is intact",
    "SQLITE_NOTADB": "the file is something else or damaged; move it away or choose another path",
    "SQLITE_READONLY": "make the file and its folder writable or choose another path",
    "SQLITE_TOOBIG": "one value is larger than a gigabyte; keep a reference to it in the state",
}


class CheckpointFile:
    """Connections to a file in write-ahead mode with full synchronisation.

    `write` commits what all waiting threads brought in one transaction; `read` lends a
    connection of its own to each reader.

    Args:
        path: The file; it and its folders are created.
        timeout: Seconds to wait for another process that writes.
        is_ready: Whether the tables are there already, so that nobody need be waited for.
        prepare: Called in a transaction, to create or migrate them.

    Raises:
        MemoryStoreError: The file cannot be opened, now or later.
    """

    def __init__(
        self,
        path: Path,
        timeout: float,
        is_ready: Callable[[sqlite3.Cursor], bool],
        prepare: Callable[[sqlite3.Cursor], None],
    ) -> None:
        self.path = path.absolute()
        self.timeout = timeout
        self._group = GroupCommit(self._transact)
        self._readers: deque[sqlite3.Connection] = deque()
        self._closed = False
        self._synced = True
        self._room = LogRoom(self.path)
        with self.explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.writer = self._connect()
            try:
                self.writer.execute("PRAGMA synchronous = FULL")
                use_write_ahead_log(self.writer, timeout)
                self.writer.execute("PRAGMA wal_autocheckpoint = 4000")  # pages of 4 kB
                if not is_ready(self.writer.cursor()):
                    self._transact(prepare)
            except BaseException:
                self.writer.close()
                raise

    def write(self, work: Callable[[sqlite3.Cursor], T], *, synced: bool = True) -> T:
        """Run `work` in a transaction and return its result once that is durable.

        Args:
            work: May run twice.
            synced: Whether it has to survive a loss of power at once, and not only with the
                next one that does.
        """
        with self.explained():
            return self._group.write(work, synced=synced)

    def rows(self, query: str, values: Sequence[Any]) -> Sequence[tuple[Any, ...]]:
        """Return what one statement finds in what is committed."""
        self._require_open()
        with self.explained(), self._lent() as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Cursor]:
        """Lend a cursor that sees one state of what is committed."""
        self._require_open()
        with self.explained(), self._lent() as connection:
            cursor = connection.cursor()
            try:
                cursor.execute("BEGIN")
                yield cursor
            finally:
                cursor.close()
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
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
        with self._group.lock:
            self._closed = True
            while self._readers:
                self._readers.pop().close()
            self._room.close()
            self.writer.close()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Raise what SQLite and the file system say as errors that name the way out."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            advice = next((text for start, text in _ADVICE.items() if name.startswith(start)), "")
            if self.path.is_dir():
                advice = "this is a folder; name a file in it"
            raise MemoryStoreError(
                f"checkpoints in '{self.path}': {error}" + (f"; {advice}" if advice else ""),
                details={"path": str(self.path), "sqlite": name},
                transient=name.startswith("SQLITE_BUSY"),
            ) from error
        except OSError as error:
            raise MemoryStoreError(
                f"checkpoints in '{self.path}': {error}; choose another path",
                details={"path": str(self.path)},
            ) from error

    def _transact(self, work: Callable[[sqlite3.Cursor], None], *, synced: bool = True) -> None:
        self._require_open()
        cursor = self.writer.cursor()
        if synced is not self._synced:  # it cannot be changed within a transaction
            cursor.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
            self._synced = synced
        try:
            cursor.execute("BEGIN IMMEDIATE")
            work(cursor)
            cursor.execute("COMMIT")
        except BaseException:
            if self.writer.in_transaction:
                cursor.execute("ROLLBACK")
            raise
        finally:
            cursor.close()
        self._room.make()

    def _require_open(self) -> None:
        if self._closed:
            raise MemoryStoreError(
                f"checkpoints in '{self.path}': the checkpointer was closed; create another"
            )

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self.path,
            timeout=self.timeout,
            check_same_thread=False,
            isolation_level=None,
            cached_statements=1_000,
        )
