"""Runners killed at any moment: every task ends once, in its right state."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from forks import forks
from tasks_child import NODES, graph

from cogwork.runtime.tasks import Runner


@pytest.mark.parametrize(
    ("count", "kills"), [(60, 4), pytest.param(1_000, 20, marks=pytest.mark.slow)]
)
def test_every_task_ends_in_its_right_state_whatever_is_killed(tmp_path, count, kills):
    url, log, chance = f"sqlite:///{tmp_path}/tasks.db", str(tmp_path / "log"), random.Random(1)
    client = Runner(url, {"work": graph})
    for number in range(count):
        client.submit("work", {"number": number, "log": log}, id=str(number))
    cancelled = {str(number) for number in range(count) if number % 20 == 5}
    for key in cancelled:
        client.cancel(key)
    job = {"url": url}
    with forks("tasks_child.py") as runs:
        killed = runs.crash(job, chance, kills, within=1.0 + count / 400)
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
    assert not list((tmp_path / "tasks.runners").iterdir())


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
