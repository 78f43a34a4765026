"""The writing half of a store in PostgreSQL: a few statements for any number of changes.

One transaction of a store writes at a time, whoever begins it, so nothing here can meet
what another does.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cogwork.memory.store.filters import plain_equalities
from cogwork.memory.store.full_text import plain_words
from cogwork.memory.store.namespaces import encode
from cogwork.memory.store.records import MINUTE, NEW, REMOVED, Cursor
from cogwork.memory.store.rows import Change, Indexed

__all__ = ["apply", "index_again", "sweep"]

_Places = dict[int, int]  # namespaces by item
_Vectors = Mapping[int, Sequence[bytes]]  # by item
_PUT = """
INSERT INTO items (namespace_id, key, created_at, updated_at, value, plain, fields, ttl,
    expires_at, words)
SELECT namespaces.id, key, ?, ?, value, plain, fields, ttl, expires_at,
    to_tsvector('words', words)
FROM unnest(?::text[], ?::text[], ?::text[], ?::jsonb[], ?::text[], ?::float8[], ?::bigint[],
    ?::text[]) AS new (path, key, value, plain, fields, ttl, expires_at, words)
JOIN namespaces USING (path)
ON CONFLICT (namespace_id, key) DO UPDATE SET
    created_at = CASE WHEN items.expires_at <= excluded.updated_at
        THEN excluded.created_at ELSE items.created_at END,
    updated_at = excluded.updated_at, value = excluded.value, plain = excluded.plain,
    fields = excluded.fields, ttl = excluded.ttl, expires_at = excluded.expires_at,
    words = excluded.words
RETURNING id, namespace_id, (SELECT path FROM namespaces WHERE namespaces.id = namespace_id), key
"""


def apply(cursor: Cursor, changes: Sequence[Change], now: int) -> int:
    """Write the changes, at most one for each key; return how many vectors more there are."""
    puts = [change for change in changes if change.value is not None]
    added = _delete(cursor, [change for change in changes if change.value is None])
    if not puts:
        return added
    paths = sorted({encode(change.namespace) for change in puts})
    cursor.execute(
        "INSERT INTO namespaces (path) SELECT unnest(?::text[]) ON CONFLICT (path) DO NOTHING",
        (paths,),
    )
    vectors = {(encode(put.namespace), put.key): put.vectors for put in puts}
    columns = zip(*(_column_values(put, now) for put in puts), strict=True)
    cursor.execute(_PUT, (now, now, *map(list, columns)))
    stored = cursor.fetchall()
    places = {item: namespace for item, namespace, _, _ in stored}
    return added + _link(
        cursor, places, {item: vectors[path, key] for item, _, path, key in stored}
    )


def sweep(cursor: Cursor, now: int) -> int:
    """Delete what has expired, and namespaces that are empty; return how many items."""
    cursor.execute("SELECT id, namespace_id FROM items WHERE expires_at <= ?", (now,))
    expired = dict(cursor.fetchall())
    _remove(cursor, expired)
    cursor.execute(
        "DELETE FROM namespaces WHERE NOT EXISTS "
        "(SELECT 1 FROM items WHERE namespace_id = namespaces.id)"
    )
    return len(expired)


def index_again(cursor: Cursor, entries: Sequence[Indexed]) -> None:
    """Replace the text and vectors of items that have not changed since."""
    cursor.execute(
        "UPDATE items SET words = to_tsvector('words', new.words) "
        "FROM unnest(?::bigint[], ?::bigint[], ?::text[]) AS new (id, updated_at, words) "
        "WHERE items.id = new.id AND items.updated_at = new.updated_at "
        "RETURNING items.id, namespace_id",
        (
            [entry.id for entry in entries],
            [entry.updated_at for entry in entries],
            [plain_words(entry.text) for entry in entries],
        ),
    )
    places = dict(cursor.fetchall())
    _link(cursor, places, {entry.id: entry.vectors for entry in entries if entry.id in places})


def _column_values(put: Change, now: int) -> tuple[Any, ...]:
    return (
        encode(put.namespace),
        put.key,
        put.value,
        json.dumps(plain_equalities(json.loads(put.value or "{}"))),
        put.fields,
        put.ttl,
        None if put.ttl is None else now + int(put.ttl * MINUTE),
        plain_words(put.text),
    )


def _delete(cursor: Cursor, changes: Sequence[Change]) -> int:
    if not changes:
        return 0
    cursor.execute(
        "SELECT items.id, namespace_id FROM unnest(?::text[], ?::text[]) AS gone (path, key) "
        "JOIN namespaces USING (path) JOIN items ON namespace_id = namespaces.id "
        "AND items.key = gone.key",
        ([encode(change.namespace) for change in changes], [change.key for change in changes]),
    )
    return _remove(cursor, dict(cursor.fetchall()))


def _remove(cursor: Cursor, places: _Places) -> int:
    added = _link(cursor, places, dict.fromkeys(places, ()))
    cursor.execute("DELETE FROM items WHERE id = ANY(?)", (list(places),))
    return added


def _link(cursor: Cursor, places: _Places, vectors: _Vectors) -> int:
    """Link the items to these vectors only; return how many links that adds."""
    cursor.execute(
        "SELECT item_id, vector_id FROM links WHERE item_id = ANY(?) ORDER BY item_id, number",
        (list(places),),
    )
    before: dict[int, list[int]] = {item: [] for item in places}
    for item, vector in cursor.fetchall():
        before[item].append(vector)
    number = _numbers(cursor, {data for found in vectors.values() for data in found})
    after = {item: [number[data] for data in found] for item, found in vectors.items()}
    changed = [item for item in after if after[item] != before[item]]
    if not changed:
        return 0
    cursor.execute("DELETE FROM links WHERE item_id = ANY(?)", (changed,))
    gained: Counter[int] = Counter()
    for item in changed:
        gained[places[item]] += len(after[item]) - len(before[item])
    _add_links(cursor, gained, [(item, places[item], after[item]) for item in changed])
    former = {vector for item in changed for vector in before[item]}
    _drop_unused(cursor, former - {vector for item in changed for vector in after[item]})
    return sum(gained.values())


def _add_links(
    cursor: Cursor, gained: Mapping[int, int], links: Iterable[tuple[int, int, list[int]]]
) -> None:
    cursor.execute(
        "UPDATE namespaces SET vectors = vectors + gained, version = version + 1 "
        "FROM unnest(?::bigint[], ?::bigint[]) AS new (id, gained) "
        "WHERE namespaces.id = new.id RETURNING namespaces.id, version",
        (list(gained), list(gained.values())),
    )
    version = dict(cursor.fetchall())
    rows = [
        (item, number, namespace, version[namespace], vector)
        for item, namespace, found in links
        for number, vector in enumerate(found)
    ]
    if rows:
        cursor.execute(
            "INSERT INTO links (item_id, number, namespace_id, version, vector_id) SELECT * FROM "
            "unnest(?::bigint[], ?::int[], ?::bigint[], ?::bigint[], ?::bigint[])",
            [list(column) for column in zip(*rows, strict=True)],
        )


def _numbers(cursor: Cursor, datas: Iterable[bytes]) -> dict[bytes, int]:
    """Return the ids of vectors; equal ones are kept once."""
    data_of = {hashlib.blake2b(data, digest_size=16).digest(): data for data in datas}
    if not data_of:
        return {}
    cursor.execute(
        "INSERT INTO vectors (hash, data) SELECT * FROM unnest(?::bytea[], ?::bytea[]) "
        "ON CONFLICT (hash) DO NOTHING RETURNING id",
        (list(data_of), list(data_of.values())),
    )
    fresh = [vector for (vector,) in cursor.fetchall()]
    cursor.execute(
        "INSERT INTO outbox (vector_id, state) SELECT unnest(?::bigint[]), ?::smallint",
        (fresh, NEW),
    )
    cursor.execute("SELECT hash, id FROM vectors WHERE hash = ANY(?)", (list(data_of),))
    return {data_of[digest]: vector for digest, vector in cursor.fetchall()}


def _drop_unused(cursor: Cursor, vectors: Iterable[int]) -> None:
    cursor.execute(
        "DELETE FROM vectors WHERE id = ANY(?) "
        "AND NOT EXISTS (SELECT 1 FROM links WHERE vector_id = vectors.id) RETURNING id",
        (list(vectors),),
    )
    gone = [vector for (vector,) in cursor.fetchall()]
    cursor.execute(
        "DELETE FROM outbox WHERE vector_id = ANY(?) AND state = ? RETURNING vector_id",
        (gone, NEW),
    )
    unseen = {vector for (vector,) in cursor.fetchall()}
    cursor.execute(  # Chroma may have the others
        "INSERT INTO outbox (vector_id, state) SELECT unnest(?::bigint[]), ?::smallint "
        "ON CONFLICT (vector_id) DO UPDATE SET state = excluded.state",
        ([vector for vector in gone if vector not in unseen], REMOVED),
    )
