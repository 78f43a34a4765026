"""Keyed steps: recorded before they are seen, by content, and never done twice."""

import asyncio
import operator
import threading
import time
from typing import Annotated, Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.types import RESUME
from langgraph.errors import GraphInterrupt
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, Send, interrupt
from typing_extensions import TypedDict

from cogwork.core.bridge import node
from cogwork.core.errors import ConfigurationError, InDoubtError, MemoryStoreError
from cogwork.core.journal import Journal
from cogwork.memory import create_checkpointer

NO_TASK = "00000000-0000-0000-0000-000000000000"
THREAD: RunnableConfig = {"configurable": {"thread_id": "1"}}


class State(TypedDict, total=False):
    done: Any
    asked: str


def graph_of(function, saver="memory://", **options):
    """A graph of one node, and its checkpointer."""
    builder = StateGraph(State)
    builder.add_node("work", function, **options)
    builder.add_edge(START, "work")
    return builder.compile(checkpointer=create_checkpointer(saver) if saver else None)


class Calls(list):
    """Counts how often each step ran."""

    async def note(self, name):
        self.append(name)
        return f"did {name}"

    def note_sync(self, name):
        self.append(name)
        return f"did {name}"


@pytest.fixture(params=["memory://", "sqlite:///steps.db"])
def saver(request):
    return request.param


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_steps_before_a_failure_are_not_run_again_when_the_node_is_retried(saver, durability):
    ran = Calls()

    async def work(state: State, config: RunnableConfig) -> State:
        journal = Journal(config)
        first, second = await asyncio.gather(
            journal.step("a", ran.note, "a"), journal.step("b", ran.note, "b")
        )
        ran.append("attempt")
        if ran.count("attempt") < 3:
            raise ConnectionError("again")
        return {"done": [first, second]}

    graph = graph_of(work, saver, retry_policy=RetryPolicy(initial_interval=0.01))
    result = await graph.ainvoke({}, THREAD, durability=durability)
    assert result["done"] == ["did a", "did b"]
    assert sorted(ran) == ["a", "attempt", "attempt", "attempt", "b"]


def test_sync_steps_are_recorded_too(saver):
    ran = Calls()

    def work(state: State, config: RunnableConfig) -> State:
        done = Journal(config).step_sync("a", ran.note_sync, "a", effect="write")
        return {"done": done, "asked": interrupt("well?")}

    graph = graph_of(work, saver)
    graph.invoke({}, THREAD)
    assert graph.invoke(Command(resume="yes"), THREAD) == {"done": "did a", "asked": "yes"}
    assert ran == ["a"]


def test_node_of_the_house_journals_in_a_synchronous_run(saver):
    ran = Calls()

    @node(loop=True)
    async def work(state, config: RunnableConfig):
        """Reads: done."""
        done = await Journal(config).step("a", ran.note, "a")
        return {"done": done, "asked": interrupt("well?")}

    graph = graph_of(work, saver)
    graph.invoke({}, THREAD)
    assert graph.invoke(Command(resume="yes"), THREAD)["asked"] == "yes"
    assert ran == ["a"]


async def test_steps_with_one_key_at_the_same_time_run_once():
    ran = Calls()

    async def work(state: State, config: RunnableConfig) -> State:
        journal = Journal(config)
        return {"done": await asyncio.gather(*(journal.step("a", ran.note, "a") for _ in "123"))}

    assert (await graph_of(work).ainvoke({}, THREAD))["done"] == ["did a"] * 3
    assert ran == ["a"]


def test_sync_steps_with_one_key_in_several_threads_run_once():
    ran = Calls()

    def work(state: State, config: RunnableConfig) -> State:
        journal = Journal(config)
        threads = [
            threading.Thread(target=journal.step_sync, args=("a", ran.note_sync, "a"))
            for _ in range(8)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return {"done": True}

    graph_of(work, "sqlite:///steps.db").invoke({}, THREAD)
    assert ran == ["a"]


async def test_parallel_tasks_keep_their_steps_apart(saver):
    async def work(state: State, config: RunnableConfig) -> State:
        async def name() -> str:
            return state["asked"]

        return {"done": [await Journal(config).step("same key", name)]}

    class Collected(TypedDict, total=False):
        done: Annotated[list[str], operator.add]

    builder = StateGraph(Collected)
    builder.add_node("work", work)
    builder.add_conditional_edges(
        START, lambda _: [Send("work", {"asked": name}) for name in "xyz"], ["work"]
    )
    graph = builder.compile(checkpointer=create_checkpointer(saver))
    assert sorted((await graph.ainvoke({}, THREAD))["done"]) == ["x", "y", "z"]


async def test_nested_graph_answers_from_its_own_records(saver):
    ran = Calls()

    async def work(state: State, config: RunnableConfig) -> State:
        done = await Journal(config).step("a", ran.note, "a")
        return {"done": done, "asked": interrupt("well?")}

    inner = StateGraph(State)
    inner.add_node("work", work)
    inner.add_edge(START, "work")
    graph = graph_of(inner.compile(), saver)
    await graph.ainvoke({}, THREAD)
    assert (await graph.ainvoke(Command(resume="yes"), THREAD))["asked"] == "yes"
    assert ran == ["a"]


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_nothing_happens_before_the_graphs_around_are_saved(how):
    class Slow(InMemorySaver):
        """Writes the outermost graph's checkpoints late, as a busy server may."""

        def put(self, config, checkpoint, metadata, new_versions):
            if not config["configurable"].get("checkpoint_ns"):
                late.wait(0.2)
            return super().put(config, checkpoint, metadata, new_versions)

        async def aput(self, *given):
            return await asyncio.to_thread(self.put, *given)

    late, seen, slow = threading.Event(), [], Slow()

    def effect():
        found = slow.get_tuple(THREAD)
        seen.append(found and found.metadata["step"])

    @node(loop=True)
    async def work(state, config: RunnableConfig):
        """Reads: done."""
        return {"done": await Journal(config).step("a", effect, effect="external")}

    outer = StateGraph(State)
    builder = StateGraph(State)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    outer.add_node("inner", builder.compile())
    outer.add_edge(START, "inner")
    graph = outer.compile(checkpointer=slow)
    if how == "invoke":
        graph.invoke({}, THREAD, durability="async")
    else:
        await graph.ainvoke({}, THREAD, durability="async")
    assert seen == [0]  # the checkpoint from which the graph inside is begun


def asks_twice(*, loop: bool):
    """A node that drops the answer which it took before it asks again."""

    @node(loop=loop)
    async def work(state, config: RunnableConfig):
        """Reads: done."""
        journal = Journal(config)
        try:
            return {"done": [interrupt("first?"), interrupt("second?")]}
        except GraphInterrupt:
            await journal.drop_answer()
            raise

    return work


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
@pytest.mark.parametrize("loop", [False, True])
async def test_answer_that_was_taken_answers_no_other_question(saver, how, loop):
    graph = graph_of(asks_twice(loop=loop), saver)

    async def run(given):
        return (
            graph.invoke(given, THREAD) if how == "invoke" else await graph.ainvoke(given, THREAD)
        )

    await run({})
    for given in (Command(resume="yes"), None, None):
        (asked,) = (await run(given))["__interrupt__"]
        assert asked.value == "second?"
    assert (await run(Command(resume="no")))["done"] == ["yes", "no"]


class LateSaver(InMemorySaver):
    """Saves an answer only when the question after it has been asked."""

    def put_writes(self, config, writes, task_id, task_path=""):
        if writes[0] == (RESUME, "yes") and task_id == NO_TASK:
            time.sleep(0.1)
        super().put_writes(config, writes, task_id, task_path)

    async def aput_writes(self, config, writes, task_id, task_path=""):
        await asyncio.to_thread(self.put_writes, config, writes, task_id, task_path)


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_answer_that_is_saved_late_answers_no_other_question_either(how):
    graph = graph_of(asks_twice(loop=False), None)
    graph.checkpointer = LateSaver()

    async def run(given):
        if how == "ainvoke":
            return await graph.ainvoke(given, THREAD)
        return await asyncio.to_thread(graph.invoke, given, THREAD)

    await run({})
    await run(Command(resume="yes"))
    (asked,) = (await run(None))["__interrupt__"]
    assert asked.value == "second?"


async def test_fork_and_second_run_start_clean(saver):
    ran = Calls()

    async def work(state: State, config: RunnableConfig) -> State:
        return {"done": await Journal(config).step("a", ran.note, "a")}

    graph = graph_of(work, saver)
    await graph.ainvoke({}, THREAD)
    before = await anext(
        past async for past in graph.aget_state_history(THREAD) if past.next == ("work",)
    )
    await graph.ainvoke(None, before.config)
    await graph.ainvoke({}, THREAD)
    assert ran == ["a", "a", "a"]


async def test_records_go_with_their_thread():
    saver = create_checkpointer("sqlite:///steps.db")

    async def work(state: State, config: RunnableConfig) -> State:
        return {"done": await Journal(config).step("a", asyncio.sleep, 0, "done")}

    builder = StateGraph(State)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    await builder.compile(checkpointer=saver).ainvoke({}, THREAD)
    count = "SELECT count(*) FROM writes WHERE channel = '__journal__'"
    assert saver.conn.execute(count).fetchone() == (1,)
    await saver.adelete_thread("1")
    assert saver.conn.execute(count).fetchone() == (0,)


async def test_state_shows_nothing_of_the_records(saver):
    async def work(state: State, config: RunnableConfig) -> State:
        await Journal(config).step("a", asyncio.sleep, 0, "done")
        return {"asked": interrupt("well?")}

    graph = graph_of(work, saver)
    await graph.ainvoke({"done": 1}, THREAD)
    state = await graph.aget_state(THREAD)
    assert state.values == {"done": 1}
    assert state.next == ("work",)
    assert [task.name for task in state.tasks] == ["work"]


async def test_failed_step_is_tried_again_and_a_failed_effect_is_not_in_doubt(saver):
    tries = []

    async def flaky():
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("refused")
        return "sent"

    async def work(state: State, config: RunnableConfig) -> State:
        return {"done": await Journal(config).step("mail", flaky, effect="external")}

    graph = graph_of(work, saver, retry_policy=RetryPolicy(initial_interval=0.01))
    assert await graph.ainvoke({}, THREAD) == {"done": "sent"}
    assert len(tries) == 3


async def test_cancelled_effect_is_in_doubt_when_its_thread_goes_on(saver):
    began = asyncio.Event()

    async def hang():
        began.set()
        await asyncio.Event().wait()

    async def work(state: State, config: RunnableConfig) -> State:
        return {"done": await Journal(config).step("pay", hang, effect="external")}

    graph = graph_of(work, saver)
    running = asyncio.create_task(graph.ainvoke({}, THREAD))
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(InDoubtError, match="step 'pay' had begun"):
        await graph.ainvoke(None, THREAD)


async def test_settled_and_repeatable_steps_are_not_in_doubt(saver):
    ran = Calls()

    async def cut_off():
        ran.append("began")
        raise asyncio.CancelledError

    async def work(state: State, config: RunnableConfig) -> State:
        for key in ("pay", "mail"):
            with pytest.raises(asyncio.CancelledError):
                await Journal(config).step(key, cut_off, effect="external")
        again = Journal(config)
        with pytest.raises(InDoubtError):
            await again.step("pay", ran.note, "pay", effect="external")
        await again.settle("pay", "paid by hand")
        paid = await again.step("pay", ran.note, "pay", effect="external")
        sent = await again.step("mail", ran.note, "mail", effect="external", on_doubt="retry")
        return {"done": [paid, sent, sorted(await again.finished())]}

    result = await graph_of(work, saver).ainvoke({}, THREAD)
    assert result["done"] == ["paid by hand", "did mail", ["mail", "pay"]]
    assert ran == ["began", "began", "mail"]


async def test_result_that_cannot_be_saved_is_named():
    async def work(state: State, config: RunnableConfig) -> State:
        return {"done": await Journal(config).step("lock", threading.Lock)}

    with pytest.raises(MemoryStoreError, match=r"step 'lock' cannot be recorded: .*lock"):
        await graph_of(work).ainvoke({}, THREAD)


@pytest.mark.parametrize("key", ["", None, 3])
async def test_step_without_a_name_is_refused(key):
    async def work(state: State, config: RunnableConfig) -> State:
        return {"done": await Journal(config).step(key, asyncio.sleep, 0)}

    with pytest.raises(ConfigurationError, match="name the step"):
        await graph_of(work).ainvoke({}, THREAD)


def test_journal_outside_of_a_node_is_refused():
    with pytest.raises(ConfigurationError, match="in a node"):
        Journal({"configurable": {}})


async def test_without_a_checkpointer_a_retried_node_still_knows_its_steps():
    ran = Calls()

    async def work(state: State, config: RunnableConfig) -> State:
        done = await Journal(config).step("a", ran.note, "a")
        ran.append("attempt")
        if ran.count("attempt") < 2:
            raise ConnectionError("again")
        return {"done": done}

    graph = graph_of(work, None, retry_policy=RetryPolicy(initial_interval=0.01))
    for _ in range(2):
        assert await graph.ainvoke({}) == {"done": "did a"}
    assert ran == ["a", "attempt", "attempt", "a", "attempt"]


@pytest.mark.parametrize("runs", ["invoke", "ainvoke"])
async def test_intent_is_on_the_disk_before_its_effect_and_the_result_waits_for_no_disk(
    tmp_path, runs
):
    synced: list[int] = []

    def look() -> None:
        [(level,)] = graph.checkpointer.conn.execute("PRAGMA synchronous").fetchall()
        synced.append(level)

    async def pay() -> str:
        look()
        return "paid"

    @node
    async def work(state: State, config: RunnableConfig) -> State:
        await Journal(config).step("pay", pay, effect="external")
        look()
        return {"done": "yes"}

    graph = graph_of(work, f"sqlite:///{tmp_path / 'c.db'}")
    if runs == "ainvoke":
        await graph.ainvoke({}, THREAD, durability="sync")
    else:
        await asyncio.to_thread(graph.invoke, {}, THREAD, durability="sync")
    look()

    assert synced == [2, 1, 2]  # FULL, NORMAL, and FULL for what comes after
