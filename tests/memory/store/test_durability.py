"""What was acknowledged survives: kills, full disks, damage, other owners, other versions."""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
from letters import LetterEmbeddings

from cogwork.core.errors import MemoryStoreError
from cogwork.memory.store import ChromaStore
from cogwork.memory.store.sqlite_file import SqliteFile
from cogwork.memory.store.sqlite_schema import MIGRATIONS

SUPPORT = Path(__file__).parents[2] / "support"


def run_python(code, *args):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, args)],
        env=os.environ | {"PYTHONPATH": str(SUPPORT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextlib.contextmanager
def writers():
    """A process that forks a writer for each line."""
    with subprocess.Popen(
        [sys.executable, SUPPORT / "store_child.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        yield process
        process.stdin.close()


def killed_writer(process, folder, seed):
    """Kill a writer at a random moment; return what it said."""
    process.stdin.write(f"{folder} {seed}\n")
    victim = int(process.stdout.readline())
    flushes = seed % 10 == 0
    said = [process.stdout.readline() for _ in range(41 if flushes else random.randrange(30))]
    time.sleep(random.uniform(0, 4 if flushes else 0.004))
    os.kill(victim, signal.SIGKILL)
    said += iter(process.stdout.readline, "ended\n")
    return [line.split() for line in said]


def follow(said, expected):
    """Apply what was acknowledged; return the operation that was not, if any."""
    pending = None
    for words in said:
        if words[1] != "done":
            pending = words
            continue
        _, kind, key, version = pending
        if kind != "flush":
            expected[key] = version if kind == "put" else None
        pending = None
    return pending


def check(folder, expected, pending):
    """Compare the store with what was acknowledged, and its indexes with its records."""
    with ChromaStore(folder, embeddings=LetterEmbeddings(), fields=["text"]) as store:
        for key in {f"k{number}" for number in range(8)}:
            item = store.get(("crash", key[-1]), key)
            version = item.value["v"] if item else None
            if pending and pending[2] == key and version != expected.get(key):
                assert version == (pending[3] if pending[1] == "put" else None)
                expected[key] = version
            assert version == expected.get(key)
            if item:
                assert item.value == {
                    "text": f"{key} {version}",
                    "v": version,
                    "pad": version * 200,
                }
                [best, *_] = store.search(("crash",), query=f"{key} {version}", limit=1)
                assert best.score == pytest.approx(1, abs=1e-5)
        alive = {key for key, version in expected.items() if version}
        for found in (
            store.search((), query="k", limit=100),
            store.search_text((), " ".join(alive) or "k", limit=100),
        ):
            assert {item.key for item in found} == alive
        stats = store.stats()
        assert stats.items == stats.vectors == len(alive)


@pytest.mark.parametrize("kills", [12, pytest.param(100, marks=pytest.mark.slow)])
def test_kills_lose_nothing_that_was_acknowledged(tmp_path, kills):
    random.seed(0)
    expected, interrupted = {}, 0
    with writers() as process:
        for seed in range(1, kills + 1):
            pending = follow(killed_writer(process, tmp_path / "s", seed), expected)
            interrupted += pending is not None
            check(tmp_path / "s", expected, pending)
    assert interrupted > kills / 10
    with ChromaStore(tmp_path / "s", embeddings=LetterEmbeddings(), fields=["text"]) as store:
        store.flush()
        assert store._feeder._chroma.ids() == set(store._records.vector_ids())


def test_a_second_process_is_told_who_owns_the_folder(store, tmp_path):
    store.put(("a",), "k", {"text": "tea"})
    code = "import sys; from cogwork.memory.store import ChromaStore; ChromaStore(sys.argv[1])"
    ran = run_python(code, tmp_path / "store")
    assert ran.returncode == 1
    assert f"is in use by process {os.getpid()}; a folder has one owner" in ran.stderr
    assert store.get(("a",), "k").value == {"text": "tea"}


def test_a_second_store_of_this_process_is_refused_and_a_later_one_is_not(open_store):
    first = open_store()
    with pytest.raises(MemoryStoreError, match="in use by another store of this process"):
        open_store()
    first.close()
    open_store().put(("a",), "k", {})


def test_a_store_that_is_forgotten_lets_go(tmp_path):
    ChromaStore(tmp_path / "s", embeddings=None).put(("a",), "k", {"n": 1})
    with ChromaStore(tmp_path / "s", embeddings=None) as store:
        assert store.get(("a",), "k").value == {"n": 1}


def test_a_closed_store_says_so(open_store):
    store = open_store()
    store.close()
    store.close()
    for use in (
        lambda: store.get(("a",), "k"),
        lambda: store.put(("a",), "k", {}),
        store.flush,
        store.stats,
    ):
        with pytest.raises(MemoryStoreError, match="was closed; create another"):
            use()


@pytest.mark.parametrize("size", [100, 10_000, 100_000])
def test_a_full_disk_is_named_and_spares_what_was_stored(tmp_path, size):
    code = """
        import resource, sys
        from cogwork.core.errors import MemoryStoreError
        from cogwork.memory.store import ChromaStore
        store = ChromaStore(sys.argv[1], embeddings=None)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        done = 0
        try:
            while done < 9999:
                store.put(("a",), f"k{done}", {"text": "x" * int(sys.argv[2])})
                done += 1
        except MemoryStoreError as error:
            print(error)
        print(done, len(store.search(("a",), limit=9999)))
    """
    ran = run_python(code, tmp_path / "s", size)
    assert ran.returncode == 0, ran.stderr
    message, counts = ran.stdout.strip().split("\n")
    assert "what was stored before is intact" in message
    done, seen = map(int, counts.split())
    assert 0 < done == seen < 9999
    with ChromaStore(tmp_path / "s", embeddings=None) as store:
        assert len(store.search(("a",), limit=9999)) == done
        store.put(("a",), "more", {})


def test_small_writes_find_room_in_their_log_and_its_rest_is_no_data(open_store, tmp_path):
    store = open_store(embeddings=None)
    for number in range(250):  # applied by the hundred, so that both of its files are in use
        store.put(("a",), str(number), {"text": "x" * 100})
    sizes = [path.stat().st_size for path in (tmp_path / "store").glob("*.notes*")]
    for number in range(250, 455):
        store.put(("a",), str(number), {"text": "x" * 100})
    assert sizes == [path.stat().st_size for path in (tmp_path / "store").glob("*.notes*")]
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in (tmp_path / "store").glob("memory.*"):  # as a crash leaves them
        shutil.copy(path, copy)
    with ChromaStore(copy, embeddings=None) as again:
        assert len(again.search(("a",), limit=1000)) == 455


def test_errors_call_the_file_by_its_name(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(MemoryStoreError, match=r"^tasks '.*not a database"):
        SqliteFile(path, lambda connection: None, name="tasks")


def test_a_file_of_something_else_is_refused(tmp_path):
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "memory.sqlite3").write_bytes(b"no database " * 1000)
    with pytest.raises(MemoryStoreError, match=r"memory\.sqlite3.*not a database.*move it away"):
        ChromaStore(folder)
    with sqlite3.connect(folder / "other.db") as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    (folder / "other.db").replace(folder / "memory.sqlite3")
    with pytest.raises(MemoryStoreError, match="is a database of something else"):
        ChromaStore(folder)


def test_a_damaged_file_is_named(open_store, tmp_path):
    store = open_store(embeddings=None)
    for number in range(300):
        store.put(("a",), str(number), {"text": "x" * 1000})
    store.close()
    path = tmp_path / "store" / "memory.sqlite3"
    content = bytearray(path.read_bytes())
    content[4096 : len(content) - 4096] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(MemoryStoreError, match="damaged"):
        open_store(embeddings=None).search(("a",), limit=1000)


def test_a_path_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(MemoryStoreError, match="name a folder"):
            ChromaStore(path)


@pytest.mark.parametrize(
    ("place", "said"), [("there", "lock is not writable"), ("new", "cannot be created")]
)
def test_a_folder_that_must_not_be_written_is_named(place, said):
    code = """
        import os, sys
        from cogwork.core.errors import MemoryStoreError
        from cogwork.memory.store import ChromaStore, opening, sqlite_records
        if os.geteuid() == 0:
            os.seteuid(65534)  # root may write anywhere
        try:
            ChromaStore(sys.argv[1], embeddings=None)
        except MemoryStoreError as error:
            print(error)
    """
    with tempfile.TemporaryDirectory() as name:  # pytest's own folder is closed to others
        folder = Path(name)
        (folder / "there").mkdir()
        for path in (folder / "there", folder):
            path.chmod(0o555)
        ran = run_python(code, folder / place)
        folder.chmod(0o755)
    assert ran.returncode == 0, ran.stderr
    assert said in ran.stdout
    assert "folder" in ran.stdout


def test_a_newer_schema_is_refused_and_left_alone(open_store, tmp_path):
    open_store().close()
    path = tmp_path / "store" / "memory.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(MemoryStoreError, match=r"schema version 99.*knows \d; update cogwork"):
        open_store()
    assert path.read_bytes() == before


def test_an_older_schema_is_migrated(open_store, tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    connection = sqlite3.connect(folder / "memory.sqlite3")
    MIGRATIONS[0](connection)
    connection.execute("INSERT INTO namespaces (id, path) VALUES (1, 'a.b.')")
    connection.execute(
        "INSERT INTO items (namespace_id, key, value, created_at, updated_at) "
        """VALUES (1, 'k', '{"text": "green tea"}', 1, 1)"""
    )
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    store = open_store()
    assert store.get(("a", "b"), "k").value == {"text": "green tea"}
    assert [item.key for item in store.search_text(("a",), "tea")] == ["k"]
    store.put(("a", "b"), "k", {"text": "coffee"})
    assert [item.key for item in store.search(("a",), query="coffee")] == ["k"]
