"""Models that answer from a cache: through LangChain's interface, and wrapped."""

import asyncio
import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.rate_limiters import InMemoryRateLimiter
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel
from scripted import ScriptedChatModel, calls

from cogwork.core.budget import Budget
from cogwork.core.budget_runs import open_budget
from cogwork.core.errors import ConfigurationError
from cogwork.core.model_cache import ModelCache
from cogwork.core.offline import OfflineChatModel
from cogwork.graphs.react import create_react_agent
from cogwork.tools import tool


@pytest.fixture(params=["memory", "file"])
def cache(request: pytest.FixtureRequest, tmp_path: Path):
    made = ModelCache(url=None if request.param == "memory" else f"sqlite:///{tmp_path}/cache.db")
    yield made
    made.close()


@pytest.fixture
def file_cache(tmp_path: Path):
    made = ModelCache(url=f"sqlite:///{tmp_path}/cache.db")
    yield made
    made.close()


class Named(ScriptedChatModel):
    """A scripted model that says what tells it apart."""

    model: str = "one"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model}

    async def _astream(self, *args: Any, **kwargs: Any) -> Any:
        for chunk in ScriptedChatModel._stream(self, *args, **kwargs):
            yield chunk


class Plain(ScriptedChatModel):
    """One that streams nothing."""

    _stream = ScriptedChatModel.__mro__[1]._stream
    _astream = ScriptedChatModel.__mro__[1]._astream


async def ask(model: Any, how: str, question: Any = "hello") -> AIMessage:
    if how == "invoke":
        return model.invoke(question)
    if how == "ainvoke":
        return await model.ainvoke(question)
    chunks: list[AIMessageChunk] = []
    if how == "stream":
        chunks = list(model.stream(question))
    else:
        chunks = [each async for each in model.astream(question)]
    whole = chunks[0]
    for each in chunks[1:]:
        whole += each
    return whole


WAYS = ["invoke", "ainvoke", "stream", "astream"]


@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", WAYS)
async def test_what_was_answered_in_one_way_is_answered_in_all(
    cache: ModelCache, first: str, second: str
):
    model = Named(script=[calls(("add", {"a": [1, "b"]}), say="I add")])
    wrapped = cache.wrap(model)
    one, other = [await ask(wrapped, how) for how in (first, second)]
    assert len(model.sent) == 1
    assert (one.text.strip(), one.tool_calls) == (other.text.strip(), other.tool_calls)
    assert other.usage_metadata == {**calls().usage_metadata, "total_cost": 0}
    assert one.id != other.id
    assert (cache.info().hits, cache.info().misses) == (1, 1)


@pytest.mark.parametrize("how", ["stream", "astream"])
async def test_stream_is_answered_as_one_chunk(cache: ModelCache, how: str):
    wrapped = cache.wrap(Named(script=["one two three"]))
    await ask(wrapped, "invoke")
    if how == "stream":
        chunks = list(wrapped.stream("hello"))
    else:
        chunks = [each async for each in wrapped.astream("hello")]
    assert [each.text for each in chunks] == ["one two three"]
    assert chunks[0].chunk_position == "last"


def test_stream_that_was_left_is_not_kept(cache: ModelCache):
    model = Named(script=["one two three", "four"])
    wrapped = cache.wrap(model)
    stream = wrapped.stream("hello")
    assert next(stream).text == "one "
    stream.close()
    assert wrapped.invoke("hello").text == "four"


def test_stream_that_is_being_read_holds_up_nobody(cache: ModelCache):
    wrapped = cache.wrap(Named(script=["one two", "three"]))
    stream = wrapped.stream("hello")
    next(stream)
    assert wrapped.invoke("hello").text == "three"
    list(stream)


def test_model_that_does_not_stream_still_does_not(cache: ModelCache):
    wrapped = cache.wrap(Plain(script=["one two"]), name="plain")
    assert [each.text for each in wrapped.stream("hello")] == ["one two"]
    assert [each.text for each in wrapped.stream("hello")] == ["one two"]
    assert cache.info().hits == 1


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_through_langchain_too(cache: ModelCache, how: str):
    model = Named(script=["a"], cache=cache)
    found = [await ask(model, how) for _ in range(3)]
    assert {each.text for each in found} == {"a"}
    assert found[1].id is None
    assert (cache.info().hits, cache.info().misses) == (2, 1)
    cache.clear()
    assert cache.lookup("hello", "model") is None


async def test_text_models_through_langchain(cache: ModelCache):
    model = FakeListLLM(responses=["a", "b"], cache=cache)
    assert [model.invoke("x"), await model.ainvoke("x"), model.invoke("y")] == ["a", "a", "b"]
    with pytest.raises(ConfigurationError, match="give a text model its cache=ModelCache"):
        cache.wrap(model)


def differing() -> dict[str, tuple[Any, Any]]:
    one = Named(script=["a"], forever=True)
    said = [HumanMessage("x"), AIMessage("y", response_metadata={"source": "trusted"})]
    return {
        "questions": ((one, "a"), (one, "b")),
        "roles": ((one, [HumanMessage("a")]), (one, [AIMessage("a")])),
        "borders": ((one, [HumanMessage("a"), HumanMessage("b")]), (one, [HumanMessage("ab")])),
        "tools": ((one.bind(tools=[{"name": "a"}]), "x"), (one.bind(tools=[{"name": "b"}]), "x")),
        "classes": ((one.bind(kind=int), "x"), (one.bind(kind=str), "x")),
        "stops": ((one.bind(stop=["a"]), "x"), (one, "x")),
        "parameters": ((one, "x"), (one.model_copy(update={"model": "two"}), "x")),
        "metadata": ((one, said), (one, [said[0], AIMessage("y")])),
    }


@pytest.mark.parametrize("case", differing())
def test_calls_that_differ_are_not_answered_alike(cache: ModelCache, case: str):
    for model, question in differing()[case]:
        cache.wrap(model).invoke(question)
    assert cache.info().hits == 0


def test_what_no_model_is_told_makes_no_difference(cache: ModelCache):
    wrapped = cache.wrap(Named(script=["a"]))
    for number in ("1", "2"):
        spent = {"input_tokens": 1, "output_tokens": int(number), "total_tokens": 1}
        answer = AIMessage("x", id=number, usage_metadata=spent)
        result = ToolMessage("y", tool_call_id="c", artifact=object())
        wrapped.invoke([HumanMessage("a", id=number), answer, result])
    assert cache.info().hits == 1


def test_models_that_say_nothing_of_themselves_are_not_taken_for_each_other():
    cache = ModelCache()
    models = [ScriptedChatModel(script=[each]) for each in "ab"]
    assert [cache.wrap(each).invoke("x").text for each in models] == ["a", "b"]


def test_models_that_say_nothing_of_themselves_have_a_name_in_a_file(file_cache: ModelCache):
    models = [ScriptedChatModel(script=[each]) for each in "abc"]
    with pytest.raises(ConfigurationError, match="give it a name"):
        file_cache.wrap(models[0])
    named = [file_cache.wrap(each, name=name) for each, name in zip(models, "xyx", strict=True)]
    assert [each.invoke("x").text for each in named] == ["a", "b", "a"]


@pytest.mark.parametrize("fails", [False, True])
async def test_twenty_calls_at_once_make_one(cache: ModelCache, fails: bool):
    gate, model = threading.Event(), Slow(script=[ConnectionError("away") if fails else "a", "b"])
    model.gate = gate
    wrapped = cache.wrap(model)
    with ThreadPoolExecutor(10) as pool:
        asked = [asyncio.create_task(wrapped.ainvoke("x")) for _ in range(10)]
        asked += [
            asyncio.ensure_future(asyncio.wrap_future(pool.submit(wrapped.invoke, "x")))
            for _ in range(10)
        ]
        while cache.info().coalesced < 19:
            await asyncio.sleep(0.001)
        gate.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
    assert len(model.sent) == 1
    assert [str(getattr(each, "text", each)) for each in found] == ["away" if fails else "a"] * 20
    assert wrapped.invoke("x").text == ("b" if fails else "a")
    assert cache.info().misses == (2 if fails else 1)


class Slow(Named):
    """Answers when it is let."""

    gate: Any = None

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        assert self.gate.wait(20)
        return super()._generate(*args, **kwargs)

    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        while not self.gate.is_set():
            await asyncio.sleep(0.001)
        return ScriptedChatModel._generate(self, *args, **kwargs)


async def test_others_ask_again_when_the_one_that_asked_is_cancelled():
    cache, model = ModelCache(), Slow(script=["a"])
    model.gate = threading.Event()
    wrapped = cache.wrap(model)
    first, *others = [asyncio.create_task(wrapped.ainvoke("x")) for _ in range(5)]
    while cache.info().coalesced < 4:
        await asyncio.sleep(0)
    first.cancel()
    model.gate.set()
    assert [each.text for each in await asyncio.gather(*others)] == ["a"] * 4
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_threads_that_all_wait_for_a_task_do_not_keep_it_from_the_file(
    file_cache: ModelCache,
):
    model = Slow(script=["a"])
    model.gate = threading.Event()
    wrapped = file_cache.wrap(model)
    with ThreadPoolExecutor(3) as pool:
        asyncio.get_running_loop().set_default_executor(pool)
        asked = [asyncio.create_task(wrapped.ainvoke("x"))]
        while not file_cache.info().misses:
            await asyncio.sleep(0.001)
        asked += [asyncio.create_task(asyncio.to_thread(wrapped.invoke, "x")) for _ in range(3)]
        while file_cache.info().coalesced < 3:
            await asyncio.sleep(0.001)
        model.gate.set()
        assert [each.text for each in await asyncio.gather(*asked)] == ["a"] * 4


def test_answers_are_not_shared(cache: ModelCache):
    wrapped = cache.wrap(Named(script=[AIMessage("a", additional_kwargs={"list": [1]})]))
    for _ in range(3):
        found = wrapped.invoke("x")
        assert found.additional_kwargs == {"list": [1]}
        found.additional_kwargs["list"].append(2)


class Person(BaseModel):
    name: str


def test_parsed_answers_are_kept_as_data(cache: ModelCache):
    answer = AIMessage("{}", additional_kwargs={"parsed": Person(name="Ada")})
    wrapped = cache.wrap(Named(script=[answer]))
    assert [wrapped.invoke("x").additional_kwargs["parsed"] for _ in range(2)] == [
        Person(name="Ada"),
        {"name": "Ada"},
    ]


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_what_is_no_plain_data_is_not_kept_but_given(cache: ModelCache, how: str):
    answer = AIMessage("a", additional_kwargs={"thing": object()})
    model = Named(script=[answer], forever=True)
    wrapped = cache.wrap(model)
    assert [(await ask(wrapped, how)).text for _ in range(2)] == ["a", "a"]
    assert len(model.sent) == 2
    assert cache.info().failed == 2
    (_, advice) = cache.info().advice()
    assert "2 results could not be kept or read" in advice


def test_arguments_that_cannot_be_told_apart_are_not_cached(cache: ModelCache):
    model = Named(script=["a"], forever=True)
    wrapped = cache.wrap(model).bind(thing=object())
    wrapped.invoke("x")
    wrapped.invoke("x")
    assert len(model.sent) == 2
    assert cache.info().last_failure == "arguments that cannot be told apart: thing, stop"


CONSTRUCTOR = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain_core", "prompts", "PromptTemplate"],
}
CRAFTED = [
    b"\x80\x04cposix\nsystem\n.",
    b"{}",
    b"[]",
    b"[1]",
    b"[" * 100_000,
    json.dumps([{"text": "a", "info": None}]).encode(),
    json.dumps([{"message": {"content": "a", "more": 1}, "info": None}]).encode(),
    json.dumps([{"message": {"content": 7}, "info": None}]).encode(),
    json.dumps([{"message": CONSTRUCTOR, "info": None}]).encode(),
    json.dumps([CONSTRUCTOR]).encode(),
]


@pytest.mark.parametrize("crafted", CRAFTED, ids=range(len(CRAFTED)))
def test_crafted_rows_are_forgotten_and_the_model_is_asked(
    tmp_path: Path, file_cache: ModelCache, crafted: bytes
):
    wrapped = file_cache.wrap(Named(script=["a", "b"]))
    wrapped.invoke("x")
    connection = sqlite3.connect(tmp_path / "cache.db")
    connection.execute("UPDATE cogwork_cache_models SET value = ?", (crafted,))
    connection.commit()
    connection.close()
    assert wrapped.invoke("x").text == "b"
    assert wrapped.invoke("x").text == "b"
    assert (file_cache.info().failed, file_cache.info().entries) == (1, 1)


def test_hits_take_no_permit_of_a_rate_limiter():
    limiter = InMemoryRateLimiter(requests_per_second=0.001, check_every_n_seconds=0.001)
    limiter.available_tokens = 1
    wrapped = ModelCache().wrap(Named(script=["a"], rate_limiter=limiter))
    assert [wrapped.invoke("x").text for _ in range(3)] == ["a"] * 3


def test_hits_cost_nothing_in_a_budget():
    model = ModelCache().wrap(Named(script=[calls(say="a")]))
    graph = StateGraph(MessagesState)
    graph.add_node("ask", lambda _: {"messages": model.invoke("x")})
    graph.add_edge(START, "ask")
    compiled = graph.compile()
    spent = []
    for _ in range(2):
        with open_budget(Budget(max_tokens=10_000)) as ledger:
            compiled.invoke({"messages": "go"})
        spent.append(ledger.spent.tokens)
    assert spent == [15, 0]


def test_an_agent_that_is_run_again_asks_nothing():
    @tool(effect="read")
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    model = Named(script=[calls(("add", {"a": 1, "b": 2})), "3"])
    cache = ModelCache()
    agent = create_react_agent(cache.wrap(model), [add])
    for _ in range(3):
        state = agent.invoke({"messages": "1 + 2?"})
        assert state["messages"][-1].text == "3"
        assert len({each.id for each in state["messages"]}) == len(state["messages"])
    assert len(model.sent) == 2


def test_messages_of_a_graph_are_streamed_alike(cache: ModelCache):
    model = cache.wrap(Named(script=["one two"]))
    graph = StateGraph(MessagesState)
    graph.add_node("ask", lambda _: {"messages": model.invoke("x")})
    graph.add_edge(START, "ask")
    compiled = graph.compile()
    for _ in range(2):
        parts = compiled.stream({"messages": "go"}, stream_mode="messages")
        assert "".join(each.text for each, _ in parts).strip() == "one two"
    assert cache.info().hits == 1


def test_wrapped_model_is_what_it_was(cache: ModelCache):
    wrapped = cache.wrap(OfflineChatModel())
    assert isinstance(wrapped, OfflineChatModel)
    assert wrapped.invoke("Who are you?").text == OfflineChatModel().invoke("Who are you?").text


def test_what_is_no_model_is_refused(cache: ModelCache):
    with pytest.raises(ConfigurationError, match="a str cannot be cached"):
        cache.wrap("offline")
