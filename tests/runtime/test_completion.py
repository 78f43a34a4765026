"""What the shell offers after TAB, as bash asks for it."""

from pathlib import Path
from typing import get_args

import fresh
import pytest

from cogwork.graphs.registry import graphs
from cogwork.nodes.research.evidence import Depth
from cogwork.runtime.evaluation import builtin_tasks
from cogwork.runtime.evaluation.tasks import KINDS
from cogwork.runtime.tasks.task import Priority, State
from cogwork.tools.registry import tools


def offered(*words: str) -> list[str]:
    """What bash gets for the last of these words."""
    told = {
        "_COGWORK_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["cogwork", *words]),
        "COMP_CWORD": str(len(words)),
    }
    ran = fresh.run(env=told)
    assert ran.stderr == ""
    return ran.stdout.split()


@pytest.mark.parametrize(
    "words", [("run", ""), ("show", ""), ("tasks", "submit", ""), ("bench", "--graph", "")]
)
def test_every_graph_is_offered_where_one_is_asked_for(words):
    assert offered(*words) == graphs.names()


def test_what_is_typed_already_narrows_it():
    assert offered("run", "re") == ["react", "reflexion", "research"]


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (("run", "research", "--depth", ""), get_args(Depth)),
        (("bench", "--kind", ""), KINDS),
        (("bench", "--task", ""), [task.id for task in builtin_tasks()]),
        (("tasks", "list", "--state", ""), get_args(State)),
        (("tasks", "submit", "react", "x", "--priority", ""), Priority.__members__),
        (("show", "react", "--format", ""), ["ascii", "mermaid", "svg", "png"]),
        (("process", "export", "p.yaml", "--format", ""), ["csv", "json"]),
        (("memory", "list", "--sort", "acc"), ["accesses"]),
    ],
)
def test_closed_choices_are_offered_whole(words, known):
    assert sorted(offered(*words)) == sorted(known)


@pytest.mark.parametrize("command", [("run", "react", "x"), ("bench",)])
def test_tools_and_their_groups_are_offered(command):
    assert {*tools.names(), "data", "files", "web"} == {*offered(*command, "--tool", "")}


def test_threads_and_tasks_are_offered_from_their_files():
    assert offered("run", "react", "--thread", "") == []
    assert offered("tasks", "status", "") == []
    assert list(Path().iterdir()) == []  # to ask makes nothing
    assert fresh.run("run", "react", "What is 6 * 7?", "--thread", "sums").returncode == 0
    assert fresh.run("run", "react", "What is 6 * 8?", "--thread", "other").returncode == 0
    key = fresh.run("tasks", "submit", "react", "What is 6 * 9?").stdout.strip()
    assert offered("run", "react", "--thread", "su") == ["sums"]
    assert sorted(offered("show", "react", "--thread", "")) == ["other", "sums"]
    for command in ("status", "watch", "result", "cancel", "pause", "resume", "report"):
        assert offered("tasks", command, key[:3]) == [key]


@pytest.mark.parametrize("setting", ["checkpointer: postgresql://nobody@127.0.0.1:9/x", "modle: x"])
def test_what_cannot_be_asked_at_once_offers_nothing(tmp_path, setting):
    (tmp_path / "cogwork.yaml").write_text(setting)
    assert offered("run", "react", "--thread", "") == []
