"""A store in PostgreSQL, shared by several processes; each store here stands for one."""

import os
import random
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from langgraph.store.base import PutOp
from letters import LetterEmbeddings

from cogwork.core.errors import ConfigurationError, MemoryStoreError
from cogwork.memory.store import ChromaStore, postgres_schema
from cogwork.memory.store.postgres_records import _BM25
from cogwork.memory.store.records import within

SUPPORT = Path(__file__).parents[2] / "support"


@pytest.fixture
def kind():
    return "postgres"


@pytest.fixture
def pair(open_store):
    return open_store(fields=["text"]), open_store(fields=["text"])


def keys(items):
    return [item.key for item in items]


@pytest.mark.parametrize("prefix", [("user", "1"), ()])
def test_each_process_sees_what_others_write(pair, prefix):
    one, other = pair
    one.batch([PutOp(("user", str(n % 3)), f"k{n}", {"text": f"tea {n}"}) for n in range(12)])
    assert "k1" in keys(other.search(prefix, query="tea 1", limit=20))
    one.put(("user", "1"), "new", {"text": "zebra crossing"})
    assert keys(other.search(prefix, query="zebra crossing", limit=1)) == ["new"]
    one.put(("user", "1"), "new", {"text": "tea"})
    assert other.search(prefix, query="zebra crossing", limit=1)[0].score < 0.9
    one.delete(("user", "1"), "new")
    one.put(("user", "1"), "k1", {"text": "tea 1"}, index=False)
    found = keys(other.search(prefix, query="tea", limit=20))
    assert "new" not in found
    assert "k1" not in found
    assert len(found) == (3 if prefix else 11)
    assert other.get(("user", "1"), "k1").value == {"text": "tea 1"}
    assert keys(other.search_text(("user", "2"), "2")) == ["k2"]


def test_eight_threads_in_two_processes_lose_no_write(pair):
    def work(number):
        store = pair[number % 2]
        for step in range(12):
            batch = [
                PutOp(("t", str((number + step) % 3)), f"k{number}.{step}", {"text": "same"}),
                PutOp(("t", str(step % 3)), f"own{number}", {"text": f"tea {number} {step}"}),
                PutOp(("t", "all"), "shared", {"text": f"shared {number} {step}"}),
            ]
            random.shuffle(batch)
            store.batch(batch)
            if step % 3 == 0:
                store.delete(("t", str((number + step) % 3)), f"k{number}.{step}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    one, other = (sorted(keys(store.search((), query="tea", limit=1000))) for store in pair)
    assert one == other
    assert len(one) == len(pair[0].search((), limit=1000)) == 8 * 8 + 8 * 3 + 1
    stats = pair[0].stats()
    assert stats.vectors == len(one)
    assert stats.pending == stats.distinct_vectors == len(pair[0]._records.vector_ids())


def test_processes_that_start_together_create_the_tables_once(open_store):
    together = threading.Barrier(4)

    def first_use(number):
        together.wait()
        open_store(fields=["text"]).put(("a",), str(number), {"text": "tea"})
        return open_store()._records.fact("id")

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(first_use, range(4)))) == 1
    assert len(open_store().search(("a",))) == 4


def test_without_a_chroma_server_all_vectors_are_scored(open_store):
    store = open_store(fields=["text"], exact_limit=3)
    store.batch([PutOp(("a",), f"k{n}", {"text": f"tea {n}"}) for n in range(9)])
    assert keys(store.search((), query="tea 4", limit=1)) == ["k4"]
    store.flush()
    assert store.reindex() == 9
    assert store.stats().chroma == "none"


def test_two_processes_feed_one_chroma_server(open_store, chroma_server):
    stores = [
        open_store(fields=["text"], exact_limit=3, chroma=chroma_server.url) for _ in range(2)
    ]

    def work(store, letter):
        for number in range(10):
            store.put((letter,), str(number), {"text": f"{letter} {number} tea"})
            store.put((letter,), str(number), {"text": f"{letter} {number} dog"})

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, stores, ["owl", "cat"]))
    for store in stores:
        store.flush()
    records = stores[0]._records
    assert stores[0]._feeder._chroma.ids() == set(records.vector_ids())
    assert stores[1].search((), query="owl 3 dog", limit=1)[0].namespace == ("owl",)


@pytest.mark.parametrize("kills", [6, pytest.param(40, marks=pytest.mark.slow)])
def test_a_writer_that_is_killed_loses_nothing_acknowledged(open_store, store_url, kills):
    expected = {}
    with subprocess.Popen(
        [sys.executable, SUPPORT / "store_child.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        for seed in range(1, kills + 1):
            process.stdin.write(f"{store_url} {seed}\n")
            victim = int(process.stdout.readline())
            said = [process.stdout.readline() for _ in range(random.randrange(2, 30))]
            os.kill(victim, signal.SIGKILL)
            said += iter(process.stdout.readline, "ended\n")
            pending = None
            for _, kind, *rest in map(str.split, said):
                if kind != "done":
                    pending = kind, *rest
                else:
                    expected[pending[1]] = pending[2] if pending[0] == "put" else None
                    pending = None
            if pending:  # it may have come to pass or not
                item = open_store().get(("crash", pending[1][-1]), pending[1])
                found = item and item.value["v"]
                assert found in (
                    expected.get(pending[1]),
                    pending[2] if pending[0] == "put" else None,
                )
                expected[pending[1]] = found
        process.stdin.close()
    store = open_store(fields=["text"])
    found = {item.key: item.value["v"] for item in store.search(("crash",), limit=100)}
    assert found == {key: version for key, version in expected.items() if version}
    assert set(keys(store.search(("crash",), query="k", limit=100))) == set(found)
    assert store.stats().vectors == len(found)


def test_a_lost_connection_is_replaced(open_store, store_url):
    store = open_store()
    store.put(("a",), "k", {"text": "tea"})
    with psycopg.connect(store_url) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname = current_database()"
        )
    assert store.get(("a",), "k").value == {"text": "tea"}
    store.put(("a",), "k", {"text": "dog"})


def test_what_postgresql_cannot_keep_is_named(open_store):
    store = open_store(fields=["text"])
    with pytest.raises(MemoryStoreError, match="NUL"):
        store.put(("a",), "k\0", {})
    store.put(("a",), "k", {"text": "a\0b", "\0": "\0"})
    assert store.get(("a",), "k").value == {"text": "a\0b", "\0": "\0"}
    assert keys(store.search(("a",), filter={"\0": "\0"})) == ["k"]


def test_a_newer_schema_is_refused(open_store, store_url):
    open_store().close()
    with psycopg.connect(store_url) as admin:
        admin.execute("UPDATE cogwork_memory.facts SET value = '99' WHERE name = 'version'")
    with pytest.raises(MemoryStoreError, match=r"schema version 99.*knows 2; update cogwork"):
        open_store()


COUNTED = "SELECT path, item_count, word_count FROM cogwork_memory.namespaces ORDER BY path"
TRUTH = """
SELECT path, COUNT(items.id), COALESCE(SUM(length(words)), 0)
FROM cogwork_memory.namespaces LEFT JOIN cogwork_memory.items ON namespace_id = namespaces.id
GROUP BY path ORDER BY path
"""


def test_what_words_are_weighed_by_is_counted_at_every_write(open_store, store_url, clock):
    store = open_store(fields=["text"])
    chance = random.Random(7)
    with psycopg.connect(store_url, autocommit=True) as admin:
        for step in range(30):
            store.batch(
                [
                    PutOp(
                        ("a", str(chance.randrange(3))),
                        f"k{chance.randrange(9)}",
                        chance.choice([None, {"text": "tea " * 3 + f"cup {step} of {n}"}]),
                        ttl=chance.choice([None, 5]),
                    )
                    for n in range(4)
                ]
            )
            if step % 7 == 0:
                store.search(("a",), limit=50)  # begins times to live again
                clock.pass_minutes(3)
                store.sweep_ttl()
            assert admin.execute(COUNTED).fetchall() == admin.execute(TRUTH).fetchall()
        store.reindex(embed=True)
        assert admin.execute(COUNTED).fetchall() == admin.execute(TRUTH).fetchall()
        assert admin.execute("SELECT SUM(item_count) FROM cogwork_memory.namespaces").fetchone()[0]


def test_an_older_schema_is_brought_up_to_date(open_store, store_url, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr(postgres_schema, "_STEPS", postgres_schema._STEPS[:1])
        with psycopg.connect(store_url, autocommit=True) as admin:
            postgres_schema.prepare(admin, "older")
            admin.execute("SET search_path TO cogwork_memory, pg_catalog")
            admin.execute("INSERT INTO namespaces (path) VALUES ('a.')")
            for n, text in enumerate(["green tea", "black tea", "a cup of coffee"]):
                admin.execute(
                    "INSERT INTO items (namespace_id, key, created_at, updated_at, value, plain, "
                    "words) VALUES (1, %s, 1, 1, '{}', '{}', to_tsvector('words', %s))",
                    (f"k{n}", text),
                )
    store = open_store(fields=["text"])
    assert keys(store.search_text(("a",), "black tea")) == ["k1", "k0"]
    with psycopg.connect(store_url) as admin:
        assert admin.execute(COUNTED).fetchall() == admin.execute(TRUTH).fetchall()
        assert admin.execute(COUNTED).fetchall()[0][1] == 3


def test_words_are_looked_up_in_their_index_without_reading_every_item(open_store, store_url):
    store = open_store(embeddings=None)
    store.batch([PutOp(("a",), f"k{n}", {"text": f"tea of kind x{n}"}) for n in range(3_000)])
    where, bounds = within(("a",))
    query = _BM25.format(where=where).replace("?", "%s")
    with psycopg.connect(store_url) as admin:
        admin.execute("SET search_path TO cogwork_memory, pg_catalog")
        args = (*bounds, *bounds, "'x77'", ["x77"], 5)
        plan = "\n".join(line for (line,) in admin.execute(f"EXPLAIN {query}", args).fetchall())
    assert "items_by_words" in plan
    assert "Seq Scan on items" not in plan
    assert keys(store.search_text(("a",), "x77")) == ["k77"]


def test_an_unreachable_server_is_named_without_its_password():
    url = "postgresql://nobody:hunter22@127.0.0.1:1/db"
    with pytest.raises(
        MemoryStoreError, match=r"database 'db' on '127\.0\.0\.1'.*refused"
    ) as caught:
        ChromaStore(url)
    assert caught.value.transient
    assert "hunter22" not in str(caught.value)


def test_what_is_no_url_of_a_database_is_refused_without_its_password():
    for url in ("postgresql://nobody:hunter22@[host/db", "mysql://nobody:hunter22@host/db"):
        with pytest.raises(ConfigurationError, match="postgresql://user:password@host") as caught:
            ChromaStore(url)
        assert "hunter22" not in str(caught.value)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"cogwork\[postgres\]"):
        ChromaStore("postgresql://localhost/db")


def test_other_embeddings_are_refused_in_a_process_that_runs_already(open_store):
    one, other = open_store(fields=["text"]), open_store(fields=["text"])
    other.put(("a",), "k", {"text": "tea"})
    one.close()
    newer = open_store(fields=["text"], embeddings=LetterEmbeddings(48))
    newer.reindex(embed=True)
    with pytest.raises(MemoryStoreError, match=r"reindex\(embed=True\)"):
        other.put(("a",), "late", {"text": "tea"})
    with pytest.raises(MemoryStoreError, match=r"reindex\(embed=True\)"):
        other.search(("a",), query="tea")
    assert keys(newer.search(("a",), query="tea")) == ["k"]
