import asyncio
from typing import TypedDict
from xml.etree import ElementTree as ET

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from scripted import ScriptedChatModel, calls

from cogwork.core.timeline import Timeline
from cogwork.graphs import create_react_agent, create_team
from cogwork.tools import load_tools

USAGE = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}


class Priced(ScriptedChatModel):
    """Has a price, as models of providers do."""

    def _get_ls_params(self, *_, **__):
        return {"ls_provider": "openai", "ls_model_name": "gpt-4o"}


class State(TypedDict):
    n: int


def test_each_node_tells_its_calls_tokens_and_dollars():
    model = Priced(
        script=[
            calls(("calculator", {"expression": "6 * 7"}), say="Let me see."),
            AIMessage("42", usage_metadata=USAGE),
        ]
    )
    agent = create_react_agent(model, load_tools(["calculator"]))
    timeline = Timeline()
    agent.invoke({"messages": "What is 6 * 7?"}, {"callbacks": [timeline]})
    think, act, observe = timeline.nodes()
    assert (think.node, think.runs, think.model_calls, think.tool_calls) == ("think", 2, 2, 0)
    assert (think.input_tokens, think.output_tokens, think.cost) == (1010, 105, 0.003575)
    assert (act.node, act.tool_calls, act.cost) == ("act", 1, 0)
    assert (observe.node, observe.runs) == ("observe", 1)


def test_nodes_inside_bear_the_path_to_them_and_nothing_counts_twice():
    timeline = Timeline()
    team = create_team("offline", load_tools(["calculator"]))
    asked = {"messages": "Compute 6 * 7, and compute 10 / 4"}
    asyncio.run(team.ainvoke(asked, {"callbacks": [timeline]}))
    nodes = {each.node: each for each in timeline.nodes()}
    inside = [name for name in nodes if name.startswith("execute:")]
    assert sum(name.endswith(":act") for name in inside) == 2
    assert nodes["execute"].tool_calls == 0
    assert sum(each.tool_calls for each in nodes.values()) == 2
    assert nodes["execute"].seconds >= max(nodes[name].seconds for name in inside)


def test_failing_and_waiting_are_told_apart():
    def fail(_):
        raise ValueError("no")

    for node, failures, told in ((fail, 1, "failed"), (lambda _: interrupt("?"), 0, "waits for")):
        builder = StateGraph(State)
        builder.add_node("node", node)
        builder.add_edge(START, "node")
        timeline = Timeline()
        config = {"callbacks": [timeline], "configurable": {"thread_id": "1"}}
        graph = builder.compile(InMemorySaver())
        if failures:
            with pytest.raises(ValueError, match="no"):
                graph.invoke({"n": 1}, config)
        else:
            graph.invoke({"n": 1}, config)
        (only,) = timeline.nodes()
        assert only.failures == failures
        assert told in timeline.to_svg()


def test_the_picture_has_a_bar_a_run_and_shows_itself():
    timeline = Timeline()
    agent = create_react_agent("offline", load_tools(["calculator"]))
    for _ in range(2):
        agent.invoke({"messages": "What is 6 * 7?"}, {"callbacks": [timeline]})
    drawn = ET.fromstring(timeline.to_svg("Two <questions>"))
    texts = ["".join(each.itertext()) for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "Two <questions>"
    assert [text for text in texts if text in {"think", "act", "observe"}] == [
        *("think", "act", "observe", "think"),
        *("think", "act", "observe", "think"),
    ]
    assert timeline._repr_mimebundle_()["text/plain"].startswith("think: 4 runs")


def test_a_timeline_of_nothing_is_empty():
    timeline = Timeline()
    assert timeline.nodes() == []
    assert timeline.to_svg().startswith("<svg")
    assert timeline._repr_mimebundle_()["text/plain"] == "nothing ran"
