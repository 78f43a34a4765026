"""The command line as people meet it: real processes, real files, exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import fresh
import pytest
from openai_server import OpenAIServer, call_tools, say, stall

COGWORK = str(Path(sys.executable).parent / "cogwork")


def cogwork(*args, env=None):
    return fresh.run(*args, env={**(env or {}), "COLUMNS": "200"})


def installed(*args, env=None):
    """The command that the package installs, from its first import on."""
    return subprocess.run(
        [COGWORK, *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **(env or {}), "COLUMNS": "200"},
    )


@pytest.fixture
def figures(tmp_path):
    (tmp_path / "figures.csv").write_text("name,amount\nred,10\nblue,32\n")


@pytest.mark.usefixtures("figures")
def test_an_agent_does_a_job_on_files_and_remembers_it(tmp_path):
    done = cogwork(
        *("run", "react", "--thread", "t"),
        "Read figures.csv, compute the total of the amount column, and write the answer to out.txt",
    )
    assert done.returncode == 0, done.stderr
    assert "offline" in done.stdout.splitlines()[0]
    for part in ("→ read_file(path='figures.csv')", " s) name,amount", "→ calculator(", " s) 42"):
        assert part in done.stdout
    assert "42" in (tmp_path / "out.txt").read_text()
    again = cogwork("run", "react", "--thread", "t", "What was the total again?")
    assert "42" in again.stdout
    assert "→" not in again.stdout


def test_json_holds_the_answer_the_reason_and_the_steps():
    ran = cogwork("run", "react", "What is 6 * 7?", "--json", "--tool", "calculator")
    result = json.loads(ran.stdout)
    assert "42" in result["answer"]
    assert result["stop_reason"] == "answered"
    assert [step["tool"] for step in result["steps"]] == ["calculator"]
    assert result["tokens"] > 0
    assert result["thread"]


@pytest.mark.parametrize("graph", ["reflexion", "ensemble"])
def test_json_counts_the_tokens_of_graphs_inside_of_the_graph(graph):
    ran = cogwork("run", graph, "What is 6 * 7?", "--json", "--tool", "calculator")
    assert json.loads(ran.stdout)["tokens"] > 100


def test_a_run_that_spent_its_budget_goes_on_with_a_larger_one():
    run = ("run", "react", "--thread", "t", "--tool", "calculator", "--json")
    refused = cogwork(*run, "What is 6 * 7?", "--max-model-calls", "1")
    assert refused.returncode == 4
    assert "allows 1 model call: 1 spent" in refused.stderr
    assert "cogwork run react --thread t --max-model-calls" in refused.stderr
    assert "Error in" not in refused.stderr  # LangChain's log takes it for a fault
    assert cogwork(*run, "--max-model-calls", "1").returncode == 4  # nothing is forgotten
    done = cogwork(*run, "--max-model-calls", "2")
    assert done.returncode == 0, done.stderr
    assert "42" in json.loads(done.stdout)["answer"]
    assert json.loads(done.stdout)["tokens"] > 100


@pytest.mark.parametrize("limit", ["--max-tokens", "--max-tool-calls", "--max-seconds"])
def test_a_question_may_be_allowed_nothing(limit):
    refused = cogwork("run", "react", "What is 6 * 7?", limit, "0")
    assert (refused.returncode, refused.stderr.count(limit)) == (4, 1), refused.stderr


def test_graphs_are_listed():
    assert "react" in installed("graphs").stdout
    listed = json.loads(cogwork("graphs", "--json").stdout)
    assert {"react", "plan"} <= {graph["name"] for graph in listed}


@pytest.mark.parametrize(
    ("form", "part"), [("ascii", "think"), ("mermaid", "graph TD;"), ("svg", "<svg")]
)
def test_a_graph_is_shown_in_every_format(form, part):
    assert part in cogwork("show", "react", "--format", form).stdout


def test_a_picture_goes_to_a_file(tmp_path):
    assert cogwork("show", "react", "--format", "svg", "--output", "r.svg").returncode == 0
    assert ET.parse(tmp_path / "r.svg").getroot().tag.endswith("svg")


def test_a_picture_is_as_its_file_is_named(tmp_path):
    assert cogwork("show", "team", "--xray", "--output", "t.png").returncode == 0
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    assert cogwork("show", "react", "--output", "r.svg").returncode == 0
    assert (tmp_path / "r.svg").read_text() == cogwork("show", "react", "--format", "svg").stdout[
        :-1
    ]


def test_a_thread_is_marked_on_its_graph():
    assert cogwork("run", "react", "What is 6 * 7?", "--thread", "t").returncode == 0
    marked = cogwork("show", "react", "--thread", "t").stdout
    assert marked.startswith("<svg")
    assert marked != cogwork("show", "react", "--format", "svg").stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--format", "png"), "name its file"),
        (("--format", "gif"), "no format is called 'gif'"),
        (("--thread", "t", "--format", "ascii"), "choose svg or png"),
        (("--thread", "lost"), "has no thread 'lost'"),
    ],
)
def test_a_picture_that_cannot_be_is_refused(options, said):
    refused = cogwork("show", "react", *options)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert said in refused.stderr


def test_doctor_says_what_would_be_used_and_what_is_missing():
    said = cogwork("doctor").stdout
    assert "offline (no model and no key is configured" in said
    assert "langgraph" in said
    found = {f["name"]: f for f in json.loads(cogwork("doctor", "--json").stdout)}
    assert found["embeddings"]["status"] == "ok"
    assert found["checkpointer"]["status"] == "ok"


def test_doctor_fails_when_something_is_broken():
    ran = cogwork("doctor", env={"COGWORK_MODEL": "openai:gpt-5.5"})
    assert ran.returncode == 1
    assert "✗ model" in ran.stdout
    assert "OPENAI_API_KEY" in ran.stdout


BAD = {
    "graph": (["run", "reakt", "hi"], {}, "no graph is called 'reakt'; did you mean 'react'"),
    "tool": (["run", "react", "hi", "--tool", "calculater"], {}, "did you mean 'calculator'"),
    "model": (["run", "react", "hi", "--model", "opnai:x"], {}, "'openai'"),
    "key": (["run", "react", "hi", "--model", "openai:gpt-5.5"], {}, "OPENAI_API_KEY"),
    "format": (["show", "react", "--format", "sgv"], {}, "did you mean 'svg'"),
    "thread": (["run", "react", "--thread", "nobody"], {}, "no thread 'nobody'"),
    "steps": (["run", "react", "hi", "--max-steps", "0"], {}, "--max-steps"),
    "empty": (["run", "react", " "], {}, "the question is empty"),
    "both": (["run", "react", "hi", "--resume", "yes"], {}, "not both"),
    "nothing asked": (["run", "react", "--thread", "x", "--resume", "y"], {}, "no thread 'x'"),
    "config": (["doctor", "--config", "absent.yaml"], {}, "absent.yaml"),
    "url": (
        ["run", "react", "hi"],
        {"COGWORK_CHECKPOINTER": "sqlte:///x"},
        "did you mean 'sqlite'",
    ),
    "output": (["show", "react", "--output", "no/such/folder.svg"], {}, "folder.svg"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_usage_is_one_clear_line_with_the_way_out(case):
    args, env, expected = BAD[case]
    ran = cogwork(*args, env=env)
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert expected in ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr


def test_an_unknown_setting_and_a_missing_variable_are_named(tmp_path):
    (tmp_path / "cogwork.yaml").write_text("modle: offline\n")
    assert "did you mean 'model'" in cogwork("doctor").stderr
    (tmp_path / "cogwork.yaml").write_text("model: ${MY_MODEL}\n")
    assert "MY_MODEL" in cogwork("doctor").stderr


def test_an_unreachable_server_is_named():
    ran = cogwork(
        *("run", "react", "hi", "--model", "openai:m"),
        env={"COGWORK_BASE_URL": "http://127.0.0.1:9/v1", "COGWORK_MAX_RETRIES": "0"},
    )
    assert ran.returncode == 1
    assert "http://127.0.0.1:9/v1" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_corrupt_checkpoint_file_is_named_and_left_alone(tmp_path):
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"this is no database" * 100)
    ran = cogwork("run", "react", "hi", env={"COGWORK_CHECKPOINTER": "sqlite:///c.sqlite"})
    assert ran.returncode == 1
    assert "c.sqlite" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert path.read_bytes() == b"this is no database" * 100


@pytest.mark.slow
@pytest.mark.usefixtures("figures")
def test_ctrl_c_leaves_a_thread_that_goes_on_where_it_was():
    script = [call_tools(("read_file", {"path": "figures.csv"})), stall(), say("red and blue")]
    with OpenAIServer(script) as server:
        env = {
            "COGWORK_BASE_URL": server.url,
            "COGWORK_MODEL": "openai:m",
            "COGWORK_MAX_RETRIES": "0",
        }
        command = [COGWORK, "run", "react", "which names?", "--thread", "t"]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
        )
        for line in process.stdout:
            if " s) name,amount" in line:
                break
        while len(server.requests) < 2:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "go on with: cogwork run react --thread t" in stderr
        assert "Traceback" not in stderr
        resumed = cogwork("run", "react", "--thread", "t", "--json", env=env)
    result = json.loads(resumed.stdout)
    assert result["answer"] == "red and blue"
    assert [step["tool"] for step in result["steps"]] == ["read_file"]


ASKS = """
from langgraph.types import interrupt
from cogwork.tools import tool
from cogwork.tools.registry import tools

@tool(effect="external")
def send(text: str) -> str:
    "Send a text."
    return f"sent {text}" if interrupt(f"Send {text}?") == "yes" else "not sent"

tools.register("send")(send)
from cogwork.runtime.cli import main
main()
"""


def test_a_question_of_a_tool_is_told_and_answered():
    def run(*args):
        return fresh.run("run", "react", "--thread", "t", "--tool", "send", *args, code=ASKS)

    asked = run('Send the text "hello".')
    assert asked.returncode == 3
    assert "? Send hello?" in asked.stdout
    assert "--thread t --resume" in asked.stderr
    again = run("--json")
    assert again.returncode == 3
    assert json.loads(again.stdout)["interrupts"] == ["Send hello?"]
    assert json.loads(again.stdout)["answer"] is None
    answered = run("--resume", "yes")
    assert answered.returncode == 0
    assert "sent hello" in answered.stdout


@pytest.mark.slow
def test_a_terminal_without_unicode_is_no_obstacle():
    env = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    ran = installed("run", "react", "What is 6 * 7?", env=env)
    assert ran.returncode == 0, ran.stderr
    assert "42" in ran.stdout


@pytest.mark.slow
def test_bytes_that_are_no_text_are_no_obstacle():
    command = [COGWORK.encode(), b"run", b"react", b"What is 6 * 7? \xff", b"--json"]
    ran = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert b"42" in ran.stdout


def test_the_version_is_told():
    assert cogwork("--version").stdout.startswith("cogwork 0.")


def test_markup_in_what_is_seen_stays_text(tmp_path):
    (tmp_path / "odd.txt").write_text("[bold]x[/] [/nope] \x1b[31mred")
    said = cogwork("run", "react", "Read odd.txt").stdout
    assert "[bold]x[/] [/nope]" in said
    assert "\x1b[31m" not in said


def test_help_and_import_stay_light():
    program = (
        "import sys, cogwork.runtime.cli\n"
        "heavy = {'langgraph', 'langchain_core', 'openai', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert "run" in cogwork("--help").stdout
