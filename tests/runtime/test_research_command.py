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
    assert absent.returncode == 2
    assert "the corpus 'nowhere' is no folder" in absent.stderr
    assert "--corpus" in absent.stderr
    deep = cogwork(*ASK, "--corpus", "ferry", "--depth", "comprehensiv")
    assert deep.returncode == 2
    assert "did you mean 'comprehensive'" in deep.stderr


def test_a_folder_without_documents_is_said_to_have_none(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".hidden.md").write_text("The MS Sandvik has 1,200 kWh.")
    ran = cogwork(*ASK, "--corpus", "empty")
    assert ran.returncode == 0, ran.stderr
    assert "There was nothing to search in the corpus" in ran.stdout
    assert str(tmp_path / "empty") in ran.stdout
    assert "0 quotations of 0 documents" in ran.stdout
    (tmp_path / "empty" / "seen.md").write_text("The battery capacity of the MS Sandvik is 5 kWh.")
    again = cogwork(*ASK, "--corpus", "empty")
    assert "nothing to search" not in again.stdout
    assert "1 quotation of 1 document." in again.stdout
