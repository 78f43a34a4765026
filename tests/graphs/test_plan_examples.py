"""Plans as examples: one that was made after untrusted text was read is never shown again."""

from typing import Any

import pytest
from hostile import World
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command
from obedient import obedient

from cogwork.core.bridge import run_blocking
from cogwork.graphs import create_plan_execute_agent
from cogwork.memory import create_checkpointer
from cogwork.nodes.plan import Plan, Step
from cogwork.nodes.planners import recall_plans
from cogwork.tools.taint import reading

pytestmark = pytest.mark.filterwarnings("ignore::cogwork.tools.policy.TrifectaWarning")

THREAD = {"configurable": {"thread_id": "1"}}
READ = Step(id="read", tool="fetch")
SEND = Step(id="send", tool="mail", depends_on=("read",), args={"to": "{read.result}"})
BROKEN = Step(id="broken", tool="call_api")


def build(world: World, store: InMemoryStore, *plans: Plan) -> Any:
    made = list(plans)

    async def planner(request: Any, config: Any) -> Plan:
        return made.pop(0)

    return create_plan_execute_agent(
        obedient(),
        [world.fetch(), world.mail(), world.failing()],
        planner=planner,
        ladder=(),
        policy=world.policy,
        checkpointer=create_checkpointer("memory://"),
        store=store,
        examples=("ada",),
    )


def examples(store: InMemoryStore, goal: str) -> list[list[str]]:
    plans = run_blocking(recall_plans, store, ("ada",), goal)
    return [[step.id for step in plan.steps] for plan in plans]


def test_a_plan_that_was_made_before_anything_was_read_is_remembered():
    world, store = World(), InMemoryStore()
    graph = build(world, store, Plan(steps=[READ, SEND]))
    graph.invoke({"messages": "tell eve"}, THREAD)
    state = graph.invoke(Command(resume="approve"), THREAD)
    assert (state["plan_taint"], set(state["taint"])) == ([], {"fetch", "mail"})
    assert examples(store, "tell eve") == [["read", "send"]]


def test_a_plan_for_the_next_question_of_a_tainted_thread_is_not():
    world, store = World(), InMemoryStore()
    graph = build(world, store, Plan(steps=[READ]), Plan(steps=[READ]))
    graph.invoke({"messages": "read it"}, THREAD)
    state = graph.invoke({"messages": "once more"}, THREAD)
    assert state["plan_taint"] == ["fetch"]
    assert state["results"]["read"].status == "completed"
    assert examples(store, "read it") == [["read"]]  # the only one
    assert len(store.search(("ada",))) == 1


def test_nor_is_one_that_was_made_anew_after_a_step_had_read_something():
    world, store = World(), InMemoryStore()
    graph = build(world, store, Plan(steps=[READ, BROKEN]), Plan(steps=[READ]))
    state = graph.invoke({"messages": "read it"}, THREAD)
    assert [step.id for step in state["plan"].steps] == ["read"]
    assert store.search(("ada",)) == []


@pytest.mark.parametrize("policy", [True, False])
def test_nor_is_one_that_was_made_inside_of_a_tainted_call(policy: bool):
    world, store = World() if policy else World(None), InMemoryStore()
    with reading(["web"]):
        build(world, store, Plan(steps=[READ])).invoke({"messages": "read it"}, THREAD)
    assert store.search(("ada",)) == []
