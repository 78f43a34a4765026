"""Pools of threads and processes: bounds, limits on time, lost workers, the end."""

import asyncio
import contextvars
import gc
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import CancelledError, Executor, wait
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cogwork.core.bridge import node
from cogwork.core.errors import ConfigurationError
from cogwork.core.pools import PoolFullError, ProcessPool, ThreadPool, WorkerLostError

hang = signal.pause  # never returns, and can be named to another process


@pytest.fixture
def gate():
    """An event that is set at the latest when the test ends, so that no thread stays."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture(params=[ThreadPool, ProcessPool])
def kind(request):
    return request.param


def test_both_are_executors_of_the_standard_library(kind):
    with kind(2) as pool:
        assert isinstance(pool, Executor)
        futures = [pool.submit(pow, base, exp=2) for base in range(10)]
        assert [future.result() for future in futures] == [n * n for n in range(10)]
        assert list(pool.map(pow, [2, 3], [5, 2])) == [32, 9]
        failed = pool.submit(int, "x").exception()

    assert isinstance(failed, ValueError)
    info = pool.info()
    assert (info.finished, info.failed, info.running, info.queued) == (12, 1, 0, 0)
    assert info.seconds > 0


async def test_a_loop_may_use_one_as_its_executor():
    with ThreadPool(1) as pool:
        assert await asyncio.get_running_loop().run_in_executor(pool, abs, -3) == 3


def test_no_more_run_at_once_than_there_are_workers(gate):
    running, most, lock = 0, 0, threading.Lock()
    full = threading.Barrier(3)

    def work():
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        full.wait(10)
        with lock:
            running -= 1

    with ThreadPool(3) as pool:
        wait([pool.submit(work) for _ in range(12)])

    assert most == 3


def test_a_full_pool_refuses_and_says_what_fills_it(gate):
    with ThreadPool(1, queue=2, full="refuse", name="readers") as pool:
        futures = [pool.submit(gate.wait) for _ in range(3)]
        with pytest.raises(PoolFullError, match=r"'readers' is full: \d calls run and \d wait"):
            pool.submit(gate.wait)
        gate.set()
        wait(futures)
        assert pool.submit(abs, -1).result() == 1
    assert pool.info().refused == 1


def test_a_full_pool_holds_the_caller_until_there_is_room(gate):
    handed_in = threading.Event()
    with ThreadPool(1, queue=1) as pool:
        pool.submit(gate.wait)
        pool.submit(gate.wait)

        def caller():
            pool.submit(abs, -1)
            handed_in.set()

        thread = threading.Thread(target=caller)
        thread.start()
        while not pool.info().waiting:
            threading.Event().wait(0.001)
        assert not handed_in.is_set()
        gate.set()
        assert handed_in.wait(10)
        thread.join()


def test_a_call_that_waits_can_be_cancelled_and_makes_room(gate):
    with ThreadPool(1, queue=1, full="refuse") as pool:
        pool.submit(gate.wait)
        waits = pool.submit(abs, -1)
        assert waits.cancel()
        assert pool.submit(abs, -2).cancel()
        gate.set()
    assert pool.info().cancelled == 2
    assert pool.info().finished == 1


def test_map_reads_no_further_ahead_than_there_is_room():
    read = []

    def endless():
        for number in itertools.count():
            read.append(number)
            yield number

    with ThreadPool(2, queue=3, full="refuse") as pool:
        results = pool.map(str, endless())
        assert [next(results) for _ in range(20)] == [str(n) for n in range(20)]
        assert len(read) <= 20 + 5
        results.close()


def test_map_gives_up_after_its_time(gate):
    with ThreadPool(1) as pool:
        with pytest.raises(TimeoutError):
            list(pool.map(gate.wait, [None], timeout=0.01))
        gate.set()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers()), st.integers(1, 4), st.integers(0, 3))
def test_map_gives_all_results_in_order_whatever_the_bounds(items, workers, queue):
    with ThreadPool(workers, queue=queue) as pool:
        assert list(pool.map(str, items)) == [str(item) for item in items]


VARIABLE = contextvars.ContextVar("variable", default="unset")


async def test_threads_see_the_callers_context():
    VARIABLE.set("set")
    async with ThreadPool(1) as pool:
        assert await pool.run(VARIABLE.get) == "set"
        assert pool.submit(VARIABLE.get).result() == "set"


async def test_run_does_not_hold_up_the_loop_when_the_queue_is_full(gate):
    async with ThreadPool(1, queue=0) as pool:
        calls = [asyncio.create_task(pool.run(gate.wait)) for _ in range(3)]
        while pool.info().waiting != 2:
            await asyncio.sleep(0)
        gate.set()
        assert await asyncio.gather(*calls) == [True] * 3


def test_run_works_in_a_node_of_a_synchronous_run():
    with ThreadPool(1) as pool:

        @node
        async def step(state, config):
            return {"x": await pool.run(abs, state["x"])}

        assert step.invoke({"x": -2}) == {"x": 2}


async def test_a_raised_stop_iteration_reaches_who_waits():
    async with ThreadPool(1) as pool:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await pool.run(next, iter(()))


def test_a_thread_that_is_late_is_left_and_replaced_but_only_so_often(gate):
    with ThreadPool(1, timeout=0.05, name="slow") as pool:
        with pytest.raises(TimeoutError, match=r"'Event.wait' in pool 'slow' did not end within"):
            pool.submit(gate.wait).result()
        assert pool.submit(abs, -1).result() == 1  # by another thread
        assert pool.info().left == 1
        with pytest.raises(TimeoutError):
            pool.submit(gate.wait).result()
        waits = pool.submit(abs, -2)  # one is left already: this one keeps its place
        assert (pool.info().running, pool.info().queued) == (1, 1)
        gate.set()
        assert waits.result() == 2
    assert pool.info().timed_out == 2


def test_a_thread_that_was_left_ends_with_its_call(gate):
    with ThreadPool(1, timeout=0.05, name="leaves") as pool:
        with pytest.raises(TimeoutError):
            pool.submit(gate.wait).result()
        gate.set()
        while pool.info().left:
            threading.Event().wait(0.001)
    assert not [each for each in threading.enumerate() if each.name.startswith("leaves_")]


def test_a_process_that_is_late_is_killed_and_replaced():
    with ProcessPool(1, timeout=0.2) as pool:
        before = pool.submit(os.getpid).result()
        with pytest.raises(TimeoutError, match=r"did not end within 0\.2 seconds"):
            pool.submit(hang).result()
        assert pool.submit(os.getpid).result() != before
        with pytest.raises(ProcessLookupError):
            os.kill(before, 0)
    assert pool.info().timed_out == 1
    assert not multiprocessing.active_children()


def test_a_worker_that_dies_costs_its_own_call_alone():
    with ProcessPool(2) as pool:
        dies = pool.submit(os._exit, 1)
        others = [pool.submit(abs, number) for number in range(6)]
        with pytest.raises(WorkerLostError, match=r"worker process \d+ .* ran '_exit'"):
            dies.result()
        assert [other.result() for other in others] == list(range(6))
    assert (pool.info().lost, pool.info().finished) == (1, 6)


def test_what_cannot_be_read_back_is_not_told_as_a_death():
    refused = httpx.Response(500, request=httpx.Request("GET", "http://localhost"))
    why = r"'Response.raise_for_status' returned or raised.*TypeError: .*'request'"
    with ProcessPool(1) as pool:
        with pytest.raises(WorkerLostError, match=why):
            pool.submit(httpx.Response.raise_for_status, refused).result()
        assert pool.submit(pow, 2, 3).result() == 8


def test_a_worker_that_was_killed_while_idle_is_replaced():
    with ProcessPool(1) as pool:
        idle = pool.submit(os.getpid).result()
        [process] = multiprocessing.active_children()
        os.kill(idle, signal.SIGKILL)
        process.join()
        outcome = pool.submit(os.getpid)
        if isinstance(outcome.exception(), WorkerLostError):  # the death was not known yet
            outcome = pool.submit(os.getpid)
        assert outcome.result() != idle


async def test_cancelling_run_kills_the_process():
    async with ProcessPool(1) as pool:
        before = await pool.run(os.getpid)
        call = asyncio.create_task(pool.run(hang))
        while not pool.info().running:
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await pool.run(os.getpid) != before
    assert (pool.info().cancelled, pool.info().lost) == (1, 0)


def test_what_cannot_cross_fails_its_call_alone():
    with ProcessPool(1) as pool:
        assert "pickle" in str(pool.submit(lambda: 1).exception())
        assert pool.submit(threading.Lock).exception() is not None  # what it returns
        assert pool.submit(abs, -1).result() == 1


def test_a_program_that_cannot_be_imported_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from cogwork.core.pools import ProcessPool\n"
        "with ProcessPool(1) as pool:\n"
        "    print(pool.submit(abs, -1).exception())\n"
    )
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert "can start no worker" in ran.stdout
    assert "__name__ == '__main__'" in ran.stdout


def test_shutdown_finishes_what_was_handed_in_and_takes_no_more(gate):
    pool = ThreadPool(1, name="ends")
    futures = [pool.submit(gate.wait), *(pool.submit(abs, n) for n in range(5))]
    pool.shutdown(wait=False)
    with pytest.raises(RuntimeError, match="'ends' was shut down"):
        pool.submit(abs, 1)
    gate.set()
    assert [future.result() for future in futures] == [True, *range(5)]
    pool.shutdown()
    assert not [each for each in threading.enumerate() if each.name.startswith("ends")]


def test_shutdown_can_drop_what_waits(gate):
    pool = ThreadPool(1)
    runs, waits = pool.submit(gate.wait), pool.submit(abs, -1)
    while not runs.running():
        threading.Event().wait(0.001)
    pool.shutdown(wait=False, cancel_futures=True)
    gate.set()
    assert runs.result()
    with pytest.raises(CancelledError):
        waits.result()
    pool.shutdown()


def test_shutdown_after_its_time_ends_what_runs(kind, gate):
    pool = kind(1)
    runs = pool.submit(hang) if kind is ProcessPool else pool.submit(gate.wait)
    while not runs.running():
        threading.Event().wait(0.001)
    waits = pool.submit(abs, -1)
    pool.shutdown(timeout=0.01)
    with pytest.raises(TimeoutError, match=r"still ran 0\.01 seconds after"):
        runs.result(0)
    assert waits.cancelled()
    assert not multiprocessing.active_children()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nothing_is_left_of_many_pools():
    before = descriptors()
    for _ in range(2):
        with ProcessPool(1, timeout=30) as pool:
            pool.submit(os._exit, 1).exception()
            assert pool.submit(abs, -1).result() == 1
    del pool
    gc.collect()
    assert descriptors() <= before + 2  # the tracker of the first spawn
    assert not [each for each in threading.enumerate() if "Executor" in type(each).__name__]
    clocks = [each for each in threading.enumerate() if each.name == "processes-clock"]
    for clock in clocks:
        clock.join(10)
    assert not any(clock.is_alive() for clock in clocks)


@pytest.mark.parametrize(
    "wrong", [{"workers": 0}, {"queue": -1}, {"timeout": 0}, {"timeout": float("nan")}]
)
def test_impossible_limits_are_refused(kind, wrong):
    with pytest.raises(ConfigurationError, match="pool '"):
        kind(**wrong)
