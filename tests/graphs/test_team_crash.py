"""Teams killed at random moments: nothing finished is done again, and all accounts are settled."""

import random
from pathlib import Path

import pytest
from forks import forks

KINDS = ("team", "negotiation", "orchestrator", "hierarchical")


def crash_many(folder: Path, kills: int, seed: int) -> None:
    """Run each kind of team until there were so many kills."""
    chance, killed, number = random.Random(seed), 0, 0
    url = f"sqlite:///{folder}/teams.db"
    with forks("team_child.py") as runs:
        while killed < kills:
            kind = KINDS[number % len(KINDS)]
            log = folder / f"{number}.log"
            job = {"graph": kind, "seed": seed + number, "url": url, "thread": str(number)}
            killed += runs.crash({**job, "log": str(log)}, chance, kills=3, within=0.2)
            check(log.read_text().splitlines())
            number += 1
            assert number < 4 * kills + 8  # a machine that is never interrupted shows nothing


def check(log: list[str]) -> None:
    assert log[-1] == 'result {"right": true}', log
    seen = set()
    for line in log:
        word, _, name = line.partition(" ")
        assert not (word == "run" and name in seen), f"{name} was done again: {log}"
        if word == "seen":
            seen.add(name)


@pytest.mark.parametrize(
    ("kills", "seed"), [(8, 1), pytest.param(150, 1000, marks=pytest.mark.slow)]
)
def test_killed_teams_go_on_without_doing_anything_twice(tmp_path, kills, seed):
    crash_many(tmp_path, kills, seed)
