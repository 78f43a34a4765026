"""What every checkpointer owes, over memory, SQLite and PostgreSQL."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from review_graph import Plan, State, answer, build, run, say, texts, thread

from cogwork.core.errors import ConfigurationError, MemoryStoreError
from cogwork.memory import create_checkpointer, with_state_types

FINISHED = ["trip", "left of trip", "right of trip", "reviewed: yes"]
SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return _url(request, tmp_path)


@pytest.fixture(params=["sqlite", "postgres"])
def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return _url(request, tmp_path)


def _url(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "postgres":
        return request.getfixturevalue("postgres_url")
    return {"memory": "memory://", "sqlite": f"sqlite:///{folder}/a/b.db"}[request.param]


@pytest.fixture(params=["sync", "async"])
def how(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def open_saver() -> Iterator[Callable[[str], BaseCheckpointSaver[str]]]:
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(create_checkpointer(url))


@pytest.fixture
def config(request: pytest.FixtureRequest) -> dict[str, Any]:
    return thread(request.node.nodeid)


async def test_interrupt_waits_and_resumes(open_saver, url, how, config):
    graph = build(open_saver(url))

    waiting = await run(graph, how, say("trip"), config)
    finished = await run(graph, how, answer("yes"), config)

    assert waiting["__interrupt__"][0].value == {
        "question": "good?",
        "plan": Plan(goal="trip", steps=("left", "right")),
    }
    assert texts(finished) == FINISHED


async def test_reopened_thread_has_its_messages_models_and_interrupts(
    open_saver, lasting, how, config
):
    with create_checkpointer(lasting) as saver:
        await run(build(saver), how, say("trip"), config)

    graph = build(open_saver(lasting))
    state = graph.get_state(config) if how == "sync" else await graph.aget_state(config)

    assert texts(state.values) == FINISHED[:3]
    assert state.values["plan"] == Plan(goal="trip", steps=("left", "right"))
    assert isinstance(state.interrupts[0].value["plan"], Plan)
    assert texts(await run(graph, how, answer("yes"), config)) == FINISHED


async def test_sends_wait_in_the_checkpoint(open_saver, lasting, how, config):
    with create_checkpointer(lasting) as saver:
        graph = build(saver)
        graph.interrupt_before_nodes = ["work"]
        await run(graph, how, say("trip"), config)

    graph = build(open_saver(lasting))

    assert graph.get_state(config).next == ("work", "work")
    await run(graph, how, None, config)
    assert texts(await run(graph, how, answer("yes"), config)) == FINISHED


async def test_fork_leaves_the_original_alone(open_saver, url, how, config):
    graph = build(open_saver(url))
    await run(graph, how, say("trip"), config)
    await run(graph, how, answer("yes"), config)
    original = graph.get_state(config)
    before_work = next(s for s in graph.get_state_history(config) if s.next == ("work", "work"))

    fork = graph.update_state(before_work.config, {"plan": Plan(goal="sail", steps=("sea",))})
    await run(graph, how, None, fork)
    await run(graph, how, answer("no"), config)

    assert texts(graph.get_state(config).values) == ["trip", "sea of sail", "reviewed: no"]
    assert texts(graph.get_state(original.config).values) == FINISHED


async def test_earlier_checkpoint_is_replayed(open_saver, url, how, config):
    graph = build(open_saver(url))
    await run(graph, how, say("trip"), config)
    await run(graph, how, answer("yes"), config)
    before_work = next(s for s in graph.get_state_history(config) if s.next == ("work", "work"))

    await run(graph, how, None, before_work.config)

    assert graph.get_state(config).next == ("review",)
    assert texts(await run(graph, how, answer("again"), config))[-1] == "reviewed: again"


async def test_history_is_listed_newest_first_and_filtered(open_saver, url, how, config):
    saver = with_state_types(open_saver(url), State)
    await run(build(saver), how, say("trip"), config)

    async def found(**options: Any) -> list[Any]:
        if how == "sync":
            return list(saver.list(config, **options))
        return [item async for item in saver.alist(config, **options)]

    everything = await found()
    steps = [item.metadata["step"] for item in everything]

    assert steps == sorted(steps, reverse=True)
    assert len(steps) >= 3
    assert await found(limit=2) == everything[:2]
    assert await found(before=everything[0].config) == everything[1:]
    assert await found(filter={"source": "input"}) == everything[-1:]


def test_saver_can_be_used_while_it_lists(open_saver, url, config):
    saver = with_state_types(open_saver(url), State)
    build(saver).invoke(say("trip"), config)

    assert all(saver.get_tuple(item.config) == item for item in saver.list(config))


async def test_deleted_thread_is_gone_and_others_stay(open_saver, url, how, config):
    saver = open_saver(url)
    graph, other = build(saver), thread("another")
    await run(graph, how, say("trip"), config)
    await run(graph, how, say("sail"), other)

    name = config["configurable"]["thread_id"]
    await saver.adelete_thread(name) if how == "async" else saver.delete_thread(name)

    assert graph.get_state(config).values == {}
    assert graph.get_state(other).values["plan"].goal == "sail"


def test_one_thread_is_continued_from_several_event_loops(open_saver, url, config):
    graph = build(open_saver(url))

    asyncio.run(graph.ainvoke(say("trip"), config))
    asyncio.run(graph.ainvoke(answer("yes"), config))
    graph.invoke(say("sail"), config)

    assert texts(asyncio.run(graph.aget_state(config)).values)[:5] == [*FINISHED, "sail"]


def test_many_threads_run_at_once(open_saver, url, config):
    graph = build(open_saver(url))
    names = [f"{config['configurable']['thread_id']}-{number}" for number in range(8)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: graph.invoke(say(name), thread(name)), names))

    goals = [graph.get_state(thread(name)).values["plan"].goal for name in names]
    assert goals == names


async def test_rolled_back_run_never_happened(open_saver, lasting, how, config):
    saver = open_saver(lasting)
    graph = build(saver)
    first, second = (f"{config['configurable']['thread_id']}-{n}" for n in (1, 2))
    await run(graph, how, say("trip"), {**config, "metadata": {"run_id": first}})
    await run(graph, how, answer("yes"), {**config, "metadata": {"run_id": first}})
    await run(graph, how, say("sail"), {**config, "metadata": {"run_id": second}})

    if how == "sync":
        saver.delete_for_runs([second])
    else:
        await saver.adelete_for_runs([second])

    assert texts(graph.get_state(config).values) == FINISHED
    again = await run(graph, how, say("walk"), config)
    assert texts(again) == [*FINISHED, "walk", "left of walk", "right of walk"]


async def test_a_run_that_others_stand_on_is_not_deleted(open_saver, lasting, config):
    saver = open_saver(lasting)
    graph = build(saver)
    first, second = (f"{config['configurable']['thread_id']}-{n}" for n in (1, 2))
    graph.invoke(say("trip"), {**config, "metadata": {"run_id": first}})
    graph.invoke(answer("yes"), {**config, "metadata": {"run_id": second}})

    with pytest.raises(MemoryStoreError, match="stand on them"):
        saver.delete_for_runs([first])
    assert texts(graph.get_state(config).values) == FINISHED
    saver.delete_for_runs([first, second])
    assert not graph.get_state(config).values


async def test_copied_thread_goes_its_own_way(open_saver, lasting, how, config):
    saver = open_saver(lasting)
    graph = build(saver)
    name = config["configurable"]["thread_id"]
    await run(graph, how, say("trip"), config)

    if how == "sync":
        saver.copy_thread(name, f"{name}-copy")
    else:
        await saver.acopy_thread(name, f"{name}-copy")
    await run(graph, how, answer("yes"), thread(f"{name}-copy"))

    assert texts(graph.get_state(thread(f"{name}-copy")).values) == FINISHED
    assert texts(graph.get_state(config).values) == FINISHED[:3]


def test_another_process_finishes_the_thread(open_saver, lasting, config):
    graph = build(open_saver(lasting))
    graph.invoke(say("trip"), config)
    script = (
        "import sys; from review_graph import *; from cogwork.memory import create_checkpointer\n"
        "with create_checkpointer(sys.argv[1]) as saver:\n"
        "    build(saver).invoke(answer('yes'), thread(sys.argv[2]))\n"
    )

    name = config["configurable"]["thread_id"]
    subprocess.run(
        [sys.executable, "-c", script, lasting, name], check=True, env={"PYTHONPATH": str(SUPPORT)}
    )

    assert texts(graph.get_state(config).values) == FINISHED


async def test_saver_is_an_async_context_manager(url, config):
    async with create_checkpointer(url) as saver:
        await build(saver).ainvoke(say("trip"), config)
        assert await with_state_types(saver, State).aget(config) is not None


@pytest.mark.parametrize(
    ("wrong", "offer"),
    [
        ("sqlit:///x.db", "'sqlite'"),
        ("chroma://x", "memory, postgres, postgresql, sqlite"),
        ("state.db", "sqlite:///state.db"),
        ("sqlite://x.db", "three slashes"),
        ("sqlite:///", "three slashes"),
        ("sqlite:///:memory:", "memory://"),
        ("sqlite:///x.db?timeuot=3", "'timeout'"),
        ("sqlite:///x.db?timeout=soon", "number of seconds"),
        ("memory://x", "memory://"),
        ("redis://localhost", "postgresql://"),
        ("postgresql://localhost/x?sslmod=off", "sslmod"),
    ],
)
def test_wrong_url_says_what_to_write(wrong, offer):
    with pytest.raises(ConfigurationError) as caught:
        create_checkpointer(wrong)

    assert offer in str(caught.value)


def test_wrong_url_shows_no_password():
    with pytest.raises(ConfigurationError) as caught:
        create_checkpointer("mysql://me:hunter22@host/db")

    assert "hunter22" not in str(caught.value)
