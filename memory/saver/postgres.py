"""The PostgreSQL checkpointer itself; imported only where the extra `postgres` is installed."""

import functools
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.postgres import PostgresSaver
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from cogwork.core.errors import MemoryStoreError
from cogwork.core.postgres import Server
from cogwork.memory.async_saver import ThreadedSaver
from cogwork.memory.saver.commits import Commits
from cogwork.memory.saver.postgres_rows import PostgresRow, commit, refuse_plain, row_of, writes_of
from cogwork.memory.saver.pruning import STANDING, check_strategy, earliest_id
from cogwork.memory.strict_serializer import StrictSerializer

__all__ = ["PostgresCheckpointer"]

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
    ) AND jsonb_exists(kept.metadata, 'counters_since_delta_snapshot') LIMIT 1
"""
_IDLE = "SELECT thread_id FROM checkpoints GROUP BY thread_id HAVING max(checkpoint_id) < %s"
_DELETE_RUNS = "DELETE FROM checkpoints WHERE metadata ->> 'run_id' = ANY(%s)"
_TABLES = {
    "checkpoints": "checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata",
    "checkpoint_blobs": "checkpoint_ns, channel, version, type, blob",
    "checkpoint_writes": (
        "checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob"
    ),
}


class PostgresCheckpointer(ThreadedSaver, PostgresSaver):
    """LangGraph's `PostgresSaver`, usable from event loops and closed with its last graph."""

    def __init__(self, pool: Any, server: Server, serde: StrictSerializer) -> None:
        super().__init__(pool, serde=serde)
        self._commits: Commits[PostgresRow] = Commits(functools.partial(_commit, pool, server))
        # The base class holds its lock while it holds a connection, which would make
        # one of the pool. The copies that `with_allowlist` makes share what replaces it.
        self.lock = nullcontext()  # type: ignore[assignment]  # only entered and left
        self.server = server
        self._closing = weakref.finalize(self.lock, _close, self._commits, pool)

    def close(self) -> None:
        """Close the connections; the saver cannot be used afterwards."""
        self._closing()

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint; it is durable when this returns."""
        row = row_of(config, checkpoint, metadata, new_versions, self.serde)
        _commit(self.conn, self.server, [row])
        return row.config

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `put`."""
        row = row_of(config, checkpoint, metadata, new_versions, self.serde)
        await self._commits.write(row)
        return row.config

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Save what a task wrote; it is durable when this returns."""
        row = writes_of(config, writes, (task_id, task_path), self.serde)
        _commit(self.conn, self.server, [row])

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """See `put_writes`."""
        row = writes_of(config, writes, (task_id, task_path), self.serde)
        await self._commits.write(row)

    def _load_checkpoint_tuple(self, value: Any) -> CheckpointTuple:
        refuse_plain(value, self.serde)
        return super()._load_checkpoint_tuple(value)

    @contextmanager
    def _cursor(self, *, pipeline: bool = False) -> Iterator[Any]:
        with self.server.explained(), super()._cursor(pipeline=pipeline) as cursor:
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

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Forget the past of threads, or all of them.

        Raises:
            ConfigurationError: There is no such strategy.
            MemoryStoreError: `keep_latest` of a thread with a `DeltaChannel`.
        """
        check_strategy(strategy, thread_ids)
        try:
            super().prune(thread_ids, strategy=strategy)
        except NotImplementedError as error:
            raise MemoryStoreError(
                f"PostgreSQL cannot shorten these threads: {error}, whose value is made of "
                "what its earlier checkpoints wrote; delete them whole (strategy='delete'), "
                "or keep them"
            ) from error

    def idle_threads(self, seconds: float) -> Sequence[str]:
        """Return the threads that saved nothing for so long, for `prune`."""
        with self._cursor() as cursor:
            cursor.execute(_IDLE, (earliest_id(time.time() - seconds),))
            return [row["thread_id"] for row in cursor.fetchall()]


def _commit(pool: Any, server: Server, rows: Sequence[PostgresRow]) -> None:
    """Write rows in one transaction; once more when the server was restarted meanwhile.

    The same rows may be written twice: the second time changes nothing.
    """
    with server.explained():
        try:
            with pool.connection() as connection:
                commit(connection, rows)
        except PoolTimeout:  # it has waited long enough
            raise
        except OperationalError:
            with pool.connection() as connection:
                commit(connection, rows)


def _close(commits: Commits[PostgresRow], pool: Any) -> None:
    if commits.is_here:
        threading.Thread(target=_close, args=(commits, pool)).start()
        return
    commits.close()
    pool.close()


def _refuse_if_others_stand_on(runs: tuple[list[str]], cursor: Any) -> None:
    cursor.execute(_STANDS_ON_RUNS, runs)
    if standing := cursor.fetchone():
        raise MemoryStoreError(STANDING.format(thread=standing["thread_id"]))
