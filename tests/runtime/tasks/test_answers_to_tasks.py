"""What tasks ask, and what is answered: by several persons at once, too late, or by the clock."""

import threading
import time
from typing import Any

import pytest
from langgraph.types import interrupt
from task_graphs import State, graph_of

from cogwork.core.errors import TaskError
from cogwork.graphs.process import create_process
from cogwork.nodes.process import parse_definition
from cogwork.runtime.tasks import Runner

REST = """
process: rest
version: 1
steps:
  - {id: nap, wait: {for: 2 days}}
  - {end: rested}
"""


def asked(tasks: Runner, key: str) -> list[dict[str, Any]]:
    """What a task asks, once it does."""
    with pytest.raises(TaskError, match="asks"):
        tasks.result(key, 10)
    return list(tasks.status(key).questions)


def twice(state: State) -> State:
    return {"said": [interrupt("open the door?"), interrupt("delete all?")]}


def test_of_two_who_answer_at_once_one_is_told_that_it_is_answered(runner):
    with runner({"twice": graph_of(twice)}) as tasks:
        key = tasks.submit("twice", {})
        (question,) = asked(tasks, key)
        together, told = threading.Barrier(2), []

        def answer(name: str) -> None:
            together.wait()
            try:
                tasks.resume(key, {question["id"]: name})
            except TaskError as error:
                told.append(str(error))
            else:
                told.append(name)

        persons = [threading.Thread(target=answer, args=[name]) for name in ("mia", "leo")]
        for each in persons:
            each.start()
        for each in persons:
            each.join()
        assert asked(tasks, key)[0]["value"] == "delete all?"
        tasks.resume(key, "no")
        (heard,) = set(told) & {"mia", "leo"}
        assert tasks.result(key, 10)["said"] == [heard, "no"]


def test_an_answer_to_another_question_is_not_taken_for_one_to_this(runner):
    with runner({"twice": graph_of(twice)}) as tasks:
        key = tasks.submit("twice", {})
        (first,) = asked(tasks, key)
        tasks.resume(key, {first["id"]: "yes"})
        (second,) = asked(tasks, key)
        for late in ({first["id"]: "yes"}, {first["id"]: "yes", second["id"]: "yes"}):
            with pytest.raises(TaskError, match=f"does not ask {first['id']}, or no longer"):
                tasks.resume(key, late)
        tasks.resume(key, {"of": "several", "words": 2})  # an answer that is a mapping
        assert tasks.result(key, 10)["said"] == ["yes", {"of": "several", "words": 2}]


def test_a_tick_wakes_a_process_when_its_time_has_come(runner):
    ahead = [0.0]
    rest = create_process(parse_definition(REST), clock=lambda: time.time() + ahead[0])
    with runner({"rest": rest}) as tasks:
        key = tasks.submit("rest", {"input": {}})
        (question,) = asked(tasks, key)
        tasks.resume(key, "tick")  # too early
        (again,) = asked(tasks, key)
        assert again["value"]["expires_at"] == question["value"]["expires_at"]
        ahead[0] = 2 * 86_400.0
        tasks.resume(key, {again["id"]: "tick"})
        assert tasks.result(key, 10)["status"] == "rested"
        assert tasks.status(key).attempts == 3


def test_a_process_sleeps_through_the_restart_of_its_runner(runner):
    ahead = [0.0]
    graphs = {
        "rest": lambda: create_process(parse_definition(REST), clock=lambda: time.time() + ahead[0])
    }
    with runner(graphs) as tasks:
        key = tasks.submit("rest", {"input": {}})
        asked(tasks, key)
    ahead[0] = 3 * 86_400.0
    with runner(graphs) as tasks:
        assert tasks.status(key).state == "paused"
        tasks.resume(key, "tick")
        assert tasks.result(key, 10)["status"] == "rested"
