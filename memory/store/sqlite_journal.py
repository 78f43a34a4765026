"""Small writes, noted durably in one place and applied together when somebody reads.

One item touches about twenty pages of the file: its row, words, vector, links and their
indexes. Noted it touches two or three, and a hundred applied at once share most pages.
"""

import sqlite3
from collections.abc import Sequence

from cogwork.memory.store.namespaces import decode, encode
from cogwork.memory.store.rows import Change
from cogwork.memory.store.sqlite_writes import apply_timed

__all__ = ["is_small", "note", "settle"]

_MOST = 8  # changes
_MOST_BYTES = 32_000


def is_small(changes: Sequence[Change]) -> bool:
    """Whether the changes are worth noting first."""
    return len(changes) <= _MOST and sum(map(_size, changes)) <= _MOST_BYTES


def note(cursor: sqlite3.Cursor, changes: Sequence[Change], now: int) -> None:
    """Note changes of different items."""
    cursor.executemany(
        "INSERT INTO journal (path, key, value, fields, ttl, text, vectors, parts, at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (encode(path), *rest, b"".join(vectors), len(vectors), now)
            for path, *rest, vectors in changes
        ],
    )


def settle(cursor: sqlite3.Cursor) -> int:
    """Apply what is noted, in its order; return how many vectors more there are."""
    rows = cursor.execute(
        "SELECT path, key, value, fields, ttl, text, vectors, parts, at FROM journal ORDER BY id"
    ).fetchall()
    gained = 0
    portion: dict[tuple[str, str], tuple[Change, int]] = {}
    for path, key, value, fields, ttl, text, vectors, parts, at in rows:
        if (path, key) in portion:  # what comes later depends on what came before
            gained += apply_timed(cursor, list(portion.values()))
            portion.clear()
        split = _split(vectors, parts)
        portion[path, key] = Change(decode(path), key, value, fields, ttl, text, split), at
    gained += apply_timed(cursor, list(portion.values()))
    cursor.execute("DELETE FROM journal")
    return gained


def _size(change: Change) -> int:
    return len(change.value or "") + len(change.text) + sum(map(len, change.vectors))


def _split(joined: bytes, parts: int) -> tuple[bytes, ...]:
    size = len(joined) // max(parts, 1)
    return tuple(joined[size * part : size * (part + 1)] for part in range(parts))
