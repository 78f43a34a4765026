"""The hierarchical planner: how goals are split, and how a tree becomes a plan of its leaves."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from scripted import ScriptedChatModel

from cogwork.core.errors import ConfigurationError, ModelError
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.plan_check import check_plan
from cogwork.nodes.planners.hierarchical import Task, lifted, make_hierarchical_planner
from cogwork.nodes.planning import PlanRequest
from cogwork.tools.base import tool


@tool(effect="read")
def look(at: str) -> str:
    """Look."""
    return at


def task_of(messages):
    return messages[1].text.split("<goal>\n")[1].split("\n</goal>")[0]


def splitting(parts):
    """A model that splits tasks as a mapping from a task to its parts says."""

    def answer(messages):
        found = parts.get(task_of(messages), [{"description": task_of(messages), "atomic": True}])
        return AIMessage(found if isinstance(found, str) else json.dumps({"steps": found}))

    return ScriptedChatModel(script=[answer], forever=True)


async def plan(model, request, **options):
    made = await make_hierarchical_planner(model, **options)(request, {})
    assert check_plan(made, request.tools) == []
    return made


def part(description, *after, **more):
    return {"id": description, "description": description, "depends_on": after, **more}


TRIP = {
    "trip": [part("prepare"), part("go", "prepare"), part("tell", "go", atomic=True)],
    "prepare": [part("pack"), part("book", atomic=True)],
    "pack": [part("clothes", atomic=True), part("food", atomic=True)],
    "go": [part("drive", atomic=True), part("arrive", "drive", tool="look", args={"at": "sea"})],
}


async def test_goal_is_split_to_its_atomic_tasks():
    model = splitting(TRIP)
    made = await plan(model, PlanRequest("trip", [look]))
    found = {step.id: (step.description, set(step.depends_on)) for step in made.steps}
    assert found == {
        "1-1-1": ("clothes", set()),
        "1-1-2": ("food", set()),
        "1-2": ("book", set()),
        "2-1": ("drive", {"1-1-1", "1-1-2", "1-2"}),
        "2-2": ("arrive", {"1-1-1", "1-1-2", "1-2", "2-1"}),
        "3": ("tell", {"2-2"}),
    }
    assert made["2-2"].tool == "look"
    assert sorted(task_of(sent) for sent in model.sent) == ["go", "pack", "prepare", "trip"]


async def test_part_is_split_knowing_the_goal_and_the_other_tasks():
    model = splitting(TRIP)
    await plan(model, PlanRequest("trip", [look]))
    (text,) = [sent[-1].text for sent in model.sent if task_of(sent) == "go"]
    assert "| The task is a part of this goal: trip" in text
    assert "| Done by others, id 1: prepare" in text


@pytest.mark.parametrize("depth", [1, 2, 5])
async def test_splitting_ends_at_the_depth_limit(depth):
    def halves(messages):
        task = task_of(messages)
        return AIMessage(json.dumps({"steps": [part(f"{task}a"), part(f"{task}b", f"{task}a")]}))

    model = ScriptedChatModel(script=[halves], forever=True)
    made = await plan(model, PlanRequest("x"), max_depth=depth)
    assert len(made.steps) == 2**depth
    assert made.order == tuple("-".join(each) for each in itertools.product("12", repeat=depth))


async def test_splitting_ends_when_the_plan_is_full_or_the_calls_are_used_up():
    endless = [part(name) for name in "abcdefg"]
    model = splitting({"x": endless, **dict.fromkeys("abcdefg", endless)})
    assert len((await plan(model, PlanRequest("x", max_steps=20))).steps) == 19
    used = len(model.sent)
    await plan(model, PlanRequest("x"), max_calls=4)
    assert len(model.sent) == used + 4


async def test_task_that_splits_into_itself_is_atomic_and_a_tool_found_on_the_way_is_taken():
    model = splitting(
        {
            "x": [part("a"), part("b", "a")],
            "b": [part("look at it", tool="look", args={"at": "it"})],
        }
    )
    made = await plan(model, PlanRequest("x", [look]))
    assert [(step.id, step.tool, step.depends_on) for step in made.steps] == [
        ("1", None, ()),
        ("2", "look", ("1",)),
    ]
    assert len(model.sent) == 3


async def test_reference_to_a_task_that_was_split_leads_to_its_end():
    model = splitting(
        {
            "x": [
                part("a"),
                part("b", tool="look", args={"at": "{a.result.n}"}),
                part("c"),
                part("d", tool="look", args={"at": "{c.result}"}),
            ],
            "a": [part("a1", atomic=True), part("a2", "a1", atomic=True)],
            "c": [part("c1", atomic=True), part("c2", atomic=True)],
        }
    )
    made = await plan(model, PlanRequest("x", [look]))
    assert made["2"].args == {"at": "{1-2.result.n}"}
    assert made["2"].depends_on == ("1-2",)
    assert made["4"].args == {"at": "{3.result}"}
    assert made["3"].depends_on == ("3-1", "3-2")
    assert made["3"].tool is None


async def test_parts_of_an_optional_task_are_optional():
    model = splitting(
        {
            "x": [part("a", optional=True, priority=2), part("b", atomic=True)],
            "a": [part("a1", atomic=True), part("a2", atomic=True, priority=1)],
        }
    )
    made = await plan(model, PlanRequest("x"))
    assert [(step.id, step.optional, step.priority) for step in made.steps] == [
        ("1-1", True, 2),
        ("1-2", True, 3),
        ("2", False, 0),
    ]


async def test_goal_that_no_answer_splits_is_one_free_step_and_such_a_part_is_atomic():
    assert (await plan(splitting({"x": "no"}), PlanRequest("x"))).steps == (
        Step(id="goal", description="x"),
    )
    made = await plan(splitting({"x": [part("a"), part("b")], "a": "no"}), PlanRequest("x"))
    assert made.order == ("1", "2")


async def test_only_the_first_question_is_told_the_faults_and_ids_of_completed_steps_are_left():
    model = splitting({"x": [part("a"), part("b")], "a": [part("c"), part("d")]})
    old = Plan(goal="x", steps=[Step(id="2", description="z")])
    request = PlanRequest(
        "x",
        faults=["too slow"],
        earlier=[(old, {"2": StepResult(id="2", status="completed", result=1)})],
    )
    made = await plan(model, request)
    assert [step.id for step in made.steps] == ["1-1", "1-2", "2-2"]
    assert ["too slow" in sent[-1].text for sent in model.sent] == [True, *[False] * 4]


async def test_error_of_a_model_is_raised_when_all_that_were_asked_have_ended():
    model = ScriptedChatModel(
        script=[json.dumps({"steps": [part("a"), part("b")]}), "no", RuntimeError("down"), "no"],
        forever=True,
    )
    with pytest.raises(ModelError, match="down"):
        await make_hierarchical_planner(model)(PlanRequest("x"), {})


async def test_part_may_rest_on_a_step_that_is_completed():
    model = splitting(
        {"x": [part("a"), part("b", "find", tool="look", args={"at": "{find.result}"})]}
    )
    old = Plan(goal="x", steps=[Step(id="find", description="z")])
    done = {"find": StepResult(id="find", status="completed", result=1)}
    made = await plan(model, PlanRequest("x", [look], earlier=[(old, done)]))
    assert [(step.id, step.depends_on) for step in made.steps] == [
        ("find", ()),
        ("1", ()),
        ("2", ("find",)),
    ]


@pytest.mark.parametrize("limits", [{"max_depth": 0}, {"max_calls": 0}])
def test_impossible_limit_is_refused(limits):
    with pytest.raises(ConfigurationError, match="it must be 1 or more"):
        make_hierarchical_planner(ScriptedChatModel(script=[]), **limits)


@st.composite
def trees(draw, prefix="", depth=3):
    """Tasks that depend on earlier siblings, in any order."""
    tasks = []
    for n in range(1, draw(st.integers(1, 3)) + 1):
        key = f"{prefix}{n}"
        before = draw(st.lists(st.integers(1, n - 1), unique=True)) if n > 1 else []
        step = Step(id=key, description=key, depends_on=[f"{prefix}{each}" for each in before])
        split = depth > 1 and draw(st.booleans())
        tasks.append(Task(step, draw(trees(f"{key}-", depth - 1)) if split else []))
    return draw(st.permutations(tasks))


def ancestors(edges, key):
    found = set()
    waiting = list(edges[key])
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += edges[each]
    return found


def below(task):
    return {task.step.id}.union(*map(below, task.children)) if task.children else {task.step.id}


@given(trees())
def test_leaves_wait_for_each_other_exactly_when_the_tree_says_so(roots):
    plan = Plan(steps=lifted(roots))
    edges = {step.id: step.depends_on for step in plan.steps}
    before = {key: ancestors(edges, key) for key in plan.order}

    def compare(siblings):
        after = {task.step.id: task.step.depends_on for task in siblings}
        leaves = {task.step.id: below(task) & set(edges) for task in siblings}
        for one, other in itertools.permutations(after, 2):
            waits = other in ancestors(after, one)
            for first, second in itertools.product(leaves[other], leaves[one]):
                assert (first in before[second]) is waits
        for task in siblings:
            compare(task.children)

    compare(roots)
    assert check_plan(plan) == []
