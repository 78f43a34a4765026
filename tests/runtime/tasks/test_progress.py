"""States that follow each other, phases, and how far a task is."""

from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.graph import START, StateGraph
from task_graphs import Gate, State

from cogwork.core.errors import TaskError
from cogwork.runtime.tasks.progress import Progress
from cogwork.runtime.tasks.task import ENDED, require_transition
from cogwork.runtime.tasks.task import State as TaskState

STATES = get_args(TaskState)
FOLLOWS = {
    ("pending", "running"),
    ("pending", "paused"),
    ("pending", "cancelled"),
    ("paused", "pending"),
    ("paused", "cancelled"),
    *(("running", after) for after in STATES if after != "running"),
}
EVENTS = st.one_of(
    st.sampled_from(["plan", "execute", "think"]),
    st.fixed_dictionaries(
        {"type": st.just("step"), "step": st.sampled_from("abc")},
        optional={"event": st.sampled_from(["started", "finished", "failed", "skipped"])},
    ),
    st.fixed_dictionaries(
        {"type": st.just("progress"), "value": st.one_of(st.floats(), st.integers(), st.text())}
    ),
)


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_a_change_of_state_that_is_not_foreseen_is_refused(before: TaskState, after: TaskState):
    if (before, after) in FOLLOWS:
        require_transition("t", before, after)
    else:
        with pytest.raises(TaskError, match=f"'t' is {before} and cannot become {after}"):
            require_transition("t", before, after)
    assert before not in ENDED or (before, after) not in FOLLOWS


@given(st.lists(EVENTS))
def test_progress_never_goes_back_and_is_whole_only_at_the_end(events: list[Any]):
    progress = Progress()
    shares = [0.0]
    for event in events:
        if isinstance(event, str):
            progress.node(event)
        else:
            progress.custom(event)
        shares.append(progress.share)
    assert all(before <= after < 1 for before, after in pairwise(shares))


def test_steps_of_a_plan_are_counted():
    progress = Progress()
    for step in "abcd":
        progress.custom({"type": "step", "step": step, "event": "started"})
    shares = []
    for step in "abcd":
        progress.custom({"type": "step", "step": step, "event": "finished"})
        shares.append(progress.share)
    assert shares == pytest.approx([0.95 * each / 4 for each in (1, 2, 3, 4)])


@pytest.mark.parametrize(
    ("name", "phase"), [("plan", "planning"), ("execute", "executing"), ("think", "reasoning")]
)
def test_a_running_task_says_what_it_does(runner: Any, gate: Gate, name: str, phase: str):
    async def first(state: State) -> State:
        return {"x": 1}

    builder = StateGraph(State)
    builder.add_sequence([(name, first), ("wait", gate)])
    builder.add_edge(START, name)
    with runner({"work": builder.compile()}) as tasks:
        key = tasks.submit("work", {})
        for event in tasks.watch(key):
            if event.kind == "node" and event.data["node"] == name:
                task = tasks.status(key)
                assert (task.state, task.phase) == ("running", phase)
                assert 0 < task.progress < 1
                gate.open.set()
        task = tasks.status(key)
        assert (task.state, task.phase, task.progress) == ("completed", None, 1.0)
