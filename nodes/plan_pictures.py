"""Plans as pictures: their dependencies as a graph, and their execution over time."""

from collections.abc import Mapping

from langchain_core.runnables.graph import Graph

from cogwork.core.drawing.gantt import Bar, Kind, draw_gantt
from cogwork.core.topology import to_svg
from cogwork.nodes.plan import Plan, StepResult

__all__ = ["plan_to_gantt", "plan_to_svg"]


def plan_to_svg(plan: Plan) -> str:
    """Return a plan's steps and what they wait for, as the text of an SVG file.

    Raises:
        PlanningError: The plan has no order.
    """
    graph = Graph()
    nodes = {key: graph.add_node(None, id=key) for key in plan.order}
    for step in plan.steps:
        for before in dict.fromkeys(step.depends_on):
            graph.add_edge(nodes[before], nodes[step.id])
    return to_svg(graph)


def plan_to_gantt(plan: Plan, results: Mapping[str, StepResult]) -> str:
    """Return when each step ran, as the text of an SVG file.

    The chain of steps on which the end had to wait is marked.

    Args:
        plan: What was executed.
        results: How its steps went, as in the state of a graph that executes plans.
    """
    ran = [results[key] for key in plan.order if key in results and results[key].started_at]
    ran.sort(key=lambda one: (one.started_at or 0.0, plan.order.index(one.id)))
    waited = _waited_for(plan, {one.id: one for one in ran})
    begin = min((one.started_at or 0.0 for one in ran), default=0.0)
    bars = [_bar(plan, one, begin, is_critical=one.id in waited) for one in ran]
    seconds = max((bar.end for bar in bars), default=0.0)
    done = sum(one.status == "completed" for one in results.values())
    subtitle = f"{done} of {len(plan.steps)} steps completed in {seconds:.3g} s"
    return draw_gantt(plan.goal or "Plan", subtitle, bars)


def _waited_for(plan: Plan, ran: Mapping[str, StepResult]) -> set[str]:
    """The last step to end, the last of those that it waited for, and so on."""
    found: set[str] = set()
    last = max(ran, key=lambda key: ran[key].finished_at or 0.0, default=None)
    while last is not None:
        found.add(last)
        before = [key for key in plan[last].depends_on if key in ran]
        last = max(before, key=lambda key: ran[key].finished_at or 0.0, default=None)
    return found


def _bar(plan: Plan, one: StepResult, begin: float, *, is_critical: bool) -> Bar:
    step = plan[one.id]
    kind: Kind = "critical" if is_critical else "done"
    if one.status != "completed":
        kind = "failed" if one.status == "failed" else "idle"
    again = f", {one.attempts} attempts" if one.attempts > 1 else ""
    rung = f", {one.rung}" if one.rung else ""
    about = f"{step.description or step.tool or ''}: {one.status}{again}{rung}"
    start = (one.started_at or begin) - begin
    end = (one.finished_at or one.started_at or begin) - begin
    note = f"{one.seconds * 1000:.0f} ms{again}{rung}"
    return Bar(one.id, start, max(end, start), kind, note, f"{about}. {one.error or ''}")
