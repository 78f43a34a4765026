"""Graphs that end oddly: whatever they raise or tell, their tasks end, and the runner goes on."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langgraph.config import get_stream_writer
from task_graphs import State, add, graph_of

from cogwork.core.errors import MemoryStoreError, TaskError
from cogwork.memory import create_checkpointer
from cogwork.runtime.tasks import Runner


@pytest.fixture
def runner(tmp_path: Path) -> Callable[..., Runner]:
    return partial(Runner, f"sqlite:///{tmp_path}/tasks.db")


ODD_STEPS = (
    {"type": "step", "event": []},
    *({"type": "progress", "value": value} for value in (10**400, -(10**400), float("nan"), "x")),
)


class Unshowable:
    def __repr__(self) -> str:
        raise ValueError("not shown")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), BaseException("odd")])
def test_a_graph_that_ends_the_process_ends_its_task_only(runner, error):
    async def leaves(state: State) -> State:
        raise error

    with runner({"leaves": graph_of(leaves), "add": graph_of(add)}) as at_work:
        key = at_work.submit("leaves", {"x": 1})
        with pytest.raises(TaskError, match=type(error).__name__):
            at_work.result(key, 10)
        assert at_work.result(at_work.submit("add", {"x": 1}), 10) == {"x": 2}


async def test_a_task_named_as_a_thread_goes_on_with_what_it_is_given(tmp_path, runner):
    with create_checkpointer(f"sqlite:///{tmp_path}/threads.db") as saver:
        graph = graph_of(add)
        graph.checkpointer = saver
        thread = {"configurable": {"thread_id": "talk"}}
        await graph.ainvoke({"x": 1, "said": "before"}, thread)
        with runner({"add": graph}) as at_work:
            found = await at_work.aresult(at_work.submit("add", {"x": 5}, id="talk"))
    assert found == {"x": 6, "said": "before"}


def test_a_graph_whose_maker_ends_the_process_fails_its_task_only(runner):
    def make() -> Any:
        raise SystemExit(3)

    with runner({"makes": make, "add": graph_of(add)}) as at_work:
        with pytest.raises(TaskError, match="could not start: SystemExit"):
            at_work.result(at_work.submit("makes", {"x": 1}), 10)
        assert at_work.result(at_work.submit("add", {"x": 1}), 10) == {"x": 2}


def test_what_cannot_be_written_down_does_not_keep_a_task_from_its_end(runner):
    circle: list[Any] = []
    circle.append(circle)

    async def tells(state: State) -> State:
        tell = get_stream_writer()
        for odd in ("\ud83d", "\0", circle, Unshowable(), *ODD_STEPS):
            tell(odd)
        return {"x": 1}

    async def fails(state: State) -> State:
        raise ValueError("half a pair \ud83d and \0")

    with runner({"tells": graph_of(tells), "fails": graph_of(fails)}) as at_work:
        key = at_work.submit("tells", {"x": 0})
        assert at_work.result(key, 10) == {"x": 1}
        assert at_work.events(key)[2].data == "\ud83d"
        with pytest.raises(TaskError, match="half a pair"):
            at_work.result(at_work.submit("fails", {"x": 0}), 10)


def test_a_task_whose_end_cannot_be_kept_ends_when_it_can(tmp_path, runner):
    go_on, refused = threading.Event(), threading.Event()

    async def waits(state: State) -> State:
        await asyncio.to_thread(go_on.wait, 10)
        return {"x": 1}

    def hear(alert: Any) -> None:
        if alert.kind == "refused":
            refused.set()

    with runner({"waits": graph_of(waits)}, on_alert=hear) as at_work:
        key = at_work.submit("waits", {"x": 0})
        other = sqlite3.connect(tmp_path / "tasks.db", isolation_level=None)
        other.execute(
            "CREATE TRIGGER full BEFORE UPDATE OF state ON tasks WHEN new.state = 'completed' "
            "BEGIN SELECT raise(ABORT, 'no room'); END"
        )
        go_on.set()
        assert refused.wait(10)
        assert at_work.status(key).state == "running"
        other.execute("DROP TRIGGER full")
        other.close()
        assert at_work.result(key, 10) == {"x": 1}


def test_of_what_a_node_tells_at_once_the_last_thousand_are_kept(runner):
    async def tells(state: State) -> State:
        tell = get_stream_writer()
        for number in range(1_500):
            tell(number)
        return {}

    with runner({"tells": graph_of(tells)}) as at_work:
        key = at_work.submit("tells", {})
        at_work.result(key, 10)
        told = [event.data for event in at_work.events(key) if event.kind == "custom"]
    assert told == list(range(1_500 - len(told), 1_500))
    assert len(told) > 900  # beside what else happened


def test_who_hears_alerts_may_end_neither_the_runner_nor_a_task(runner):
    def hear(alert: Any) -> None:
        raise SystemExit(1)

    async def stalls(state: State) -> State:
        await asyncio.sleep(0.3)
        raise ValueError("at last")

    graphs = {"stalls": graph_of(stalls), "add": graph_of(add)}
    with runner(graphs, on_alert=hear, stall_after=0.01) as at_work:
        with pytest.raises(TaskError, match="at last"):
            at_work.result(at_work.submit("stalls", {}), 10)
        assert at_work.result(at_work.submit("add", {"x": 1}), 10) == {"x": 2}


@pytest.mark.parametrize("place", ["file/tasks.db", "file/deep/tasks.db"])
def test_a_folder_that_cannot_be_made_is_named(tmp_path, place):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(MemoryStoreError, match=r"cannot be made.*choose another place"):
        Runner(f"sqlite:///{tmp_path}/{place}", {"add": graph_of(add)})
