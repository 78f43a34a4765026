"""Checkpoints in one SQLite file."""

import json
import sqlite3
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from cogwork.core.errors import MemoryStoreError
from cogwork.memory.async_saver import ThreadedSaver

__all__ = ["SqliteCheckpointer"]

_CHECKPOINTS = "checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata"
_WRITES = "checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value"
_OF_RUNS = """
    CASE WHEN json_valid(CAST(metadata AS TEXT))
    THEN json_extract(CAST(metadata AS TEXT), '$.run_id') END IN (SELECT value FROM json_each(?))
"""
_STANDS_ON_RUNS = f"""
    WITH gone AS (SELECT * FROM checkpoints WHERE {_OF_RUNS})
    SELECT kept.thread_id FROM checkpoints AS kept JOIN gone
    ON kept.thread_id = gone.thread_id AND kept.checkpoint_ns = gone.checkpoint_ns
    AND kept.parent_checkpoint_id = gone.checkpoint_id
    WHERE NOT EXISTS (
        SELECT 1 FROM gone AS other WHERE other.thread_id = kept.thread_id
        AND other.checkpoint_ns = kept.checkpoint_ns AND other.checkpoint_id = kept.checkpoint_id
    ) LIMIT 1
"""  # noqa: S608 - constants only
STANDING = (
    "the runs cannot be deleted: later ones of thread '{thread}' hold only what they changed "
    "and stand on them; delete those as well, or the whole thread"
)
_ADVICE = {  # by the start of SQLite's name for the error
    "SQLITE_BUSY": "another process is writing to it; try again, lengthen the wait by "
    "'?timeout=seconds' in the URL, or use postgresql:// when many processes write",
    "SQLITE_CANTOPEN": "make its folder writable or choose another path",
    "SQLITE_CORRUPT": "the file is damaged; restore a copy, or move it away to start afresh",
    "SQLITE_FULL": "free some disk space; what was saved before is intact",
    "SQLITE_IOERR": "the disk is full, over quota or failing; what was saved before is intact",
    "SQLITE_NOTADB": "the file is something else or damaged; move it away or choose another path",
    "SQLITE_READONLY": "make the file and its folder writable or choose another path",
}


class SqliteCheckpointer(ThreadedSaver, SqliteSaver):
    """LangGraph's `SqliteSaver` made durable and usable from threads and event loops.

    Write-ahead log with full synchronisation: what was saved survives a loss of power,
    and several processes may share the file. It is closed by `with`, by `close()`, or
    when the last graph that uses it is gone.

    Args:
        path: The file; it and its folders are created.
        serde: What turns state into bytes and back.
        timeout: Seconds to wait for another process that writes.

    Raises:
        MemoryStoreError: The file cannot be opened, now or later.
    """

    def __init__(self, path: Path, *, serde: JsonPlusSerializer, timeout: float = 30) -> None:
        self.path = path.absolute()
        with _explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = _connect(self.path, timeout)
        super().__init__(connection, serde=serde)
        self.jsonplus_serde = serde  # the base class would make a permissive one
        # `with_allowlist` copies the saver; all copies share the lock and the connection.
        self._closing = weakref.finalize(self.lock, connection.close)
        with self.lock, _explained(self.path):
            self.setup()

    def close(self) -> None:
        """Close the file; the saver cannot be used afterwards."""
        with self.lock:
            self._closing()

    @contextmanager
    def cursor(
        self,
        transaction: bool = True,  # noqa: ARG002 - reads end their transaction too
    ) -> Iterator[sqlite3.Cursor]:
        """Lend the connection for one transaction; what fails half-way leaves nothing."""
        with (
            self.lock,
            _explained(self.path),
            self.conn,
            closing(self.conn.cursor()) as cursor,
        ):
            yield cursor

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - named by the base class
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Newest first; all are read at once, so the caller may use the saver meanwhile."""
        found = super().list(config, filter=filter, before=before, limit=limit)
        return iter(tuple(found))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Forget what these runs saved; the state is then what it was before them.

        Args:
            run_ids: As they stand under `run_id` in the checkpoints' metadata.

        Raises:
            MemoryStoreError: Another run of the thread stands on one of these.
        """
        runs = (json.dumps([str(run) for run in run_ids]),)
        key = "thread_id, checkpoint_ns, checkpoint_id"
        with self.cursor() as cursor:
            cursor.execute(_STANDS_ON_RUNS, runs)
            if standing := cursor.fetchone():
                raise MemoryStoreError(STANDING.format(thread=standing[0]))
            cursor.execute(
                f"DELETE FROM writes WHERE ({key}) IN "  # noqa: S608 - constants only
                f"(SELECT {key} FROM checkpoints WHERE {_OF_RUNS})",
                runs,
            )
            cursor.execute(f"DELETE FROM checkpoints WHERE {_OF_RUNS}", runs)  # noqa: S608

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Give another thread the whole history of this one."""
        threads = (str(target_thread_id), str(source_thread_id))
        with self.cursor() as cursor:
            for table, columns in (("checkpoints", _CHECKPOINTS), ("writes", _WRITES)):
                cursor.execute(
                    f"INSERT OR IGNORE INTO {table} (thread_id, {columns}) "  # noqa: S608
                    f"SELECT ?, {columns} FROM {table} WHERE thread_id = ?",
                    threads,
                )


def _connect(path: Path, timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=timeout, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        _use_write_ahead_log(connection, timeout)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _use_write_ahead_log(connection: sqlite3.Connection, timeout: float) -> None:
    """SQLite does not wait its timeout when two processes switch a new file at once."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Raise what SQLite and the file system say as errors that name the way out."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        advice = next((text for start, text in _ADVICE.items() if name.startswith(start)), "")
        if path.is_dir():
            advice = "this is a folder; name a file in it"
        elif "closed database" in str(error):
            advice = "the checkpointer was closed; create another"
        raise MemoryStoreError(
            f"checkpoints in '{path}': {error}" + (f"; {advice}" if advice else ""),
            details={"path": str(path), "sqlite": name},
            transient=name.startswith("SQLITE_BUSY"),
        ) from error
    except OSError as error:
        raise MemoryStoreError(
            f"checkpoints in '{path}': the folder cannot be created ({error.strerror}); "
            "choose another path",
            details={"path": str(path)},
        ) from error
