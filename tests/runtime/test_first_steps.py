"""What somebody new to the command line types wrongly, or does not know yet."""

from pathlib import Path

import fresh
import pytest
from openai_server import OpenAIServer, say

from cogwork.runtime.building import require_options
from cogwork.runtime.wording import amounts


def cogwork(*args, env=None):
    ran = fresh.run(*args, env={**(env or {}), "COLUMNS": "200"})
    assert "Traceback" not in ran.stdout + ran.stderr
    return ran


@pytest.mark.parametrize(
    ("args", "way_out"),
    [
        (("run", "react", "hi", "--depth", "quick"), "leave it out, or run one that has: research"),
        (("run", "debate", "hi", "--corpus", "."), "no use for --corpus"),
        (("run", "research", "hi", "--max-steps", "3"), "one that has: assistant, debate, "),
        (("run", "react"), "give a question, or name with --thread"),
        (("run", "react", "--resume", "yes"), "name with --thread the thread"),
        (("run", "react", "hi", "--thread", " "), "--thread is blank"),
        (("show", "react", "--output", "react.jpg"), "ends in none of .svg, .png, .txt, .mmd"),
        (("bench", "--graph", "react", "--output", "no/r.md"), "cannot write to no/r.md"),
        (("tasks", "report", "--hours", "-3"), "--hours is -3; give a number above 0"),
    ],
)
def test_what_would_be_ignored_or_misread_is_refused(args, way_out):
    ran = cogwork(*args)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: ")
    assert way_out in ran.stderr
    assert list(Path().iterdir()) == []


def test_options_that_were_not_chosen_are_not_refused():
    require_options("react", {"depth": None, "corpus": None, "max_steps": 4})
    require_options("debate", {"max_steps": 4})


def test_a_setting_is_not_an_option_that_was_chosen():
    ran = cogwork("run", "debate", "What is 6 * 7?", env={"COGWORK_CORPUS": "."})
    assert ran.returncode == 0, ran.stderr
    assert "42" in ran.stdout


def test_the_offline_model_is_free():
    ran = cogwork("run", "react", "What is 6 * 7?", "--max-cost", "0.01")
    assert (ran.returncode, "price" in ran.stderr) == (0, False)
    bench = cogwork("bench", "--graph", "react", "--task", "sum-column", "--max-cost", "0.01")
    assert (bench.returncode, bench.stderr) == (0, "")
    assert bench.stdout.startswith("1 task, offline")


def test_dollars_of_a_model_without_a_price_are_said_not_to_count():
    with OpenAIServer([say("42")]) as server:
        env = {"COGWORK_BASE_URL": server.url, "COGWORK_MODEL": "openai:of-our-own"}
        ran = cogwork("run", "react", "What is 6 * 7?", "--max-cost", "0.01", env=env)
    assert ran.returncode == 0, ran.stderr
    assert "the price of model 'of-our-own' is not known" in ran.stderr


@pytest.mark.parametrize(
    ("question", "offer"),
    [
        ("Delete the file a.txt", "--tool calculator --tool files --tool delete_file"),
        ("Send a mail to Ada", "--tool …, such as analyze_data, "),
    ],
)
@pytest.mark.parametrize("graph", ["react", "plan"])
def test_an_agent_that_knows_no_tool_says_how_to_give_it_one(graph, question, offer):
    ran = cogwork("run", graph, question)
    assert ran.returncode == 0, ran.stderr
    assert offer in ran.stdout.splitlines()[-1]


def test_the_offer_is_what_was_lacking(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    ran = cogwork(*("run", "react", "Delete the file a.txt", "--tool", "delete_file"))
    assert "to give it more tools" not in ran.stdout
    assert not (tmp_path / "a.txt").exists()


def test_the_lines_of_doctor_begin_in_one_column():
    lines = cogwork("doctor").stdout.splitlines()
    widest = max(len(line.split()[1]) for line in lines)
    assert {line[2 + widest : 4 + widest] for line in lines} == {"  "}
    assert all(line[4 + widest] != " " for line in lines)


def test_who_submits_a_task_hears_who_does_it():
    ran = cogwork("tasks", "submit", "react", "What is 6 * 7?")
    assert "`cogwork worker` does it" in ran.stderr
    assert ran.stdout.split() == [ran.stdout.strip()]  # the id alone, for programs
    assert cogwork("tasks", "submit", "react", "What is 6 * 7?", "--json").stderr == ""


def test_an_audit_log_that_is_not_there_is_said_not_to_be():
    ran = cogwork("audit", "verify")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "there is no audit log '.cogwork/audit.jsonl'; runs write it" in ran.stderr


def test_a_user_or_agent_without_memories_is_named():
    assert cogwork("memory", "add", "Ada drinks tea").returncode == 0
    assert "user 'local' and agent 'x'" in cogwork("memory", "list", "--agent", "x").stderr
    assert "nobody called so" in cogwork("memory", "stats", "--user", "x").stderr
    assert cogwork("memory", "stats", "--user", "local").stderr == ""


def test_faults_stand_on_lines_of_their_own(tmp_path):
    (tmp_path / "p.yaml").write_text("process: x\nstep: 1\n")
    ran = cogwork("process", "check", "p.yaml")
    first, *others = ran.stderr.splitlines()
    assert first.startswith("error: p.yaml, line 1, version: ")
    assert [line[: len("  p.yaml, line ")] for line in others] == ["  p.yaml, line "] * len(others)
    assert len(others) == 2


def test_amounts_of_one_are_in_the_singular():
    spent = {"tokens": 1, "cost": 0.5, "model_calls": 1, "tool_calls": 2}
    assert amounts(spent) == "1 token, $0.5000, 1 model call, 2 tool calls"
