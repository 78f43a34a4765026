"""Deleting, copying and shortening threads in a SQLite file, each in the transaction it is given."""

import json
import sqlite3
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from cogwork.core.errors import ConfigurationError, MemoryStoreError
from cogwork.memory.saver.history import (
    own_snapshots,
    since_seed,
    store_snapshots,
    without_lists,
)
from cogwork.memory.saver.rows import COLUMNS, Place, Row, insert, listed, named, short, write
from cogwork.memory.strict_serializer import StrictSerializer

__all__ = ["STANDING", "check_strategy", "copy_thread", "delete_runs", "delete_threads"]
__all__ += ["earliest_id", "idle_threads", "keep_latest"]

STANDING = (
    "the runs cannot be deleted: later ones of thread '{thread}' hold only what they changed "
    "and stand on them; delete those as well, or the whole thread"
)
_METADATA = "CASE WHEN json_valid(CAST(metadata AS TEXT)) THEN CAST(metadata AS TEXT) END"
_OF_RUNS = f"json_extract({_METADATA}, '$.run_id') IN (SELECT value FROM json_each(?))"  # noqa: S608 - constants
_STANDS_ON_RUNS = f"""
    WITH gone AS (SELECT * FROM checkpoints WHERE {_OF_RUNS}),
    kept AS (SELECT *, {_METADATA} AS facts FROM checkpoints WHERE n NOT IN (SELECT n FROM gone))
    SELECT kept.thread_id FROM kept JOIN gone
    ON kept.thread_id = gone.thread_id AND kept.checkpoint_ns = gone.checkpoint_ns
    AND kept.parent_checkpoint_id = gone.checkpoint_id
    WHERE json_extract(kept.facts, '$.counters_since_delta_snapshot') IS NOT NULL
    OR kept.n IN (SELECT c FROM snapshots WHERE recipe IS NOT NULL) LIMIT 1
"""  # noqa: S608 - constants only
_COUNTERS = "counters_since_delta_snapshot"
_DAY_ZERO = 0x01B21DD213814000  # of a UUID's clock, to the epoch in units of 100 ns


def delete_threads(cursor: sqlite3.Cursor, threads: Sequence[str]) -> None:
    """Forget threads."""
    _delete(cursor, "thread_id IN (SELECT value FROM json_each(?))", (json.dumps(threads),))


def delete_runs(cursor: sqlite3.Cursor, runs: Sequence[str]) -> None:
    """Forget what runs saved.

    Raises:
        MemoryStoreError: Another run stands on them.
    """
    names = (json.dumps(runs),)
    if standing := cursor.execute(_STANDS_ON_RUNS, names).fetchone():
        raise MemoryStoreError(STANDING.format(thread=standing[0]))
    _delete(cursor, _OF_RUNS, names)


def copy_thread(cursor: sqlite3.Cursor, source: str, target: str) -> None:
    """Give another thread what this one has; what it has itself stays."""
    columns = COLUMNS.removeprefix("thread_id, ")
    cursor.execute(
        f"INSERT OR IGNORE INTO checkpoints (thread_id, {columns}) "  # noqa: S608 - constants
        f"SELECT ?, {columns} FROM checkpoints WHERE thread_id = ?",
        (target, source),
    )
    for table, rest in (
        ("writes", "task_id, idx, channel, type, value, task_path, checksum"),
        ("snapshots", "channel, type, value, recipe, depth"),
    ):
        own = ", ".join(f"{table}.{column}" for column in rest.split(", "))
        cursor.execute(
            f"INSERT OR IGNORE INTO {table} (c, {rest}) SELECT new.n, {own} FROM {table} "  # noqa: S608 - constants
            "JOIN checkpoints old ON old.n = c JOIN checkpoints new ON new.thread_id = ? AND "
            "new.checkpoint_ns = old.checkpoint_ns AND new.checkpoint_id = old.checkpoint_id "
            "WHERE old.thread_id = ?",
            (target, source),
        )


def check_strategy(strategy: str, threads: Sequence[str]) -> None:
    """Refuse what `prune` cannot do.

    Raises:
        ConfigurationError: There is no such strategy, or the threads are one string.
    """
    if strategy not in {"keep_latest", "delete"}:
        raise ConfigurationError(f"no strategy '{strategy}'; choose 'keep_latest' or 'delete'")
    if isinstance(threads, str):
        raise ConfigurationError(f"threads are '{threads}'; give a list of their names")


def keep_latest(cursor: sqlite3.Cursor, thread: str, serde: StrictSerializer) -> None:
    """Leave of each namespace the newest checkpoint, and what it is made of.

    What `DeltaChannel`s wrote before it moves into one checkpoint below it, as LangGraph does
    with `durability="exit"`. Calls of subgraphs go with the checkpoint that made them.
    """
    heads = cursor.execute(
        "SELECT checkpoint_ns, max(checkpoint_id) FROM checkpoints "
        "WHERE thread_id = ? AND checkpoint IS NOT NULL GROUP BY checkpoint_ns",
        (thread,),
    ).fetchall()
    root = dict(heads).get("")
    for namespace, head in heads:
        place = (thread, namespace, head)
        if _is_ended_call(cursor, place, root):
            _delete(cursor, "thread_id = ? AND checkpoint_ns = ?", place[:2])
        else:
            _shorten(cursor, place, serde)


def idle_threads(cursor: sqlite3.Cursor, seconds: float) -> list[str]:
    """Return the threads whose newest checkpoint is older than so many seconds."""
    found = cursor.execute(
        "SELECT thread_id FROM checkpoints GROUP BY thread_id HAVING max(checkpoint_id) < ?",
        (short(earliest_id(time.time() - seconds)),),
    )
    return [thread for (thread,) in found]


def earliest_id(moment: float) -> str:
    """Return the smallest identity that a checkpoint of that moment (in Unix time) may have."""
    ticks = int(moment * 10_000_000) + _DAY_ZERO
    high, low = ticks >> 12, ticks & 0xFFF
    return str(uuid.UUID(int=(high << 80) | (0x6 << 76) | (low << 64)))


def _delete(cursor: sqlite3.Cursor, which: str, values: Sequence[Any]) -> None:
    """Delete checkpoints with what belongs to them; whose parent is gone has none."""
    chosen = f"SELECT n FROM checkpoints WHERE {which}"  # noqa: S608 - constants
    for table in ("writes", "snapshots"):
        cursor.execute(f"DELETE FROM {table} WHERE c IN ({chosen})", values)  # noqa: S608
    gone = cursor.execute(
        f"DELETE FROM checkpoints WHERE {which} RETURNING thread_id",  # noqa: S608 - constants
        values,
    ).fetchall()
    cursor.execute(
        "UPDATE checkpoints AS kept SET parent_checkpoint_id = NULL "
        "WHERE parent_checkpoint_id IS NOT NULL "
        "AND thread_id IN (SELECT value FROM json_each(?)) AND NOT EXISTS ("
        "SELECT 1 FROM checkpoints parent WHERE parent.thread_id = kept.thread_id "
        "AND parent.checkpoint_ns = kept.checkpoint_ns "
        "AND parent.checkpoint_id = kept.parent_checkpoint_id)",
        (json.dumps(list({thread for (thread,) in gone})),),
    )


def _is_ended_call(cursor: sqlite3.Cursor, place: Place, root: str | bytes | None) -> bool:
    """Whether a namespace is a subgraph's call from a checkpoint that goes.

    Such a namespace has the task's name behind a colon. A call that was saved before the
    checkpoint it was made from stays.
    """
    if ":" not in place[1]:
        return False
    caller = (_facts(cursor, place).get("parents") or {}).get("")
    if caller is None or short(caller) == root:
        return False
    known = (
        "SELECT 1 FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = '' AND checkpoint_id = ?"
    )
    return cursor.execute(known, (place[0], short(caller))).fetchone() is not None


def _shorten(cursor: sqlite3.Cursor, head: Place, serde: StrictSerializer) -> None:
    """Delete what is behind a checkpoint, but for what its `DeltaChannel`s are made of."""
    whole = own_snapshots(cursor, head, serde)
    base = _base(cursor, head, serde)
    _delete(cursor, "thread_id = ? AND checkpoint_ns = ? AND checkpoint_id <> ?", head)
    store_snapshots(cursor, head, whole)
    if base is None:
        return
    insert(cursor, [base])
    store_snapshots(cursor, base.place, base.snapshots)
    cursor.execute(
        "UPDATE checkpoints SET parent_checkpoint_id = ? "
        "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
        (base.place[2], *head),
    )


def _base(cursor: sqlite3.Cursor, head: Place, serde: StrictSerializer) -> Row | None:
    """One checkpoint that stands for all before it, with its parent's name."""
    row = cursor.execute(
        "SELECT parent_checkpoint_id FROM checkpoints "
        "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
        head,
    ).fetchone()
    channels = _facts(cursor, head).get(_COUNTERS) or {}
    if not row[0] or not channels:
        return None
    place = (head[0], head[1], row[0])
    writes: list[tuple[Any, ...]] = []
    seeds: dict[str, Any] = {}
    for channel in channels:
        written, seed = since_seed(cursor, head, channel, serde)
        for each in written:
            count = len(writes)  # in the order of execution, behind any real task
            task = (str(uuid.UUID(int=(0xFFFFFFFF << 96) | count)), f"~~{count:010d}")
            writes.append(write(task, 0, channel, each.typed))
        for value in seed:
            seeds[channel] = value
    values, snapshots = without_lists(seeds, serde)
    body = {
        "v": 4,
        "id": named(place[2]),
        "ts": datetime.now(UTC).isoformat(),
        "channel_values": values,
        "channel_versions": {},
        "versions_seen": {},
        "updated_channels": None,
    }
    kind, data = serde.dumps_typed(body)
    checkpoint = (*place, None, kind, data, b'{"step":-2}', listed(seeds), crc32(data))
    return Row(place, checkpoint, writes, snapshots=snapshots)


def _facts(cursor: sqlite3.Cursor, place: Place) -> dict[str, Any]:
    row = cursor.execute(
        f"SELECT {_METADATA} FROM checkpoints "  # noqa: S608 - constants
        "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
        place,
    ).fetchone()
    found: dict[str, Any] = json.loads(row[0]) if row and row[0] else {}
    return found
