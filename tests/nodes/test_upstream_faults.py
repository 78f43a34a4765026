"""Two faults of LangGraph that lose or repeat work, and that nothing here inherits.

The first test of each pair pins the fault. When it fails, LangGraph has mended it.
"""

import operator
import threading
from typing import Annotated, Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from cogwork.core.journal import Journal
from cogwork.graphs.state_machine import Machine, MachineState, Transition, create_state_machine
from cogwork.memory import with_state_types
from cogwork.nodes.decision import Decision, make_decide, route_after_decide
from cogwork.nodes.execution import make_execute
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.ranking import Options, Ranked
from cogwork.nodes.recovery import Rung
from cogwork.tools.base import tool

THREAD: RunnableConfig = {"configurable": {"thread_id": "1"}}


class Log(TypedDict):
    log: Annotated[list[str], operator.add]


class DecisionLog(Log):
    decision: Decision


class Planned(TypedDict, total=False):
    plan: Plan
    results: dict[str, StepResult]


class Once:
    """Fails the first time."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == 1:
            raise LookupError("once")


def by_value(options: Options) -> list[Ranked]:
    best = sorted(options, key=lambda name: -options[name]["value"])
    return [Ranked(name, options[name]["value"], rank) for rank, name in enumerate(best, 1)]


def resumed(graph: Any, given: Any) -> Any:
    """Run into the one failure, and go on."""
    with pytest.raises(LookupError, match="once"):
        graph.invoke(given, THREAD)
    return graph.invoke(None, THREAD)


# ---- a router that raises once: langgraph#8834 --------------------------------------------------


def test_stock_router_that_raises_once_makes_a_resume_skip_the_rest():
    once = Once()

    def route(state: Log) -> str:
        once()
        return "b"

    builder = StateGraph(Log)
    builder.add_node("a", lambda _: {"log": ["a"]})
    builder.add_node("b", lambda _: {"log": ["b"]})
    builder.add_edge(START, "a")
    builder.add_conditional_edges("a", route, ["b"])
    assert resumed(builder.compile(InMemorySaver()), {"log": []}) == {"log": ["a"]}


def test_guard_that_raises_once_is_asked_again():
    once = Once()

    def guard(state: MachineState) -> bool:
        once()
        return True

    machine = Machine(
        initial="new",
        states=["new", "paid", "sent"],
        final=["sent"],
        transitions=[
            Transition("new", "paid", on="pay", guard=guard),
            Transition("paid", "sent", on="send"),
        ],
    )
    graph = create_state_machine(machine, checkpointer=InMemorySaver())
    assert resumed(graph, {"events": ["pay", "send"]})["state"] == "sent"
    assert once.calls == 2


def test_decision_that_raises_once_is_made_again():
    once = Once()

    def options(state: Any) -> Options:
        once()
        return {"a": {"value": 1}, "b": {"value": 2}}

    builder = StateGraph(DecisionLog)
    builder.add_node("decide", make_decide(by_value, options=options))
    builder.add_node("a", lambda _: {"log": ["a"]})
    builder.add_node("b", lambda _: {"log": ["b"]})
    builder.add_edge(START, "decide")
    builder.add_conditional_edges("decide", route_after_decide, ["a", "b"])
    assert resumed(builder.compile(InMemorySaver()), {"log": []})["log"] == ["b"]


# ---- an error handler that runs twice: langgraph#9002 -------------------------------------------


def handled(handler: Any) -> Any:
    """A graph in which one branch fails and is handled, before another fails once."""
    once, is_handled = Once(), threading.Event()

    def fail(_: Log) -> Log:
        raise ValueError("a fault")

    def handle(state: Log, config: RunnableConfig) -> Log:
        try:
            return handler(state, config)
        finally:
            is_handled.set()

    def beside(_: Log) -> Log:
        assert is_handled.wait(10)
        once()
        return {"log": ["beside"]}

    builder = StateGraph(Log)
    builder.add_node("fail", fail, error_handler=handle)
    builder.add_node("beside", beside)
    builder.add_edge(START, "fail")
    builder.add_edge(START, "beside")
    return builder.compile(InMemorySaver())


def test_stock_error_handler_runs_twice():
    refunds: list[str] = []

    def refund(_: Log, config: RunnableConfig) -> Log:
        refunds.append("refund")
        return {"log": ["refund"]}

    assert sorted(resumed(handled(refund), {"log": []})["log"]) == ["beside", "refund"]
    assert refunds == ["refund", "refund"]


def test_keyed_steps_make_its_effect_happen_once():
    refunds: list[str] = []

    def refund(_: Log, config: RunnableConfig) -> Log:
        Journal(config).step_sync("refund", refunds.append, "refund", effect="external")
        return {"log": ["refund"]}

    assert sorted(resumed(handled(refund), {"log": []})["log"]) == ["beside", "refund"]
    assert refunds == ["refund"]


@pytest.mark.parametrize("rung", [Rung("fallback"), Rung("recompose")])
async def test_rung_that_was_taken_is_not_taken_again(rung: Rung):
    log: list[str] = []

    @tool(effect="external")
    def fail() -> str:
        """Fail."""
        log.append("fail")
        raise ValueError("a fault")

    @tool(effect="external")
    def repair() -> str:
        """Repair it."""
        log.append("repair")
        return "repaired"

    @tool(effect="read")
    def ask() -> str:
        """Ask a person."""
        return str(interrupt("and now?"))

    async def split(step: Step, reason: str) -> Plan:
        log.append("split")
        return Plan(steps=[Step(id="part", tool="repair")])

    execute = make_execute(
        [fail, repair, ask], ladder=[rung], recompose=split, alternatives={"fail": [repair]}
    )
    builder = StateGraph(Planned)
    builder.add_node("execute", execute)
    builder.add_edge(START, "execute")
    graph = builder.compile(with_state_types(InMemorySaver(), Planned))
    plan = Plan(steps=[Step(id="a", tool="fail"), Step(id="b", tool="ask")])
    await graph.ainvoke({"plan": plan, "results": {}}, THREAD)
    once = list(log)
    done = await graph.ainvoke(Command(resume="go on"), THREAD)
    assert (done["results"]["a"].result, done["results"]["b"].result) == ("repaired", "go on")
    assert log == once
    assert log.count("repair") == 1
