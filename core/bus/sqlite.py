"""The bus in one SQLite file, or in memory."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cogwork.core.bus.message import BusError
from cogwork.core.bus.transaction import Transaction, Work
from cogwork.core.write_ahead import use_write_ahead_log

__all__ = ["SqliteDatabase"]

_VERSION = 1
_PATIENCE = 30.0  # seconds to wait for another process that writes
_SCHEMA = """
CREATE TABLE members (
    name TEXT PRIMARY KEY,
    waiting INTEGER NOT NULL,
    status TEXT NOT NULL,
    detail TEXT NOT NULL,
    since REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE subscriptions (
    kind TEXT NOT NULL,
    agent TEXT NOT NULL,
    PRIMARY KEY (kind, agent)
) WITHOUT ROWID;
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    conversation TEXT NOT NULL,
    priority INTEGER NOT NULL,
    reply_to TEXT,
    reply_by REAL,
    taint TEXT NOT NULL,
    sent_at REAL NOT NULL,
    attempt INTEGER NOT NULL,
    free_at REAL NOT NULL,
    head INTEGER NOT NULL,
    acked_at REAL,
    claim TEXT
);
CREATE INDEX next ON messages (recipient, priority DESC, seq) WHERE head = 1;
CREATE INDEX waiting ON messages (recipient, conversation, seq) WHERE acked_at IS NULL;
CREATE INDEX acknowledged ON messages (seq) WHERE acked_at IS NOT NULL;
CREATE INDEX replies ON messages (reply_to) WHERE reply_to IS NOT NULL;
CREATE INDEX claims ON messages (recipient, claim) WHERE claim IS NOT NULL;
"""
_ADVICE = {  # by the start of SQLite's name for the error
    "SQLITE_BUSY": "another process has been writing for long; use postgresql:// when many write",
    "SQLITE_CANTOPEN": "make its folder writable or choose another path",
    "SQLITE_CORRUPT": "the file is damaged; restore a copy, or move it away to start afresh",
    "SQLITE_FULL": "free some disk space; what was sent before is intact",
    "SQLITE_IOERR": "the disk is full, over quota or failing; what was sent before is intact",
    "SQLITE_NOTADB": "the file is something else or damaged; move it away or choose another path",
    "SQLITE_READONLY": "make the file and its folder writable or choose another path",
}


class SqliteDatabase:
    """A connection to a file in write-ahead mode with full synchronisation.

    That other processes wrote is seen by `PRAGMA data_version`, a look into shared memory
    that takes microseconds. A file watch would have to be written per operating system,
    would miss writes through the memory map, and sees nothing in network folders.

    Args:
        path: The file; it and its folders are created. None keeps the messages in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self.poll_seconds = None if path is None else 0.02
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._version = 0

    def transact(self, agents: Sequence[str], work: Work) -> set[str]:
        """See `Database.transact`."""
        with _explained(self._path):
            connection = self._opened()
            cursor = connection.cursor()
            transaction = Transaction(cursor, time.time, lock="", skip="")
            try:
                cursor.execute("BEGIN IMMEDIATE")
                transaction.begin(agents)
                work(transaction)
                transaction.finish()
                cursor.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    cursor.execute("ROLLBACK")
                raise
            finally:
                cursor.close()
        return transaction.rung

    def has_changed(self) -> bool:
        """See `Database.has_changed`."""
        if self._connection is None:
            return False
        with contextlib.suppress(sqlite3.Error):  # the next transaction tells
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            changed, self._version = version != self._version, version
            return bool(changed)
        return False

    def listen(self, ring: Callable[[Iterable[str] | None], None]) -> None:
        """The worker asks `has_changed` instead."""

    def stop(self) -> None:
        """It waits for no server."""

    def close(self) -> None:
        """See `Database.close`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self._path or ":memory:", timeout=_PATIENCE, isolation_level=None
            )
            try:
                use_write_ahead_log(connection, _PATIENCE)
                connection.execute("PRAGMA synchronous = FULL")
                _prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Create the tables, while no other process does."""
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if version == 0 and tables == 0:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    elif version != _VERSION or not _has_messages(connection):
        raise BusError(
            f"the file has schema version {version} of something else or of another "
            f"cogwork, and this one makes {_VERSION}; choose another file for the bus"
        )
    connection.execute("COMMIT")


def _has_messages(connection: sqlite3.Connection) -> bool:
    query = "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('messages', 'members')"
    return bool(connection.execute(query).fetchone() == (2,))


@contextmanager
def _explained(path: Path | None) -> Iterator[None]:
    """Raise what SQLite and the file system say as errors that name the way out."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        advice = next((text for start, text in _ADVICE.items() if name.startswith(start)), "")
        if path is not None and path.is_dir():
            advice = "this is a folder; name a file in it"
        raise BusError(
            f"message bus '{path or 'memory'}': {error}" + (f"; {advice}" if advice else ""),
            details={"path": str(path), "sqlite": name},
            transient=name.startswith("SQLITE_BUSY"),
        ) from error
    except OSError as error:
        raise BusError(
            f"message bus '{path}': the folder cannot be created ({error.strerror}); "
            "choose another path",
            details={"path": str(path)},
        ) from error
