"""Plans killed at random moments: nothing finished runs again, nothing is mixed up or lost."""

import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

KILLS = int(os.environ.get("KILLS", "200"))  # `make kills` asks for 1,000
SUPPORT = Path(__file__).parents[1] / "support"
KINDS = [
    {"how": how, "durability": durability, "nested": nested, "retried": retried}
    for how, durability, nested, retried in [
        ("async", "sync", False, False),
        ("async", "async", False, False),
        ("sync", "sync", False, False),
        ("sync", "async", True, False),
        ("async", "sync", True, True),
        ("async", "async", False, True),
        ("async", "exit", False, True),
    ]
]


class Runs:
    """Starts runs of plans, and kills them."""

    def __init__(self, server: "subprocess.Popen[str]") -> None:
        self._server = server

    def start(self, job: dict) -> int:
        print(json.dumps(job), file=self._server.stdin, flush=True)
        return int(self._server.stdout.readline())

    def end(self) -> int:
        return int(self._server.stdout.readline().split()[1])


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    with subprocess.Popen(
        [sys.executable, str(SUPPORT / "plan_child.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SUPPORT)},
    ) as server:
        yield Runs(server)
        server.stdin.close()


def check(log: list[str], *, kept: bool) -> None:
    assert log[-1] == 'result {"right": true}', log
    seen: set[str] = set()
    ran: dict[str, int] = {}
    for line in log:
        word, _, name = line.partition(" ")
        if word == "seen":
            seen.add(name)
        elif word == "run" and kept:
            assert name not in seen, f"{name} ran again: {log}"
            ran[name] = ran.get(name, 0) + 1
    for name, times in ran.items():
        if int(name[1:]) % 3 == 2:
            assert times == 1, f"the effect of {name} happened {times} times: {log}"


def crash(runs: Runs, job: dict, chance: random.Random, kills: int) -> int:
    """Run a plan to its end through up to `kills` kills; return how many there were."""
    killed = 0
    for last in itertools.chain([False] * kills, [True]):
        pid = runs.start(job)
        if last:
            assert runs.end() == 0
            break
        time.sleep(chance.uniform(0.0, 0.12))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        status = runs.end()
        if status == 0:
            break
        assert status == signal.SIGKILL
        killed += 1
    check(Path(job["log"]).read_text().splitlines(), kept=job["durability"] != "exit")
    return killed


def crash_many(runs: Runs, url: str, folder: Path, kills: int, seed: int) -> None:
    """Run plans of every kind until there were so many kills."""
    chance = random.Random(seed)
    killed = 0
    for number in itertools.count():
        for place, kind in enumerate(KINDS):
            name = f"{seed}-{number}-{place}"
            job = {**kind, "seed": seed + number, "url": url, "thread": name}
            killed += crash(runs, {**job, "log": str(folder / f"{name}.log")}, chance, kills=4)
        if killed >= kills:
            return
        assert number < kills  # a machine that is never interrupted shows nothing


@pytest.mark.parametrize(
    ("kills", "seed"), [(30, 1), pytest.param(KILLS, 1000, marks=pytest.mark.slow)]
)
def test_killed_plans_go_on_without_doing_anything_twice(runs, tmp_path, kills, seed):
    crash_many(runs, f"sqlite:///{tmp_path}/plans.db", tmp_path, kills, seed)


@pytest.mark.parametrize(
    ("kills", "seed"), [(15, 2), pytest.param(KILLS // 2, 2000, marks=pytest.mark.slow)]
)
def test_so_do_they_on_postgresql(runs, postgres_url, tmp_path, kills, seed):
    crash_many(runs, postgres_url, tmp_path, kills, seed)
