"""The planners that need little: dependency, templates, HTN; names, and plans that worked."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.memory import InMemoryStore
from scripted import ScriptedChatModel

from cogwork.core.errors import PlanningError, UnknownNameError
from cogwork.nodes.htn import Domain, Method, Operator
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.plan_check import check_plan
from cogwork.nodes.planners import (
    TEMPLATES,
    make_dependency_planner,
    make_htn_planner,
    make_template_planner,
    planners,
    recall_plans,
    remember_plan,
    with_examples,
)
from cogwork.nodes.planners.templates import choose_template
from cogwork.nodes.planning import PlanRequest


async def depending(*tasks):
    model = ScriptedChatModel(script=[json.dumps({"tasks": tasks}), "no"], forever=True)
    return await make_dependency_planner(model)(PlanRequest("x"), {})


def task(key, cost, *after):
    return {"id": key, "description": key, "estimated_cost": cost, "depends_on": after}


async def test_steps_are_the_more_urgent_the_less_they_may_be_late():
    made = await depending(
        task("a", 1), task("b", 5, "a"), task("c", 2, "a"), task("d", 1, "b", "c")
    )
    assert made.critical_path == ("a", "b", "d")
    assert {step.id: step.priority for step in made.steps} == {"a": 1, "b": 1, "c": 0, "d": 1}


async def test_plan_without_an_order_is_left_for_the_check_to_refuse():
    made = await depending(task("a", 1, "b"), task("b", 1, "a"))
    assert made.faults
    assert [step.priority for step in made.steps] == [0, 0]


async def test_answer_without_tasks_becomes_one_free_step():
    assert (await depending()).steps == (Step(id="goal", description="x"),)


@pytest.mark.parametrize(
    ("goal", "name"),
    [
        ("Research the history of tea", "research"),
        ("Write an essay on data", "writing"),
        ("Analyse the sales data and write a report", "analysis"),
        ("Find out who wrote it", "research"),
        ("Plan a birthday party", "general"),
        ("", "general"),
    ],
)
def test_template_is_chosen_by_the_words_of_the_goal(goal, name):
    assert choose_template(goal) == name


@pytest.mark.parametrize("name", TEMPLATES)
@given(goal=st.text(min_size=1))
async def test_filled_template_holds_whatever_the_goal_says(name, goal):
    made = await make_template_planner(name)(PlanRequest(f"{goal} {{draft.result}}"), {})
    assert check_plan(made) == []
    assert all(goal.replace("{", "")[:1] in step.description for step in made.steps)
    assert "{draft.result}" not in made.steps[0].description


async def test_unknown_template_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'research'"):
        make_template_planner("reserch")


async def test_template_made_again_keeps_what_is_completed():
    planner = make_template_planner()
    first = await planner(PlanRequest("Write an essay"), {})
    done = {"readers": StepResult(id="readers", status="completed", result="children")}
    assert await planner(PlanRequest("Write an essay", earlier=[(first, done)]), {}) == first


TEA = Domain(
    [
        Operator("boil", (), add=[("hot", "water")]),
        Operator("pour", (), [("hot", "water")], add=[("ready", "tea")], description="pour it"),
    ],
    [
        Method("tea", (), [("ready", "tea")], []),
        Method("tea", (), [("not", ("hot", "water"))], [("boil",), ("tea",)]),
        Method("tea", (), [("hot", "water")], [("pour",)]),
    ],
)


async def test_htn_planner_plans_from_the_state_that_the_request_tells():
    def state_of(request):
        hot = [("hot", "water")] if "boil-1" in request.results else []
        return hot, [("tea",)]

    planner = make_htn_planner(TEA, state_of)
    made = await planner(PlanRequest("make tea"), {})
    assert (made.goal, made.order) == ("make tea", ("boil-1", "pour-2"))
    done = {"boil-1": StepResult(id="boil-1", status="completed")}
    again = await planner(PlanRequest("make tea", earlier=[(made, done)]), {})
    assert again.order == ("pour-1",)


async def test_htn_planner_says_why_there_is_no_plan_and_when_nothing_is_left():
    dry = Domain([Operator("pour", (), [("hot", "water")])])
    with pytest.raises(PlanningError, match="hot"):
        await make_htn_planner(dry, lambda _: ([], [("pour",)]))(PlanRequest("tea"), {})
    with pytest.raises(PlanningError, match="nothing is left to do for 'tea'"):
        await make_htn_planner(TEA, lambda _: ([("ready", "tea")], [("tea",)]))(
            PlanRequest("tea"), {}
        )


@pytest.mark.parametrize("name", planners.names())
async def test_planner_is_chosen_by_name_and_makes_a_plan_that_holds(name):
    model = ScriptedChatModel(script=["I'd rather not."], forever=True)
    made = await planners.get(name)(model)(PlanRequest("Write an essay"), {})
    assert check_plan(made) == []


def test_every_planner_says_what_it_does():
    assert {entry.name for entry in planners if entry.description} == {
        *("model", "hierarchical", "mece", "dependency", "template"),
        *(f"template:{name}" for name in TEMPLATES),
    }


def worked(plan, status="completed"):
    return {step.id: StepResult(id=step.id, status=status) for step in plan.steps}


WHALES = Plan(
    goal="Report on whales",
    steps=[Step(id="a", tool="search", args={"q": ["whales", 1]}), Step(id="b", optional=True)],
)
NAMESPACE = ("users", "ada")


async def test_plan_that_worked_is_offered_for_a_similar_goal():
    store = InMemoryStore()
    assert await remember_plan(store, NAMESPACE, WHALES, {"a": worked(WHALES)["a"]})
    assert await remember_plan(
        store,
        NAMESPACE,
        Plan(goal="Bake bread", steps=[Step(id="x", tool="bake")]),
        {"x": StepResult(id="x", status="completed")},
    )
    assert await recall_plans(store, NAMESPACE, "Report on sharks and whales") == [WHALES]
    assert await recall_plans(store, ("users", "bob"), "Report on whales") == []
    assert await recall_plans(store, NAMESPACE, "Report on whales", 0) == []


@pytest.mark.parametrize("status", ["failed", "blocked", "skipped"])
async def test_plan_that_did_not_work_or_shows_nothing_is_not_remembered(status):
    store = InMemoryStore()
    assert not await remember_plan(store, NAMESPACE, WHALES, worked(WHALES, status))
    assert not await remember_plan(store, NAMESPACE, Plan(goal="x"), {})
    lone = Plan(goal="x", steps=[Step(id="goal", description="x")])
    assert not await remember_plan(store, NAMESPACE, lone, worked(lone))
    assert await store.asearch(()) == []


async def test_one_plan_is_kept_for_a_goal_the_last():
    store = InMemoryStore()
    for tool in ("search", "browse"):
        plan = Plan(goal="Report on whales", steps=[Step(id="a", tool=tool)])
        await remember_plan(store, NAMESPACE, plan, worked(plan))
    assert await recall_plans(store, NAMESPACE, "report on whales") == [plan]


async def test_what_is_no_plan_is_passed_over():
    store = InMemoryStore()
    await store.aput((*NAMESPACE, "plans"), "k", {"text": "Report on whales", "plan": {"steps": 3}})
    await remember_plan(store, NAMESPACE, WHALES, worked(WHALES))
    assert await recall_plans(store, NAMESPACE, "Report on whales") == [WHALES]


async def test_only_goals_that_are_near_enough_are_offered_by_vectors():
    def embed(texts):
        return [[1.0, 0.0] if "whales" in text.lower() else [0.0, 1.0] for text in texts]

    store = InMemoryStore(index={"embed": embed, "dims": 2})
    await remember_plan(store, NAMESPACE, WHALES, worked(WHALES))
    assert await recall_plans(store, NAMESPACE, "Whales!") == [WHALES]
    assert await recall_plans(store, NAMESPACE, "Report on bread") == []


async def test_planner_is_shown_the_plans_that_worked():
    store = InMemoryStore()
    await remember_plan(store, NAMESPACE, WHALES, worked(WHALES))
    model = ScriptedChatModel(script=["no"], forever=True)
    planner = with_examples(planners.get("model")(model), store, NAMESPACE)
    await planner(PlanRequest("Report on sharks"), {})
    assert WHALES.model_dump_json(exclude_defaults=True) in model.sent[0][-1].text
