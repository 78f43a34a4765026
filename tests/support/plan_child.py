"""Runs of a plan, to be killed at any moment (see `forks`).

A run goes on from its thread's checkpoint, or begins. What it does is appended to a log:
`run <step>` when a step's tool begins, `seen <step>` when the plan has seen it finished,
`doubt <step>` when a person is asked about it, and at last `result <json>`.
"""

import asyncio
import json
import random
from typing import Any

import langgraph.checkpoint.postgres  # noqa: F401 - else most kills would hit its import
import psycopg_pool  # noqa: F401 - likewise
from forks import say, serve
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy
from typing_extensions import TypedDict

from cogwork.memory import create_checkpointer, with_state_types
from cogwork.nodes.execution import make_execute
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.tools.base import tool


class State(TypedDict, total=False):
    plan: Plan
    results: dict[str, StepResult]


def random_plan(seed: int) -> Plan:
    """A plan of 6 to 12 steps; every third has an effect."""
    chance = random.Random(seed)
    steps = []
    for number in range(chance.randint(6, 12)):
        before = [f"s{n}" for n in range(number) if chance.random() < 2 / (number + 1)]
        args = {"name": f"s{number}", "given": [f"{{{key}.result}}" for key in before]}
        kind = "send" if number % 3 == 2 else "look"
        steps.append(Step(id=f"s{number}", tool=kind, args=args, depends_on=tuple(before)))
    return Plan(steps=tuple(chance.sample(steps, len(steps))))


def value_of(name: str, given: list[str]) -> str:
    return f"{name}({','.join(given)})"


def expected(plan: Plan) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in plan.order:
        found[key] = value_of(key, [found[before] for before in plan[key].depends_on])
    return found


def build(job: dict[str, Any]) -> Any:
    stumbled = []

    async def work(name: str, given: list[str]) -> str:
        say(job["log"], "run", name)
        await asyncio.sleep(random.uniform(0.0005, 0.004))
        return value_of(name, given)

    @tool(effect="read")
    async def look(name: str, given: list[str]) -> str:
        """Look."""
        return await work(name, given)

    @tool(effect="external")
    async def send(name: str, given: list[str]) -> str:
        """Send."""
        return await work(name, given)

    execute = make_execute([look, send], max_concurrency=4)

    async def stumble(state: State, config: RunnableConfig) -> Any:
        done = await execute.ainvoke(state, config)
        if job["retried"] and not stumbled:
            stumbled.append(1)
            raise ConnectionError("the node fails after its steps, and is retried")
        return done

    builder = StateGraph(State)
    builder.add_node(
        "execute",
        stumble if job["how"] == "async" else execute,
        retry_policy=RetryPolicy(initial_interval=0.001, jitter=False),
    )
    builder.add_edge(START, "execute")
    if job["nested"]:
        outer = StateGraph(State)
        outer.add_node("inner", builder.compile())
        outer.add_edge(START, "inner")
        builder = outer
    return builder.compile(checkpointer=with_state_types(create_checkpointer(job["url"]), State))


def run(job: dict[str, Any]) -> None:
    plan = random_plan(job["seed"])
    right = expected(plan)
    graph = build(job)
    config = {"configurable": {"thread_id": job["thread"]}}
    given: Any = None if graph.get_state(config).created_at else {"plan": plan}
    random.seed()
    while True:
        options = {"stream_mode": "custom", "subgraphs": True, "durability": job["durability"]}
        if job["how"] == "sync":
            events = graph.stream(given, config, **options)
            for _, event in events:
                note(job["log"], event)
        else:
            asyncio.run(follow(graph.astream(given, config, **options), job["log"]))
        asked = graph.get_state(config).interrupts
        if not asked:
            break
        for each in asked[0].value["questions"]:
            assert each["question"]["type"] == "in_doubt", each
            say(job["log"], "doubt", each["step"])
        given = Command(
            resume={
                each["key"]: {"action": "result", "result": right[each["step"]]}
                for each in asked[0].value["questions"]
            }
        )
    results = graph.get_state(config).values["results"]
    found = {key: one.result for key, one in results.items()}
    say(job["log"], "result", json.dumps({"right": found == right}))


async def follow(events: Any, log: str) -> None:
    async for _, event in events:
        note(log, event)


def note(log: str, event: dict[str, Any]) -> None:
    if event.get("event") == "finished":
        say(log, "seen", event["step"])


if __name__ == "__main__":
    serve(run)
