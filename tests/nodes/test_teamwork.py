"""Teamwork: members stand in for each other, results are shared as data, and all is accounted for."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, StateGraph
from scripted import ScriptedChatModel, calls
from typing_extensions import TypedDict

from cogwork.core.errors import ConfigurationError, PlanningError
from cogwork.nodes.execution import make_execute
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.recovery import Rung
from cogwork.nodes.requirements import analyze_goal, goal_of
from cogwork.nodes.roles import ROLES, Assignment, Gap
from cogwork.nodes.synthesis import make_synthesize
from cogwork.nodes.teamwork import (
    contributions_of,
    make_delegate,
    make_integrate,
    shared_results,
)

PLAN = Plan(goal="g", steps=[Step(id="a", description="Do a")])


class State(TypedDict, total=False):
    plan: Plan
    results: dict[str, StepResult]
    assignments: dict[str, Assignment]
    gaps: list[Gap]


def run(node: Any, **state: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("execute", node)
    builder.add_edge(START, "execute")
    return builder.compile().invoke({"plan": PLAN, "results": {}, **state})


def says(answer: Any) -> Any:
    async def work(_: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return RunnableLambda(work)


def assigned(*members: str) -> dict[str, Assignment]:
    return {"a": Assignment(requirement="a", members=members, scores=(1.0,) * len(members))}


def test_without_an_agent_a_step_is_done_by_its_alternatives_in_their_order():
    ways = {"a": [says(ValueError("no")), says("yes"), says("never asked")]}
    result = run(make_execute(alternatives=ways, ladder=[Rung("fallback")]))["results"]["a"]
    assert (result.result, result.way, result.rung) == ("yes", 1, "fallback")
    nobody = run(make_execute())["results"]["a"]
    assert nobody.error == "step 'a' names no tool, and there is no agent to do it"


def test_members_of_an_assignment_stand_in_for_each_other():
    members = {"one": says(ValueError("no")), "two": says("yes")}
    done = run(make_delegate(members), assignments=assigned("one", "two"))
    (given,) = contributions_of(PLAN, done["results"], assigned("one", "two"))
    assert (given.member, given.result) == ("two", "yes")


def test_member_that_has_left_the_team_is_named():
    with pytest.raises(PlanningError, match="no member of the team is 'tow'; did you mean 'two'"):
        run(make_delegate({"two": says("")}), assignments=assigned("tow"))
    with pytest.raises(ConfigurationError, match="step_timeout is 0"):
        make_delegate({}, step_timeout=0)


def test_step_that_is_a_gap_fails_and_says_who_is_missing():
    gap = Gap(requirement="a", description="Do a", needed="magic", nearest=(("cook", 0.1),))
    result = run(make_delegate({}), assignments={}, gaps=[gap])["results"]["a"]
    assert result.status == "failed"
    assert (
        "nobody in the team can do 'a', which takes 'magic'; nearest roles: 'cook'" in result.error
    )


def test_what_was_not_begun_is_nobodys():
    blocked = {"a": StepResult(id="a", status="blocked", error="x")}
    for results in (blocked, {}):
        (given,) = contributions_of(PLAN, results, assigned("one"))
        assert given.member is None


def test_results_are_shared_as_data_and_short_ones_are_said_too():
    step = Step(id="c", description="Add {b.result}", depends_on=("a", "b"))
    before = [
        (
            Step(id="a", description="Read"),
            StepResult(id="a", status="completed", result="x" * 300),
        ),
        (Step(id="b", description="Count"), StepResult(id="b", status="completed", result=7)),
        (Step(id="f", description="Fail"), StepResult(id="f", status="failed", error="no")),
    ]
    messages = shared_results(step, before)["messages"]
    assert [(type(each), each.text) for each in messages] == [
        (HumanMessage, "Read"),
        (AIMessage, ""),
        (ToolMessage, "x" * 300),
        (HumanMessage, "Count"),
        (AIMessage, ""),
        (ToolMessage, "7"),
        (AIMessage, "7"),
        (HumanMessage, "Add 7"),
    ]


def test_each_part_is_told_once_also_where_it_is_a_gap_of_the_plan():
    gap = Gap(requirement="a", description="Do a", needed="magic", nearest=())
    other = gap.model_copy(update={"requirement": "b"})
    model = ScriptedChatModel(script=["nothing"])
    failed = {"a": StepResult(id="a", status="failed", error="no")}
    state = {"plan": PLAN, "results": failed, "assignments": {}, "gaps": [gap, other]}
    done = make_integrate(model).invoke({"messages": [HumanMessage("Go")], **state})
    asked, calls, *told, _ = model.sent[0]
    assert asked.text == "Go"
    assert [call["args"]["member"] for call in calls.tool_calls] == ["nobody", "nobody"]
    assert [message.tool_call_id for message in told] == ["step-a", "step-b"]
    assert done["stop_reason"] == "incomplete"


@pytest.mark.parametrize(
    ("silence", "why"),
    [
        ("", "an empty message"),
        (" \n", "an empty message"),
        (calls(("look", {})), "an empty message"),
        (AIMessage("", additional_kwargs={"refusal": "I will not."}), "I will not."),
    ],
)
@pytest.mark.parametrize("make", [make_integrate, make_synthesize])
def test_model_that_says_nothing_of_what_was_found_has_not_answered(make, silence, why):
    two = Plan(steps=[Step(id="a", description="Do a"), Step(id="b", description="Do b")])
    gave = {key: StepResult(id=key, status="completed", result=f"did {key}") for key in "ab"}
    state = {"messages": [HumanMessage("Go")], "plan": two, "results": gave, "assignments": {}}
    model = ScriptedChatModel(script=[silence, silence])
    done = make(model).invoke(state)
    assert done["stop_reason"] == "incomplete"
    assert done["messages"][-1].text.startswith("There is no answer: ")
    assert done["messages"][-1].text.endswith(why)
    done = make(ScriptedChatModel(script=[silence, "Both are done."])).invoke(state)
    assert (done["stop_reason"], done["messages"][-1].text) == ("answered", "Both are done.")


async def test_model_is_told_the_roles_and_what_was_said_before():
    model = ScriptedChatModel(
        script=['{"steps": [{"description": "Write", "capability": "write"}]}']
    )
    (need,) = await analyze_goal(model, "Write it", ROLES, context="human: I am Ada")
    assert (need.id, need.description, need.capability) == ("1", "Write", "write")
    system, asked = model.sent[0]
    assert "- reviewer: review; check" in system.text
    assert "| human: I am Ada" in asked.text


def test_goal_is_the_last_question():
    said = [HumanMessage("first"), AIMessage("answer"), HumanMessage("second"), AIMessage("more")]
    assert goal_of(said) == ("second", "human: first\nai: answer")
    assert goal_of([AIMessage("hello")]) == ("", "")
