"""Fitting: what fits no role goes to who can most likely do it, and says so."""

import pytest

from cogwork.nodes.contract_net import capabilities_met, make_bids
from cogwork.nodes.contracts import Contract, Contractor, Terms
from cogwork.nodes.fitting import generalists
from cogwork.nodes.roles import Requirement, Role, assign_roles

SUMS = "calculator: Compute an arithmetic expression"
OVEN = "oven: Bake something"
COOK = Role(name="cook", capabilities=("cook",))
DRIVER = Role(name="driver", capabilities=("drive",))


def chosen(task, tools, load=None, near=None):
    loads = load or {}
    return generalists(
        task, near or dict.fromkeys("abc", 0.1), tools, load=lambda name: loads.get(name, 0)
    )


def test_first_choice_are_those_whose_tools_can_do_it():
    names, why = chosen("Compute 6 * 7", {"a": [OVEN], "b": [], "c": [OVEN, SUMS]})
    assert names == ("c",)
    assert why == "no role fits; a tool does"


def test_then_those_without_tools_the_nearest_first():
    near = {"a": 0.3, "b": 0.1, "c": 0.2}
    names, why = chosen("Sing a song", {"a": [OVEN]}, near=near)
    assert names == ("c", "b")
    assert "who has none takes it" in why


def test_then_the_least_loaded():
    tools = {name: [OVEN] for name in "abc"}
    names, why = chosen("Sing a song", tools, load={"a": 2, "b": 1, "c": 3})
    assert names == ("b", "a", "c")
    assert "who has least to do takes it" in why


def test_parts_that_fit_nobody_are_shared_out_and_say_why():
    parts = [Requirement(id=str(n), description="Sing a song") for n in range(4)]
    tools = {"cook": [OVEN], "driver": [OVEN]}
    found, gaps = assign_roles(parts, [COOK, DRIVER], tools=tools)
    assert gaps == []
    assert sorted(each.members[0] for each in found) == ["cook", "cook", "driver", "driver"]
    assert all(each.note.startswith("no role fits") for each in found)


def test_who_fits_is_chosen_without_a_note():
    (one,), _ = assign_roles([Requirement(id="x", description="Cook it")], [COOK], tools={})
    assert (one.members, one.note) == (("cook",), "")


@pytest.mark.parametrize("proposed", [True, False])
def test_only_a_demanded_capability_can_be_missing(proposed):
    part = Requirement(id="x", description="Fly", capability="fly a plane", proposed=proposed)
    found, gaps = assign_roles([part], [COOK, DRIVER], tools={})
    assert bool(found) is proposed
    assert bool(gaps) is not proposed
    _, without_tools = assign_roles([part], [COOK, DRIVER])
    assert [gap.needed for gap in without_tools] == ["fly a plane"]


def test_generalists_bid_only_for_what_nobody_can_do_and_nobody_demands():
    crew = [
        Contractor(name="ada", capabilities=("build",), resources={"hands": 2}),
        Contractor(name="bob", capabilities=("paint",)),
    ]
    work = [
        Contract(id="wall", description="Build a wall"),
        Contract(id="song", description="Sing a song"),
        Contract(id="heavy", description="Sing a song", resources={"hands": 2}),
        Contract(id="fly", description="Fly", capabilities=("pilot a plane",)),
        Contract(id="never", description="Sing", resources={"hands": 9}),
    ]
    met = capabilities_met(work, crew, tools={})
    assert met["wall"] == {"ada": ("Build a wall",)}
    assert met["song"] == {"ada": (), "bob": ()}
    assert met["heavy"] == {"ada": ()}
    assert met["fly"] == met["never"] == {}
    bids = make_bids(work, crew, met, terms=Terms(min_match=1))
    assert [(bid.contract, bid.contractor) for bid in bids] == [
        ("wall", "ada"),
        ("song", "ada"),
        ("song", "bob"),
        ("heavy", "ada"),
    ]
    assert bids[0].note == ""
    assert bids[1].note == "nobody has what it takes; generalists bid"
