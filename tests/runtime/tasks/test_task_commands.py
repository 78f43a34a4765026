"""Tasks from the command line: real processes, real signals."""

import configparser
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import fresh
import pytest
import yaml

ROOT = Path(__file__).parents[3]
COGWORK = str(Path(sys.executable).parent / "cogwork")


def tasks(*args: str, code: int = 0) -> str:
    ran = fresh.run("tasks", *args, env={"COLUMNS": "200"})
    assert ran.returncode == code, ran.stderr
    return ran.stdout.strip() if code == 0 else ran.stderr


def submit(question: str, *options: str) -> str:
    return tasks("submit", "react", question, *options)


def test_a_submission_is_told_as_json():
    key = json.loads(submit("What is 6 * 7?", "--json"))["id"]
    assert json.loads(tasks("status", key, "--json"))["state"] == "pending"


def test_what_is_submitted_is_done_by_a_worker_and_its_answer_kept():
    key = submit("What is 6 * 7?")
    other = submit("What is 1 + 1?", "--priority", "high", "--timeout", "60")
    assert "is pending" in tasks("result", key, code=1)
    assert [task["state"] for task in json.loads(tasks("list", "--json"))] == ["pending"] * 2
    assert fresh.run("worker", "--until-done").returncode == 0
    assert "42" in tasks("result", key)
    assert json.loads(tasks("result", other, "--json"))["stop_reason"] == "answered"
    assert "completed" in tasks("status", key)
    assert json.loads(tasks("status", key, "--json"))["progress"] == 1
    assert "100%" in tasks("watch", key)
    told = [json.loads(line) for line in tasks("watch", key, "--json").splitlines()]
    assert told[-1]["data"] == {"state": "completed"}
    assert "2 tasks are forgotten" in tasks("cleanup", "--days", "0")
    assert tasks("list").startswith("no tasks")


def test_an_id_may_be_shortened_to_what_no_other_begins_with():
    key = submit("What is 6 * 7?")
    assert json.loads(tasks("status", key[:6], "--json"))["id"] == key
    assert tasks("report", key[:6]).startswith(f"# Task {key}: pending")
    assert tasks("pause", key[:6]).startswith(f"{key}: ")
    assert tasks("watch", key[:6], "--json")
    assert tasks("resume", key[:6]) == f"{key}: pending"
    child = submit("What is 6 * 8?", "--parent", key[:6])
    assert json.loads(tasks("status", child, "--json"))["parent"] == key
    assert tasks("cancel", key[:6]).startswith(f"{key}: cancelled")
    assert f"task '{key}' cancelled" in tasks("result", key[:6], code=1)


@pytest.mark.parametrize(
    "command", ["status", "watch", "report", "result", "cancel", "pause", "resume"]
)
def test_an_id_that_nothing_has_is_wrong_usage(command):
    said = tasks(command, "nope", code=2)
    assert said == "error: there is no task 'nope'; `cogwork tasks list` shows them\n"


def test_a_task_that_ended_is_not_said_to_ask_nothing():
    key = submit("What is 6 * 7?")
    tasks("cancel", key)
    for options in ((), ("--answer", "yes")):
        said = tasks("resume", key, *options, code=1)
        assert f"task '{key}' is cancelled; only a paused one can be resumed" in said


def test_a_result_that_waits_for_a_person_says_what_to_type():
    key = submit("What is 6 * 7?")
    tasks("pause", key)
    assert f"go on with: cogwork tasks resume {key}\n" in tasks("result", key, code=3)


def test_a_report_of_nothing_says_how_to_submit():
    said = tasks("report")
    assert said == 'no tasks; `cogwork tasks submit react "…"` makes one'
    assert json.loads(tasks("report", "--json"))["states"] == {}
    key = submit("What is 6 * 7?")
    assert tasks("list", "--state", "failed") == "no tasks are failed"
    assert "| graph | tasks     |" in tasks("report")
    tasks("cancel", key)
    assert "1 task is forgotten" in tasks("cleanup", "--days", "0")
    assert tasks("report", "--hours", "2") == "no task waits, runs, or ended within 2 h"


def test_what_waits_can_be_held_and_cancelled():
    key = submit("What is 6 * 7?")
    tasks("pause", key)
    assert fresh.run("worker", "--until-done").returncode == 0
    assert json.loads(tasks("status", key, "--json"))["state"] == "paused"
    tasks("resume", key)
    tasks("cancel", key)
    assert "is cancelled and cannot become cancelled; it has ended" in tasks("cancel", key, code=1)


def test_a_worker_that_is_told_to_end_ends_in_order():
    with subprocess.Popen([COGWORK, "worker"], stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stderr is not None
        assert "working" in worker.stderr.readline()
        worker.send_signal(signal.SIGTERM)
        said = worker.communicate(timeout=30)[1]
    assert worker.returncode == 0
    assert "coming to an end" in said
    assert os.listdir(".cogwork/tasks.runners") == []  # noqa: PTH208 - names are wanted


STUCK = """
import sys, time
from langgraph.graph import START, MessagesState, StateGraph
from cogwork.graphs.registry import graphs
from cogwork.runtime.cli import main

@graphs.register("stuck", description="hangs")
def make(model, tools=(), *, checkpointer=None, store=None, **options):
    def hang(state):
        print("in the node", flush=True)
        time.sleep(600)
    builder = StateGraph(MessagesState)
    builder.add_node("hang", hang)
    builder.add_edge(START, "hang")
    return builder.compile(checkpointer=checkpointer)

sys.argv = ["cogwork", *sys.argv[1:]]
main()
"""


@pytest.mark.slow
def test_a_node_that_does_not_end_does_not_outlive_its_worker():
    child = [sys.executable, "-c", STUCK]
    key = json.loads(subprocess.check_output([*child, "tasks", "submit", "stuck", "hi", "--json"]))[
        "id"
    ]
    with subprocess.Popen(
        [*child, "worker", "--grace", "0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "in the node\n"
        worker.send_signal(signal.SIGTERM)
        said = worker.communicate(timeout=30)[1]
    assert worker.returncode == 0
    assert "a node does not end" in said
    assert json.loads(tasks("status", key, "--json"))["state"] == "pending"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("submit", "reakt", "hi"), "did you mean 'react'"),
        (("submit", "react", " "), "the question is empty"),
        (("submit", "react", "hi", "--priority", "hgh"), "did you mean 'high'"),
        (("list", "--state", "done"), "no state is called 'done'"),
        (("watch", "--json"), "needs the id"),
    ],
)
def test_misuse_is_one_line_with_the_way_out(args, says):
    said = tasks(*args, code=2)
    assert says in said
    assert said.count("\n") == 1


def test_metrics_are_served_where_they_are_asked_for():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        taken.listen()
        refused = fresh.run("worker", "--metrics-port", port)
    assert refused.returncode == 2
    assert f"metrics cannot be served on 127.0.0.1, port {port}" in refused.stderr
    with subprocess.Popen(
        [COGWORK, "worker", "--metrics-port", port, "--metrics-host", "127.0.0.1", "--grace", "0"],
        stderr=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stderr is not None
        assert "working" in worker.stderr.readline()
        assert "agent_task_alerts_total" in fresh.run("metrics", "--port", port).stdout
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=30)
    assert worker.returncode == 0


def test_the_manifests_start_workers_with_options_that_there_are():
    text = (ROOT / "docs" / "workers.md").read_text()
    (unit,) = re.findall(r"^```ini\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (image,) = re.findall(r"^CMD (.*)$", text, re.MULTILINE)
    _, deployment = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    service = configparser.RawConfigParser()
    service.read_string(unit)
    pod = yaml.safe_load(deployment)["spec"]["template"]["spec"]
    commands = [
        service["Service"]["ExecStart"].split(),
        json.loads(image),
        pod["containers"][0]["command"],
    ]
    known = fresh.run("worker", "--help", env={"COLUMNS": "200"}).stdout
    for command in commands:
        assert command[1] == "worker"
        assert [each for each in command if each.startswith("--") and each not in known] == []
        grace = float(command[command.index("--grace") + 1])
        assert grace < float(service["Service"]["TimeoutStopSec"])
        assert grace < pod["terminationGracePeriodSeconds"]
