"""Agents killed at random moments: every effect happens, none of them twice."""

import itertools
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forks import Forks, forks

KILLS = int(os.environ.get("KILLS", "200"))  # `make kills` asks for 1,000
KINDS = [
    {"shape": shape, "how": how, "durability": durability}
    for shape in ("chain", "fan", "loop")
    for how, durability in (("async", "sync"), ("async", "async"), ("sync", "sync"))
]


@pytest.fixture(scope="module")
def runs() -> Iterator[Forks]:
    with forks("calls_child.py") as served:
        yield served


def check(log: list[str]) -> None:
    assert log[-1].startswith('result {"right": true'), log
    effects = Counter(line for line in log if line.startswith("effect"))
    assert set(effects.values()) == {1}, log
    names = {line.split()[1] for line in effects}
    assert {"s0", "s1", "s3", "s4"} <= names, log


def crash_many(
    runs: Forks, url: str, folder: Path, kills: int, seed: int, within: float = 0.15
) -> None:
    chance = random.Random(seed)
    killed = doubts = 0
    for number in itertools.count():
        for place, kind in enumerate(KINDS):
            log = folder / f"{seed}-{number}-{place}.log"
            job: dict[str, Any] = {**kind, "url": url, "thread": log.stem, "log": str(log)}
            killed += runs.crash(job, chance, kills=4, within=within)
            lines = log.read_text().splitlines()
            check(lines)
            doubts += sum(line.startswith("doubt") for line in lines)
        if killed >= kills and doubts:  # some kills hit a call in the middle
            break
        assert number < kills  # a machine that is never interrupted shows nothing


@pytest.mark.parametrize(
    ("kills", "seed"), [(30, 1), pytest.param(KILLS, 1000, marks=pytest.mark.slow)]
)
def test_effects_happen_once(runs: Forks, tmp_path: Path, kills: int, seed: int):
    crash_many(runs, f"sqlite:///{tmp_path}/calls.db", tmp_path, kills, seed)


@pytest.mark.slow
def test_so_they_do_on_postgresql(runs: Forks, postgres_url: str, tmp_path: Path):
    crash_many(runs, postgres_url, tmp_path, KILLS // 2, 2000, within=0.4)
