import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from scripted import ScriptedChatModel, calls

from cogwork.core.errors import ConfigurationError
from cogwork.core.topology import to_mermaid
from cogwork.graphs.assistant import create_assistant
from cogwork.memory import ChromaStore
from cogwork.tools import load_tools


def of(user: str, thread: str = "1") -> dict:
    return {"configurable": {"user_id": user, "thread_id": thread}}


def test_what_was_told_yesterday_is_known_today(tmp_path):
    with ChromaStore(tmp_path / "m") as store:
        create_assistant("offline", store=store).invoke(
            {"messages": "My sister Ada lives in Turin."}, of("bob")
        )
    with ChromaStore(tmp_path / "m") as store:
        agent = create_assistant("offline", store=store)
        known = agent.invoke({"messages": "Where does Ada live?"}, of("bob", "2"))
        assert "Turin" in known["messages"][-1].text
        other = agent.invoke({"messages": "Where does Ada live?"}, of("eve"))
        assert other["recalled"] == []
        assert "Turin" not in other["messages"][-1].text


def test_the_agent_sees_what_was_recalled_and_the_conversation_does_not_hold_it():
    model = ScriptedChatModel(script=["Noted.", "In Turin."])
    store, saver = InMemoryStore(), InMemorySaver()
    agent = create_assistant(model, store=store, checkpointer=saver)
    agent.invoke({"messages": "I live in Turin."}, of("ada"))
    state = agent.invoke({"messages": "Where do I live, in Turin?"}, of("ada"))
    assert "- I live in Turin." in model.sent[-1][0].text
    assert [message.type for message in state["messages"]] == ["human", "ai", "human", "ai"]


def test_the_next_question_can_refer_to_what_tools_said():
    model = ScriptedChatModel(
        script=[calls(("calculator", {"expression": "6 * 7"})), "42.", "It was 42."]
    )
    agent = create_assistant(
        model, load_tools(["calculator"]), store=InMemoryStore(), checkpointer=InMemorySaver()
    )
    agent.invoke({"messages": "What is 6 * 7?"}, of("ada"))
    agent.invoke({"messages": "And what was that?"}, of("ada"))
    assert [m.type for m in model.sent[-1]] == ["human", "ai", "tool", "ai", "human"]


def test_an_agent_without_messages_answers_too():
    from langchain_core.runnables import RunnableLambda

    agent = create_assistant(
        agent=RunnableLambda(str.upper),
        to_input=lambda state: state["messages"][-1].text,
        store=InMemoryStore(),
        user="ada",
    )
    assert agent.invoke({"messages": "hello"})["messages"][-1].text == "HELLO"


def test_a_given_agent_keeps_its_own_tools():
    with pytest.raises(ConfigurationError, match="tools and a policy of its own"):
        create_assistant(agent=create_assistant("offline"), tools=load_tools(["calculator"]))


def test_topology():
    drawn = to_mermaid(create_assistant("offline"))
    for edge in ("__start__ --> recall", "recall --> answer", "answer --> memorize"):
        assert edge in drawn
