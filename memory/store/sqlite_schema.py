"""The tables of a store in SQLite, and how older ones are brought up to date."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

from cogwork.core.errors import MemoryStoreError
from cogwork.memory.store.full_text import leaves, place_tokens
from cogwork.memory.store.namespaces import decode
from cogwork.memory.store.rows import Change
from cogwork.memory.store.sqlite_writes import apply_in_order

__all__ = ["MIGRATIONS", "prepare"]

_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE namespaces (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    vectors INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE items (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    fields TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    ttl REAL,
    expires_at INTEGER,
    value TEXT NOT NULL,
    UNIQUE (namespace_id, key)
);
CREATE INDEX items_by_update ON items (updated_at DESC, key);
CREATE INDEX items_by_namespace ON items (namespace_id, updated_at DESC, key);
CREATE INDEX items_by_expiry ON items (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE vectors (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    data BLOB NOT NULL
);
CREATE TABLE links (
    item_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    namespace_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    vector_id INTEGER NOT NULL,
    PRIMARY KEY (item_id, number)
) WITHOUT ROWID;
CREATE INDEX links_by_namespace ON links (namespace_id, version, vector_id, item_id);
CREATE INDEX links_by_vector ON links (vector_id, item_id);
CREATE TABLE outbox (vector_id INTEGER PRIMARY KEY, state INTEGER NOT NULL);
"""
_TEXTS = """
CREATE VIRTUAL TABLE texts USING fts5(
    place, body, tokenize = "porter unicode61 remove_diacritics 2"
)
"""


def _create_tables(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";"):
        connection.execute(statement)


def _add_full_text(connection: sqlite3.Connection) -> None:
    connection.execute(_TEXTS)
    items = connection.execute(
        "SELECT items.id, path, value FROM items JOIN namespaces ON namespaces.id = namespace_id "
        "WHERE fields IS NOT 'false'"
    ).fetchall()
    connection.executemany(
        "INSERT INTO texts (rowid, place, body) VALUES (?, ?, ?)",
        (
            (item, place_tokens(decode(path)), " ".join(leaves(json.loads(value))))
            for item, path, value in items
        ),
    )


def _drop_journal(connection: sqlite3.Connection) -> None:
    """Small writes were noted in a table once; those that nobody had read are still there."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'journal'").fetchone():
        return
    rows = connection.execute(
        "SELECT path, key, value, fields, ttl, text, vectors, parts, at FROM journal ORDER BY id"
    ).fetchall()
    apply_in_order(
        connection.cursor(),
        (
            (Change(decode(path), key, value, fields, ttl, text, _split(vectors, parts)), at)
            for path, key, value, fields, ttl, text, vectors, parts, at in rows
        ),
    )
    connection.execute("DROP TABLE journal")


def _split(joined: bytes, parts: int) -> tuple[bytes, ...]:
    size = len(joined) // max(parts, 1)
    return tuple(joined[size * part : size * (part + 1)] for part in range(parts))


def _nothing(_: sqlite3.Connection) -> None:
    """The version that had the journal; a new file does without."""


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _create_tables,
    _add_full_text,
    _nothing,
    _drop_journal,
)
"""Each brings the file from the version that is its index to the next."""


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Create or migrate the tables, all or nothing.

    Raises:
        MemoryStoreError: A newer cogwork wrote the file, or something else did.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise MemoryStoreError(
            f"memory store '{path}' has schema version {version}, and this cogwork knows "
            f"{len(MIGRATIONS)}; update cogwork, or choose another folder"
        )
    if version == 0 and connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
        raise MemoryStoreError(
            f"memory store '{path}' is a database of something else; choose another folder"
        )
    if version == len(MIGRATIONS):
        return  # to begin a transaction would need space on a disk that may be full
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in MIGRATIONS[version:]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
