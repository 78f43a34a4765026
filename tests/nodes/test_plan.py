"""Plans: what is computed from them, what is wrong with them, and references to results."""

import itertools
import json
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.tools import StructuredTool
from pydantic import AfterValidator, BaseModel, ValidationError

from cogwork.core.errors import PlanningError
from cogwork.nodes.plan import Plan, Step
from cogwork.nodes.plan_check import check_plan
from cogwork.nodes.references import fill, references
from cogwork.tools.base import tool


@tool(effect="read")
def add(a: int, b: int = 1) -> int:
    """Add."""
    return a + b


@tool(effect="read")
def strict(a: Annotated[int, AfterValidator({}.__getitem__)]) -> int:
    """Take what nobody has."""
    return a


FREE = StructuredTool.from_function(
    lambda **given: given,
    name="free",
    description="Takes JSON Schema.",
    args_schema={"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]},
)
LIMITED = StructuredTool.from_function(
    lambda **given: given,
    name="limited",
    description="Takes what a JSON schema says.",
    args_schema={
        "type": "object",
        "properties": {
            "n": {"type": "integer"},
            "unit": {"enum": ["C", "F"]},
            "where": {"type": "array", "items": {"$ref": "#/$defs/Place"}},
        },
        "required": ["n"],
        "$defs": {"Place": {"type": "object", "required": ["city"]}},
    },
)


def step(key, *after, cost=1.0, **more):
    return Step(id=key, description=key, depends_on=after, estimated_cost=cost, **more)


NO_INTEGER = (
    "step 'b': argument 'a' of 'add': input should be a valid integer, unable to parse string "
    "as an integer"
)
DIAMOND = Plan(
    goal="d",
    steps=[step("d", "b", "c"), step("b", "a"), step("c", "a", cost=5), step("a", cost=2)],
)


def test_order_groups_critical_path_and_slack_are_computed():
    assert DIAMOND.order == ("a", "b", "c", "d")
    assert DIAMOND.groups == (("a",), ("b", "c"), ("d",))
    assert DIAMOND.critical_path == ("a", "c", "d")
    assert DIAMOND.slack == {"a": 0, "b": 4, "c": 0, "d": 0}
    assert DIAMOND.remaining == {"a": 8, "b": 2, "c": 6, "d": 1}


@st.composite
def plans(draw):
    count = draw(st.integers(0, 8))
    steps = []
    for n in range(count):
        before = draw(st.lists(st.integers(0, n - 1), unique=True)) if n else []
        cost = draw(st.integers(0, 9))
        steps.append(step(str(n), *map(str, before), cost=cost))
    return Plan(steps=draw(st.permutations(steps)))


@given(plans())
def test_critical_path_is_the_costliest_chain_and_slack_what_is_left(plan):
    def chains(key):
        yield from ([key, *rest] for after in plan.dependents[key] for rest in chains(after))
        if not plan.dependents[key]:
            yield [key]

    starts = [each.id for each in plan.steps if not each.depends_on]
    every = [chain for key in starts for chain in chains(key)]
    costs = [sum(plan[key].estimated_cost for key in chain) for chain in every]
    longest = max(costs, default=0)
    assert sum(plan[key].estimated_cost for key in plan.critical_path) == longest
    for key in plan.order:
        through = [cost for cost, chain in zip(costs, every, strict=True) if key in chain]
        assert plan.slack[key] == pytest.approx(longest - max(through))
    for before, after in itertools.pairwise(plan.groups):
        assert all(set(plan[key].depends_on) & set(before) for key in after)


def test_every_fault_is_named_at_once():
    plan = Plan(
        steps=[
            Step(id="a", depends_on=["b"], tool="ad"),
            Step(id="b", depends_on=["a", "z"], tool="add", args={"a": "x", "c": 1}),
            Step(id="b"),
            Step(id="e", tool="add", args={"a": "{f.result}", "b": "{a.result}"}),
            Step(id="g", tool="free", args={"y": 1}),
        ]
    )
    assert check_plan(plan, [add, FREE], max_cost=2, max_steps=4) == [
        "the plan has 5 steps; at most 4 are allowed",
        "2 steps are called 'b'; ids must differ",
        "step 'b' depends on 'z', which is no step",
        "the steps wait for each other in a circle: 'a' → 'b' → 'a'",
        "step 'a' calls 'ad', which is no tool; did you mean 'add'? Known: add, free",
        "step 'b': argument 'c' of 'add': there is no such argument; known: a, b",
        NO_INTEGER,
        "step 'b' has neither a tool nor a description",
        "step 'e' refers to the result of 'f', which is no step",
        "step 'e' refers to the result of 'a', which it does not depend on; add it to depends_on",
        "step 'g': argument 'x' of 'free': field required",
        "step 'g': argument 'y' of 'free': there is no such argument; known: x",
        "the steps are estimated to cost 5; the budget is 2",
    ]


def test_right_plan_and_arguments_that_are_references_have_no_faults():
    plan = Plan(
        steps=[step("a"), Step(id="b", tool="add", args={"a": "{a.result}"}, depends_on=["a"])]
    )
    assert check_plan(plan, [add]) == []


def test_reference_to_an_ancestor_further_back_needs_to_be_a_dependency():
    plan = Plan(
        steps=[
            step("a"),
            step("b", "a"),
            Step(id="c", tool="add", args={"a": "{a.result}"}, depends_on=["b"]),
        ]
    )
    assert check_plan(plan, [add]) == [
        "step 'c' refers to the result of 'a', which it does not depend on; add it to depends_on"
    ]


@pytest.mark.parametrize(
    ("args", "faults"),
    [
        ({"n": "x"}, ["argument 'n' of 'limited': should be integer"]),
        ({"n": 1, "unit": "K"}, ["""argument 'unit' of 'limited': should be one of ["C", "F"]"""]),
        ({"n": 1, "where": [{}]}, ["argument 'where[0].city' of 'limited': is missing"]),
        ({"n": 1, "unit": "C", "where": ({"city": "Rome"},)}, []),
        ({"n": "{a.result}", "where": ["{a.result}"]}, []),
    ],
)
def test_arguments_are_held_against_the_json_schema_that_a_tool_has(args, faults):
    plan = Plan(steps=[step("a"), step("b", "a", tool="limited", args=args)])
    assert check_plan(plan, [LIMITED]) == [f"step 'b': {each}" for each in faults]


def test_validator_of_a_tool_that_breaks_is_a_fault_of_the_plan():
    plan = Plan(steps=[step("a", tool="strict", args={"a": 1})])
    assert check_plan(plan, [strict]) == ["step 'a': argument '' of 'strict': KeyError: 1"]


def referring(text, key="s"):
    """The faults of a step with this argument, behind one of this id."""
    return check_plan(
        Plan(steps=[step(key), step("t", key, tool="free", args={"x": text})]), [FREE]
    )


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("s", "{s.result[x]}"),
        ("s", "{s.result..a}"),
        ("s", "{ s.result }"),
        ("s", "see {s.results}"),
        ("s", "{s.result"),
        ("s", "{s.result + 1.result}"),
        ("read file", "{read file .result}"),
        ("s.1", "{s.1.result.a b}"),
    ],
)
def test_what_looks_like_a_reference_and_cannot_be_read_is_named(key, text):
    (fault,) = referring(text, key)
    assert fault.startswith(f"step 't' has '{text.removeprefix('see ')}', which looks like a")


@pytest.mark.parametrize("text", ["{x: y.result[z]}", "f(s.result)", "{ z.result }", "{s}"])
def test_other_text_in_braces_is_text(text):
    assert referring(text) == []
    assert fill(text, {"s": 1}) == text


@pytest.mark.parametrize("key", ["a{", " a", "a.result", "a\nb"])
def test_id_that_nothing_can_refer_to_is_refused(key):
    (fault,) = check_plan(Plan(steps=[step(key)]))
    assert fault.startswith(f"nothing can refer to a step called '{key}'")


def test_plan_without_steps_is_none():
    assert check_plan(Plan()) == ["the plan has no steps"]


def test_arguments_that_no_checkpointer_holds_are_faults():
    deep = json.loads("[" * 300 + "]" * 300)
    plan = Plan(
        steps=[step("a", tool="free", args={"x": deep}), step("b", tool="add", args={"a": 10**30})]
    )
    assert check_plan(plan, [add, FREE]) == [
        "step 'a': argument 'x' is nested more than 100 levels deep",
        "step 'b': argument 'a' holds an integer of 100 bits; at most 64 can be kept",
    ]


def test_order_of_an_impossible_plan_is_an_error_and_a_missing_step_is_named():
    with pytest.raises(PlanningError, match="'a' → 'b' → 'a'"):
        _ = Plan(steps=[step("a", "b"), step("b", "a")]).order
    with pytest.raises(PlanningError, match="no step 'aa'; did you mean 'a'"):
        DIAMOND["aa"]


@pytest.mark.parametrize(
    "wrong", [{"id": ""}, {"id": "a", "estimated_cost": -1}, {"id": "a", "when": "now"}]
)
def test_step_with_impossible_fields_is_refused(wrong):
    with pytest.raises(ValidationError):
        Step(**wrong)


class Found(BaseModel):
    title: str


RESULTS = {
    "a": {"hits": [{"title": "T"}], "n": 3},
    "b": "plain",
    "c": '{"rows": [1, 2]}',
    "d": Found(title="M"),
    "e": '["Paris", "Rome"]',
    "read file": {"first-name": "Ada", "last name": "L."},
    "s.1": 5,
}


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("{a.result}", RESULTS["a"]),
        ("{a.result.hits[0].title}", "T"),
        ("{a.result.n}", 3),
        ("n is {a.result.n}, b is {b.result}", "n is 3, b is plain"),
        ("{c.result.rows[1]}", 2),
        ("{d.result.title}", "M"),
        (["{b.result}", {"x": "{b.result}"}, 1], ["plain", {"x": "plain"}, 1]),
        ("{a} {a.results} {{b}}", "{a} {a.results} {{b}}"),
        ("all: {a.result.hits}", 'all: [{"title": "T"}]'),
        ("{e.result[1]}", "Rome"),
        ("{e.result[-1]}", "Rome"),
        ("{read file.result.first-name}", "Ada"),
        ("{read file.result['last name']}", "L."),
        ("is {s.1.result}", "is 5"),
    ],
)
def test_references_are_replaced_by_results_and_their_parts(value, filled):
    assert fill(value, RESULTS) == filled


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("{z.result}", "'z', which has no result"),
        ("{a.result.nothing}", "no such part"),
        ("{a.result.hits[4]}", "no such part"),
        ("{b.result.x}", "no such part"),
        ("{d.result.model_dump}", "no such part"),
        ("{a.result.__class__}", "no such part"),
        ("{b.result[0]}", "no such part"),
        ("{d.result.title[0]}", "no such part"),
    ],
)
def test_reference_that_finds_nothing_is_an_error(value, reason):
    with pytest.raises(PlanningError, match=reason):
        fill(value, RESULTS)


def test_references_are_found_in_any_depth():
    assert references({"x": ["{b.result} {a.result.n}", ("{b.result}",)], "y": 2}) == ["b", "a"]
