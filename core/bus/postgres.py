"""The bus in PostgreSQL, for processes on several machines (extra `postgres`).

One connection does the work, on the worker's thread, and is blocking for that reason; one
more, on a thread of its own, listens to what other processes say they changed.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from cogwork.core.bus.message import BusError
from cogwork.core.bus.transaction import Transaction, Work
from cogwork.core.postgres import Asking, Server

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["PostgresDatabase"]

_SCHEMA_NAME: Final = "cogwork_bus"
_CHANNEL: Final = "cogwork_bus"
_SETUP_LOCK: Final = 0x636F67627573  # "cogbus", the same in every process
_VERSION: Final = 1
_PATIENCE: Final = 30.0  # seconds that the server may be away
_LONGEST_NOTICE: Final = 7_000  # bytes; PostgreSQL takes less than 8,000
_LISTENING: Final = 1.0  # seconds between looks whether to end
_SCHEMA: Final = """
CREATE TABLE facts (version INTEGER NOT NULL);
CREATE TABLE members (
    name TEXT COLLATE "C" PRIMARY KEY,
    waiting INTEGER NOT NULL,
    status TEXT NOT NULL,
    detail TEXT NOT NULL,
    since DOUBLE PRECISION NOT NULL
);
CREATE TABLE subscriptions (
    kind TEXT COLLATE "C" NOT NULL,
    agent TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, agent)
);
CREATE TABLE messages (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    sender TEXT COLLATE "C" NOT NULL,
    recipient TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    body TEXT NOT NULL,
    conversation TEXT COLLATE "C" NOT NULL,
    priority INTEGER NOT NULL,
    reply_to TEXT COLLATE "C",
    reply_by DOUBLE PRECISION,
    taint TEXT NOT NULL,
    sent_at DOUBLE PRECISION NOT NULL,
    attempt INTEGER NOT NULL,
    free_at DOUBLE PRECISION NOT NULL,
    head INTEGER NOT NULL,
    acked_at DOUBLE PRECISION,
    claim TEXT
);
CREATE INDEX next ON messages (recipient, priority DESC, seq) WHERE head = 1;
CREATE INDEX waiting ON messages (recipient, conversation, seq) WHERE acked_at IS NULL;
CREATE INDEX acknowledged ON messages (seq) WHERE acked_at IS NOT NULL;
CREATE INDEX replies ON messages (reply_to) WHERE reply_to IS NOT NULL;
CREATE INDEX claims ON messages (recipient, claim) WHERE claim IS NOT NULL;
"""


class PostgresDatabase:
    """The schema `cogwork_bus` of a database; it comes back when the server does.

    Args:
        url: `postgresql://user:password@host:5432/database`, as libpq reads it.

    Raises:
        ConfigurationError: The extra is not installed, or libpq cannot read the URL.
    """

    def __init__(self, url: str) -> None:
        self.poll_seconds: float | None = None
        self._server = Server.at(url, "message bus", error=BusError)
        self._connection: Connection[Any] | None = None
        self._process = 0  # that serves it; of what it changes the worker itself tells
        self._ring: Callable[[Iterable[str] | None], None] | None = None
        self._listener: threading.Thread | None = None
        self._ending = threading.Event()

    def transact(self, agents: Sequence[str], work: Work) -> set[str]:
        """See `Database.transact`; waits for a server that is away.

        When the connection is lost nobody knows whether the transaction happened, so it is
        made again: all that it does is the same when done twice.
        """
        from psycopg import InterfaceError, OperationalError

        deadline = time.monotonic() + _PATIENCE
        with self._server.explained():
            while True:
                try:
                    return self._transact(agents, work)
                except (OperationalError, InterfaceError):  # also deadlocks
                    # What was never there will not come back: a wrong URL is told at once.
                    if not self._listener or self._ending.is_set() or time.monotonic() > deadline:
                        raise
                    self._drop()
                    self._ending.wait(0.1)

    def _transact(self, agents: Sequence[str], work: Work) -> set[str]:
        connection = self._opened()
        with connection.transaction(), connection.cursor() as cursor:
            asking = Asking(cursor)
            transaction = Transaction(
                asking, asking.now, lock=" FOR UPDATE", skip=" FOR UPDATE SKIP LOCKED"
            )
            transaction.begin(agents)
            work(transaction)
            transaction.finish()
            if transaction.rung:
                asking.execute("SELECT pg_notify(?, ?)", (_CHANNEL, _notice(transaction.rung)))
        return transaction.rung

    def has_changed(self) -> bool:
        """The listener tells."""
        return False

    def listen(self, ring: Callable[[Iterable[str] | None], None]) -> None:
        """See `Database.listen`."""
        self._ring = ring

    def stop(self) -> None:
        """See `Database.stop`."""
        self._ending.set()

    def close(self) -> None:
        """See `Database.close`."""
        from psycopg import Error

        self._ending.set()
        if self._connection is not None:
            with contextlib.suppress(Error):  # the listener then looks by itself
                self._connection.execute("SELECT pg_notify(%s, '[]')", (_CHANNEL,))
        self._drop()
        if self._listener is not None:
            self._listener.join(2 * _LISTENING)

    def _hear(self) -> None:
        """Listen until the end; after a break, whatever may have been missed is looked for."""
        from psycopg import Error

        while not self._ending.is_set():
            with (
                contextlib.suppress(Error),
                self._server.connect() as connection,
            ):  # the worker tells
                connection.execute(f"LISTEN {_CHANNEL}")
                self._tell(None)
                while not self._ending.is_set():
                    for notice in connection.notifies(timeout=_LISTENING, stop_after=1):
                        if notice.pid != self._process:
                            self._tell(_names(notice.payload))
            self._ending.wait(0.2)

    def _tell(self, names: list[str] | None) -> None:
        if self._ring is not None:
            self._ring(names)

    def _opened(self) -> "Connection[Any]":
        if self._connection is None or self._connection.closed:
            connection = self._server.connect()
            try:
                _prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection, self._process = connection, connection.info.backend_pid
            if self._listener is None:
                self._listener = threading.Thread(
                    target=self._hear, name="cogwork-bus-listener", daemon=True
                )
                self._listener.start()
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _notice(names: set[str]) -> str:
    text = json.dumps(sorted(names))
    return text if len(text) < _LONGEST_NOTICE else "null"  # all


def _names(notice: str) -> list[str] | None:
    found: list[str] | None = json.loads(notice)
    return found


def _prepare(connection: "Connection[Any]") -> None:
    """Create the tables while no other process does, and work in them."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SETUP_LOCK,))
        found = connection.execute(
            "SELECT to_regclass(%s)", (f"{_SCHEMA_NAME}.messages",)
        ).fetchone()
        if found == (None,):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA_NAME}")
            connection.execute(f"SET LOCAL search_path TO {_SCHEMA_NAME}, pg_catalog")
            connection.execute(_SCHEMA, prepare=False)
            connection.execute("INSERT INTO facts (version) VALUES (%s)", (_VERSION,))
    connection.execute(f"SET search_path TO {_SCHEMA_NAME}, pg_catalog")
    (version,) = connection.execute("SELECT version FROM facts").fetchone() or (0,)
    if version != _VERSION:
        raise BusError(
            f"the bus in schema '{_SCHEMA_NAME}' has version {version}, and this cogwork knows "
            f"{_VERSION}; update cogwork, or choose another database"
        )
