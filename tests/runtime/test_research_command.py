"""`cogwork run research` as people meet it."""

import json
import shutil
from pathlib import Path

import fresh
import pytest

FERRY = Path(__file__).parent.parent / "support" / "ferry"
ASK = ("run", "research", "What is the battery capacity of the MS Sandvik?")


@pytest.fixture(autouse=True)
def documents(tmp_path):
    shutil.copytree(FERRY, tmp_path / "ferry")


def cogwork(*args, env=None):
    return fresh.run(*args, env={**(env or {}), "COLUMNS": "200"})


def test_a_report_over_a_folder_is_told_as_markdown():
    ran = cogwork(*ASK, "--corpus", "ferry")
    assert ran.returncode == 0, ran.stderr
    assert "✓ corpus: What is the battery capacity of the MS Sandvik? finished" in ran.stdout
    assert "## Short answer" in ran.stdout
    assert "1. `ferry/announcement.md:8`" in ran.stdout
    assert "[2] is newer." in ran.stdout


def test_json_holds_the_report_and_a_setting_names_the_folder():
    env = {"COGWORK_CORPUS": "ferry"}
    ran = cogwork(*ASK, "--json", "--depth", "quick", env=env)
    report = json.loads(ran.stdout)["report"]
    assert report["depth"] == "quick"
    assert report["contradictions"][0]["values"] == ["1,200 kWh", "1,040 kWh"]
    known = {each["id"] for each in report["sources"]}
    claims = [claim for finding in report["findings"] for claim in finding["claims"]]
    assert claims
    assert all(claim["evidence"] and known.issuperset(claim["evidence"]) for claim in claims)


def test_a_folder_that_is_not_there_and_an_unknown_depth_are_wrong_usage():
    absent = cogwork(*ASK, "--corpus", "nowhere")
    assert (absent.returncode, "nowhere" in absent.stderr) == (2, True)
    deep = cogwork(*ASK, "--corpus", "ferry", "--depth", "comprehensiv")
    assert deep.returncode == 2
    assert "did you mean 'comprehensive'" in deep.stderr


def test_graphs_that_search_nothing_are_not_troubled_by_the_folder():
    ran = cogwork("run", "debate", "What is 6 * 7?", "--corpus", "ferry")
    assert ran.returncode == 0, ran.stderr
    assert "42" in ran.stdout
