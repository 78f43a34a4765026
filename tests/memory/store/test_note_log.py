"""Small writes are noted and applied later; nobody who reads can tell."""

import os
import resource
import signal
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from langgraph.store.base import PutOp

from cogwork.core.errors import MemoryStoreError
from cogwork.memory.store import ChromaStore
from cogwork.memory.store.note_log import NoteLog
from cogwork.memory.store.rows import Change
from cogwork.memory.store.sqlite_schema import MIGRATIONS
from cogwork.memory.store.sqlite_writes import apply, apply_in_order


def noted(path):
    """What lies in a store that is closed, or is written by nobody now, and is not applied."""
    with sqlite3.connect(path / "memory.sqlite3") as connection:
        row = connection.execute("SELECT value FROM facts WHERE name = 'noted'").fetchone()
    connection.close()
    log = NoteLog(path / "memory.sqlite3", int(row[0]) if row else 0)
    log.close()
    return [(change.namespace, change.key) for note in log.pending for change in note.changes]


def test_what_was_only_noted_is_there_after_reopening(open_store, tmp_path):
    store = open_store(fields=["text"])
    store.get(("a",), "k")
    store.put(("a",), "k", {"text": "green tea"})
    store.put(("a", "b"), "l", {"text": "black coffee"}, index=False)
    store.delete(("a",), "m")
    store.close()
    names = [(("a",), "k"), (("a", "b"), "l"), (("a",), "m")]
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
    assert apply_in_order(other.cursor(), written) == gained
    assert contents(other) == contents(one)
    one.close()
    other.close()


def change(name, text="tea"):
    return Change(("a",), name, '{"n": 1}', None, 1.5, text, (b"1234", b"5678"))


def names(log):
    return [each.key for note in log.pending for each in note.changes]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "memory.sqlite3"


def reopened(log, path, applied=0):
    log.close()
    return NoteLog(path, applied)


def test_notes_come_back_as_they_were_until_they_are_applied(path):
    log = NoteLog(path, 0)
    written = [[change("k"), Change(("a", "b"), "l", None)], [change("m", "x" * 40_000)]]
    for at, changes in enumerate(written):
        log.add(changes, at)
    log = reopened(log, path)
    assert [(note.changes, note.at) for note in log.pending] == [
        (changes, at) for at, changes in enumerate(written)
    ]
    log = reopened(log, path, applied=log.pending[0].number)
    assert names(log) == ["m"]
    log.close()


def test_what_is_noted_while_others_are_applied_goes_to_the_other_file(path):
    log = NoteLog(path, 0)
    log.add([change("1")], 0)
    taken = log.take(0)
    log.add([change("2")], 0)
    log.forget(taken[-1].number)
    assert names(log) == ["2"]
    applied = taken[-1].number
    log = reopened(log, path, applied)
    assert names(log) == ["2"]
    for number in range(3, 40):
        log.add([change(str(number))], 0)
        if number % 3 == 0:
            applied = log.take(applied)[-1].number
            log.forget(applied)
    log = reopened(log, path, applied)
    assert names(log) == []
    assert all(file.stat().st_size < 600_000 for file in path.parent.glob("*.notes*"))
    log.close()


def test_notes_whose_application_fails_stay(path):
    log = NoteLog(path, 0)
    for number in range(6):
        log.add([change(str(number))], 0)
        log.take(0)  # and never forgotten, as if the transaction had been taken back
    assert names(log) == list("012345")
    log = reopened(log, path)
    assert names(log) == list("012345")
    log.add([change("6")], 0)
    log = reopened(log, path)
    assert names(log) == list("0123456")
    log.close()


@example(12, 1)
@given(cut=st.integers(0, 700), byte=st.integers(0, 255))
def test_torn_end_is_no_note_and_takes_none_before_it(cut, byte):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory.sqlite3"
        log = NoteLog(path, 0)
        for number in range(4):
            log.add([change(str(number))], 0)
        log.close()
        [file] = [each for each in path.parent.glob("*.notes*") if each.stat().st_size]
        whole = bytearray(file.read_bytes())
        end = bytes(whole).rstrip(b"\0")
        at = min(cut, len(end) - 1)
        whole[at] = byte
        file.write_bytes(whole)
        log = NoteLog(path, 0)
        found = names(log)
        assert found == list("0123")[: len(found)]
        assert len(found) >= at * 4 // len(whole.rstrip(b"\0")) - 1
        log.add([change("later")], 0)
        log = reopened(log, path)
        assert names(log) == [*found, "later"]
        log.close()


def test_a_log_that_is_closed_takes_nothing(path):
    log = NoteLog(path, 0)
    log.close()
    log.close()
    with pytest.raises(MemoryStoreError, match="was closed"):
        log.add([change("k")], 0)


def test_a_fork_does_not_write_over_the_notes_of_its_parent(path):
    log = NoteLog(path, 0)
    log.add([change("before")], 0)
    child = os.fork()
    if child == 0:
        try:
            log.add([change("of the fork")], 0)
        except MemoryStoreError as error:
            os._exit(7 if "is a fork" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    log.add([change("after")], 0)
    log = reopened(log, path)
    assert names(log) == ["before", "after"]
    log.close()


def test_a_full_disk_is_told_and_nothing_is_half_noted(path):
    log = NoteLog(path, 0)
    log.add([change("before")], 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (270_000, hard))
        with pytest.raises(MemoryStoreError, match=r"File too large.*stored before is intact"):
            log.add([change("large", "x" * 300_000)], 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    log.add([change("after")], 0)
    log = reopened(log, path)
    assert names(log) == ["before", "after"]
    log.close()


def test_a_store_of_the_version_that_noted_in_a_table_is_migrated(tmp_path):
    with ChromaStore(tmp_path / "s", embeddings=None) as store:
        store.put(("a",), "old", {"text": "tea"})
        store.get(("a",), "old")
    with sqlite3.connect(tmp_path / "s" / "memory.sqlite3") as connection:
        connection.execute(
            "CREATE TABLE journal (id INTEGER PRIMARY KEY, path TEXT, key TEXT, value TEXT, "
            "fields TEXT, ttl REAL, text TEXT, vectors BLOB, parts INTEGER, at INTEGER)"
        )
        connection.execute(
            "INSERT INTO journal (path, key, value, text, vectors, parts, at) "
            "VALUES ('a.', 'noted', '{\"n\": 2}', 'coffee', x'', 0, 5)"
        )
        connection.execute("PRAGMA user_version = 3")
    connection.close()
    with ChromaStore(tmp_path / "s", embeddings=None) as store:
        assert store.get(("a",), "noted").value == {"n": 2}
        assert [item.key for item in store.search_text((), "coffee")] == ["noted"]
        assert store.get(("a",), "old").value == {"text": "tea"}


@pytest.mark.parametrize("left", [None, b""])
def test_notes_of_a_file_that_is_gone_are_not_taken_for_those_of_a_new_one(
    open_store, tmp_path, left
):
    store = open_store(fields=["text"])
    store.put(("a",), "k", {"text": "green tea"})
    store.close()
    records = tmp_path / "store" / "memory.sqlite3"
    records.unlink()
    if left is not None:
        records.write_bytes(left)
    for _ in range(2):
        with pytest.raises(MemoryStoreError, match=r"is gone, but not .* memory\.notes1 away too"):
            open_store(fields=["text"])
    for file in records.parent.glob("memory.notes*"):
        file.unlink()
    assert open_store(fields=["text"]).get(("a",), "k") is None


def test_notes_do_not_go_on_from_an_older_copy(open_store, tmp_path):
    store = open_store(fields=["text"])
    store.put(("a",), "first", {"text": "green tea"})
    store.close()
    records = tmp_path / "store" / "memory.sqlite3"
    older = records.read_bytes()
    for key in ("second", "third"):
        store = open_store(fields=["text"])
        assert store.get(("a",), key) is None  # applies what was noted
        store.put(("a",), key, {"text": key})
        store.close()
    records.write_bytes(older)
    with pytest.raises(MemoryStoreError, match="an older copy; restore the whole folder"):
        open_store(fields=["text"])
