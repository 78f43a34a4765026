"""What the PostgreSQL checkpointer writes, in LangGraph's tables, many callers' rows at once."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from cogwork.core.errors import MemoryStoreError
from cogwork.memory.strict_serializer import SealedSerializer

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["PostgresRow", "commit", "refuse_plain", "row_of", "writes_of"]

_SURROGATE = re.compile(r"[\ud800-\udfff]")  # half of a pair, which is no text


@dataclass(frozen=True, slots=True)
class PostgresRow:
    """What one call saves: a checkpoint with its values, or writes of one task."""

    config: RunnableConfig
    checkpoint: tuple[Any, ...] | None = None
    blobs: Sequence[tuple[Any, ...]] = ()
    writes: Sequence[tuple[Any, ...]] = ()
    is_final: bool = True


def row_of(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    versions: ChannelVersions,
    serde: Any,
) -> PostgresRow:
    """Return a checkpoint as it is stored: plain values in it, others beside it.

    Encrypted, all of them stand beside it; so do texts and numbers that JSON has no place for.
    """
    from psycopg.types.json import Jsonb

    thread, namespace, parent = _place(config)
    inline: dict[str, Any] = {}
    apart: dict[str, Any] = {}
    for key, value in checkpoint["channel_values"].items():
        if isinstance(value, _DeltaSnapshot):
            apart[key], inline[key] = value, True  # so LangGraph knows where one is
        elif not isinstance(serde, SealedSerializer) and _is_json(value):
            inline[key] = value
        else:
            apart[key] = value
    blobs = [
        (thread, namespace, key, version, *serde.dumps_typed(apart[key]))
        for key, version in versions.items()
        if key in apart
    ]
    facts = get_serializable_checkpoint_metadata(config, metadata)
    body = Jsonb({**checkpoint, "channel_values": inline})
    row = (thread, namespace, checkpoint["id"], parent, body, Jsonb(facts))
    saved: RunnableConfig = {
        "configurable": {
            "thread_id": config["configurable"]["thread_id"],
            "checkpoint_ns": namespace,
            "checkpoint_id": checkpoint["id"],
        }
    }
    return PostgresRow(saved, row, blobs)


def writes_of(
    config: RunnableConfig, writes: Sequence[tuple[str, Any]], task: tuple[str, str], serde: Any
) -> PostgresRow:
    """Return what a task (its name and path) wrote as it is stored."""
    rows = [
        (*_place(config), *task, WRITES_IDX_MAP.get(channel, n), channel, *serde.dumps_typed(value))
        for n, (channel, value) in enumerate(writes)
    ]
    return PostgresRow(
        config, writes=rows, is_final=not all(channel in WRITES_IDX_MAP for channel, _ in writes)
    )


def commit(connection: "Connection[Any]", rows: Sequence[PostgresRow]) -> None:
    """Write all rows in one transaction.

    In the order of their keys: two processes that write the same rows wait for each other,
    and do not deadlock.
    """
    from langgraph.checkpoint.postgres.base import (
        INSERT_CHECKPOINT_WRITES_SQL,
        UPSERT_CHECKPOINT_BLOBS_SQL,
        UPSERT_CHECKPOINT_WRITES_SQL,
        UPSERT_CHECKPOINTS_SQL,
    )

    statements = (
        (UPSERT_CHECKPOINT_BLOBS_SQL, [each for row in rows for each in row.blobs], 4),
        (UPSERT_CHECKPOINTS_SQL, [row.checkpoint for row in rows if row.checkpoint], 3),
        (INSERT_CHECKPOINT_WRITES_SQL, _writes(rows, is_final=True), 4),
        (UPSERT_CHECKPOINT_WRITES_SQL, _writes(rows, is_final=False), 4),
    )
    with connection.pipeline(), connection.transaction(), connection.cursor(binary=True) as cursor:
        for statement, values, key in statements:
            if values:
                cursor.executemany(statement, sorted(values, key=itemgetter(*range(key))))


def refuse_plain(row: Any, serde: Any) -> None:
    """Refuse a checkpoint with values that are not encrypted, where all must be.

    Raises:
        MemoryStoreError: It has one.
    """
    if not isinstance(serde, SealedSerializer):
        return
    apart = {bytes(key).decode() for key, _, _ in row["channel_values"] or ()}
    for key, value in (row["checkpoint"].get("channel_values") or {}).items():
        if value is not True or key not in apart:
            raise MemoryStoreError(
                f"a checkpoint's value of '{key}' is not encrypted, but this checkpointer reads "
                "only what is; open the database without a key to read it, or delete the thread"
            )


def _writes(rows: Sequence[PostgresRow], *, is_final: bool) -> list[tuple[Any, ...]]:
    return [each for row in rows if row.is_final is is_final for each in row.writes]


def _place(config: RunnableConfig) -> tuple[str, str, str | None]:
    wanted = config["configurable"]
    identity = wanted.get("checkpoint_id")
    return str(wanted["thread_id"]), wanted.get("checkpoint_ns") or "", identity


def _is_json(value: Any) -> bool:
    """Whether PostgreSQL's JSON can hold a plain value: it has neither NUL nor infinity."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return "\0" not in value and (value.isascii() or not _SURROGATE.search(value))
    return value is None or isinstance(value, int)
