"""Checkpoints in PostgreSQL, for more than one machine (extra `postgres`)."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cogwork.core.errors import ConfigurationError, MemoryStoreError
from cogwork.core.postgres import Server
from cogwork.memory.async_saver import ThreadedSaver
from cogwork.memory.strict_serializer import StrictSerializer

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["connect_postgres"]

_SETUP_LOCK = 0x636F67776F726B  # "cogwork", the same in every process
_SETUP_SECONDS = 60.0
_POOL_SIZE = 20


def connect_postgres(url: str, *, serde: StrictSerializer) -> ThreadedSaver:
    """Return a saver over a pool of connections; its tables are created or brought up to date.

    Args:
        url: `postgresql://user:password@host:5432/database`, as libpq reads it.
        serde: What turns state into bytes and back.

    Raises:
        ConfigurationError: The extra is not installed, or libpq cannot read the URL.
        MemoryStoreError: The server cannot be reached or refuses, now or later.
    """
    server = Server.at(url, "checkpoints")
    try:
        from langgraph.checkpoint.postgres import PostgresSaver
        from psycopg.rows import dict_row
        from psycopg_pool import ConnectionPool

        from cogwork.memory.saver.postgres import PostgresCheckpointer
    except ImportError as error:
        raise ConfigurationError(
            f"PostgreSQL checkpoints need the extra: pip install 'cogwork[postgres]' ({error})"
        ) from error
    options = {**server.options, "prepare_threshold": 0, "row_factory": dict_row}
    with server.explained():
        with server.connect(**options) as connection:
            _set_up(connection, PostgresSaver(connection).setup)
        pool: ConnectionPool[Any] = ConnectionPool(
            kwargs=options,
            min_size=1,
            max_size=_POOL_SIZE,
            check=ConnectionPool.check_connection,  # survives a restart of the server
            open=True,
        )
    return PostgresCheckpointer(pool, server, serde)


def _set_up(connection: "Connection[Any]", create_tables: Callable[[], None]) -> None:
    """Create the tables while no other process does.

    Waiting in SQL for the lock would deadlock with the migrations' concurrent index builds.
    """
    deadline = time.monotonic() + _SETUP_SECONDS
    while not _locked(connection):
        if time.monotonic() > deadline:
            raise MemoryStoreError(
                f"another process has been creating the checkpoint tables for "
                f"{_SETUP_SECONDS:g} s; end it or try again",
                transient=True,
            )
        time.sleep(0.05)
    create_tables()


def _locked(connection: "Connection[Any]") -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s) AS mine", (_SETUP_LOCK,)).fetchone()
    return bool(row and row["mine"])
