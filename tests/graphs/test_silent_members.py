"""An agent that says nothing has not answered, whoever asked it."""

from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore
from scripted import ScriptedChatModel, calls

from cogwork.core.errors import AgentError
from cogwork.graphs import create_assistant, create_supervisor, create_team
from cogwork.nodes import Requirement, Role


def silent() -> Any:
    """A graph that adds no message, so that the question is the last one."""
    builder = StateGraph(MessagesState)
    builder.add_node("look", lambda state: {})
    builder.add_edge(START, "look")
    return builder.compile(name="mute")


def gives(output: Any) -> Any:
    return RunnableLambda(lambda _: output, name="mute")


SILENT = [silent(), gives({"messages": []}), gives({}), gives(None), gives([])]


@pytest.mark.parametrize("agent", SILENT)
@pytest.mark.parametrize("mode", ["delegate", "handoff"])
def test_the_supervisor_is_told(agent, mode):
    tool = {"delegate": "ask_mute", "handoff": "transfer_to_mute"}[mode]
    model = ScriptedChatModel(script=[calls((tool, {"task": "look"})), "it said nothing"])
    graph = create_supervisor({"mute": agent}, model, mode=mode)
    state = graph.invoke({"messages": "look"})
    assert state["messages"][-1].text == "it said nothing"
    told = [*(message.text for message in state["messages"]), *map(str, state.get("path") or ())]
    assert any("no answer" in text for text in told), told


def test_text_in_place_of_messages_is_an_answer():
    model = ScriptedChatModel(script=[calls(("ask_mute", {"task": "look"})), "done"])
    graph = create_supervisor({"mute": gives({"messages": "seen"})}, model, mode="delegate")
    said = [str(m.text) for m in graph.invoke({"messages": "look"})["messages"]]
    assert said[-2:] == ["seen", "done"]


@pytest.mark.parametrize("agent", SILENT[:2])
def test_a_part_of_a_team_has_failed(agent):
    team = create_team(
        "offline", roles=[Role(name="mute", capabilities=("look",))], members={"mute": agent}
    )
    needs = [Requirement(id="r", description="look around", capability="look")]
    (part,) = team.invoke({"messages": "look", "requirements": needs})["contributions"]
    assert part.status == "failed"
    assert "gave no answer" in part.error


@pytest.mark.parametrize("agent", SILENT[:1])
def test_an_assistant_says_so(agent):
    graph = create_assistant(agent=agent, store=InMemoryStore(), user="ada")
    with pytest.raises(AgentError, match="gave no answer"):
        graph.invoke({"messages": "hello"})
