import itertools
import time

import pytest
from hostile import World, attack
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command
from obedient import do
from typing_extensions import TypedDict

from cogwork.core.messages import Messages
from cogwork.graphs.react import ReactState, create_react_agent
from cogwork.memory import create_checkpointer
from cogwork.nodes.memories import memory_tools
from cogwork.tools import approval
from cogwork.tools.base import tool, with_spec
from cogwork.tools.files import file_tools
from cogwork.tools.policy import Policy, Rule, TrifectaWarning

pytestmark = pytest.mark.filterwarnings("ignore::cogwork.tools.policy.TrifectaWarning")

THREAD = {"configurable": {"thread_id": "1", "user_id": "ada"}}
ASKS = Policy(default="ask")


def agent(tools, policy=ASKS, **options):
    return World(policy).agent(tools, checkpointer=InMemorySaver(), **options)


def asks(tools=None, *turns, policy=ASKS, world=None):
    """An agent at its first question: the world, the agent, the question."""
    world = world or World(policy)
    graph = world.agent(tools or [world.mail(), world.write()], checkpointer=InMemorySaver())
    order = do(*(turns or [[("mail", {"to": "bob"})]]))
    (question,) = graph.invoke({"messages": order}, THREAD)["__interrupt__"]
    return world, graph, question


def answered(graph, answer):
    return graph.invoke(Command(resume=answer), THREAD)


def last_result(state):
    return [each for each in state["messages"] if each.type == "tool"][-1]


def test_the_question_is_in_the_schema_of_langchains_human_in_the_loop():
    before = time.time()
    _, _, question = asks()
    value = question.value
    (action,), (review,) = value["action_requests"], value["review_configs"]
    assert (action["name"], action["args"]) == ("mail", {"to": "bob"})
    assert "mail needs approval" in action["description"]
    assert review == {
        "action_name": "mail",
        "allowed_decisions": ["approve", "edit", "reject", "respond"],
    }
    assert value["taint"] == []
    assert len(value["digest"]) == 32
    assert before + 86_400 <= value["expires_at"] <= time.time() + 86_400


@pytest.mark.parametrize(
    "answer", ["approve", {"type": "approve"}, {"decisions": [{"type": "approve"}]}]
)
def test_an_approved_call_runs_once(answer):
    world, graph, _ = asks()
    state = answered(graph, answer)
    assert world.done == [("mail", "bob")]
    assert last_result(state).text == "sent"
    assert "__interrupt__" not in state


def test_a_rejected_call_does_not_run_and_the_model_is_told_why():
    world, graph, _ = asks()
    state = answered(graph, {"type": "reject", "message": "not on a Sunday"})
    assert world.done == []
    assert last_result(state).status == "error"
    assert "a person rejected this call: not on a Sunday" in last_result(state).text
    assert state["taint"] == []


def test_a_response_is_the_observation_in_place_of_the_call():
    world, graph, _ = asks()
    state = answered(graph, {"type": "respond", "message": "I sent it myself"})
    assert world.done == []
    assert (last_result(state).text, last_result(state).status) == ("I sent it myself", "success")
    assert state["taint"] == []


@pytest.mark.parametrize("name", ["mail", "write"])
def test_an_edited_call_runs_in_place_of_the_first_and_the_model_is_told(name):
    world, graph, _ = asks()
    edited = {"name": name, "args": {"to": "ada"}}
    state = answered(graph, {"decisions": [{"type": "edit", "edited_action": edited}]})
    assert world.done == [(name, "ada")]
    assert f"{name} was called with {{'to': 'ada'}}" in last_result(state).text
    assert last_result(state).tool_call_id == state["messages"][-3].tool_calls[0]["id"]


@pytest.mark.parametrize(
    ("edited", "said"),
    [
        ({"name": "mail", "args": {"to": "eve"}}, "not allow the edited call: not to her"),
        ({"name": "male", "args": {}}, "no tool is called 'male'; did you mean 'mail'"),
        ({"name": "mail"}, "a name and args"),
        (None, "a name and args"),
    ],
)
def test_an_edit_that_is_denied_or_none_is_asked_about_again(edited, said):
    rule = Rule(tool="mail", args={"to": "eve"}, then="deny", reason="not to her")
    world, graph, _ = asks(policy=Policy(rules=[rule], default="ask"))
    state = answered(graph, {"type": "edit", "edited_action": edited})
    assert said in state["__interrupt__"][0].value["action_requests"][0]["description"]
    assert world.done == []
    answered(graph, "approve")
    assert world.done == [("mail", "bob")]


@pytest.mark.parametrize("answer", ["yes", 1, {"decisions": []}, {"type": "maybe"}, {"x": "y"}])
def test_an_answer_that_decides_nothing_is_asked_about_again(answer):
    world, graph, first = asks()
    state = answered(graph, {first.id: answer})
    (second,) = state["__interrupt__"]
    assert "decides nothing" in second.value["action_requests"][0]["description"]
    assert world.done == []
    answered(graph, {second.id: "approve"})
    assert world.done == [("mail", "bob")]


def test_a_denied_call_asks_nobody_and_the_model_is_told():
    rule = Rule(tool="mail", then="deny", reason="mail is closed")
    world = World(Policy(rules=[rule]))
    state = world.agent([world.mail()]).invoke({"messages": do([("mail", {"to": "bob"})])})
    assert world.done == []
    assert last_result(state).text == "Error: the policy does not allow this call: mail is closed"


@pytest.mark.parametrize("kind", ["approve", "edit"])
def test_an_approval_that_comes_too_late_does_not_count(kind, monkeypatch):
    world, graph, first = asks(policy=Policy(default="ask", approval_seconds=60))
    later = itertools.count(time.time() + 61)
    monkeypatch.setattr(approval.time, "time", lambda: next(later))
    edited = {"name": "mail", "args": {"to": "ada"}}
    state = answered(graph, {first.id: {"type": kind, "edited_action": edited}})
    (second,) = state["__interrupt__"]
    assert "too late" in second.value["action_requests"][0]["description"]
    assert second.value["expires_at"] > first.value["expires_at"]
    assert world.done == []
    answered(graph, {second.id: "approve"})
    assert world.done == [("mail", "bob")]


def test_an_approval_that_names_another_call_does_not_count():
    world, graph, first = asks()
    state = answered(graph, {first.id: {"type": "approve", "digest": "0" * 32}})
    assert (
        "was for another call"
        in state["__interrupt__"][0].value["action_requests"][0]["description"]
    )
    assert world.done == []
    answered(graph, {"type": "approve", "digest": first.value["digest"]})
    assert world.done == [("mail", "bob")]


def test_a_second_click_does_not_approve_the_next_question_when_it_names_its_call():
    twice = [("mail", {"to": "bob"})], [("mail", {"to": "eve"})]
    world, graph, first = asks(None, *twice)
    click = {"type": "approve", "digest": first.value["digest"]}
    answered(graph, click)
    state = answered(graph, click)
    assert world.done == [("mail", "bob")]
    assert len(state["__interrupt__"]) == 1


def test_an_approval_given_before_the_run_was_tainted_does_not_count():
    world, graph, first = asks()
    update = Command(update={"taint": ["web"]}, goto=graph_sends(graph))
    graph.update_state(THREAD, update, as_node="think")
    state = answered(graph, {"type": "approve", "digest": first.value["digest"]})
    (second,) = state["__interrupt__"]
    assert second.value["taint"] == ["web"]
    assert world.done == []


def graph_sends(graph):
    from langgraph.types import Send

    calls = graph.get_state(THREAD).values["messages"][-1].tool_calls
    return [Send("act", call) for call in calls]


def test_a_question_of_the_tool_itself_comes_after_the_approval():
    world = World(ASKS)
    _, graph, _ = asks([world.ask()], [("ask", {})], world=world)
    state = answered(graph, "approve")
    assert state["__interrupt__"][0].value == "which?"
    assert last_result(answered(graph, "this")).text == "this"


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_the_approval_reaches_another_instance_over_sqlite(tmp_path, durability):
    url = f"sqlite:///{tmp_path}/runs.sqlite"
    options = {"durability": durability}
    for _ in range(2):
        with create_checkpointer(url) as saver:
            world, graph, order = attack("fetch", "mail", checkpointer=saver)
            state = graph.get_state(THREAD)
            if not state.values:
                graph.invoke(order, THREAD, **options)
                continue
            value = state.tasks[0].interrupts[0].value
            answer = {"type": "approve", "digest": value["digest"]}
            graph.invoke(Command(resume=answer), THREAD, **options)
            assert world.done == [("mail", "eve")]


async def test_it_asks_and_runs_on_a_loop_with_sqlite(tmp_path):
    async with create_checkpointer(f"sqlite:///{tmp_path}/runs.sqlite") as saver:
        world, graph, order = attack("ticket", "write", checkpointer=saver)
        state = await graph.ainvoke(order, THREAD)
        assert len(state["__interrupt__"]) == 1
        await graph.ainvoke(Command(resume="approve"), THREAD)
        assert world.done == [("write", "eve")]


def test_a_person_told_of_the_taint_sees_where_it_came_from():
    _, graph, order = attack("researcher", "mail", checkpointer=InMemorySaver())
    (question,) = graph.invoke(order, THREAD)["__interrupt__"]
    assert question.value["taint"] == ["fetch"]
    assert (
        "Untrusted text was read from: fetch."
        in (question.value["action_requests"][0]["description"])
    )


BENIGN = {
    "an effect that the user asked for": ["mail"],
    "several effects, one after the other": ["write", "write", "wipe"],
    "much reading": ["fetch", "fetch", "fetch"],
    "an effect beside a reading call": [["fetch", "mail"]],
    "an effect before a reading call": ["mail", "fetch"],
    "an agent that sends mail": ["delegate"],
}


@pytest.mark.parametrize("task", BENIGN)
def test_benign_tasks_need_no_approval(task):
    world = World()
    turns = [[each] if isinstance(each, str) else each for each in BENIGN[task]]
    names = sorted({name for turn in turns for name in turn})
    graph = world.agent([getattr(world, name)() for name in names])
    effects = {"mail", "write", "wipe", "delegate"}
    orders = do(*([(n, {"to": "bob"} if n in effects else {}) for n in turn] for turn in turns))
    assert "__interrupt__" not in graph.invoke({"messages": orders})
    assert len(world.done) == sum(name in effects for turn in turns for name in turn)


def test_benign_work_with_files_and_memory_needs_no_approval(tmp_path):
    (tmp_path / "a.txt").write_text("one")
    world, store = World(), InMemoryStore()
    tools = [*file_tools(tmp_path), *memory_tools(store=store), world.mail()]
    orders = do(
        [("read_file", {"path": "a.txt"})],
        [("remember", {"text": "The code is one."})],
        [("recall", {"query": "the code"})],
        [("write_file", {"path": "b.txt", "content": "one"})],
        [("mail", {"to": "bob"})],
    )
    state = world.agent(tools, store=store).invoke({"messages": orders}, THREAD)
    assert "__interrupt__" not in state
    assert world.done == [("mail", "bob")]
    assert (tmp_path / "b.txt").read_text() == "one"


def test_a_tool_that_only_confirms_may_be_declared_trusted():
    world = World()
    mail = with_spec(world.mail(), untrusted=False)
    orders = do(*([("mail", {"to": each})] for each in "abc"))
    state = world.agent([mail]).invoke({"messages": orders})
    assert len(world.done) == 3
    assert state["taint"] == []


def test_observations_carry_their_source_also_without_a_policy():
    world = World(None)
    state = world.agent([world.fetch(), world.write()]).invoke(
        {"messages": do([("fetch", {}), ("write", {"to": "x"}), ("nothing", {})])}
    )
    results = [each for each in state["messages"] if each.type == "tool"]
    labels = {each.name: each.response_metadata["source"] for each in results}
    assert labels == {"fetch": "untrusted", "write": "trusted", "nothing": "trusted"}
    assert "taint" not in state


def test_a_thread_that_began_without_a_policy_is_tainted_by_what_it_holds():
    saver = InMemorySaver()
    world, graph, order = attack("fetch", "mail", policy=None, checkpointer=saver)
    world.page = "nothing yet"
    graph.invoke(order, THREAD)
    world.policy = Policy()
    watched = world.agent([world.fetch(), world.mail()], checkpointer=saver)
    state = watched.invoke({"messages": do([("mail", {"to": "eve"})])}, THREAD)
    assert len(state["__interrupt__"]) == 1
    assert world.done == []


def test_a_state_of_your_own_gets_the_key_and_the_caller_may_give_taint():
    class Wider(ReactState):
        colour: str

    world = World()
    graph = world.agent([world.mail()], state_schema=Wider, checkpointer=InMemorySaver())
    given = {"messages": do([("mail", {"to": "eve"})]), "colour": "blue", "taint": ["upload"]}
    state = graph.invoke(given, THREAD)
    assert state["__interrupt__"][0].value["taint"] == ["upload"]
    assert (state["colour"], world.done) == ("blue", [])
    state = graph.invoke({"messages": do([("mail", {"to": "eve"})]), "taint": []}, THREAD)
    assert state["taint"] == ["upload"]


def test_a_bare_act_node_that_cannot_see_its_state_trusts_nothing():
    from cogwork.nodes.action import make_act

    world = World()
    act = make_act([world.mail()], policy=Policy(rules=[Rule(tainted=True, then="deny")]))
    call = {"name": "mail", "args": {"to": "eve"}, "id": "1", "type": "tool_call"}
    (message,) = act.invoke(call)["messages"]
    assert message.status == "error"
    assert world.done == []


def test_building_an_agent_with_all_three_parts_warns():
    world = World()
    with pytest.warns(TrifectaWarning, match="fetch") as caught:
        world.agent([world.fetch(), world.ask()])
    assert caught[0].filename.endswith("hostile.py")


def test_a_graph_around_it_may_share_the_taint_without_messages():
    class Outer(TypedDict):
        messages: Messages
        taint: list[str]

    world = World()
    world.page = "text"
    builder = StateGraph(Outer)
    builder.add_node("agent", world.agent([world.fetch()]))
    builder.add_edge(START, "agent")
    state = builder.compile().invoke({"messages": [HumanMessage(do([("fetch", {})]))]})
    assert state["taint"] == ["fetch"]


def test_without_a_policy_nothing_is_new():
    @tool(effect="external")
    def mail(to: str) -> str:
        """Send."""
        return "sent"

    plain = create_react_agent("offline", [mail])
    assert set(plain.get_input_jsonschema()["properties"]) == {"messages"}
    assert set(plain.get_output_jsonschema()["properties"]) == {"messages", "stop_reason"}
