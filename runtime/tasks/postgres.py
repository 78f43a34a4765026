"""Tasks in PostgreSQL, for runners on several machines (extra `postgres`).

The same statements as in SQLite; rows that one transaction looks at are locked for it.
"""

import hashlib
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cogwork.core.postgres import Asking, Server
from cogwork.runtime.tasks.liveness import let_go_in_forks

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["PostgresFile", "PostgresPresence"]

T = TypeVar("T")
_POOL: Final = 4
_WAIT: Final = 10.0  # seconds for a connection
_SETUP_LOCK: Final = 0x636F67746173  # "cogtas", the same in every process
_ANY_TIME: Final = "true"
# Others need a moment to take theirs again when the server was restarted.
_SETTLED: Final = "now() - pg_postmaster_start_time() > interval '5 seconds'"
_PLACE: Final = "cogwork_tasks"  # the schema
_SCHEMA: Final = f"""
    CREATE SCHEMA IF NOT EXISTS {_PLACE};
    CREATE TABLE IF NOT EXISTS tasks (
        id TEXT COLLATE "C" PRIMARY KEY, graph TEXT NOT NULL, state TEXT NOT NULL, phase TEXT,
        priority INTEGER NOT NULL, progress DOUBLE PRECISION NOT NULL, parent TEXT,
        trace TEXT NOT NULL, timeout DOUBLE PRECISION, ran DOUBLE PRECISION NOT NULL,
        attempts INTEGER NOT NULL, created DOUBLE PRECISION NOT NULL,
        started DOUBLE PRECISION, ended DOUBLE PRECISION, touched DOUBLE PRECISION NOT NULL,
        budget TEXT, spent TEXT NOT NULL, error TEXT, questions TEXT NOT NULL,
        kind TEXT NOT NULL, input BYTEA NOT NULL, answer TEXT, wish TEXT, owner TEXT
    );
    CREATE INDEX IF NOT EXISTS waiting ON tasks (priority DESC, created)
        WHERE state = 'pending';
    CREATE INDEX IF NOT EXISTS states ON tasks (state, created);
    CREATE INDEX IF NOT EXISTS parents ON tasks (parent)
        WHERE parent IS NOT NULL;
    CREATE TABLE IF NOT EXISTS events (
        task TEXT COLLATE "C" NOT NULL, number INTEGER NOT NULL, at DOUBLE PRECISION NOT NULL,
        kind TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (task, number)
    );
"""


class PostgresFile:
    """What `SqliteFile` is, over PostgreSQL.

    Args:
        url: `postgresql://user:password@host:5432/database`, as libpq reads it.

    Raises:
        ConfigurationError: The extra is not installed, or libpq cannot read the URL.
        MemoryStoreError: The server cannot be reached or refuses, now or later.
    """

    lock: Final = " FOR UPDATE"
    skip: Final = " FOR UPDATE SKIP LOCKED"

    def __init__(self, url: str) -> None:
        self._server = _server(url)
        self._inherited: list[object] = []
        self._open()

    def _open(self) -> None:
        from psycopg_pool import ConnectionPool

        with self._server.explained(), self._server.connect() as connection:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [_SETUP_LOCK])
                connection.execute(_SCHEMA)
            self._pool: ConnectionPool[Any] = ConnectionPool(
                kwargs=self._server.options,
                min_size=1,
                max_size=_POOL,
                timeout=_WAIT,
                check=ConnectionPool.check_connection,  # survives a restart of the server
                open=True,
            )
        self._process = os.getpid()

    def _be_here(self) -> None:
        """Leave its connections to the process that this one is a fork of, and open others."""
        if self._process != os.getpid():
            self._inherited.append(self._pool)  # not closed, which would end the other's sessions
            self._open()

    def write(self, work: Callable[[Any], T]) -> T:
        """Run `work` in a transaction and return its result once that is durable."""
        self._be_here()
        with (
            self._server.explained(),
            self._pool.connection() as connection,
            connection.transaction(),
            connection.cursor() as cursor,
        ):
            return work(Asking(cursor))

    @contextmanager
    def read(self) -> Iterator[Any]:
        """Lend a connection that sees what is committed."""
        self._be_here()
        with (
            self._server.explained(),
            self._pool.connection() as connection,
            connection.cursor() as cursor,
        ):
            yield Asking(cursor)

    def close(self) -> None:
        """Close the connections."""
        if self._process == os.getpid():
            self._pool.close()


class PostgresPresence:
    """A runner's sign of life: an advisory lock, which the server frees when it is gone.

    Args:
        url: Of the database that its tasks are in.
    """

    def __init__(self, url: str) -> None:
        self.owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._url = url
        self._guard = threading.Lock()
        with _server(url).explained():
            self._connection = connect(url)
            self._mine = self._lock(self.owner, _ANY_TIME)
        let_go_in_forks(self)

    def lives(self, owner: str) -> bool:
        """Whether another runner still is there."""
        if owner == self.owner:
            return True
        with self._guard, _server(self._url).explained():
            if not self._lock(owner, _SETTLED):
                return True
            self._connection.execute("SELECT pg_advisory_unlock(%s)", [_number(owner)])
            return False

    def let_go(self) -> None:
        """Be no sign of this process, which is a fork; the connection is its parent's."""
        # To close it would say goodbye to the server in the parent's name; it may be closed.
        with suppress(Exception), Path(os.devnull).open("r+b", buffering=0) as nothing:
            os.dup2(nothing.fileno(), self._connection.fileno(), inheritable=False)

    def leave(self) -> None:
        """Take the sign away."""
        with suppress(Exception):  # the server may be gone; then so is the sign
            self._connection.close()

    def keep(self) -> None:
        """Take the lock again if its connection was lost, as after a restart of the server."""
        from psycopg import Error

        with self._guard, _server(self._url).explained():
            try:
                self._connection.execute("SELECT 1")
            except Error:
                self._connection.close()
                self._connection, self._mine = connect(self._url), False
            self._mine = self._mine or self._lock(self.owner, _ANY_TIME)

    def _lock(self, owner: str, when: str) -> bool:
        """Take a lock if nobody has it, and if it may be judged by that."""
        statement = f"SELECT CASE WHEN {when} THEN pg_try_advisory_lock(%s) ELSE false END"
        got = self._connection.execute(statement, [_number(owner)]).fetchone()
        return bool(got and got[0])


def connect(url: str) -> "Connection[Any]":
    """Open a connection that commits each statement by itself."""
    return _server(url).connect()


def _number(owner: str) -> int:
    digest = hashlib.blake2b(f"cogwork task runner {owner}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _server(url: str) -> Server:
    server = Server.at(url, "tasks")
    path = f"{server.options.get('options') or ''} -c search_path={_PLACE}".strip()
    return replace(server, options={**server.options, "options": path})
