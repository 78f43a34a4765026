from functools import partial

import pytest
from embedding import HybridStore, gram_store
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from typing_extensions import TypedDict

from cogwork.core.bridge import run_blocking
from cogwork.core.errors import ConfigurationError
from cogwork.core.messages import Messages
from cogwork.memory import create_checkpointer, with_state_types
from cogwork.memory.namespaces import user_namespace
from cogwork.memory.recall import Memories, Recollection
from cogwork.memory.working import WorkingMemory, token_count, working_item
from cogwork.nodes.recall import Recalled, make_recall, recalled_prompt
from cogwork.tools.taint import reading, with_taint


class State(TypedDict, total=False):
    messages: Messages
    recalled: Recalled
    working: WorkingMemory


class Context(TypedDict, total=False):
    user_id: str


@pytest.fixture(params=[InMemoryStore, HybridStore])
def store(request):
    return gram_store(request.param)


def tell(store, user, *texts, agent=None, **noted):
    memories = Memories(store, user_namespace(user, agent))
    for text in texts:
        run_blocking(partial(memories.semantic.remember, metadata=noted), text)


def build(store=None, checkpointer=None, schema=State, input_schema=None, **options):
    builder = StateGraph(schema, Context)
    builder.add_node("recall", make_recall(**options), input_schema=input_schema)
    builder.add_edge(START, "recall")
    return builder.compile(checkpointer, store=store)


def ada(**more):
    return {"configurable": {"user_id": "ada", **more}}


def texts(result):
    return [one.text for one in result["recalled"]]


def test_it_writes_what_is_known_into_its_own_channel_and_no_message(store):
    tell(store, "ada", "Ada drinks green tea", "The server stands in Zurich")
    result = build(store).invoke({"messages": "What tea does Ada drink?"}, ada())
    assert texts(result)[0] == "Ada drinks green tea"
    assert [message.type for message in result["messages"]] == ["human"]


async def test_it_runs_on_the_callers_loop_too(store):
    await Memories(store, user_namespace("ada")).semantic.remember("Ada drinks green tea")
    result = await build(store).ainvoke({"messages": "tea?"}, ada())
    assert texts(result) == ["Ada drinks green tea"]


def test_it_keeps_to_its_token_budget_and_lets_a_long_one_out(store):
    tell(store, "ada", *(f"tea number {place} is green" for place in range(8)))
    tell(store, "ada", "tea " * 200)
    result = build(store, k=9, max_tokens=20).invoke({"messages": "green tea"}, ada())
    assert 1 <= len(result["recalled"]) < 9
    assert token_count([working_item(text) for text in texts(result)]) <= 20


def test_what_has_nothing_to_do_with_the_question_is_not_recalled(store):
    tell(store, "ada", "The server stands in Zurich")
    assert build(store).invoke({"messages": "buy milk"}, ada())["recalled"] == []


def test_neighbours_of_what_happened_come_if_they_are_asked_for(store):
    episodes = Memories(store, user_namespace("ada")).episodic
    for text in ("Where do we meet for the concert?", "Noon, near Bob."):
        run_blocking(episodes.record, text)
    asked = {"messages": "Where do we meet for the concert?"}
    assert len(texts(build(store).invoke(asked, ada()))) == 1
    found = texts(build(store, neighbours=1).invoke(asked, ada()))
    assert found[1:] == ["Noon, near Bob."]


def test_nothing_is_recalled_without_a_question(store):
    tell(store, "ada", "Ada drinks green tea")
    assert build(store).invoke({"messages": [AIMessage("tea")]}, ada())["recalled"] == []


def test_each_turn_replaces_what_the_last_one_recalled(store):
    tell(store, "ada", "Ada drinks green tea", "The server stands in Zurich")
    with create_checkpointer("memory://") as saver:
        graph = build(store, with_state_types(saver, State), k=1)
        graph.invoke({"messages": "tea"}, ada(thread_id="1"))
        result = graph.invoke({"messages": "server"}, ada(thread_id="1"))
        assert texts(result) == ["The server stands in Zurich"]
        kept = graph.get_state(ada(thread_id="1")).values["recalled"]
        assert all(type(one) is Recollection for one in kept)


def test_it_can_hold_what_it_recalled_in_working_memory(store):
    tell(store, "ada", "Ada drinks green tea")
    result = build(store, promote=True).invoke({"messages": "tea"}, ada())
    (held,) = result["working"]
    assert (held.text, held.source) == ("Ada drinks green tea", "semantic")
    again = build(store, promote=True).invoke({**result, "messages": "tea"}, ada())
    assert [one.source for one in again["recalled"]] == ["working"]


def test_the_user_comes_from_the_authenticated_server_then_the_context_then_the_config(store):
    for user in ("ada", "bob", "eve"):
        tell(store, user, f"The tea of {user} is green")
    graph = build(store)
    asked = {"messages": "green tea"}
    assert texts(graph.invoke(asked, ada())) == ["The tea of ada is green"]
    assert texts(graph.invoke(asked, ada(), context={"user_id": "bob"})) == [
        "The tea of bob is green"
    ]
    claimed = ada(langgraph_auth_user_id="eve")
    assert texts(graph.invoke(asked, claimed, context={"user_id": "bob"})) == [
        "The tea of eve is green"
    ]


def test_nobodys_memories_are_never_shared(store):
    with pytest.raises(ConfigurationError, match="user_id"):
        build(store).invoke({"messages": "tea"})
    with pytest.raises(ConfigurationError, match="user"):
        build(store).invoke({"messages": "tea"}, {"configurable": {"user_id": ""}})
    with pytest.raises(ConfigurationError, match="store"):
        build().invoke({"messages": "tea"}, ada())


def test_agents_have_their_own_view_of_a_user(store):
    tell(store, "ada", "The tea of the cook is green", agent="cook")
    assert build(store).invoke({"messages": "tea"}, ada())["recalled"] == []
    assert build(store, agent="other").invoke({"messages": "tea"}, ada())["recalled"] == []
    assert texts(build(store, agent="cook").invoke({"messages": "tea"}, ada()))


class Asked(TypedDict):
    messages: Messages


@pytest.mark.parametrize("sees", [None, Asked])
def test_what_was_drawn_from_untrusted_text_taints_the_run(store, sees):
    tell(store, "ada", "Ada drinks green tea", tainted=["web"])
    graph = build(store, schema=with_taint(State), input_schema=sees)
    result = graph.invoke({"messages": "green tea", "taint": ["mail"]}, ada())
    assert (result["recalled"][0].taint, result["taint"]) == (("web",), ["mail", "web"])
    tell(store, "ada", "The server stands in Zurich")
    assert graph.invoke({"messages": "server in Zurich"}, ada())["taint"] == []


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_whoever_made_the_call_that_it_runs_in_hears_of_it(store, how):
    tell(store, "ada", "Ada drinks green tea", tainted=["web"])
    graph = build(store)
    with reading(()) as found:
        if how == "invoke":
            result = graph.invoke({"messages": "green tea"}, ada())
        else:
            result = await graph.ainvoke({"messages": "green tea"}, ada())
    assert found == {"web"}
    assert "taint" not in result


def test_what_does_not_fit_taints_nobody(store):
    tell(store, "ada", "tea " * 200, tainted=["web"])
    tell(store, "ada", "Ada drinks green tea")
    graph = build(store, schema=with_taint(State), max_tokens=20)
    result = graph.invoke({"messages": "green tea"}, ada())
    assert (texts(result), result["taint"]) == (["Ada drinks green tea"], [])


def test_a_checkpoint_keeps_the_taint_of_what_was_recalled(store, tmp_path):
    tell(store, "ada", "Ada drinks green tea", tainted=["web"])
    with create_checkpointer(f"sqlite:///{tmp_path}/runs.sqlite") as saver:
        graph = build(store, with_state_types(saver, State))
        graph.invoke({"messages": "green tea"}, ada(thread_id="1"))
        (kept,) = graph.get_state(ada(thread_id="1")).values["recalled"]
        assert [*kept.taint] == ["web"]  # a checkpoint has lists only


HOSTILE = ["ada", "Ada", "ad", "*", "..", "ada.shared", "%61da", "ada\x00", "", "memories", "$ne"]


@pytest.mark.parametrize("thief", [name for name in HOSTILE if name not in ("ada", "")])
def test_no_id_reads_another_users_memories(store, thief):
    tell(store, "ada", "The secret of Ada is 4711")
    graph = build(store, k=50, min_similarity=-1)
    asked = {"messages": "The secret of Ada is 4711"}
    assert graph.invoke(asked, {"configurable": {"user_id": thief}})["recalled"] == []
    assert len(graph.invoke(asked, ada())["recalled"]) == 1


def test_the_prompt_shows_notes_one_a_line_before_the_messages():
    notes = [Recollection("two\n- lines", "semantic", "1", 1, 1, 0)]
    asked = [HumanMessage("hello")]
    shown = recalled_prompt("Be brief.")({"messages": asked, "recalled": notes})
    assert shown[0].text.startswith("Be brief.\n\nWhat you know")
    assert shown[0].text.splitlines()[-1] == "- two - lines"
    assert shown[1:] == asked
    assert recalled_prompt()({"messages": asked}) == asked
    assert recalled_prompt("Be brief.")({"messages": asked})[0] == SystemMessage("Be brief.")


@pytest.mark.parametrize("wrong", [{"k": 0}, {"max_tokens": 0}])
def test_impossible_limits_are_refused(wrong):
    with pytest.raises(ConfigurationError):
        make_recall(**wrong)
