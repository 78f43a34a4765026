"""Checkpoints in one SQLite file."""

import functools
import json
import random
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    PendingWrite,
    get_checkpoint_metadata,
)

from cogwork.memory.async_saver import ThreadedSaver
from cogwork.memory.saver import pruning
from cogwork.memory.saver.commits import Commits
from cogwork.memory.saver.file import CheckpointFile
from cogwork.memory.saver.fresh import Fresh
from cogwork.memory.saver.history import (
    read_history,
    store_snapshots,
    without_lists,
)
from cogwork.memory.saver.migration import is_ready, prepare
from cogwork.memory.saver.reading import config_of, place_of, read_checkpoints
from cogwork.memory.saver.rows import (
    Row,
    insert,
    listed,
    read_writes,
    short,
    slim,
    write,
)
from cogwork.memory.strict_serializer import StrictSerializer

__all__ = ["SqliteCheckpointer"]

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_WRITTEN = (
    "SELECT task_id, channel, w.type, value, task_path, idx, w.checksum "
    "FROM checkpoints LEFT JOIN writes w ON c = n AND channel = ? "
    "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ? AND checkpoint IS NOT NULL"
)


class SqliteCheckpointer(ThreadedSaver):
    """Keeps threads in a file: durable, and quick when many of them run at once.

    Write-ahead log with full synchronisation: what was saved survives a loss of power. All
    that is to be written while one transaction is made durable goes into the next; a caller
    goes on when its own is. Several processes may share the file. It is closed by `with`, by
    `close()`, or when the last graph that uses it is gone.

    Args:
        path: The file; it and its folders are created. One of LangGraph's `SqliteSaver` is
            taken over.
        serde: What turns state into bytes and back.
        timeout: Seconds to wait for another process that writes.

    Raises:
        MemoryStoreError: The file cannot be opened, now or later.
    """

    def __init__(self, path: Path, *, serde: StrictSerializer, timeout: float = 30) -> None:
        super().__init__(serde=serde)
        file = CheckpointFile(path, timeout, is_ready, prepare)
        commits: Commits[Row] = Commits(functools.partial(_commit, file))
        self._file = file
        self._commits = commits
        self._fresh = Fresh()
        # `with_allowlist` copies the saver; the copies share this, and the last closes the file.
        self._last = _Last()
        self._closing = weakref.finalize(self._last, _close, commits, file)

    @property
    def conn(self) -> sqlite3.Connection:
        """The connection that writes, for a look into the file."""
        return self._file.writer

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def close(self) -> None:
        """Close the file; the saver cannot be used afterwards."""
        self._closing()

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002 - named by the base class
    ) -> RunnableConfig:
        """Save a checkpoint; it is durable when this returns."""
        row = self._checkpoint(config, checkpoint, metadata)
        self._file.write(lambda cursor: _save(cursor, [row]))
        self._fresh.saved(row.place)
        return config_of(row.place)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002 - named by the base class
    ) -> RunnableConfig:
        """See `put`."""
        row = self._checkpoint(config, checkpoint, metadata)
        await self._commits.write(row)
        self._fresh.saved(row.place)
        return config_of(row.place)

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Save what a task wrote; it is durable when this returns."""
        if row := self._writes(config, writes, task_id, task_path):
            self._file.write(lambda cursor: _save(cursor, [row]))

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """See `put_writes`."""
        if row := self._writes(config, writes, task_id, task_path):
            await self._commits.write(row)

    def note_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str
    ) -> None:
        """Save writes without waiting for the disk; a loss of power may take them.

        Once anything later is saved by `put` or `put_writes`, it may not.
        """
        if row := self._writes(config, writes, task_id):
            self._file.write(lambda cursor: _save(cursor, [row]), synced=False)

    async def anote_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str
    ) -> None:
        """See `note_writes`."""
        if row := self._writes(config, writes, task_id):
            await self._commits.write(row._replace(is_synced=False))

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return a checkpoint, the newest of its thread unless the config names one."""
        wanted = {"checkpoint_ns": "", **config["configurable"]}
        with self._file.read() as cursor:
            return next(read_checkpoints(cursor, self._serde, wanted, limit=1), None)

    def written(self, config: RunnableConfig, channel: str) -> Sequence[PendingWrite] | None:
        """Return what tasks wrote to a channel under a checkpoint; None when that is not saved."""
        place = place_of(config)
        if place in self._fresh:
            return []
        rows = self._file.rows(_WRITTEN, (channel, *place))
        if not rows:
            return None
        writes = read_writes(row for row in rows if row[1] is not None)
        return [(each.task_id, channel, self.serde.loads_typed(each.typed)) for each in writes]

    async def awritten(self, config: RunnableConfig, channel: str) -> Sequence[PendingWrite] | None:
        """See `written`."""
        if place_of(config) in self._fresh:  # which takes no thread to say
            return []
        return await super().awritten(config, channel)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - named by the base class
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Newest first; all are read at once, so the caller may use the saver meanwhile."""
        earliest = before["configurable"].get("checkpoint_id") if before else None
        wanted = config["configurable"] if config else None
        with self._file.read() as cursor:
            found = read_checkpoints(
                cursor, self._serde, wanted, metadata=filter, before=earliest, limit=limit
            )
            return iter(tuple(found))

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what ancestors wrote to the channels since each one's last snapshot."""
        place = place_of(config)
        if not place[2]:
            newest = self.get_tuple(config)
            if newest is None:
                return {channel: {"writes": []} for channel in channels}
            place = place_of(newest.config)
        with self._file.read() as cursor:
            return read_history(cursor, place, channels, self._serde)

    def delete_thread(self, thread_id: str) -> None:
        """Forget a thread."""
        self._file.write(lambda cursor: pruning.delete_threads(cursor, [str(thread_id)]))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Forget what these runs saved; the state is then what it was before them.

        Args:
            run_ids: As they stand under `run_id` in the checkpoints' metadata.

        Raises:
            MemoryStoreError: Another run of the thread stands on one of these.
        """
        runs = [str(run) for run in run_ids]
        self._file.write(lambda cursor: pruning.delete_runs(cursor, runs))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Give another thread the whole history of this one."""
        threads = (str(source_thread_id), str(target_thread_id))
        self._file.write(lambda cursor: pruning.copy_thread(cursor, *threads))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Forget the past of threads, or all of them.

        Args:
            thread_ids: Which; others are left alone.
            strategy: `keep_latest` leaves the newest checkpoint of each namespace, and of
                what `DeltaChannel`s wrote before it what it is made of; `delete` nothing.

        Raises:
            ConfigurationError: There is no such strategy.
        """
        pruning.check_strategy(strategy, thread_ids)
        for thread in map(str, thread_ids):
            if strategy == "delete":
                self.delete_thread(thread)
            else:
                self._file.write(
                    functools.partial(pruning.keep_latest, thread=thread, serde=self._serde)
                )

    def idle_threads(self, seconds: float) -> Sequence[str]:
        """Return the threads that saved nothing for so long, for `prune`."""
        with self._file.read() as cursor:
            return pruning.idle_threads(cursor, seconds)

    def get_next_version(self, current: Any, channel: None) -> Any:  # noqa: ARG002
        """Return the version after this one: short, as every checkpoint holds dozens.

        A thread that LangGraph's saver began keeps its form.
        """
        if not isinstance(current, str):
            return 1 if current is None else current + 1
        return f"{int(current.split('.')[0]) + 1:032}.{random.random():016}"  # noqa: S311 - as there

    @property
    def _serde(self) -> StrictSerializer:
        return self.serde  # type: ignore[return-value]  # given so, and copied so

    def _checkpoint(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata
    ) -> Row:
        thread, namespace, parent = place_of(config)
        values, snapshots = without_lists(checkpoint["channel_values"], self._serde)
        kept: Any = {**checkpoint, "channel_values": values} if snapshots else checkpoint
        text = _compact.encode(get_checkpoint_metadata(config, metadata))
        place = (thread, namespace, short(checkpoint["id"]))
        typed = self.serde.dumps_typed(slim(kept))
        facts = text.encode("utf-8", "ignore")
        row = (*place, parent or None, *typed, facts, listed(values), crc32(typed[1]))
        return Row(place, row, snapshots=snapshots)

    def _writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        path: str = "",
    ) -> Row | None:
        if not writes:
            return None
        place = place_of(config)
        self._fresh.written(place)
        rows = [
            write(
                (task_id, path),
                WRITES_IDX_MAP.get(channel, number),
                channel,
                self.serde.dumps_typed(value),
            )
            for number, (channel, value) in enumerate(writes)
        ]
        replaces = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        return Row(place, writes=rows, is_final=not replaces)


def _commit(file: CheckpointFile, rows: Sequence[Row]) -> None:
    file.write(lambda cursor: _save(cursor, rows), synced=any(row.is_synced for row in rows))


def _save(cursor: sqlite3.Cursor, rows: Sequence[Row]) -> None:
    insert(cursor, rows)
    for row in rows:
        if row.snapshots:
            store_snapshots(cursor, row.place, row.snapshots)


class _Last:
    """What the copies of a saver share."""


def _close(commits: Commits[Row], file: CheckpointFile) -> None:
    if commits.is_here:  # in the middle of a commit, whose lock the file would wait for
        threading.Thread(target=_close, args=(commits, file)).start()
        return
    commits.close()
    file.close()
