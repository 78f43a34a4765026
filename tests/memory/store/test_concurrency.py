"""Many threads and tasks at once: no lost update, no deadlock."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from langgraph.store.base import PutOp

from cogwork.memory.store import ChromaStore

BOTH = pytest.mark.parametrize("kind", ["sqlite", "postgres"], indirect=True)


@BOTH
def test_eight_threads_lose_no_write(store):
    def work(number):
        for step in range(30):
            store.put(("t", str(number)), f"k{step}", {"text": f"tea {number} {step}", "n": step})
            assert store.get(("t", str(number)), f"k{step}").value["n"] == step
            if step % 5 == 0:
                assert store.search(("t", str(number)), query=f"tea {number} {step}", limit=1)
            if step % 3 == 0:
                store.delete(("t", str(number)), f"k{step}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(store.search((), limit=1000)) == 8 * 20
    assert store.stats().vectors == 8 * 20
    assert len(store.search((), query="tea", limit=1000)) == 8 * 20


@BOTH
async def test_two_hundred_tasks_lose_no_write(store):
    async def work(number):
        await store.aput(("t", str(number % 7)), f"k{number}", {"text": f"tea {number}"})
        found = await store.asearch(("t", str(number % 7)), query=f"tea {number}", limit=200)
        assert f"k{number}" in {item.key for item in found}
        assert (await store.aget(("t", str(number % 7)), f"k{number}")).value["text"]

    await asyncio.gather(*(work(number) for number in range(200)))
    assert len(await store.asearch((), limit=1000)) == 200


@BOTH
async def test_the_async_methods_leave_the_loops_thread_alone(open_store, embeddings):
    threads = {}

    def noted(name, function):
        def run(*args):
            threads.setdefault(name, set()).add(threading.get_ident())
            return function(*args)

        return run

    store = open_store(embeddings=noted("embed", embeddings.embed_documents), fields=["text"])
    for name in ("write", "get", "spaces", "search_text"):
        setattr(store._records, name, noted(name, getattr(store._records, name)))
    store._plan = noted("plan", store._plan)
    await store.aput(("a",), "k", {"text": "green tea"})
    assert await store.aget(("a",), "k")
    assert await store.asearch(("a",), query="green tea")
    assert await store.asearch_text(("a",), "tea")
    assert threads.keys() == {"plan", "embed", "write", "get", "spaces", "search_text"}
    assert threading.get_ident() not in set().union(*threads.values())


def held(began, release):
    def work(cursor):
        began.set()
        release.wait(30)

    return work


def wait_for_writers(group, count):
    deadline = time.monotonic() + 30
    while len(group._waiting) < count:
        assert time.monotonic() < deadline, f"{len(group._waiting)} of {count} writers came"
        time.sleep(0.001)


def test_threads_that_write_at_once_share_a_synchronisation(store):
    """One note holds up the rest, which then go into one more."""
    group, began, release = store._records._notes._group, threading.Event(), threading.Event()
    written, transact = [], group._transact

    def held_up(work):
        if not began.is_set():
            began.set()
            release.wait(30)
        transact(work)
        written.append(work)

    group._transact = held_up
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(store.put, ("a",), "first", {})
        began.wait(30)
        others = [pool.submit(store.put, ("a",), str(number), {}) for number in range(8)]
        wait_for_writers(group, 8)
        release.set()
        for future in (first, *others):
            future.result(30)
    assert len(written) == 2
    assert len(store.search(("a",))) == 9


def test_one_that_fails_in_a_shared_commit_spares_the_others(store):
    file = store._records._file
    began, release = threading.Event(), threading.Event()
    many = [PutOp(("a",), f"good {number}", {"n": number}) for number in range(9)]
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(file.write, held(began, release))
        began.wait(30)
        good = pool.submit(store.batch, many)
        bad = pool.submit(file.write, lambda cursor: 1 / 0)
        wait_for_writers(file._group, 2)
        release.set()
        first.result(30)
        good.result(30)
        assert isinstance(bad.exception(30), ZeroDivisionError)
    assert store.get(("a",), "good 8").value == {"n": 8}


async def test_a_store_is_an_async_context_manager(tmp_path):
    async with ChromaStore(tmp_path / "s", embeddings=None) as store:
        await store.abatch([PutOp(("a",), "k", {"n": 1})])
    with ChromaStore(tmp_path / "s", embeddings=None) as store:
        assert store.get(("a",), "k").value == {"n": 1}


async def test_a_graph_remembers_across_threads_of_conversation(store):
    from langgraph.graph import START, StateGraph
    from langgraph.runtime import Runtime
    from typing_extensions import TypedDict

    class State(TypedDict):
        text: str

    async def remember(state: State, runtime: Runtime) -> State:
        found = await runtime.store.asearch(("notes",), query=state["text"], limit=1)
        await runtime.store.aput(("notes",), state["text"], {"text": state["text"]})
        return {"text": found[0].key if found else "nothing"}

    graph = StateGraph(State)
    graph.add_node("remember", remember)
    graph.add_edge(START, "remember")
    compiled = graph.compile(store=store)
    assert (await compiled.ainvoke({"text": "green tea"}))["text"] == "nothing"
    assert (await compiled.ainvoke({"text": "green teapot"}))["text"] == "green tea"
