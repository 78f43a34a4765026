"""A request that fits no role is done all the same, and the result says by whom and why."""

from typing import Any

import pytest
from scripted import ScriptedChatModel

from cogwork.core.errors import PlanningError
from cogwork.graphs import create_negotiation, create_orchestrator, create_team
from cogwork.graphs.team import tools_in_words
from cogwork.nodes import Contract, Contractor, Requirement, Role
from cogwork.tools import load_tools

MAKERS = {
    "team": (create_team, "roles", Role, Requirement),
    "negotiation": (create_negotiation, "contractors", Contractor, Contract),
    "orchestrator": (create_orchestrator, "roles", Role, Requirement),
}
CREW = {"cook": "cook", "driver": "drive"}


def make(name: str, model: Any, crew: dict[str, str] | None, **options: Any) -> Any:
    factory, key, kind, _ = MAKERS[name]
    if crew is not None:
        options[key] = [kind(name=who, capabilities=(what,)) for who, what in crew.items()]
    return factory(model, load_tools(["calculator"]), **options)


@pytest.mark.parametrize("crew", [None, CREW], ids=["usual", "custom"])
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("Divide 80 by 8", "10"),
        ("What is 310 * 48000?", "14880000"),
        ("Compute 80 * 2 and divide it by 8", "20"),
        ("Multiply 3 by 4, then subtract 2", "10"),
    ],
)
def test_sums_are_done_whatever_the_roles_are(name, crew, asked, answer):
    done = make(name, "offline", crew).invoke({"messages": asked})
    assert answer in done["messages"][-1].text
    assert done["stop_reason"] == "answered"
    assert not done.get("gaps")
    if crew:
        assert all(part.note for part in done["contributions"])
        assert all(one.note for one in done["assignments"].values())


@pytest.mark.parametrize("name", MAKERS)
def test_what_no_rule_covers_is_told_and_nothing_is_raised(name):
    done = make(name, "offline", CREW).invoke({"messages": "Tell me a joke"})
    (part,) = done["contributions"]
    assert (part.member in CREW, part.status) == (True, "failed")
    assert "I can't find a joke" in done["messages"][-1].text
    assert done["stop_reason"] == "incomplete"


@pytest.mark.parametrize("name", MAKERS)
def test_capability_that_a_model_proposes_is_no_demand(name):
    analysis = '{"steps": [{"id": "1", "description": "Fly to Rome", "capability": "fly a plane"}]}'
    model = ScriptedChatModel(script=[analysis, "landed"])
    done = make(name, model, {"cook": "cook"}).invoke({"messages": "To Rome"})
    (part,) = done["contributions"]
    assert (part.member, part.result) == ("cook", "landed")
    assert part.note


@pytest.mark.parametrize("name", ["team", "negotiation"])
def test_capability_that_is_given_as_data_is_one(name):
    part = MAKERS[name][3](id="fly", description="Fly", capability="pilot a plane")
    with pytest.raises(PlanningError, match="which takes 'pilot a plane'"):
        make(name, "offline", CREW).invoke({"requirements": [part]})


def test_member_whose_tools_do_it_comes_before_others():
    graph = create_team("offline", name="inner")
    options = {"members": {"cook": graph}}
    done = make("team", "offline", CREW, **options).invoke({"messages": "What is 310 * 48000?"})
    assert done["assignments"]["1"].members == ("driver",)
    assert done["assignments"]["1"].note == "no role fits; a tool does"


def test_nobody_can_say_what_the_tools_of_a_given_graph_are_for():
    roles = [Role(name=name, capabilities=("x",)) for name in ("made", "model", "graph")]
    members = {"model": ScriptedChatModel(script=[]), "graph": create_team("offline")}
    told = tools_in_words(load_tools(["calculator"]), roles, members)
    assert list(told) == ["made", "model"]
    assert told["made"][0].startswith("calculator: ")
