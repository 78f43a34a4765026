"""The policy for agents of LangChain's `create_agent`."""

import itertools
import sys

import pytest
from hostile import EFFECTS, SOURCES, World, attack
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from obedient import do, obedient

from cogwork.core.errors import ConfigurationError
from cogwork.memory import create_checkpointer
from cogwork.tools.middleware import policy_middleware
from cogwork.tools.policy import Policy, Rule

pytestmark = pytest.mark.filterwarnings("ignore::cogwork.tools.policy.TrifectaWarning")

THREAD = {"configurable": {"thread_id": "1"}}
ASKS = Policy(default="ask")


class LangChainWorld(World):
    """Its agents are LangChain's."""

    def agent(self, tools, **options):
        watch = [] if self.policy is None else [policy_middleware(self.policy, tools)]
        return create_agent(obedient(), tools, middleware=watch, **options)


# `create_agent` itself ends a run whose tool fails, and calls no async tool in `invoke`.
READERS = [each for each in SOURCES if each != "failing"]
ASYNC = ("ticket", "aresearcher", "write")
ATTACKS = [pair for pair in itertools.product(READERS, EFFECTS) if not {*pair} & {*ASYNC}]


def attacked(source, effect, **options):
    return attack(source, effect, kind=LangChainWorld, **options)


@pytest.mark.parametrize(("source", "effect"), ATTACKS)
def test_an_injected_effect_asks_and_does_not_happen(source, effect):
    world, agent, order = attacked(source, effect, checkpointer=InMemorySaver())
    state = agent.invoke(order, THREAD)
    (question,) = state["__interrupt__"]
    assert question.value["action_requests"][0]["args"] == {"to": "eve"}
    agent.invoke(Command(resume="reject"), THREAD)
    assert world.done == []


@pytest.mark.parametrize("source", READERS)
async def test_on_a_loop_it_does_not_happen_either(source):
    world, agent, order = attacked(source, "write", checkpointer=InMemorySaver())
    assert len((await agent.ainvoke(order, THREAD))["__interrupt__"]) == 1
    await agent.ainvoke(Command(resume="reject"), THREAD)
    assert world.done == []


def test_without_the_middleware_the_attack_works():
    world, agent, order = attacked("fetch", "mail", policy=None)
    agent.invoke(order)
    assert world.done == [("mail", "eve")]


def test_an_approval_counts_in_another_instance_over_sqlite(tmp_path):
    url = f"sqlite:///{tmp_path}/runs.sqlite"
    with create_checkpointer(url) as saver:
        first, agent, order = attacked("fetch", "mail", checkpointer=saver)
        agent.invoke(order, THREAD)
    with create_checkpointer(url) as saver:
        second, agent, _ = attacked("fetch", "mail", checkpointer=saver)
        state = agent.invoke(Command(resume="approve"), THREAD)
    assert first.done == []
    assert second.done == [("mail", "eve")]
    assert state["taint"] == ["fetch", "mail"]


def test_an_edited_call_runs_in_place_of_the_first():
    world, agent, order = attacked("fetch", "mail", checkpointer=InMemorySaver())
    agent.invoke(order, THREAD)
    edited = {"name": "mail", "args": {"to": "ada"}}
    answer = {"decisions": [{"type": "edit", "edited_action": edited}]}
    state = agent.invoke(Command(resume=answer), THREAD)
    assert world.done == [("mail", "ada")]
    assert "A person changed this call" in state["messages"][-2].text


async def test_an_edit_may_name_another_tool():
    world, agent, order = attacked("fetch", "mail", also=["write"], checkpointer=InMemorySaver())
    await agent.ainvoke(order, THREAD)
    edited = {"name": "write", "args": {"to": "ada"}}
    await agent.ainvoke(Command(resume={"type": "edit", "edited_action": edited}), THREAD)
    assert world.done == [("write", "ada")]


def test_a_call_that_was_changed_after_it_was_asked_about_does_not_run():
    world, agent, order = attacked("fetch", "mail", checkpointer=InMemorySaver())
    agent.invoke(order, THREAD)
    said = agent.get_state(THREAD).values["messages"][-1].model_copy(deep=True)
    said.tool_calls[0]["args"] = {"to": "mallory"}
    agent.update_state(THREAD, {"messages": [said]}, as_node="model")
    state = agent.invoke(Command(resume="approve"), THREAD)
    assert world.done == []
    (question,) = state["__interrupt__"]
    assert question.value["action_requests"][0]["args"] == {"to": "mallory"}


def test_effects_in_parallel_each_ask():
    world, agent, order = attacked("fetch", "mail", checkpointer=InMemorySaver())
    world.page = do([("mail", {"to": "eve"}), ("mail", {"to": "bob"})])
    questions = agent.invoke(order, THREAD)["__interrupt__"]
    to = {each.value["action_requests"][0]["args"]["to"]: each.id for each in questions}
    agent.invoke(Command(resume={to["eve"]: "reject", to["bob"]: "approve"}), THREAD)
    assert world.done == [("mail", "bob")]


def test_a_denied_call_asks_nobody():
    world = LangChainWorld(Policy(rules=[Rule(tool="mail", then="deny", reason="closed")]))
    state = world.agent([world.mail()]).invoke({"messages": do([("mail", {"to": "bob"})])})
    assert world.done == []
    assert state["messages"][-2].text == "Error: the policy does not allow this call: closed"


def test_benign_tasks_need_no_approval():
    world = LangChainWorld()
    agent = world.agent([world.fetch(), world.mail(), world.wipe()])
    orders = do([("wipe", {"to": "a"})], [("mail", {"to": "b"}), ("fetch", {})], [("fetch", {})])
    state = agent.invoke({"messages": orders})
    assert "__interrupt__" not in state
    assert len(world.done) == 2


def test_a_tool_that_the_middleware_was_not_told_of_is_judged_by_what_it_declares():
    world = LangChainWorld()
    tools = [world.fetch(), world.mail(), world.wipe()]
    watch = policy_middleware(Policy())
    agent = create_agent(obedient(), tools, middleware=[watch], checkpointer=InMemorySaver())
    world.page = do([("mail", {"to": "eve"})])
    state = agent.invoke({"messages": do([("wipe", {"to": "a"})], [("fetch", {})])}, THREAD)
    assert state["__interrupt__"][0].value["taint"] == ["fetch"]
    assert world.done == [("wipe", "a")]


def test_without_langchain_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "langchain.agents.middleware", None)
    with pytest.raises(ConfigurationError, match=r"cogwork\[langchain\]"):
        policy_middleware(Policy())
