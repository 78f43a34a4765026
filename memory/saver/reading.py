"""Checkpoints as they are read from a SQLite file."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple

from cogwork.core.errors import MemoryStoreError
from cogwork.memory.saver.history import with_lists
from cogwork.memory.saver.rows import (
    COLUMNS,
    WRITE_COLUMNS,
    Place,
    conditions,
    full,
    intact,
    named,
    read_writes,
    short,
)
from cogwork.memory.strict_serializer import StrictSerializer

__all__ = ["config_of", "place_of", "read_checkpoints"]

_PENDING = f"SELECT {WRITE_COLUMNS} FROM writes WHERE c = ?"  # noqa: S608 - constants


def read_checkpoints(
    cursor: sqlite3.Cursor,
    serde: StrictSerializer,
    wanted: Mapping[str, Any] | None,
    *,
    metadata: Mapping[str, Any] | None = None,
    before: str | None = None,
    limit: int | None = None,
) -> Iterator[CheckpointTuple]:
    """Yield checkpoints with what was written under them, newest first.

    Args:
        cursor: Sees one state of the file.
        serde: What turns bytes into state.
        wanted: Thread, namespace and checkpoint, as far as the caller names them.
        metadata: What they must have in it.
        before: A checkpoint that they are older than.
        limit: How many at most.

    Raises:
        MemoryStoreError: One is damaged, or names what may not be constructed.
    """
    where, values = conditions(wanted, metadata, before)
    query = f"SELECT n, {COLUMNS} FROM checkpoints {where} ORDER BY checkpoint_id DESC LIMIT ?"  # noqa: S608 - the values are bound
    for row in cursor.execute(query, (*values, -1 if limit is None else limit)).fetchall():
        yield _loaded(cursor, serde, row)


def place_of(config: RunnableConfig) -> Place:
    """Return what a config names."""
    wanted = config["configurable"]
    return (
        str(wanted["thread_id"]),
        wanted.get("checkpoint_ns") or "",
        short(wanted.get("checkpoint_id") or ""),
    )


def config_of(place: Place) -> RunnableConfig:
    """Return what names a checkpoint."""
    thread, namespace, identity = place
    return {
        "configurable": {
            "thread_id": thread,
            "checkpoint_ns": namespace,
            "checkpoint_id": named(identity),
        }
    }


def _loaded(
    cursor: sqlite3.Cursor, serde: StrictSerializer, row: tuple[Any, ...]
) -> CheckpointTuple:  # fmt: skip
    n, thread, namespace, identity, parent, kind, body, metadata, _, checksum = row
    place = (thread, namespace, identity)
    checkpoint = full(serde.loads_typed(intact(kind, body, checksum)), named(identity))
    values = with_lists(cursor, n, place, checkpoint["channel_values"], serde)
    writes = read_writes(cursor.execute(_PENDING, (n,)))
    return CheckpointTuple(
        config_of(place),
        {**checkpoint, "channel_values": values},
        _metadata(metadata),
        config_of((thread, namespace, parent)) if parent else None,
        [(each.task_id, each.channel, serde.loads_typed(each.typed)) for each in writes],
    )


def _metadata(text: bytes | None) -> Any:
    try:
        return json.loads(text) if text is not None else {}
    except ValueError as error:
        raise MemoryStoreError(
            f"a checkpoint's metadata cannot be read: {error}; the file is damaged; delete the "
            "thread or restore a copy"
        ) from error
