from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from cogwork.core.messages import estimate_tokens
from cogwork.nodes.history import bound_history


def ask(text="question"):
    return HumanMessage(text)


def act(*ids, size=40):
    calls = [{"name": "look", "args": {"n": 1}, "id": i} for i in ids]
    return [AIMessage("x" * size, tool_calls=calls), *(result(i, size) for i in ids)]


def result(call_id, size=40):
    return ToolMessage("y" * size, tool_call_id=call_id, name="look")


@st.composite
def histories(draw):
    messages, number = [], 0
    for _ in range(draw(st.integers(1, 6))):
        messages.append(ask("q" * draw(st.integers(1, 200))))
        for _ in range(draw(st.integers(0, 4))):
            width = draw(st.integers(1, 3))
            ids = [f"c{number + k}" for k in range(width)]
            number += width
            group = act(*ids, size=draw(st.integers(0, 300)))
            lost = draw(st.integers(0, 9))
            messages += group[:-1] if lost == 0 else group
        if draw(st.booleans()):
            messages.append(AIMessage("answer"))
    return messages


def tokens(messages):
    return sum(map(estimate_tokens, messages))


@given(histories(), st.integers(0, 1_000))
def test_a_call_is_never_separated_from_its_result(messages, limit):
    kept = bound_history(messages, limit)
    waiting: set[str] = set()
    for message in kept:
        if isinstance(message, ToolMessage):
            assert message.tool_call_id in waiting
            waiting.remove(message.tool_call_id)
            continue
        assert not waiting
        waiting = {call["id"] for call in getattr(message, "tool_calls", [])}
    assert not waiting


@given(histories(), st.integers(0, 1_000))
def test_what_is_kept_fits_or_is_the_question_and_what_came_last(messages, limit):
    kept = bound_history(messages, limit)
    question = max(i for i, m in enumerate(messages) if isinstance(m, HumanMessage))
    assert messages[question] in kept
    assert kept[-1] == messages[-1] or "interrupted" in kept[-1].content
    last = next(g for g in range(len(kept) - 1, -1, -1) if not isinstance(kept[g], ToolMessage))
    rest = [m for m in kept[:last] if m is not messages[question]]
    if rest:
        assert tokens(kept) <= limit
    assert isinstance(kept[0], HumanMessage)


@given(histories())
def test_a_history_that_fits_is_whole(messages):
    kept = bound_history(messages, 10**9)
    assert [m for m in kept if m in messages] == messages


def test_newest_steps_stay_when_old_ones_go():
    messages = [ask(), *act("1"), *act("2"), *act("3")]
    kept = bound_history(messages, tokens([messages[0], *act("2"), *act("3")]))
    assert kept == [messages[0], *act("2"), *act("3")]


def test_a_call_lost_to_an_interruption_gets_a_result_that_says_so():
    kept = bound_history([ask(), act("1")[0], ask("another")], 10_000)
    assert [m.type for m in kept] == ["human", "ai", "tool", "human"]
    assert "interrupted" in kept[2].content
    assert kept[2].tool_call_id == "1"


def test_a_result_without_its_call_is_dropped():
    assert bound_history([ask(), result("9"), AIMessage("hm")], 10_000) == [ask(), AIMessage("hm")]


def test_nothing_gives_nothing():
    assert bound_history([], 100) == []
