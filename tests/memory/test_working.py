import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from cogwork.core.errors import ConfigurationError
from cogwork.memory import create_checkpointer, with_state_types
from cogwork.memory.working import (
    WorkingItem,
    WorkingLimits,
    WorkingMemory,
    context,
    extract,
    make_merge_working,
    merge_working,
    remove,
    token_count,
    use,
    working_item,
)

REPORT = " ".join(
    f"Pump {place} of the plant ran. The pressure of pump {place} was {place} bar."
    for place in range(60)
)

items = st.builds(
    WorkingItem,
    id=st.sampled_from("abcdefghijkl"),
    text=st.text(max_size=80),
    importance=st.floats(0, 1),
    added_at=st.integers(0, 50).map(float),
    used_at=st.integers(50, 100).map(float),
    expires_at=st.none() | st.integers(0, 200).map(float),
)


def item(name, at=0.0, **values):
    return working_item(values.pop("text", f"item {name}"), id=name, now=at, **values)


def ids(found):
    return [each.id for each in found]


@given(
    st.lists(items, max_size=12),
    st.lists(items, max_size=12),
    st.builds(
        WorkingLimits,
        capacity=st.integers(1, 8),
        max_tokens=st.integers(1, 60),
        long_tokens=st.integers(1, 10),
    ),
)
def test_the_channel_never_exceeds_its_limits(current, writes, limits):
    merge = make_merge_working(limits)
    merged = merge(merge([], current), writes)
    assert len(merged) <= limits.capacity
    assert token_count(merged) <= limits.max_tokens
    assert len(set(ids(merged))) == len(merged)
    assert set(ids(merged)) <= set(ids([*current, *writes]))
    assert [each.added_at for each in merged] == sorted(each.added_at for each in merged)
    assert merge(merged, []) == merged


@given(st.lists(items, max_size=12), st.lists(items, max_size=12))
def test_merging_leaves_its_arguments_alone_and_is_repeatable(current, writes):
    before = (list(current), list(writes))
    assert merge_working(current, writes) == merge_working(current, writes)
    assert (current, writes) == before


def test_seven_items_are_kept_and_the_least_recently_used_goes():
    held = merge_working([], [item(name, at) for at, name in enumerate("abcdefg")])
    held = merge_working(held, [use(held[0], now=10.0)])
    held = merge_working(held, [item("h", 11.0)])
    assert ids(held) == list("acdefgh")


def test_of_equally_recent_ones_the_less_important_goes():
    merge = make_merge_working(WorkingLimits(capacity=2))
    written = [item("a", importance=0.9), item("b", importance=0.1), item("c", importance=0.5)]
    assert ids(merge([], written)) == ["a", "c"]


def test_an_item_expires_and_can_be_removed():
    held = merge_working([], [item("short", ttl=5), item("long", ttl=100), item("kept")])
    assert ids(context(held, "item", now=6.0)) == ["kept", "long"]
    held = merge_working(held, [item("new", at=6.0)])
    assert ids(held) == ["kept", "long", "new"]
    assert ids(merge_working(held, [remove(held[0])])) == ["long", "new"]


def test_a_known_id_is_replaced_and_keeps_its_place_in_time():
    held = merge_working([], [item("a", 1.0), item("b", 2.0)])
    held = merge_working(held, [item("a", 3.0, text="other words")])
    assert [(each.id, each.text, each.used_at) for each in held] == [
        ("a", "other words", 3.0),
        ("b", "item b", 2.0),
    ]


def test_long_unimportant_items_are_summarized_before_anything_goes():
    merge = make_merge_working(WorkingLimits(max_tokens=1_300, long_tokens=200))
    written = [
        item("dull", 1.0, text=REPORT, importance=0.1),
        item("vital", 2.0, text=REPORT, importance=0.9),
        item("short", 0.0, importance=0.1),
    ]
    held = {each.id: each for each in merge([], written)}
    assert set(held) == {"dull", "vital", "short"}
    assert held["vital"].text == REPORT
    assert held["dull"].compressed
    assert 0 < token_count([held["dull"]]) <= 50
    assert all(sentence in REPORT for sentence in held["dull"].text.split(". "))


def test_what_is_long_stays_whole_while_there_is_room():
    (held,) = merge_working([], [item("dull", text=REPORT, importance=0.0)])
    assert held.text == REPORT


def test_a_summarizer_of_ones_own_is_used_and_held_to_its_budget():
    limits = WorkingLimits(max_tokens=100, long_tokens=40)
    merge = make_merge_working(limits, summarize=lambda text, tokens: f"{tokens}: {text}")
    (held,) = merge([], [item("dull", text=REPORT, importance=0.0)])
    assert held.text.startswith("10: Pump 0")
    assert token_count([held]) <= 10


def test_the_budget_evicts_when_summaries_do_not_suffice():
    merge = make_merge_working(WorkingLimits(max_tokens=token_count([item("x", text=REPORT)]) + 10))
    written = [item(name, at, text=REPORT, importance=1) for at, name in enumerate("abc")]
    assert ids(merge([], written)) == ["c"]


def test_context_gives_the_relevant_in_order_of_time():
    held = merge_working(
        [],
        [
            item("first", 1.0, text="The invoice of Ada is open"),
            item("second", 2.0, text="The weather is fine"),
            item("third", 3.0, text="Ada paid half of the invoices"),
        ],
    )
    assert ids(context(held, "Which invoices are open?", now=4.0)) == ["first", "third"]
    assert ids(context(held, "invoice open", limit=1, now=4.0)) == ["first"]
    assert ids(context(held, "", now=4.0)) == ["first", "second", "third"]
    assert ids(context(held, "", max_tokens=5, now=4.0)) == ["second"]
    assert context(held, "", limit=0, now=4.0) == []


@given(st.text(max_size=400), st.integers(1, 50))
def test_an_extract_keeps_to_its_tokens(text, tokens):
    short = extract(text, tokens)
    assert token_count([item("x", text=short)]) <= tokens


def test_an_extract_keeps_the_sentences_about_the_matter():
    text = "Hello. The reactor leaks. The reactor is shut. Bye. Reactor staff left the reactor."
    assert "reactor" in extract(text, 12)
    assert "Hello" not in extract(text, 12)


def test_a_checkpoint_brings_it_back_strictly(tmp_path):
    class State(TypedDict):
        working: WorkingMemory

    builder = StateGraph(State)
    builder.add_node("note", lambda state: {"working": [item(f"{len(state['working'])}")]})
    builder.add_edge(START, "note")
    thread = {"configurable": {"thread_id": "1"}}
    for _ in range(2):
        with create_checkpointer(f"sqlite:///{tmp_path}/threads.sqlite") as saver:
            graph = builder.compile(with_state_types(saver, State))
            graph.invoke({"working": []}, thread)
            held = graph.get_state(thread).values["working"]
    assert held == [item("0"), item("1")]
    assert all(type(each) is WorkingItem for each in held)


def test_impossible_values_are_refused():
    with pytest.raises(ConfigurationError, match="the text of an item is 5"):
        working_item(5)
    with pytest.raises(ConfigurationError, match="'text' is no item"):
        merge_working([], ["text"])
    for wrong in (
        {"importance": 2},
        {"importance": float("nan")},
        {"importance": "x"},
        {"ttl": -1},
    ):
        with pytest.raises(ConfigurationError):
            working_item("text", **wrong)
    with pytest.raises(ConfigurationError):
        WorkingLimits(capacity=0)
