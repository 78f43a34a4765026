"""Checkpoints that an attacker or a failing disk wrote: nothing runs, and what is wrong is named.

Every import, process, file opening and evaluation is watched through Python's audit hooks in a
process of its own, so that "nothing ran" does not rest on one telltale.
"""

import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parents[1] / "support"
CHILD = SUPPORT / "payload_child.py"


@pytest.mark.parametrize("what", ["gadgets", "serializer", "rows", "encrypted rows"])
def test_no_payload_runs_and_each_is_refused_by_name(what: str, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, str(CHILD), what, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PYTHONPATH": str(SUPPORT), "PYTHONDONTWRITEBYTECODE": "1"},
    )

    assert done.returncode == 0, done.stderr[-2_000:]
    tried, refused, ran = map(int, done.stdout.split())
    assert ran == 0
    assert tried >= {"gadgets": 200, "serializer": 5_000}.get(what, 1_000)
    if what == "serializer":
        assert refused > tried // 3  # the others changed a text, which only the file's rows notice
    else:
        assert refused == tried
