"""Answers as a person types them, and questions as a person reads them."""

from typing import Any

import pytest
from langgraph.types import Interrupt

from cogwork.runtime.answers import answer_to, told

CALL = {
    "action_requests": [
        {"name": "pay", "args": {"amount": 5}, "description": "pay needs approval: it costs."}
    ],
    "review_configs": [{"action_name": "pay", "allowed_decisions": ["approve", "reject"]}],
    "digest": "d1",
    "expires_at": 1.0,
    "taint": [],
}


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("approve", {"type": "approve"}),
        (" Approve ", {"type": "approve"}),
        ("reject: not now", {"type": "reject", "message": "not now"}),
        ('{"type": "respond", "message": "done"}', {"type": "respond", "message": "done"}),
        ("maybe", {"type": "maybe"}),
    ],
)
def test_decision_about_a_call_is_bound_to_it(text: str, decision: dict[str, Any]):
    command = answer_to(text, [Interrupt(value=CALL, id="i1")])
    assert command.resume == {"i1": {**decision, "digest": "d1"}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Paris", "Paris"),
        ("42", "42"),
        ('{"a": "retry", "b": "fail"}', {"a": "retry", "b": "fail"}),
        ("[1, 2]", [1, 2]),
        ('{"broken', '{"broken'),
    ],
)
def test_other_questions_are_answered_by_text_or_json(text: str, value: Any):
    open_questions = [Interrupt(value="Which city?", id="i1"), Interrupt(value="Why?", id="i2")]
    assert answer_to(text, open_questions).resume == {"i1": value}


def test_several_are_answered_by_their_ids():
    open_questions = [Interrupt(value="Which?", id="i1"), Interrupt(value="Why?", id="i2")]
    assert answer_to('{"i2": "so", "i1": "that"}', open_questions).resume == {
        "i1": "that",
        "i2": "so",
    }


def test_questions_are_told_in_words():
    assert told("Which city?") == "Which city?"
    assert told(CALL) == (
        "pay needs approval: it costs.\n  pay(amount=5)\n  answer: approve, reject"
    )
    failed = {"type": "step_failed", "step": "a", "error": "gone", "options": ["retry", "fail"]}
    assert told(failed) == "a: gone\n  answer: retry, fail"
    several = {"questions": [{"key": "a", "question": failed}, {"key": "b", "question": "Why?"}]}
    assert told(several) == "a: a: gone\n  answer: retry, fail\nb: Why?"
    assert told({"colour": "red"}) == '{"colour": "red"}'
