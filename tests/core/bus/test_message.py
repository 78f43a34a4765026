"""What may be in a message, and what is refused by name."""

import json
import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.bus import InvalidMessageError, create_bus
from cogwork.core.bus.message import checked_name, encoded, message_id, priority_of, rank_of
from cogwork.core.errors import ConfigurationError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


@given(JSON)
def test_json_data_is_what_it_was(body):
    assert json.loads(encoded(body, 1_000_000)) == body


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"a": [1, date(2026, 1, 1)]},
            r"body\.a\[1\] is datetime\.date\(2026, 1, 1\) of type date",
        ),
        ((1, 2), "of type tuple"),
        ({1: 2}, "body has the key 1; JSON's are strings"),
        (math.nan, "body is nan of type float"),
        ([math.inf], r"body\[0\] is inf"),
        (b"x", "of type bytes"),
        ({"x"}, "of type set"),
        ("\ud800", "cannot be written as JSON"),
        ([10**5000], "cannot be written as JSON"),
        ("x" * 99, r"has 101 bytes, and a message may have 100.*max_bytes"),
    ],
)
def test_anything_else_is_refused_with_its_place(body, said):
    with pytest.raises(InvalidMessageError, match=said):
        encoded(body, 100)


def test_deep_nesting_is_refused():
    body = []
    for _ in range(200):
        body = [body]
    with pytest.raises(InvalidMessageError, match="deeper than 100 levels; flatten it"):
        encoded(body, 10_000)


@pytest.mark.parametrize("name", ["", "a" * 201, "a\nb", "a\x00", "\ud800", None, 7])
def test_names_are_short_printable_texts(name):
    with pytest.raises(InvalidMessageError, match=r"agent .* is none; use a text of 1 to 200"):
        checked_name(name, "agent")


def test_key_makes_the_id_and_no_key_a_new_one():
    assert message_id("a", "b", "k") == message_id("a", "b", "k")
    others = [("a", "b", "k"), ("ab", "", "k"), ("a", "b", "l"), ("b", "a", "k")]
    assert len({message_id(*each) for each in others}) == 4
    assert message_id("a", "b", None) != message_id("a", "b", None)


def test_priorities_have_ranks():
    ranks = [rank_of(name) for name in ("low", "normal", "high", "critical")]
    assert ranks == sorted(ranks)
    assert [priority_of(rank) for rank in ranks] == ["low", "normal", "high", "critical"]
    with pytest.raises(InvalidMessageError, match="'urgent' is unknown; choose one of low, "):
        rank_of("urgent")


@pytest.mark.parametrize(
    "how",
    [
        {"kind": ""},
        {"conversation": "a\nb"},
        {"priority": "urgent"},
        {"timeout": -1},
        {"timeout": math.nan},
        {"timeout": "5"},
        {"taint": "web"},
        {"taint": [1]},
    ],
)
async def test_impossible_values_are_refused_before_anything_is_sent(how):
    async with create_bus() as bus:
        ada = await bus.join("ada")
        with pytest.raises(InvalidMessageError, match=r" is (none|unknown|no (number|list))"):
            await ada.send("ada", 1, **how)
        assert await bus.history() == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("bus.db", "is no URL; write memory://, sqlite:///bus.db"),
        ("memory://x", "write memory://, no more"),
        ("sqlite://bus.db", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("redis://u:secret@host", r"'redis://u:\*\*\*@host': there is none for 'redis'"),
        ("postgresql://host/d?nonsense=1", "libpq cannot read"),
    ],
)
def test_url_that_is_none_is_explained(url, said):
    with pytest.raises(ConfigurationError, match=said):
        create_bus(url)


@pytest.mark.parametrize(
    "limit", [{"capacity": 0}, {"history": 1.5}, {"lease": math.inf}, {"max_bytes": True}]
)
def test_limit_that_is_none_is_named(limit):
    with pytest.raises(ConfigurationError, match=f"{next(iter(limit))} .* no positive number"):
        create_bus(**limit)
