"""Every kind of team does a job on real files with the offline model, and tells it."""

import json

import pytest

from cogwork.graphs import (
    Ladders,
    create_hierarchical_agent,
    create_negotiation,
    create_orchestrator,
    create_team,
    graphs,
)
from cogwork.memory import create_checkpointer
from cogwork.nodes import Role
from cogwork.runtime.run import run_as_json
from cogwork.tools import load_tools

FACTORIES = {
    "team": create_team,
    "negotiation": create_negotiation,
    "orchestrator": create_orchestrator,
    "hierarchical": create_hierarchical_agent,
}
JOB = "Read sales.csv, compute the total of the units column, and write it to out.txt"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sales.csv").write_text("product,units\nchair,4\nlamp,8\n")
    return tmp_path


@pytest.mark.parametrize("name", FACTORIES)
def test_job_is_divided_and_done(folder, name):
    assert graphs.get(name) is FACTORIES[name]
    graph = FACTORIES[name]("offline", load_tools(["calculator", "files"], root=folder))
    done = graph.invoke({"messages": JOB})
    assert [one.member for one in done["contributions"]] == ["researcher", "analyst", "writer"]
    assert "12" in (folder / "out.txt").read_text()
    assert "12" in done["messages"][-1].text
    assert done["stop_reason"] == "answered"


@pytest.mark.parametrize("name", FACTORIES)
async def test_the_command_line_tells_its_result(folder, name):
    tools = load_tools(["calculator", "files"], root=folder)
    saver = create_checkpointer("memory://")
    graph = FACTORIES[name]("offline", tools, checkpointer=saver)
    said, questions = await run_as_json(graph, JOB, "1")
    told = json.loads(said)
    assert "12" in told["answer"]
    assert [one["status"] for one in told["results"].values()] == ["completed"] * 3
    assert questions == []


async def test_the_command_line_tells_that_nothing_could_be_done():
    roles = [Role(name="cook", capabilities=("cook",))]
    graph = create_hierarchical_agent(
        "offline",
        roles=roles,
        ladders=Ladders(strategic=()),
        budget={"strategic": 1, "tactical": 1, "operational": 0.5},
        checkpointer=create_checkpointer("memory://"),
    )
    told = json.loads((await run_as_json(graph, "Compute 6 * 7", "1"))[0])
    assert told["answer"].startswith("Nothing could be done: the steps are estimated to cost 1")
    assert told["stop_reason"] == "incomplete"


@pytest.mark.parametrize("name", ["plan", *FACTORIES])
@pytest.mark.parametrize(
    "asked",
    [
        "According to notes.md, when was the lens of the lighthouse built?",
        "See notes.md: when was the lens built?",
        "According to notes.md, who built the lens, and when was the clock cast?",
    ],
)
def test_document_that_a_question_opens_with_is_read_for_it(folder, name, asked):
    (folder / "notes.md").write_text(
        "The lens of the lighthouse was built in 1868 by Henrik Aalto.\nThe clock was cast in 1902.\n"
    )
    graph = graphs.get(name)("offline", load_tools(["calculator", "files"], root=folder))
    said = graph.invoke({"messages": asked})["messages"][-1].text
    assert "1868" in said
    assert ("1902" in said) == ("clock" in asked)


@pytest.mark.parametrize("name", FACTORIES)
def test_later_question_about_the_same_document_finds_it_again(folder, name):
    graph = graphs.get(name)("offline", load_tools(["calculator", "files"], root=folder))
    asked = "According to sales.csv, which product has the highest units, and what is their total?"
    asked = asked.replace("their total", "the total of units")
    said = graph.invoke({"messages": asked})["messages"][-1].text
    assert "lamp" in said
    assert "12" in said
