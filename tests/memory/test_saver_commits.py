"""Tasks of event loops share commits: released when durable, and failing alone."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from review_graph import answer, build, say, texts, thread

from cogwork.core.errors import MemoryStoreError
from cogwork.memory import create_checkpointer
from cogwork.memory.async_saver import ThreadedSaver
from cogwork.memory.saver.commits import Commits
from cogwork.memory.sqlite_saver import SqliteCheckpointer
from cogwork.memory.store.group_commit import GroupCommit


@pytest.fixture
def saver(tmp_path: Path) -> Iterator[SqliteCheckpointer]:
    with create_checkpointer(f"sqlite:///{tmp_path / 'c.db'}?timeout=0.2") as opened:
        assert isinstance(opened, SqliteCheckpointer)
        yield opened


def place(name: str) -> Any:
    return {
        "configurable": {
            "thread_id": name,
            "checkpoint_ns": "",
            "checkpoint_id": "1f1e5919-f9ac-67f9-8259-ac64ad3cdd74",
        }
    }


def committed(saver: SqliteCheckpointer) -> int:
    """What another connection sees."""
    with sqlite3.connect(saver.path) as other:
        count = other.execute("SELECT count(*) FROM writes").fetchone()[0]
    other.close()
    return int(count)


async def test_writes_of_many_tasks_share_commits_and_are_durable_when_they_return(saver):
    batches: list[int] = []
    saver.conn.set_trace_callback(lambda text: batches.append(1) if text == "COMMIT" else None)

    async def one(number: int) -> int:
        await saver.aput_writes(place(str(number)), [("x", number)], str(uuid.uuid4()))
        return committed(saver)

    seen = await asyncio.gather(*map(one, range(200)))

    assert min(seen) >= 1
    assert max(seen) == committed(saver) == 200
    assert len(batches) < 40


def test_threads_and_several_event_loops_write_at_once(saver):
    def in_loop(number: int) -> None:
        async def many() -> None:
            await asyncio.gather(
                *(
                    saver.aput_writes(place(f"{number}-{n}"), [("x", n)], str(uuid.uuid4()))
                    for n in range(50)
                )
            )

        asyncio.run(many())

    def in_thread() -> None:
        for n in range(50):
            saver.put_writes(place(f"sync-{n}"), [("x", n)], str(uuid.uuid4()))

    workers = [threading.Thread(target=in_loop, args=(n,)) for n in range(3)]
    workers.append(threading.Thread(target=in_thread))
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert committed(saver) == 200


async def test_only_the_write_at_fault_fails(saver):
    saver.conn.execute(
        "CREATE TRIGGER no BEFORE INSERT ON writes WHEN NEW.channel = 'bad' "
        "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    )
    channels = ["good"] * 10 + ["bad"] + ["good"] * 10

    results = await asyncio.gather(
        *(
            saver.aput_writes(place(str(n)), [(channel, n)], str(uuid.uuid4()))
            for n, channel in enumerate(channels)
        ),
        return_exceptions=True,
    )

    wrong = [(n, result) for n, result in enumerate(results) if result is not None]
    assert [n for n, _ in wrong] == [10]
    assert isinstance(wrong[0][1], MemoryStoreError)
    assert "not this one" in str(wrong[0][1])
    assert committed(saver) == 20


async def test_locked_file_fails_all_at_once_and_they_go_on_when_it_is_free(saver):
    graph = build(saver)
    other = sqlite3.connect(saver.path)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()

    results = await asyncio.gather(
        *(graph.ainvoke(say("trip"), thread(str(n))) for n in range(20)), return_exceptions=True
    )
    other.rollback()
    other.close()

    assert all(isinstance(result, MemoryStoreError) and result.transient for result in results)
    assert time.monotonic() - started < 20 * 0.2 * 3  # not each its own wait, one by one
    for n in range(20):
        await graph.ainvoke(say("trip"), thread(str(n)))
        final = await graph.ainvoke(answer("yes"), thread(str(n)))
        assert texts(final)[-4:] == ["trip", "left of trip", "right of trip", "reviewed: yes"]


async def test_full_disk_fails_what_does_not_fit_and_keeps_the_rest(saver):
    graph = build(saver)
    await graph.ainvoke(say("trip"), thread("1"))
    pages = saver.conn.execute("PRAGMA page_count").fetchone()[0]
    saver.conn.execute(f"PRAGMA max_page_count = {pages + 4}")

    results = await asyncio.gather(
        *(graph.ainvoke(say("x" * 50_000), thread(str(n))) for n in range(2, 8)),
        return_exceptions=True,
    )

    assert all(isinstance(result, MemoryStoreError) for result in results)
    assert all("free some disk space" in str(result) for result in results)
    saver.conn.execute("PRAGMA max_page_count = 1000000")
    assert texts(await graph.ainvoke(answer("yes"), thread("1")))[-1] == "reviewed: yes"


async def test_cancelled_caller_leaves_the_others_alone(saver):
    tasks = [
        asyncio.create_task(saver.aput_writes(place(str(n)), [("x", n)], str(uuid.uuid4())))
        for n in range(20)
    ]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()

    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(result is None for result in results[1::2])
    assert committed(saver) >= 10


async def test_what_waits_is_committed_before_it_closes():
    batches: list[Sequence[int]] = []
    commits: Commits[int] = Commits(batches.append)
    writes = [commits.write(n) for n in range(5)]
    await asyncio.sleep(0)

    commits.close()
    await asyncio.gather(*writes)

    assert sorted(n for batch in batches for n in batch) == [0, 1, 2, 3, 4]


async def test_loop_runs_on_while_a_commit_takes_long():
    release, beats = threading.Event(), 0
    commits: Commits[int] = Commits(lambda _: release.wait(10) and None)
    write = commits.write(1)

    while beats < 50:
        await asyncio.sleep(0)
        beats += 1
    assert not write.done()
    release.set()
    await write
    commits.close()


async def test_what_was_written_to_a_channel_is_read_without_its_checkpoint(saver):
    config = {"configurable": {"thread_id": "1", "checkpoint_ns": ""}}
    at = await saver.aput(config, empty_checkpoint(), {"step": 1}, {})
    assert await saver.awritten(at, "x") == []
    for channel, value in (("x", [1]), ("y", 2), ("x", [3])):
        await saver.aput_writes(at, [(channel, value)], str(uuid.uuid4()))
    await saver.aput_writes(place("later"), [("x", 4)], str(uuid.uuid4()))

    found = await saver.awritten(at, "x")

    assert sorted(value for _, _, value in found) == [[1], [3]]
    assert found == ThreadedSaver.written(saver, at, "x")  # as savers do that have no short way
    assert saver.written(place("later"), "x") is None  # its checkpoint is not saved yet
    assert ThreadedSaver.written(saver, place("later"), "x") is None


def test_log_has_room_for_what_is_to_come(saver):
    log = saver.path.with_name(f"{saver.path.name}-wal")
    saver.put_writes(place("first"), [("x", 1)], str(uuid.uuid4()))
    size = log.stat().st_size

    for n in range(50):
        saver.put_writes(place(str(n)), [("x", n)], str(uuid.uuid4()))

    assert log.stat().st_size == size
    assert committed(saver) == 51


_KILLED = """
import os, signal, sys, uuid
from cogwork.memory import create_checkpointer

saver = create_checkpointer(f"sqlite:///{sys.argv[1]}")
for n in range(400):
    at = {"configurable": {"thread_id": str(n), "checkpoint_ns": "", "checkpoint_id": str(n)}}
    saver.put_writes(at, [("x", "." * 10_000)], str(uuid.uuid4()))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_written_survives_a_kill_and_nothing_else_does(tmp_path):
    path = tmp_path / "killed.db"
    subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=False, timeout=60)

    with create_checkpointer(f"sqlite:///{path}") as saver:
        tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
        found = [name for (name,) in saver.conn.execute(tables)]
        sound = saver.conn.execute("PRAGMA integrity_check").fetchone()

        assert committed(saver) == 400
        assert found == ["checkpoints", "snapshots", "writes"]
        assert sound == ("ok",)


def test_idle_threads_are_found_and_pruned(saver):
    graph = build(saver)
    graph.invoke(say("trip"), thread("new"))
    old = {**empty_checkpoint(), "id": "1e000000-0000-6000-8000-000000000000"}
    saver.put({"configurable": {"thread_id": "old", "checkpoint_ns": ""}}, old, {}, {})

    assert saver.idle_threads(3600) == ["old"]
    assert asyncio.run(saver.aidle_threads(-3600)) == ["new", "old"]
    saver.prune(saver.idle_threads(3600), strategy="delete")
    assert saver.idle_threads(-3600) == ["new"]


FULL, NORMAL = 2, 1


def synchronous(saver: SqliteCheckpointer) -> int:
    """How the last transaction was brought to the disk."""
    return int(saver.conn.execute("PRAGMA synchronous").fetchone()[0])


async def test_note_is_there_at_once_and_synced_with_the_next_write(saver):
    await saver.anote_writes(place("1"), [("x", 1)], str(uuid.uuid4()))
    assert (committed(saver), synchronous(saver)) == (1, NORMAL)
    saver.note_writes(place("1"), [("x", 2)], str(uuid.uuid4()))
    assert (committed(saver), synchronous(saver)) == (2, NORMAL)

    await saver.aput_writes(place("1"), [("x", 3)], str(uuid.uuid4()))

    assert (committed(saver), synchronous(saver)) == (3, FULL)
    assert [value for _, _, value in await saver.awritten(place("1"), "x") or ()] == []
    at = await saver.aput(
        place("1"),
        {**empty_checkpoint(), "id": place("1")["configurable"]["checkpoint_id"]},
        {},
        {},
    )
    assert sorted(value for _, _, value in await saver.awritten(at, "x") or ()) == [1, 2, 3]


def test_transaction_that_is_shared_is_synced_if_one_of_its_writers_asks():
    how: list[tuple[int, bool]] = []
    first, go_on = threading.Event(), threading.Event()

    def transact(work: Any, *, synced: bool = True) -> None:
        done: list[int] = []
        work(done)
        how.append((len(done), synced))

    def slow(done: list[int]) -> None:
        first.set()
        go_on.wait(10)
        done.append(0)

    group = GroupCommit(transact)
    writers = [threading.Thread(target=group.write, args=(slow,), kwargs={"synced": False})]
    writers[0].start()
    first.wait(10)
    for synced in (False, True):
        writers.append(
            threading.Thread(
                target=group.write, args=(lambda done: done.append(1),), kwargs={"synced": synced}
            )
        )
        writers[-1].start()
    while len(group._waiting) < 2:
        time.sleep(0.001)
    go_on.set()
    for writer in writers:
        writer.join()

    assert how == [(1, False), (2, True)]
