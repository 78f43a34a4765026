"""Plan-and-Solve: plans are checked, approved, executed, made anew, and answered from."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command
from scripted import ScriptedChatModel

from cogwork.core.errors import ConfigurationError, PlanningError
from cogwork.core.topology import to_mermaid
from cogwork.graphs import create_plan_execute_agent
from cogwork.memory import create_checkpointer
from cogwork.nodes.plan import Plan, Step
from cogwork.nodes.planning import PlanRequest
from cogwork.tools.base import tool

ASK = {"messages": "Add things"}
THREAD = {"configurable": {"thread_id": "1"}}


@tool(effect="read")
def add(a: int, b: int) -> int:
    """Add."""
    if a == 13:
        raise ValueError("13 is bad luck")
    return a + b


def sums(*first: int, **more: Any) -> Plan:
    """A plan of sums; each adds one."""
    return Plan(steps=[Step(id=f"s{a}", tool="add", args={"a": a, "b": 1}, **more) for a in first])


class Planner:
    """Gives the plans one after another, and remembers what it was asked."""

    def __init__(self, *plans: Plan) -> None:
        self.plans = list(plans)
        self.asked: list[PlanRequest] = []

    async def __call__(self, request: PlanRequest, config: Any) -> Plan:
        self.asked.append(request)
        return self.plans.pop(0)


def build(planner: Any, *answers: Any, **options: Any) -> Any:
    model = ScriptedChatModel(script=list(answers) or ["the answer"])
    return create_plan_execute_agent(model, [add], planner=planner, **options)


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_plan_is_executed_and_answered_from(how):
    model = ScriptedChatModel(script=["5 and 7"])
    graph = create_plan_execute_agent(model, [add], planner=Planner(sums(4, 6)))
    done = graph.invoke(ASK) if how == "invoke" else await graph.ainvoke(ASK)
    assert done["messages"][-1].text == "5 and 7"
    assert done["stop_reason"] == "answered"
    assert {key: one.result for key, one in done["results"].items()} == {"s4": 5, "s6": 7}
    assert done["plan"].goal == "Add things"
    shown = [message.text for message in model.sent[0] if message.type == "tool"]
    assert shown == ["5", "7"]


async def test_invalid_plan_is_sent_back_once_with_every_fault():
    bad = Plan(steps=[Step(id="a", tool="ad"), Step(id="b", depends_on=["b"], description="x")])
    planner = Planner(bad, sums(1))
    await build(planner).ainvoke(ASK)
    first, second = planner.asked
    assert first.faults == []
    assert second.refused == bad
    assert len(second.faults) == 2
    assert "'ad', which is no tool" in second.faults[1]


async def test_plan_that_stays_invalid_is_refused_with_the_reasons():
    planner = Planner(Plan(), Plan(steps=[Step(id="a", tool="ad")]))
    with pytest.raises(PlanningError, match=r"no valid plan for 'Add things': .*'ad', which is no"):
        await build(planner).ainvoke(ASK)


async def test_plan_over_its_budget_is_refused():
    planner = Planner(sums(1, 2, 3), sums(1, 2, 3))
    with pytest.raises(PlanningError, match="estimated to cost 3; the budget is 2"):
        await build(planner, max_cost=2).ainvoke(ASK)


async def test_failed_plan_is_made_anew_and_keeps_what_was_done():
    second = Plan(
        steps=[
            *sums(4).steps,
            Step(id="again", tool="add", args={"a": "{s4.result}", "b": 1}, depends_on=["s4"]),
        ]
    )
    planner = Planner(sums(4, 13), second)
    graph = build(planner, checkpointer=create_checkpointer("memory://"))
    done = await graph.ainvoke(ASK, THREAD)
    assert {key: one.result for key, one in done["results"].items()} == {"s4": 5, "again": 6}
    ((failed, results),) = planner.asked[1].earlier
    assert results["s13"].error == "add failed: ValueError: 13 is bad luck"
    assert planner.asked[1].results == {"s4": results["s4"]}
    assert failed.goal == "Add things"
    assert done["stop_reason"] == "answered"


async def test_what_still_fails_is_said():
    planner = Planner(sums(13), sums(13))
    model = ScriptedChatModel(script=["nothing"])
    graph = create_plan_execute_agent(model, [add], planner=planner)
    done = await graph.ainvoke(ASK)
    assert done["stop_reason"] == "incomplete"
    (told,) = [message for message in model.sent[0] if message.type == "tool"]
    assert told.text == "Error: failed: add failed: ValueError: 13 is bad luck"
    assert len(planner.asked) == 2


async def test_next_question_of_a_thread_starts_a_new_plan():
    planner = Planner(sums(1), sums(2))
    graph = build(planner, "one", "two", checkpointer=create_checkpointer("memory://"))
    await graph.ainvoke(ASK, THREAD)
    done = await graph.ainvoke({"messages": "And now?"}, THREAD)
    assert list(done["results"]) == ["s2"]
    assert planner.asked[1].earlier == []
    assert planner.asked[1].context == "human: Add things\nai: one"
    assert [message.text for message in done["messages"]] == [
        "Add things",
        "one",
        "And now?",
        "two",
    ]


async def test_plan_only_runs_nothing():
    done = await build(Planner(sums(13)), plan_only=True).ainvoke(ASK)
    assert [step.id for step in done["plan"].steps] == ["s13"]
    assert done["results"] == {}


def approving(planner: Any, *answers: Any) -> Any:
    return build(planner, *answers, approve=True, checkpointer=create_checkpointer("memory://"))


async def test_plan_is_shown_to_a_person_in_the_form_of_langchain_requests():
    graph = approving(Planner(sums(4)))
    asked = (await graph.ainvoke(ASK, THREAD))["__interrupt__"][0].value
    (request,) = asked["action_requests"]
    assert request["name"] == "execute_plan"
    assert request["args"]["steps"][0]["tool"] == "add"
    assert asked["review_configs"][0]["allowed_decisions"] == [
        "approve",
        "edit",
        "reject",
        "respond",
    ]
    done = await graph.ainvoke(Command(resume={"decisions": [{"type": "approve"}]}), THREAD)
    assert done["results"]["s4"].result == 5


async def test_person_edits_the_plan():
    graph = approving(Planner(sums(4)))
    await graph.ainvoke(ASK, THREAD)
    args = sums(8).model_dump()
    edit = {"type": "edit", "edited_action": {"name": "execute_plan", "args": args}}
    done = await graph.ainvoke(Command(resume={"decisions": [edit]}), THREAD)
    assert list(done["results"]) == ["s8"]


async def test_edited_plan_with_faults_and_an_unclear_answer_are_asked_about_again():
    graph = approving(Planner(sums(4)))
    await graph.ainvoke(ASK, THREAD)
    args = Plan(steps=[Step(id="a", tool="ad")]).model_dump()
    edit = {"type": "edit", "edited_action": {"name": "execute_plan", "args": args}}
    for answer, reason in ((edit, "'ad', which is no tool"), ("hm", "'hm' decides nothing")):
        asked = await graph.ainvoke(Command(resume=answer), THREAD)
        (request,) = asked["__interrupt__"][0].value["action_requests"]
        assert reason in request["description"]
    done = await graph.ainvoke(Command(resume="approve"), THREAD)
    assert list(done["results"]) == ["s4"]


async def test_person_rejects_the_plan():
    graph = approving(Planner(sums(4)))
    await graph.ainvoke(ASK, THREAD)
    done = await graph.ainvoke(Command(resume={"type": "reject", "message": "too dear"}), THREAD)
    assert done["stop_reason"] == "rejected"
    assert done["messages"][-1].text == "The plan was rejected: too dear"
    assert done["results"] == {}


async def test_person_responds_and_the_planner_hears_it():
    planner = Planner(sums(4), sums(6))
    graph = approving(planner)
    await graph.ainvoke(ASK, THREAD)
    await graph.ainvoke(Command(resume={"type": "respond", "message": "take 6"}), THREAD)
    assert planner.asked[1].faults == ["A person says of this plan: take 6"]
    done = await graph.ainvoke(Command(resume="approve"), THREAD)
    assert list(done["results"]) == ["s6"]


async def test_plan_that_is_the_question_itself_is_answered_by_the_agent():
    model = ScriptedChatModel(script=["the agent's words"])
    planner = Planner(Plan(steps=[Step(id="1", description="Add things")]))
    done = await create_plan_execute_agent(model, [add], planner=planner).ainvoke(ASK)
    assert done["messages"][-1].text == "the agent's words"


async def test_one_plan_is_a_step_of_another():
    inner = create_plan_execute_agent(
        ScriptedChatModel(script=["inner answer"]), [add], planner=Planner(sums(4)), name="inner"
    )
    outer = create_plan_execute_agent(
        ScriptedChatModel(script=["unused"]),
        [add],
        planner=Planner(Plan(steps=[Step(id="1", description="Delegate")])),
        agent=inner,
        checkpointer=create_checkpointer("memory://"),
    )
    done = await outer.ainvoke(ASK, THREAD)
    assert done["messages"][-1] == AIMessage("inner answer", id=done["messages"][-1].id)


async def test_offline_model_plans_and_does_a_job(tmp_path):
    (tmp_path / "sales.csv").write_text("product,units\nchair,4\nlamp,8\n")
    from cogwork.tools import load_tools

    tools = load_tools(["calculator", "files"], root=tmp_path)
    graph = create_plan_execute_agent("offline", tools)
    job = "Read sales.csv, compute the total of the units column, and write it to out.txt"
    done = await graph.ainvoke({"messages": job})
    assert [one.status for one in done["results"].values()] == ["completed"] * 3
    assert "12" in (tmp_path / "out.txt").read_text()
    assert "12" in done["messages"][-1].text


async def test_plan_that_worked_is_an_example_for_the_next_similar_goal():
    store = InMemoryStore()
    planner = Planner(sums(4), sums(13), sums(13), sums(6))
    graph = build(planner, "one", "two", "three", store=store, examples=("ada",))
    for _ in range(3):
        await graph.ainvoke(ASK)
    assert planner.asked[0].examples == []
    (example,) = planner.asked[-1].examples
    assert [step.id for step in example.steps] == ["s4"]


async def test_free_task_that_takes_too_long_says_for_how_long_it_was_waited():
    async def never(task: Any) -> Any:
        await asyncio.Event().wait()

    wait = Plan(steps=[Step(id="wait", description="Wait")])
    graph = build(
        Planner(wait), agent=RunnableLambda(never), step_timeout=0.01, ladder=[], max_replans=0
    )
    done = await graph.ainvoke(ASK)
    assert "no answer within 0.01 seconds" in done["results"]["wait"].error


def test_impossible_limits_are_refused():
    with pytest.raises(ConfigurationError, match="examples need a store"):
        build(Planner(), examples=("ada",))
    with pytest.raises(ConfigurationError, match="max_replans is -1"):
        build(Planner(), max_replans=-1)


def test_topology():
    drawn = to_mermaid(build(Planner(), approve=True))
    for edge in (
        "plan -. &nbsp;run&nbsp; .-> approve",
        "execute --> review",
        "synthesize --> __end__",
    ):
        assert edge in drawn
