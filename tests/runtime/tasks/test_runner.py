"""Graphs as tasks: real graphs on real files, in this process."""

import asyncio
import threading
from typing import Any

import psycopg
import pytest
from langgraph.types import interrupt
from scripted import ScriptedChatModel, calls
from task_graphs import State, add, graph_of

from cogwork.core.budget import Budget
from cogwork.core.errors import ConfigurationError, TaskError
from cogwork.graphs import create_react_agent
from cogwork.runtime.tasks import Priority, Runner
from cogwork.tools import tool


def test_a_task_gives_what_its_graph_gives(runner):
    with runner({"add": graph_of(add, add)}) as tasks:
        key = tasks.submit("add", {"x": 1})
        assert tasks.result(key, 10) == {"x": 3}
        done = tasks.status(key)
        assert (done.state, done.progress, done.attempts) == ("completed", 1.0, 1)
        assert done.created <= done.started <= done.ended
        assert 0 < done.duration(done.ended) <= done.ended - done.started
        told = [event.data for event in tasks.events(key)]
        assert [each["node"] for each in told if "node" in each] == ["n0", "n1"]
        assert [each["state"] for each in told if "state" in each] == [
            "pending",
            "running",
            "completed",
        ]


async def test_a_task_is_awaited_without_holding_up_the_loop(runner):
    with runner({"add": graph_of(add)}) as tasks:
        keys = [tasks.submit("add", {"x": number}) for number in range(10)]
        async with asyncio.timeout(10):
            results = await asyncio.gather(*map(tasks.aresult, keys))
        assert [each["x"] for each in results] == list(range(1, 11))


async def test_the_loop_goes_on_while_the_database_does_not_answer(fresh_postgres):
    with Runner(fresh_postgres, {"add": graph_of(add)}) as tasks:
        key = tasks.submit("add", {"x": 1})
        await tasks.aresult(key)
        with psycopg.connect(fresh_postgres) as other:
            other.execute("LOCK TABLE cogwork_tasks.tasks")
            waits = asyncio.create_task(tasks.aresult(key))
            patience = threading.Timer(5, other.close)
            patience.start()
            for _ in range(20):
                await asyncio.sleep(0.005)
            assert not waits.done()
            assert patience.is_alive()
            patience.cancel()
        assert await waits == {"x": 2}


async def test_many_wait_at_once_and_are_told_when_each_ends(runner, gate):
    with runner({"gate": graph_of(gate, add)}) as tasks:
        keys = [tasks.submit("gate", {"x": number}) for number in range(50)]
        waits = [asyncio.create_task(tasks.aresult(key)) for key in keys]
        waits[0].cancel()
        await asyncio.wait(waits[:1])
        gate.open.set()
        async with asyncio.timeout(20):
            results = await asyncio.gather(*waits[1:])
        assert [each["x"] for each in results] == list(range(2, 51))


def test_more_than_allowed_never_run_at_once(runner, gate):
    with runner({"gate": graph_of(gate)}, max_concurrency=3) as tasks:
        keys = [tasks.submit("gate", {"x": number}) for number in range(9)]
        for _ in range(3):
            assert gate.came.acquire(timeout=10)
        assert tasks.counts() == {"running": 3, "pending": 6}
        gate.open.set()
        for key in keys:
            tasks.result(key, 10)
    assert gate.most == 3


def test_of_what_waits_the_higher_priority_goes_first_then_the_older(runner, gate):
    with runner({"gate": graph_of(gate)}, max_concurrency=1) as tasks:
        first = tasks.submit("gate", {"x": 0})
        assert gate.came.acquire(timeout=10)
        orders = [Priority.low, Priority.critical, Priority.normal, Priority.critical]
        keys = [tasks.submit("gate", {"x": n}, priority=p) for n, p in enumerate(orders, 1)]
        gate.open.set()
        for key in (first, *keys):
            tasks.result(key, 10)
    assert gate.seen == [0, 2, 4, 3, 1]


def test_a_cancelled_task_ends_at_once_and_takes_those_that_belong_to_it_along(runner, gate):
    with runner({"gate": graph_of(gate)}, max_concurrency=1) as tasks:
        parent = tasks.submit("gate", {"x": 1})
        assert gate.came.acquire(timeout=10)
        child = tasks.submit("gate", {"x": 2}, parent=parent)
        assert tasks.status(child).trace == tasks.status(parent).trace
        tasks.cancel(parent)
        for key in (parent, child):
            with pytest.raises(TaskError, match="cancelled"):
                tasks.result(key, 1)
        with pytest.raises(TaskError, match="is cancelled and cannot become cancelled"):
            tasks.cancel(parent)
    assert gate.seen == [1]
    assert gate.inside == 0


def test_a_task_that_hangs_in_synchronous_code_is_cancelled_too(runner):
    stuck, release = threading.Event(), threading.Event()

    def hang(state: State) -> State:
        stuck.set()
        release.wait(10)
        return {"x": 99}

    with runner({"hang": graph_of(hang, add)}) as tasks:
        key = tasks.submit("hang", {"x": 1})
        assert stuck.wait(10)
        tasks.cancel(key)
        with pytest.raises(TaskError, match="cancelled"):
            tasks.result(key, 1)
        release.set()
        assert tasks.status(key).state == "cancelled"


def test_a_task_that_outlives_its_time_fails(runner, gate):
    with runner({"gate": graph_of(gate)}) as tasks:
        key = tasks.submit("gate", {}, timeout=0.05)
        with pytest.raises(TaskError, match=r"it ran longer than 0\.05 s"):
            tasks.result(key, 10)


def test_a_failure_is_told_without_secrets_and_the_runner_goes_on(runner):
    def fail(state: State) -> State:
        raise ValueError("refused: sk-abcdefghijklmnopqrstuvwxyz0123456789")

    alerts = []
    graphs = {"fail": graph_of(fail), "add": graph_of(add)}
    with runner(graphs, on_alert=alerts.append) as tasks:
        key = tasks.submit("fail", {})
        with pytest.raises(TaskError, match="failed: ValueError: refused") as caught:
            tasks.result(key, 10)
        assert "abcdefghij" not in str(caught.value)
        assert tasks.result(tasks.submit("add", {"x": 1}), 10) == {"x": 2}
    assert [(each.kind, each.task.id) for each in alerts] == [("failed", key)]


def test_a_task_that_asks_is_paused_until_it_is_answered(runner):
    ran = []

    def ask(state: State) -> State:
        return {"said": [interrupt("name?"), interrupt("age?")]}

    def count(state: State) -> State:
        ran.append(1)
        return {}

    with runner({"ask": graph_of(count, ask)}) as tasks:
        key = tasks.submit("ask", {})
        for question, answer in (("name?", "Ada"), ("age?", 36)):
            with pytest.raises(TaskError, match="asks"):
                tasks.result(key, 10)
            (asked,) = tasks.status(key).questions
            assert asked["value"] == question
            with pytest.raises(TaskError, match="give an answer"):
                tasks.resume(key)
            tasks.resume(key, answer)
        assert tasks.result(key, 10)["said"] == ["Ada", 36]
    assert ran == [1]


def test_a_paused_task_goes_on_where_it_was(runner, gate):
    with runner({"two": graph_of(gate, add)}) as tasks:
        key = tasks.submit("two", {"x": 1})
        assert gate.came.acquire(timeout=10)
        tasks.pause(key)
        gate.open.set()
        with pytest.raises(TaskError, match="is paused"):
            tasks.result(key, 10)
        tasks.resume(key)
        assert tasks.result(key, 10)["x"] == 2
        assert tasks.status(key).attempts == 2
    assert gate.seen == [1]


def test_what_a_stopped_runner_left_goes_on_in_the_next(runner, gate):
    first = runner({"two": graph_of(gate, add)}).start()
    key = first.submit("two", {"x": 1})
    assert gate.came.acquire(timeout=10)
    first.submit("two", {"x": 5}, id="waits")
    threading.Timer(0.05, gate.open.set).start()
    first.stop()
    with runner({"two": graph_of(gate, add)}) as second:
        assert second.result(key, 10)["x"] == 2
        assert second.result("waits", 10)["x"] == 6
    assert gate.seen == [1, 5]


def test_what_does_not_come_to_a_checkpoint_is_broken_off_and_runs_again(runner, gate):
    first = runner({"gate": graph_of(gate)}).start()
    key = first.submit("gate", {"x": 1})
    assert gate.came.acquire(timeout=10)
    first.stop(grace=0.05)
    gate.open.set()
    with runner({"gate": graph_of(gate)}) as second:
        assert second.result(key, 10)["said"] == "through"
    assert gate.seen == [1, 1]


def test_too_many_that_wait_are_refused(runner, gate):
    with runner({"gate": graph_of(gate)}, max_concurrency=1, max_pending=2) as tasks:
        keys = [tasks.submit("gate", {})]
        assert gate.came.acquire(timeout=10)
        keys += [tasks.submit("gate", {}) for _ in range(2)]
        with pytest.raises(TaskError, match="2 tasks are waiting already"):
            tasks.submit("gate", {})
        gate.open.set()
        for key in keys:
            tasks.result(key, 10)


def test_an_id_is_used_once(runner):
    with runner({"add": graph_of(add)}) as tasks:
        tasks.result(tasks.submit("add", {"x": 1}, id="mine"), 10)
        with pytest.raises(TaskError, match="there is a task 'mine' already"):
            tasks.submit("add", {"x": 2}, id="mine")


def test_runners_that_share_a_file_never_run_a_task_twice(runner):
    seen: list[int] = []

    def note(state: State) -> State:
        seen.append(state["x"])
        return {}

    graphs = {"note": graph_of(note)}
    with runner(graphs) as one, runner(graphs) as other:
        keys = [one.submit("note", {"x": number}) for number in range(60)]
        for key in keys:
            other.result(key, 20)
    assert sorted(seen) == list(range(60))


def test_another_runner_may_cancel(runner, gate):
    with runner({"gate": graph_of(gate)}) as one:
        other = runner({"gate": graph_of(gate)})
        key = one.submit("gate", {})
        assert gate.came.acquire(timeout=10)
        other.cancel(key)
        with pytest.raises(TaskError, match="cancelled"):
            other.result(key, 5)
        other.stop()
    assert gate.inside == 0


def test_nothing_starts_while_it_is_not_admitted(runner):
    reasons: list[str | None] = ["the disk is full"]
    alerts = []
    told = threading.Event()

    def hear(alert: Any) -> None:
        alerts.append(alert.message)
        told.set()

    graphs = {"add": graph_of(add)}
    with runner(graphs, admit=lambda: reasons[0], on_alert=hear) as tasks:
        key = tasks.submit("add", {"x": 1})
        assert told.wait(10)
        assert tasks.status(key).state == "pending"
        reasons[0] = None
        assert tasks.result(key, 10) == {"x": 2}
    assert set(alerts) == {"the disk is full"}


def test_a_task_that_says_nothing_is_told_once(runner, gate):
    alerts = []
    graphs = {"gate": graph_of(gate)}
    with runner(graphs, stall_after=0.05, on_alert=alerts.append) as tasks:
        key = tasks.submit("gate", {})
        for _ in range(500):
            if alerts:
                break
            tasks.events(key)
            threading.Event().wait(0.01)
        gate.open.set()
        tasks.result(key, 10)
    assert [(each.kind, each.task.id) for each in alerts] == [("stalled", key)]


def test_watching_tells_everything_in_order_to_the_end(runner):
    with runner({"add": graph_of(add, add, add)}) as tasks:
        key = tasks.submit("add", {"x": 1})
        told = list(tasks.watch(key))
        assert [event.number for event in told] == list(range(1, len(told) + 1))
        assert told[-1].data == {"state": "completed"}


def test_cleanup_forgets_what_ended_and_its_checkpoints(runner, gate):
    graph = graph_of(gate)
    with runner({"gate": graph, "add": graph_of(add)}) as tasks:
        done = tasks.submit("add", {"x": 1})
        tasks.result(done, 10)
        running = tasks.submit("gate", {})
        assert tasks.cleanup(3600) == []
        assert list(tasks.cleanup(0)) == [done]
        with pytest.raises(TaskError, match=f"no task '{done}'"):
            tasks.status(done)
        assert [each.id for each in tasks.list()] == [running]
        gate.open.set()
        tasks.result(running, 10)


def test_a_budget_holds_over_attempts_and_what_was_spent_is_told(runner):
    model = ScriptedChatModel(script=[calls(("look", {})), "done"], forever=True)

    @tool(effect="read")
    def look() -> str:
        """Look."""
        return str(interrupt("where?"))

    alerts = []
    graphs = {"agent": create_react_agent(model, [look])}
    ask = {"messages": "look"}
    with runner(graphs, on_alert=alerts.append) as tasks:
        key = tasks.submit("agent", ask, budget=Budget(max_model_calls=2))
        with pytest.raises(TaskError, match="asks"):
            tasks.result(key, 10)
        assert tasks.status(key).spent["model_calls"] == 1
        tasks.resume(key, "there")
        assert tasks.result(key, 10)["messages"][-1].text == "done"
        assert tasks.status(key).spent["model_calls"] == 2
        assert tasks.status(key).spent["tokens"] > 0
        other = tasks.submit("agent", ask, budget=Budget(max_model_calls=0))
        with pytest.raises(TaskError, match="max_model_calls"):
            tasks.result(other, 10)
    assert {alert.kind for alert in alerts} == {"budget", "overspent"}


def test_the_beginning_of_an_id_names_a_task_if_it_is_the_only_one(runner):
    idle = runner({"add": graph_of(add)})  # not started
    try:
        for key in ("ab", "abc", "abd", "x%", "x_1"):
            idle.submit("add", {"x": 1}, id=key)
        assert idle.named("abc") == "abc"
        assert idle.named("ab") == "ab"  # the whole id, though others begin so
        assert idle.named("x_") == "x_1"  # no pattern
        with pytest.raises(ConfigurationError, match=r"begin with 'a': ab, abc, abd; write more"):
            idle.named("a")
        for nobody in ("b", "abcd", "%"):
            with pytest.raises(ConfigurationError, match="there is no task"):
                idle.named(nobody)
    finally:
        idle.stop()


def test_only_a_paused_task_is_resumed(runner, gate):
    with runner({"two": graph_of(gate, add)}) as tasks:
        key = tasks.submit("two", {"x": 1})
        assert gate.came.acquire(timeout=10)
        with pytest.raises(TaskError, match="is running; only a paused one"):
            tasks.resume(key)
        gate.open.set()
        assert tasks.result(key, 10)["x"] == 2
        with pytest.raises(TaskError, match="is completed; only a paused one"):
            tasks.resume(key, "an answer")
        assert tasks.status(key).attempts == 1
