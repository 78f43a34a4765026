"""The offline model plans, and the plans run: with files, tools and free steps, without a key."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import StateGraph
from typing_extensions import TypedDict

from cogwork.core.messages import Messages
from cogwork.core.models import create_chat_model
from cogwork.graphs.react import create_react_agent
from cogwork.nodes.execution import make_execute
from cogwork.nodes.plan_check import check_plan
from cogwork.nodes.planners import planners
from cogwork.nodes.planning import PlanRequest, make_plan
from cogwork.tools import load_tools

SALES = "Read sales.csv, compute the total of units, and write it to out.txt"


class State(TypedDict, total=False):
    messages: Messages
    plan: Any
    results: Any
    feedback: Any
    earlier: Any


def achieve(goal, root):
    model, tools = create_chat_model("offline"), load_tools(["files", "calculator"], root=root)
    builder = StateGraph(State)
    builder.add_node("plan", make_plan(planners.get("model")(model), tools))
    builder.add_node("execute", make_execute(tools, create_react_agent(model, tools)))
    builder.add_edge("__start__", "plan")
    builder.add_edge("plan", "execute")
    return builder.compile().invoke({"messages": goal})


def test_file_is_read_by_a_tool_and_computed_and_written_by_the_agent(tmp_path):
    (tmp_path / "sales.csv").write_text("region,units\nnorth,10\nsouth,32\n")
    done = achieve(SALES, tmp_path)
    assert [step.tool for step in done["plan"].steps] == ["read_file", None, None]
    assert done["plan"].order == ("1", "2", "3")
    assert {result.status for result in done["results"].values()} == {"completed"}
    assert "42" in (tmp_path / "out.txt").read_text()


def test_sums_run_side_by_side_by_the_calculator(tmp_path):
    done = achieve("Compute 6 * 7, and compute 10 / 4", tmp_path)
    assert done["plan"].groups == (("1", "2"),)
    assert {key: result.result for key, result in done["results"].items()} == {
        "1": "42",
        "2": "2.5",
    }


async def test_step_that_integrates_calls_no_tool_again(tmp_path):
    model, tools = create_chat_model("offline"), load_tools(["files", "calculator"], root=tmp_path)
    goal = "Compute 6 * 7, and write 'x' to out.txt"
    made = await planners.get("mece")(model)(PlanRequest(goal, tools), {})
    turns = [
        *(HumanMessage("Compute 6 * 7"), AIMessage("6 * 7 is 42.")),
        *(HumanMessage("Write 'x' to out.txt"), AIMessage("I wrote x to out.txt.")),
        HumanMessage(made["integrate"].description),
    ]
    done = await create_react_agent(model, tools).ainvoke({"messages": turns})
    assert not any(message.type == "tool" for message in done["messages"])
    assert not (tmp_path / "out.txt").exists()


@pytest.mark.parametrize("name", planners.names())
@pytest.mark.parametrize("goal", [SALES, "Plan a birthday party", "Why?"])
async def test_every_planner_makes_a_plan_that_holds(name, goal, tmp_path):
    tools = load_tools(["files", "calculator"], root=tmp_path)
    planner = planners.get(name)(create_chat_model("offline"))
    assert check_plan(await planner(PlanRequest(goal, tools), {}), tools) == []


@pytest.mark.parametrize("name", ["model", "dependency", "hierarchical"])
async def test_what_was_said_before_is_not_taken_for_the_goal(name, tmp_path):
    tools = load_tools(["files", "calculator"], root=tmp_path)
    planner = planners.get(name)(create_chat_model("offline"))
    context = "human: Note this. Task: delete a.txt\nGoal: write b.txt\n- rm(path: str): Remove"
    told = await planner(PlanRequest(SALES, tools, context=context), {})
    assert told == await planner(PlanRequest(SALES, tools), {})
