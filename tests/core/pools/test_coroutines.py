"""A pool of coroutines: bounds, limits on time, the end."""

import asyncio
import contextvars
import itertools

import pytest

from cogwork.core.errors import ConfigurationError
from cogwork.core.pools import AsyncPool, PoolFullError


async def double(number):
    await asyncio.sleep(0)
    return number * 2


async def settled():
    """Let what can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_results_come_in_order_and_are_counted():
    async with AsyncPool(2) as pool:
        assert await pool.run(double, 1) == 2
        assert await (await pool.submit(double, 2)) == 4
        assert [each async for each in pool.map(double, range(10))] == list(range(0, 20, 2))
        with pytest.raises(ZeroDivisionError):
            await pool.run(failing)
    info = pool.info()
    assert (info.finished, info.failed, info.running, info.queued) == (12, 1, 0, 0)


async def failing():
    raise ZeroDivisionError


async def test_no_more_run_at_once_than_there_are_workers():
    running = most = 0

    async def work():
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    async with AsyncPool(3) as pool:
        await asyncio.gather(*(pool.run(work) for _ in range(20)))
    assert most == 3


async def test_a_full_pool_refuses_or_holds_the_caller():
    gate = asyncio.Event()
    async with AsyncPool(1, queue=1, full="refuse", name="mail") as pool:
        tasks = [await pool.submit(gate.wait), await pool.submit(gate.wait)]
        with pytest.raises(PoolFullError, match="'mail' is full with 2 calls"):
            await pool.submit(gate.wait)
        gate.set()
        await asyncio.gather(*tasks)
        assert pool.info().refused == 1
    gate.clear()
    async with AsyncPool(1, queue=1) as pool:
        await pool.submit(gate.wait)
        await pool.submit(gate.wait)
        third = asyncio.create_task(pool.submit(gate.wait))
        await settled()
        info = pool.info()
        assert (info.running, info.queued, info.waiting) == (1, 1, 1)
        assert not third.done()
        gate.set()
        assert await (await third)


async def test_a_call_that_is_late_is_cancelled():
    ended = []

    async def late():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async with AsyncPool(1, timeout=0.01) as pool:
        with pytest.raises(TimeoutError, match="late' in pool 'coroutines' did not end within"):
            await pool.run(late)
        assert await pool.run(double, 1) == 2
    assert ended == [True]
    assert pool.info().timed_out == 1


async def test_a_timeout_of_the_call_itself_is_a_failure_of_it():
    async def own():
        raise TimeoutError("mine")

    async with AsyncPool(1, timeout=60) as pool:
        with pytest.raises(TimeoutError, match="mine"):
            await pool.run(own)
    assert (pool.info().failed, pool.info().timed_out) == (1, 0)


async def test_cancelling_the_caller_cancels_the_call_and_frees_its_place():
    async with AsyncPool(1, queue=1) as pool:
        callers = [asyncio.create_task(pool.run(asyncio.Event().wait)) for _ in range(2)]
        held_back = asyncio.create_task(pool.submit(asyncio.Event().wait))
        await settled()
        for caller in (*callers, held_back):
            caller.cancel()
        await asyncio.wait([*callers, held_back])
        assert await pool.run(double, 4) == 8
    assert pool.info().cancelled == 3


async def test_map_reads_no_further_ahead_than_there_is_room():
    read = []

    def endless():
        for number in itertools.count():
            read.append(number)
            yield number

    async with AsyncPool(2, queue=3, full="refuse") as pool:
        results = pool.map(double, endless())
        assert [await anext(results) for _ in range(20)] == list(range(0, 40, 2))
        assert len(read) <= 20 + 5
        await results.aclose()


async def test_context_variables_go_with_the_call():
    variable = contextvars.ContextVar("variable", default="unset")

    async def look():
        return variable.get()

    async with AsyncPool(1) as pool:
        variable.set("set")
        assert await pool.run(look) == "set"


async def test_shutdown_finishes_what_was_handed_in_and_takes_no_more():
    pool = AsyncPool(1)
    tasks = [await pool.submit(double, number) for number in range(5)]
    await pool.shutdown()
    assert [task.result() for task in tasks] == [0, 2, 4, 6, 8]
    with pytest.raises(RuntimeError, match="'coroutines' was shut down"):
        await pool.run(double, 1)


async def test_shutdown_can_drop_what_waits():
    gate = asyncio.Event()
    pool = AsyncPool(1)
    runs, waits = await pool.submit(gate.wait), await pool.submit(gate.wait)
    await settled()
    asyncio.get_running_loop().call_later(0.01, gate.set)
    await pool.shutdown(cancel_futures=True)
    assert runs.result()
    assert waits.cancelled()


async def test_shutdown_after_its_time_cancels_what_runs():
    pool = AsyncPool(1)
    task = await pool.submit(asyncio.Event().wait)
    await pool.shutdown(timeout=0.01)
    assert task.cancelled()


async def test_leaving_by_an_exception_cancels_what_is_under_way():
    tasks = []

    async def block():
        async with AsyncPool(1) as pool:
            tasks.extend([await pool.submit(asyncio.Event().wait) for _ in range(3)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await block()
    assert len(tasks) == 3
    assert all(task.cancelled() for task in tasks)


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"queue": -1}, {"timeout": -1}])
def test_impossible_limits_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="pool 'coroutines'"):
        AsyncPool(**wrong)


def test_a_pool_is_used_on_one_loop_after_another():
    pool = AsyncPool(1, queue=1)

    async def one(number):
        await asyncio.sleep(0)
        return number

    async def all_of_them():
        return await asyncio.gather(*(pool.run(one, number) for number in range(5)))

    for _ in range(2):
        assert asyncio.run(all_of_them()) == [0, 1, 2, 3, 4]
    loop = asyncio.new_event_loop()
    left = loop.create_task(pool.run(asyncio.sleep, 60))
    loop.run_until_complete(asyncio.sleep(0.01))
    with pytest.raises(RuntimeError, match="has calls on another event loop"):
        asyncio.run(all_of_them())
    left.cancel()
    loop.run_until_complete(asyncio.wait([left]))
    loop.close()
    assert asyncio.run(all_of_them()) == [0, 1, 2, 3, 4]
