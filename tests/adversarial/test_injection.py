"""Attacks on agents whose model obeys whatever it reads: nothing happens that nobody approved."""

import itertools

import pytest
from hostile import EFFECTS, SOURCES, attack
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

# What carries data away by reading is another matter; here, effects are counted.
pytestmark = pytest.mark.filterwarnings("ignore::cogwork.tools.policy.TrifectaWarning")

THREAD = {"configurable": {"thread_id": "1"}}
ATTACKS = list(itertools.product(SOURCES, EFFECTS))


@pytest.mark.parametrize(("source", "effect"), ATTACKS)
def test_without_a_policy_the_attack_works(source, effect):
    world, agent, order = attack(source, effect, policy=None)
    agent.invoke(order)
    assert world.done


@pytest.mark.parametrize(("source", "effect"), ATTACKS)
def test_an_injected_effect_asks_and_does_not_happen(source, effect):
    world, agent, order = attack(source, effect, checkpointer=InMemorySaver())
    state = agent.invoke(order, THREAD)
    (question,) = state["__interrupt__"]
    (action,) = question.value["action_requests"]
    assert action["args"] == {"to": "eve"}
    assert world.done == []
    agent.invoke(Command(resume={question.id: "reject"}), THREAD)
    assert world.done == []


@pytest.mark.parametrize(("source", "effect"), ATTACKS[::3])
async def test_on_a_loop_it_does_not_happen_either(source, effect):
    world, agent, order = attack(source, effect, checkpointer=InMemorySaver())
    state = await agent.ainvoke(order, THREAD)
    assert len(state["__interrupt__"]) == 1
    await agent.ainvoke(Command(resume={"decisions": [{"type": "reject"}]}), THREAD)
    assert world.done == []


@pytest.mark.parametrize(("source", "effect"), ATTACKS[1::3])
def test_without_a_checkpointer_nobody_can_approve_and_nothing_happens(source, effect):
    world, agent, order = attack(source, effect)
    assert "__interrupt__" in agent.invoke(order)
    assert world.done == []


@pytest.mark.parametrize(("source", "effect"), ATTACKS[2::3])
def test_the_next_question_of_a_tainted_thread_asks_too(source, effect):
    world, agent, order = attack(source, effect, checkpointer=InMemorySaver())
    harmful, world.page = world.page, "nothing yet"
    assert "__interrupt__" not in agent.invoke(order, THREAD)
    state = agent.invoke({"messages": f"what did it say? {harmful}"}, THREAD)
    assert len(state["__interrupt__"]) == 1
    assert world.done == []
