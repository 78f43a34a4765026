"""The tables of a SQLite file of checkpoints, and how rows get in and out of them.

Writes name their checkpoint by a number, and tasks and checkpoints go by the 16 bytes of their
UUID, because names would be longer than most of what is written. Bytes sort as the names do. A write may come before its checkpoint,
whose row is then empty as yet.
"""

import functools
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast
from zlib import crc32

from langgraph.checkpoint.base import Checkpoint, writes_sort_key

from cogwork.core.errors import MemoryStoreError

__all__ = [
    "COLUMNS",
    "WRITE_COLUMNS",
    "Place",
    "Row",
    "Rows",
    "StoredWrite",
    "conditions",
    "create",
    "insert",
]
__all__ += ["full", "intact", "listed", "named", "read_writes", "short", "slim", "write"]

Place = tuple[str, str, str | bytes]
"""Thread, namespace and checkpoint, this by its short name."""

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS checkpoints (
        n INTEGER PRIMARY KEY,
        thread_id TEXT NOT NULL,
        checkpoint_ns TEXT NOT NULL,
        checkpoint_id NOT NULL,
        parent_checkpoint_id,
        type TEXT,
        checkpoint BLOB,
        metadata BLOB,
        channels TEXT,
        checksum INTEGER,
        UNIQUE (thread_id, checkpoint_ns, checkpoint_id)
    )""",
    """CREATE TABLE IF NOT EXISTS writes (
        c INTEGER NOT NULL,
        task_id NOT NULL,
        idx INTEGER NOT NULL,
        channel TEXT NOT NULL,
        type TEXT,
        value BLOB,
        task_path TEXT NOT NULL,
        checksum INTEGER,
        UNIQUE (c, task_id, idx)
    )""",
    """CREATE TABLE IF NOT EXISTS snapshots (
        c INTEGER NOT NULL,
        channel TEXT NOT NULL,
        type TEXT NOT NULL,
        value BLOB NOT NULL,
        recipe TEXT,
        depth INTEGER NOT NULL,
        PRIMARY KEY (c, channel)
    ) WITHOUT ROWID""",
)
COLUMNS = (
    "thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata, "
    "channels, checksum"
)
_PLACES = "INSERT OR IGNORE INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id) VALUES "
WRITE_COLUMNS = "task_id, channel, type, value, task_path, idx, checksum"
_CHECKPOINTS = f"INSERT INTO checkpoints ({COLUMNS}) VALUES "  # noqa: S608 - constants
_OR_UPDATED = """ ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id) DO UPDATE SET
    parent_checkpoint_id = excluded.parent_checkpoint_id, type = excluded.type,
    checkpoint = excluded.checkpoint, metadata = excluded.metadata,
    channels = excluded.channels, checksum = excluded.checksum"""
_WRITES = "INTO writes (c, task_id, task_path, idx, channel, type, value, checksum) VALUES "
_NUMBER = "(SELECT n FROM checkpoints WHERE thread_id=? AND checkpoint_ns=? AND checkpoint_id=?)"
_FIELDS = frozenset(Checkpoint.__annotations__)
_USUAL = "msgpack"  # stored as ""
_PATH = "~__pregel_p"  # how LangGraph's paths of tasks begin; stored as one character
_AT_ONCE = 200  # rows of one statement; each number of them is prepared once


class Row(NamedTuple):
    """What one call saves: a checkpoint, or writes of one task.

    Args:
        place: Where the writes belong.
        checkpoint: In the order of `COLUMNS`.
        writes: As `write` makes them.
        is_final: Whether earlier writes of the same index are kept.
        snapshots: What the checkpoint holds whole, to be stored apart (see `history`).
        is_synced: Whether it has to survive a loss of power at once.
    """

    place: Place
    checkpoint: tuple[Any, ...] | None = None
    writes: Sequence[tuple[Any, ...]] = ()
    is_final: bool = True
    snapshots: Sequence[Any] = ()
    is_synced: bool = True


Rows = Sequence[Row]


class StoredWrite(NamedTuple):
    """A write as it is stored, without its place."""

    task_id: str
    channel: str
    typed: tuple[str, bytes]
    path: str
    number: int
    is_sound: bool


def create(cursor: sqlite3.Cursor) -> None:
    """Create the tables."""
    for statement in _SCHEMA:
        cursor.execute(statement)


def insert(cursor: sqlite3.Cursor, rows: Rows) -> None:
    """Write what several calls save.

    Few statements for many rows: each gives up the interpreter's lock and waits to get it
    back, which under load takes longer than the statement.
    """
    checkpoints = [row.checkpoint for row in rows if row.checkpoint is not None]
    _put(cursor, _CHECKPOINTS, "(?,?,?,?,?,?,?,?,?)", checkpoints, _OR_UPDATED)
    _put(cursor, _PLACES, "(?,?,?)", list({row.place for row in rows if row.writes}))
    for is_final, verb in ((True, "INSERT OR IGNORE "), (False, "INSERT OR REPLACE ")):
        writes = [
            (*row.place, *write) for row in rows if row.is_final is is_final for write in row.writes
        ]
        _put(cursor, verb + _WRITES, f"({_NUMBER},?,?,?,?,?,?,?)", writes)


def _put(
    cursor: sqlite3.Cursor, head: str, row: str, rows: Sequence[tuple[Any, ...]], tail: str = ""
) -> None:
    for start in range(0, len(rows), _AT_ONCE):
        chunk = rows[start : start + _AT_ONCE]
        statement = head + ",".join([row] * len(chunk)) + tail
        cursor.execute(statement, [value for each in chunk for value in each])


@functools.lru_cache(maxsize=4_096)  # one comes as a checkpoint's, its writes' and its child's
def short(task_id: str) -> str | bytes:
    """Return the name of a task or checkpoint as it is stored: a UUID as its bytes."""
    if len(task_id) == 36 and task_id[8] == task_id[13] == task_id[18] == task_id[23] == "-":
        try:
            packed = bytes.fromhex(task_id.replace("-", ""))
        except ValueError:
            return task_id
        return packed if len(packed) == 16 and named(packed) == task_id else task_id
    return task_id


def named(task: str | bytes) -> str:
    """Return such a name again."""
    if isinstance(task, str):
        return task
    digits = task.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def listed(values: Iterable[str]) -> str:
    """Return the channels that have a value, but for LangGraph's own, for a look from outside."""
    return "\n".join(key for key in values if not key.startswith(("branch:to:", "__pregel_")))


def slim(checkpoint: Checkpoint) -> Any:
    """Return a checkpoint with each name in it once, for most of it is names.

    One that has another form than LangGraph's is returned as it is.
    """
    if checkpoint.keys() != _FIELDS:
        return checkpoint
    names = {name: place for place, name in enumerate(checkpoint["channel_versions"])}
    updated = checkpoint["updated_channels"]
    try:
        seen = {
            node: [part for name, version in of.items() for part in (names[name], version)]
            for node, of in checkpoint["versions_seen"].items()
        }
        marks = None if updated is None else [names[name] for name in updated]
    except KeyError:  # a name that has no version
        return checkpoint
    versions = list(checkpoint["channel_versions"].values())
    values = checkpoint["channel_values"]
    return [checkpoint["v"], checkpoint["ts"], values, list(names), versions, seen, marks]


def intact(kind: str, value: bytes, checksum: int | None) -> tuple[str, bytes]:
    """Return what a row holds for the serializer.

    Raises:
        MemoryStoreError: It is not what was written.
    """
    if checksum is not None and (not isinstance(value, bytes) or crc32(value) != checksum):
        raise MemoryStoreError(
            "a checkpoint cannot be read: its bytes are not those that were written; the file is "
            "damaged; restore a copy, fork an earlier checkpoint or delete the thread"
        )
    return kind or _USUAL, value


def full(stored: Any, identity: str) -> Checkpoint:
    """Return what `slim` was given.

    Raises:
        MemoryStoreError: It is damaged.
    """
    try:
        if isinstance(stored, dict):
            stored["channel_values"] = stored.get("channel_values") or {}
            return cast("Checkpoint", stored)
        v, ts, values, names, versions, seen, marks = stored
        return {
            "v": v,
            "ts": ts,
            "id": identity,
            "channel_values": dict(values),
            "channel_versions": dict(zip(names, versions, strict=True)),
            "versions_seen": {
                node: {names[n]: version for n, version in zip(of[::2], of[1::2], strict=True)}
                for node, of in seen.items()
            },
            "updated_channels": None if marks is None else [names[n] for n in marks],
        }
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise MemoryStoreError(
            f"checkpoint {identity} cannot be read: {error}; the file is damaged; fork an earlier "
            "one or delete the thread"
        ) from error


def write(
    task: tuple[str, str], number: int, channel: str, typed: tuple[str, bytes]
) -> tuple[Any, ...]:
    """Return what a task (its name and path) wrote to a channel as a row."""
    name, path = task
    kind, value = typed
    stored = "" if kind == _USUAL else kind
    return short(name), path.replace(_PATH, "\0"), number, channel, stored, value, crc32(value)


def read_writes(rows: Iterable[tuple[Any, ...]]) -> list[StoredWrite]:
    """Return rows of `WRITE_COLUMNS` in the order of execution."""
    found = [
        StoredWrite(
            named(task),
            channel,
            intact(kind, value, checksum),
            path.replace("\0", _PATH),
            number,
            checksum is not None,
        )
        for task, channel, kind, value, path, number, checksum in rows
    ]
    if len(found) < 2:
        return found
    return sorted(found, key=lambda each: writes_sort_key(each.path, each.task_id, each.number))


def conditions(
    configurable: Mapping[str, Any] | None, metadata: Mapping[str, Any] | None, before: str | None
) -> tuple[str, list[Any]]:  # fmt: skip
    """Return what checkpoints must satisfy, and the values it names."""
    terms = ["checkpoint IS NOT NULL"]
    values: list[Any] = []
    for term, value in _wanted(configurable or {}, before):
        terms.append(term)
        values.append(value)
    for key, value in (metadata or {}).items():
        path = "$." + json.dumps(key, ensure_ascii=False)
        text = "CASE WHEN json_valid(CAST(metadata AS TEXT)) THEN CAST(metadata AS TEXT) END"
        if isinstance(value, dict | list):
            terms.append(f"json_extract({text}, ?) = json(?)")
            values += [path, json.dumps(value, ensure_ascii=False)]
        else:
            terms.append(f"json_extract({text}, ?) IS ?")
            plain = value is None or isinstance(value, str | int | float)
            values += [path, value if plain else str(value)]
    return "WHERE " + " AND ".join(terms), values


def _wanted(configurable: Mapping[str, Any], before: str | None) -> Iterator[tuple[str, Any]]:
    for key in ("thread_id", "checkpoint_ns", "checkpoint_id"):
        value = configurable.get(key)
        if value is not None and (value or key != "checkpoint_id"):
            yield f"{key} = ?", short(str(value)) if key == "checkpoint_id" else str(value)
    if before is not None:
        yield "checkpoint_id < ?", short(before)
