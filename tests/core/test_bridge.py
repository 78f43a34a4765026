import asyncio
import contextvars
import subprocess
import sys
import threading
import time
import traceback

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from cogwork.core.bridge import call, in_thread, node, on_loop, pause, run_blocking

flavour: contextvars.ContextVar[str] = contextvars.ContextVar("flavour", default="none")


class State(TypedDict):
    x: int


def graph_of(step, **kwargs):
    builder = StateGraph(State)
    builder.add_node("step", step)
    builder.add_edge(START, "step")
    return builder.compile(**kwargs)


@node
async def through_call(state, config):
    doubled = await call(RunnableLambda(lambda x: 2 * x), state["x"], config)
    await pause(0)
    return {"x": await in_thread(None, lambda: doubled + 1)}


@node(loop=True)
async def through_loop(state, config):
    await asyncio.sleep(0)
    return {"x": state["x"] + 100}


@node
def plain(state, config):
    return {"x": -state["x"]}


STEPS = [(through_call, 5), (through_loop, 102), (plain, -2)]


@pytest.mark.parametrize(("step", "expected"), STEPS)
def test_a_node_written_once_runs_in_a_synchronous_graph(step, expected):
    assert graph_of(step).invoke({"x": 2}) == {"x": expected}


@pytest.mark.parametrize(("step", "expected"), STEPS)
async def test_a_node_written_once_runs_in_an_async_graph(step, expected):
    assert await graph_of(step).ainvoke({"x": 2}) == {"x": expected}


@pytest.mark.parametrize(("step", "expected"), STEPS)
async def test_invoke_works_inside_a_running_loop_as_in_a_notebook(step, expected):
    assert graph_of(step).invoke({"x": 2}) == {"x": expected}


async def test_a_synchronous_run_on_the_background_loop_itself_does_not_deadlock():
    async def on_background() -> dict[str, int]:
        return graph_of(through_loop).invoke({"x": 1})

    assert await asyncio.to_thread(run_blocking, on_background) == {"x": 101}


def test_an_async_run_inside_a_synchronous_node_uses_its_own_loop():
    @node
    async def outer(state, config):
        inner = await in_thread(None, lambda: asyncio.run(graph_of(through_call).ainvoke(state)))
        return {"x": inner["x"] * 10}

    assert graph_of(outer).invoke({"x": 2}) == {"x": 50}


def test_a_synchronous_run_calls_the_model_in_the_callers_thread():
    seen = []

    @node
    async def step(state, config):
        await call(RunnableLambda(lambda x: seen.append(threading.get_ident()) or x), 1, config)
        return {}

    graph_of(step).invoke({"x": 0})
    assert seen == [threading.get_ident()]


def test_a_wait_the_bridge_does_not_know_is_refused_by_name():
    @node
    async def sleeper(state, config):
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match=r"node 'sleeper' awaits something.*loop=True"):
        graph_of(sleeper).invoke({"x": 1})


@pytest.mark.parametrize("loop", [False, True])
def test_interrupts_cross_in_both_ways_of_running(loop):
    @node(loop=loop)
    async def ask(state, config):
        answer = await in_thread(None, lambda: interrupt("how many?"))
        return {"x": answer}

    graph = graph_of(ask, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    asked = graph.invoke({"x": 0}, config)
    assert asked["__interrupt__"][0].value == "how many?"
    assert graph.invoke(Command(resume=7), config) == {"x": 7}


@pytest.mark.parametrize("way", ["thread", "loop", "stepping"])
def test_context_variables_are_carried_across(way):
    seen = {}

    async def look() -> None:
        seen[way] = flavour.get()

    @node
    async def step(state, config):
        if way == "thread":
            await in_thread(None, lambda: seen.setdefault(way, flavour.get()))
        elif way == "loop":
            await on_loop(None, look)
        else:
            await look()
        return {}

    token = flavour.set("vanilla")
    try:
        graph_of(step).invoke({"x": 1})
    finally:
        flavour.reset(token)
    assert seen == {way: "vanilla"}


def fail_deep_inside() -> None:
    raise LookupError("not here")


async def fail() -> None:
    fail_deep_inside()


@pytest.mark.parametrize(
    "wait", [lambda: run_blocking(fail), lambda: run_blocking(in_thread, None, fail_deep_inside)]
)
def test_exceptions_keep_their_type_and_traceback(wait):
    with pytest.raises(LookupError, match="not here") as caught:
        wait()
    assert "fail_deep_inside" in "".join(traceback.format_tb(caught.value.__traceback__))


def test_system_exit_in_a_node_does_not_stop_the_shared_loop():
    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run_blocking(leave)
    assert graph_of(through_loop).invoke({"x": 1}) == {"x": 101}


def test_a_task_that_ends_the_loop_does_not_end_it_for_others():
    async def leave_in_a_task() -> None:
        async def leave() -> None:
            raise SystemExit(3)

        await asyncio.create_task(leave())

    with pytest.raises((SystemExit, RuntimeError)):
        run_blocking(leave_in_a_task)
    assert graph_of(through_loop).invoke({"x": 1}) == {"x": 101}


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_synchronous_runs_nest_in_async_ones_to_any_depth(depth):
    async def nested(level: int) -> int:
        await asyncio.sleep(0)
        return 0 if level == 0 else 1 + run_blocking(nested, level - 1)

    assert run_blocking(nested, depth) == depth


async def test_a_function_that_raises_stop_iteration_does_not_hang():
    with pytest.raises(RuntimeError, match="StopIteration"):
        await in_thread(None, lambda: next(iter(())))


FORKED = """
import os, sys
from cogwork.core.bridge import run_blocking
async def one():
    return 1
run_blocking(one)
child = os.fork()
if child == 0:
    assert run_blocking(one) == 1
    sys.exit(0)
print(os.waitpid(child, 0)[1])
"""

BUSY = """
import asyncio, threading, time
from cogwork.core.bridge import run_blocking
started = threading.Event()
async def sleep():
    started.set()
    await asyncio.sleep(3600)
threading.Thread(target=run_blocking, args=(sleep,), daemon=True).start()
started.wait()
print("over")
"""


@pytest.mark.parametrize(("program", "said"), [(FORKED, "0"), (BUSY, "over")])
def test_a_process_ends_after_a_fork_and_while_something_runs(program, said):
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stdout.split() == [said], ran.stderr
    assert ran.returncode == 0


def test_a_wait_that_is_broken_off_cancels_what_it_waited_for():
    program = """
import asyncio, signal, threading, os
from cogwork.core.bridge import run_blocking
async def endless():
    threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up", flush=True)
try:
    run_blocking(endless)
except KeyboardInterrupt:
    print("interrupted")
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert ran.stdout.split("\n")[:2] == ["cleaned up", "interrupted"]
    assert ran.returncode == 0


@pytest.mark.parametrize("wait", ["in_thread", "on_loop"])
def test_a_limit_ends_the_wait_in_synchronous_code(wait):
    gate = threading.Event()

    @node
    async def step(state, config):
        if wait == "in_thread":
            await in_thread(0.05, gate.wait)
        else:
            await on_loop(0.05, asyncio.sleep, 60)

    try:
        with pytest.raises(TimeoutError):
            graph_of(step).invoke({"x": 1})
    finally:
        gate.set()


async def test_a_limit_ends_the_wait_in_async_code():
    gate = threading.Event()
    try:
        with pytest.raises(TimeoutError):
            await in_thread(0.05, gate.wait)
        with pytest.raises(TimeoutError):
            await on_loop(0.05, asyncio.sleep, 60)
    finally:
        gate.set()


async def test_cancelling_an_async_run_cancels_the_node():
    started, cancelled = asyncio.Event(), asyncio.Event()

    @node(loop=True)
    async def step(state, config):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    task = asyncio.create_task(graph_of(step).ainvoke({"x": 1}))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()


async def test_a_call_that_forgets_a_cancellation_is_cancelled_again():
    started, forgotten = asyncio.Event(), []

    async def stall(_):
        started.set()
        while len(forgotten) < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                forgotten.append(1)
        await asyncio.Event().wait()

    @node(loop=True)
    async def step(state, config):
        return {"x": await call(RunnableLambda(stall), 1, config)}

    task = asyncio.create_task(graph_of(step).ainvoke({"x": 1}))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 20)
    assert len(forgotten) == 2


def test_a_tool_that_hangs_does_not_hold_up_the_exit_and_no_thread_is_left():
    program = """
import atexit, threading
def threads():
    print(sorted(t.name for t in threading.enumerate() if t.name == "cogwork-loop"))
atexit.register(threads)  # runs last
import cogwork.core.bridge  # whose own handler, registered later, runs earlier
from cogwork.core.bridge import run_blocking, in_thread
async def nothing(): ...
run_blocking(nothing)
try:
    run_blocking(in_thread, 0.05, threading.Event().wait)
except TimeoutError:
    print("left behind")
threads()
"""
    started = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert ran.stdout.splitlines() == ["left behind", "['cogwork-loop']", "[]"], ran.stderr
    assert ran.returncode == 0
    assert time.monotonic() - started < 60


def test_many_threads_share_the_background_loop():
    results: list[int] = []
    threads = [
        threading.Thread(
            target=lambda n=n: results.append(graph_of(through_loop).invoke({"x": n})["x"])
        )
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [100 + n for n in range(20)]
    assert sum(t.name == "cogwork-loop" for t in threading.enumerate()) == 1
