"""A supervisor delegates and hands over; no call stays without a result, whatever it calls at once."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from scripted import ScriptedChatModel, calls

from cogwork.core.errors import BudgetError, ConfigurationError
from cogwork.graphs import create_react_agent, create_supervisor
from cogwork.memory import create_checkpointer
from cogwork.nodes import create_handoff_tool
from cogwork.tools.base import tool

ASK = {"messages": "Plan the feast"}
THREAD: Any = {"configurable": {"thread_id": "1"}}


def agent(name: str, answer: Any = None, seen: list[Any] | None = None) -> Any:
    """A graph that answers with a text, what a function of the messages says, or an error."""

    def work(state: MessagesState) -> dict[str, Any]:
        if seen is not None:
            seen.append(state["messages"])
        if isinstance(answer, Exception):
            raise answer
        said = answer(state["messages"]) if callable(answer) else answer or f"{name} says so"
        return {"messages": [said if isinstance(said, AIMessage) else AIMessage(said)]}

    builder = StateGraph(MessagesState)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    return builder.compile(name=name)


def model(*script: Any) -> ScriptedChatModel:
    return ScriptedChatModel(script=list(script))


def build(*script: Any, agents: Any = None, **options: Any) -> Any:
    """A supervisor of Ada and Bob that says what the script says."""
    return create_supervisor(agents or [agent("ada"), agent("bob")], model(*script), **options)


def texts(done: Any) -> list[str]:
    return [one.text for one in done["messages"]]


def results(done: Any) -> dict[str, str]:
    return {one.tool_call_id: one.text for one in done["messages"] if one.type == "tool"}


def assert_no_call_is_open(messages: Any) -> None:
    """Each call is followed by exactly one result before anything else is said."""
    for place, message in enumerate(messages):
        if isinstance(message, AIMessage):
            asked = [each["id"] for each in [*message.tool_calls, *message.invalid_tool_calls]]
            after = messages[place + 1 : place + 1 + len(asked)]
            assert all(isinstance(one, ToolMessage) for one in after)
            assert sorted(one.tool_call_id for one in after) == sorted(asked)
    known = [each["id"] for one in messages if one.type == "ai" for each in one.tool_calls]
    assert all(one.tool_call_id in known for one in messages if one.type == "tool")


TWO = calls(("ask_ada", {"task": "cook"}), ("ask_bob", {"task": "bake"}))


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_each_delegated_task_comes_back_to_its_own_call(how: str):
    boss = build(TWO, "Feast.", agents=[agent("ada", "soup"), agent("bob", "bread")])
    done = await boss.ainvoke(ASK) if how == "async" else boss.invoke(ASK)
    assert results(done) == {"call-0-0-ask_ada": "soup", "call-0-1-ask_bob": "bread"}
    assert texts(done)[-1] == "Feast."
    assert (done["stop_reason"], done["active_agent"]) == ("answered", None)


async def test_tasks_of_one_turn_are_done_at_the_same_time():
    both = asyncio.Barrier(2)

    async def meet(state: MessagesState) -> dict[str, Any]:
        async with asyncio.timeout(5):
            await both.wait()
        return {"messages": [AIMessage("met")]}

    builder = StateGraph(MessagesState)
    builder.add_node("meet", meet)
    builder.add_edge(START, "meet")
    graph = builder.compile()
    again = calls(("ask_ada", {"task": "a"}), ("ask_ada", {"task": "b"}), turn=1)
    done = await build(TWO, again, "ok", agents={"ada": graph, "bob": graph}).ainvoke(ASK)
    assert list(results(done).values()) == ["met"] * 4


def test_agent_sees_its_task_only_and_its_history_stays_its_own():
    @tool(effect="read", network=False)
    def fry(what: str) -> str:
        """Fry something."""
        return "fried"

    inner = model(calls(("fry", {"what": "egg"})), "egg is fried")
    ada = create_react_agent(inner, [fry], name="ada")
    done = build(calls(("ask_ada", {"task": "cook"})), "Feast.", agents=[ada]).invoke(ASK)
    assert [one.text for one in inner.sent[0]] == ["cook"]
    assert texts(done) == ["Plan the feast", "", "egg is fried", "Feast."]


def test_failed_agent_is_an_observation():
    agents = [agent("ada", ValueError("burnt")), agent("bob", "bread")]
    done = build(TWO, "Only bread.", agents=agents).invoke(ASK)
    failed, fine = (one for one in done["messages"] if one.type == "tool")
    assert failed.status == "error"
    assert "ada failed: ValueError: burnt" in failed.text
    assert fine.text == "bread"
    silent = build(TWO, "ok", agents=[agent("ada", " "), agent("bob")]).invoke(ASK)
    assert results(silent)["call-0-0-ask_ada"] == "Error: ada gave no answer"


@pytest.mark.parametrize("args", [{}, {"task": " "}, {"task": 3}])
def test_task_without_a_text_is_refused(args: Any):
    seen: list[Any] = []
    done = build(calls(("ask_ada", args)), "ok", agents=[agent("ada", "x", seen)]).invoke(ASK)
    assert "give the task as a text" in results(done)["call-0-0-ask_ada"]
    assert seen == []


def test_finished_task_is_not_done_again_when_its_sibling_breaks_the_run():
    seen: list[Any] = []
    spent = [BudgetError("spent")]

    def once(messages: Any) -> str:
        if spent:
            raise spent.pop()
        return "bread"

    boss = build(
        TWO,
        "Feast.",
        agents=[agent("ada", "soup", seen), agent("bob", once)],
        checkpointer=create_checkpointer("memory://"),
    )
    with pytest.raises(BudgetError, match="spent"):
        boss.invoke(ASK, THREAD)
    done = boss.invoke(None, THREAD)
    assert sorted(results(done).values()) == ["bread", "soup"]
    assert len(seen) == 1


@pytest.mark.parametrize("how", ["at once", "one by one", "other first"])
def test_two_agents_that_both_ask_get_their_own_answers(how: str):
    runs: dict[str, list[Any]] = {"ada": [], "bob": []}

    def asking(name: str) -> Any:
        return agent(name, lambda _: f"{name} got {interrupt(f'{name} asks')}", runs[name])

    boss = build(
        TWO,
        "Feast.",
        agents=[asking("ada"), asking("bob")],
        checkpointer=create_checkpointer("memory://"),
    )
    asked = {each.value: each.id for each in boss.invoke(ASK, THREAD)["__interrupt__"]}
    assert set(asked) == {"ada asks", "bob asks"}
    answers = [{asked["ada asks"]: "1"}, {asked["bob asks"]: "2"}]
    if how == "at once":
        answers = [answers[0] | answers[1]]
    if how == "other first":
        answers.reverse()
    for answer in answers:
        done = boss.invoke(Command(resume=answer), THREAD)
    assert results(done) == {
        "call-0-0-ask_ada": "ada got 1",
        "call-0-1-ask_bob": "bob got 2",
    }
    assert texts(done)[-1] == "Feast."


def test_forwarded_answer_is_unchanged_and_takes_no_further_thought():
    answer = "  à la Ada:\n\n- soup \n"
    boss = build(
        calls(("ask_ada", {"task": "cook"})),
        calls(("forward", {"agent": "ada"}), turn=1),
        agents=[agent("ada", answer), agent("bob")],
        forward=True,
    )
    done = boss.invoke(ASK)
    assert done["messages"][-1].content == answer
    assert (done["messages"][-1].name, done["stop_reason"]) == ("ada", "answered")
    assert done["active_agent"] is None
    assert_no_call_is_open(done["messages"])


def test_asking_and_forwarding_in_one_turn_forwards():
    both = calls(("forward", {"agent": "ada"}), ("ask_ada", {"task": "cook"}))
    done = build(both, agents=[agent("ada", "soup")], forward=True).invoke(ASK)
    assert texts(done)[-1] == "soup"
    assert_no_call_is_open(done["messages"])


def test_there_is_nothing_to_forward_from_who_was_not_asked_or_failed():
    agents = [agent("ada", ValueError("burnt")), agent("bob")]
    boss = build(
        calls(("ask_ada", {"task": "cook"})),
        calls(("forward", {"agent": "ada"}), turn=1),
        calls(("forward", {"agent": "bob"}), ("forward", {}), turn=2),
        "Sorry.",
        agents=agents,
        forward=True,
    )
    done = boss.invoke(ASK)
    assert results(done)["call-1-0-forward"] == (
        "Error: 'ada' has not answered this question; ask it first"
    )
    assert texts(done)[-1] == "Sorry."
    assert_no_call_is_open(done["messages"])


def test_unknown_tools_and_the_step_limit_end_as_in_any_loop():
    odd = calls(("ask_eve", {"task": "x"}), ("transfer_to_ada", {}), ("forward", {"agent": "ada"}))
    done = build(odd, "I can't.", max_steps=1).invoke(ASK)
    assert all("no tool is called" in text for text in results(done).values())
    assert (texts(done)[-1], done["stop_reason"]) == ("I can't.", "step_limit")
    assert_no_call_is_open(done["messages"])


def test_supervisor_can_lead_supervisors():
    inner = build(calls(("ask_ada", {"task": "cook"})), "Soup is ready.", name="kitchen")
    boss = build(calls(("ask_kitchen", {"task": "soup"})), "Feast.", agents=[inner])
    assert texts(boss.invoke(ASK))[2:] == ["Soup is ready.", "Feast."]


@pytest.mark.parametrize(
    ("agents", "said"),
    [
        ([], "there are no agents"),
        ([agent("ada"), agent("ada")], "'ada' is taken"),
        ({"think": agent("x")}, "'think' is taken"),
        ([agent("LangGraph")], "is LangGraph.s default"),
        ({"Ada L.": agent("x")}, "cannot name an agent"),
    ],
)
def test_agents_need_names_of_their_own(agents: Any, said: str):
    with pytest.raises(ConfigurationError, match=said):
        create_supervisor(agents, model())


def test_impossible_options_are_refused():
    for wrong, said in (
        ({"mode": "swarm"}, "mode is 'swarm'"),
        ({"max_handoffs": 0}, "max_handoffs is 0"),
        ({"descriptions": {"eda": "cooks"}}, "did you mean 'ada'"),
        ({"tools": [create_handoff_tool("ada")], "mode": "handoff"}, "transfer_to_ada"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            build(**wrong)


CALL = st.sampled_from(
    [
        ("ask_ada", {"task": "x"}),
        ("ask_bob", {"task": "y"}),
        ("ask_eve", {"task": "z"}),
        ("ask_ada", {}),
        ("transfer_to_ada", {}),
        ("transfer_to_bob", {}),
        ("forward", {"agent": "ada"}),
        ("look", {}),
    ]
)


@given(st.lists(st.lists(CALL, min_size=1, max_size=4), max_size=4), st.booleans())
@settings(max_examples=30, deadline=None)
def test_no_call_is_ever_left_without_its_result(turns: Any, keep: bool):
    @tool(effect="read", network=False)
    def look() -> str:
        """Look."""
        return "seen"

    script = [calls(*turn, turn=number) for number, turn in enumerate(turns)]
    boss = create_supervisor(
        [agent("ada"), agent("bob", ValueError("burnt"))],
        ScriptedChatModel(script=[*script, "done"], forever=True),
        tools=[look],
        mode="both",
        forward=True,
        add_handoff_messages=keep,
        max_repeats=9,
    )
    done = boss.invoke(ASK)
    assert done["messages"][-1].text in {"ada says so", "done"}
    assert_no_call_is_open(done["messages"])
