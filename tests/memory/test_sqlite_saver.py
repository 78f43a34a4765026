"""The SQLite checkpointer: durable, shared between processes, and clear about trouble."""

import gc
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from review_graph import answer, build, say, texts, thread

from cogwork.core.errors import MemoryStoreError
from cogwork.graphs import create_react_agent
from cogwork.memory import create_checkpointer
from cogwork.memory.sqlite_saver import SqliteCheckpointer

SUPPORT = Path(__file__).parents[1] / "support"
WRITER = """
import sys
from review_graph import *
from cogwork.memory import create_checkpointer
url, name, turns = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
with create_checkpointer(url) as saver:
    graph = build(saver)
    for turn in range(int(turns)):
        graph.invoke(say(f"{name}-{turn}"), thread(name))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints.db"


@pytest.fixture
def saver(file: Path) -> Iterator[SqliteCheckpointer]:
    with create_checkpointer(f"sqlite:///{file}?timeout=0.2") as opened:
        assert isinstance(opened, SqliteCheckpointer)
        yield opened


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(SUPPORT)},
    )


def test_relative_path_starts_at_the_working_folder(tmp_path):
    with create_checkpointer("sqlite:///made/for/this.db"):
        assert (tmp_path / "made/for/this.db").is_file()


def test_home_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with create_checkpointer("sqlite:///~/this.db"):
        assert (tmp_path / "this.db").is_file()


def test_writes_are_logged_ahead_and_synchronised(saver):
    assert saver.conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert saver.conn.execute("PRAGMA synchronous").fetchone() == (2,)
    assert saver.conn.execute("PRAGMA busy_timeout").fetchone() == (200,)


def test_processes_that_start_together_share_one_file(file):
    names = ["a", "b", "c"]
    writers = [start(WRITER, f"sqlite:///{file}", name, "3") for name in names]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert (writer.returncode, errors) == (0, "")

    with create_checkpointer(f"sqlite:///{file}") as saver:
        for name in names:
            values = build(saver).get_state(thread(name)).values
            assert [text for text in texts(values) if text.startswith(f"{name}-")] == [
                f"{name}-{turn}" for turn in range(3)
            ]


def test_reader_of_an_old_file_is_waited_for(file):
    reader = sqlite3.connect(file, check_same_thread=False)
    reader.execute("CREATE TABLE old (x)")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM old").fetchall()
    release = threading.Timer(0.2, reader.rollback)
    release.start()

    with create_checkpointer(f"sqlite:///{file}?timeout=30") as saver:
        assert saver.get_tuple(thread("1")) is None

    release.join()
    reader.close()


@pytest.mark.parametrize("place", ["folder", "file/below.db", "/proc/nowhere/below.db"])
def test_path_that_cannot_be_a_file_is_named(tmp_path, place):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(
        MemoryStoreError, match=r"folder; name a file|choose another path"
    ) as caught:
        create_checkpointer(f"sqlite:///{tmp_path / place}")

    assert str(tmp_path / place) in str(caught.value)


def test_file_of_another_kind_is_named_and_kept(file):
    file.write_text("Dear diary, " * 100)

    with pytest.raises(MemoryStoreError, match=r"not a database; .*move it away") as caught:
        create_checkpointer(f"sqlite:///{file}")

    assert str(file) in str(caught.value)
    assert file.read_text() == "Dear diary, " * 100


def test_damage_in_the_middle_of_the_file_is_named_on_use(file):
    with create_checkpointer(f"sqlite:///{file}") as saver:
        build(saver).invoke(say("trip"), thread("1"))
    size = file.stat().st_size
    with file.open("r+b") as handle:
        handle.seek(4096)
        handle.write(os.urandom(size - 4096))

    with (
        pytest.raises(MemoryStoreError, match=r"malformed; .*damaged") as caught,
        create_checkpointer(f"sqlite:///{file}") as saver,
    ):
        build(saver).get_state(thread("1"))

    assert str(file) in str(caught.value)


def test_foreign_tables_are_named(file):
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE checkpoints (mine)")
        other.execute("CREATE TABLE writes (mine)")
    other.close()

    with (
        pytest.raises(MemoryStoreError, match="no such column"),
        create_checkpointer(f"sqlite:///{file}") as saver,
    ):
        saver.delete_thread("1")


async def test_writer_that_holds_the_file_too_long_is_named_and_waited_for_next_time(saver, file):
    graph = build(saver)
    other = sqlite3.connect(file)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(MemoryStoreError, match=r"locked; another process.*timeout") as caught:
        await graph.ainvoke(say("trip"), thread("1"))
    other.rollback()
    other.close()

    assert caught.value.transient
    assert str(file) in str(caught.value)
    await graph.ainvoke(say("trip"), thread("1"))
    assert texts(await graph.ainvoke(answer("yes"), thread("1")))[-1] == "reviewed: yes"


def test_full_disk_is_named_and_leaves_what_was_saved(saver, file):
    graph = build(saver)
    graph.invoke(say("trip"), thread("1"))
    pages = saver.conn.execute("PRAGMA page_count").fetchone()[0]
    saver.conn.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(MemoryStoreError, match="full; free some disk space") as caught:
        graph.invoke(say("x" * 100_000), thread("2"))

    assert str(file) in str(caught.value)
    saver.conn.execute("PRAGMA max_page_count = 1000000")
    assert texts(graph.invoke(answer("yes"), thread("1")))[-1] == "reviewed: yes"


def test_file_size_limit_is_named(file):
    limited = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from review_graph import *; from cogwork.memory import create_checkpointer\n"
        "import sys; saver = create_checkpointer(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "build(saver).invoke(say('x' * 200_000), thread('1'))\n"
    )

    _, errors = start(limited, f"sqlite:///{file}").communicate(timeout=60)

    assert "MemoryStoreError" in errors.splitlines()[-1]
    assert f"'{file}'" in errors
    assert "what was saved before is intact" in errors


def test_failed_transaction_leaves_nothing_half_done(saver):
    build(saver).invoke(say("trip"), thread("1"))
    saver.conn.execute(
        "CREATE TRIGGER stop BEFORE DELETE ON writes BEGIN SELECT RAISE(ABORT, 'no'); END"
    )

    with pytest.raises(MemoryStoreError):
        saver.delete_thread("1")

    assert build(saver).get_state(thread("1")).next == ("review",)


def test_runs_are_deleted_beside_a_row_whose_metadata_is_damaged(saver):
    graph = build(saver)
    for name in ("1", "2"):
        graph.invoke(say("trip"), {**thread(name), "metadata": {"run_id": name}})
    saver.conn.execute("UPDATE checkpoints SET metadata = x'7b' WHERE thread_id = '1'")
    saver.conn.commit()

    saver.delete_for_runs(["2"])

    kept = saver.conn.execute("SELECT DISTINCT thread_id FROM checkpoints").fetchall()
    assert kept == [("1",)]


def test_closed_saver_says_so(file):
    with create_checkpointer(f"sqlite:///{file}") as saver:
        pass

    with pytest.raises(MemoryStoreError, match="was closed; create another"):
        saver.get_tuple(thread("1"))


def test_file_stays_open_while_a_graph_uses_it_and_closes_after(file):
    saver = create_checkpointer(f"sqlite:///{file}")
    graph = build(saver)
    log = Path(f"{file}-wal")

    del saver
    gc.collect()
    graph.invoke(say("trip"), thread("1"))
    assert log.exists()

    del graph
    gc.collect()
    assert not log.exists()  # SQLite removes it when the last connection closes


def test_file_is_closed_at_exit(file):
    forgetful = (
        "import sys; from review_graph import *; from cogwork.memory import create_checkpointer\n"
        "graph = build(create_checkpointer(sys.argv[1])); graph.invoke(say('x'), thread('1'))\n"
        "sys.modules['kept'] = graph\n"
    )

    process = start(forgetful, f"sqlite:///{file}")
    _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (0, "")
    assert not Path(f"{file}-wal").exists()


def test_a_thread_without_a_name_is_nobody_elses(tmp_path):
    with create_checkpointer(f"sqlite:///{tmp_path}/t.db") as saver:
        agent = create_react_agent("offline", checkpointer=saver)
        agent.invoke({"messages": "My secret is 42"}, {"configurable": {"thread_id": "ada"}})
        nameless = {"configurable": {"thread_id": ""}}
        assert saver.get_tuple(nameless) is None
        assert list(saver.list(nameless)) == []
        assert agent.get_state(nameless).values == {}
        agent.invoke({"messages": "hello"}, nameless)
        ada = agent.get_state({"configurable": {"thread_id": "ada"}})
        assert "hello" not in str(ada.values)
