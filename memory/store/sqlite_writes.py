"""The writing half of a store in SQLite: statements that run inside one transaction."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cogwork.memory.store.full_text import place_tokens
from cogwork.memory.store.namespaces import Namespace, decode, encode
from cogwork.memory.store.records import MINUTE, NEW, REMOVED
from cogwork.memory.store.rows import Change, Indexed

__all__ = ["apply", "apply_in_order", "index_again", "sweep"]

_FIND = "SELECT id FROM items WHERE namespace_id = ? AND key = ?"
_ADD_TEXT = "INSERT INTO texts (rowid, place, body) VALUES (?, ?, ?)"
_ADD_LINK = (
    "INSERT INTO links (item_id, number, namespace_id, version, vector_id) VALUES (?, ?, ?, ?, ?)"
)


def apply(cursor: sqlite3.Cursor, changes: Sequence[Change], now: int) -> int:
    """Write the changes, of different items; return how many vectors more there are."""
    return _apply(cursor, [(change, now) for change in changes])


def apply_in_order(cursor: sqlite3.Cursor, changes: Iterable[tuple[Change, int]]) -> int:
    """Write changes, each at its time and after those before it; return as `apply` does."""
    gained = 0
    portion: dict[tuple[Namespace, str], tuple[Change, int]] = {}
    for change, at in changes:
        place = change.namespace, change.key
        if place in portion:  # what comes later depends on what came before
            gained += _apply(cursor, list(portion.values()))
            portion.clear()
        portion[place] = change, at
    return gained + _apply(cursor, list(portion.values()))


def _apply(cursor: sqlite3.Cursor, changes: Sequence[tuple[Change, int]]) -> int:
    """Write changes of different items."""
    known: dict[Namespace, int] = {}
    gained = _Gained()
    puts: list[_Put] = []
    for change, now in changes:
        namespace = known.get(change.namespace) or _namespace(cursor, change)
        if namespace is None:
            continue
        known[change.namespace] = namespace
        if change.value is not None:
            puts.append(_Put(namespace, change, now))
        elif row := cursor.execute(_FIND, (namespace, change.key)).fetchone():
            _delete(cursor, namespace, row[0], gained)
    new, others = _insert(cursor, puts)
    for put in others:
        _update(cursor, put, gained)
    _index(cursor, new, gained)  # last: a vector that an update drops may be among theirs
    return gained.note(cursor)


def sweep(cursor: sqlite3.Cursor, now: int) -> int:
    """Delete what has expired, and namespaces that are empty; return how many items."""
    expired = cursor.execute(
        "SELECT id, namespace_id FROM items WHERE expires_at <= ?", (now,)
    ).fetchall()
    gained = _Gained()
    for item, namespace in expired:
        _delete(cursor, namespace, item, gained)
    gained.note(cursor)
    cursor.execute(
        "DELETE FROM namespaces WHERE NOT EXISTS "
        "(SELECT 1 FROM items WHERE namespace_id = namespaces.id)"
    )
    return len(expired)


def index_again(cursor: sqlite3.Cursor, entries: Iterable[Indexed]) -> None:
    """Replace the text and vectors of items that have not changed since."""
    gained = _Gained()
    for entry in entries:
        row = cursor.execute(
            "SELECT namespace_id, path FROM items JOIN namespaces "
            "ON namespaces.id = namespace_id WHERE items.id = ? AND updated_at = ?",
            (entry.id, entry.updated_at),
        ).fetchone()
        if row is not None:
            _replace_text(cursor, entry.id, decode(row[1]), entry.text)
            before = _vectors_of(cursor, entry.id)
            _link(cursor, (row[0], entry.id), before, entry.vectors, gained)
    gained.note(cursor)


class _Put(NamedTuple):
    """An item to write, where and when."""

    namespace: int
    change: Change
    now: int


class _Gained:
    """The namespaces whose vectors a transaction changes: their versions, and how many more."""

    def __init__(self) -> None:
        self.vectors: Counter[int] = Counter()
        self._versions: dict[int, int] = {}

    def version(self, cursor: sqlite3.Cursor, namespace: int) -> int:
        """Return the namespace's new version."""
        if namespace not in self._versions:
            [(self._versions[namespace],)] = cursor.execute(
                "UPDATE namespaces SET version = version + 1 WHERE id = ? RETURNING version",
                (namespace,),
            ).fetchall()
        return self._versions[namespace]

    def note(self, cursor: sqlite3.Cursor) -> int:
        """Write down how many vectors the namespaces have; return how many more that is."""
        cursor.executemany(
            "UPDATE namespaces SET vectors = vectors + ? WHERE id = ?",
            [(more, namespace) for namespace, more in self.vectors.items() if more],
        )
        return self.vectors.total()


def _namespace(cursor: sqlite3.Cursor, change: Change) -> int | None:
    path = encode(change.namespace)
    row = cursor.execute("SELECT id FROM namespaces WHERE path = ?", (path,)).fetchone()
    if row is not None:
        return int(row[0])
    if change.value is None:
        return None
    return cursor.execute("INSERT INTO namespaces (path) VALUES (?)", (path,)).lastrowid


def _update(cursor: sqlite3.Cursor, put: _Put, gained: _Gained) -> None:
    namespace, change, now = put
    [(item,)] = cursor.execute(_FIND, (namespace, change.key)).fetchall()
    cursor.execute(
        "UPDATE items SET created_at = CASE WHEN expires_at <= ? THEN ? ELSE created_at END, "
        "updated_at = ?, value = ?, fields = ?, ttl = ?, expires_at = ? WHERE id = ?",
        (now, now, now, change.value, change.fields, change.ttl, _expiry(change, now), item),
    )
    _replace_text(cursor, item, change.namespace, change.text)
    place = namespace, item
    _link(cursor, place, _vectors_of(cursor, item), change.vectors, gained)


def _insert(
    cursor: sqlite3.Cursor, puts: Sequence[_Put]
) -> tuple[list[tuple[int, _Put]], list[_Put]]:
    """Add items that do not exist yet; return those with their ids, and the others."""
    first = _next_id(cursor, "items")
    new = list(enumerate(puts, first))
    cursor.executemany(
        "INSERT INTO items (id, namespace_id, key, created_at, updated_at, value, fields, ttl, "
        "expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace_id, key) DO NOTHING",
        [
            (id_, place, it.key, now, now, it.value, it.fields, it.ttl, _expiry(it, now))
            for id_, (place, it, now) in new
        ],
    )
    if cursor.rowcount == len(puts):
        return new, []
    rows = cursor.execute("SELECT id FROM items WHERE id >= ?", (first,)).fetchall()
    added = {item for (item,) in rows}
    others = [put for item, put in new if item not in added]
    return [(item, put) for item, put in new if item in added], others


def _index(cursor: sqlite3.Cursor, new: Sequence[tuple[int, _Put]], gained: _Gained) -> None:
    """Add the texts and vectors of new items, table by table."""
    cursor.executemany(
        _ADD_TEXT,
        [
            (item, place_tokens(put.change.namespace), put.change.text)
            for item, put in new
            if put.change.text
        ],
    )
    known = _vectors(cursor, [data for _, put in new for data in put.change.vectors])
    cursor.executemany(
        _ADD_LINK,
        [
            (item, number, put.namespace, gained.version(cursor, put.namespace), known[data])
            for item, put in new
            for number, data in enumerate(put.change.vectors)
        ],
    )
    for _, put in new:
        gained.vectors[put.namespace] += len(put.change.vectors)


def _expiry(change: Change, now: int) -> int | None:
    return None if change.ttl is None else now + int(change.ttl * MINUTE)


def _next_id(cursor: sqlite3.Cursor, table: str) -> int:
    """Return a number that no row of the table has had."""
    row = cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return int(row[0]) + 1 if row else 1


def _delete(cursor: sqlite3.Cursor, namespace: int, item: int, gained: _Gained) -> None:
    cursor.execute("DELETE FROM texts WHERE rowid = ?", (item,))
    _link(cursor, (namespace, item), _vectors_of(cursor, item), (), gained)
    cursor.execute("DELETE FROM items WHERE id = ?", (item,))


def _replace_text(cursor: sqlite3.Cursor, item: int, namespace: Namespace, text: str) -> None:
    cursor.execute("DELETE FROM texts WHERE rowid = ?", (item,))
    if text:
        cursor.execute(_ADD_TEXT, (item, place_tokens(namespace), text))


def _vectors_of(cursor: sqlite3.Cursor, item: int) -> list[int]:
    query = "SELECT vector_id FROM links WHERE item_id = ? ORDER BY number"
    return [vector for (vector,) in cursor.execute(query, (item,)).fetchall()]


def _link(
    cursor: sqlite3.Cursor,
    place: tuple[int, int],
    before: Sequence[int],
    vectors: Sequence[bytes],
    gained: _Gained,
) -> None:
    """Link the item to these vectors only."""
    namespace, item = place
    known = _vectors(cursor, vectors)
    after = [known[data] for data in vectors]
    if after == before:
        return
    if before:
        cursor.execute("DELETE FROM links WHERE item_id = ?", (item,))
    version = gained.version(cursor, namespace)
    gained.vectors[namespace] += len(after) - len(before)
    cursor.executemany(
        _ADD_LINK,
        [(item, number, namespace, version, vector) for number, vector in enumerate(after)],
    )
    for vector in set(before) - set(after):
        _drop_unused(cursor, vector)


def _vectors(cursor: sqlite3.Cursor, vectors: Iterable[bytes]) -> dict[bytes, int]:
    """Return the ids of the vectors; equal ones are kept once."""
    hashes = {hashlib.blake2b(data, digest_size=16).digest(): data for data in vectors}
    if not hashes:
        return {}
    first = _next_id(cursor, "vectors")
    cursor.executemany(
        "INSERT OR IGNORE INTO vectors (id, hash, data) VALUES (?, ?, ?)",
        [(first + number, *pair) for number, pair in enumerate(hashes.items())],
    )
    found = {data: first + number for number, data in enumerate(hashes.values())}
    if cursor.rowcount < len(hashes):  # some were there
        for digest, data in hashes.items():
            query = "SELECT id FROM vectors WHERE hash = ?"
            found[data] = int(cursor.execute(query, (digest,)).fetchone()[0])
    cursor.executemany(
        "INSERT INTO outbox (vector_id, state) VALUES (?, ?)",
        [(vector, NEW) for vector in found.values() if vector >= first],
    )
    return found


def _drop_unused(cursor: sqlite3.Cursor, vector: int) -> None:
    cursor.execute(
        "DELETE FROM vectors WHERE id = ? AND NOT EXISTS (SELECT 1 FROM links WHERE vector_id = ?)",
        (vector, vector),
    )
    if not cursor.rowcount:
        return
    cursor.execute("DELETE FROM outbox WHERE vector_id = ? AND state = ?", (vector, NEW))
    if not cursor.rowcount:  # Chroma may have it
        cursor.execute("INSERT OR REPLACE INTO outbox VALUES (?, ?)", (vector, REMOVED))
