"""The audit log of the command line, and its check."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cogwork.runtime.cli import app
from cogwork.tools.audit import AuditLog


def run(*args: str, **environment: str) -> Any:
    return CliRunner().invoke(app, list(args), env=environment)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    done = run("run", "react", "Write hello to out.txt", "--model", "offline")
    assert (tmp_path / "out.txt").read_text() == "hello", done.output
    return tmp_path / ".cogwork" / "audit.jsonl"


def test_runs_note_their_calls(log: Path):
    begun, ended = [json.loads(line) for line in log.read_text().splitlines()]
    assert (begun["event"], begun["tool"], begun["effect"]) == ("begun", "write_file", "write")
    assert (ended["event"], ended["status"]) == ("ended", "success")
    assert ended["args"]["path"] == "out.txt"
    assert ended["thread"]


def test_whole_log_is_said_to_be_whole(log: Path):
    done = run("audit", "verify")
    assert (done.exit_code, "2 records" in done.output, "is whole" in done.output) == (
        0,
        True,
        True,
    )


def test_changed_log_is_said_to_be_changed(log: Path):
    log.write_text(log.read_text().replace("out.txt", "etc.txt"))
    done = run("audit", "verify", str(log), "--json")
    assert done.exit_code == 1
    assert json.loads(done.output)["faults"][0].startswith("line 1 was changed")


def test_key_comes_from_the_settings(tmp_path: Path):
    AuditLog(tmp_path / "a.jsonl", key="secret").append({"event": "x"})
    assert run("audit", "verify", "a.jsonl").exit_code == 1
    assert run("audit", "verify", "a.jsonl", COGWORK_AUDIT_KEY="secret").exit_code == 0


def test_older_hash_can_be_asked_for(log: Path):
    last = json.loads(run("audit", "verify", "--json").output)["last"]
    assert run("audit", "verify", "--known", last).exit_code == 0
    done = run("audit", "verify", "--known", "0" * 63 + "1")
    assert (done.exit_code, "no record has the hash" in done.output) == (1, True)
