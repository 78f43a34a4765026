"""What a `DeltaChannel` wrote: replayed from the writes, and snapshots that repeat none of them.

LangGraph now and then saves such a channel whole, so that replaying stays short. For a history
that only grows each of these snapshots would hold everything once more. Here it is stored as a
recipe: which elements of the earlier snapshot and of the writes since then it is made of, and
those that are new. Recipes are exact whatever the channel's reducer does, for they are compared
byte by byte.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ormsgpack
from langgraph.checkpoint.base import DeltaChannelHistory
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from cogwork.core.errors import MemoryStoreError
from cogwork.memory.saver.rows import Place, StoredWrite, full, intact, named, read_writes
from cogwork.memory.strict_serializer import StrictSerializer

__all__ = ["Snapshot", "own_snapshots", "read_history", "since_seed"]
__all__ += ["store_snapshots", "with_lists", "without_lists"]

_CHAIN = """
    WITH RECURSIVE chain(n, parent, channels) AS (
        SELECT n, parent_checkpoint_id, channels FROM checkpoints
        WHERE thread_id = ?1 AND checkpoint_ns = ?2 AND checkpoint_id = ?3
        UNION ALL
        SELECT c.n, c.parent_checkpoint_id, c.channels
        FROM chain CROSS JOIN checkpoints c ON c.checkpoint_id = chain.parent
        WHERE c.thread_id = ?1 AND c.checkpoint_ns = ?2 AND c.checkpoint IS NOT NULL
    ) SELECT n, channels FROM chain
"""
_WRITES = """
    SELECT c, task_id, channel, type, value, task_path, idx, checksum FROM writes
    WHERE c IN (SELECT value FROM json_each(?)) AND channel = ?
"""
_BODY = "SELECT type, checkpoint, checksum, checkpoint_id FROM checkpoints WHERE n = ?"
_DEEPEST = 100  # recipes that build on one another
_LITERAL = -1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole value of a channel, on its way into the file."""

    channel: str
    value: Sequence[Any]
    serde: StrictSerializer


@dataclass(frozen=True, slots=True)
class _Kept:
    """A snapshot as it is stored; without a recipe it is whole."""

    n: int
    typed: tuple[str, bytes]
    recipe: list[list[int]] | None
    depth: int


def without_lists(
    values: Mapping[str, Any], serde: StrictSerializer
) -> tuple[dict[str, Any], list[Snapshot]]:  # fmt: skip
    """Take the snapshots of lists out of the values of a checkpoint, and mark their places."""
    lists = [
        Snapshot(key, value.value, serde)
        for key, value in values.items()
        if isinstance(value, _DeltaSnapshot) and isinstance(value.value, list)
    ]
    return {**values, **{each.channel: _DeltaSnapshot(None) for each in lists}}, lists


def with_lists(
    cursor: sqlite3.Cursor, n: int, place: Place, values: Mapping[str, Any], serde: StrictSerializer
) -> dict[str, Any]:
    """Put the snapshots back that `without_lists` took out."""
    return {
        key: _DeltaSnapshot(_elements(cursor, _kept(cursor, n, key), place, key, serde))
        if _is_apart(value)
        else value
        for key, value in values.items()
    }


def _is_apart(value: Any) -> bool:
    return isinstance(value, _DeltaSnapshot) and value.value is None


def store_snapshots(cursor: sqlite3.Cursor, place: Place, snapshots: Sequence[Snapshot]) -> None:
    """Store what a checkpoint holds whole, as far as it is not in the file already."""
    for each in snapshots:
        whole = each.serde.dumps_typed(list(each.value))
        kept = _shared(cursor, place, each, whole)
        cursor.execute(
            "INSERT OR REPLACE INTO snapshots (c, channel, type, value, recipe, depth) "
            "SELECT n, ?, ?, ?, ?, ? FROM checkpoints "
            "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
            (
                each.channel,
                *(kept.typed if kept else whole),
                json.dumps(kept.recipe, separators=(",", ":")) if kept else None,
                kept.depth if kept else 0,
                *place,
            ),
        )


def own_snapshots(cursor: sqlite3.Cursor, place: Place, serde: StrictSerializer) -> list[Snapshot]:
    """Return the lists that a checkpoint holds whole."""
    rows = cursor.execute(
        "SELECT c, channel FROM snapshots JOIN checkpoints ON n = c "
        "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
        place,
    ).fetchall()
    return [
        Snapshot(
            channel, _elements(cursor, _kept(cursor, n, channel), place, channel, serde), serde
        )
        for n, channel in rows
    ]


def read_history(
    cursor: sqlite3.Cursor, place: Place, channels: Sequence[str], serde: StrictSerializer
) -> dict[str, DeltaChannelHistory]:
    """Return what the ancestors of a checkpoint wrote since each channel's last whole value."""
    found: dict[str, DeltaChannelHistory] = {}
    for channel in channels:
        written, seed = since_seed(cursor, place, channel, serde)
        found[channel] = {
            "writes": [
                (each.task_id, channel, value)
                for each, value in zip(written, _values(written, serde), strict=True)
            ]
        }
        for value in seed:
            found[channel]["seed"] = value
    return found


def since_seed(
    cursor: sqlite3.Cursor, place: Place, channel: str, serde: StrictSerializer
) -> tuple[list[StoredWrite], list[Any]]:
    """Return what was written to a channel since its last whole value, and that, if there is one.

    Both are of a checkpoint's ancestors, the writes oldest first.
    """
    ancestors, seed = _seed(cursor, place, channel, serde)
    written = _written(cursor, ancestors, channel)
    if isinstance(seed, _Kept):
        return written, [_DeltaSnapshot(_elements(cursor, seed, place, channel, serde))]
    return written, [] if seed is None else [*seed]


def _seed(
    cursor: sqlite3.Cursor, place: Place, channel: str, serde: StrictSerializer
) -> tuple[list[int], "_Kept | tuple[Any] | None"]:
    """The ancestors of a checkpoint back to the nearest that holds the channel whole."""
    ancestors: list[int] = []
    for n, channels in _ancestors(cursor, place):
        ancestors.append(n)
        if channels is not None and channel not in channels.split("\n"):
            continue
        kind, data, checksum, identity = cursor.execute(_BODY, (n,)).fetchone()
        values = full(serde.loads_typed(intact(kind, data, checksum)), named(identity))[
            "channel_values"
        ]
        if channel in values:
            value = values[channel]
            return ancestors, _kept(cursor, n, channel) if _is_apart(value) else (value,)
    return ancestors, None


def _ancestors(cursor: sqlite3.Cursor, place: Place) -> Iterator[tuple[int, str | None]]:
    """Nearest first, without the checkpoint itself; a chain that bites its tail ends there."""
    seen: set[int] = set()
    for n, channels in cursor.connection.execute(_CHAIN, place):
        if n in seen:
            return
        if seen:
            yield n, channels
        seen.add(n)


def _written(cursor: sqlite3.Cursor, ancestors: Sequence[int], channel: str) -> list[StoredWrite]:
    """What the ancestors wrote to a channel, oldest first."""
    by_ancestor: dict[int, list[tuple[Any, ...]]] = {}
    for row in cursor.execute(_WRITES, (json.dumps(ancestors), channel)):
        by_ancestor.setdefault(row[0], []).append(row[1:])
    return [each for n in reversed(ancestors) for each in read_writes(by_ancestor.get(n, ()))]


def _values(written: Sequence[StoredWrite], serde: StrictSerializer) -> list[Any]:
    """What was written, read in one go: as an array of msgpack where all of it is sound."""
    opened = [serde.opened(each.typed) for each in written]
    if not all(each.is_sound for each in written) or any(kind != "msgpack" for kind, _ in opened):
        return [StrictSerializer.loads_typed(serde, each) for each in opened]
    array = b"\xdd" + len(opened).to_bytes(4, "big") + b"".join(data for _, data in opened)
    values: list[Any] = StrictSerializer.loads_typed(serde, ("msgpack", array))
    return values


def _kept(cursor: sqlite3.Cursor, n: int, channel: str) -> _Kept:
    row = cursor.execute(
        "SELECT type, value, recipe, depth FROM snapshots WHERE c = ? AND channel = ?", (n, channel)
    ).fetchone()
    if row is None:
        raise MemoryStoreError(
            f"the checkpoint's value of '{channel}' is missing: the file is damaged; fork an "
            "earlier checkpoint or delete the thread"
        )
    kind, value, recipe, depth = row
    return _Kept(n, (kind, value), json.loads(recipe) if recipe else None, depth)


def _elements(
    cursor: sqlite3.Cursor, kept: _Kept, place: Place, channel: str, serde: StrictSerializer
) -> list[Any]:
    """The value that a snapshot stands for."""
    own: list[Any] = serde.loads_typed(kept.typed)
    if kept.recipe is None:
        return own
    at = cursor.execute("SELECT checkpoint_id FROM checkpoints WHERE n = ?", (kept.n,)).fetchone()
    here = (place[0], place[1], at[0])
    ancestors, seed = _seed(cursor, here, channel, serde)
    base: list[Any] = []
    if isinstance(seed, _Kept):
        base = _elements(cursor, seed, place, channel, serde)
    elif seed is not None:
        base = _flat(getattr(seed[0], "value", seed[0]))
    for value in _values(_written(cursor, ancestors, channel), serde):
        base += _flat(value)
    return _cooked(kept.recipe, base, own)


def _cooked(recipe: list[list[int]], base: list[Any], own: list[Any]) -> list[Any]:
    result: list[Any] = []
    literals = iter(own)
    for start, count in recipe:
        if start == _LITERAL:
            result += [next(literals) for _ in range(count)]
        else:
            result += base[start : start + count]
    return result


def _shared(
    cursor: sqlite3.Cursor, place: Place, snapshot: Snapshot, whole: tuple[str, bytes]
) -> "_Kept | None":
    """The snapshot as a recipe; nothing when that would spare little."""
    serde = snapshot.serde
    ancestors, seed = _seed(cursor, place, snapshot.channel, serde)
    depth = seed.depth + 1 if isinstance(seed, _Kept) else 1
    if depth > _DEEPEST:
        return None
    base = _raw_base(cursor, place, snapshot, (ancestors, seed))
    wanted = _raw(serde.opened(whole))
    recipe = _recipe(wanted, base)
    literals: list[Any] = []
    position = 0
    for start, count in recipe:
        if start == _LITERAL:
            literals += snapshot.value[position : position + count]
        position += count
    if len(literals) * 2 > len(wanted):
        return None
    return _Kept(0, serde.dumps_typed(literals), recipe, depth)


def _raw_base(
    cursor: sqlite3.Cursor,
    place: Place,
    snapshot: Snapshot,
    since: tuple[list[int], "_Kept | tuple[Any] | None"],
) -> list[Any]:
    """What a recipe may take from, in the order that `_elements` puts it."""
    serde, (ancestors, seed) = snapshot.serde, since
    base: list[Any] = []
    if isinstance(seed, _Kept):
        elements = _elements(cursor, seed, place, snapshot.channel, serde)
        base = _raw(serde.opened(serde.dumps_typed(elements)))
    elif seed is not None:
        value = _flat(getattr(seed[0], "value", seed[0]))
        base = _raw(serde.opened(serde.dumps_typed(value)))
    for each in _written(cursor, ancestors, snapshot.channel):
        base += _raw(serde.opened(each.typed))
    return base


def _raw(typed: tuple[str, bytes]) -> list[Any]:
    """The elements of a serialized value, unread."""
    kind, data = typed
    if kind != "msgpack":
        return [None]
    return _flat(_unread(data))


def _unread(data: bytes) -> Any:
    """Msgpack with its objects as pairs of a code and bytes."""
    try:
        return ormsgpack.unpackb(
            data,
            ext_hook=lambda code, inner: (code, bytes(inner)),
            option=ormsgpack.OPT_NON_STR_KEYS,
        )
    except ValueError:
        return None  # whoever reads it as objects says what is wrong


def _flat(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _recipe(wanted: Sequence[Any], base: Sequence[Any]) -> list[list[int]]:
    """Runs of the base that make up what is wanted; only unread objects are looked for."""
    places = {each: n for n, each in reversed(list(enumerate(base))) if isinstance(each, tuple)}
    recipe: list[list[int]] = []
    for each in wanted:
        at = _LITERAL
        if isinstance(each, tuple):
            at = places.get(each, _LITERAL)
            follows = recipe[-1][0] + recipe[-1][1] if recipe and recipe[-1][0] >= 0 else None
            if follows is not None and follows < len(base) and base[follows] == each:
                recipe[-1][1] += 1
                continue
        if at == _LITERAL and recipe and recipe[-1][0] == _LITERAL:
            recipe[-1][1] += 1
        else:
            recipe.append([at, 1])
    return recipe
