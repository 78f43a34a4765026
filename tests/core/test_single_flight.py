"""Calls that are the same make one: over threads, tasks and loops, and whatever becomes of it."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from langgraph.errors import GraphInterrupt

from cogwork.core.errors import BudgetError
from cogwork.core.single_flight import SingleFlight


class Flown:
    """A call that ends when it is let, counted, and those who wait for it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.made = 0
        self.joined = 0
        self.error = error
        self.begun, self.gate = threading.Event(), threading.Event()
        self.flights: SingleFlight[int] = SingleFlight(self.join)

    def join(self) -> None:
        self.joined += 1

    def _end(self) -> int:
        if self.error and self.made == 1:
            raise self.error
        return self.made

    def call(self) -> int:
        return self.flights.run("key", self.make)

    def make(self) -> int:
        self.made += 1
        self.begun.set()
        assert self.gate.wait(20)
        return self._end()

    async def acall(self) -> int:
        return await self.flights.arun("key", self.amake)

    async def amake(self) -> int:
        self.made += 1
        self.begun.set()
        while not self.gate.is_set():
            await asyncio.sleep(0.001)
        return self._end()

    def let(self, joined: int) -> None:
        while self.joined < joined:
            pass
        self.gate.set()


def in_loop(flown: Flown) -> int:
    return asyncio.run(flown.acall())


WAYS = {
    "threads": (Flown.call, Flown.call),
    "loops": (in_loop, in_loop),
    "threads for a loop": (in_loop, Flown.call),
    "loops for a thread": (Flown.call, in_loop),
}


@pytest.mark.parametrize("way", WAYS)
def test_one_makes_the_call_of_all(way: str):
    leader, follower = WAYS[way]
    flown = Flown()
    with ThreadPoolExecutor(8) as pool:
        asked: list[Future[int]] = [pool.submit(leader, flown)]
        assert flown.begun.wait(20)
        asked += [pool.submit(follower, flown) for _ in range(7)]
        flown.let(7)
    assert [each.result() for each in asked] == [1] * 8


@pytest.mark.parametrize("way", WAYS)
def test_a_failure_is_told_to_all_and_forgotten(way: str):
    leader, follower = WAYS[way]
    flown = Flown(ConnectionError("away"))
    with ThreadPoolExecutor(4) as pool:
        asked: list[Future[int]] = [pool.submit(leader, flown)]
        assert flown.begun.wait(20)
        asked += [pool.submit(follower, flown) for _ in range(3)]
        flown.let(3)
    assert [type(each.exception()) for each in asked] == [ConnectionError] * 4
    assert follower(flown) == 2


@pytest.mark.parametrize("error", [GraphInterrupt(()), BudgetError("spent"), KeyboardInterrupt()])
@pytest.mark.parametrize("way", WAYS)
def test_what_stops_one_run_stops_no_other(way: str, error: Any):
    leader, follower = WAYS[way]
    flown = Flown(error)
    with ThreadPoolExecutor(4) as pool:
        first: Future[int] = pool.submit(leader, flown)
        assert flown.begun.wait(20)
        others = [pool.submit(follower, flown) for _ in range(3)]
        flown.let(3)
    assert type(first.exception()) is type(error)
    assert {each.result() for each in others} == {2} or flown.made > 2


async def test_tasks_go_on_when_the_one_that_called_is_cancelled():
    flown = Flown()
    first, *others = [asyncio.create_task(flown.acall()) for _ in range(5)]
    while flown.joined < 4:
        await asyncio.sleep(0)
    first.cancel()
    others.pop().cancel()
    while flown.made < 2:
        await asyncio.sleep(0)
    flown.gate.set()
    assert await asyncio.gather(*others) == [2] * 3
    with pytest.raises(asyncio.CancelledError):
        await first


def test_other_keys_do_not_wait():
    flown = Flown()
    with ThreadPoolExecutor(1) as pool:
        first: Future[int] = pool.submit(flown.call)
        assert flown.begun.wait(20)
        assert flown.flights.run("another", lambda: 7) == 7
        flown.gate.set()
        assert first.result() == 1


def test_a_call_within_itself_does_not_wait_for_itself():
    flights: SingleFlight[int] = SingleFlight()
    seen: list[bool] = []

    def inner() -> int:
        seen.append(flights.is_making("key"))
        return 7

    assert flights.run("key", lambda: flights.run("key", inner)) == 7
    assert seen == [True]
    assert not flights.is_making("key")


async def test_synchronous_code_on_the_loop_of_the_call_does_not_wait_for_it():
    flown = Flown()
    first = asyncio.create_task(flown.acall())
    while not flown.made:
        await asyncio.sleep(0)
    assert flown.flights.run("key", lambda: 7) == 7
    flown.gate.set()
    assert await first == 1


def _by_thread(flights: SingleFlight[int]) -> int:
    return flights.run("key", lambda: 7)


def _by_loop(flights: SingleFlight[int]) -> int:
    async def make() -> int:
        return 7

    return asyncio.run(flights.arun("key", make))


@pytest.mark.parametrize("ask", [_by_thread, _by_loop])
async def test_a_loop_that_waits_for_the_asker_is_not_waited_for(
    ask: Callable[[SingleFlight[int]], int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cogwork.core.single_flight._PATIENCE", 0.05)
    flown = Flown()
    first = asyncio.create_task(flown.acall())
    while not flown.made:
        await asyncio.sleep(0)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(ask, flown.flights).result(20) == 7  # blocks this loop
    flown.gate.set()
    assert await first == 1


def test_a_loop_that_was_closed_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cogwork.core.single_flight._PATIENCE", 0.05)
    flown = Flown()
    loop = asyncio.new_event_loop()
    left = loop.create_task(flown.acall())
    loop.run_until_complete(asyncio.sleep(0.01))
    assert flown.made == 1
    assert _by_thread(flown.flights) == 7
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(left)
    loop.close()


def test_what_was_left_on_a_closed_loop_is_made_anew_and_by_one():
    flown = Flown()
    loop = asyncio.new_event_loop()
    left = loop.create_task(flown.acall())
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    flown.gate.set()
    assert flown.call() == 2  # at once, without waiting for a sign of life

    flown.gate.clear()

    async def together() -> list[int]:
        asked = [asyncio.create_task(flown.acall()) for _ in range(5)]
        while flown.joined < 4:
            await asyncio.sleep(0)
        flown.gate.set()
        return await asyncio.gather(*asked)

    assert asyncio.run(together()) == [3] * 5
    left._log_destroy_pending = False  # type: ignore[attr-defined] # it is left on purpose
    left.get_coro().close()  # type: ignore[union-attr] # ends in another context
    assert flown.flights.run("key", lambda: 7) == 7
