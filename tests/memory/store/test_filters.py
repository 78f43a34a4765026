"""Filters on values, without a store."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.errors import ConfigurationError
from cogwork.memory.store.filters import check_filter, passes, plain_equalities

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
OPERATORS = st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])


@given(value=ANYTHING, name=OPERATORS, bound=ANYTHING)
def test_no_value_makes_a_filter_raise(value, name, bound):
    assert passes({"f": value}, {"f": {name: bound}}) in (True, False)


@given(value=ANYTHING, bound=ANYTHING)
def test_ne_is_the_opposite_of_eq(value, bound):
    equal = passes({"f": value}, {"f": {"$eq": bound}})
    assert passes({"f": value}, {"f": {"$ne": bound}}) is not equal


@given(one=ANYTHING, other=ANYTHING)
def test_less_is_greater_seen_from_the_other_side(one, other):
    assert passes({"f": one}, {"f": {"$lt": other}}) == passes({"f": other}, {"f": {"$gt": one}})


@given(value=st.dictionaries(st.text(max_size=3), ANYTHING, max_size=4))
def test_a_value_passes_itself_as_demands_of_equality(value):
    clean = json.loads(json.dumps(value).replace("NaN", "0"))
    assert passes(clean, {field: {"$eq": part} for field, part in clean.items()})


@pytest.mark.parametrize(
    ("value", "condition", "expected"),
    [
        (10, {"$gt": 9}, True),
        ("10", {"$gt": "9"}, True),
        ("2024-02-01", {"$gt": "2024-01-31"}, True),
        ("10", {"$gt": 9}, True),
        ("ten", {"$gt": 9}, False),
        ("ten", {"$lt": 9}, False),
        (True, {"$gt": 0}, False),
        (2**53 + 1, {"$gt": 2**53}, True),
        (None, {"$eq": None}, True),
        (1, {"$eq": True}, False),
        (1, {"$eq": 1.0}, True),
        ([1, {"a": 2}], {"$eq": [1, {"a": 2}]}, True),
        ({"a": 1, "b": 2}, {"$eq": {"a": 1}}, False),
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": {"b": 3}}, {"a": {"b": {"$gte": 3}}}, True),
        ([1, 5], [1, {"$gt": 4}], True),
        ([1], [1, 2], False),
    ],
)
def test_conditions(value, condition, expected):
    assert passes({"f": value}, {"f": condition}) is expected


def test_a_missing_field_is_null():
    assert passes({}, {"f": None})
    assert passes({}, {"f": {"$ne": 1}})
    assert not passes({}, {"f": {"$gte": 0}})


@pytest.mark.parametrize(
    "wanted",
    [
        {"f": {"$regex": "a"}},
        {"f": {"$gt": 1, "plain": 2}},
        {"f": [{"$in": [1]}]},
        {"f": {"g": {"$": 1}}},
    ],
)
def test_unknown_operators_are_refused_by_name(wanted):
    with pytest.raises(ConfigurationError, match=r"operator '.*' is unknown; there are \$eq, \$ne"):
        check_filter(wanted)


def test_what_is_no_mapping_is_refused():
    with pytest.raises(ConfigurationError, match="is no mapping"):
        check_filter(["kind"])


def test_only_what_every_database_understands_is_handed_down():
    wanted = {
        "a": "x",
        "b": {"$eq": 2},
        "c": None,
        "d.e": "x",
        "f": "\0",
        "g": {"$gt": 1},
        "h": 2.0**60,
    }
    assert plain_equalities(wanted) == {"a": "x", "b": 2}
