"""A limit holds in every window, over threads, loops and processes, and waiters stand in line."""

import asyncio
import bisect
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from scripted import ScriptedChatModel

from cogwork.core.errors import ConfigurationError
from cogwork.core.rate_limits import RateLimiter
from cogwork.core.rate_window import Window
from cogwork.core.usage import OUTPUT_TOKENS


@pytest.fixture
def clock(monkeypatch):
    """The time, which moves when somebody sleeps."""
    now = [1_800_000_000.0]
    monkeypatch.setattr("cogwork.core.shared.time.time", lambda: now[0])

    def sleep(seconds):
        now[0] += seconds

    monkeypatch.setattr("cogwork.core.rate_limits.time.sleep", sleep)
    return now


def times(clock, limiter, number):
    begun = clock[0]
    found = []
    for _ in range(number):
        limiter.acquire()
        found.append(clock[0] - begun)
    return found


def test_a_minute_lets_its_requests_through_and_the_next_comes_a_minute_later(clock):
    found = times(clock, RateLimiter("model", requests=3), 7)
    assert found[:3] == [0, 0, 0]
    assert found[3:6] == pytest.approx([61, 61, 61], abs=0.7)
    assert found[6] == pytest.approx(122, abs=1.3)
    assert all(later - first >= 60 for first, later in zip(found, found[3:], strict=False))


def test_a_burst_is_let_through_and_the_rest_is_paced(clock):
    found = times(clock, RateLimiter("model", requests=60, burst=4), 10)
    assert found == pytest.approx([0, 0, 0, 0, 1, 2, 3, 4, 5, 6])


def test_a_limiter_without_blocking_says_whether_there_is_leave(clock):
    limiter = RateLimiter("model", requests=1)
    assert limiter.acquire(blocking=False)
    assert not limiter.acquire(blocking=False)
    assert limiter.used() == (1, 0)
    clock[0] += 62
    assert limiter.used() == (0, 0)
    assert limiter.acquire(blocking=False)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 120)), max_size=60),
    st.integers(1, 9),
    st.one_of(st.none(), st.integers(1, 4)),
)
def test_no_window_ever_holds_more_than_the_limits(asked, requests, burst):
    window, value, now, made = Window(requests, 100, burst, 10.0), {}, 1e9, []
    for pause, tokens in asked:
        now += pause / 100
        while True:
            seconds, slot = window.wait(value, now, tokens)
            if not seconds:
                break
            now += seconds
        used = tokens // 2
        window.correct(value, now, slot, used - tokens)
        made.append((now, used, tokens))
    for begin, _, _ in made:
        inside = [each for each in made if begin <= each[0] < begin + 10.0]
        assert len(inside) <= requests
        # the last may be let through on what it was expected to take
        assert sum(used for _, used, _ in inside) <= 100 or len(inside) == 1


def test_a_call_that_expects_more_than_the_limit_goes_alone():
    window, value = Window(None, 100, None, 10.0), {}
    assert window.wait(value, 0.0, 500)[0] == 0
    assert window.wait(value, 1.0, 1)[0] == pytest.approx(9.2)


async def test_async_waiters_go_in_the_order_in_which_they_came():
    limiter, order = RateLimiter("model", requests=5, seconds=0.05), []

    async def call(number):
        await limiter.aacquire()
        order.append(number)

    running = []
    for number in range(30):
        running.append(asyncio.create_task(call(number)))
        await asyncio.sleep(0)
    await asyncio.gather(*running)
    assert order == [*range(30)]


async def test_who_gives_up_leaves_the_line_and_holds_up_nobody():
    limiter, order = RateLimiter("model", requests=1, seconds=0.1), []

    async def call(number):
        await limiter.aacquire()
        order.append(number)

    running = [asyncio.create_task(call(number)) for number in range(5)]
    await asyncio.sleep(0.01)
    for number in (1, 3):  # the first of those who wait, and one behind
        running[number].cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert order == [0, 2, 4]


def test_threads_and_loops_wait_in_one_line():
    limiter, made = RateLimiter("model", requests=10, seconds=0.1), []

    def sync():
        for _ in range(5):
            limiter.acquire()
            made.append(1)

    async def later():
        for _ in range(5):
            await limiter.aacquire()
            made.append(1)

    threads = [threading.Thread(target=sync) for _ in range(2)]
    threads += [threading.Thread(target=asyncio.run, args=(later(),)) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert len(made) == 20


async def test_a_synchronous_call_on_a_loop_does_not_wait_for_those_on_it():
    limiter = RateLimiter("model", requests=1, seconds=0.1)
    await limiter.aacquire()
    waiting = asyncio.create_task(limiter.aacquire())
    await asyncio.sleep(0)
    limiter.acquire()
    await waiting


async def test_the_tokens_of_a_model_are_expected_and_then_corrected():
    usage = {"input_tokens": 30, "output_tokens": 20, "total_tokens": 50}
    plain = ScriptedChatModel(script=[AIMessage("hello", usage_metadata=usage)], forever=True)
    limiter = RateLimiter("model", requests=10, tokens=2_000)
    model = limiter.wrap(plain.bind(max_tokens=500))
    model.invoke("hi")
    await model.ainvoke("hi")
    seen = [limiter.used()[1] async for _ in model.astream("hi")]
    assert 600 < seen[0] < 700
    assert limiter.used() == (3, 150)
    assert not plain.callbacks


def test_a_model_waits_for_the_tokens_that_others_have_taken(clock):
    model = RateLimiter("model", tokens=2 * OUTPUT_TOKENS).wrap(
        ScriptedChatModel(script=["word " * 3_200], forever=True)
    )
    began = clock[0]
    model.invoke("hi")  # takes 4,000 though 1,000 were expected
    model.invoke("hi")
    assert clock[0] - began > 60


def test_tokens_that_nobody_tells_are_not_passed_over():
    model = ScriptedChatModel(script=["hi"], rate_limiter=RateLimiter("model", tokens=10))
    with pytest.raises(ConfigurationError, match=r"use limiter\.wrap\(model\)"):
        model.invoke("hi")


def test_requests_are_limited_by_langchains_own_parameter():
    limiter = RateLimiter("model", requests=10)
    ScriptedChatModel(script=["hi"], rate_limiter=limiter).invoke("hi")
    assert limiter.used() == (1, 0)


async def test_a_tool_is_limited_too():
    @tool
    def look(question: str) -> str:
        """Look it up."""
        return question

    limiter = RateLimiter("search", requests=10)
    limited = limiter.wrap(look)
    assert limited.invoke({"question": "a"}) == "a"
    assert await limited.ainvoke({"question": "b"}) == "b"
    assert limiter.used() == (2, 0)
    with pytest.raises(ConfigurationError, match="limit a tool by requests"):
        RateLimiter("search", tokens=5).wrap(look)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"requests": 0}, "requests is 0"),
        ({}, "limit the requests"),
        ({"tokens": 5, "burst": 1}, "limit the"),
    ],
)
def test_limits_that_mean_nothing_are_refused(wrong, said):
    with pytest.raises(ConfigurationError, match=said):
        RateLimiter("model", **wrong)


CALLERS = """
import asyncio, os, sys, time
from cogwork.core.rate_limits import RateLimiter

limiter = RateLimiter("model", requests=100, seconds=1.5, url=sys.argv[1])
until = time.time() + 3.3

async def work():
    while time.time() < until:
        await limiter.aacquire()
        os.write(1, f"{time.time()!r}\\n".encode())

async def main():
    await asyncio.gather(*(work() for _ in range(3)))

children = []
for _ in range(4):
    child = os.fork()
    if not child:
        asyncio.run(main())
        limiter.close()
        os._exit(0)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_four_processes_keep_the_limit_in_every_window(kind, tmp_path, request):
    url = f"sqlite:///{tmp_path}/rates.sqlite"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_url")
    said = subprocess.check_output([sys.executable, "-c", CALLERS, url], text=True)
    made = sorted(map(float, said.split()))
    most = max(bisect.bisect_left(made, begin + 1.5) - place for place, begin in enumerate(made))
    assert most <= 101  # 1 % over
    assert len(made) >= 200  # and it is used


@pytest.mark.parametrize("burst", [None, 1])
def test_a_clock_that_is_set_back_holds_nobody_up_for_longer_than_a_window(clock, burst):
    limiter = RateLimiter("model", requests=5, burst=burst)
    times(clock, limiter, 5)
    clock[0] -= 3600
    (waited,) = times(clock, limiter, 1)
    assert 0 < waited <= 62
    assert limiter.used()[0] <= 5


def test_what_another_window_counted_holds_nobody_up_for_longer_than_this_one(clock, tmp_path):
    url = f"sqlite:///{tmp_path}/limits.db"
    seconds, minutes = (
        RateLimiter("model", requests=3, seconds=each, url=url) for each in (1.0, 60.0)
    )
    times(clock, seconds, 3)
    (waited,) = times(clock, minutes, 1)  # whose slots have other numbers
    assert 0 < waited <= 62
    for each in (seconds, minutes):
        each.close()


def test_who_waited_on_a_loop_that_was_closed_holds_up_nobody():
    limiter = RateLimiter("model", requests=1, seconds=0.5)
    loop = asyncio.new_event_loop()
    left = [loop.create_task(limiter.aacquire()) for _ in range(3)]
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    goes = threading.Thread(target=limiter.acquire, daemon=True)
    goes.start()
    goes.join(20)
    assert not goes.is_alive()
    assert [each.done() for each in left] == [True, False, False]
    for each in left[1:]:
        each._log_destroy_pending = False  # they are left on purpose
