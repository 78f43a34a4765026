"""Roles: requirements go to who can do them, and what nobody can do is named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cogwork.core.errors import ConfigurationError
from cogwork.nodes.roles import ROLES, Requirement, Role, assign_roles, requirements_plan

COOK = Role(name="cook", capabilities=("cook", "cook a meal"))
DRIVER = Role(name="driver", capabilities=("drive", "deliver goods by road"))


def need(key="x", capability="", description="Do it", **more):
    return Requirement(id=key, description=description, capability=capability, **more)


def who(requirement, roles=ROLES, **options):
    found, gaps = assign_roles([requirement], roles, **options)
    return found[0].members if found else gaps[0]


@pytest.mark.parametrize(
    ("capability", "first"),
    [
        ("researcher", "researcher"),
        ("Proofread", "reviewer"),
        ("data analysis", "analyst"),
        ("web search", "researcher"),
        ("fact-checking", "reviewer"),
        ("choosing between offers", "coordinator"),
        ("report writing", "writer"),
    ],
)
def test_capability_goes_to_the_role_that_has_it_by_name_or_meaning(capability, first):
    assert who(need(capability=capability))[0] == first


@pytest.mark.parametrize(
    ("description", "first"),
    [
        ("Review the draft", "reviewer"),
        ("Compute 6 * 7", "analyst"),
        ("Read sales.csv", "researcher"),
        ("How many are there?", "researcher"),
        ("Write it to out.txt", "writer"),
    ],
)
def test_without_a_capability_the_words_a_task_begins_with_decide(description, first):
    assert who(need(description=description))[0] == first


@pytest.mark.parametrize("capability", ["translate into French", "legal advice", "drive a truck"])
def test_what_nobody_can_do_is_a_gap_that_says_the_way_out(capability):
    gap = who(need("part", capability))
    assert gap.needed == capability
    assert len(gap.nearest) == 3
    assert all(score < 0.4 for _, score in gap.nearest)
    assert f"nobody in the team can do 'part', which takes '{capability}'" in str(gap)
    assert f"nearest roles: '{gap.nearest[0][0]}'" in str(gap)
    assert f"add Role(name=…, capabilities=('{capability}',))" in str(gap)


def test_others_with_the_capability_stand_in():
    second = Role(name="second", capabilities=("cook",))
    found = who(need(capability="cook"), [COOK, DRIVER, second])
    assert found == ("cook", "second")


def test_equal_members_share_the_work():
    twins = [Role(name=name, capabilities=("cook",)) for name in "cba"]
    found, _ = assign_roles([need(str(n), "cook") for n in range(6)], twins)
    assert [each.members[0] for each in found] == ["a", "b", "c", "a", "b", "c"]


def test_names_decide_without_any_embeddings():
    class None_:
        """No embeddings at all."""

    with pytest.raises(ConfigurationError, match="neither a name nor"):
        who(need(capability="fly"), [COOK], embeddings=None_())
    assert who(need(capability="cook"), [COOK], embeddings=None_()) == ("cook",)


@settings(max_examples=40, deadline=None)
@given(st.permutations(ROLES), st.sampled_from(["web search", "write", "legal advice", "check"]))
def test_order_of_the_roles_never_matters(roles, capability):
    assert assign_roles([need(capability=capability)], roles) == assign_roles(
        [need(capability=capability)], ROLES
    )


def test_roles_that_make_no_team_are_refused():
    with pytest.raises(ConfigurationError, match="at least one role"):
        assign_roles([], [])
    with pytest.raises(ConfigurationError, match="2 roles are called 'cook'"):
        assign_roles([], [COOK, COOK])
    with pytest.raises(ConfigurationError, match="threshold is 0"):
        assign_roles([], [COOK], threshold=0)
    with pytest.raises(ValidationError):
        Role(name="a cook", capabilities=("cook",))


def test_instructions_are_made_of_the_capabilities_unless_given():
    assert "the cook of a team" in COOK.instructions
    assert COOK.model_copy(update={"prompt": "Cook!"}).instructions == "Cook!"


def test_plan_waits_through_what_is_left_out():
    needs = [
        need("a"),
        need("b", depends_on=("a",)),
        need("c", depends_on=("b",)),
        need("d", depends_on=("c", "a"), priority=3, estimated_cost=2, optional=True),
    ]
    plan = requirements_plan(needs, goal="g", without=["b", "c"])
    assert [step.id for step in plan.steps] == ["a", "d"]
    assert plan["d"].depends_on == ("a",)
    assert (plan["d"].priority, plan["d"].estimated_cost, plan["d"].optional) == (3, 2, True)
    assert requirements_plan(needs)["d"].depends_on == ("c", "a")


def test_plan_of_requirements_in_a_circle_names_it():
    circle = [
        need("a", depends_on=("b",)),
        need("b", depends_on=("a",)),
        need("c", depends_on=("b",)),
    ]
    assert "in a circle" in requirements_plan(circle).faults[0]
    assert requirements_plan(circle, without=["a", "b"])["c"].depends_on == ()
