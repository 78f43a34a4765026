"""Checks pass what is right, and say what is wrong."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from cogwork.runtime.evaluation.checks import (
    AllOf,
    Check,
    Contains,
    Exact,
    FileIs,
    Function,
    JsonIs,
    Matches,
    NumberIs,
    OrderIs,
    Overlaps,
    QuasiExact,
    SetIs,
    Verdict,
)

NOWHERE = Path("/nowhere")
names = st.sampled_from(["oak", "elm", "ash", "fir", "yew"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-999, 999) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def judged(check, answer):
    return check.judge(answer, NOWHERE)


@pytest.mark.parametrize(
    ("check", "right", "wrong", "reason"),
    [
        (Exact(answers=("Rome", "Roma")), "The Roma!", "Rome it is", "expected 'Rome'"),
        (Overlaps(answer="a red cat", at_least=0.5), "cat", "dog", "F1 0.00, expected 'a red cat'"),
        (QuasiExact(answer="1000"), "So.\nFINAL ANSWER: $1,000", "999", "expected '1000'"),
        (NumberIs(value=42), "6 * 7 is 42.", "42 of 50", "the last number is 50, expected 42"),
        (NumberIs(value=0.3), "0.30000000001", "none", "no number, expected 0.3"),
        (NumberIs(value=16.5, tolerance=0.05), "16.54 %", "16.6", "16.6, expected 16.5"),
        (Contains(all=("art",)), "It is art.", "the start", "lacks 'art'"),
        (Contains(all=("a b",), none=("c",)), "A, B", "a b c", "says 'c'"),
        (Matches(pattern=r"^\d{3}$"), "123", "1234", r"nothing matches '^\\d{3}$'"),
        (SetIs(items=("oak", "elm")), "Elm and oak.", "oak, ash", "lacks 'elm', says 'ash'"),
        (SetIs(items=("oak", "elm")), "They are: the oak; an elm", "oak", "lacks 'elm'"),
        (OrderIs(items=("oak", "elm"), before=(("oak", "elm"),)), "oak, elm", "oak", "lacks 'elm'"),
        (OrderIs(items=("b", "c"), before=(("b", "c"),)), "c, b; no: b, c", "c b", "'b' must come"),
        (JsonIs(value={"n": [1, 2]}), 'So: {"n": [1.0, 2]}', '{"n": [2, 1]}', "the JSON is"),
        (JsonIs(value=[1]), "[1]", "none", "no JSON"),
        (JsonIs(value={"n": 1}), '{"n": 1}', '{"n": true}', "the JSON is"),
        (AllOf(checks=(NumberIs(value=1), Contains(all=("b",)))), "b 1", "1", "lacks 'b'"),
    ],
)
def test_a_check_passes_the_right_answer_and_says_what_is_wrong(check, right, wrong, reason):
    assert judged(check, right) == Verdict(True, pytest.approx(1, abs=0.5))
    told = judged(check, wrong)
    assert not told.passed
    assert reason in told.reason


@given(st.floats(-1e6, 1e6), st.floats(0.01, 100), st.floats(0, 3))
def test_a_number_passes_within_its_tolerance_only(value, tolerance, times):
    told = judged(NumberIs(value=value, tolerance=tolerance), f"{value + times * tolerance:.9f}")
    if abs(times - 1) > 0.01:
        assert told.passed == (times < 1)


@given(st.sets(names, min_size=1), st.randoms())
def test_a_set_is_the_same_in_every_order_and_not_without_one(items, random):
    order = sorted(items)
    random.shuffle(order)
    check = SetIs(items=tuple(items))
    assert judged(check, ", ".join(order)).passed
    assert not judged(check, ", ".join(order[1:])).passed
    assert not judged(check, ", ".join([*order, "birch"])).passed


@given(st.permutations(["oak", "elm", "ash", "fir"]))
def test_an_order_passes_if_every_pair_is_kept(order):
    pairs = (("oak", "elm"), ("elm", "fir"), ("ash", "fir"))
    kept = all(order.index(a) < order.index(b) for a, b in pairs)
    check = OrderIs(items=("oak", "elm", "ash", "fir"), before=pairs)
    assert judged(check, f"First {', then '.join(order)}.").passed == kept


@given(values, values)
def test_json_equals_itself_and_what_json_calls_equal(value, other):
    check = JsonIs(value=value)
    assert judged(check, json.dumps(value)).passed
    assert judged(check, json.dumps(other)).passed == (
        json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)
    )


def test_a_file_is_judged_by_its_text(tmp_path):
    check = FileIs(path="out/a.txt", content=NumberIs(value=3))
    assert check.judge("3", tmp_path).reason == "there is no file out/a.txt"
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.txt").write_text("4")
    told = check.judge("3", tmp_path)
    assert told.reason == "out/a.txt: the last number is 4, expected 3"
    (tmp_path / "out/a.txt").write_bytes(b"\xff 3\n")
    assert check.judge("", tmp_path).passed


def test_a_link_out_of_the_folder_is_no_file(tmp_path):
    (tmp_path / "secret").write_text("3")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").symlink_to(tmp_path / "secret")
    check = FileIs(path="a.txt", content=NumberIs(value=3))
    assert check.judge("", folder).reason == "there is no file a.txt"


@pytest.mark.parametrize(
    ("says", "verdict"),
    [
        (True, Verdict(True, 1.0)),
        (0.5, Verdict(False, 0.5, "judge says 0.5")),
        (7, Verdict(True, 1.0)),
        (Verdict(False, 0.2, "why"), Verdict(False, 0.2, "why")),
    ],
)
def test_a_function_judges(says, verdict):
    def judge(answer, folder):
        assert (answer, folder) == ("x", NOWHERE)
        return says

    assert judged(Function(function=judge), "x") == verdict


@pytest.mark.parametrize(
    "check",
    [
        NumberIs(value=1),
        AllOf(checks=(FileIs(path="a", content=AllOf(checks=(Matches(pattern="x"),))),)),
        OrderIs(items=("a", "b"), before=(("a", "b"),)),
        JsonIs(value={"a": [None]}),
    ],
    ids=str,
)
def test_a_check_is_data(check):
    kinds = TypeAdapter(Check)
    assert kinds.validate_json(kinds.dump_json(check)) == check


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"check": "magic"}, "'magic'"),
        ({"check": "number"}, "Field required"),
        ({"check": "number", "value": "nan"}, "finite"),
        ({"check": "matches", "pattern": "("}, "no regular expression"),
        ({"check": "file", "path": "../x", "content": {"check": "set", "items": ["a"]}}, "leaves"),
        ({"check": "contains", "all": []}, "at least 1"),
        ({"check": "contains", "all": [""]}, "at least 1 character"),
        ({"check": "exact", "answers": ["a"], "fuzzy": True}, "Extra inputs"),
    ],
)
def test_what_is_no_check_is_refused(data, reason):
    with pytest.raises(ValidationError, match=reason):
        TypeAdapter(Check).validate_python(data)
