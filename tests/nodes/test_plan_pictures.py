"""Pictures of plans: valid SVG, nothing fetched, every step and its state in it."""

import re
from xml.etree import ElementTree as ET

import pytest

from cogwork.core.errors import PlanningError
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.plan_pictures import plan_to_gantt, plan_to_svg

PLAN = Plan(
    goal="Tom & Jerry <b>",
    steps=(
        Step(id="a", description="read <it>"),
        Step(id="b", depends_on=("a",)),
        Step(id="c", depends_on=("a",)),
        Step(id="d", depends_on=("b", "c")),
    ),
)


def ended(key, start, end, status="completed", **more):
    return StepResult(id=key, status=status, started_at=start, finished_at=end, **more)


RESULTS = {
    "a": ended("a", 100.0, 101.0),
    "b": ended("b", 101.0, 103.0, attempts=2, rung="retry"),
    "c": ended("c", 101.0, 101.5),
    "d": ended("d", 103.0, 103.5, "failed", error="no <luck>"),
}


def shapes(svg, kind):
    root = ET.fromstring(svg)
    return [each for each in root.iter() if each.get("class") == f"g-{kind}"]


def test_graph_of_a_plan_shows_every_step_and_dependency():
    svg = plan_to_svg(PLAN)
    texts = [each.text for each in ET.fromstring(svg).iter() if each.text]
    assert {"a", "b", "c", "d"} <= {text.strip() for text in texts}
    with pytest.raises(PlanningError):
        plan_to_svg(Plan(steps=(Step(id="a", depends_on=("a",)),)))


def test_gantt_shows_times_states_and_what_the_end_waited_for():
    svg = plan_to_gantt(PLAN, RESULTS)
    assert len(shapes(svg, "critical")) == 2  # a and b; d was waited for too, but it failed
    assert len(shapes(svg, "done")) == 1
    assert len(shapes(svg, "failed")) == 1
    a, b = shapes(svg, "critical")
    assert float(b.get("x")) == pytest.approx(float(a.get("x")) + float(a.get("width")), abs=0.2)
    assert float(b.get("width")) == pytest.approx(2 * float(a.get("width")), abs=0.2)
    assert "2 attempts, retry" in svg
    assert "3 of 4 steps completed in 3.5 s" in svg


def test_gantt_escapes_what_people_wrote_and_fetches_nothing():
    svg = plan_to_gantt(PLAN, RESULTS)
    assert "<b>" not in svg
    assert "<luck>" not in svg
    assert re.findall(r"https?://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]


def test_gantt_of_nothing_and_of_an_instant_is_drawn():
    for results in ({}, {"a": ended("a", 5.0, 5.0)}):
        ET.fromstring(plan_to_gantt(PLAN, results))
