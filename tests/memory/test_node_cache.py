"""LangGraph's cache for nodes: bounded, and it constructs nothing that is not allowed."""

import pickle
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import CachePolicy
from typing_extensions import TypedDict

from cogwork.memory.node_cache import NodeCache


@dataclass
class Point:
    """A class of somebody's state."""

    x: int


class State(TypedDict, total=False):
    """What goes through the graph."""

    number: int
    messages: Annotated[list[Any], add_messages]
    point: Any


@pytest.fixture(params=["memory", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    return None if request.param == "memory" else f"sqlite:///{tmp_path}/nodes.sqlite"


@pytest.fixture
def cache(place: str | None) -> Iterator[NodeCache]:
    made = NodeCache(url=place)
    yield made
    made.close()


def graph(cache: NodeCache, ran: list[int], ttl: int | None = None) -> Any:
    def work(state: State) -> State:
        ran.append(state["number"])
        return {"messages": [AIMessage(f"did {state['number']}")], "point": Point(1)}

    builder = StateGraph(State)
    builder.add_node(
        "work", work, cache_policy=CachePolicy(key_func=lambda state: str(state["number"]), ttl=ttl)
    )
    builder.add_edge(START, "work")
    return builder.compile(cache=cache)


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_node_runs_once_for_what_it_was_given_before(place: str | None, how: str):
    cache = NodeCache(url=place, allowed_types=[Point])
    ran: list[int] = []
    compiled = graph(cache, ran)
    for number in (1, 1, 2, 1):
        given = {"number": number, "messages": [HumanMessage("go")]}
        state = compiled.invoke(given) if how == "invoke" else await compiled.ainvoke(given)
        assert state["messages"][-1].text == f"did {number}"
        assert state["point"] == Point(1)
    assert ran == [1, 2]
    assert (cache.info().hits, cache.info().misses, cache.info().failed) == (2, 2, 0)
    cache.close()


def test_what_may_not_be_constructed_is_forgotten_and_the_node_runs(cache: NodeCache):
    ran: list[int] = []
    compiled = graph(cache, ran)
    for _ in range(2):
        assert compiled.invoke({"number": 1})["point"] == Point(1)
    assert ran == [1, 1]
    assert "Point, which may not be constructed" in cache.info().last_failure


def test_what_cannot_be_written_is_not_kept_and_named(cache: NodeCache):
    cache.set({(("a",), "1"): (object(), None), (("a",), "2"): ("kept", None)})
    assert cache.get([(("a",), "1"), (("a",), "2")]) == {(("a",), "2"): "kept"}
    assert "cannot be saved" in cache.info().last_failure


def test_least_recently_used_goes_first(place: str | None):
    cache = NodeCache(url=place, max_entries=2)
    keys = [(("a",), name) for name in "xyz"]
    for key in keys[:2]:
        cache.set({key: ("value", None)})
    cache.get(keys[:1])
    cache.set({keys[2]: ("value", None)})
    assert [*cache.get(keys)] == [keys[0], keys[2]]
    cache.close()


async def test_time_of_the_policy_goes_before_the_cache(
    cache: NodeCache, monkeypatch: pytest.MonkeyPatch
):
    now = [100.0]
    for clock in ("caching.time.monotonic", "cache_file.time.time"):
        monkeypatch.setattr(f"cogwork.core.{clock}", lambda: now[0])
    keys = [((), "short"), ((), "long")]
    await cache.aset({keys[0]: (1, 10), keys[1]: (2, None)})
    now[0] += 11
    assert await cache.aget(keys) == {keys[1]: 2}


async def test_namespaces_are_cleared_alone_and_told_apart(cache: NodeCache):
    keys = [(("a", "b"), "x"), (("a,b",), "x"), ((), "x")]
    for number, key in enumerate(keys):
        cache.set({key: (number, None)})
    assert cache.get(keys) == {key: number for number, key in enumerate(keys)}
    cache.clear([("a", "b")])
    assert [*cache.get(keys)] == keys[1:]
    cache.clear([])
    assert len(cache.get(keys)) == 2
    await cache.aclear()
    assert cache.get(keys) == {}


class Gadget:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("executed"),)


@pytest.mark.parametrize("kind", ["pickle", "msgpack", "json"])
def test_crafted_rows_execute_nothing(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    cache = NodeCache(url="sqlite:///nodes.sqlite")
    key = (("a",), "x")
    cache.set({key: ("value", None)})
    cache.close()
    crafted = {
        "pickle": pickle.dumps(Gadget()),
        "msgpack": JsonPlusSerializer().dumps_typed(Point(1))[1],
        "json": b'{"lc": 2, "type": "constructor", "id": ["os", "mkdir"], "args": ["executed"]}',
    }[kind]
    connection = sqlite3.connect("nodes.sqlite")
    connection.execute(
        "UPDATE cogwork_cache_nodes SET value = ?", (kind.encode() + b"\0" + crafted,)
    )
    connection.commit()
    connection.close()
    assert cache.get([key]) == {}
    assert (cache.info().failed, cache.info().entries) == (1, 0)
    assert not Path("executed").exists()
    cache.close()
