"""Who has the conversation answers, is remembered, and hands it over without losing a call."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forks import Forks, forks
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool as langchain_tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from scripted import ScriptedChatModel, calls

from cogwork.core.topology import to_ascii, to_svg
from cogwork.graphs import create_react_agent, create_supervisor
from cogwork.memory import create_checkpointer
from cogwork.nodes import create_handoff_tool
from cogwork.nodes.handoff import Visit
from cogwork.tools.base import tool
from cogwork.tools.taint import has_read

ASK = {"messages": "Plan the feast"}
THREAD: Any = {"configurable": {"thread_id": "1"}}
TO_ADA = calls(("transfer_to_ada", {}))


def model(*script: Any, forever: bool = False) -> ScriptedChatModel:
    return ScriptedChatModel(script=list(script), forever=forever)


def answering(name: str, *script: Any, to: tuple[str, ...] = (), tools: Any = ()) -> Any:
    """A ReAct agent that says what the script says, with tools to hand over."""
    given = [*tools, *map(create_handoff_tool, to)]
    return create_react_agent(model(*script), given, name=name)


def failing(name: str) -> Any:
    def work(state: MessagesState) -> dict[str, Any]:
        raise ValueError("burnt")

    builder = StateGraph(MessagesState)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    return builder.compile(name=name)


def build(*script: Any, agents: Any, **options: Any) -> Any:
    return create_supervisor(agents, model(*script), **{"mode": "both", **options})


def texts(done: Any) -> list[str]:
    return [one.text for one in done["messages"]]


def path(done: Any) -> list[tuple[str, str]]:
    return [(one.agent, one.outcome) for one in done["path"]]


@tool(effect="read", network=False)
def look(where: str) -> str:
    """Look somewhere."""
    return f"seen {where}"


def test_agent_that_takes_over_sees_the_conversation_and_answers():
    ada = answering("ada", "Soup it is.")
    done = build(TO_ADA, agents=[ada]).invoke(ASK)
    assert texts(done) == ["Plan the feast", "", "Done.", "Soup it is."]
    assert done["messages"][-1].name == "ada"
    assert (done["active_agent"], done["stop_reason"]) == ("ada", "answered")
    assert path(done) == [("ada", "answered")]


def test_what_else_the_turn_called_is_done_before_the_handoff():
    turn = calls(("transfer_to_ada", {}), ("look", {"where": "in"}), ("ask_bob", {"task": "bake"}))
    agents = [answering("ada", "Soup."), answering("bob", "bread")]
    done = build(turn, agents=agents, tools=[look]).invoke(ASK)
    found = {one.name: one.text for one in done["messages"] if isinstance(one, ToolMessage)}
    assert found == {"transfer_to_ada": "Done.", "look": "seen in", "ask_bob": "bread"}
    assert texts(done)[-1] == "Soup."


def test_of_two_handoffs_in_one_turn_the_first_is_made_and_the_other_says_why_not():
    turn = calls(("transfer_to_bob", {}), ("transfer_to_ada", {}))
    done = build(turn, agents=[answering("ada"), answering("bob", "Bread.")]).invoke(ASK)
    assert texts(done)[2:] == [
        "Done.",
        "Error: one turn can hand over or forward once, and it did",
        "Bread.",
    ]


@pytest.mark.parametrize("keep", [True, False])
def test_active_agent_has_the_next_turn_too(keep: bool):
    ada = answering("ada", "Soup.", "With bread.")
    boss = build(
        TO_ADA,
        agents=[ada],
        add_handoff_messages=keep,
        checkpointer=create_checkpointer("memory://"),
    )
    boss.invoke(ASK, THREAD)
    done = boss.invoke({"messages": "And with it?"}, THREAD)
    assert texts(done)[-2:] == ["And with it?", "With bread."]
    assert path(done) == [("ada", "answered")]


@pytest.mark.parametrize("how", ["as a node", "in a node"])
def test_active_agent_is_remembered_where_the_supervisor_is_a_subgraph(how: str):
    ada = answering("ada", "Soup.", "With bread.")
    boss = build(TO_ADA, agents=[ada])

    def inside(state: MessagesState) -> dict[str, Any]:
        return {"messages": boss.invoke({"messages": state["messages"]})["messages"]}

    builder = StateGraph(MessagesState)
    builder.add_node("boss", boss if how == "as a node" else inside)
    builder.add_edge(START, "boss")
    outer = builder.compile(create_checkpointer("memory://"))
    outer.invoke(ASK, THREAD)
    done = outer.invoke({"messages": "And with it?"}, THREAD)
    assert texts(done)[-1] == "With bread."


def test_agent_hands_over_to_another_which_is_then_the_active_one():
    ada = answering("ada", calls(("transfer_to_bob", {})), to=("bob",))
    bob = answering("bob", "Bread.", "More bread.")
    boss = build(TO_ADA, agents=[ada, bob], checkpointer=create_checkpointer("memory://"))
    done = boss.invoke(ASK, THREAD)
    assert path(done) == [("ada", "handed over"), ("bob", "answered")]
    assert texts(boss.invoke({"messages": "More?"}, THREAD))[-1] == "More bread."


def test_agent_that_hands_over_beside_another_call_loses_neither():
    turn = calls(("transfer_to_bob", {}), ("look", {"where": "in"}))
    seen = model(turn, "I handed over.")
    ada = create_react_agent(seen, [look, create_handoff_tool("bob")], name="ada")
    done = build(TO_ADA, agents=[ada, answering("bob", "Bread.")]).invoke(ASK)
    assert texts(done)[-1] == "Bread."
    told = {one.name: one.text for one in seen.sent[1] if isinstance(one, ToolMessage)}
    assert told == {"look": "seen in", "transfer_to_bob": "'bob' is asked to take over."}


@pytest.mark.parametrize("keep", [True, False])
def test_supervisor_knows_who_handed_back_and_does_not_begin_again(keep: bool):
    back = calls(("transfer_to_supervisor", {}))
    ada = answering("ada", back, to=("supervisor",))
    chat = model(TO_ADA, "No soup today.")
    boss = create_supervisor([ada], chat, mode="handoff", add_handoff_messages=keep)
    done = boss.invoke(ASK)
    assert "- ada handed over to supervisor" in chat.sent[1][0].text
    assert done["path"] == [Visit(agent="ada", outcome="handed over", detail="supervisor")]
    assert (texts(done)[-1], done["active_agent"]) == ("No soup today.", None)
    assert ("transfer_to_ada" in str(done["messages"])) == keep


def test_handoffs_that_go_round_end():
    back = calls(("transfer_to_supervisor", {}))
    ada = create_react_agent(
        model(back, forever=True), [create_handoff_tool("supervisor")], name="ada"
    )
    for keep in (True, False):
        chat = model(*[TO_ADA] * 5, "I answer myself.")
        options = {"mode": "handoff", "max_handoffs": 2, "max_steps": 3}
        boss = create_supervisor([ada], chat, add_handoff_messages=keep, **options)
        done = boss.invoke(ASK)
        assert len(done["path"]) == 2
        assert "enough agents had this question" in str(chat.sent[3:])


def test_agents_that_pass_the_question_to_each_other_stop_at_the_limit():
    ada = create_react_agent(
        model(calls(("transfer_to_bob", {})), forever=True),
        [create_handoff_tool("bob")],
        name="ada",
    )
    bob = create_react_agent(model(TO_ADA, forever=True), [create_handoff_tool("ada")], name="bob")
    done = build(TO_ADA, "I answer.", agents=[ada, bob], max_handoffs=4).invoke(ASK)
    assert [one.agent for one in done["path"]] == ["ada", "bob", "ada", "bob"]
    assert texts(done)[-1] == "I answer."


def test_history_without_handoffs_keeps_what_else_the_turn_called():
    turn = calls(("transfer_to_ada", {}), ("look", {"where": "in"}))
    boss = build(turn, agents=[answering("ada", "Soup.")], tools=[look], add_handoff_messages=False)
    done = boss.invoke(ASK)
    assert [each["name"] for each in done["messages"][1].tool_calls] == ["look"]
    assert texts(done) == ["Plan the feast", "", "seen in", "Soup."]


@pytest.mark.parametrize(
    ("agent", "detail"),
    [
        (failing("ada"), "ada failed: ValueError: burnt"),
        (answering("ada", calls(("transfer_to_eve", {})), to=("eve",)), "'eve', whom nobody knows"),
    ],
)
def test_agent_that_fails_gives_the_question_back_with_the_reason(agent: Any, detail: str):
    chat = model(TO_ADA, "Sorry.")
    done = create_supervisor([agent], chat, mode="handoff").invoke(ASK)
    assert path(done) == [("ada", "failed")]
    assert detail in chat.sent[1][0].text
    assert texts(done)[-1] == "Sorry."


def test_active_agent_that_fails_or_is_gone_leaves_the_next_turn_to_the_supervisor():
    chat = model("Sorry.", "Still here.")
    boss = create_supervisor([failing("ada")], chat, mode="handoff")
    assert texts(boss.invoke({**ASK, "active_agent": "ada"}))[-1] == "Sorry."
    assert texts(boss.invoke({**ASK, "active_agent": "eve"}))[-1] == "Still here."


def test_agent_sees_questions_and_answers_but_no_calls_of_the_supervisor():
    inner = model("Soup.")
    ada = create_react_agent(inner, name="ada")
    turn = calls(("look", {"where": "in"}))
    build(turn, TO_ADA, agents=[ada], tools=[look]).invoke(
        {"messages": [HumanMessage("Hi"), AIMessage("Hello"), HumanMessage("Plan it")]}
    )
    assert [one.text for one in inner.sent[0]] == ["Hi", "Hello", "Plan it"]


def test_agent_in_the_conversation_can_ask_a_person():
    def work(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"{interrupt('red or white?')} wine")]}

    builder = StateGraph(MessagesState)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    ada = builder.compile(name="ada")
    boss = build(TO_ADA, agents=[ada], checkpointer=create_checkpointer("memory://"))
    (asked,) = boss.invoke(ASK, THREAD)["__interrupt__"]
    assert asked.value == "red or white?"
    assert texts(boss.invoke(Command(resume="red"), THREAD))[-1] == "red wine"


def test_handoff_by_a_command_to_the_parent_is_followed_too():
    @langchain_tool
    def to_bob() -> Command[Any]:
        """Hand over as the tools of other packages do."""
        said = AIMessage("Bob will know.")
        return Command(
            goto="bob",
            graph=Command.PARENT,
            update={"messages": [said], "active_agent": "bob"},
        )

    ada = create_react_agent(model(calls(("to_bob", {}))), [to_bob], name="ada")
    done = build(TO_ADA, agents=[ada, answering("bob", "Bread.")]).invoke(ASK)
    assert texts(done)[-2:] == ["Bob will know.", "Bread."]
    assert done["active_agent"] == "bob"


@pytest.mark.parametrize("how", ["ours", "another package's"])
def test_agent_that_hands_a_task_over_leaves_no_call_open(how: str):
    @langchain_tool
    def transfer_to_bob() -> Command[Any]:
        """Hand over as the tools of other packages do."""
        return Command(goto="bob", graph=Command.PARENT)

    given = create_handoff_tool("bob") if how == "ours" else transfer_to_bob
    ada = create_react_agent(model(calls(("transfer_to_bob", {}))), [given], name="ada")
    task = calls(("ask_ada", {"task": "bake"}))
    done = build(task, "Sorry.", agents=[ada, answering("bob", "Bread.")]).invoke(ASK)
    assert texts(done)[2:] == [
        "Error: ada did not do the task, but wants 'bob' to have it; ask that agent, or answer",
        "Sorry.",
    ]


def test_what_an_agent_read_taints_its_answer_in_both_ways():
    def work(state: MessagesState) -> dict[str, Any]:
        has_read("web")
        return {"messages": [AIMessage("Soup.")]}

    builder = StateGraph(MessagesState)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    ada = builder.compile(name="ada")
    task = calls(("ask_ada", {"task": "cook"}))
    for script in ([TO_ADA], [task, "Feast."]):
        done = build(*script, agents=[ada]).invoke(ASK)
        assert done["taint"] == ["web"]
        said = next(one for one in done["messages"] if one.text == "Soup.")
        assert said.response_metadata["source"] == "untrusted"


def test_topology_has_only_ways_that_can_be_taken():
    agents = [answering("ada"), answering("bob")]
    assert to_ascii(build(agents=agents, mode="delegate")).splitlines() == [
        "START   ──▶ receive",
        "receive ──▶ think",
        "think   ┄┄▶ act (call) | ada (task) | bob (task) | END (answer)",
        "act     ──▶ move",
        "ada     ──▶ move",
        "bob     ──▶ move",
        "move    ──▶ think ↺",
    ]
    both = build(agents=agents)
    assert "ada     ┄┄▶ move ↺ | bob | END" in to_ascii(both)
    picture = Path(__file__).parents[2] / "docs" / "images" / "supervisor.svg"
    assert picture.read_text() == to_svg(build(agents=agents, mode="delegate")) + "\n"


@pytest.fixture(scope="module")
def children() -> Iterator[Forks]:
    with forks("supervisor_child.py") as served:
        yield served


@pytest.mark.parametrize("how", ["sync", pytest.param("async", marks=pytest.mark.slow)])
def test_killed_team_repeats_no_effect_of_its_agents(how: str, children: Forks, tmp_path: Path):
    chance, killed = random.Random(5), 0
    for number in range(8):
        log = tmp_path / f"log{number}"
        log.touch()
        url = f"sqlite:///{tmp_path / f'threads{number}.db'}"
        job = {"how": how, "log": str(log), "url": url}
        killed += children.crash(job, chance, kills=4, within=0.2)
        names = ("ada0", "ada1", "bob0", "bob1", "cy0", "cy1")
        assert sorted(log.read_text().splitlines()) == [f"effect {name}" for name in names]
    assert killed > 0
