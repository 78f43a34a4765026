"""A thousand tasks: a tenth fails, a twentieth is cancelled, and the runner is killed twice."""

import json
import os
import signal
import time
from typing import Any

import pytest
from forks import forks
from tasks_child import NODES, graph

from cogwork.runtime.tasks import Runner

COUNT = 1_000
CANCELLED = {str(number) for number in range(COUNT) if number % 20 == 7}
FAILED = {str(number) for number in range(COUNT) if number % 10 == 3}
MEGABYTE = 2**20


def wait_until(client: Runner, ended: int) -> None:
    while sum(client.counts().get(state, 0) for state in ("completed", "failed")) < ended:
        time.sleep(0.02)


@pytest.mark.slow
def test_a_thousand_tasks_end_in_their_states_and_leave_nothing(tmp_path):
    url, report = f"sqlite:///{tmp_path}/tasks.db", tmp_path / "report"
    job = {"url": url, "report": str(report)}
    client = Runner(url, {"work": graph})
    for number in range(COUNT):
        client.submit("work", {"number": number, "log": str(tmp_path / "log")}, id=str(number))
    late = {key for key in CANCELLED if int(key) >= COUNT - 100}
    for key in CANCELLED - late:
        client.cancel(key)
    with forks("many_tasks_child.py") as runs:
        for ended in (100, 300):
            pid = runs.start(job)
            wait_until(client, ended)
            os.kill(pid, signal.SIGKILL)
            assert runs.end() == signal.SIGKILL
        runs.start(job)
        wait_until(client, 500)
        for key in late:  # while the runner works on others
            client.cancel(key)
        assert runs.end() == 0
    require_states(client)
    client.stop()
    require_nothing_held(json.loads(report.read_text()))


def require_states(client: Runner) -> None:
    for task in client.list(limit=COUNT):
        if task.id in CANCELLED:
            assert task.state == "cancelled"
        elif task.id in FAILED:
            assert (task.state, task.error) == ("failed", "ValueError: as it was to be")
        else:
            assert client.result(task.id)["sum"] == NODES * int(task.id)
    found = client.report()
    assert found.states == {"completed": 850, "failed": 100, "cancelled": 50}
    assert found.failures == {"ValueError: as it was to be": 100}
    assert (found.oldest, found.stalled, found.workers) == (None, (), {})


def require_nothing_held(held: dict[str, Any]) -> None:
    before, after = held["before"], held["after"]
    assert (after["tasks"], after["processes"]) == (0, 0)
    assert after["descriptors"] <= before["descriptors"] + 2  # of libraries first used meanwhile
    memory = held["memory"]
    warm = next(size for ended, size in memory if ended >= 500)
    assert max(size for _, size in memory) - warm < 16 * MEGABYTE
