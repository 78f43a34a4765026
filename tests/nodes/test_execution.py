"""As-ready execution: order, failures, recovery, questions and events of a plan's steps."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from scripted import ScriptedChatModel, calls
from typing_extensions import TypedDict

from cogwork.core.errors import BudgetError, ConfigurationError
from cogwork.graphs.react import create_react_agent
from cogwork.memory import create_checkpointer, with_state_types
from cogwork.nodes.execution import make_execute
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.recovery import DEFAULT_LADDER, FULL_LADDER, Rung
from cogwork.tools.base import tool

THREAD = {"configurable": {"thread_id": "1"}}
RETRY = (Rung("retry", limit=2, wait=0.001), Rung("fallback"), Rung("skip"))


class State(TypedDict, total=False):
    plan: Plan
    results: dict[str, StepResult]


class World:
    """Tools that note what was done, in order."""

    def __init__(self):
        self.log: list[str] = []
        self.fails: dict[str, list[Exception]] = {}
        self.now = self.most = 0

        @tool(effect="read")
        async def do(name: str, given: Any = None) -> Any:
            """Do a thing."""
            self.log.append(name)
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0)
            self.now -= 1
            if self.fails.get(name):
                raise self.fails[name].pop(0)
            return {"name": name, "given": given}

        @tool(effect="external")
        async def send(name: str) -> str:
            """Send something."""
            return (await do.coroutine(name))["name"]

        @tool(effect="read")
        def ask(name: str) -> str:
            """Ask a person twice."""
            self.log.append(name)
            return f"{interrupt(f'{name}?')} {interrupt(f'{name}, really?')}"

        self.tools = [do, send, ask]

    def graph(self, saver="memory://", **options):
        builder = StateGraph(State)
        builder.add_node("execute", make_execute(self.tools, **options))
        builder.add_edge(START, "execute")
        return builder.compile(checkpointer=with_state_types(create_checkpointer(saver), State))

    async def run(self, *steps, results=None, **options):
        given = {"plan": Plan(steps=steps), "results": results or {}}
        return (await self.graph(**options).ainvoke(given, THREAD))["results"]


def step(name, *after, **more):
    args = {"name": name, **more.pop("args", {})}
    return Step(id=name, tool=more.pop("tool", "do"), args=args, depends_on=after, **more)


def statuses(results):
    return {key: result.status for key, result in results.items()}


@pytest.fixture
def world():
    return World()


async def test_results_reach_the_steps_that_refer_to_them(world):
    found = await world.run(
        step("a"),
        step("b", "a", args={"given": "{a.result}"}),
        step("c", "b", args={"given": "got {b.result.given.name}"}),
    )
    assert found["b"].result["given"] == {"name": "a", "given": None}
    assert found["c"].result["given"] == "got a"
    assert found["c"].seconds >= 0


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_step_runs_once_and_after_what_it_depends_on(data):
    count = data.draw(st.integers(1, 12))
    steps = [
        step(str(n), *data.draw(st.lists(st.sampled_from([str(b) for b in range(n)]), unique=True)))
        if n
        else step("0")
        for n in range(count)
    ]
    world = World()
    shuffled = data.draw(st.permutations(steps))
    found = asyncio.run(world.run(*shuffled, max_concurrency=data.draw(st.integers(1, 4))))
    assert set(statuses(found).values()) == {"completed"}
    assert sorted(world.log) == sorted(each.id for each in steps)
    for each in steps:
        for before in each.depends_on:
            assert world.log.index(before) < world.log.index(each.id)


async def test_no_more_run_at_once_than_allowed(world):
    await world.run(*(step(str(n)) for n in range(10)), max_concurrency=3)
    assert world.most == 3


async def test_higher_priority_goes_first_then_the_longer_way(world):
    await world.run(
        step("short"),
        step("long"),
        step("end", "long"),
        step("urgent", priority=1),
        max_concurrency=1,
    )
    assert world.log == ["urgent", "long", "short", "end"]


async def test_failed_step_blocks_only_its_dependents(world):
    world.fails["b"] = [ValueError("broken")]
    found = await world.run(
        step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"), step("e", "c")
    )
    assert statuses(found) == {
        "a": "completed",
        "b": "failed",
        "c": "completed",
        "d": "blocked",
        "e": "completed",
    }
    assert found["b"].error == "do failed: ValueError: broken"
    assert found["d"].error == "it depends on 'b', which is failed"
    assert world.log.count("b") == 1  # such an error is not retried


async def test_optional_step_is_skipped_and_only_what_needs_its_result_is_blocked(world):
    world.fails["a"] = [ValueError("broken")]
    found = await world.run(
        step("a", optional=True),
        step("b", "a"),
        step("c", "a", args={"given": "{a.result}"}),
        step("d", "c", optional=True),
    )
    assert statuses(found) == {
        "a": "skipped",
        "b": "completed",
        "c": "blocked",
        "d": "skipped",
    }
    assert found["a"].rung == "skip"


async def test_transient_failures_are_retried_and_the_rung_is_told(world):
    world.fails["a"] = [ConnectionError("reset"), TimeoutError("late")]
    found = await world.run(step("a"), ladder=RETRY)
    assert (found["a"].status, found["a"].attempts, found["a"].rung) == ("completed", 3, "retry")


async def test_retries_end(world):
    world.fails["a"] = [ConnectionError("reset")] * 9
    found = await world.run(step("a"), ladder=RETRY)
    assert (found["a"].status, found["a"].attempts) == ("failed", 3)


async def test_exhausted_budget_is_neither_retried_nor_worked_around(world):
    world.fails["a"] = [BudgetError("no tokens left", transient=True)]
    found = await world.run(
        step("a", optional=True), ladder=RETRY[1:], alternatives={"do": ["ask"]}
    )
    assert (found["a"].status, found["a"].attempts) == ("failed", 1)


async def test_fallback_takes_the_next_way(world):
    world.fails["a"] = [ValueError("broken")]
    agent = create_react_agent(ScriptedChatModel(script=["by the agent"]))
    found = await world.run(
        Step(id="a", tool="do", args={"name": "a"}, description="do it"),
        alternatives={"do": [agent]},
    )
    assert (found["a"].result, found["a"].rung) == ("by the agent", "fallback")


async def test_free_task_is_given_to_the_agent_with_what_is_known(world):
    model = ScriptedChatModel(script=["an answer"])
    agent = create_react_agent(model)
    found = await world.run(
        step("a"), Step(id="b", description="Sum up", depends_on=["a"]), agent=agent
    )
    assert found["b"].result == "an answer"
    first, call, known, brief, asked = model.sent[0]
    assert brief.text == known.text
    assert (first.text, asked.text) == ("do", "Sum up")
    assert call.tool_calls[0]["args"] == {"name": "a"}
    assert known.text == '{"name": "a", "given": null}'


async def test_step_that_nothing_can_do_fails_and_says_so(world):
    found = await world.run(Step(id="a", description="x"), step("b", tool="dp"))
    assert found["a"].error == "step 'a' names no tool, and there is no agent to do it"
    assert "calls 'dp', which is no tool; did you mean 'do'?" in found["b"].error


async def test_failed_step_is_recomposed_into_parts(world):
    world.fails["a"] = [ValueError("too much")]

    async def halves(failed, reason):
        assert "too much" in reason
        return Plan(steps=[step("left"), step("right", "left")])

    found = await world.run(step("a"), step("b", "a"), ladder=[Rung("recompose")], recompose=halves)
    assert found["a"].result == {"name": "right", "given": None}
    assert (found["a"].rung, world.log) == ("recompose", ["a", "left", "right", "b"])


async def test_results_of_an_earlier_plan_are_kept(world):
    kept = {
        "a": StepResult(id="a", status="completed", result="old"),
        "b": StepResult(id="b", status="failed", error="old"),
    }
    found = await world.run(step("a"), step("b", "a"), step("c", "b"), results=kept)
    assert world.log == ["b", "c"]
    assert found["a"].result == "old"


async def test_questions_of_all_steps_are_asked_in_one_interrupt_when_the_rest_is_done(world):
    graph = world.graph()
    plan = Plan(steps=[step("x", tool="ask"), step("a"), step("y", tool="ask"), step("b", "a")])
    result = await graph.ainvoke({"plan": plan}, THREAD)
    (asked,) = result["__interrupt__"]
    assert [(q["key"], q["question"]) for q in asked.value["questions"]] == [
        ("x", "x?"),
        ("y", "y?"),
    ]
    assert sorted(world.log) == ["a", "b", "x", "y"]
    result = await graph.ainvoke(Command(resume={"y": "yes", "x": "no"}), THREAD)
    (asked,) = result["__interrupt__"]
    assert [q["question"] for q in asked.value["questions"]] == ["x, really?", "y, really?"]
    done = await graph.ainvoke(Command(resume={"x": "never", "y": "sure"}), THREAD)
    assert done["results"]["x"].result == "no never"
    assert done["results"]["y"].result == "yes sure"
    assert world.log.count("a") == world.log.count("b") == 1


async def test_question_without_an_answer_is_asked_again(world):
    graph = world.graph()
    plan = Plan(steps=[step("x", tool="ask"), step("y", tool="ask")])
    await graph.ainvoke({"plan": plan}, THREAD)
    result = await graph.ainvoke(Command(resume={"x": "no"}), THREAD)
    questions = result["__interrupt__"][0].value["questions"]
    assert [q["question"] for q in questions] == ["x, really?", "y?"]


async def test_agent_of_a_step_goes_on_from_its_own_question(world):
    script = {
        "x": [calls(("ask", {"name": "x"})), "x done"],
        "y": [calls(("ask", {"name": "y"})), "y done"],
    }

    def agent_of(name):
        return create_react_agent(ScriptedChatModel(script=script[name]), [world.tools[2]])

    graph = world.graph(
        agent=create_react_agent(ScriptedChatModel(script=["unused"])),
        alternatives={name: [agent_of(name)] for name in "xy"},
        ladder=[Rung("fallback")],
    )
    world.fails.update(x=[ValueError("no")], y=[ValueError("no")])
    plan = Plan(steps=[step("x"), step("y")])
    await graph.ainvoke({"plan": plan}, THREAD)
    world.fails.update(x=[ValueError("no")], y=[ValueError("no")])
    await graph.ainvoke(Command(resume={"x": "X1", "y": "Y1"}), THREAD)
    world.fails.update(x=[ValueError("no")], y=[ValueError("no")])
    done = await graph.ainvoke(Command(resume={"x": "X2", "y": "Y2"}), THREAD)
    assert {key: one.result for key, one in done["results"].items()} == {
        "x": "x done",
        "y": "y done",
    }


@pytest.mark.parametrize(
    ("answer", "status", "result"),
    [
        ("retry", "completed", {"name": "a", "given": None}),
        ("skip", "skipped", None),
        ("fail", "failed", None),
        ({"action": "result", "result": 7}, "completed", 7),
    ],
)
async def test_escalated_failure_ends_as_a_person_decides(world, answer, status, result):
    world.fails["a"] = [ValueError("broken")]
    graph = world.graph(ladder=[Rung("escalate")])
    asked = await graph.ainvoke({"plan": Plan(steps=[step("a", optional=True)])}, THREAD)
    question = asked["__interrupt__"][0].value["questions"][0]["question"]
    assert question["type"] == "step_failed"
    assert question["error"] == "do failed: ValueError: broken"
    done = await graph.ainvoke(Command(resume=answer), THREAD)
    assert (done["results"]["a"].status, done["results"]["a"].result) == (status, result)
    assert world.log.count("a") == (2 if answer == "retry" else 1)


async def test_what_answers_nothing_is_asked_again_and_says_why(world):
    world.fails["a"] = [ValueError("broken")]
    graph = world.graph(ladder=[Rung("escalate")])
    await graph.ainvoke({"plan": Plan(steps=[step("a")])}, THREAD)
    for nonsense in ("nonsense", {"action": "result"}, {"action": ["retry"]}, None, 7):
        again = await graph.ainvoke(Command(resume={"a": nonsense}), THREAD)
        (question,) = again["__interrupt__"][0].value["questions"]
        assert "answer" in question["trouble"]
    done = await graph.ainvoke(Command(resume='{"action": "Result", "result": 7}'), THREAD)
    assert (done["results"]["a"].status, done["results"]["a"].result) == ("completed", 7)
    assert world.log.count("a") == 1


async def test_cancelling_the_run_stops_its_steps(world):
    ended = asyncio.Event()
    began = asyncio.Event()

    @tool(effect="read")
    async def hang() -> str:
        """Hang."""
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    world.tools.append(hang)
    plan = Plan(steps=[Step(id="h", tool="hang")])
    running = asyncio.create_task(world.graph().ainvoke({"plan": plan}, THREAD))
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended.is_set()


async def test_steps_are_told_as_they_happen(world):
    world.fails["b"] = [ValueError("broken")]
    plan = Plan(steps=[step("a"), step("b", "a"), step("c", "b")])
    told = [
        (event["step"], event["event"])
        async for event in world.graph().astream({"plan": plan}, THREAD, stream_mode="custom")
    ]
    assert told == [
        ("a", "queued"),
        ("a", "started"),
        ("a", "finished"),
        ("b", "queued"),
        ("b", "started"),
        ("b", "failed"),
        ("c", "blocked"),
    ]


def test_synchronous_run_does_the_same(world):
    plan = Plan(steps=[step("a"), step("b", "a")])
    found = world.graph("sqlite:///plan.db").invoke({"plan": plan}, THREAD)["results"]
    assert set(statuses(found).values()) == {"completed"}


async def test_results_come_back_from_a_checkpoint_as_they_were(world):
    graph = world.graph("sqlite:///plan.db")
    await graph.ainvoke({"plan": Plan(steps=[step("a")])}, THREAD)
    values = (await graph.aget_state(THREAD)).values
    assert isinstance(values["plan"], Plan)
    assert isinstance(values["results"]["a"], StepResult)


def test_impossible_limits_and_unknown_alternatives_are_refused(world):
    with pytest.raises(ConfigurationError, match="max_concurrency is 0"):
        make_execute(world.tools, max_concurrency=0)
    with pytest.raises(ConfigurationError, match="'dp' of 'do' is no tool"):
        make_execute(world.tools, alternatives={"do": ["dp"]})


def test_ladders_are_data():
    assert [rung.action for rung in DEFAULT_LADDER] == ["retry", "fallback", "skip"]
    assert [rung.action for rung in FULL_LADDER[-2:]] == ["recompose", "escalate"]
    with pytest.raises(ConfigurationError, match="'jump' is no rung"):
        Rung("jump")
