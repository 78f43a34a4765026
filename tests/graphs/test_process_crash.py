"""Instances killed at writes of the checkpointer: nothing happens twice, nothing is lost.

`KILL_EVERY=1` kills them at every single one, which takes some minutes.
"""

import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from forks import Forks, forks
from processes import EXAMPLES


@pytest.fixture(scope="module")
def runs() -> Iterator[Forks]:
    with forks("process_child.py") as served:
        yield served


def start(folder: Path, example: str) -> dict:
    folder.mkdir()
    if example == "invoices":
        shutil.copytree(EXAMPLES / "invoices" / "data", folder, dirs_exist_ok=True)
    (folder / "days").touch()
    return {"folder": str(folder), "example": example, "kill": 0, "where": "before"}


def play(runs: Forks, folder: Path, example: str, kill: int, where: str) -> bool:
    """Play an instance that is killed once, and look at what is left; False when it was not."""
    job = start(folder, example)
    runs.start({**job, "kill": kill, "where": where})
    killed = runs.end() == signal.SIGKILL
    if killed:
        runs.start(job)
        assert runs.end() == 0
    check(folder, example)
    return killed


def check(folder: Path, example: str) -> None:
    told = json.loads((folder / "trail.json").read_text())
    trail = told["trail"]
    assert told["status"] == {"invoices": "paid", "onboarding": "started"}[example]
    assert len({entry["id"] for entry in trail}) == len(trail)
    entries = [(each["step"], each["event"]) for each in trail]
    doubted = {each["step"] for each in trail if each["id"].endswith("/decided:0")}
    for step, event in WHOLE[example]:
        assert (step, event) in entries or step in doubted, (step, event)
    assert effects(folder, example) == ONCE[example]


def effects(folder: Path, example: str) -> Counter:
    if example == "invoices":
        lines = (folder / "payments.csv").read_text().splitlines()[2:]
        return Counter(line.split(",")[1] for line in lines)
    lines = map(json.loads, (folder / "systems.jsonl").read_text().splitlines())
    return Counter(f"{line['did']} {line.get('system', '')}".strip() for line in lines)


WHOLE = {
    "invoices": [
        *(
            (step, event)
            for step in ("invoice", "orders", "receipts", "payments", "total", "pay")
            for event in ("began", "completed")
        ),
        ("files", "began"),
        ("files", "completed"),
        ("match", "completed"),
        ("limits", "completed"),
        ("approve", "asked"),
        ("approve", "decided"),
        ("approve", "completed"),
        ("edited", "completed"),
        ("paid", "ended"),
    ],
    "onboarding": [
        *(
            (step, event)
            for step in ("mail", "repository", "laptop", "send", "welcome")
            for event in ("began", "completed")
        ),
        ("offer", "decided"),
        ("prepare", "began"),
        ("prepare", "completed"),
        ("delivered", "asked"),
        ("delivered", "completed"),
        ("signature", "asked"),
        ("signature", "completed"),
        ("equipped", "completed"),
        ("contract", "completed"),
        ("decide", "completed"),
        ("first_day", "asked"),
        ("first_day", "completed"),
        ("induction/safety", "completed"),
        ("induction/week", "completed"),
        ("induction/stays", "decided"),
        ("induction/settled", "ended"),
        ("induction", "completed"),
        ("started", "ended"),
    ],
}
ONCE = {
    "invoices": Counter({"2041": 1}),
    "onboarding": Counter(
        ["create_account mail", "create_account repository", "order_laptop", "send_contract"]
    ),
}


def play_all(runs: Forks, folder: Path, example: str, step: int, first: int) -> int:
    """Kill instances at each `step`-th write, before it or behind it; return how many were."""
    for number, kill in enumerate(range(first, 10_000, step)):
        where = ("before", "behind")[number % 2]
        if not play(runs, folder / f"{kill}", example, kill, where):
            return number
    raise AssertionError("an instance ends")


@pytest.mark.parametrize(
    ("example", "every"),
    [
        ("invoices", 29),
        *(
            pytest.param(name, int(os.environ.get("KILL_EVERY", "5")), marks=pytest.mark.slow)
            for name in ("invoices", "onboarding")
        ),
    ],
)
def test_a_killed_instance_goes_on_without_doing_anything_twice(runs, tmp_path, example, every):
    assert play_all(runs, tmp_path, example, every, 5) > 60 / every
