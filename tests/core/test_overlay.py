from typing import TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from cogwork.core.errors import ConfigurationError
from cogwork.core.overlay import thread_marks, thread_to_svg
from cogwork.core.topology import to_svg

THREAD = {"configurable": {"thread_id": "1"}}


class State(TypedDict):
    n: int


def ask(state):
    return {"n": state["n"] + interrupt("how much?")}


def divide(state):
    return {"n": 1 // (state["n"] - 4)}


def graph(checkpointer=None):
    inner = StateGraph(State)
    inner.add_node("count", lambda state: {"n": state["n"] + 1})
    inner.add_node("ask", ask)
    inner.add_edge(START, "count")
    inner.add_edge("count", "ask")
    outer = StateGraph(State)
    outer.add_node("before", lambda _: {"n": 1})
    outer.add_node("inner", inner.compile())
    outer.add_node("after", divide)
    outer.add_node("never", divide)
    outer.add_edge(START, "before")
    outer.add_edge("before", "inner")
    outer.add_edge("inner", "after")
    outer.add_conditional_edges("after", lambda state: "never" if state["n"] > 9 else END)
    return outer.compile(checkpointer)


def test_an_interrupted_thread_shows_where_it_waits():
    made = graph(InMemorySaver())
    made.invoke({"n": 0}, THREAD)
    marks = thread_marks(made, THREAD, xray=True)
    assert marks == {
        "__start__": "visited",
        "before": "visited",
        "inner": "interrupted",
        "inner:count": "visited",
        "inner:ask": "interrupted",
    }
    assert thread_marks(made, THREAD) == {
        name: mark for name, mark in marks.items() if ":" not in name
    }


def test_a_failed_node_and_a_finished_thread_are_told_apart():
    made = graph(InMemorySaver())
    made.invoke({"n": 0}, THREAD)
    with pytest.raises(ZeroDivisionError):
        made.invoke(Command(resume=2), THREAD)
    assert thread_marks(made, THREAD)["after"] == "failed"
    made.update_state(THREAD, {"n": 5}, as_node="inner")
    made.invoke(None, THREAD)
    marks = thread_marks(made, THREAD, xray=True)
    assert set(marks.values()) == {"visited"}
    assert "never" not in marks


def test_a_stopped_thread_shows_what_comes_next():
    made = graph(InMemorySaver())
    made.invoke({"n": 0}, THREAD, interrupt_before=["inner"])
    assert thread_marks(made, THREAD) == {
        "__start__": "visited",
        "before": "visited",
        "inner": "running",
    }


def test_what_a_fork_left_behind_does_not_count():
    made = graph(InMemorySaver())
    made.invoke({"n": 0}, THREAD)
    first = next(each for each in made.get_state_history(THREAD) if each.next == ("before",))
    waiting = made.get_state(THREAD).config
    made.update_state(first.config, {"n": 3}, as_node="before")
    assert thread_marks(made, THREAD)["inner"] == "running"
    assert thread_marks(made, waiting)["inner"] == "interrupted"


def test_the_picture_bears_the_marks():
    made = graph(InMemorySaver())
    made.invoke({"n": 0}, THREAD)
    drawn = thread_to_svg(made, THREAD, xray=True)
    assert drawn.startswith("<svg")
    assert drawn != to_svg(made, xray=True)
    assert drawn == to_svg(made, xray=True, highlight=thread_marks(made, THREAD, xray=True))


@pytest.mark.parametrize(
    ("saver", "reason"), [(None, "compile it with a checkpointer"), (InMemorySaver(), "no thread")]
)
def test_a_thread_that_is_not_there_is_named(saver, reason):
    with pytest.raises(ConfigurationError, match=reason):
        thread_marks(graph(saver), {"configurable": {"thread_id": "lost"}})
