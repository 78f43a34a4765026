"""The tables of a store in PostgreSQL, in a schema of their own."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from cogwork.core.errors import MemoryStoreError

__all__ = ["SCHEMA", "prepare"]

SCHEMA = "cogwork_memory"
_SETUP_LOCK = 0x636F676D656D  # "cogmem", the same in every process
_SETUP_SECONDS = 60.0

# Labels and keys are compared byte by byte. Words are English stems without stop words,
# as in SQLite. Vectors do not compress.
_FIRST = """
CREATE TEXT SEARCH DICTIONARY stems (TEMPLATE = snowball, LANGUAGE = english);
CREATE TEXT SEARCH CONFIGURATION words (COPY = english);
ALTER TEXT SEARCH CONFIGURATION words ALTER MAPPING REPLACE english_stem WITH stems;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE namespaces (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path TEXT COLLATE "C" NOT NULL UNIQUE,
    vectors BIGINT NOT NULL DEFAULT 0,
    version BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE items (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace_id BIGINT NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    fields TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    ttl DOUBLE PRECISION,
    expires_at BIGINT,
    value TEXT NOT NULL,
    plain JSONB NOT NULL,
    words TSVECTOR NOT NULL,
    UNIQUE (namespace_id, key)
);
CREATE INDEX items_by_update ON items (updated_at DESC);
CREATE INDEX items_by_namespace ON items (namespace_id, updated_at DESC);
CREATE INDEX items_by_expiry ON items (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX items_by_words ON items USING gin (words);
CREATE TABLE vectors (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    data BYTEA NOT NULL
);
ALTER TABLE vectors ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE TABLE links (
    item_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    namespace_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    vector_id BIGINT NOT NULL,
    PRIMARY KEY (item_id, number)
);
CREATE INDEX links_by_namespace ON links (namespace_id, version);
CREATE INDEX links_by_vector ON links (vector_id);
CREATE TABLE outbox (vector_id BIGINT PRIMARY KEY, state SMALLINT NOT NULL);
"""
# Searches by words need how many items and words there are under a prefix; counting them would
# read every item. New words go into the index at once: a list of pending ones is read whole.
_COUNTED = """
ALTER INDEX items_by_words SET (fastupdate = off);
SELECT gin_clean_pending_list('items_by_words');
ALTER TABLE namespaces ADD COLUMN item_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE namespaces ADD COLUMN word_count BIGINT NOT NULL DEFAULT 0;
UPDATE namespaces SET item_count = found.items, word_count = found.words
FROM (
    SELECT namespace_id, COUNT(*) AS items, SUM(length(words)) AS words FROM items GROUP BY 1
) AS found WHERE namespaces.id = found.namespace_id;
CREATE FUNCTION count_come() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE namespaces SET item_count = item_count + items, word_count = word_count + words
    FROM (
        SELECT namespace_id, COUNT(*) AS items, SUM(length(words)) AS words FROM behind GROUP BY 1
    ) AS come WHERE namespaces.id = come.namespace_id;
    RETURN NULL;
END $$;
CREATE FUNCTION count_go() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE namespaces SET item_count = item_count - items, word_count = word_count - words
    FROM (
        SELECT namespace_id, COUNT(*) AS items, SUM(length(words)) AS words FROM before GROUP BY 1
    ) AS gone WHERE namespaces.id = gone.namespace_id;
    RETURN NULL;
END $$;
CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE namespaces SET word_count = word_count + gained
    FROM (
        SELECT behind.namespace_id, SUM(length(behind.words) - length(before.words)) AS gained
        FROM behind JOIN before USING (id) GROUP BY 1
    ) AS changed WHERE namespaces.id = changed.namespace_id AND gained <> 0;
    RETURN NULL;
END $$;
CREATE TRIGGER items_come AFTER INSERT ON items REFERENCING NEW TABLE AS behind
    FOR EACH STATEMENT EXECUTE FUNCTION count_come();
CREATE TRIGGER items_go AFTER DELETE ON items REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION count_go();
CREATE TRIGGER items_change AFTER UPDATE ON items
    REFERENCING OLD TABLE AS before NEW TABLE AS behind
    FOR EACH STATEMENT EXECUTE FUNCTION count_change();
"""
_STEPS: Sequence[str] = (_FIRST, _COUNTED)
"""Each brings the schema from the version that is its index to the next."""


def prepare(connection: Any, place: str) -> None:
    """Create or bring up to date the tables while no other process does.

    Raises:
        MemoryStoreError: A newer cogwork made them, or another process makes them too long.
    """
    _lock(connection, place)
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    with connection.transaction():
        connection.execute(f"SET LOCAL search_path TO {SCHEMA}, pg_catalog")
        version = _version(connection)
        if version > len(_STEPS):
            raise MemoryStoreError(
                f"memory store '{place}' has schema version {version}, and this cogwork knows "
                f"{len(_STEPS)}; update cogwork, or choose another database"
            )
        for step in _STEPS[version:]:
            connection.execute(step, prepare=False)
        for name, value in (("version", str(len(_STEPS))), ("id", uuid4().hex)):
            connection.execute(
                "INSERT INTO facts (name, value) VALUES (%s, %s) ON CONFLICT (name) "
                "DO UPDATE SET value = excluded.value WHERE facts.name = 'version'",
                (name, value),
            )


def _version(connection: Any) -> int:
    [(found,)] = connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.facts",)).fetchall()
    if found is None:
        return 0
    [(version,)] = connection.execute("SELECT value FROM facts WHERE name = 'version'").fetchall()
    return int(version)


def _lock(connection: Any, place: str) -> None:
    """Wait for the lock, which goes with the connection."""
    deadline = time.monotonic() + _SETUP_SECONDS
    query = "SELECT pg_try_advisory_lock(%s)"
    while not connection.execute(query, (_SETUP_LOCK,)).fetchone()[0]:
        if time.monotonic() > deadline:
            raise MemoryStoreError(
                f"another process has been creating the tables of the memory store '{place}' "
                f"for {_SETUP_SECONDS:g} s; end it or try again",
                transient=True,
            )
        time.sleep(0.05)
