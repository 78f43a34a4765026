"""`cogwork bench` as people meet it: a process, files, exit codes."""

import json
import re
from pathlib import Path

import fresh
import pytest
from openai_server import OpenAIServer, say

from cogwork.graphs.registry import graphs
from cogwork.runtime.evaluation import Results, builtin_tasks


def bench(*args):
    return fresh.run("bench", *args)


def test_graphs_stand_side_by_side():
    ran = bench("--graph", "react", "--graph", "plan", "--task", "sum-column", "--task", "route")
    assert ran.returncode == 0, ran.stderr
    first, head, *rows = ran.stdout.splitlines()
    assert first.startswith("2 tasks, offline (")
    assert head.split()[:4] == ["graph", "success", "95", "%"]
    assert [row.split()[:2] for row in rows] == [["react", "50%"], ["plan", "50%"]]
    assert ran.stderr == ""  # no bar where there is no terminal


def test_a_single_graph_tells_what_failed():
    ran = bench("--graph", "react", "--task", "route")
    assert "failed route: no number, expected 33" in ran.stdout.splitlines()


def test_json_holds_every_run_and_nothing_else():
    ran = bench("--graph", "react", "--kind", "arithmetic", "--repeat", "2", "--json")
    (row,) = json.loads(ran.stdout)
    tasks = [task.id for task in builtin_tasks() if task.kind == "arithmetic"]
    assert [run["task"] for run in row["runs"]] == [name for name in tasks for _ in range(2)]
    assert row["by_kind"].keys() == {"arithmetic"}
    assert row["pass_all"].keys() == {"1", "2"}
    assert row["mean"]["tokens"] > 0
    assert Results.model_validate(row).success == row["success"]


@pytest.mark.slow
def test_every_architecture_is_run_and_computes_a_total():
    ran = bench("--task", "sum-column", "--json")
    assert ran.returncode == 0, ran.stderr
    rows = {row["graph"]: row["runs"][0] for row in json.loads(ran.stdout)}
    assert rows.keys() == set(graphs.names())
    assert {name: run["reason"] for name, run in rows.items() if run["ended"] != "answered"} == {}
    # Research quotes documents and does no sums.
    assert {name for name, run in rows.items() if not run["passed"]} <= {"research"}


def test_a_set_of_your_own_is_run_with_files_beside_it(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "t.csv").write_text("n\n1\n2\n")
    task = {
        "id": "mine",
        "question": "What is the total of the n column in t.csv?",
        "files": ["t.csv"],
        "check": {"check": "number", "value": 3},
    }
    (folder / "set.jsonl").write_text(json.dumps(task))
    ran = bench("--set", "mine/set.jsonl", "--graph", "react", "--min-success", "1")
    assert ran.returncode == 0, ran.stdout
    assert not (tmp_path / ".cogwork").exists()


@pytest.mark.parametrize(("name", "begins"), [("out.json", "[{"), ("out.md", "| graph |")])
def test_results_are_written_to_a_file_too(tmp_path, name, begins):
    ran = bench("--graph", "react", "--task", "expression", "--output", name)
    assert "react" in ran.stdout
    assert (tmp_path / name).read_text().startswith(begins)


def test_too_little_success_is_told_by_the_exit_code():
    ran = bench("--graph", "react", "--task", "route", "--min-success", "0.5")
    assert ran.returncode == 1
    assert "some graphs succeed in less than 50% of the tasks" in ran.stderr


@pytest.fixture
def server(monkeypatch):
    with OpenAIServer([say("17.5 and 4.25 …\nFINAL ANSWER: 232.2")], forever=True) as running:
        monkeypatch.setenv("COGWORK_BASE_URL", running.url)
        yield running


PRICED = ("--graph", "react", "--task", "expression", "--model", "openai:gpt-4o")


def test_a_model_is_asked_for_a_final_answer_and_its_dollars_are_counted(server):
    ran = bench(*PRICED, "--final-answer", "--max-cost", "1", "--json")
    assert ran.returncode == 0, ran.stderr
    (row,) = json.loads(ran.stdout)
    assert row["success"] == 1
    assert row["mean"]["cost"] > 0
    assert row["model"].startswith("openai:gpt-4o at http://127.0.0.1")
    assert "FINAL ANSWER:" in json.dumps(server.requests[0])


def test_dollars_that_do_not_suffice_are_told_by_the_exit_code(server):
    ran = bench(*PRICED, "--max-cost", "0.000001")
    assert ran.returncode == 4, ran.stdout
    assert "the budget of 1e-06 dollars is spent; raise --max-cost" in ran.stderr
    assert "failed expression: the budget of the benchmark allows 1e-06 dollars" in ran.stdout
    assert server.requests == []


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--graph", "reakt"], "did you mean 'react'"),
        (["--task", "rout"], "no task is called 'rout'; did you mean 'route'"),
        (["--kind", "sums"], "no kind of tasks is called 'sums'"),
        (["--kind", "lookup", "--task", "route"], "no task has both that id and that kind"),
        (["--tool", "hammer"], "no tool is called 'hammer'"),
        (["--model", "nobody:x"], "nobody"),
        (["--set", "absent.jsonl"], "cannot read tasks from absent.jsonl"),
        (["--output", "out.xml"], "its name ends in .json or .md"),
        (["--timeout", "0"], "timeout is 0"),
    ],
)
def test_wrong_usage_is_told_before_anything_runs(args, told):
    ran = bench(*args)
    assert ran.returncode == 2
    assert told in ran.stderr
    assert ran.stdout == ""


def test_a_file_that_cannot_be_written_is_told():
    ran = bench("--graph", "react", "--task", "expression", "--output", "absent/out.json")
    assert ran.returncode == 2
    assert "cannot write to absent/out.json" in ran.stderr


def test_the_sample_of_the_docs_is_passed_offline(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
    (sample,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "set.jsonl").write_text(sample)
    ran = bench("--set", "set.jsonl", "--graph", "react", "--min-success", "1")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "--set set.jsonl --graph react" in page
