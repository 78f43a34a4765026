"""What becomes of a task whose runner is killed, stopped, or hears of a wish too late."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from scripted import ScriptedChatModel
from task_graphs import add, graph_of

from cogwork.core.errors import TaskError
from cogwork.graphs import create_react_agent
from cogwork.memory import create_checkpointer
from cogwork.runtime.tasks import Runner
from cogwork.tools import tool

SUPPORT = Path(__file__).parents[2] / "support"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def tasks_url(request: pytest.FixtureRequest) -> str:
    """As for all runners, but what takes long on a server waits for the slow tests."""
    is_file = request.param == "sqlite"
    return "sqlite:///tasks.db" if is_file else str(request.getfixturevalue("fresh_postgres"))


@contextmanager
def killed_runner(url: str, kind: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A runner whose node has begun, and what it said; it is killed at the end of the block."""
    with subprocess.Popen(
        [sys.executable, str(SUPPORT / "runner_child.py"), url, kind],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SUPPORT)},
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.parametrize(("wish", "state"), [("cancel", "cancelled"), ("pause", "paused")])
def test_what_was_wanted_of_a_task_holds_though_its_runner_died(
    runner, tasks_url, gate, wish, state
):
    client = runner({"work": graph_of(gate)})
    with killed_runner(tasks_url, "waits") as (process, said):
        assert said == "begun"
        process.send_signal(signal.SIGSTOP)  # it hears of nothing any more
        getattr(client, wish)("held")
    with client:
        for event in client.watch("held"):
            assert event.data.get("state") != "running" or event.data["attempt"] == 1
        assert client.status("held").state == state
        if state == "paused":
            gate.open.set()
            client.resume("held")
            assert client.result("held", 10)["said"] == "through"
        else:
            assert client.status("held").ended is not None
    assert len(gate.seen) == (state == "paused")


def test_a_wish_that_comes_while_the_runner_stops_holds(runner, gate):
    first, other = (runner({"work": graph_of(gate)}) for _ in range(2))
    first.start()
    keys = [first.submit("work", {"x": number}) for number in range(2)]
    for _ in keys:
        assert gate.came.acquire(timeout=10)
    first._workers._claims.wishes = lambda owner: {}  # as if it came after the last look
    other.cancel(keys[0])
    other.pause(keys[1])
    first.stop(grace=0)
    assert [other.status(key).state for key in keys] == ["cancelled", "paused"]
    other.stop()


def test_a_process_that_a_node_forked_is_not_taken_for_its_runner(runner, tasks_url):
    client = runner({"work": graph_of(add)})
    with killed_runner(tasks_url, "forks") as (_, child):
        pass
    try:
        with client:
            assert client.result("held", 15) == {"x": 2}
    finally:
        os.kill(int(child), signal.SIGKILL)


def test_a_fork_leaves_its_runner_s_sign_of_life_alone(runner, gate):
    with runner({"work": graph_of(gate)}) as tasks:
        key = tasks.submit("work", {"x": 1})
        assert gate.came.acquire(timeout=10)
        if (child := os.fork()) == 0:
            os._exit(0)
        os.waitpid(child, 0)
        with runner({"work": graph_of(add)}) as other:
            other._workers._take_over()
            assert tasks.status(key).attempts == 1
            gate.open.set()
            assert tasks.result(key, 10)["said"] == "through"


def test_a_fork_has_connections_of_its_own(runner):
    with runner({"add": graph_of(add)}) as tasks:
        tasks.result(tasks.submit("add", {"x": 1}), 10)
        if (child := os.fork()) == 0:
            try:
                for number in range(20):
                    tasks.submit("add", {"x": number}, id=f"child {number}")
                    assert len(tasks.events(f"child {number}")) >= 1
                tasks._records.close()
                os._exit(0)
            finally:
                os._exit(1)
        keys = [tasks.submit("add", {"x": number}) for number in range(20)]
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        for number, key in enumerate(keys):
            assert tasks.result(key, 10) == {"x": number + 1}
            assert tasks.result(f"child {number}", 10) == {"x": number + 1}
        assert tasks.counts() == {"completed": 41}


def test_a_sign_of_life_that_somebody_removes_is_renewed(tmp_path, gate):
    url = f"sqlite:///{tmp_path}/tasks.db"
    with Runner(url, {"work": graph_of(gate)}) as tasks:
        key = tasks.submit("work", {"x": 1})
        assert gate.came.acquire(timeout=10)
        (sign,) = (tmp_path / "tasks.runners").iterdir()
        shutil.rmtree(sign.parent)
        with Runner(url, {"work": graph_of(add)}) as other:
            while not sign.exists():
                other._workers._take_over()
                time.sleep(0.05)
            other._workers._take_over()
            assert tasks.status(key).attempts == 1
            gate.open.set()
            assert tasks.result(key, 10)["said"] == "through"
    with Runner(url, {"work": graph_of(add)}) as tasks:
        assert tasks.counts() == {"completed": 1}


def test_what_was_spent_before_the_kill_is_told(runner, tasks_url):
    @tool(effect="read")
    def look() -> str:
        """Look."""
        return "seen"

    agent = create_react_agent(ScriptedChatModel(script=["done"]), [look])
    with killed_runner(tasks_url, "spends") as (_, said):
        assert said == "begun"
    with runner({"work": agent}) as tasks:
        tasks.result("held", 15)
        assert tasks.status("held").spent["model_calls"] == 2


def test_what_it_ran_is_not_changed_by_a_clock_that_is_set(runner, gate, monkeypatch):
    real, ahead = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])
    with runner({"work": graph_of(gate, add)}) as tasks:
        for ahead[0] in (86_400.0, -86_400.0):
            key = tasks.submit("work", {"x": 1}, timeout=60)
            assert gate.came.acquire(timeout=10)
            ahead[0] *= 2
            assert tasks.status(key).duration(time.time()) >= 0
            tasks.pause(key)
            gate.open.set()
            list(tasks.watch(key))
            assert 0 <= tasks.status(key).ran < 60
            tasks.resume(key)
            assert tasks.result(key, 10)["x"] == 2
            gate.open.clear()


def test_a_graph_that_takes_long_to_make_holds_up_no_other_task(runner, gate):
    making, made = threading.Event(), threading.Event()

    def make():
        making.set()
        assert made.wait(20)
        return graph_of(add)

    graphs = {"slow": make, "work": graph_of(gate), "add": graph_of(add)}
    with runner(graphs) as tasks:
        other = runner(graphs)
        key = tasks.submit("work", {"x": 1})
        assert gate.came.acquire(timeout=10)
        slow, unwanted = tasks.submit("slow", {"x": 1}), tasks.submit("slow", {"x": 2})
        assert making.wait(10)
        assert tasks.result(tasks.submit("add", {"x": 1}), 10) == {"x": 2}
        for each in (key, unwanted):
            other.cancel(each)
            with pytest.raises(TaskError, match="cancelled"):
                other.result(each, 10)
        assert not made.is_set()
        made.set()
        assert tasks.result(slow, 10) == {"x": 2}
        other.stop()


def test_a_runner_that_stops_does_not_wait_for_a_graph_to_be_made(runner):
    making, made = threading.Event(), threading.Event()

    def make():
        making.set()
        made.wait(20)
        return graph_of(add)

    tasks = runner({"slow": make}).start()
    key = tasks.submit("slow", {"x": 1})
    assert making.wait(10)
    tasks.stop(grace=0.05)
    assert not made.is_set()
    made.set()
    with runner({"slow": graph_of(add)}) as other:
        assert other.result(key, 10) == {"x": 2}


def test_a_task_that_died_before_its_first_checkpoint_is_not_taken_for_its_thread(tmp_path):
    url = f"sqlite:///{tmp_path}/tasks.db"
    with create_checkpointer(f"sqlite:///{tmp_path}/threads.db") as saver:
        graph = graph_of(add)
        graph.checkpointer = saver
        asyncio.run(graph.ainvoke({"x": 1}, {"configurable": {"thread_id": "talk"}}))
        tasks = Runner(url, {"add": graph})
        tasks.submit("add", {"x": 5}, id="talk")
        claims = tasks._workers._claims
        assert claims.claim("a runner that was killed", ["add"]).id == "talk"
        with tasks:
            assert tasks.result("talk", 10) == {"x": 6}
            assert tasks.status("talk").attempts == 2


def test_a_runner_that_was_stopped_says_so_when_it_is_started_again(runner):
    tasks = runner({"add": graph_of(add)})
    for _ in range(2):
        tasks.stop()
        with pytest.raises(TaskError, match="was stopped; make another one"):
            tasks.start()
