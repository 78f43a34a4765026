import sqlite3

import httpx
import pytest
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from prometheus_client import CollectorRegistry
from scripted import ScriptedChatModel, calls

from cogwork.core.breaker import CircuitBreaker
from cogwork.core.budget import Budget
from cogwork.core.budget_runs import with_budget
from cogwork.core.errors import BudgetError
from cogwork.core.metrics import Metrics
from cogwork.core.watching import WatchedCall
from cogwork.graphs import create_plan_execute_agent, create_react_agent
from cogwork.tools import load_tools, tool
from cogwork.tools.caching import ToolCache


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(name, labels)


@pytest.mark.parametrize("is_async", [False, True])
async def test_nodes_tools_models_and_tokens_are_counted(is_async):
    metrics = Metrics()
    model = ScriptedChatModel(
        script=[calls(("calculator", {"expression": "6 * 7"}), ("nothing", {})), "42"]
    )
    agent = create_react_agent(model, load_tools(["calculator"]))
    config = {"callbacks": [metrics.callback]}
    asked = {"messages": "What is 6 * 7?"}
    _ = await agent.ainvoke(asked, config) if is_async else agent.invoke(asked, config)
    assert value(metrics, "agent_node_seconds_count", node="think") == 2
    assert value(metrics, "agent_node_seconds_count", node="act") == 2
    assert value(metrics, "agent_tool_calls_total", tool="calculator", status="ok") == 1
    assert value(metrics, "agent_model_calls_total", model="ScriptedChatModel", status="ok") == 2
    assert value(metrics, "agent_model_tokens_total", model="ScriptedChatModel", kind="input") >= 10


def test_failures_and_questions_are_told_apart():
    @tool(effect="read", retry=None)
    def fail() -> str:
        """Fail."""
        raise ValueError("no")

    @tool(effect="read")
    def ask() -> str:
        """Ask."""
        return str(interrupt("which?"))

    metrics = Metrics()
    model = ScriptedChatModel(script=[calls(("fail", {}), ("ask", {})), ValueError("down")])
    graph = create_react_agent(model, [fail, ask])
    graph.invoke({"messages": "go"}, {"callbacks": [metrics.callback]})
    assert value(metrics, "agent_tool_calls_total", tool="fail", status="error") == 1
    assert value(metrics, "agent_tool_calls_total", tool="ask", status="asked") == 1


@pytest.mark.parametrize("given", ["with the budget", "with both"])
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_budget_s_handler_counts_for_metrics_too_and_nothing_twice(given, is_async):
    metrics = Metrics()
    model = ScriptedChatModel(
        script=[calls(("calculator", {"expression": "6 * 7"}), ("nothing", {})), "42"]
    )
    agent = create_react_agent(model, load_tools(["calculator"]))
    agent = with_budget(agent, Budget(max_model_calls=2), also=metrics.callback)
    config = {"callbacks": [metrics.callback] if given == "with both" else []}
    asked = {"messages": "What is 6 * 7?"}
    _ = await agent.ainvoke(asked, config) if is_async else agent.invoke(asked, config)
    assert value(metrics, "agent_node_seconds_count", node="think") == 2
    assert value(metrics, "agent_tool_calls_total", tool="calculator", status="ok") == 1
    assert value(metrics, "agent_model_calls_total", model="ScriptedChatModel", status="ok") == 2
    assert value(metrics, "agent_model_seconds_count", model="ScriptedChatModel") == 2


def test_what_a_budget_refuses_was_not_called():
    metrics = Metrics()
    agent = create_react_agent(
        ScriptedChatModel(script=[calls(("calculator", {"expression": "6 * 7"}))]),
        load_tools(["calculator"]),
    )
    limits = Budget(max_tool_calls=0)
    with pytest.raises(BudgetError):
        with_budget(agent, limits).invoke({"messages": "go"}, {"callbacks": [metrics.callback]})
    assert value(metrics, "agent_tool_calls_total", tool="calculator", status="ok") is None
    assert value(metrics, "agent_node_seconds_count", node="act") == 1


def test_durations_stand_in_the_buckets_of_prometheus():
    metrics, call = Metrics(), WatchedCall("look", {})
    call.made = True
    for call.seconds in (0.005, 0.0051, 4_000.0):
        metrics.callback.tool_ends(call, None)
    found = {
        bound: value(metrics, "agent_tool_seconds_bucket", tool="look", le=bound)
        for bound in ("0.005", "0.01", "1800.0", "+Inf")
    }
    assert found == {"0.005": 1, "0.01": 2, "1800.0": 2, "+Inf": 3}
    assert value(metrics, "agent_tool_seconds_sum", tool="look") == pytest.approx(4_000.0101)


def test_any_graph_can_be_counted_and_parts_of_nodes_are_not_nodes():
    metrics = Metrics()
    inner = create_plan_execute_agent("offline", load_tools(["calculator"]))
    builder = StateGraph(MessagesState)
    builder.add_node("inner", inner)
    builder.add_edge(START, "inner")
    builder.compile().invoke(
        {"messages": "Compute 6 * 7, and compute 10 / 4"}, {"callbacks": [metrics.callback]}
    )
    nodes = {
        sample.labels["node"]: sample.value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "agent_node_seconds_count"
    }
    assert nodes == {"plan": 1, "execute": 1, "review": 1, "synthesize": 1, "inner": 1}


def test_nothing_of_what_was_said_is_in_the_metrics():
    metrics = Metrics()
    agent = create_react_agent("offline", load_tools(["calculator"]))
    agent.invoke({"messages": "What is 612 * 7?"}, {"callbacks": [metrics.callback]})
    assert "612" not in metrics.text()


def test_prometheus_is_answered_on_this_machine():
    metrics = Metrics()
    metrics.active_tasks.labels("plan").set(3)
    with metrics.serve(0) as port:
        said = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    assert 'agent_active_tasks{graph="plan"} 3.0' in said
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)


def test_registries_are_apart_and_one_may_be_given():
    registry = CollectorRegistry()
    assert Metrics().registry is not Metrics().registry
    assert Metrics(registry).registry is registry


def test_breakers_and_caches_that_are_watched_are_told():
    metrics = Metrics()
    breaker, cache = CircuitBreaker("search", failures=1), ToolCache()
    metrics.watch_breaker(breaker)
    metrics.watch_cache("tools", cache)
    assert value(metrics, "agent_breaker_state", breaker="search") == 0
    with pytest.raises(ConnectionError), breaker.guard():
        raise ConnectionError
    (calculator,) = map(cache.wrap, load_tools(["calculator"]))
    for _ in range(3):
        calculator.invoke({"expression": "6 * 7"})
    assert value(metrics, "agent_breaker_state", breaker="search") == 2
    assert value(metrics, "agent_cache_reads_total", cache="tools", result="hits") == 2
    assert value(metrics, "agent_cache_reads_total", cache="tools", result="misses") == 1


def test_what_cannot_be_read_leaves_the_other_figures(tmp_path):
    metrics = Metrics()
    metrics.watch_breaker(CircuitBreaker("away", url="postgresql://nobody@127.0.0.1:1/none"))
    broken, sound = tmp_path / "broken.db", ToolCache()
    cache = ToolCache(url=f"sqlite:///{broken}")
    metrics.watch_cache("broken", cache)
    metrics.watch_cache("sound", sound)
    with sqlite3.connect(broken) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        for (name,) in tables.fetchall():
            connection.execute(f'DROP TABLE "{name}"')
    connection.close()

    text = metrics.text()

    assert 'agent_breaker_state{breaker="away"} NaN' in text
    assert 'agent_cache_reads_total{cache="sound",result="hits"} 0.0' in text
    assert 'cache="broken"' not in text
    cache.close()


def test_confidence_is_told_where_somebody_observes_it_and_all_names_are_there():
    metrics = Metrics()
    metrics.confidence.labels("vote").observe(0.8)
    assert value(metrics, "agent_reasoning_confidence_sum", source="vote") == 0.8
    assert value(metrics, "agent_reasoning_confidence_bucket", source="vote", le="0.7") == 0
    assert value(metrics, "agent_reasoning_confidence_bucket", source="vote", le="0.8") == 1
    told = metrics.text()
    for name in (
        *("agent_task_duration_seconds", "agent_active_tasks", "agent_tool_calls_total"),
        *("agent_model_tokens_total", "agent_model_cost_dollars_total", "agent_node_seconds"),
        *("agent_breaker_state", "agent_cache_reads_total", "agent_task_alerts_total"),
    ):
        assert f"# TYPE {name} " in told
