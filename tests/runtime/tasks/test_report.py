"""Reports of tasks: of one and of all, as data and as Markdown."""

import json
import time
from collections import Counter

import fresh
import pytest
from scripted import ScriptedChatModel, calls
from task_graphs import add, fail, graph_of

from cogwork.core.errors import TaskError
from cogwork.graphs import create_react_agent
from cogwork.runtime.tasks import Runner
from cogwork.runtime.tasks.report import Line, report_of_all
from cogwork.tools import tool

STATES = ("completed", "failed", "running", "pending", "cancelled")
NOW = 1_000_000.0


@tool(effect="read")
def look() -> str:
    """Look."""
    return "there"


def line(number: int, state: str, **values: object) -> Line:
    known = {
        "id": f"t{number}",
        "graph": "plan",
        "state": state,
        "ran": 0.0,
        "created": NOW,
        "ended": None,
        "touched": NOW,
        "spent": "{}",
        "error": None,
        "owner": None,
    }
    return Line(**{**known, **values})  # type: ignore[arg-type]


def test_a_report_counts_what_there_is(runner, gate):
    model = ScriptedChatModel(script=[calls(("look", {})), "done"])
    graphs = {
        "add": graph_of(add),
        "fail": graph_of(fail),
        "gate": graph_of(gate),
        "agent": create_react_agent(model, [look]),
    }
    with runner(graphs, max_concurrency=1, stall_after=0.05) as tasks:
        done = [tasks.submit("add", {"x": 1}), tasks.submit("agent", {"messages": "look"})]
        broken = tasks.submit("fail", {})
        for key in (*done, broken):
            while tasks.status(key).state in {"pending", "running"}:
                time.sleep(0.01)
        running = tasks.submit("gate", {})
        assert gate.came.acquire(timeout=10)
        waits = tasks.submit("add", {"x": 1})
        gone = tasks.submit("add", {"x": 1})
        tasks.cancel(gone)
        while not (found := tasks.report()).stalled:
            time.sleep(0.01)
        only_now = tasks.report(within=1e-6)
        gate.open.set()
        tasks.result(waits, 10)
    assert Counter(found.states) == Counter(["completed", *STATES])
    assert found.graphs["add"] == {"completed": 1, "pending": 1, "cancelled": 1}
    assert 0 < found.seconds["median"] <= found.seconds["p95"] <= found.seconds["longest"]
    assert (found.spent["model_calls"], found.spent["tool_calls"]) == (2, 1)
    assert found.spent["tokens"] > 0
    assert found.per_minute > 0
    assert found.failures == {"ValueError: as it was to be": 1}
    assert getattr(found.oldest, "id", None) == waits
    assert [each.id for each in found.stalled] == [running]
    assert list(found.workers.values()) == [1]
    assert only_now.states == {"running": 1, "pending": 1}
    for said in (
        "# Tasks: 6",
        "| ValueError: as it was to be | 1 ",
        running,
        waits,
        "2 model calls",
    ):
        assert said in found.markdown()


def test_a_report_of_a_task_tells_its_way(runner):
    with runner({"add": graph_of(add, add), "fail": graph_of(add, fail)}) as tasks:
        key = tasks.submit("add", {"x": 1})
        tasks.result(key, 10)
        broken = tasks.submit("fail", {"x": 1})
        with pytest.raises(TaskError):
            tasks.result(broken, 10)
        found, bad = tasks.task_report(key), tasks.task_report(broken)
        with pytest.raises(TaskError, match="no task 'nobody'"):
            tasks.task_report("nobody")
    assert [state for _, state in found.states] == ["pending", "running", "completed"]
    assert found.nodes == {"n0": 1, "n1": 1}
    ended = found.task.ended or 0.0
    assert found.ran + found.waited == pytest.approx(ended - found.task.created)
    assert (found.left, found.silent) == (None, None)
    assert f"# Task {key}: completed" in found.markdown()
    assert "| error    | ValueError: as it was to be |" in bad.markdown()


def test_time_left_and_silence_of_what_runs_are_told(runner, gate):
    with runner({"two": graph_of(add, gate)}) as tasks:
        key = tasks.submit("two", {"x": 1})
        assert gate.came.acquire(timeout=10)
        while tasks.progress(key) == 0:
            time.sleep(0.01)
        found = tasks.task_report(key)
        gate.open.set()
        tasks.result(key, 10)
    assert found.left is not None
    assert found.left == pytest.approx(found.ran * (1 - found.task.progress) / found.task.progress)
    assert found.silent is not None
    assert f"| left       | about {found.left:.2f} s" in found.markdown()


def test_quantiles_sums_and_throughput_are_right():
    lines = [
        line(
            number,
            "completed",
            ran=float(number),
            created=NOW - 120,
            ended=NOW,
            spent=json.dumps({"tokens": 10, "cost": 0.5, "model_calls": 1}),
        )
        for number in range(1, 101)
    ]
    found = report_of_all(lines, None, 300)
    assert found.seconds == {"median": 50, "p95": 96, "longest": 100}
    assert found.spent == {"tokens": 1000, "cost": 50, "model_calls": 100, "tool_calls": 0}
    assert found.per_minute == pytest.approx(50)
    assert "1,000 tokens, $50.0000, 100 model calls" in found.markdown()


def test_errors_that_differ_in_the_id_alone_are_one():
    lines = [line(n, "failed", error=f"the budget of task t{n} is spent") for n in range(3)]
    assert report_of_all(lines, None, 300).failures == {"the budget of task … is spent": 3}


def test_nothing_is_a_report_too():
    found = report_of_all([], None, 300)
    assert (found.states, found.seconds, found.oldest) == ({}, {}, None)
    assert found.markdown().startswith("# Tasks: 0\n")


def test_what_would_break_a_table_does_not():
    found = report_of_all([line(1, "failed", error="a | b\nc", ended=NOW)], None, 300)
    assert "| a \\| b c    | 1     |" in found.markdown()


def test_the_command_prints_reports():
    with Runner("sqlite:///.cogwork/tasks.sqlite", {"add": graph_of(add)}) as tasks:
        key = tasks.submit("add", {"x": 1})
        tasks.result(key, 10)
    ran = fresh.run("tasks", "report")
    assert ran.stdout.startswith("# Tasks: 1\n"), ran.stderr
    assert json.loads(fresh.run("tasks", "report", "--json").stdout)["states"] == {"completed": 1}
    assert fresh.run("tasks", "report", key).stdout.startswith(f"# Task {key}: completed\n")
    one = json.loads(fresh.run("tasks", "report", key, "--json").stdout)
    assert one["nodes"] == {"n0": 1}
    wrong = fresh.run("tasks", "report", "--hours", "0")
    assert wrong.returncode == 2
    assert "--hours is 0; give a number above 0" in wrong.stderr
