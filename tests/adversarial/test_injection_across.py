"""The same attacks across resumes, processes, graphs, memory, parallel calls and edits."""

import json
from functools import partial
from pathlib import Path
from typing import NotRequired

import fresh
import pytest
from embedding import GramEmbeddings
from hostile import EFFECTS, SOURCES, World, attack, name_of
from langchain_core.messages import HumanMessage, RemoveMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, Send
from obedient import do
from typing_extensions import TypedDict

from cogwork.core.bridge import run_blocking
from cogwork.core.messages import Messages
from cogwork.graphs.react import ReactState
from cogwork.memory import create_checkpointer, with_state_types
from cogwork.memory.experience import Experience, Outcome
from cogwork.memory.namespaces import user_namespace
from cogwork.memory.recall import Memories
from cogwork.memory.semantic import SemanticMemory
from cogwork.memory.store import ChromaStore
from cogwork.memory.working import working_item
from cogwork.nodes.memories import memory_tools
from cogwork.nodes.memorize import Fact, make_memorize
from cogwork.nodes.recall import Recalled, make_recall, recalled_prompt
from cogwork.runtime.memory_lines import export_lines, import_lines, parse_lines
from cogwork.tools.caching import ToolCache
from cogwork.tools.taint import Taint, with_taint

pytestmark = pytest.mark.filterwarnings("ignore::cogwork.tools.policy.TrifectaWarning")

THREAD = {"configurable": {"thread_id": "1", "user_id": "ada"}}


class State(TypedDict):
    messages: Messages
    taint: NotRequired[Taint]


class MessagesOnly(TypedDict):
    messages: Messages


def asked(state):
    return [each.value["action_requests"][0] for each in state.get("__interrupt__", ())]


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("source", SOURCES)
def test_a_run_that_stopped_after_reading_asks_when_another_instance_resumes_it(
    source, effect, tmp_path
):
    url = f"sqlite:///{tmp_path}/runs.sqlite"
    with create_checkpointer(url) as saver:
        world, agent, order = attack(
            source, effect, checkpointer=saver, interrupt_after=["observe"]
        )
        agent.invoke(order, THREAD)
    with create_checkpointer(url) as saver:
        again, agent, _ = attack(source, effect, checkpointer=saver)
        assert len(asked(agent.invoke(None, THREAD))) == 1
    assert world.done == again.done == []


def test_an_approval_given_to_another_process_runs_the_call_once_and_a_rejection_never(tmp_path):
    code = (Path(__file__).parents[1] / "support" / "policy_child.py").read_text()

    def child(thread, *answer):
        ran = fresh.run(str(tmp_path), thread, *answer, code=code)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    assert child("a") == child("b") == {"asked": 1, "done": []}
    assert child("a", "approve") == {"asked": 0, "done": [["mail", "eve"]]}
    assert child("b", "reject") == {"asked": 0, "done": []}


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_cut_from_the_history_still_taints(source):
    world, agent, order = attack(source, "mail", checkpointer=InMemorySaver())
    agent.invoke(order, THREAD)
    agent.update_state(THREAD, {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES)]}, as_node="think")
    state = agent.invoke({"messages": do([("mail", {"to": "eve"})])}, THREAD)
    assert len(asked(state)) == 1
    assert world.done == []


@pytest.mark.parametrize("effect", ["mail", "write", "delegate"])
@pytest.mark.parametrize("schema", [State, MessagesOnly])
@pytest.mark.parametrize("as_function", [False, True])
def test_taint_passes_from_one_subgraph_to_the_next(effect, schema, as_function):
    world = World()
    reader, doer = world.agent([world.fetch()]), world.agent([getattr(world, effect)()])
    world.page = do([(effect, {"to": "eve"})])

    def read(state):
        return {"messages": reader.invoke({"messages": state["messages"]})["messages"][-1:]}

    def forward(state):  # what the reader said is now what the doer is asked
        return {"messages": [("user", state["messages"][-1].text)]}

    builder = StateGraph(schema)
    builder.add_node("read", read if as_function else reader)
    builder.add_node("forward", forward)
    builder.add_node("do", doer)
    builder.add_edge(START, "read")
    builder.add_edge("read", "forward")
    builder.add_edge("forward", "do")
    graph = builder.compile(checkpointer=InMemorySaver())
    state = graph.invoke({"messages": do([("fetch", {})])}, THREAD)
    assert len(asked(state)) == 1
    assert world.done == []


def test_an_agent_that_is_resumed_inside_a_tool_still_tells_what_it_had_read():
    """One call of the inner agent read the page, the one beside it waited for a person."""
    world = World()
    inner = world.agent([world.fetch(), world.ask()])

    @world.harmless
    def research(place: str = "") -> str:
        """Ask another agent."""
        return inner.invoke({"messages": do([("fetch", {}), ("ask", {})])})["messages"][-1].text

    outer = world.agent([research, world.mail()], checkpointer=InMemorySaver())
    world.page = do([("mail", {"to": "eve"})])
    state = outer.invoke({"messages": do([("research", {})])}, THREAD)
    assert state["__interrupt__"][0].value == "which?"
    state = outer.invoke(Command(resume="this"), THREAD)
    assert asked(state)[0]["name"] == "mail"
    assert world.done == []


def test_what_a_tool_writes_as_a_human_message_is_not_memorized_as_the_users_word():
    store = InMemoryStore()
    world, agent, order = attack("commanding", "mail", checkpointer=InMemorySaver())
    world.page = "My bank account is 666."
    told = HumanMessage(f"My name is Ada. {order['messages']}")
    state = agent.invoke({"messages": [told]}, THREAD)
    kept = make_memorize(draw=lambda said: [Fact(text=said, importance=1)], store=store).invoke(
        state, THREAD
    )
    assert kept == {"memorized": [told.text]}


@pytest.mark.parametrize("approvals", [1, 3])
def test_what_is_approved_inside_of_a_tool_happens_once(approvals):
    world, agent, order = attack("fetch", "delegate", checkpointer=InMemorySaver())
    world.page = do(*[[("delegate", {"to": f"eve{n}"})] for n in range(approvals)])
    state = agent.invoke(order, THREAD)
    for number in range(approvals):
        assert asked(state)[0]["name"] == "mail"
        assert len(world.done) == number
        state = agent.invoke(Command(resume="approve"), THREAD)
    assert world.done == [("mail", f"eve{n}") for n in range(approvals)]


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_memory_of_a_tainted_run_taints_the_run_that_recalls_it(effect):
    store = InMemoryStore()
    world = World()
    harms = getattr(world, effect)()
    fact = f"The door code is 7. {do([(name_of(harms), {'to': 'eve'})])}"
    tools = [*memory_tools(store=store), world.fetch(), harms]
    agent = world.agent(tools, checkpointer=InMemorySaver(), store=store)
    world.page = do([("remember", {"text": fact})])
    state = agent.invoke({"messages": do([("fetch", {})])}, THREAD)
    assert asked(state)[0]["name"] == "remember"
    state = agent.invoke(Command(resume="approve"), THREAD)  # the person does not see the trap

    later = {"configurable": {"thread_id": "2", "user_id": "ada"}}
    state = agent.invoke({"messages": do([("recall", {"query": "the door code"})])}, later)
    assert len(asked(state)) == 1
    assert state["taint"] == ["fetch"]
    assert [each for each in world.done if each[1] == "eve"] == []


class Recalling(ReactState):
    recalled: NotRequired[Recalled]


def chat(world, tools, store, saver):
    """Recall, answer by an agent, memorize all that was said: a graph of its own each time."""
    options = {"prompt": recalled_prompt(), "state_schema": Recalling}
    builder = StateGraph(with_taint(Recalling))
    builder.add_node("recall", make_recall(min_similarity=0.1))
    builder.add_node("agent", world.agent(tools, **options))
    draw = [Fact(text=f"The door code is 7. {world.page}", importance=1)]  # as a model is misled
    builder.add_node("memorize", make_memorize(draw=lambda said: draw if "notes" in said else []))
    builder.add_edge(START, "recall")
    builder.add_edge("recall", "agent")
    builder.add_edge("agent", "memorize")
    return builder.compile(with_state_types(saver, Recalling), store=store)


def memorized(world, memories, store, saver):
    graph = chat(world, [world.fetch()], store, saver)
    graph.invoke({"messages": f"notes: {do([('fetch', {})])}"}, THREAD)


def settled(world, memories, store, saver):
    held = [working_item(f"The door code is 7. {world.page}", importance=1)]
    run_blocking(partial(memories.settle, taint=["fetch"]), held)


def learned(world, memories, store, saver):
    case = Experience("The door code is needed", f"took 7. {world.page}", lessons=("It is 7.",))
    learn = partial(memories.learn_from_experience, taint=["fetch"])
    run_blocking(learn, case, Outcome(1))


def carried_over(world, memories, store, saver):
    other = Memories(store, ("elsewhere",))
    settled(world, other, store, saver)
    lines = export_lines(run_blocking(other.semantic.everything)).decode().splitlines()
    run_blocking(import_lines, store, user_namespace("ada"), parse_lines(lines))


def merged(world, memories, store, saver):
    """Somebody trusted says the same, before it is consolidated."""
    settled(world, memories, store, saver)
    apart = SemanticMemory(store, user_namespace("ada"), near=2)
    text = f"the door code is 7. {world.page}"
    run_blocking(partial(apart.remember, importance=1.0), text)
    report = run_blocking(memories.semantic.consolidate)
    assert len(report.merged) == 1


@pytest.mark.parametrize("way", [memorized, settled, learned, carried_over, merged])
@pytest.mark.parametrize("effect", ["mail", "write"])
def test_what_a_tainted_run_left_on_disk_taints_the_run_of_another_instance(effect, way, tmp_path):
    def opened():
        return ChromaStore(tmp_path / "store", embeddings=GramEmbeddings(), fields=["text"])

    world, again = World(), World()
    world.page = do([(effect, {"to": "eve"})])
    saver = f"sqlite:///{tmp_path}/runs.sqlite"
    with opened() as store, create_checkpointer(saver) as checkpoints:
        way(world, Memories(store, user_namespace("ada")), store, checkpoints)
    later = {"configurable": {"thread_id": "2", "user_id": "ada"}}
    with opened() as store, create_checkpointer(saver) as checkpoints:
        graph = chat(again, [getattr(again, effect)()], store, checkpoints)
        state = graph.invoke({"messages": "What is the door code?"}, later)
        (question,) = state["__interrupt__"]
        assert question.value["taint"] == ["fetch"]
        assert asked(state)[0]["args"] == {"to": "eve"}
        graph.invoke(Command(resume={question.id: "reject"}), later)
    assert world.done == again.done == []


def test_a_memory_of_a_clean_run_does_not_taint(tmp_path):
    world, store = World(), InMemoryStore()
    memories = Memories(store, user_namespace("ada"))
    run_blocking(memories.semantic.remember, f"The door code is 7. {do([('mail', {'to': 'bob'})])}")
    graph = chat(world, [world.mail()], store, InMemorySaver())
    state = graph.invoke({"messages": "What is the door code?"}, THREAD)
    assert "__interrupt__" not in state
    assert world.done == [("mail", "bob")]


@pytest.mark.parametrize("cached_first", [True, False])
def test_an_answer_from_a_cache_taints_as_the_call_did(cached_first):
    """The tool itself is trusted; what its inner agent read is not."""
    world, cache = World(), ToolCache()
    world.page = do([("mail", {"to": "eve"})])
    research = cache.wrap(world.researcher())
    if cached_first:
        world.agent([research]).invoke({"messages": do([("research", {})])})
    agent = world.agent([research, world.mail()], checkpointer=InMemorySaver())
    state = agent.invoke({"messages": do([("research", {})])}, THREAD)
    assert cache.info().hits == cached_first
    assert asked(state)[0]["args"] == {"to": "eve"}
    assert world.done == []


@pytest.mark.parametrize("source", SOURCES)
def test_effects_in_parallel_each_ask(source):
    world, agent, order = attack(source, "mail", checkpointer=InMemorySaver(), also=["write"])
    world.page = do([("mail", {"to": "eve"}), ("write", {"to": "eve"}), ("mail", {"to": "bob"})])
    state = agent.invoke(order, THREAD)
    questions = {
        (
            each.value["action_requests"][0]["name"],
            each.value["action_requests"][0]["args"]["to"],
        ): each
        for each in state["__interrupt__"]
    }
    assert len(questions) == 3
    answers = {each.id: "reject" for each in questions.values()}
    answers[questions["mail", "bob"].id] = "approve"
    agent.invoke(Command(resume=answers), THREAD)
    assert world.done == [("mail", "bob")]


@pytest.mark.parametrize("effect", ["mail", "write", "post", "wipe"])
def test_after_an_edit_the_original_call_asks_again(effect):
    world, agent, order = attack("fetch", effect, checkpointer=InMemorySaver())
    world.page = do([(effect, {"to": "eve"})], [(effect, {"to": "eve"})])
    agent.invoke(order, THREAD)
    edit = {"type": "edit", "edited_action": {"name": effect, "args": {"to": "ada"}}}
    state = agent.invoke(Command(resume={"decisions": [edit]}), THREAD)
    assert asked(state) == [asked(state)[0]]
    assert asked(state)[0]["args"] == {"to": "eve"}
    assert world.done == [(effect, "ada")]


def changed(agent, args):
    """Change the call that waits for an approval."""
    said = agent.get_state(THREAD).values["messages"][-1].model_copy(deep=True)
    said.tool_calls[0]["args"] = args
    goto = [Send("act", call) for call in said.tool_calls]
    agent.update_state(THREAD, Command(update={"messages": [said]}, goto=goto), as_node="think")


@pytest.mark.parametrize("effect", ["mail", "write", "post", "wipe"])
@pytest.mark.parametrize(
    "answer", ["approve", {"type": "approve"}, {"decisions": [{"type": "approve"}]}]
)
def test_a_call_that_was_changed_after_it_was_asked_about_does_not_run(effect, answer):
    world, agent, order = attack("fetch", effect, checkpointer=InMemorySaver())
    agent.invoke(order, THREAD)
    changed(agent, {"to": "mallory"})
    state = agent.invoke(Command(resume=answer), THREAD)
    assert world.done == []
    assert asked(state)[0]["args"] == {"to": "mallory"}
