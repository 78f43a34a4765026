"""Steps whose effect may have happened: nothing makes it happen twice but a person's word."""

import asyncio
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from cogwork.memory import create_checkpointer, with_state_types
from cogwork.nodes.execution import make_execute
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.recovery import FULL_LADDER
from cogwork.tools.base import tool

THREAD = {"configurable": {"thread_id": "1"}}
PAY = Step(id="pay", tool="pay", optional=True)


class State(TypedDict, total=False):
    plan: Plan
    results: dict[str, StepResult]


class Bank:
    """Pays, and says how the call went: an exception is raised, `hang` never answers."""

    def __init__(self, *goes: Any):
        self.goes = list(goes)
        self.paid: list[str] = []
        self.called = asyncio.Event()

        @tool(effect="external")
        async def pay() -> Any:
            """Pay."""
            return await self.answer("pay")

        @tool(effect="external")
        async def wire() -> Any:
            """Pay in another way."""
            return await self.answer("wire")

        self.tools = [pay, wire]

    async def answer(self, name: str) -> Any:
        self.paid.append(name)
        go = self.goes.pop(0) if self.goes else "paid"
        if isinstance(go, Exception):
            raise go
        if go == "hang":
            self.called.set()
            await asyncio.Event().wait()
        return go

    def graph(self, **options: Any) -> Any:
        builder = StateGraph(State)
        builder.add_node("execute", make_execute(self.tools, **options))
        builder.add_edge(START, "execute")
        return builder.compile(
            checkpointer=with_state_types(create_checkpointer("memory://"), State)
        )

    async def cut_off(self, graph: Any, given: Any) -> None:
        """Run the graph until it has paid, and break it off there."""
        self.called.clear()
        running = asyncio.create_task(graph.ainvoke(given, THREAD))
        await self.called.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


def questions(asked: Any) -> list[tuple[str, str]]:
    (interrupt,) = asked["__interrupt__"]
    return [(each["key"], each["question"]["type"]) for each in interrupt.value["questions"]]


async def start(graph: Any, *steps: Step) -> Any:
    return await graph.ainvoke({"plan": Plan(steps=steps or (PAY,))}, THREAD)


LOST = ConnectionError("the line broke after sending")


async def test_call_whose_answer_was_lost_is_asked_about_and_no_rung_is_taken():
    bank = Bank(LOST)
    graph = bank.graph(ladder=FULL_LADDER, alternatives={"pay": ["wire"]})
    assert questions(await start(graph)) == [("pay", "in_doubt")]
    assert questions(await graph.ainvoke(None, THREAD)) == [("pay", "in_doubt")]
    assert bank.paid == ["pay"]
    given = {"action": "result", "result": "receipt 7"}
    done = (await graph.ainvoke(Command(resume=given), THREAD))["results"]["pay"]
    assert (done.status, done.result, done.uncertain) == ("completed", "receipt 7", False)
    assert bank.paid == ["pay"]


async def test_call_that_failed_for_sure_takes_the_ladder():
    bank = Bank(ValueError("no such account"))
    found = await start(bank.graph(alternatives={"pay": ["wire"]}))
    assert (found["results"]["pay"].result, bank.paid) == ("paid", ["pay", "wire"])


@pytest.mark.parametrize(
    ("on_doubt", "status", "paid"),
    [("fail", "failed", ["pay"]), ("retry", "completed", ["pay", "pay"])],
)
async def test_what_is_done_in_doubt_can_be_said_beforehand(on_doubt, status, paid):
    bank = Bank(LOST)
    graph = bank.graph(ladder=FULL_LADDER, alternatives={"pay": ["wire"]}, on_doubt=on_doubt)
    result = (await start(graph))["results"]["pay"]
    assert (result.status, result.uncertain) == (status, status == "failed")
    assert bank.paid == paid


@pytest.mark.parametrize("known", ["receipt 7", None])
async def test_the_tool_is_asked_before_a_person(known):
    bank = Bank(LOST)

    async def probe(args: Any, key: str) -> Any:
        assert (args, len(key)) == ({}, 32)
        return known

    bank.tools[0].probe = probe
    result = (await start(bank.graph()))["results"]["pay"]
    assert (result.status, result.result) == ("completed", known or "paid")
    assert bank.paid == (["pay"] if known else ["pay", "pay"])


@pytest.mark.parametrize("result", [object(), {"lock": asyncio.Lock()}, lambda: 1])
async def test_result_that_no_checkpoint_can_hold_is_kept_as_text_of_one_call(result):
    bank = Bank(result)
    found = (await start(bank.graph(ladder=FULL_LADDER)))["results"]["pay"]
    assert (found.status, bank.paid) == ("completed", ["pay"])
    assert found.result == str(result)


async def test_cut_off_fallback_is_asked_about_and_the_first_way_is_not_taken_again():
    bank = Bank(ValueError("no such account"), "hang")
    graph = bank.graph(alternatives={"pay": ["wire"]})
    await bank.cut_off(graph, {"plan": Plan(steps=[PAY])})
    assert questions(await graph.ainvoke(None, THREAD)) == [("pay", "in_doubt")]
    done = await graph.ainvoke(Command(resume="retry"), THREAD)
    assert (done["results"]["pay"].result, bank.paid) == ("paid", ["pay", "wire", "wire"])
    assert done["results"]["pay"].rung == "fallback"


async def test_answer_about_one_call_is_none_about_the_next():
    bank = Bank("hang", "hang")
    graph = bank.graph()
    await bank.cut_off(graph, {"plan": Plan(steps=[PAY])})
    assert questions(await graph.ainvoke(None, THREAD)) == [("pay", "in_doubt")]
    await bank.cut_off(graph, Command(resume="retry"))
    for _ in range(3):  # resumed without an answer
        assert questions(await graph.ainvoke(None, THREAD)) == [("pay", "in_doubt")]
    assert bank.paid == ["pay", "pay"]
    done = await graph.ainvoke(Command(resume="retry"), THREAD)
    assert (done["results"]["pay"].result, bank.paid) == ("paid", ["pay"] * 3)


async def test_answer_is_none_about_the_next_call_in_a_nested_graph_either():
    bank = Bank("hang", "hang")
    outer = StateGraph(State)
    outer.add_node("inner", bank.graph().builder.compile())
    outer.add_edge(START, "inner")
    graph = outer.compile(checkpointer=with_state_types(create_checkpointer("memory://"), State))
    await bank.cut_off(graph, {"plan": Plan(steps=[PAY])})
    await graph.ainvoke(None, THREAD)
    await bank.cut_off(graph, Command(resume="retry"))
    for _ in range(3):
        assert questions(await graph.ainvoke(None, THREAD)) == [("pay", "in_doubt")]
    assert bank.paid == ["pay", "pay"]


async def test_part_that_may_have_happened_leaves_the_whole_step_uncertain():
    bank = Bank(ValueError("no such account"), LOST)

    async def split(step: Step, reason: str) -> Plan:
        return Plan(steps=[Step(id="wire", tool="wire")])

    graph = bank.graph(ladder=FULL_LADDER[-2:], recompose=split, on_doubt="fail")
    asked = await start(graph)
    assert questions(asked) == [("pay", "step_failed")]
    done = (await graph.ainvoke(Command(resume="fail"), THREAD))["results"]["pay"]
    assert (done.status, done.uncertain, bank.paid) == ("failed", True, ["pay", "wire"])
