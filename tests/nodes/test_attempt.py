"""A free step whose agent gives up fails, so that the ladder can help."""

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from scripted import ScriptedChatModel, calls
from typing_extensions import TypedDict

from cogwork.graphs.plan_execute import create_plan_execute_agent
from cogwork.graphs.react import create_react_agent
from cogwork.nodes.execution import make_execute
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.tools.base import tool


class State(TypedDict, total=False):
    plan: Plan
    results: dict[str, StepResult]


@tool(effect="read")
def look() -> str:
    """Look."""
    return "nothing yet"


async def run(*steps: Step, **options) -> dict[str, StepResult]:
    builder = StateGraph(State)
    builder.add_node("execute", make_execute(**options))
    builder.add_edge(START, "execute")
    config: RunnableConfig = {"configurable": {"thread_id": "1"}}
    graph = builder.compile(checkpointer=InMemorySaver())
    return (await graph.ainvoke({"plan": Plan(steps=steps)}, config))["results"]


def restless():
    """An agent that never comes to an end."""
    model = ScriptedChatModel(script=[calls(("look", {})), "I only looked"])
    return create_react_agent(model, [look], max_steps=1)


def saying(output):
    return RunnableLambda(lambda _: output)


async def test_an_agent_that_was_stopped_has_not_done_its_step():
    steps = Step(id="a", description="Find it"), Step(id="b", description="x", depends_on=["a"])
    found = await run(*steps, agent=restless())
    assert (found["a"].status, found["b"].status) == ("failed", "blocked")
    assert found["a"].error == "the agent stopped with 'step_limit': I only looked"


async def test_another_agent_takes_the_place_of_one_that_gave_up():
    other = create_react_agent(ScriptedChatModel(script=["found"]))
    found = await run(
        Step(id="a", description="Find it"), agent=restless(), alternatives={"a": [other]}
    )
    assert (found["a"].status, found["a"].result, found["a"].rung) == (
        "completed",
        "found",
        "fallback",
    )


async def test_a_refusal_is_no_result():
    refused = AIMessage("I won't", additional_kwargs={"refusal": "I won't"})
    found = await run(
        Step(id="a", description="Do it", optional=True), agent=saying({"messages": [refused]})
    )
    assert (found["a"].status, found["a"].error) == (
        "skipped",
        "the agent gave no answer: I won't",
    )


@pytest.mark.parametrize(
    ("output", "result"),
    [
        ({"messages": [AIMessage("done")], "stop_reason": "answered"}, "done"),
        ({"messages": [AIMessage("done")], "stop_reason": None}, "done"),
        ({"structured_response": 3, "stop_reason": "answered"}, 3),
        ("plain", "plain"),
    ],
)
async def test_an_answer_is_the_result(output, result):
    found = await run(Step(id="a", description="Do it"), agent=saying(output))
    assert (found["a"].status, found["a"].result) == ("completed", result)


async def test_what_the_offline_model_cannot_answer_is_not_completed():
    steps = [Step(id="a", description="What is the capital of Peru?")]

    async def planner(request, config):
        return Plan(goal=request.goal, steps=steps)

    graph = create_plan_execute_agent("offline", planner=planner, max_replans=0)
    done = await graph.ainvoke({"messages": "What is the capital of Peru?"})
    assert done["stop_reason"] == "incomplete"
    assert done["results"]["a"].status == "failed"
    assert "I can't answer" in done["results"]["a"].error
