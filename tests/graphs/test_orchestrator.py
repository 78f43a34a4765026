"""An orchestrator queues tasks to agents by requirement, and knows how each of them stands."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from scripted import ScriptedChatModel

from cogwork.core.errors import ConfigurationError, PlanningError
from cogwork.core.topology import to_ascii
from cogwork.graphs.orchestrator import create_orchestrator, task_results
from cogwork.memory import create_checkpointer
from cogwork.nodes.plan import StepResult
from cogwork.nodes.queueing import due_tasks
from cogwork.nodes.roles import Requirement, Role

ROLES = [Role(name="clerk", capabilities=("file",)), Role(name="cook", capabilities=("cook",))]
THREAD = {"configurable": {"thread_id": "1"}}


def agent(answer: Any, seen: list[Any] | None = None) -> Any:
    """A graph that answers with a text or with what a function of the messages says."""

    async def work(state: MessagesState) -> dict[str, Any]:
        if seen is not None:
            seen.append([message.text for message in state["messages"]])
        said = answer(state["messages"]) if callable(answer) else answer
        said = await said if asyncio.iscoroutine(said) else said
        return {"messages": [AIMessage(said)]}

    builder = StateGraph(MessagesState)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    return builder.compile()


def desk(*script: Any, members: dict[str, Any] | None = None, **options: Any) -> Any:
    model = ScriptedChatModel(script=list(script) or ["done"], forever=not script)
    filled = {"clerk": agent("filed"), "cook": agent("cooked")} | (members or {})
    options.setdefault("checkpointer", create_checkpointer("memory://"))
    return create_orchestrator(model, roles=ROLES, members=filled, **options)


def task(key: str, *before: str, capability: str = "file", **more: Any) -> Requirement:
    return Requirement(
        id=key, description=f"Do {key}", capability=capability, depends_on=before, **more
    )


async def add(graph: Any, *tasks: Requirement) -> dict[str, Any]:
    done: dict[str, Any] = await graph.ainvoke({"requirements": list(tasks)}, THREAD)
    return done


def stand(results: dict[str, StepResult]) -> dict[str, tuple[str, Any]]:
    return {key: (one.status, one.result) for key, one in results.items()}


async def test_tasks_go_to_agents_by_requirement_and_results_are_integrated():
    graph = desk("both done")
    done = await add(graph, task("a"), task("b", capability="cook"))
    assert stand(done["results"]) == {"a": ("completed", "filed"), "b": ("completed", "cooked")}
    assert {key: one.members[0] for key, one in done["assignments"].items()} == {
        "a": "clerk",
        "b": "cook",
    }
    assert done["messages"][-1].text == "both done"
    assert await task_results(graph, THREAD) == done["results"]


def test_it_runs_in_synchronous_code_too():
    done = desk(checkpointer=None).invoke({"requirements": [task("a")]})
    assert stand(done["results"]) == {"a": ("completed", "filed")}


async def test_later_tasks_build_on_earlier_ones_which_do_not_run_again():
    seen: list[Any] = []
    graph = desk(members={"clerk": agent("filed", seen)})
    await add(graph, task("a"), task("other"))
    done = await add(graph, task("b", "a"))
    assert stand(done["results"]) == dict.fromkeys(("a", "other", "b"), ("completed", "filed"))
    assert seen == [["Do a"], ["Do other"], ["Do a", "filed", "Do b"]]
    assert [step.id for step in done["plan"].steps] == ["a", "b"]


async def test_task_that_nobody_can_do_fails_by_name_and_the_others_go_on():
    done = await add(
        desk(), task("a"), task("fly", capability="pilot a plane"), task("land", "fly")
    )
    assert {key: one.status for key, one in done["results"].items()} == {
        "a": "completed",
        "fly": "failed",
        "land": "blocked",
    }
    assert (
        "nobody in the team can do 'fly', which takes 'pilot a plane'"
        in done["results"]["fly"].error
    )
    assert [gap.requirement for gap in done["gaps"]] == ["fly"]
    assert done["stop_reason"] == "incomplete"


async def test_failed_task_is_tried_again_when_it_is_queued_again_or_waited_for():
    answers = iter([ValueError("ill"), "first", ValueError("ill"), "second"])

    def work(_: Any) -> str:
        said = next(answers)
        if isinstance(said, Exception):
            raise said
        return said

    graph = desk(members={"clerk": agent(work)})
    assert (await add(graph, task("a")))["results"]["a"].status == "failed"
    assert (await add(graph, task("a")))["results"]["a"].result == "first"
    assert (await add(graph, task("b")))["results"]["b"].status == "failed"
    done = await add(graph, task("c", "b", capability="cook"))
    assert stand(done["results"]) == {
        "a": ("completed", "first"),
        "b": ("completed", "second"),
        "c": ("completed", "cooked"),
    }


async def test_at_most_so_many_tasks_run_at_once():
    now, most = [0], [0]

    async def work(_: Any) -> str:
        now[0] += 1
        most[0] = max(most[0], now[0])
        for _ in range(5):
            await asyncio.sleep(0)
        now[0] -= 1
        return "filed"

    graph = desk(members={"clerk": agent(work)}, max_concurrency=2)
    await add(graph, *(task(f"t{n}") for n in range(6)))
    assert most == [2]


async def test_status_is_known_while_others_still_run():
    go, begun = asyncio.Event(), asyncio.Event()

    async def work(_: Any) -> str:
        begun.set()
        await go.wait()
        return "cooked"

    graph = desk(members={"cook": agent(work)})
    job = asyncio.create_task(add(graph, task("a"), task("b", "a", capability="cook")))
    await begun.wait()
    while (standing := stand(await task_results(graph, THREAD)))["a"][0] == "pending":
        await asyncio.sleep(0)
    assert standing == {"a": ("completed", "filed"), "b": ("pending", None)}
    go.set()
    assert (await job)["results"]["b"].result == "cooked"


async def test_person_answers_and_nothing_finished_runs_again(tmp_path):
    seen: list[Any] = []

    def ask(_: Any) -> str:
        return f"cooked {interrupt('salt?')}"

    with create_checkpointer(f"sqlite:///{tmp_path}/desk.db") as saver:
        graph = desk(
            members={"clerk": agent("filed", seen), "cook": agent(ask)}, checkpointer=saver
        )
        await add(graph, task("a"), task("b", "a", capability="cook"))
        again = desk(
            members={"clerk": agent("filed", seen), "cook": agent(ask)}, checkpointer=saver
        )
        assert stand(await task_results(again, THREAD))["a"] == ("completed", "filed")
        done = await again.ainvoke(Command(resume="yes"), THREAD)
    assert stand(done["results"])["b"] == ("completed", "cooked yes")
    assert len(seen) == 1


async def test_questions_become_tasks_with_ids_of_their_own():
    first = '{"steps": [{"id": "1", "description": "File it", "capability": "file"}]}'
    second = """{"steps": [
        {"id": "1", "description": "Cook it", "capability": "cook"},
        {"id": "2", "description": "File {1.result}", "capability": "file", "depends_on": ["1"]}]}"""
    seen: list[Any] = []
    graph = desk(first, second, "two", members={"clerk": agent("filed", seen)})
    await graph.ainvoke({"messages": "one"}, THREAD)
    done = await graph.ainvoke({"messages": "two"}, THREAD)
    assert list(done["tasks"]) == ["1", "1-2", "2"]
    assert done["tasks"]["2"].depends_on == ("1-2",)
    assert seen[-1][-1] == "File cooked"


async def test_impossible_tasks_are_refused():
    graph = desk()
    await add(graph, task("a"))
    with pytest.raises(PlanningError, match="task 'a' is another one in this thread"):
        await add(graph, task("a", capability="cook"))
    with pytest.raises(PlanningError, match="depends on 'x', which is no step"):
        await add(graph, task("b", "x"))
    with pytest.raises(PlanningError, match="2 steps are called 'c'"):
        await add(graph, task("c"), task("c"))
    for nothing in ([], " \n"):
        with pytest.raises(PlanningError, match="there is nothing to do"):
            await desk(checkpointer=None).ainvoke({"messages": nothing})
    with pytest.raises(ConfigurationError, match="has no checkpointer"):
        await task_results(desk(checkpointer=None), THREAD)


def test_due_are_the_added_tasks_and_what_they_lack():
    tasks = {each.id: each for each in (task("a"), task("b", "a"), task("c", "b"), task("d"))}
    done = {"a": StepResult(id="a", status="completed", result=1)}
    due = due_tasks([tasks["c"]], tasks, done)
    assert [(each.id, each.depends_on) for each in due] == [("a", ()), ("b", ("a",)), ("c", ("b",))]
    done["b"] = StepResult(id="b", status="completed", result=2)
    assert [each.id for each in due_tasks([tasks["c"]], tasks, done)] == ["b", "c"]


async def test_offline_model_runs_a_desk():
    from cogwork.tools import load_tools

    graph = create_orchestrator("offline", load_tools(["calculator"]))
    done = await graph.ainvoke({"messages": "Compute 6 * 7, and compute 10 / 4"})
    assert done["messages"][-1].text == "6 * 7 is 42. 10 / 4 is 2.5."


def test_topology():
    assert "enqueue    ──▶ execute" in to_ascii(desk())
