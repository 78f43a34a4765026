"""Snapshots that repeat nothing, and histories that come back exactly as they were."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.channels import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.types import Overwrite
from typing_extensions import TypedDict

from cogwork.core.errors import MemoryStoreError
from cogwork.core.messages import merge_messages
from cogwork.memory import create_checkpointer
from cogwork.memory.sqlite_saver import SqliteCheckpointer

KEY = bytes(range(16))
CONFIG: Any = {"configurable": {"thread_id": "1"}, "recursion_limit": 1_000}


class State(TypedDict, total=False):
    messages: Annotated[list[Any], DeltaChannel(merge_messages, snapshot_frequency=3)]
    count: int


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def saver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteCheckpointer]:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    with create_checkpointer(url, encryption_key=request.param) as opened:
        assert isinstance(opened, SqliteCheckpointer)
        yield opened


def talk(saver: Any, write: Callable[[int], Any]) -> Any:
    """A graph whose one node writes, as often as its input says."""

    def step(state: State) -> State:
        return {"messages": write(state["count"]), "count": state["count"] - 1}

    builder = StateGraph(State)
    builder.add_node("step", step)
    builder.add_edge(START, "step")
    builder.add_conditional_edges(
        "step", lambda state: "step" if state["count"] else END, ["step", END]
    )
    return builder.compile(checkpointer=saver)


def rows(saver: SqliteCheckpointer, query: str) -> Any:
    return saver.conn.execute(query).fetchall()


def texts(state: Any) -> list[str]:
    return [message.text for message in state.values["messages"]]


def test_snapshots_of_a_growing_history_hold_it_once(saver):
    graph = talk(saver, lambda count: [AIMessage(f"{count} " + "x" * 1_000)])
    final = graph.invoke({"messages": [HumanMessage("go")], "count": 60}, CONFIG)

    assert texts(graph.get_state(CONFIG)) == [message.text for message in final["messages"]]
    count, size = rows(saver, "SELECT count(*), sum(length(value)) FROM snapshots")[0]
    assert count >= 15
    assert size < 15_000  # whole, they would be 500 kB


def test_every_checkpoint_of_a_growing_history_is_read_as_it_was(saver):
    graph = talk(saver, lambda count: [AIMessage(str(count))])
    graph.invoke({"messages": [HumanMessage("go")], "count": 20}, CONFIG)

    lengths = [len(texts(state)) for state in graph.get_state_history(CONFIG) if state.values]

    assert lengths[:21] == list(range(21, 0, -1))


WRITES = st.lists(
    st.one_of(
        st.integers(0, 5).map(lambda n: [AIMessage(f"new {n}")]),
        st.integers(0, 5).map(lambda n: [HumanMessage("named", id=str(n))]),
        st.integers(0, 5).map(lambda n: [HumanMessage("changed", id=str(n))]),
        st.integers(0, 5).map(lambda n: [RemoveMessage(str(n))]),
        st.integers(0, 5).map(lambda n: HumanMessage("alone", id=str(n))),
        st.just(Overwrite([AIMessage("only this", id="o")])),
    ),
    min_size=1,
    max_size=20,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(WRITES)
def test_any_history_comes_back_and_forks_and_survives_pruning(saver, writes):
    saver.delete_thread("1")
    graph = talk(saver, lambda count: writes[-count])
    final = graph.invoke({"messages": ["go"], "count": len(writes)}, CONFIG)["messages"]

    states = list(graph.get_state_history(CONFIG))
    assert states[0].values["messages"] == final
    middle = states[len(states) // 2]
    fork = graph.update_state(middle.config, {"messages": [AIMessage("fork", id="f")]})
    forked = graph.get_state(fork).values["messages"]
    saver.copy_thread("1", "2")
    saver.prune(["1"])

    assert graph.get_state(CONFIG).values["messages"] == forked
    saver.delete_thread("1")
    copied = {"configurable": {**states[0].config["configurable"], "thread_id": "2"}}
    assert graph.get_state(copied).values["messages"] == final
    saver.delete_thread("2")


def test_pruned_thread_goes_on(saver):
    graph = talk(saver, lambda count: [AIMessage(str(count))])
    graph.invoke({"messages": [HumanMessage("go")], "count": 10}, CONFIG)
    before = texts(graph.get_state(CONFIG))

    saver.prune(["1"])
    assert len(rows(saver, "SELECT n FROM checkpoints")) == 2  # the last, and what it is made of
    graph.invoke({"messages": [HumanMessage("on")], "count": 4}, CONFIG)
    saver.prune(["1"])

    assert texts(graph.get_state(CONFIG)) == [*before, "on", "4", "3", "2", "1"]


def test_missing_snapshot_is_named(saver):
    graph = talk(saver, lambda count: [AIMessage(str(count))])
    graph.invoke({"messages": [HumanMessage("go")], "count": 10}, CONFIG)
    saver.conn.execute("DELETE FROM snapshots")

    with pytest.raises(MemoryStoreError, match="'messages' is missing"):
        graph.get_state(CONFIG)
