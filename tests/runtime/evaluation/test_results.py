"""Rates, their uncertainty, and how results are shown."""

import io
import itertools
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cogwork.core.errors import ConfigurationError
from cogwork.runtime.evaluation.reporting import as_json, as_markdown, as_table
from cogwork.runtime.evaluation.results import Results, TaskRun, wilson

many = st.dictionaries(st.sampled_from("abc"), st.lists(st.booleans(), min_size=4, max_size=4))


def results(tasks, **more):
    runs = [
        TaskRun(task=task, attempt=n, passed=passed, score=passed, **more)
        for task, verdicts in tasks.items()
        for n, passed in enumerate(verdicts, 1)
    ]
    return Results(graph="g", model="m", runs=tuple(runs))


@pytest.mark.parametrize(
    ("rate", "count", "low", "high"),
    [(0.5, 10, 0.2366, 0.7634), (0.0, 10, 0.0, 0.2775), (1.0, 50, 0.9287, 1.0), (0, 0, 0, 1)],
)
def test_the_interval_is_wilsons(rate, count, low, high):
    assert wilson(rate, count) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@given(st.floats(0, 1), st.integers(1, 10_000))
def test_the_interval_holds_the_rate_and_its_ends_solve_wilsons_equation(rate, count):
    low, high = wilson(rate, count)
    assert 0 <= low <= rate <= high <= 1
    for end in (low, high):
        if 0 < end < 1:
            away = 1.959964 * math.sqrt(end * (1 - end) / count)
            assert abs(end - rate) == pytest.approx(away, abs=1e-7)


@given(many, st.integers(1, 4))
def test_chances_of_k_attempts_are_those_of_all_ways_to_draw_them(tasks, k):
    found = results(tasks)
    if not tasks:
        with pytest.raises(ConfigurationError, match="0 attempts"):
            found.pass_at(k)
        return
    draws = [list(itertools.combinations(verdicts, k)) for verdicts in tasks.values()]
    some = [sum(map(any, each)) / len(each) for each in draws]
    every = [sum(map(all, each)) / len(each) for each in draws]
    assert found.pass_at(k) == pytest.approx(sum(some) / len(some))
    assert found.pass_all(k) == pytest.approx(sum(every) / len(every))
    assert found.pass_at(1) == pytest.approx(found.success) == pytest.approx(found.pass_all(1))


@pytest.mark.parametrize("k", [0, 3])
def test_more_attempts_than_were_made_cannot_be_told(k):
    with pytest.raises(ConfigurationError, match=f"k is {k}, with 2 attempts"):
        results({"a": [True, False]}).pass_all(k)


def test_attempts_at_one_task_do_not_make_the_interval_narrower():
    once = results({"a": [True], "b": [False]})
    often = results({"a": [True] * 9, "b": [False] * 9})
    assert often.interval == once.interval


def test_a_group_is_consistent_when_all_its_runs_pass():
    assert results({"a": [True]}).consistent is None
    runs = [
        TaskRun(task=task, group=group, passed=passed, score=passed)
        for task, group, passed in [("a", "x", True), ("b", "x", False), ("c", "y", True)]
    ]
    assert Results(graph="g", runs=tuple(runs)).consistent == 0.5


def test_means_and_kinds_are_over_runs():
    runs = (
        TaskRun(task="a", kind="x", passed=True, score=1, model_calls=2, tool_calls=1, tokens=10),
        TaskRun(task="b", kind="y", passed=False, score=0.5, model_calls=4, cost=0.5, seconds=2),
    )
    found = Results(graph="g", runs=runs)
    assert found.by_kind == {"x": 1, "y": 0}
    assert found.score == 0.75
    assert found.cost == 0.5
    assert found.failures == runs[1:]
    assert found.mean == {
        "steps": 3.5,
        "model_calls": 3,
        "tool_calls": 0.5,
        "tokens": 5,
        "cost": 0.25,
        "seconds": 1,
    }


def test_no_runs_are_no_success():
    none = Results(graph="g")
    assert (none.success, none.interval, none.attempts) == (0, (0, 1), 0)


def test_a_repr_names_what_failed_and_is_short():
    found = results({each: [each == "a"] for each in "abcdefgh"}, reason="wrong")
    assert repr(found) == (
        "<g: 1 of 8; failed: b (wrong), c (wrong), d (wrong), e (wrong), f (wrong), …>"
    )


def test_json_has_a_schema_and_reads_back():
    found = results({"a": [True, False], "b": [True, True]})
    (row,) = json.loads(as_json([found]))
    assert row["success"] == 0.75
    assert row["pass_at"] == {"1": 0.75, "2": 1.0}
    assert row["pass_all"] == {"1": 0.75, "2": 0.5}
    assert Results.model_validate(row) == found
    fields = Results.model_json_schema(mode="serialization")["required"]
    assert set(fields) <= row.keys()
    assert "runs" not in json.loads(as_json([found], runs=False))[0]


def test_a_table_and_markdown_show_the_same_cells():
    both = [results({"a": [True], "b": [False]}), results({"a": [True], "b": [True]})]
    drawn = io.StringIO()
    Console(file=drawn, width=200).print(as_table(both))
    told = as_markdown(both)
    head, rule, *rows = told.splitlines()
    assert head.startswith("| graph | success | 95 % | steps | model calls | tool calls |")
    assert rule.count("---:") == head.count("|") - 2
    assert rows[0].startswith("| g | 50% | 9% to 91% |")
    for line, row in zip(drawn.getvalue().splitlines(), [head, *rows], strict=True):
        assert "".join(line.split()) == "".join(row.replace("|", "").split())


def test_several_kinds_and_attempts_have_columns():
    one = results({"a": [True, False]}, kind="x")
    other = results({"b": [True, True]}, kind="y")
    head, _, first, second = as_markdown([one, other]).splitlines()
    assert "| pass@2 | pass^2 | x | y |" in head
    assert "| 100% | 0% | 50% |  |" in first
    assert "| 100% | 100% |  | 100% |" in second
