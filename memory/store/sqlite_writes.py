"""The writing half of a store in SQLite: statements that run inside one transaction."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence

from cogwork.memory.store.full_text import place_tokens
from cogwork.memory.store.namespaces import Namespace, decode, encode
from cogwork.memory.store.records import MINUTE, NEW, REMOVED
from cogwork.memory.store.rows import Change, Indexed

__all__ = ["apply", "index_again", "sweep"]


def apply(cursor: sqlite3.Cursor, changes: Sequence[Change], now: int) -> int:
    """Write the changes; return how many vectors more there are."""
    known: dict[Namespace, int] = {}
    gained = _Gained()
    for change in changes:
        namespace = known.get(change.namespace) or _namespace(cursor, change)
        if namespace is not None:
            known[change.namespace] = namespace
            _apply(cursor, change, namespace, now, gained)
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
            _replace_text(cursor, entry.id, decode(row[1]), entry.text, existed=True)
            before = _vectors_of(cursor, entry.id)
            _link(cursor, (row[0], entry.id), before, entry.vectors, gained)
    gained.note(cursor)


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


def _apply(
    cursor: sqlite3.Cursor, change: Change, namespace: int, now: int, gained: _Gained
) -> None:
    row = cursor.execute(
        "SELECT id FROM items WHERE namespace_id = ? AND key = ?", (namespace, change.key)
    ).fetchone()
    if change.value is None:
        if row:
            _delete(cursor, namespace, row[0], gained)
        return
    expires = None if change.ttl is None else now + int(change.ttl * MINUTE)
    if row:
        item = int(row[0])
        cursor.execute(
            "UPDATE items SET created_at = CASE WHEN expires_at <= ? THEN ? ELSE created_at END, "
            "updated_at = ?, value = ?, fields = ?, ttl = ?, expires_at = ? WHERE id = ?",
            (now, now, now, change.value, change.fields, change.ttl, expires, item),
        )
    else:
        cursor.execute(
            "INSERT INTO items (namespace_id, key, created_at, updated_at, value, fields, ttl, "
            "expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (namespace, change.key, now, now, change.value, change.fields, change.ttl, expires),
        )
        item = cursor.lastrowid or 0
    _replace_text(cursor, item, change.namespace, change.text, existed=bool(row))
    before = _vectors_of(cursor, item) if row else []
    _link(cursor, (namespace, item), before, change.vectors, gained)


def _delete(cursor: sqlite3.Cursor, namespace: int, item: int, gained: _Gained) -> None:
    cursor.execute("DELETE FROM texts WHERE rowid = ?", (item,))
    _link(cursor, (namespace, item), _vectors_of(cursor, item), (), gained)
    cursor.execute("DELETE FROM items WHERE id = ?", (item,))


def _replace_text(
    cursor: sqlite3.Cursor, item: int, namespace: Namespace, text: str, *, existed: bool
) -> None:
    if existed:
        cursor.execute("DELETE FROM texts WHERE rowid = ?", (item,))
    if text:
        cursor.execute(
            "INSERT INTO texts (rowid, place, body) VALUES (?, ?, ?)",
            (item, place_tokens(namespace), text),
        )


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
    after = [_vector(cursor, data) for data in vectors]
    if after == before:
        return
    if before:
        cursor.execute("DELETE FROM links WHERE item_id = ?", (item,))
    version = gained.version(cursor, namespace)
    gained.vectors[namespace] += len(after) - len(before)
    cursor.executemany(
        "INSERT INTO links (item_id, number, namespace_id, version, vector_id) "
        "VALUES (?, ?, ?, ?, ?)",
        [(item, number, namespace, version, vector) for number, vector in enumerate(after)],
    )
    for vector in set(before) - set(after):
        _drop_unused(cursor, vector)


def _vector(cursor: sqlite3.Cursor, data: bytes) -> int:
    """Return the id of the vector; equal ones are kept once."""
    digest = hashlib.blake2b(data, digest_size=16).digest()
    cursor.execute("INSERT OR IGNORE INTO vectors (hash, data) VALUES (?, ?)", (digest, data))
    if not cursor.rowcount:
        row = cursor.execute("SELECT id FROM vectors WHERE hash = ?", (digest,)).fetchone()
        return int(row[0])
    vector = cursor.lastrowid or 0
    cursor.execute("INSERT INTO outbox (vector_id, state) VALUES (?, ?)", (vector, NEW))
    return vector


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
