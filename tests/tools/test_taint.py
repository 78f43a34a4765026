import asyncio
import threading
from contextvars import copy_context
from typing import NotRequired, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from typing_extensions import TypedDict

from cogwork.tools.taint import (
    Taint,
    has_read,
    inherited_taint,
    label_of,
    labelled,
    merge_taint,
    reading,
    taint_in,
    taint_of,
    with_taint,
)

SOURCES = st.lists(st.text(max_size=5), max_size=5)


@given(SOURCES, SOURCES, SOURCES)
def test_taint_only_grows_in_whatever_order_it_is_written(a, b, c):
    merged = merge_taint(merge_taint(a, b), c)
    assert merged == merge_taint(a, merge_taint(c, b))
    assert merged == merge_taint(merged, [])
    assert set(a) | set(b) | set(c) == set(merged)


def result(name="fetch", **label):
    return ToolMessage("x", name=name, tool_call_id="1", response_metadata=label)


@pytest.mark.parametrize(
    ("message", "taint"),
    [
        (result(source="untrusted"), ["fetch"]),
        (result(source="untrusted", taint=["a", "b"]), ["a", "b"]),
        (result(source="trusted"), []),
        (result(), ["fetch"]),
        (result(source="somewhere"), ["fetch"]),
        (result("known"), []),
        (result("known", source="untrusted"), ["known"]),
        (ToolMessage("x", tool_call_id="1"), ["unknown"]),
        (HumanMessage("x"), []),
        (AIMessage("x"), []),
        (AIMessage("x", response_metadata={"source": "the provider's own"}), []),
        (AIMessage("x", response_metadata=label_of(["web"])), ["web"]),
        (HumanMessage("x", response_metadata={"source": "untrusted"}), ["unknown"]),
    ],
)
def test_a_message_taints_by_its_label_and_a_result_without_one_by_its_tool(message, taint):
    assert taint_of({"messages": [message]}, {"known"}) == taint
    assert taint_of({"messages": [message], "taint": ["more"]}, {"known"}) == sorted(
        [*taint, "more"]
    )


def test_an_answer_is_labelled_where_the_state_keeps_taint_and_has_some():
    answer = AIMessage("x", response_metadata={"model": "m"})
    assert labelled(answer, {"messages": [result()]}) is answer
    assert labelled(answer, {"messages": [], "taint": []}) is answer
    told = labelled(answer, {"messages": [result()], "taint": ["a"]})
    assert told.response_metadata == {"model": "m", "source": "untrusted", "taint": ["a", "fetch"]}


def test_what_is_called_inherits_and_gives_back_through_every_level():
    with reading(["a"]) as outer:
        with reading(["b"]) as inner:
            assert inherited_taint() == ["a", "b"]
            has_read("c")
            context = copy_context()
            thread = threading.Thread(target=context.run, args=(has_read, "d"))
            thread.start()
            thread.join()
        assert inner == {"c", "d"}
        assert inherited_taint() == ["a"]
    assert outer == {"c", "d"}
    assert inherited_taint() == []
    has_read("nobody asks")


async def test_what_runs_beside_it_is_not_tainted():
    async def read(source):
        with reading([source]) as found:
            await asyncio.sleep(0)
            has_read(f"{source}!")
            await asyncio.sleep(0)
            return inherited_taint(), found

    both = await asyncio.gather(read("a"), read("b"))
    assert both == [(["a"], {"a!"}), (["b"], {"b!"})]


def test_what_was_read_counts_also_when_the_call_fails():
    def fail():
        with reading([]):
            has_read("a")
            raise ValueError("no")

    with reading([]) as outer:
        with pytest.raises(ValueError, match="no"):
            fail()
        assert outer == {"a"}


def test_a_state_gets_the_key_once():
    class State(TypedDict):
        name: str
        age: NotRequired[int]

    tainted = with_taint(State)
    hints = get_type_hints(tainted, include_extras=True)
    assert hints == {"name": str, "age": NotRequired[int], "taint": NotRequired[Taint]}
    assert with_taint(tainted) is tainted


def test_without_a_state_to_look_at_nothing_is_trusted():
    assert taint_in({}) == ["unknown"]
