"""Plans killed at random moments: nothing finished runs again, nothing is mixed up or lost."""

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from forks import Forks, forks

KILLS = int(os.environ.get("KILLS", "200"))  # `make kills` asks for 1,000
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


@pytest.fixture(scope="module")
def runs() -> Iterator[Forks]:
    with forks("plan_child.py") as served:
        yield served


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


def crash(runs: Forks, job: dict, chance: random.Random, kills: int) -> int:
    """Run a plan to its end through up to `kills` kills; return how many there were."""
    killed = runs.crash(job, chance, kills)
    check(Path(job["log"]).read_text().splitlines(), kept=job["durability"] != "exit")
    return killed


def crash_many(runs: Forks, url: str, folder: Path, kills: int, seed: int) -> None:
    """Run plans of every kind until there were so many kills."""
    chance = random.Random(seed)
    killed = 0
    for number in itertools.count():
        for place, kind in enumerate(KINDS):
            name = f"plan-{seed}-{number}-{place}"  # other tests share the server
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
