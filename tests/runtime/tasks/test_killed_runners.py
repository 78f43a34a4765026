"""Runners killed at any moment: every task ends once, in its right state."""

import asyncio
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from forks import forks
from task_graphs import State, graph_of
from tasks_child import NODES, graph

from cogwork.runtime.tasks import Runner

WORKERS = 3


@pytest.mark.parametrize(
    ("count", "kills"), [(40, 4), pytest.param(600, 30, marks=pytest.mark.slow)]
)
def test_every_task_ends_in_its_right_state_whatever_is_killed(tmp_path, tasks_url, count, kills):
    url, log = tasks_url, str(tmp_path / "log")
    client = Runner(url, {"work": graph})
    for number in range(count):
        client.submit("work", {"number": number, "log": log}, id=str(number))
    cancelled = {str(number) for number in range(count) if number % 20 == 5}
    for key in cancelled:
        client.cancel(key)

    def work(seed: int) -> int:
        with forks("tasks_child.py") as runs:
            return runs.crash(
                {"url": url}, random.Random(seed), kills // WORKERS, within=1.0 + count / 200
            )

    with ThreadPoolExecutor(WORKERS) as workers:
        killed = sum(workers.map(work, range(WORKERS)))
    assert client.counts() == {
        "cancelled": len(cancelled),
        "failed": count // 10,
        "completed": count - len(cancelled) - count // 10,
    }
    begun = Counter(Path(log).read_text().split("\n")[:-1])
    for task in client.list(limit=count):
        number = int(task.id)
        times = [begun[f"{number} {place}"] for place in range(NODES)]
        if task.id in cancelled:
            assert times == [0] * NODES
        else:
            assert min(times) >= 1
            assert sum(times) - NODES <= task.attempts - 1  # what ended is not run again
        if task.state == "completed":
            assert client.result(task.id)["sum"] == NODES * number
    assert sum(begun.values()) - NODES * (count - len(cancelled)) <= 8 * killed
    client.stop()


def test_what_graphs_start_and_leave_ends_with_the_runner(tmp_path):
    left: list[asyncio.Task[Any]] = []

    async def leaves(state: State) -> State:
        left.append(asyncio.create_task(asyncio.sleep(3600)))
        return {"x": 1}

    with Runner(f"sqlite:///{tmp_path}/t.db", {"leaves": graph_of(leaves)}) as runner:
        runner.result(runner.submit("leaves", {}), 10)
        assert not left[0].done()
    assert left[0].cancelled()


def test_nothing_is_left_open(tmp_path):
    def run() -> None:
        with Runner(f"sqlite:///{tmp_path}/t.db", {"work": graph}) as runner:
            given: dict[str, Any] = {"log": str(tmp_path / "log")}
            keys = [runner.submit("work", {**given, "number": n}) for n in (0, 1, 2)]
            for key in keys:
                runner.result(key, 10)

    run()
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    for _ in range(3):
        run()
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) <= before
