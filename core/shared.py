"""Small values that threads, processes or machines change together, one transaction each.

What budgets of a day, circuit breakers and rate limits count. In memory without a URL; in
a SQLite file for the processes of one machine; in PostgreSQL for those of many.
"""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from cogwork.core.errors import ConfigurationError, MemoryStoreError, redact
from cogwork.core.postgres import Asking, Server
from cogwork.core.write_ahead import use_write_ahead_log

__all__ = ["Change", "SharedValues", "shared_values"]

T = TypeVar("T")
Value = dict[str, Any]
Change = Callable[[Value, float], T]
"""Changes a value in place, which is empty at first, given the time in seconds since 1970."""

_TABLE: Final = "cogwork_shared"
_CREATE: Final = f"CREATE TABLE IF NOT EXISTS {_TABLE} (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
_READ: Final = f"SELECT value FROM {_TABLE} WHERE key = ?"  # noqa: S608 - our own table
_WRITE: Final = (
    f"INSERT INTO {_TABLE} VALUES (?, ?) "  # noqa: S608 - our own table
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)


class SharedValues(Protocol):
    """Values by key, each a dictionary of JSON."""

    def change(self, key: str, function: Change[T]) -> T:
        """Let a function change a value while nobody else does; return what it returns.

        The function is quick and does nothing else, since it may be called again when the
        connection is lost. It raises before it changes anything, or not at all.

        Raises:
            MemoryStoreError: The value can be neither read nor written.
        """

    def close(self) -> None:
        """Close what is open."""


def shared_values(url: str | None) -> SharedValues:
    """Return the values at a URL; connections are opened on first use.

    Args:
        url: `sqlite:///relative/file`, `sqlite:////absolute/file`,
            `postgresql://user:password@host:5432/database` (extra `postgres`), or None for
            this process's memory.

    Raises:
        ConfigurationError: The URL is none of these.

    Examples:
        >>> values = shared_values(None)
        >>> def count(value, now):
        ...     value["n"] = value.get("n", 0) + 1
        ...     return value["n"]
        >>> values.change("calls", count), values.change("calls", count)
        (1, 2)
    """
    if url is None:
        return _InMemory()
    if url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        return _InSqlite(Path(url.removeprefix("sqlite:///")))
    if url.startswith(("postgresql://", "postgres://")):
        return _InPostgres(url)
    raise ConfigurationError(
        f"'{redact(url)}' is no place for shared values; write sqlite:///file, or "
        "postgresql://user:password@host:5432/database"
    )


class _InMemory:
    def __init__(self) -> None:
        self._values: dict[str, Value] = {}
        self._guard = threading.Lock()

    def change(self, key: str, function: Change[T]) -> T:
        with self._guard:
            return function(self._values.setdefault(key, {}), time.time())

    def close(self) -> None:
        pass


class _InSqlite:
    """A connection for each process; commits survive the death of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0

    def change(self, key: str, function: Change[T]) -> T:
        with self._guard, self._explained():
            cursor = self._opened().cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                found = cursor.execute(_READ, (key,)).fetchone()
                value = json.loads(found[0]) if found else {}
                result = function(value, time.time())
                cursor.execute(_WRITE, (key, json.dumps(value)))
                cursor.execute("COMMIT")
            except BaseException:
                if cursor.connection.in_transaction:
                    cursor.execute("ROLLBACK")
                raise
            return result

    def close(self) -> None:
        with self._guard:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None or self._process != os.getpid():  # a fork has its own
            self._path.parent.mkdir(parents=True, exist_ok=True)
            opened = sqlite3.connect(
                self._path, timeout=30, check_same_thread=False, isolation_level=None
            )
            try:
                use_write_ahead_log(opened)
                # A power cut may lose the last changes, the death of a process none.
                opened.execute("PRAGMA synchronous = NORMAL")
                opened.execute(_CREATE)
            except BaseException:
                opened.close()
                raise
            self._connection, self._process = opened, os.getpid()
        return self._connection

    @contextmanager
    def _explained(self) -> Any:
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeError, json.JSONDecodeError) as error:
            raise MemoryStoreError(
                f"the shared values in '{self._path}' cannot be used: {error}; make the file and "
                "its folder writable, or choose another",
                transient="locked" in str(error),
            ) from error


class _InPostgres:
    """One connection, opened again when it is lost; the time is the server's."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._guard = threading.Lock()
        self._connection: Any = None
        self._process = 0

    @cached_property
    def _server(self) -> Server:
        return Server.at(
            self._url, "shared values", advice="start the server, or correct the URL or its role"
        )

    def change(self, key: str, function: Change[T]) -> T:
        with self._guard, self._server.explained():
            from psycopg import OperationalError

            try:
                return self._change(key, function)
            except OperationalError:  # the connection was lost
                self._connection = None
                return self._change(key, function)

    def _change(self, key: str, function: Change[T]) -> T:
        connection = self._opened()
        with connection.transaction():
            cursor = Asking(connection.cursor())
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", (f"{_TABLE} {key}",)
            )
            cursor.execute(_READ, (key,))
            found = cursor.fetchone()
            value = json.loads(found[0]) if found else {}
            result = function(value, cursor.now())
            cursor.execute(_WRITE, (key, json.dumps(value)))
            return result

    def _opened(self) -> Any:
        if self._connection is None or self._process != os.getpid():
            opened = self._server.connect()
            with opened.transaction():  # two who create a table at once would clash
                opened.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (_TABLE,))
                opened.execute(_CREATE)
            self._connection, self._process = opened, os.getpid()
        return self._connection

    def close(self) -> None:
        with self._guard:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None
