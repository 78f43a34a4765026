"""Whatever an agent does, an attempt has a result, a folder of its own, and its bounds."""

import asyncio
import subprocess
import sys
import textwrap

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from scripted import ScriptedChatModel, calls
from typing_extensions import TypedDict

from cogwork.core.budget import Budget
from cogwork.core.budget_runs import open_budget
from cogwork.core.errors import ConfigurationError, UnknownNameError
from cogwork.core.settings import load_settings
from cogwork.graphs import create_react_agent
from cogwork.runtime.evaluation import (
    EvalTask,
    aevaluate,
    builtin_tasks,
    evaluate,
    graph_maker,
)
from cogwork.runtime.evaluation.checks import Contains, FileIs, Function, NumberIs
from cogwork.tools import load_tools


class Asked(TypedDict):
    question: str
    answer: str


def graph_of(function, **options):
    builder = StateGraph(Asked)
    builder.add_node("answer", function)
    builder.add_edge(START, "answer")
    return builder.compile(**options)


def say(text):
    return graph_of(lambda state: {"answer": text})


def run(graph, *tasks, **options):
    return evaluate(
        graph,
        tasks or [task()],
        to_input=lambda question: {"question": question},
        to_answer=lambda output: output["answer"],
        **options,
    )


def task(name="t", **more):
    return EvalTask(**{"id": name, "question": "6 * 7?", "check": NumberIs(value=42), **more})


def test_a_right_answer_passes_and_a_wrong_one_says_why():
    (right,) = run(say("42")).runs
    assert (right.passed, right.score, right.ended, right.reason) == (True, 1, "answered", "")
    assert right.answer == "42"
    (wrong,) = run(say("43")).runs
    assert (wrong.passed, wrong.ended) == (False, "answered")
    assert wrong.reason == "the last number is 43, expected 42"


def test_a_crash_is_a_result_and_shows_no_secret():
    def crash(state):
        raise ValueError("no such thing; api_key=sk-verysecret123")

    results = run(graph_of(crash), task("a"), task("b"))
    assert [each.ended for each in results.runs] == ["failed", "failed"]
    assert results.runs[0].reason == "ValueError: no such thing; api_key=***"
    assert results.success == 0


def test_what_hangs_is_cut_off_and_the_others_go_on():
    async def hang(state):
        if state["question"] == "hang":
            await asyncio.Event().wait()
        return {"answer": "42"}

    results = run(graph_of(hang), task("a", question="hang"), task("b"), timeout=0.2)
    assert [each.ended for each in results.runs] == ["timeout", "answered"]
    assert results.runs[0].reason == "no answer within 0.2 seconds"
    assert results.success == 0.5


def test_a_question_to_a_person_is_no_answer():
    def ask(state):
        return {"answer": interrupt("May I?")}

    (found,) = run(graph_of(ask)).runs
    assert (found.ended, found.passed) == ("asks", False)
    assert found.reason == "waits for a person's answer"


def test_a_check_or_maker_that_fails_is_a_result_too():
    def refuse(folder):
        raise ConfigurationError("no model")

    def broken(answer, folder):
        raise KeyError("x")

    assert run(refuse).runs[0].reason == "ConfigurationError: no model"
    failed = run(say("42"), task(check=Function(function=broken)))
    assert failed.runs[0].ended == "failed"


def test_no_more_attempts_than_allowed_run_at_once():
    running, most = 0, []
    together = asyncio.Event()

    async def count(state):
        nonlocal running
        running += 1
        most.append(running)
        if running == 3:
            together.set()
        await together.wait()
        running -= 1
        return {"answer": "42"}

    tasks = [task(str(number)) for number in range(9)]
    assert run(graph_of(count), *tasks, concurrency=3, timeout=20).success == 1
    assert max(most) == 3


def test_each_attempt_has_a_fresh_folder_and_the_files_are_untouched(tmp_path):
    (tmp_path / "a.txt").write_text("42")
    folders = []

    def maker(folder):
        folders.append(folder)

        def spoil(state):
            before = sorted(path.name for path in folder.iterdir())
            (folder / "a.txt").write_text("spoilt")
            (folder / "new.txt").write_text("left behind")
            return {"answer": f"{before} 42"}

        return graph_of(spoil)

    results = run(maker, task(files=[tmp_path / "a.txt"]), repeats=3, concurrency=1)
    assert results.success == 1
    assert {each.answer for each in results.runs} == {"['a.txt'] 42"}
    assert [each.attempt for each in results.runs] == [1, 2, 3]
    assert len(set(folders)) == 3
    assert not any(folder.exists() or folder.parent.exists() for folder in folders)
    assert (tmp_path / "a.txt").read_text() == "42"


def test_what_an_agent_wrote_is_checked():
    def maker(folder):
        def write(state):
            (folder / "out.txt").write_text("42")
            return {"answer": "done"}

        return graph_of(write)

    written = task(check=FileIs(path="out.txt", content=NumberIs(value=42)))
    assert run(maker, written).success == 1
    assert run(say("42"), written).runs[0].reason == "there is no file out.txt"


def react(model, **options):
    return create_react_agent(model, load_tools(["calculator"]), **options)


CALL = calls(("calculator", {"expression": "6 * 7"}))


def test_calls_tokens_and_seconds_are_counted():
    answer = calls(say="42")
    (found,) = evaluate(react(ScriptedChatModel(script=[CALL, answer])), [task()]).runs
    assert (found.model_calls, found.tool_calls, found.steps, found.tokens) == (2, 1, 3, 30)
    assert found.seconds > 0
    assert found.cost == 0


def test_an_attempt_that_spends_too_much_is_stopped():
    agent = react(ScriptedChatModel(script=[CALL], forever=True))
    results = evaluate(agent, [task("a"), task("b")], budget=Budget(max_model_calls=2))
    assert [each.ended for each in results.runs] == ["budget", "budget"]
    assert "the budget of the attempt allows 2 model calls" in results.runs[0].reason
    assert [each.model_calls for each in results.runs] == [2, 2]


def test_a_budget_around_holds_for_all_attempts_together():
    agent = react(ScriptedChatModel(script=["42"], forever=True))
    tasks = [task(str(number)) for number in range(5)]
    with open_budget(Budget(max_model_calls=3)) as ledger:
        results = evaluate(agent, tasks, concurrency=1)
    assert [each.ended for each in results.runs] == ["answered"] * 3 + ["budget"] * 2
    assert ledger.spent.model_calls == 3


def test_nothing_of_the_check_reaches_the_model():
    model = ScriptedChatModel(script=["I do not know"], forever=True)
    tasks = [
        each.model_copy(update={"check": Contains(all=("zebra",))}) for each in builtin_tasks()
    ]
    evaluate(react(model), tasks[:5], instruction="Be brief.")
    sent = [message.text for messages in model.sent for message in messages]
    assert sum("Be brief." in text for text in sent) == 5
    assert not any("zebra" in text or tasks[0].id in text for text in sent)


def test_progress_is_told_and_names_are_kept():
    seen = []
    results = run(say("42"), task("a"), task("b"), name="mine", model="none", on_run=seen.append)
    assert sorted(each.task for each in seen) == ["a", "b"]
    assert (results.graph, results.model) == ("mine", "none")


async def test_it_runs_on_a_loop_that_is_there():
    agent = react(ScriptedChatModel(script=["42"]), checkpointer=None)
    assert (await aevaluate(agent, [task()])).success == 1
    again = react(ScriptedChatModel(script=["42"]))
    assert evaluate(again, [task()]).success == 1  # as in a notebook


@pytest.mark.parametrize("wrong", [{"repeats": 0}, {"concurrency": 0}, {"timeout": 0}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigurationError, match=f"{next(iter(wrong))} is 0"):
        run(say("42"), **wrong)


def test_an_id_that_stands_twice_is_refused():
    with pytest.raises(ConfigurationError, match="stand twice: t"):
        run(say("42"), task(), task())


@pytest.mark.parametrize("name", ["react", "assistant"])
def test_a_registered_graph_works_in_the_folder_of_the_task(name, tmp_path):
    chosen = [each for each in builtin_tasks() if each.id in {"sum-column", "sum-to-file"}]
    results = evaluate(graph_maker(name, load_settings(model="offline")), chosen)
    assert results.success == 1, results
    assert results.graph == name
    assert list(tmp_path.iterdir()) == []  # neither memories nor an audit log


def test_an_unknown_graph_is_named():
    with pytest.raises(UnknownNameError, match="did you mean 'react'"):
        graph_maker("reakt", load_settings(model="offline"))


@pytest.mark.slow
def test_a_suite_of_pytest_shows_which_tasks_failed(tmp_path):
    suite = tmp_path / "test_agent.py"
    suite.write_text(
        textwrap.dedent("""
        import pytest
        from cogwork.core.settings import load_settings
        from cogwork.runtime.evaluation import builtin_tasks, evaluate, graph_maker

        agent = graph_maker("react", load_settings(model="offline"))
        tasks = [each for each in builtin_tasks() if each.id in {"sum-column", "route"}]

        @pytest.mark.parametrize("task", tasks, ids=str)
        def test_task(task):
            assert evaluate(agent, [task]).success == 1

        def test_all():
            results = evaluate(agent, tasks)
            assert results.success >= 0.5
        """)
    )
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", str(suite)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
    )
    assert ran.returncode == 1, ran.stderr
    assert "1 failed, 2 passed" in ran.stdout
    assert "PASSED test_agent.py::test_task[sum-column]" in ran.stdout
    assert "FAILED test_agent.py::test_task[route]" in ran.stdout
    assert "<react: 0 of 1; failed: route (no number, expected 33)>.success" in ran.stdout
