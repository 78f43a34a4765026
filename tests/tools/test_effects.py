"""Calls that change something: once, with a key, and asked about when in doubt."""

import operator
from typing import Annotated, Any

import pytest
from langchain_core.messages import AnyMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import InjectedToolCallId
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send
from scripted import calls
from typing_extensions import TypedDict

from cogwork.core.bridge import node
from cogwork.core.errors import ToolError
from cogwork.core.messages import Messages
from cogwork.memory import create_checkpointer
from cogwork.tools.base import tool
from cogwork.tools.calling import ReadyTool
from cogwork.tools.effects import call_once, idempotency_key

THREAD: RunnableConfig = {"configurable": {"thread_id": "1"}}


class State(TypedDict, total=False):
    messages: Messages
    notes: Annotated[list[str], operator.add]


class Died(BaseException):
    """What a test raises where a process would have died: no `except Exception` sees it."""


class World:
    """A tool that pays, and may be cut off before or after it has."""

    def __init__(self) -> None:
        self.paid: list[str | None] = []
        self.dies: list[str] = []

    def pay(self) -> str:
        when = self.dies.pop(0) if self.dies else ""
        if when == "before":
            raise Died
        self.paid.append(idempotency_key())
        if when == "after":
            raise Died
        return f"receipt {len(self.paid)}"


def graph_of(tool: Any, saver: str = "memory://", **options: Any) -> Any:
    """A graph whose one node makes the calls of the last message, and then looks away once."""
    ready = ReadyTool(tool, None)
    interrupted: list[int] = []

    @node
    async def act(call: Any, config: RunnableConfig) -> Any:
        result = await call_once(ready, call, config, **options)
        if isinstance(result, str):
            result = ToolMessage(result, tool_call_id=call["id"])
        return result if isinstance(result, (Command, list)) else {"messages": [result]}

    @node
    def rest(state: State, config: RunnableConfig) -> Any:
        if not interrupted:
            interrupted.append(1)
            raise LookupError("after the calls")
        return {}

    builder = StateGraph(State)
    builder.add_node("act", act)
    builder.add_node("rest", rest)
    builder.add_conditional_edges(
        START,
        lambda state: [Send("act", call) for call in state["messages"][-1].tool_calls],
        ["act"],
    )
    builder.add_edge("act", "rest")
    return builder.compile(checkpointer=create_checkpointer(saver))


def results(state: dict[str, list[AnyMessage]]) -> list[str]:
    return [message.text for message in state["messages"] if message.type == "tool"]


def external(world: World, **options: Any) -> Any:
    @tool(effect="external", **options)
    def pay(amount: int) -> str:
        """Pay."""
        return world.pay()

    return pay


def ask(*amounts: int) -> dict[str, Any]:
    return {"messages": [calls(*(("pay", {"amount": amount}) for amount in amounts))]}


@pytest.fixture(params=["memory://", "sqlite:///calls.db"])
def saver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def died(graph: Any, given: Any) -> None:
    with pytest.raises(Died):
        graph.invoke(given, THREAD, durability="sync")


def asked(graph: Any, given: Any = None) -> dict[str, Any]:
    (question,) = graph.invoke(given, THREAD)["__interrupt__"]
    return dict(question.value)


def answered(graph: Any, decision: dict[str, Any]) -> list[str]:
    with pytest.raises(LookupError):
        graph.invoke(Command(resume={"decisions": [decision]}), THREAD)
    return results(graph.invoke(None, THREAD))


def test_call_that_had_begun_is_asked_about_and_not_made_again(saver: str):
    world = World()
    world.dies = ["after"]
    graph = graph_of(external(world), saver)
    died(graph, ask(5))
    question = asked(graph)
    assert question["action_requests"][0]["name"] == "pay"
    assert question["action_requests"][0]["args"] == {"amount": 5}
    assert (
        "nobody knows whether its effect happened"
        in (question["action_requests"][0]["description"])
    )
    assert question["review_configs"] == [
        {"action_name": "pay", "allowed_decisions": ["approve", "reject", "respond"]}
    ]
    assert answered(graph, {"type": "respond", "message": "receipt 1"}) == ["receipt 1"]
    assert len(world.paid) == 1


def test_approved_call_is_made_again_with_the_same_key(saver: str):
    world = World()
    world.dies = ["after"]
    graph = graph_of(external(world), saver)
    died(graph, ask(5))
    asked(graph)
    assert answered(graph, {"type": "approve"}) == ["receipt 2"]
    first, second = world.paid
    assert first == second
    assert first is not None
    assert len(first) == 32


def test_an_approval_that_was_used_approves_nothing_else(saver: str):
    world = World()
    world.dies = ["after", "after"]
    graph = graph_of(external(world), saver)
    died(graph, ask(5))
    asked(graph)
    died(graph, Command(resume={"decisions": [{"type": "approve"}]}))
    for _ in range(3):
        asked(graph)
    assert len(world.paid) == 2
    assert answered(graph, {"type": "respond", "message": "paid"}) == ["paid"]
    assert len(world.paid) == 2


def test_rejected_call_is_an_error():
    world = World()
    world.dies = ["before"]
    graph = graph_of(external(world))
    died(graph, ask(5))
    asked(graph)
    with pytest.raises(ToolError, match="its effect happened; it was not repeated: leave it"):
        graph.invoke(
            Command(resume={"decisions": [{"type": "reject", "message": "leave it"}]}), THREAD
        )
    assert world.paid == []


@pytest.mark.parametrize("answer", [{"decisions": [{"type": "edit"}]}, "what?"])
def test_answer_that_decides_nothing_is_asked_about_again(answer: Any):
    world = World()
    world.dies = ["before"]
    graph = graph_of(external(world))
    died(graph, ask(5))
    asked(graph)
    again = asked(graph, Command(resume=answer))
    assert "no answer here" in str(again) or "decides nothing" in str(again)
    assert world.paid == []


def test_each_doubt_is_a_question_of_its_own(saver: str):
    world = World()
    world.dies = ["after", "before", "after"]
    graph = graph_of(external(world), saver)
    died(graph, ask(5))
    asked(graph)
    died(graph, Command(resume="approve"))
    asked(graph)
    died(graph, Command(resume="approve"))
    asked(graph)
    assert len(world.paid) == 2
    assert answered(graph, {"type": "respond", "message": "receipt 1"}) == ["receipt 1"]
    assert len(world.paid) == 2


def test_policy_may_fail_or_retry_instead():
    world = World()
    world.dies = ["before", "before"]
    graph = graph_of(external(world), on_doubt="fail")
    died(graph, ask(5))
    with pytest.raises(ToolError, match="it was not repeated"):
        graph.invoke(None, THREAD)
    graph = graph_of(external(world), on_doubt="retry")
    died(graph, ask(5))
    with pytest.raises(LookupError):
        graph.invoke(None, THREAD)
    assert len(world.paid) == 1


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_probe_knows(moment: str, is_async: bool):
    world = World()
    world.dies = [moment]

    def probe(args: Any, key: str) -> str | None:
        assert args == {"amount": 5}
        return "found it" if key in world.paid else None

    async def async_probe(args: Any, key: str) -> str | None:
        return probe(args, key)

    graph = graph_of(external(world, probe=async_probe if is_async else probe))
    died(graph, ask(5))
    with pytest.raises(LookupError):
        graph.invoke(None, THREAD)
    said = {"before": "receipt 1", "after": "found it"}[moment]
    assert results(graph.invoke(None, THREAD)) == [said]
    assert len(world.paid) == 1


def test_a_person_is_asked_when_the_probe_does_not_know_either():
    world = World()
    world.dies = ["before"]

    def probe(args: Any, key: str) -> str:
        raise ConnectionError("the bank is closed")

    graph = graph_of(external(world, probe=probe))
    died(graph, ask(5))
    assert "__interrupt__" in graph.invoke(None, THREAD)
    assert world.paid == []
    assert answered(graph, {"type": "approve"}) == ["receipt 1"]


def test_idempotent_calls_are_made_again_unasked():
    world = World()
    world.dies = ["after"]
    graph = graph_of(external(world, idempotent=True))
    died(graph, ask(5))
    with pytest.raises(LookupError):
        graph.invoke(None, THREAD)
    assert len(world.paid) == 2


def test_finished_calls_are_answered_from_their_records(saver: str):
    world = World()
    world.dies = ["", "", "after"]
    graph = graph_of(external(world), saver)
    died(graph, ask(1, 2, 3))
    asked(graph)
    said = answered(graph, {"type": "respond", "message": "receipt 3"})
    assert sorted(said) == ["receipt 1", "receipt 2", "receipt 3"]
    assert len(set(world.paid)) == 3


async def test_async_runs_do_the_same(saver: str):
    world = World()
    graph = graph_of(external(world), saver)
    with pytest.raises(LookupError):
        await graph.ainvoke(ask(1, 2), THREAD)
    assert sorted(results(await graph.ainvoke(None, THREAD))) == ["receipt 1", "receipt 2"]
    assert len(set(world.paid)) == 2


def test_calls_that_read_have_no_key_and_are_not_recorded():
    world = World()

    @tool(effect="read")
    def pay(amount: int) -> str:
        """Look."""
        return world.pay()

    graph = graph_of(pay)
    with pytest.raises(LookupError):
        graph.invoke(ask(1), THREAD)
    assert world.paid == [None]


def test_commands_survive_a_crash_beside_them(saver: str):
    ran: list[int] = []

    @tool(effect="write")
    def pay(amount: int, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Pay."""
        ran.append(amount)
        if len(ran) == 2:
            raise Died
        said = ToolMessage(f"paid {amount}", tool_call_id=tool_call_id)
        return Command(update={"messages": [said], "notes": [f"{amount}"]})

    graph = graph_of(pay, saver, on_doubt="retry")
    died(graph, ask(1, 2))
    with pytest.raises(LookupError):
        graph.invoke(None, THREAD)
    state = graph.invoke(None, THREAD)
    assert sorted(results(state)) == ["paid 1", "paid 2"]
    assert sorted(state["notes"]) == ["1", "2"]
    assert sorted(map(ran.count, (1, 2))) == [1, 2]


def test_fork_has_other_keys():
    world = World()
    graph = graph_of(external(world))
    with pytest.raises(LookupError):
        graph.invoke(ask(1), THREAD)
    start = [each for each in graph.get_state_history(THREAD) if each.next == ("__start__",)][-1]
    fork = graph.update_state(start.config, ask(1), as_node="__start__")
    graph.invoke(None, fork)
    assert len(set(world.paid)) == 2
