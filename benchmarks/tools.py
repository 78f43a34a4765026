"""What it costs that effects happen once, and what the tools themselves cost.

Keyed calls: a call to a tool with an effect, noted and recorded by a SQLite checkpointer at
full durability (every record is synced to the disk), against the same call without a journal.
Calculator: the hostile expressions that the tests refuse, the slowest and the hungriest.
For information: files against plain pathlib, and what a policy and the audit log add to a call.

    python benchmarks/tools.py [--quick] [--json]
"""

import asyncio
import operator
import runpy
import sqlite3
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.types import Send
from measure import Figure, options, report
from typing_extensions import TypedDict

from cogwork.core.errors import ToolError
from cogwork.memory import create_checkpointer
from cogwork.tools import Policy, tool
from cogwork.tools.audit import AuditLog
from cogwork.tools.calculator import calculator
from cogwork.tools.calling import ReadyTool
from cogwork.tools.effects import call_once
from cogwork.tools.guard import Guard
from cogwork.tools.root import Root
from cogwork.tools.taint import label_of, taint_of

MANY = 20  # calls of one turn
BARE = "without a journal"
TESTS = Path(__file__).parents[1] / "tests" / "tools"


class State(TypedDict, total=False):
    """How calls are made, and the seconds that each took."""

    keyed: bool
    calls: int
    spent: Annotated[list[float], operator.add]


class Sent(TypedDict):
    """What the node of one call is sent."""

    keyed: bool
    number: int


@tool(effect="external", network=False)
async def note(text: str) -> str:
    """Change something, at once."""
    return text


def call(number: int) -> dict[str, Any]:
    return {"name": "note", "args": {"text": "x"}, "id": f"call-{number}", "type": "tool_call"}


def agent(saver: Any) -> Any:
    """A graph that sends each call to a node of its own, as agents do."""
    ready = ReadyTool(note, None)

    async def act(sent: Sent, config: RunnableConfig) -> State:
        started = time.perf_counter()
        if sent["keyed"]:
            await call_once(ready, call(sent["number"]), config)
        else:
            await ready.call(call(sent["number"]), config)
        return {"spent": [time.perf_counter() - started]}

    def sends(state: State) -> list[Send]:
        return [
            Send("act", {"keyed": state["keyed"], "number": number})
            for number in range(state["calls"])
        ]

    builder = StateGraph(State)
    builder.add_node("act", act)
    builder.add_conditional_edges(START, sends, ["act"])
    return builder.compile(checkpointer=saver)


def two_commits(folder: Path) -> Callable[[], None]:
    """What every keyed call pays: its intent and its result, each synced to the disk."""
    database = sqlite3.connect(folder / "plain.sqlite", isolation_level=None)
    database.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE records (record)"
    )

    def commit() -> None:
        for _ in range(2):
            database.execute("INSERT INTO records VALUES (?)", (b"x" * 200,))

    return commit


async def keyed_calls(saver: Any, folder: Path, rounds: int) -> list[Figure]:
    """Of a single call the time in its node; of many at once the CPU of the whole run too."""
    graph = agent(saver)
    used: dict[bool, list[float]] = {True: [], False: []}
    kinds = [(keyed, calls) for calls in (1, MANY) for keyed in (True, False)]
    spent: dict[tuple[bool, int], list[float]] = {kind: [] for kind in kinds}
    commits: list[float] = []
    commit = two_commits(folder)
    for number in range(rounds + 1):
        commits.append(timed(commit) * 1e3)
        for keyed, calls in kinds:
            where = {"configurable": {"thread_id": f"{keyed} {calls} {number}"}}
            started, before = time.perf_counter(), time.process_time()
            done = await graph.ainvoke({"keyed": keyed, "calls": calls}, where, durability="sync")
            whole = (time.perf_counter() - started) / calls
            if number:  # the first round warms up
                spent[keyed, calls] += done["spent"] if calls == 1 else [whole]
            if number and calls > 1:
                used[keyed].append((time.process_time() - before) / calls * 1e3)
    ms = {kind: statistics.median(found) * 1e3 for kind, found in spent.items()}
    cpu = statistics.median(used[True]) - statistics.median(used[False])
    return [
        Figure("ms that a keyed call adds", ms[True, 1] - ms[False, 1], 1.0, BARE, "ms"),
        Figure(f"  the same, {MANY} at once", ms[True, MANY] - ms[False, MANY], None, BARE, "ms"),
        Figure("  of it CPU", cpu, None, BARE, "ms"),
        Figure("  two synced commits of SQLite alone", statistics.median(commits), None, "-", "ms"),
    ]


def refused(expression: str) -> None:
    try:
        calculator.invoke({"expression": expression})
    except ToolError:
        return
    raise AssertionError(f"a hostile expression has a value: {expression:.50}")


def arithmetic() -> list[Figure]:
    hostile = runpy.run_path(str(TESTS / "test_calculator.py"))["HOSTILE"]
    slowest = max(min(timed(refused, each) for _ in range(3)) for each in hostile)
    peaks = []
    tracemalloc.start()
    for expression in hostile:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        refused(expression)
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    name = f"calculator, {len(hostile)} hostile expressions"
    return [
        Figure(f"{name}: slowest", slowest * 1e3, 100.0, "-", "ms"),
        Figure(f"{name}: most memory", max(peaks) / 1e6, 50.0, "-", "MB"),
    ]


def timed(run: Callable[..., Any], *args: Any) -> float:
    started = time.perf_counter()
    run(*args)
    return time.perf_counter() - started


def in_turns(runs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each; the first round warms up."""
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            found = timed(run)
            if number:
                spent[name].append(found * 1e3)
    return {name: statistics.median(found) for name, found in spent.items()}


def files(folder: Path, rounds: int) -> list[Figure]:
    (folder / "deep" / "er").mkdir(parents=True)
    root, path, content = Root(folder), "deep/er/file.txt", b"x" * 10_000
    plain = folder / path
    plain.write_bytes(content)
    ms = in_turns(
        {
            "read": lambda: root.read(path),
            "plain read": plain.read_bytes,
            "write": lambda: root.write(path, content),
            "plain write": lambda: plain.write_bytes(content),
        },
        rounds,
    )
    return [
        Figure("ms to read 10 kB inside a root", ms["read"], None, "-", "ms"),
        Figure("  the same", ms["read"] / ms["plain read"], None, "pathlib"),
        Figure("ms to write 10 kB atomically, synced", ms["write"], None, "-", "ms"),
        Figure("  the same", ms["write"] / ms["plain write"], None, "pathlib, unsynced"),
    ]


async def safety(folder: Path, rounds: int) -> list[Figure]:
    """What is done about a call besides making it, in a run of 50 messages."""
    log = AuditLog(folder / "audit.jsonl")
    ready = {"bare": ReadyTool(note, None), "audited": ReadyTool(note, None, log)}
    guard = Guard(Policy(rules=()), {"note": ready["bare"].spec})
    messages: list[AnyMessage] = []
    for number in range(25):
        messages += [AIMessage("x"), ToolMessage("x", name="note", tool_call_id=str(number))]
        messages[-1].response_metadata = label_of(())
    state = {"messages": [HumanMessage("x"), *messages], "taint": []}
    config: RunnableConfig = {"configurable": {"thread_id": "1"}}
    spent: dict[str, list[float]] = {"admit": [], "bare": [], "audited": []}
    for number in range(rounds + 1):
        for name, found in spent.items():
            started = time.perf_counter()
            if name == "admit":
                await guard.admit(call(number), taint_of(state, guard.trusted), config)
            else:
                await ready[name].call(call(number), config)
            if number:
                found.append((time.perf_counter() - started) * 1e3)
    ms = {name: statistics.median(found) for name, found in spent.items()}
    return [
        Figure("ms that policy and taint add, 50 messages", ms["admit"], None, "-", "ms"),
        Figure(
            "ms that two synced records in the audit log add",
            ms["audited"] - ms["bare"],
            None,
            "no audit log",
            "ms",
        ),
    ]


async def measured(folder: Path, *, quick: bool) -> list[Figure]:
    (folder / "root").mkdir()
    with create_checkpointer(f"sqlite:///{folder / 'calls.sqlite'}") as saver:
        keyed = await keyed_calls(saver, folder, rounds=60 if quick else 300)
    rounds = 100 if quick else 500
    return [
        *keyed,
        *arithmetic(),
        *files(folder / "root", rounds),
        *await safety(folder, rounds),
    ]


def main() -> None:
    chosen = options(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        report(asyncio.run(measured(Path(folder), quick=chosen.quick)), as_json=chosen.json)


if __name__ == "__main__":
    main()
