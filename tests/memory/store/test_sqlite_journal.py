"""Small writes are noted and applied later; nobody who reads can tell."""

import sqlite3

from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import PutOp

from cogwork.memory.store.namespaces import encode
from cogwork.memory.store.rows import Change
from cogwork.memory.store.sqlite_journal import note, settle
from cogwork.memory.store.sqlite_schema import MIGRATIONS
from cogwork.memory.store.sqlite_writes import apply


def noted(path):
    with sqlite3.connect(path / "memory.sqlite3") as connection:
        found = connection.execute("SELECT path, key FROM journal ORDER BY id").fetchall()
    connection.close()
    return found


def test_what_was_only_noted_is_there_after_reopening(open_store, tmp_path):
    store = open_store(fields=["text"])
    store.get(("a",), "k")
    store.put(("a",), "k", {"text": "green tea"})
    store.put(("a", "b"), "l", {"text": "black coffee"}, index=False)
    store.delete(("a",), "m")
    store.close()
    names = [(encode(("a",)), "k"), (encode(("a", "b")), "l"), (encode(("a",)), "m")]
    assert noted(tmp_path / "store") == names
    again = open_store(fields=["text"])
    assert [item.key for item in again.search((), query="green tea")] == ["k"]
    assert {item.key for item in again.search(("a",))} == {"k", "l"}
    assert [item.key for item in again.search_text((), "tea")] == ["k"]
    assert noted(tmp_path / "store") == []


def test_large_batches_and_values_are_not_noted(open_store, tmp_path):
    store = open_store(fields=["text"])
    store.put(("a",), "before", {"text": "tea"})
    store.batch([PutOp(("a",), f"k{n}", {"text": f"{n}"}) for n in range(20)])
    store.put(("a",), "large", {"text": "x" * 100_000})
    assert noted(tmp_path / "store") == []
    assert len(store.search(("a",), limit=100)) == 22


def test_many_writes_that_nobody_reads_are_applied_and_reach_chroma(open_store, tmp_path):
    store = open_store(fields=["text"], exact_limit=10)
    for number in range(250):
        store.put(("a",), f"k{number}", {"text": f"tea {number}"})
    assert len(noted(tmp_path / "store")) < 100
    assert store._feeder.state != "idle"


times = st.integers(0, 300)
changes = st.builds(
    Change,
    st.sampled_from([("a",), ("a", "b")]),
    st.sampled_from("kl"),
    st.sampled_from(['{"n": 1}', '{"n": 2}', None]),
    ttl=st.sampled_from([None, 0.000001]),
    text=st.sampled_from(["", "tea", "coffee"]),
    vectors=st.lists(st.sampled_from([b"1234", b"5678"]), max_size=2).map(tuple),
)


def contents(connection):
    tables = {
        "items": "path, key, value, created_at, updated_at, ttl, expires_at, "
        "(SELECT body FROM texts WHERE rowid = items.id)",
        "links": "path, key, number, (SELECT data FROM vectors WHERE id = vector_id)",
    }
    joined = "JOIN namespaces ON namespaces.id = namespace_id"
    items = connection.execute(f"SELECT {tables['items']} FROM items {joined}").fetchall()
    links = connection.execute(
        f"SELECT {tables['links']} FROM links JOIN items ON items.id = item_id "
        "JOIN namespaces ON namespaces.id = links.namespace_id"
    ).fetchall()
    spaces = connection.execute("SELECT path, vectors FROM namespaces WHERE vectors").fetchall()
    distinct = connection.execute("SELECT data FROM vectors").fetchall()
    outbox = connection.execute("SELECT count(*) FROM outbox WHERE state < 2").fetchone()
    return [*map(sorted, (items, links, spaces, distinct)), outbox]


def created():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for step in MIGRATIONS:
        step(connection)
    return connection


@given(st.lists(st.tuples(changes, times), max_size=12))
def test_noting_and_settling_is_applying_one_by_one(written):
    one, other = created(), created()
    gained = 0
    for change, now in written:
        gained += apply(one.cursor(), [change], now)
        note(other.cursor(), [change], now)
    assert settle(other.cursor()) == gained
    assert contents(other) == contents(one)
    one.close()
    other.close()
