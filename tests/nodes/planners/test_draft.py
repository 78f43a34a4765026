"""Drafts: whatever a model answers becomes a plan, and no step gets another's result."""

import json

from hypothesis import given
from hypothesis import strategies as st
from scripted import ScriptedChatModel

from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.plan_check import check_plan
from cogwork.nodes.planners.draft import DraftStep, with_earlier
from cogwork.nodes.planners.model import make_model_planner
from cogwork.nodes.planning import PlanRequest

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from([*DraftStep.model_fields, "task", "why"])


@given(st.lists(st.dictionaries(FIELDS, JSON, max_size=6), max_size=4))
async def test_any_answer_becomes_a_plan_that_can_be_checked(steps):
    model = ScriptedChatModel(script=[json.dumps({"steps": steps})], forever=True)
    made = await make_model_planner(model)(PlanRequest("x"), {})
    assert made.steps
    assert all(isinstance(fault, str) for fault in check_plan(made))


IDS = st.sampled_from("abcd")


@st.composite
def plans(draw):
    """Plans over few ids, so that they meet; dependencies lead from later ids to earlier ones."""
    steps = []
    for key in draw(st.lists(IDS, unique=True, min_size=1)):
        before = [each for each in "abcd" if each < key and draw(st.booleans())]
        said = draw(st.sampled_from(["one", "two", "see {a.result}" if key > "a" else "three"]))
        steps.append(Step(id=key, description=said, depends_on=before))
    return Plan(goal="x", steps=steps)


@given(plans(), plans(), st.sets(IDS))
def test_no_step_gets_the_result_of_another(old, new, done):
    results = {
        step.id: StepResult(id=step.id, status="completed" if step.id in done else "failed")
        for step in old.steps
    }
    made = with_earlier(new, PlanRequest("x", earlier=[(old, results)]))
    kept = {step.id: step for step in old.steps if results[step.id].status == "completed"}
    for step in made.steps:
        if step.id in kept:
            assert step.description == kept[step.id].description
            assert kept.keys() >= set(step.depends_on)
    said = [step.description.replace("-2", "") for step in made.steps]
    assert all(said.count(step.description) for step in new.steps)
    assert len({step.id for step in made.steps}) == len(made.steps)
