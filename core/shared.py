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
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from cogwork.core.errors import ConfigurationError, MemoryStoreError, redact

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
            self._connection = sqlite3.connect(
                self._path, timeout=30, check_same_thread=False, isolation_level=None
            )
            self._process = os.getpid()
            self._connection.execute("PRAGMA journal_mode = WAL")
            # A power cut may lose the last changes, the death of a process none.
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(_CREATE)
        return self._connection

    @contextmanager
    def _explained(self) -> Any:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
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

    def change(self, key: str, function: Change[T]) -> T:
        try:
            import psycopg
        except ImportError as error:
            raise ConfigurationError(
                "shared values in PostgreSQL need the extra: pip install 'cogwork[postgres]'"
            ) from error
        with self._guard:
            for last_try in (False, True):
                try:
                    return self._change(psycopg, key, function)
                except psycopg.OperationalError as error:
                    self._connection = None
                    if last_try:
                        raise MemoryStoreError(
                            f"the shared values in PostgreSQL cannot be used: {redact(str(error))}; "
                            "start the server, or correct the URL",
                            transient=True,
                        ) from error
        raise AssertionError("the last try returns or raises")

    def _change(self, psycopg: Any, key: str, function: Change[T]) -> T:
        if self._connection is None or self._process != os.getpid():
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=10)
            self._process = os.getpid()
            with self._connection.transaction():  # two who create a table at once would clash
                self._connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (_TABLE,))
                self._connection.execute(_CREATE)
        with self._connection.transaction():
            self._connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"{_TABLE} {key}",)
            )
            found = self._connection.execute(_READ.replace("?", "%s"), (key,)).fetchone()
            (now,) = self._connection.execute(
                "SELECT extract(epoch FROM clock_timestamp())::float8"
            ).fetchone()
            value = json.loads(found[0]) if found else {}
            result = function(value, now)
            self._connection.execute(_WRITE.replace("?", "%s"), (key, json.dumps(value)))
            return result

    def close(self) -> None:
        with self._guard:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None
