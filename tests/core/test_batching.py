"""Single calls that are gathered: in order, in time, each its own result."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings

from cogwork.core.batching import Batcher, BatchInfo, batched_embeddings
from cogwork.core.errors import CogworkError, ConfigurationError

LONG = 60.0  # seconds, which nobody waits


class Doubler:
    """Doubles numbers, when it is let, and remembers the batches; 13 fails its batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.gate = threading.Event(), threading.Event()
        self.gate.set()

    def __call__(self, numbers: list[int]) -> list[int]:
        self.batches.append(numbers)
        self.begun.set()
        assert self.gate.wait(20)
        if 13 in numbers:
            raise ConnectionError("away")
        return [2 * each for each in numbers]


@pytest.fixture
def doubler() -> Doubler:
    return Doubler()


def test_a_full_batch_does_not_wait(doubler: Doubler):
    batcher = Batcher(doubler, max_size=4, max_wait=LONG)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(batcher.call, range(8))) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert [len(each) for each in doubler.batches] == [4, 4]
    assert batcher.info() == BatchInfo(items=8, batches=2, largest=4, waiting=0, refused=0)


async def test_those_that_are_there_in_time_make_a_batch(doubler: Doubler):
    batcher = Batcher(doubler, max_size=100, max_wait=0.01)
    assert await asyncio.gather(*(batcher.acall(each) for each in range(5))) == [0, 2, 4, 6, 8]
    assert doubler.batches == [[0, 1, 2, 3, 4]]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), max_size=7), max_size=8), st.integers(1, 5))
def test_each_gets_its_own_in_order(several: list[list[int]], size: int):
    doubler = Doubler()
    batcher = Batcher(doubler, max_size=size, max_wait=0.001)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(batcher.call_many, several))
    assert found == [[2 * each for each in numbers] for numbers in several]
    assert all(len(each) <= size for each in doubler.batches)


async def test_threads_and_tasks_go_together(doubler: Doubler):
    batcher = Batcher(doubler, max_size=4, max_wait=LONG)
    with ThreadPoolExecutor(2) as pool:
        threads = [pool.submit(batcher.call, each) for each in (1, 2)]
        found = await asyncio.gather(batcher.acall(3), batcher.acall(4))
        assert [each.result() for each in threads] + found == [2, 4, 6, 8]
    assert len(doubler.batches) == 1


async def test_async_functions_are_awaited():
    async def double(numbers: list[int]) -> list[int]:
        await asyncio.sleep(0)
        return [2 * each for each in numbers]

    batcher = Batcher(double, max_wait=0.001)
    assert await batcher.acall_many([1, 2]) == [2, 4]
    assert await asyncio.to_thread(batcher.call, 3) == 6


async def test_a_failure_is_told_to_its_batch_only(doubler: Doubler):
    batcher = Batcher(doubler, max_size=2, max_wait=LONG)
    asked = [batcher.acall(each) for each in (1, 2, 13, 4, 5, 6)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [str(each) for each in found] == ["2", "4", "away", "away", "10", "12"]


async def test_who_is_cancelled_is_left_out_and_disturbs_nobody(doubler: Doubler):
    batcher = Batcher(doubler, max_size=4, max_wait=LONG)
    asked = [asyncio.create_task(batcher.acall(each)) for each in range(3)]
    while batcher.info().waiting < 3:
        await asyncio.sleep(0)
    asked[1].cancel()
    await asyncio.wait([asked[1]])
    asked.append(asyncio.create_task(batcher.acall(7)))
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [found[0], found[2], found[3]] == [0, 4, 14]
    assert doubler.batches == [[0, 2, 7]]


async def test_who_is_cancelled_while_its_batch_runs_disturbs_nobody(doubler: Doubler):
    doubler.gate.clear()
    batcher = Batcher(doubler, max_size=2, max_wait=LONG)
    one, other = [asyncio.create_task(batcher.acall(each)) for each in (1, 2)]
    while not doubler.begun.is_set():
        await asyncio.sleep(0)
    one.cancel()
    doubler.gate.set()
    assert await other == 4
    assert one.cancelled()


def test_too_many_are_refused_and_others_are_not(doubler: Doubler):
    doubler.gate.clear()
    batcher = Batcher(doubler, max_size=1, max_wait=LONG, max_running=1, max_waiting=2)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(batcher.call, 1)]
        assert doubler.begun.wait(20)
        asked += [pool.submit(batcher.call, each) for each in (2, 3)]
        while batcher.info().waiting < 2:
            pass
        with pytest.raises(CogworkError, match="2 items wait for a batch, and at most 2 may"):
            batcher.call(4)
        doubler.gate.set()
        assert [each.result() for each in asked] == [2, 4, 6]
    assert "1 items were refused" in batcher.info().advice()[0]


def test_as_many_batches_run_at_once_as_are_allowed(doubler: Doubler):
    doubler.gate.clear()
    batcher = Batcher(doubler, max_size=1, max_wait=LONG, max_running=2)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(batcher.call, each) for each in range(4)]
        while len(doubler.batches) < 2 or batcher.info().items < 4:
            pass
        at_once = (len(doubler.batches), batcher.info().waiting)
        doubler.gate.set()
        assert [each.result() for each in asked] == [0, 2, 4, 6]
    assert at_once == (2, 2)


@pytest.mark.parametrize("results", [[], [1, 2]])
def test_a_function_has_to_answer_each(results: list[int]):
    batcher: Batcher[int, int] = Batcher(lambda _: results, max_wait=0.001)
    with pytest.raises(ConfigurationError, match="a batch of 1 items has"):
        batcher.call(1)


@pytest.mark.parametrize("error", [StopIteration(), SystemExit(1)])
async def test_what_would_end_more_than_a_batch_is_told_as_a_failure(error: BaseException):
    def end(_: list[int]) -> list[int]:
        raise error

    with pytest.raises(CogworkError, match="a batch of 1 items ended by"):
        await Batcher(end, max_wait=0.001).acall(1)


def test_a_batch_has_the_context_of_the_first_who_asked():
    who: ContextVar[str] = ContextVar("who", default="nobody")
    batcher: Batcher[int, str] = Batcher(lambda items: [who.get()] * len(items), max_wait=0.001)
    who.set("me")
    assert batcher.call(1) == "me"


@pytest.mark.parametrize("limit", ["max_size", "max_wait", "max_running", "max_waiting"])
def test_limits_are_positive(limit: str, doubler: Doubler):
    with pytest.raises(ConfigurationError, match=f"{limit} is 0"):
        Batcher(doubler, **{limit: 0})


def test_advice_on_what_never_comes_together():
    info = BatchInfo(items=21, batches=20, largest=2, waiting=0, refused=0)
    assert "hardly any come together" in info.advice()[0]
    assert BatchInfo(items=90, batches=20, largest=8, waiting=0, refused=0).advice() == ()


class Counted(Embeddings):
    """Embeddings that count their calls."""

    def __init__(self) -> None:
        self.inner = DeterministicFakeEmbedding(size=4)
        self.documents: list[int] = []
        self.queries = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.documents.append(len(texts))
        return self.inner.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        self.queries += 1
        return self.inner.embed_query(text)


@pytest.mark.parametrize("alike", [False, True])
async def test_embeddings_are_gathered(alike: bool):
    counted = Counted()
    model: Any = batched_embeddings(counted, queries_alike=alike, max_size=6, max_wait=LONG)
    documents = [model.aembed_documents(["a", "b"]), model.aembed_documents(["c", "d"])]
    if alike:
        rest = [model.aembed_query("e"), model.aembed_query("f")]
    else:
        rest = [model.aembed_documents(["e", "f"]), model.aembed_query("g")]
    found = await asyncio.gather(*documents, *rest)
    assert found[1] == counted.inner.embed_documents(["c", "d"])
    assert counted.documents == [6]
    assert counted.queries == (0 if alike else 1)


def test_whatever_returns_something_to_await_is_awaited():
    async def double(numbers: list[int]) -> list[int]:
        return [2 * each for each in numbers]

    class Doubling:
        async def __call__(self, numbers: list[int]) -> list[int]:
            return await double(numbers)

    for function in (double, lambda numbers: double(numbers), Doubling()):
        assert Batcher(function).call_many([1, 2]) == [2, 4]


def test_who_waits_on_a_loop_that_was_closed_disturbs_nobody(doubler: Doubler):
    batcher = Batcher(doubler, max_size=2, max_wait=LONG)
    loop = asyncio.new_event_loop()
    left = loop.create_task(batcher.acall(1))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert batcher.call(2) == 4
    left._log_destroy_pending = False  # type: ignore[attr-defined] # it is left on purpose
