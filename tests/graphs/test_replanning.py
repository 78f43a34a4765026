"""What a plan that is made or edited anew keeps, and when none is made."""

from typing import Any

import pytest
from langgraph.types import Command
from scripted import ScriptedChatModel

from cogwork.core.errors import PlanningError
from cogwork.graphs import create_plan_execute_agent
from cogwork.memory import create_checkpointer
from cogwork.nodes.plan import Plan, Step
from cogwork.nodes.planning import PlanRequest
from cogwork.tools.base import tool

ASK = {"messages": "Add things"}
THREAD = {"configurable": {"thread_id": "1"}}


class World:
    """Tools that note what was done; a planner that gives plans one after another."""

    def __init__(self, *plans: Plan):
        self.log: list[str] = []
        self.asked: list[PlanRequest] = []
        self.plans = list(plans)

        @tool(effect="read")
        def say(text: str) -> str:
            """Say a text."""
            self.log.append(text)
            return text

        @tool(effect="read")
        def fail(why: str = "") -> str:
            """Fail."""
            self.log.append("fail")
            raise ValueError(why or "no")

        @tool(effect="external")
        def pay() -> str:
            """Pay, and lose the answer."""
            self.log.append("pay")
            raise ConnectionError("the line broke")

        self.tools = [say, fail, pay]

    async def plan(self, request: PlanRequest, config: Any) -> Plan:
        self.asked.append(request)
        return self.plans.pop(0) if len(self.plans) > 1 else self.plans[0]

    def graph(self, **options: Any) -> Any:
        return create_plan_execute_agent(
            ScriptedChatModel(script=["the answer"], forever=True),
            self.tools,
            planner=self.plan,
            checkpointer=create_checkpointer("memory://"),
            **options,
        )


def said(first: str, second: str = "then {a.result}") -> list[Step]:
    """A step, and one that rests on it."""
    return [
        Step(id="a", tool="say", args={"text": first}),
        Step(id="b", tool="say", args={"text": second}, depends_on=["a"]),
    ]


FAIL = Step(id="f", tool="fail")


def results(done: Any) -> dict[str, Any]:
    return {key: one.result for key, one in done["results"].items()}


def test_result_that_rests_on_a_changed_step_is_not_kept():
    world = World(Plan(steps=[*said("one"), FAIL]), Plan(steps=said("two")))
    done = world.graph().invoke(ASK, THREAD)
    assert results(done) == {"a": "two", "b": "then two"}


def test_result_that_rests_on_the_same_is_kept():
    world = World(Plan(steps=[*said("one"), FAIL]), Plan(steps=said("one")))
    done = world.graph().invoke(ASK, THREAD)
    assert results(done) == {"a": "one", "b": "then one"}
    assert sorted(world.log) == ["fail", "one", "then one"]


def test_edit_of_the_next_plan_drops_what_rested_on_the_edited_step():
    world = World(Plan(steps=[*said("one"), FAIL]), Plan(steps=said("one")))
    graph = world.graph(approve=True)
    graph.invoke(ASK, THREAD)
    graph.invoke(Command(resume="approve"), THREAD)
    edited = Plan(steps=said("two")).model_dump(mode="json")
    answer = {"type": "edit", "edited_action": {"name": "execute_plan", "args": edited}}
    done = graph.invoke(Command(resume=answer), THREAD)
    assert results(done) == {"a": "two", "b": "then two"}


def test_plan_that_fails_again_unchanged_is_not_run_again():
    world = World(Plan(steps=[*said("one"), FAIL]))
    done = world.graph(max_replans=5).invoke(ASK, THREAD)
    assert (done["stop_reason"], world.log.count("fail"), len(world.asked)) == ("incomplete", 1, 2)
    assert results(done) == {"a": "one", "b": "then one", "f": None}


def test_failed_step_with_other_arguments_is_another_plan():
    plans = [Plan(steps=[Step(id="f", tool="fail", args={"why": str(n)})]) for n in range(3)]
    world = World(*plans)
    done = world.graph(max_replans=2).invoke(ASK, THREAD)
    assert (done["stop_reason"], world.log.count("fail")) == ("incomplete", 3)


def test_nothing_is_planned_around_what_may_have_happened():
    world = World(Plan(steps=[Step(id="p", tool="pay")]), Plan(steps=said("one")))
    done = world.graph(max_replans=3, on_doubt="fail").invoke(ASK, THREAD)
    assert (done["stop_reason"], world.log, len(world.asked)) == ("incomplete", ["pay"], 1)
    assert done["results"]["p"].uncertain


@pytest.mark.parametrize(
    "answer",
    [
        {"type": "edit", "edited_action": "x"},
        {"type": "edit", "edited_action": {"args": [1]}},
        {"type": "edit", "edited_action": {"args": {"steps": "x"}}},
        {"type": "edit"},
        {"decisions": "approve"},
        {"decisions": {"type": "maybe"}},
        {"decisions": []},
        {"type": ["approve"]},
        [],
        5,
        "perhaps",
    ],
)
def test_answer_that_decides_nothing_leaves_the_thread_as_it_was(answer):
    world = World(Plan(steps=said("one")))
    graph = world.graph(approve=True)
    graph.invoke(ASK, THREAD)
    asked = graph.invoke(Command(resume=answer), THREAD)
    if "__interrupt__" in asked:  # it says what is wrong, and asks again
        (request,) = asked["__interrupt__"][0].value["action_requests"]
        assert request["description"].splitlines()[0] != "Add things"
        asked = graph.invoke(Command(resume="approve"), THREAD)
    assert results(asked) == {"a": "one", "b": "then one"}


@pytest.mark.parametrize("answer", ['{"type": "reject", "message": "no"}', "Reject: no"])
def test_decision_may_come_as_the_text_that_a_command_line_has(answer):
    graph = World(Plan(steps=said("one"))).graph(approve=True)
    graph.invoke(ASK, THREAD)
    done = graph.invoke(Command(resume=answer), THREAD)
    assert done["stop_reason"] == "rejected"
    assert done["messages"][-1].text == "The plan was rejected: no"


@pytest.mark.parametrize("approve", [False, True])
def test_plan_that_only_is_made_says_so(approve):
    graph = World(Plan(steps=said("one"))).graph(plan_only=True, approve=approve)
    done = graph.invoke(ASK, THREAD)
    if approve:
        assert done["stop_reason"] is None
        done = graph.invoke(Command(resume="approve"), THREAD)
    assert (done["stop_reason"], done["results"]) == ("planned", {})


def test_question_without_a_word_is_refused():
    with pytest.raises(PlanningError, match="no question to plan for"):
        World(Plan(steps=said("one"))).graph().invoke({"messages": " "}, THREAD)
