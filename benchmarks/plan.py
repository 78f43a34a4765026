"""How close plans come to their critical path, and what a recorded step costs.

Makespans: random plans of 30 steps that wait 20 to 200 ms each, layered and irregular, run
as ready and in waves with `Send`, both on the same SQLite checkpointer at full durability.
CPU: steps that return at once, against bare `@task`s of LangGraph's functional API, ten at a
time in both; as LangGraph has them, on its `AsyncSqliteSaver`, and on our checkpointer. Both
synchronise every commit.

    python benchmarks/plan.py [--quick] [--json]
"""

import asyncio
import operator
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send
from measure import Figure, interleaved_async, options, report
from typing_extensions import TypedDict

from cogwork.memory import create_checkpointer, with_state_types
from cogwork.nodes.execution import make_execute
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.tools import tool

STEPS = 30
WAVES = "waves with Send"
TASK, SAME = "bare @task, LangGraph's saver", "bare @task, our saver"


class State(TypedDict, total=False):
    """Of a plan run as ready."""

    plan: Plan
    results: dict[str, StepResult]


class Waves(TypedDict, total=False):
    """Of a plan run in waves."""

    plan: Plan
    done: Annotated[dict[str, float], operator.or_]


class Sent(TypedDict):
    """What one step of a wave is sent."""

    step: str
    seconds: float


@tool(effect="read")
async def wait(seconds: float) -> float:
    """Wait, as for a model or a server."""
    await asyncio.sleep(seconds)
    return seconds


@tool(effect="read")
async def instant(seconds: float) -> float:
    """Return at once."""
    return seconds


def step(key: str, before: list[str], seconds: float, kind: str = "wait") -> Step:
    return Step(
        id=key,
        tool=kind,
        args={"seconds": seconds},
        depends_on=tuple(before),
        estimated_cost=seconds,
    )


def irregular(chance: random.Random) -> Plan:
    """Each step depends on up to three of those before it."""
    steps: list[Step] = []
    for number in range(STEPS):
        before = chance.sample(steps, min(len(steps), chance.randint(0, 3)))
        seconds = chance.uniform(0.02, 0.2)
        steps.append(step(f"s{number}", [each.id for each in before], seconds))
    return Plan(steps=tuple(steps))


def layered(chance: random.Random) -> Plan:
    """Layers of five; each step depends on one or two of the layer before."""
    steps: list[Step] = []
    for number in range(STEPS):
        layer = steps[max(number // 5 * 5 - 5, 0) : number // 5 * 5]
        before = chance.sample(layer, min(len(layer), chance.randint(1, 2)))
        seconds = chance.uniform(0.02, 0.2)
        steps.append(step(f"s{number}", [each.id for each in before], seconds))
    return Plan(steps=tuple(steps))


def as_ready(saver: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("execute", make_execute([wait, instant], max_concurrency=STEPS))
    builder.add_edge(START, "execute")
    return builder.compile(checkpointer=with_state_types(saver, State))


def in_waves(saver: Any) -> Any:
    """Each super-step runs whatever was ready at its beginning."""

    async def run(sent: Sent) -> dict[str, Any]:
        return {"done": {sent["step"]: await wait.ainvoke({"seconds": sent["seconds"]})}}

    async def advance(state: Waves) -> Command[Any]:
        done = state.get("done") or {}
        ready = [
            Send("run", {"step": each.id, "seconds": each.estimated_cost})
            for each in state["plan"].steps
            if each.id not in done and all(key in done for key in each.depends_on)
        ]
        return Command(goto=ready)

    builder = StateGraph(Waves)
    builder.add_node("advance", advance)
    builder.add_node("run", run)
    builder.add_edge(START, "advance")
    builder.add_edge("run", "advance")
    return builder.compile(checkpointer=with_state_types(saver, Waves))


async def makespans(saver: Any, plans: int) -> list[Figure]:
    chance = random.Random(7)  # noqa: S311 - the same plans every time
    ours, waves = as_ready(saver), in_waves(saver)
    ratios: dict[str, list[float]] = {}
    for number in range(plans):
        kind, make = (("layered", layered), ("irregular", irregular))[number % 2]
        plan = make(chance)
        longest = sum(plan[key].estimated_cost for key in plan.critical_path)
        for name, graph in (("cogwork", ours), (WAVES, waves)):
            thread = {"configurable": {"thread_id": f"{name} {number}"}, "recursion_limit": 99}
            started = time.perf_counter()
            await graph.ainvoke({"plan": plan}, thread, durability="sync")
            spent = time.perf_counter() - started
            ratios.setdefault(name, []).append(spent / longest)
            ratios.setdefault(f"{name}, {kind}", []).append(spent / longest)
    medians = {name: statistics.median(found) for name, found in ratios.items()}
    title = "makespan by critical path, median of"
    return [
        Figure(f"{title} {plans} plans", medians["cogwork"], 1.05, "critical path"),
        Figure(f"  the same, the worst of {plans}", max(ratios["cogwork"]), None, "critical path"),
        *(
            Figure(f"  {name}", medians[name], None, "critical path")
            for name in sorted(medians)
            if "," in name or name == WAVES
        ),
    ]


def recorded(saver: Any, steps: int) -> Callable[[], Any]:
    """A plan of instant steps, ten at a time."""
    graph, thread = as_ready(saver), iter(range(10**9))
    plan = Plan(
        steps=tuple(
            step(f"s{n}", [f"s{n - 10}"] if n >= 10 else [], 0.0, "instant") for n in range(steps)
        )
    )

    async def run() -> None:
        where = {"configurable": {"thread_id": f"{steps} ours {next(thread)}"}}
        await graph.ainvoke({"plan": plan}, where, durability="sync")

    return run


def tasks(saver: Any, steps: int) -> Callable[[], Any]:
    """The same steps as `@task`s, ten at a time, without even a tool."""
    thread = iter(range(10**9))

    @task
    async def once(seconds: float) -> float:
        return seconds

    @entrypoint(checkpointer=saver)
    async def flow(_: int) -> int:
        for _ in range(steps // 10):
            await asyncio.gather(*(once(0.0) for _ in range(10)))
        return steps

    async def run() -> None:
        where = {"configurable": {"thread_id": f"{steps} task {next(thread)}"}}
        await flow.ainvoke(1, where, durability="sync")

    return run


async def costs(saver: Any, stock: Any, rounds: int) -> list[Figure]:
    spent = await interleaved_async(
        {
            "30": recorded(saver, 30),
            "1000": recorded(saver, 1_000),
            f"30 {TASK}": tasks(stock, 30),
            f"100 {TASK}": tasks(stock, 100),
            f"100 {SAME}": tasks(saver, 100),
            "100": recorded(saver, 100),
        },
        rounds,
    )
    each = {name: seconds / int(name.split()[0]) for name, seconds in spent.items()}
    return [
        Figure("ms CPU a recorded step, 100 steps", each["100"] * 1e3, None, "-", "ms"),
        Figure("CPU a step, 100 steps", each["100"] / each[f"100 {TASK}"], 0.4, TASK),
        Figure("  the same", each["100"] / each[f"100 {SAME}"], None, SAME),
        # Of 30 steps the graph around them is a good part, which both pay alike.
        Figure("  the same, 30 steps", each["30"] / each[f"30 {TASK}"], None, TASK),
        Figure("CPU a step, 1,000 steps", each["1000"] / each["30"], 1.3, "30 steps"),
    ]


async def measured(folder: str, *, quick: bool) -> list[Figure]:
    stock_file = str(Path(folder) / "stock.sqlite")
    with create_checkpointer(f"sqlite:///{Path(folder) / 'plans.sqlite'}") as saver:
        async with AsyncSqliteSaver.from_conn_string(stock_file) as stock:
            await stock.setup()
            await stock.conn.execute("PRAGMA synchronous = FULL")
            spent = await costs(saver, stock, rounds=3 if quick else 9)
        return [
            *spent,
            *await makespans(saver, plans=8 if quick else 20),
        ]


def main() -> None:
    chosen = options(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        report(asyncio.run(measured(folder, quick=chosen.quick)), as_json=chosen.json)


if __name__ == "__main__":
    main()
