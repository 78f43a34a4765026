"""Any graph can be a part of any other, also where its state holds types of its own."""

from functools import partial
from typing import Any

import pytest
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command

from cogwork.graphs import create_plan_execute_agent, create_react_agent, create_reflexion_agent
from cogwork.graphs.assistant import create_assistant
from cogwork.memory import create_checkpointer, with_state_types
from cogwork.tools import load_tools, tool

ASK = {"messages": "Compute 6 * 7, and compute 10 / 4"}
RUN = {"configurable": {"thread_id": "1"}}


def planner() -> Any:
    """A graph that asks, with a plan in its state."""
    return create_plan_execute_agent("offline", load_tools(["calculator"]), approve=True)


def assistant(inner: Any, saver: Any) -> Any:
    return create_assistant(agent=inner, store=InMemoryStore(), user="ada", checkpointer=saver)


def reflexion(inner: Any, saver: Any) -> Any:
    return create_reflexion_agent("offline", actor=inner, checkpointer=saver)


def nested(inner: Any, saver: Any) -> Any:
    return assistant(reflexion(inner, None), saver)


def as_node(inner: Any, saver: Any) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("inner", inner)
    builder.add_edge(START, "inner")
    return builder.compile(checkpointer=with_state_types(saver, builder))


async def _ask(inner: Any, state: MessagesState) -> Any:
    return {"messages": (await inner.ainvoke(state))["messages"][-1:]}


def in_a_function(inner: Any, saver: Any) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("inner", partial(_ask, inner))
    builder.add_edge(START, "inner")
    return builder.compile(checkpointer=with_state_types(saver, builder))


@pytest.mark.parametrize("outer", [assistant, reflexion, nested, as_node, in_a_function])
async def test_a_graph_in_a_graph_goes_on_after_a_question(outer, tmp_path):
    url = f"sqlite:///{tmp_path}/c.db"
    with create_checkpointer(url) as saver:
        asked = await outer(planner(), saver).ainvoke(ASK, RUN)
        assert asked["__interrupt__"][0].value["action_requests"][0]["name"] == "execute_plan"
    with create_checkpointer(url) as saver:
        done = await outer(planner(), saver).ainvoke(Command(resume="approve"), RUN)
    assert done["messages"][-1].text == "6 * 7 is 42. 10 / 4 is 2.5."


async def test_a_graph_that_a_tool_runs_goes_on_after_a_question(tmp_path):
    inner = planner()

    @tool(effect="read")
    async def solve(task: str) -> str:
        """Solve a task."""
        return str((await inner.ainvoke({"messages": task}))["messages"][-1].text)

    with create_checkpointer(f"sqlite:///{tmp_path}/c.db") as saver:
        agent = create_react_agent("offline", [solve], checkpointer=saver)
        asked = await agent.ainvoke({"messages": "Solve the task 'compute 6 * 7'"}, RUN)
        assert "__interrupt__" in asked
        done = await agent.ainvoke(Command(resume="approve"), RUN)
    assert "42" in done["messages"][-1].text
