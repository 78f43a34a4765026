import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.json_text import json_objects, misfits, unkeepable, without_root_reference

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=8), values, max_size=4)
prose = st.text().filter(lambda text: "{" not in text and "</think>" not in text)


def first(text: str) -> Any:
    return next(json_objects(text), None)


@given(objects, prose, prose)
def test_object_is_found_in_any_prose(meant: dict[str, Any], before: str, after: str) -> None:
    written = json.dumps(meant, ensure_ascii=False, indent=1)
    if "</think>" not in written:
        assert first(before + written + after) == meant


@given(st.lists(objects, min_size=2, max_size=3))
def test_objects_come_in_their_order(meant: list[dict[str, Any]]) -> None:
    text = " or ".join(map(json.dumps, meant))
    assert list(json_objects(text))[: len(meant)] == meant


@given(st.text(alphabet='{}[]"\\,:a1 \n', max_size=200))
def test_no_text_breaks_the_reading(text: str) -> None:
    assert all(isinstance(found, dict) for found in json_objects(text))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('{"a": [1, 2,], "b": {"c": 3,},\n}', {"a": [1, 2], "b": {"c": 3}}),
        ('{"a": "keeps ,} in text",}', {"a": "keeps ,} in text"}),
        ('A set {x, y}, then {"a": 1}', {"a": 1}),
        ('A 5" pipe: {"a": "6\\" pipe }"}', {"a": '6" pipe }'}),
        ('An open { brace, then {"a": 1}', {"a": 1}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ('<think>{"a": 0}? No.</think>{"a": 1}', {"a": 1}),
        ("no object", None),
        ('{"a": 1', None),
        ("[1, 2]", None),
        ("", None),
    ],
)
def test_first_object(text: str, meant: Any) -> None:
    assert first(text) == meant


def test_objects_within_follow_the_outer_one() -> None:
    assert list(json_objects('{"answer": {"a": 1}}')) == [{"answer": {"a": 1}}, {"a": 1}]


@pytest.mark.parametrize(
    "piece",
    ["{", "}", '{"', '{"a":', '"\\"', '{"\\', "{{}", "{}}", '{"a":{}', ",", ", ", '{",'],
)
def test_hostile_text_ends(piece: str) -> None:
    # At this size, reading in quadratic time would not end while anybody waits.
    list(json_objects("{" + piece * 30_000))
    list(json_objects(piece * 30_000 + "}" * 30_000))


SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "kind": {"enum": ["a", "b"]},
        "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}},
    },
    "required": ["n"],
    "$defs": {"Item": {"type": ["string", "null"]}},
}


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        ({"n": 1, "kind": "a", "items": ["x", None], "more": 1}, []),
        ({}, ["n: is missing"]),
        ({"n": True}, ["n: should be integer"]),
        ({"n": 1.5}, ["n: should be integer"]),
        ({"n": 1, "kind": "c"}, ['kind: should be one of ["a", "b"]']),
        ({"n": 1, "items": ["x", 2]}, ["items[1]: should be string or null"]),
        ([], ["answer: should be object"]),
    ],
)
def test_misfits_name_the_place_and_what_should_be_there(value: Any, problems: list[str]) -> None:
    assert list(misfits(value, SCHEMA)) == problems


def test_recursive_schema_checks_every_level() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    schema = without_root_reference({"$ref": "#/$defs/Node", "$defs": {"Node": node}})
    assert schema["type"] == "object"
    assert list(misfits({"next": {"next": 1}}, schema)) == ["next.next: should be object"]


def nested(levels: int) -> Any:
    value: Any = "x"
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (nested(100), ""),
        ({"v": nested(100)}, "v: is nested more than 100 levels deep"),
        ({"v": nested(100_000)}, "v: is nested more than 100 levels deep"),
        ({"a": True, "n": [2**64 - 1, -(2**63), 1e300, None]}, ""),
        ({"n": 2**64}, "n: holds an integer of 65 bits; at most 64 can be kept"),
        (
            {"a": 1, "n": [[-(10**5000)]]},
            "n: holds an integer of 16610 bits; at most 64 can be kept",
        ),
    ],
)
def test_what_no_checkpointer_holds_is_named(value: Any, why: str) -> None:
    assert unkeepable(value) == why


def test_what_holds_itself_or_one_thing_many_times_is_measured_in_linear_time() -> None:
    loop: list[Any] = []
    loop += [loop, loop]
    assert unkeepable({"v": loop}) == "v: is nested more than 100 levels deep"
    shared: list[Any] = []
    for _ in range(90):
        shared = [shared, shared]  # 2**90 paths
    assert unkeepable({"v": shared}) == ""
