"""Budgets reach every model and tool of a run, wherever they are called."""

import asyncio
import operator
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt
from scripted import ScriptedChatModel, calls
from typing_extensions import TypedDict

from cogwork import create_react_agent
from cogwork import tool as cogwork_tool
from cogwork.core.bridge import in_thread, node, run_blocking
from cogwork.core.budget import Budget, Spent
from cogwork.core.budget_middleware import budget_middleware
from cogwork.core.budget_runs import current_ledger, open_budget, with_budget
from cogwork.core.errors import BudgetError
from cogwork.memory import create_checkpointer

pytestmark = pytest.mark.filterwarnings("ignore:.*create_react_agent.*:DeprecationWarning")


class State(TypedDict):
    out: Annotated[list[int], operator.add]


def talker(say="hello"):
    return ScriptedChatModel(script=[say], forever=True)


def answer(tokens_in=30, tokens_out=20):
    usage = {
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
    }
    return AIMessage("hello", usage_metadata=usage)


def fan_out(branch, width=100):
    builder = StateGraph(State)
    builder.add_node("branch", branch)
    builder.add_conditional_edges(START, lambda _: [Send("branch", {"out": []})] * width)
    return builder.compile()


def one_node(step, **compiled):
    builder = StateGraph(State)
    builder.add_node("step", step)
    builder.add_edge(START, "step")
    return builder.compile(**compiled)


def test_a_hundred_parallel_branches_make_the_fifty_calls_they_may():
    model = talker()

    def branch(state):
        try:
            model.invoke("hi")
        except BudgetError:
            return {"out": []}
        return {"out": [1]}

    result = with_budget(fan_out(branch), Budget(max_model_calls=50)).invoke({"out": []})
    assert len(result["out"]) == len(model.sent) == 50


async def test_a_hundred_async_branches_make_the_fifty_calls_they_may():
    model = talker()

    async def branch(state):
        try:
            await model.ainvoke("hi")
        except BudgetError:
            return {"out": []}
        return {"out": [1]}

    graph = with_budget(fan_out(branch), Budget(max_model_calls=50))
    for _ in range(2):  # each run has its own
        model.sent.clear()
        result = await graph.ainvoke({"out": []})
        assert len(result["out"]) == len(model.sent) == 50


def subagent_of(model):
    """A tool that runs an agent, which would go on for ever."""

    @tool
    def look(question: str) -> str:
        """Look into it."""
        return str(create_react_agent(model, [step], max_steps=30).invoke({"messages": question}))

    @tool
    def step() -> str:
        """Take a step."""
        return "more"

    return look


async def asked(agent, mode):
    given = {"messages": "go"}
    return agent.invoke(given) if mode == "sync" else await agent.ainvoke(given)


@pytest.mark.parametrize("make", [create_react_agent, create_agent])
@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_the_limit_of_a_parent_binds_an_agent_inside_of_its_tool(make, mode):
    inner = ScriptedChatModel(script=[calls(("step", {}))], forever=True)
    outer = ScriptedChatModel(script=[calls(("look", {"question": "why"}))], forever=True)
    agent = with_budget(make(outer, [subagent_of(inner)]), Budget(max_model_calls=3))
    with pytest.raises(BudgetError, match="allows 3 model calls: 3 spent"):
        await asked(agent, mode)
    assert len(outer.sent) + len(inner.sent) == 3


async def ways(model: ScriptedChatModel, config: RunnableConfig) -> None:
    """Call the model in every way that code in a node may find."""
    await model.ainvoke("with nothing")
    await model.ainvoke("with the config", config)
    await model.ainvoke("with callbacks of its own", {"callbacks": []})
    await asyncio.gather(model.ainvoke("in a task"), asyncio.to_thread(model.invoke, "in a thread"))
    await in_thread(5, model.invoke, "in a thread of the bridge")
    await in_thread(5, run_blocking, model.ainvoke, "on the background loop")
    with ThreadPoolExecutor() as pool:  # handed the config, or the context
        pool.submit(model.invoke, "in a pool", config).result()
        pool.submit(copy_context().run, model.invoke, "in a pool").result()
    async for _ in model.astream("streamed"):
        pass
    await model.abatch(["one", "two"])
    await one_node(lambda state: {"out": [len(model.invoke("nested").text)]}).ainvoke({"out": []})


async def test_every_way_of_calling_a_model_inside_of_a_node_is_counted():
    model = talker()

    @node(loop=True)
    async def step(state, config):
        await ways(model, config)
        return {"out": [current_ledger().spent.model_calls]}

    graph = with_budget(one_node(step), Budget(max_model_calls=100))
    assert (await graph.ainvoke({"out": []}))["out"] == [len(model.sent)]
    assert graph.invoke({"out": []})["out"] == [len(model.sent) / 2]


def test_tasks_of_the_functional_api_are_counted():
    model = talker()

    @task
    def ask(question: str) -> str:
        return model.invoke(question).text

    @entrypoint()
    def flow(width: int) -> list[str]:
        return [each.result() for each in [ask("hi") for _ in range(width)]]

    limited = with_budget(flow, Budget(max_model_calls=4))
    assert len(limited.invoke(4)) == 4
    with pytest.raises(BudgetError):
        limited.invoke(5)


def test_the_budget_of_a_child_stands_within_that_of_its_parent():
    model = talker()
    child = with_budget(
        one_node(lambda state: {"out": [len(model.invoke("hi").text)]}),
        Budget(max_model_calls=30),
        name="child",
    )

    def loop(state):
        for _ in range(30):
            child.invoke({"out": []})
        return {"out": []}

    with pytest.raises(BudgetError, match="of the parent allows 3 model calls"):
        with_budget(one_node(loop), Budget(max_model_calls=3), name="parent").invoke({"out": []})
    assert len(model.sent) == 3


def test_a_child_is_held_to_the_part_that_it_is_given():
    model = talker()
    with open_budget(Budget(max_model_calls=10), name="parent") as parent:
        with open_budget(parent.left.part(0.3), name="child"):
            for _ in range(3):
                model.invoke("hi")
            with pytest.raises(BudgetError, match="of the child allows 3"):
                model.invoke("hi")
        model.invoke("hi")
    assert parent.spent.model_calls == 4
    assert current_ledger() is None
    model.invoke("without a budget")


async def test_usage_settles_what_was_reserved_also_of_a_stream():
    model = talker(answer(30, 20))
    with open_budget(Budget(max_tokens=1_200)) as ledger:
        model.invoke("hi")
        assert ledger.spent.tokens == 50
        async for _ in model.astream("hi"):
            assert ledger.committed.tokens > 1_000  # what an answer may take
        assert ledger.committed.tokens == 100
        with pytest.raises(BudgetError, match="allows 1200 tokens: 100 spent"):
            model.invoke("a long question " * 100)


def test_a_model_that_names_its_longest_answer_reserves_no_more():
    model = talker(answer(5, 5)).bind(max_tokens=10)
    with open_budget(Budget(max_tokens=30)) as ledger:
        model.invoke("hi")
    assert ledger.spent.tokens == 10


def test_a_model_that_tells_no_usage_is_estimated():
    with open_budget(Budget(max_tokens=2_000)) as ledger:
        talker("x" * 400).invoke("y" * 400)
    assert 190 <= ledger.spent.tokens <= 230


def test_money_is_counted_by_the_model_that_is_called(monkeypatch):
    model = talker(answer(1_000, 100))
    monkeypatch.setattr(
        ScriptedChatModel,
        "_get_ls_params",
        lambda *_, **__: {"ls_provider": "openai", "ls_model_name": "gpt-4o"},
    )
    with open_budget(Budget(max_cost=0.015)) as ledger:
        model.invoke("hi")
        assert ledger.spent.cost == pytest.approx(0.0035)
        model.invoke("hi")
        with pytest.raises(BudgetError, match=r"allows 0\.015 dollars: 0\.007 spent"):
            model.invoke("hi")


async def test_a_call_that_fails_or_is_cancelled_gives_back_what_it_reserved():
    begun = asyncio.Event()

    class Slow(ScriptedChatModel):
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            begun.set()
            await asyncio.Event().wait()

    with open_budget(Budget(max_tokens=5_000)) as ledger:
        with pytest.raises(ValueError, match="broken"):
            await ScriptedChatModel(script=[ValueError("broken")]).ainvoke("hi")
        running = asyncio.create_task(Slow(script=[]).ainvoke("hi"))
        await begun.wait()
        assert ledger.committed.tokens > 1_000
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.sleep(0)
    assert (ledger.committed.tokens, ledger.committed.model_calls) == (0, 2)


def test_a_stream_that_is_left_counts_what_came():
    with open_budget(Budget(max_tokens=5_000)) as ledger:
        stream = talker("word " * 40).stream("hi")
        for _ in range(9):
            next(stream)
        stream.close()
    assert 5 < ledger.committed.tokens < 40


@pytest.mark.parametrize("make", [tool, cogwork_tool(effect="read", retry=None)])
def test_a_tool_is_counted_in_the_budget_of_a_child_too(make):
    @make
    def look(question: str) -> str:
        """Look it up."""
        return question

    def step(state, config: RunnableConfig):
        with open_budget(Budget(max_tool_calls=1), name="child"):
            look.invoke({"question": "a"}, config)
            look.invoke({"question": "a"}, config)

    graph = with_budget(one_node(step), Budget(max_tool_calls=5), on_warning=print)
    with pytest.raises(BudgetError, match="of the child allows 1 tool call: 1 spent"):
        graph.invoke({"out": []})


def test_a_warning_is_told_and_streamed():
    model, told = talker(), []
    graph = with_budget(
        fan_out(lambda state: {"out": [len(model.invoke("hi").text)]}, 4),
        Budget(max_model_calls=5),
        on_warning=told.append,
    )
    (event,) = graph.stream({"out": []}, stream_mode="custom")
    assert event == told[0].event()
    assert event["event"] == "budget_warning"
    assert (event["limit"], event["of"], event["spent"]) == ("max_model_calls", 5, 4)


def test_what_reads_a_stream_is_not_in_the_run_that_it_reads():
    model = talker()
    graph = with_budget(
        one_node(lambda state: {"out": [len(model.invoke("hi").text)]}), Budget(max_model_calls=1)
    )
    for _ in graph.stream({"out": []}, stream_mode=["updates", "values"]):
        assert current_ledger() is None
        model.invoke("not of the graph")


def test_streams_of_tokens_are_held_to_the_budget_too():
    agent = with_budget(create_react_agent(talker()), Budget(max_model_calls=0))
    with pytest.raises(BudgetError):
        [*agent.stream({"messages": "go"}, stream_mode="messages")]


def test_a_graph_with_a_budget_is_a_graph():
    model = talker()
    agent = with_budget(create_react_agent(model), Budget(max_model_calls=2)).with_config(
        tags=["x"]
    )
    outer = StateGraph(State)
    outer.add_node("agent", lambda state: {"out": [len(agent.batch([{"messages": "a"}] * 2))]})
    outer.add_edge(START, "agent")
    assert outer.compile().invoke({"out": []})["out"] == [2]
    assert agent.get_graph().draw_mermaid() == create_react_agent(model).get_graph().draw_mermaid()


def test_a_thread_that_is_handed_nothing_is_not_counted():
    """What the documents say: pass the config, or the context."""
    model = talker()
    with open_budget(Budget(max_model_calls=0)):
        outside = threading.Thread(target=model.invoke, args=("hi",))
        outside.start()
        outside.join()
    assert len(model.sent) == 1


def test_what_was_spent_before_counts():
    before = Spent(model_calls=2)
    with open_budget(Budget(max_model_calls=2), spent=before), pytest.raises(BudgetError):
        talker().invoke("hi")


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_a_middleware_holds_an_agent_and_those_inside_of_its_tools(mode):
    inner = ScriptedChatModel(script=[calls(("step", {}))], forever=True)
    outer = ScriptedChatModel(
        script=[calls(("look", {"question": "why"}), turn=n) for n in range(9)], forever=True
    )
    limits = Budget(max_model_calls=3)
    agent = create_agent(outer, [subagent_of(inner)], middleware=[budget_middleware(limits)])
    for _ in range(2):  # each run has its own
        outer.sent.clear()
        inner.sent.clear()
        with pytest.raises(BudgetError, match="allows 3 model calls: 3 spent"):
            await asked(agent, mode)
        assert len(outer.sent) + len(inner.sent) == 3


def test_what_a_middleware_counted_is_part_of_the_state():
    @tool
    def ask() -> str:
        """Ask a person."""
        return interrupt("sure?")

    saver, thread = create_checkpointer("memory://"), {"configurable": {"thread_id": "1"}}

    def agent(script):
        model = ScriptedChatModel(script=script)
        limited = budget_middleware(Budget(max_model_calls=1))
        return create_agent(model, [ask], middleware=[limited], checkpointer=saver)

    agent([calls(("ask", {}))]).invoke({"messages": "go"}, thread)
    with pytest.raises(BudgetError, match="1 spent"):
        agent(["done"]).invoke(Command(resume="yes"), thread)
