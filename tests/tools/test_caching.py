"""A cache for tools that read: what is the same is read once."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import InjectedToolCallId
from langchain_core.tools import tool as langchain_tool
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from scripted import ScriptedChatModel, calls

from cogwork.core.errors import ConfigurationError
from cogwork.graphs.react import create_react_agent
from cogwork.tools.base import tool, with_spec
from cogwork.tools.caching import CacheInfo, ToolCache
from cogwork.tools.files import file_tools
from cogwork.tools.registry import load_tools
from cogwork.tools.taint import has_read, reading


class Source:
    """Something to be read, which counts its readings."""

    def __init__(self) -> None:
        self.read: list[Any] = []
        self.faults: list[Exception] = []
        self.gate = threading.Event()
        self.gate.set()

    def tool(self, cache: ToolCache) -> Any:
        @tool(effect="read")
        def look(what: str, size: int = 1) -> dict[str, Any]:
            """Look something up."""
            self.read.append((what, size))
            has_read(f"about {what}")
            assert self.gate.wait(10)
            if self.faults:
                raise self.faults.pop()
            return {"what": what, "size": size}

        return cache.wrap(look)

    def async_tool(self, cache: ToolCache) -> Any:
        @tool(effect="read")
        async def look(what: str) -> str:
            """Look something up."""
            self.read.append(what)
            has_read(f"about {what}")
            while not self.gate.is_set():
                await asyncio.sleep(0.001)
            if self.faults:
                raise self.faults.pop()
            return what.upper()

        return cache.wrap(look)


@pytest.fixture
def source() -> Source:
    return Source()


def test_same_arguments_are_read_once(source: Source):
    cache = ToolCache()
    look = source.tool(cache)
    first = look.invoke({"what": "a"})
    assert look.invoke({"what": "a", "size": 1}) == first
    assert look.invoke({"size": 1, "what": "a"}) == first
    assert look.invoke({"what": "a", "size": 2}) != first
    assert source.read == [("a", 1), ("a", 2)]
    assert cache.info() == CacheInfo(hits=2, misses=2, entries=2)


def test_results_are_not_shared(source: Source):
    look = source.tool(ToolCache())
    look.invoke({"what": "a"})["what"] = "changed"
    assert look.invoke({"what": "a"})["what"] == "a"


def test_least_recently_used_result_goes_first(source: Source):
    look = source.tool(ToolCache(max_entries=2))
    for what in "abacab":
        look.invoke({"what": what})
    assert [what for what, _ in source.read] == ["a", "b", "c", "b"]


def test_result_holds_for_its_time(source: Source, monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    monkeypatch.setattr("cogwork.core.caching.time.monotonic", lambda: now[0])
    look = source.tool(ToolCache(ttl=10))
    for now[0] in (0.0, 9.9, 10.1, 20.0):
        look.invoke({"what": "a"})
    assert len(source.read) == 2


def test_failure_is_not_kept(source: Source):
    source.faults = [ConnectionError("away")]
    cache = ToolCache()
    look = source.tool(cache)
    with pytest.raises(ConnectionError):
        look.invoke({"what": "a"})
    assert look.invoke({"what": "a"}) == {"what": "a", "size": 1}
    assert cache.info().entries == 1


def test_clear_forgets(source: Source):
    cache = ToolCache()
    look = source.tool(cache)
    look.invoke({"what": "a"})
    cache.clear()
    look.invoke({"what": "a"})
    assert len(source.read) == 2


@pytest.mark.parametrize("fails", [False, True])
def test_threads_that_ask_at_once_make_one_call(source: Source, fails: bool):
    source.gate.clear()
    source.faults = [ConnectionError("away")] if fails else []
    cache = ToolCache()
    look = source.tool(cache)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(look.invoke, {"what": "a"}) for _ in range(8)]
        while cache.info().coalesced < 7:
            pass
        source.gate.set()
    assert len(source.read) == 1
    assert [type(each.exception()) for each in asked] == [
        ConnectionError if fails else type(None)
    ] * 8


@pytest.mark.parametrize("fails", [False, True])
async def test_tasks_that_ask_at_once_make_one_call(source: Source, fails: bool):
    source.gate.clear()
    source.faults = [ConnectionError("away")] if fails else []
    cache = ToolCache()
    look = source.async_tool(cache)
    asked = [asyncio.create_task(look.ainvoke({"what": "a"})) for _ in range(20)]
    while cache.info().coalesced < 19:
        await asyncio.sleep(0)
    source.gate.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert len(source.read) == 1
    assert [str(each) for each in found] == ["away" if fails else "A"] * 20


async def test_others_go_on_when_the_one_that_called_is_cancelled(source: Source):
    source.gate.clear()
    cache = ToolCache()
    look = source.async_tool(cache)
    first, *others = [asyncio.create_task(look.ainvoke({"what": "a"})) for _ in range(5)]
    while cache.info().coalesced < 4:
        await asyncio.sleep(0)
    first.cancel()
    others.pop().cancel()
    source.gate.set()
    assert await asyncio.gather(*others) == ["A"] * 3
    with pytest.raises(asyncio.CancelledError):
        await first
    assert len(source.read) == 2


def test_tools_that_change_something_are_refused():
    @tool(effect="write")
    def save(text: str) -> str:
        """Save."""
        return text

    with pytest.raises(ConfigurationError, match="'save' has the effect 'write'"):
        ToolCache().wrap(save)


def test_tools_that_read_more_than_their_arguments_are_refused():
    @tool(effect="read")
    def mine(config: RunnableConfig) -> str:
        """Say who asks."""
        return str(config["configurable"]["user"])

    @tool(effect="read")
    def call(tool_call_id: Annotated[str, InjectedToolCallId]) -> str:
        """Say which call it is."""
        return tool_call_id

    for each in (mine, call):
        with pytest.raises(ConfigurationError, match="reads its run's config or state"):
            ToolCache().wrap(each)


class Hidden(BaseModel):
    value: int = Field(repr=False)


class Opaque(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    thing: Any


@dataclass
class Plain:
    value: int


class Colour(Enum):
    RED = 1
    BLUE = 2


DIFFERENT = {
    "secrets": (SecretStr, "alice", "bob"),
    "fields without a repr": (Hidden, {"value": 1}, {"value": 2}),
    "keys": (dict[int, str] | dict[str, str], {1: "a"}, {"1": "a"}),
    "numbers and truth": (Any, 1, True),
    "whole and not": (Any, 1, 1.0),
    "signs of nothing": (float, 0.0, -0.0),
    "members": (Colour, 1, 2),
    "dataclasses": (Plain, {"value": 1}, {"value": 2}),
    "nesting": (Any, [["a"], "b"], ["a", ["b"]]),
    "quotes": (Any, ["a', 'b"], ["a", "b"]),
    "what cannot be told apart": (Opaque, {"thing": object}, {"thing": object}),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_calls_that_differ_are_never_answered_alike(case: str):
    kind, one, other = DIFFERENT[case]
    asked: list[Any] = []

    def look(what: Any) -> int:
        """Look something up."""
        asked.append(what)
        return len(asked)

    look.__annotations__["what"] = kind
    cached = ToolCache().wrap(tool(effect="read")(look))
    assert [cached.invoke({"what": each}) for each in (one, other)] == [1, 2]


@pytest.mark.parametrize("case", [case for case in DIFFERENT if "cannot" not in case])
def test_calls_that_are_the_same_are_answered_alike(case: str):
    kind, one, _ = DIFFERENT[case]
    asked: list[Any] = []

    def look(what: Any) -> int:
        """Look something up."""
        asked.append(what)
        return len(asked)

    look.__annotations__["what"] = kind
    cached = ToolCache().wrap(tool(effect="read")(look))
    assert [cached.invoke({"what": each}) for each in (one, one)] == [1, 1]


def test_arguments_that_nest_too_deeply_are_not_cached():
    @tool(effect="read")
    def look(what: Any) -> int:
        """Look something up."""
        asked.append(1)
        return len(asked)

    asked: list[int] = []
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    cached: Any = ToolCache().wrap(look)
    assert [cached.func(what=deep) for _ in range(2)] == [1, 2]


def test_tools_of_one_name_do_not_share_results(tmp_path: Path):
    cache = ToolCache()
    read = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(name)
        read.append(cache.wrap(file_tools(tmp_path / name)[0]))
    assert [each.invoke({"path": "a.txt"}) for each in read] == ["one", "two"]


def test_copies_of_a_tool_share_results(source: Source):
    cache = ToolCache()
    for _ in range(2):
        [calculator] = map(cache.wrap, load_tools("calculator"))
        assert calculator.invoke({"expression": "6 * 7"}) == "42"
    assert cache.info().hits == 1


@pytest.mark.parametrize("limits", [{"ttl": 0}, {"max_entries": -1}])
def test_limits_are_positive(limits: dict[str, float]):
    with pytest.raises(ConfigurationError, match="must be more than 0"):
        ToolCache(**limits)


def test_agents_share_it_and_tools_of_others_may_be_cached(source: Source):
    @langchain_tool
    def look(what: str) -> str:
        """Look something up."""
        source.read.append(what)
        return what.upper()

    cache = ToolCache()
    cached = cache.wrap(with_spec(look, effect="read"))
    for _ in range(2):
        model = ScriptedChatModel(script=[calls(("look", {"what": "a"})), "done"])
        state = create_react_agent(model, [cached]).invoke({"messages": "look"})
        assert state["messages"][-2].text == "A"
    assert source.read == ["a"]


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_who_is_answered_from_it_has_read_what_the_call_read(source: Source, how: str):
    cache = ToolCache()
    look = (source.tool if how == "invoke" else source.async_tool)(cache)
    for what in ("a", "a", "b", "a"):
        with reading(["mine"]) as found:
            call = getattr(look, how)({"what": what})
            await call if how == "ainvoke" else None
        assert found == {f"about {what}"}
    assert cache.info().hits == 2


@pytest.mark.parametrize("fails", [False, True])
def test_threads_that_waited_for_it_have_read_it_too(source: Source, fails: bool):
    source.gate.clear()
    source.faults = [ConnectionError("away")] if fails else []
    cache = ToolCache()
    look = source.tool(cache)

    def ask() -> set[str]:
        with reading(()) as found, suppress(ConnectionError):
            look.invoke({"what": "a"})
        return found

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask) for _ in range(4)]
        while cache.info().coalesced < 3:
            pass
        source.gate.set()
    assert [each.result() for each in asked] == [{"about a"}] * 4


@pytest.mark.parametrize("fails", [False, True])
async def test_so_have_tasks(source: Source, fails: bool):
    source.gate.clear()
    source.faults = [ConnectionError("away")] if fails else []
    cache = ToolCache()
    look = source.async_tool(cache)

    async def ask() -> set[str]:
        with reading(()) as found, suppress(ConnectionError):
            await look.ainvoke({"what": "a"})
        return found

    asked = [asyncio.create_task(ask()) for _ in range(4)]
    while cache.info().coalesced < 3:
        await asyncio.sleep(0)
    source.gate.set()
    assert await asyncio.gather(*asked) == [{"about a"}] * 4


def test_a_failure_that_was_told_to_all_is_not_complained_of(source: Source):
    complaints: list[Any] = []

    async def ask() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
        source.gate.clear()
        source.faults = [ConnectionError("away")]
        cache = ToolCache()
        look = source.async_tool(cache)
        asked = [asyncio.create_task(look.ainvoke({"what": "a"})) for _ in range(3)]
        while cache.info().coalesced < 2:
            await asyncio.sleep(0)
        source.gate.set()
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(each) for each in told] == [ConnectionError] * 3

    asyncio.run(ask())
    gc.collect()
    assert not complaints


def test_objects_in_memory_have_no_bytes_to_bound():
    with pytest.raises(ConfigurationError, match="max_bytes bounds a file"):
        ToolCache(max_bytes=1_000)


class Live:
    """A result that cannot be copied."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


async def test_what_cannot_be_copied_is_given_out_once_and_not_kept():
    made: list[Live] = []
    gate = asyncio.Event()

    @tool(effect="read")
    async def look(what: str) -> Any:
        """Look."""
        await gate.wait()
        made.append(Live())
        return made[-1]

    cache = ToolCache()
    wrapped = cache.wrap(look)
    calls_at_once = [asyncio.create_task(wrapped.coroutine(what="door")) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    given = [*await asyncio.gather(*calls_at_once), await wrapped.coroutine(what="door")]
    assert len({id(each) for each in given}) == 4
    assert {id(each) for each in given} == {id(each) for each in made}
    assert cache.info().entries == 0
    assert "a Live cannot be copied" in cache.info().last_failure
