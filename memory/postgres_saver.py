"""Checkpoints in PostgreSQL, for more than one machine (extra `postgres`)."""

import asyncio
import functools
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from cogwork.core.errors import ConfigurationError, MemoryStoreError, redact
from cogwork.memory.async_saver import ThreadedSaver
from cogwork.memory.sqlite_saver import STANDING

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["connect_postgres"]

_SETUP_LOCK = 0x636F67776F726B  # "cogwork", the same in every process
_SETUP_SECONDS = 60.0
_POOL_SIZE = 10
_DELETE_WRITES_OF_RUNS = """
    DELETE FROM checkpoint_writes w USING checkpoints c
    WHERE c.metadata ->> 'run_id' = ANY(%s) AND w.thread_id = c.thread_id
    AND w.checkpoint_ns = c.checkpoint_ns AND w.checkpoint_id = c.checkpoint_id
"""
_STANDS_ON_RUNS = """
    WITH gone AS (SELECT * FROM checkpoints WHERE metadata ->> 'run_id' = ANY(%s))
    SELECT kept.thread_id FROM checkpoints kept JOIN gone
    ON kept.thread_id = gone.thread_id AND kept.checkpoint_ns = gone.checkpoint_ns
    AND kept.parent_checkpoint_id = gone.checkpoint_id
    WHERE NOT EXISTS (
        SELECT 1 FROM gone other WHERE other.thread_id = kept.thread_id
        AND other.checkpoint_ns = kept.checkpoint_ns AND other.checkpoint_id = kept.checkpoint_id
    ) LIMIT 1
"""
_DELETE_RUNS = "DELETE FROM checkpoints WHERE metadata ->> 'run_id' = ANY(%s)"
_TABLES = {
    "checkpoints": "checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata",
    "checkpoint_blobs": "checkpoint_ns, channel, version, type, blob",
    "checkpoint_writes": (
        "checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob"
    ),
}


def connect_postgres(url: str, *, serde: JsonPlusSerializer) -> ThreadedSaver:
    """Return a saver over a pool of connections; its tables are created or brought up to date.

    Args:
        url: `postgresql://user:password@host:5432/database`, as libpq reads it.
        serde: What turns state into bytes and back.

    Raises:
        ConfigurationError: The extra is not installed, or libpq cannot read the URL.
        MemoryStoreError: The server cannot be reached or refuses, now or later.
    """
    try:
        import psycopg
        from langgraph.checkpoint.postgres import PostgresSaver
        from psycopg_pool import ConnectionPool
    except ImportError as error:
        raise ConfigurationError(
            f"PostgreSQL checkpoints need the extra: pip install 'cogwork[postgres]' ({error})"
        ) from error
    options = _options(url)
    name = options.get("dbname") or options.get("user") or "default"
    where = f"database '{name}' on '{options.get('host') or 'localhost'}'"
    with _explained(where):
        with psycopg.connect(**options) as connection:
            _set_up(connection, PostgresSaver(connection).setup)
        pool: ConnectionPool[Any] = ConnectionPool(
            kwargs=options,
            min_size=1,
            max_size=_POOL_SIZE,
            check=ConnectionPool.check_connection,  # survives a restart of the server
            open=True,
        )
    saver: ThreadedSaver = _saver_class()(pool, where, serde)
    return saver


@functools.cache
def _saver_class() -> type[Any]:
    """The class, which exists only where the extra is installed."""
    from langgraph.checkpoint.postgres import PostgresSaver

    class PostgresCheckpointer(ThreadedSaver, PostgresSaver):
        """LangGraph's `PostgresSaver`, usable from event loops and closed with its last graph."""

        def __init__(self, pool: Any, where: str, serde: JsonPlusSerializer) -> None:
            super().__init__(pool, serde=serde)
            # The base class holds its lock while it holds a connection, which would make
            # one of the pool. The copies that `with_allowlist` makes share what replaces it.
            self.lock = nullcontext()  # type: ignore[assignment]  # only entered and left
            self.where = where
            self._closing = weakref.finalize(self.lock, pool.close)

        def close(self) -> None:
            """Close the connections; the saver cannot be used afterwards."""
            self._closing()

        @contextmanager
        def _cursor(self, *, pipeline: bool = False) -> Iterator[Any]:
            with _explained(self.where), super()._cursor(pipeline=pipeline) as cursor:
                yield cursor

        def delete_for_runs(self, run_ids: Sequence[str]) -> None:
            """Forget what these runs saved; the state is then what it was before them."""
            runs = ([str(run) for run in run_ids],)
            with self._cursor() as cursor, cursor.connection.transaction():
                _refuse_if_others_stand_on(runs, cursor)
                cursor.execute(_DELETE_WRITES_OF_RUNS, runs)
                cursor.execute(_DELETE_RUNS, runs)

        def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
            """Give another thread the whole history of this one."""
            threads = (str(target_thread_id), str(source_thread_id))
            with self._cursor() as cursor, cursor.connection.transaction():
                for table, columns in _TABLES.items():
                    cursor.execute(
                        f"INSERT INTO {table} (thread_id, {columns}) "  # noqa: S608 - constants
                        f"SELECT %s, {columns} FROM {table} WHERE thread_id = %s "
                        "ON CONFLICT DO NOTHING",
                        threads,
                    )

        async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
            """See `prune`."""
            await asyncio.to_thread(self.prune, thread_ids, strategy=strategy)

    return PostgresCheckpointer


def _refuse_if_others_stand_on(runs: tuple[list[str]], cursor: Any) -> None:
    cursor.execute(_STANDS_ON_RUNS, runs)
    if standing := cursor.fetchone():
        raise MemoryStoreError(STANDING.format(thread=standing["thread_id"]))


def _options(url: str) -> dict[str, Any]:
    """What a connection is made with; libpq's environment variables count as usual."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.rows import dict_row

    try:
        given = conninfo_to_dict(url)
    except ProgrammingError as error:
        raise ConfigurationError(
            f"libpq cannot read the checkpointer's URL: {redact(_line(error))}; "
            "write postgresql://user:password@host:5432/database"
        ) from None
    fixed = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    return {"connect_timeout": 10, **given, **fixed}


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


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _explained(where: str) -> Iterator[None]:
    from psycopg import Error, OperationalError

    try:
        yield
    except Error as error:
        raise MemoryStoreError(
            f"checkpoints in PostgreSQL, {where}: {_line(error)}; "
            "check that the server runs and that the URL names a role that may write there",
            details={"sqlstate": error.sqlstate},
            transient=isinstance(error, OperationalError),
        ) from error
