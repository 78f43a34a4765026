import copy

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    RemoveMessage,
    ToolMessage,
)
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages
from typing_extensions import TypedDict

from cogwork.core.messages import Messages, estimate_tokens, merge_messages

ids = st.sampled_from(["a", "b", "c", "d", None])
texts = st.sampled_from(["one", "two", "three"])
written = st.one_of(
    st.builds(lambda i, t: HumanMessage(t, id=i), ids, texts),
    st.builds(lambda i, t: AIMessage(t, id=i), ids, texts),
    st.builds(lambda i: RemoveMessage(id=i or "a"), ids),
    st.just(RemoveMessage(id=REMOVE_ALL_MESSAGES)),
    texts,
    st.tuples(st.just("user"), texts),
    st.builds(lambda t: {"role": "assistant", "content": t}, texts),
)
batches = st.lists(st.one_of(written, st.lists(written, max_size=3)), max_size=5)


@given(batches, batches, batches)
def test_merging_in_batches_of_any_size_gives_the_same_history(start, xs, ys):
    state = merge_messages([], start)
    apart = merge_messages(merge_messages(state, copy.deepcopy(xs)), copy.deepcopy(ys))
    assert apart == merge_messages(state, xs + ys)


@given(batches, batches)
def test_merging_changes_neither_the_history_nor_the_writes(start, xs):
    state = merge_messages([], start)
    before, given_before = copy.deepcopy(state), copy.deepcopy(xs)
    merge_messages(state, xs)
    assert state == before
    assert xs == given_before


@given(st.lists(st.builds(lambda i, t: HumanMessage(t, id=i), st.sampled_from("abcd"), texts)))
def test_whole_messages_with_ids_merge_as_add_messages_does(messages):
    assert merge_messages([], [messages]) == add_messages([], messages)


def test_every_message_gets_an_id_and_the_same_one_on_every_replay():
    first = merge_messages([], ["hello", ("user", "again"), HumanMessage("once more")])
    assert first == merge_messages([], ["hello", ("user", "again"), HumanMessage("once more")])
    assert len({message.id for message in first}) == 3


def test_an_id_is_never_given_twice():
    history = merge_messages([], ["a", "b", "yes"])
    without_first = merge_messages(history, [RemoveMessage(id=history[0].id)])
    again = merge_messages(without_first, ["yes"])
    assert len({message.id for message in again}) == 3


def test_chunks_become_whole_messages():
    (message,) = merge_messages([], [AIMessageChunk("hi", id="1")])
    assert type(message) is AIMessage


def test_removing_an_unknown_message_leaves_the_thread_readable():
    assert merge_messages([HumanMessage("hi", id="1")], [RemoveMessage(id="nobody")]) == [
        HumanMessage("hi", id="1")
    ]


class State(TypedDict):
    messages: Messages


def test_a_thread_read_from_its_checkpoints_has_the_same_messages_and_ids():
    builder = StateGraph(State)
    builder.add_node("say", lambda state: {"messages": ("assistant", "done")})
    builder.add_edge(START, "say")
    graph = builder.compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    live = graph.invoke({"messages": "hello"}, config)["messages"]
    graph.invoke({"messages": [("user", "pair")]}, config)
    graph.invoke({"messages": ("user", "bare")}, config)
    live = graph.invoke({"messages": [{"role": "user", "content": "more"}]}, config)["messages"]
    assert graph.get_state(config).values["messages"] == live
    said = ["hello", "done", "pair", "done", "bare", "done", "more", "done"]
    assert [message.text for message in live] == said
    for snapshot in graph.get_state_history(config):
        told = snapshot.values.get("messages", [])
        assert told == live[: len(told)]


def test_the_token_estimate_counts_text_calls_and_pictures():
    assert estimate_tokens(HumanMessage("a" * 400)) == 104
    assert estimate_tokens(HumanMessage("漢字" * 100)) == 154
    assert estimate_tokens(ToolMessage("", tool_call_id="1")) == 4
    call = AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "1"}])
    assert estimate_tokens(call) > 4
    picture = HumanMessage(
        [{"type": "text", "text": "a" * 40}, {"type": "image_url", "image_url": {}}]
    )
    assert estimate_tokens(picture) == 4 + (40 + 4_000) // 4
