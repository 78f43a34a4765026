"""The MECE planner: components, checks, one repair, and the step that integrates."""

import json

from langchain_core.messages import AIMessage
from scripted import ScriptedChatModel

from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.plan_check import check_plan
from cogwork.nodes.planners.mece import make_mece_planner
from cogwork.nodes.planning import PlanRequest

GOAL = "Market the tea"


def division(*names, **more):
    parts = [{"name": name, "description": f"about {name}"} for name in names]
    return {"dimension": "place", "components": parts, **more}


def answering(divisions, missing=(), verdict=None):
    """A model that divides as told, one after the other, and finds faults as told."""
    left = list(divisions)

    def answer(messages):
        rules = messages[0].text
        if "You divide" in rules:
            found = left.pop(0)
        elif "You check one component" in rules:
            found = {
                "missing": [each for part, each in missing if f"<goal>\n{part}" in messages[1].text]
            }
        else:
            found = verdict or {"overlaps": [], "gaps": []}
        return AIMessage(found if isinstance(found, str) else json.dumps(found))

    return ScriptedChatModel(script=[answer], forever=True)


async def plan(model, request=PlanRequest(GOAL)):  # noqa: B008 - it is frozen
    made = await make_mece_planner(model)(request, {})
    assert check_plan(made) == []
    return made


async def test_components_run_side_by_side_and_the_last_step_integrates_them():
    model = answering([division("Europe", "Asia")])
    made = await plan(model)
    assert made.groups == (("europe", "asia"), ("integrate",))
    assert made["asia"].description == "Asia: about Asia"
    assert GOAL in made["integrate"].description
    assert len(model.sent) == 4


async def test_gaps_overlaps_and_what_components_lack_are_repaired_once():
    model = answering(
        [division("Europe", "France"), division("Europe", "Asia", "Africa")],
        missing=[("France", "Paris")],
        verdict={"overlaps": ["France is in Europe"], "gaps": ["Africa"]},
    )
    made = await plan(model)
    assert made.groups[0] == ("europe", "asia", "africa")
    text = model.sent[-1][-1].text
    assert "Fault: component 'France' lacks: Paris" in text
    assert "Fault: components overlap: France is in Europe" in text
    assert "Fault: no component does this: Africa" in text
    assert "| Component France: about France" in text
    assert len(model.sent) == 5


async def test_components_that_need_each_other_are_a_fault_and_keep_their_order_if_they_must():
    needy = division("Europe", "Asia")
    needy["components"][1]["depends_on"] = ["Europe", "Mars"]
    model = answering([needy, needy])
    made = await plan(model)
    assert "cannot be worked on without Europe, Mars" in model.sent[-1][-1].text
    assert made.order == ("europe", "asia", "integrate")
    assert made["asia"].depends_on == ("europe",)


async def test_repair_that_fails_leaves_the_first_division():
    model = answering([division("A", "B"), "no", "no"], verdict={"gaps": ["C"], "overlaps": []})
    assert (await plan(model)).order == ("a", "b", "integrate")


async def test_goal_that_cannot_be_divided_is_one_free_step():
    for answers in (["no", "no"], [division("all of it")]):
        assert (await plan(answering(answers))).steps == (Step(id="goal", description=GOAL),)


async def test_checks_without_an_answer_find_nothing():
    def answer(messages):
        divides = "You divide" in messages[0].text
        return AIMessage(json.dumps(division("A", "B")) if divides else "Looks fine to me.")

    made = await plan(ScriptedChatModel(script=[answer], forever=True))
    assert made.order == ("a", "b", "integrate")


async def test_names_that_are_equal_empty_or_taken_get_ids_of_their_own():
    made = await plan(answering([division("Tea", "TEA", "?", "Integrate", "{tea.result}")]))
    assert len({step.id for step in made.steps}) == 6
    assert made.groups[0] == tuple(step.id for step in made.steps[:-1])


async def test_component_that_is_done_is_kept_when_it_comes_again():
    model = answering([division("Europe", "Asia")])
    first = await plan(model)
    done = {"europe": StepResult(id="europe", status="completed", result="sold")}
    again = PlanRequest(GOAL, earlier=[(first, done)])
    same = await plan(answering([division("Europe", "Asia")]), again)
    assert same == first
    changed = division("Europe", "Asia")
    changed["components"][0]["description"] = "another"
    other = await plan(answering([changed]), again)
    assert isinstance(other, Plan)
    assert other.groups == (("europe-2", "asia"), ("integrate",))
