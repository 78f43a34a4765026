"""Misuse of a runner: one clear error, before anything reaches a database."""

import pytest
from task_graphs import add, graph_of

from cogwork.core.errors import ConfigurationError, MemoryStoreError, TaskError
from cogwork.runtime.tasks import Runner

BETWEEN = "1 to 200 characters that can be printed"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"id": "\ud800"}, rf"id is '\\ud800'; .* {BETWEEN}"),
        ({"id": "a\0b"}, BETWEEN),
        ({"id": ""}, BETWEEN),
        ({"id": "x" * 201}, BETWEEN),
        ({"id": 5}, "id is 5; the id of a task is text"),
        ({"parent": 5}, "parent is 5; the id of a task is text"),
        ({"parent": "\ud800"}, BETWEEN),
        ({"parent": "nobody"}, "parent 'nobody' is no task; submit it first"),
        ({"priority": 10**30}, f"priority is {10**30}; choose Priority.low"),
        ({"priority": 10**5000}, "priority is a int that cannot be shown"),
        ({"priority": "high"}, "priority is 'high'"),
        ({"priority": True}, "priority is True"),
        ({"timeout": 0}, "timeout 0 must be seconds above 0; leave it out for no limit"),
        ({"timeout": -1}, "timeout -1 must be"),
        ({"timeout": float("nan")}, "timeout nan must be"),
        ({"timeout": float("inf")}, "timeout inf must be"),
        ({"timeout": 10**400}, "timeout 1000.* must be"),
        ({"timeout": "5"}, "timeout '5' must be"),
        ({"budget": {"max_cost": 1}}, "make it a Budget"),
    ],
)
def test_what_cannot_be_submitted_is_named_with_its_value_and_the_way_out(options, says):
    tasks = Runner("sqlite:///t.db", {"add": graph_of(add)})
    with pytest.raises(ConfigurationError, match=says):
        tasks.submit("add", {"x": 1}, **options)
    assert tasks.counts() == {}
    tasks.stop()


@pytest.mark.parametrize(
    ("name", "says"), [("ad", "did you mean 'add'"), (5, "no graph 5"), ("\ud800", "known: add")]
)
def test_a_graph_that_is_not_there_is_named(name, says):
    tasks = Runner("sqlite:///t.db", {"add": graph_of(add)})
    with pytest.raises(ConfigurationError, match=says):
        tasks.submit(name, {})
    tasks.stop()


def test_input_that_cannot_be_kept_is_refused():
    tasks = Runner("sqlite:///t.db", {"add": graph_of(add)})
    with pytest.raises(MemoryStoreError, match="keep plain data"):
        tasks.submit("add", {"x": object()})
    tasks.stop()


def test_nothing_is_submitted_for_a_cancelled_parent():
    tasks = Runner("sqlite:///t.db", {"add": graph_of(add)})
    parent = tasks.submit("add", {"x": 1})
    tasks.cancel(parent)
    with pytest.raises(TaskError, match="was cancelled"):
        tasks.submit("add", {"x": 1}, parent=parent)
    tasks.stop()


@pytest.mark.parametrize(
    ("misuse", "says"),
    [
        (lambda tasks: tasks.status("\ud800"), BETWEEN),
        (lambda tasks: tasks.cancel(5), "id is 5"),
        (lambda tasks: tasks.list("done"), "no state is called 'done'; known: cancelled"),
        (lambda tasks: tasks.list(limit=0), "limit is 0; it must be a whole number from 1"),
        (lambda tasks: tasks.cleanup(-1), "older_than -1 must be seconds from 0 on"),
        (lambda tasks: tasks.result("x", timeout="a"), "timeout 'a' must be seconds"),
        (lambda tasks: tasks.report(within=0), "within 0 must be seconds above 0"),
    ],
)
def test_what_is_asked_wrongly_is_named(misuse, says):
    tasks = Runner("sqlite:///t.db")
    with pytest.raises(ConfigurationError, match=says):
        misuse(tasks)
    tasks.stop()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: Runner("tasks.db"), "write sqlite:///relative.db"),
        (lambda: Runner(5), "the URL of the tasks is 5"),
        (lambda: Runner("postgresql://u:hunter22@[h/d"), "libpq cannot read the URL"),
        (lambda: Runner("sqlite:///t.db", max_concurrency=0), "max_concurrency is 0"),
        (lambda: Runner("sqlite:///t.db", max_pending="9"), "max_pending is '9'"),
        (lambda: Runner("sqlite:///t.db", stall_after=None), "stall_after None must be"),
    ],
)
def test_a_runner_that_cannot_be_is_refused(wrong, says):
    with pytest.raises(ConfigurationError, match=says):
        wrong()
