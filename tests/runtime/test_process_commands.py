"""`cogwork process` over the invoice example."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import StateGraph
from processes import EXAMPLES
from typer.testing import CliRunner

from cogwork.core.errors import ConfigurationError
from cogwork.memory import create_checkpointer
from cogwork.nodes.process.state import ProcessState
from cogwork.runtime.process_commands import app

FILE = str(EXAMPLES / "invoices" / "invoice_approval.yaml")
OWN = f"{EXAMPLES / 'invoices' / 'tools.py'}:invoice_tools"


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(EXAMPLES / "invoices" / "data", tmp_path, dirs_exist_ok=True)


def run(command: str, *args: str) -> Any:
    own = () if command == "check" else ("--tools", OWN)
    return CliRunner().invoke(app, [command, FILE, *own, *args])


def test_a_definition_is_checked():
    done = run("check", "--json")
    (told,) = json.loads(done.output)
    assert (done.exit_code, told["process"], told["version"]) == (0, "invoice_approval", "1")
    assert "19 steps, is whole" in run("check").output


def test_faults_are_told_with_their_lines(tmp_path: Path):
    (tmp_path / "bad.yaml").write_text("process: x\nversion: 1\nsteps:\n  - id: 3\n")
    done = CliRunner().invoke(app, ["check", str(tmp_path / "bad.yaml")])
    assert isinstance(done.exception, ConfigurationError)
    assert "bad.yaml, line 4, steps[0]: the step has no kind" in str(done.exception)


def test_an_instance_is_begun_answered_and_exported():
    begun = run("run", "--thread", "a", "--input", '{"invoice": "2041", "by": "sue"}')
    assert begun.exit_code == 3
    assert "approve (clerk, until " in begun.output
    assert "Pay 125.0 EUR to Nordwind?" in begun.output

    woken = run("run", "--thread", "a")
    assert (woken.exit_code, "approve (clerk" in woken.output) == (3, True)
    refused = run("run", "--thread", "a", "--answer", "approve=approve", "--by", "eve", "--json")
    assert "eve is not in the role" in json.loads(refused.output)["waits"][0]["trouble"]

    paid = run("run", "--thread", "a", "--answer", "approve=approve", "--by", "ana")
    assert (paid.exit_code, paid.output) == (0, "a: paid\n")
    rows = list(csv.DictReader(io.StringIO(run("export", "--thread", "a").output)))
    assert rows[-1]["step"] == "paid"
    assert {"eve", "ana", "pay_invoice"} <= {row["by"] for row in rows}
    exported = run("export", "--thread", "a", "--format", "json").output
    assert [each["id"] for each in json.loads(exported)] == [row["id"] for row in rows]


def test_persons_of_roles_and_answers_can_be_given_as_data():
    run("run", "--thread", "b", "--input", '{"invoice": "2041", "by": "sue"}')
    answer = 'approve={"type": "reject", "message": "twice"}'
    args = ("--answer", answer, "--by", "eve", "--role", "clerk=eve", "--json")
    done = run("run", "--thread", "b", *args)
    assert json.loads(done.output)["status"] == "rejected"
    assert json.loads(done.output)["results"]["approve"]["message"] == "twice"


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (("run", "--thread", "x"), """begin it with --input '{"invoice": "…", "by": "…"}'"""),
        (("run", "--thread", "x", "--input", "no"), "--input is 'no'; give a JSON object"),
        (("run", "--thread", "x", "--input", "{}", "--answer", "a=b"), "not both"),
        (("run", "--thread", "x", "--role", "clerk"), "--role is 'clerk'; write ROLE=PERSON"),
        (("export", "--thread", "x"), "there is no instance 'x'"),
        (("export", "--thread", "x", "--format", "xls"), "no format is called 'xls'"),
        (("run", "--thread", "x", "--process", "y"), "no process is called 'y'"),
    ],
)
def test_what_is_wrong_is_told_with_the_way_out(args: tuple[str, ...], fault: str):
    done = run(*args)
    assert isinstance(done.exception, ConfigurationError)
    assert fault in str(done.exception)


@pytest.mark.parametrize(
    ("own", "fault"),
    [("absent.py:x", "names no file"), (OWN + "x", "has no function"), ("x", "names no file")],
)
def test_tools_that_are_not_there_are_told(own: str, fault: str):
    done = CliRunner().invoke(app, ["run", FILE, "--thread", "x", "--tools", own])
    assert isinstance(done.exception, ConfigurationError)
    assert fault in str(done.exception)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = (", "SyntaxError"),
        ("def x(): ...", "takes 0 positional arguments"),
        ("def x(root): return 5", "not iterable"),
    ],
)
def test_tools_that_cannot_be_had_are_no_fault_of_ours(tmp_path: Path, text: str, fault: str):
    (tmp_path / "own.py").write_text(text)
    done = CliRunner().invoke(app, ["run", FILE, "--thread", "x", "--tools", "own.py:x"])
    assert isinstance(done.exception, ConfigurationError)
    assert "--tools 'own.py:x' gives no tools: " in str(done.exception)
    assert fault in str(done.exception)


@pytest.mark.parametrize(
    ("given", "fault"),
    [('{"invoice": "2041"}', "has no 'by', a text"), ('{"invoice": 1, "by": "sue"}', "is no text")],
)
def test_an_input_that_is_refused_begins_nothing(given: str, fault: str):
    refused = run("run", "--thread", "a", "--input", given)
    assert isinstance(refused.exception, ConfigurationError)
    assert fault in str(refused.exception)
    assert """as in --input '{"invoice": "…", "by": "…"}'""" in str(refused.exception)
    for command in ("run", "export"):
        assert "there is no instance 'a'" in str(run(command, "--thread", "a").exception)
    assert run("run", "--thread", "a", "--input", '{"invoice": "2041", "by": "sue"}').exit_code == 3


def test_an_instance_that_has_done_nothing_says_so():
    """As a process leaves it that dies when it has just begun."""
    with create_checkpointer("sqlite:///.cogwork/checkpoints.sqlite") as checkpointer:
        graph = StateGraph(ProcessState)
        graph.add_node("begin", lambda _: {"process": "invoice_approval"})
        graph.set_entry_point("begin")
        place: Any = {"configurable": {"thread_id": "a"}}
        graph.compile(checkpointer).invoke({"input": {}}, place)
    done = run("export", "--thread", "a")
    assert done.exit_code == 0
    assert "nothing has happened in instance 'a' yet" in done.stderr
    assert len(done.stdout.splitlines()) == 1


def test_without_tools_of_your_own_the_registered_ones_are_there():
    done = CliRunner().invoke(app, ["run", FILE, "--thread", "x"])
    assert "no tool is called 'add_up'; known: read_file" in str(done.exception)
    assert "--tools file.py:function gives tools of your own" in str(done.exception)


def test_an_instance_that_ended_by_a_failure_says_which():
    ended = run("run", "--thread", "b", "--input", '{"invoice": "9999", "by": "sue"}')
    assert ended.exit_code == 0
    assert "b: unreadable" in ended.output
    assert "invoice: 'invoices/9999.json' does not exist" in ended.output
