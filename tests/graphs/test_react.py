import json
import signal
from dataclasses import dataclass
from typing import Annotated

import fresh
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId
from langchain_core.tools import tool as langchain_tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import InjectedState, ToolRuntime
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, interrupt
from openai_server import OpenAIServer, call_tools, cut, error, raw_tool_call, say
from pydantic import BaseModel
from scripted import ScriptedChatModel, calls

from cogwork.core.errors import ConfigurationError, ModelError
from cogwork.graphs.react import ReactState, create_react_agent
from cogwork.memory import create_checkpointer
from cogwork.nodes.trace import trace
from cogwork.tools.base import tool

ASK = {"messages": [("user", "What is 2 + 3?")]}
THREAD = {"configurable": {"thread_id": "1"}}


@tool(effect="read")
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def agent(*script, tools=(add,), forever=False, **options):
    model = ScriptedChatModel(script=list(script), forever=forever)
    return create_react_agent(model, list(tools), **options), model


def add_call(a=2, b=3, turn=0):
    return calls(("add", {"a": a, "b": b}), say="I add.", turn=turn)


def test_it_thinks_acts_observes_and_answers():
    graph, model = agent(add_call(), "It is 5.")
    state = graph.invoke(ASK)
    assert [m.type for m in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert state["messages"][-1].text == "It is 5."
    assert state["stop_reason"] == "answered"
    assert [m.type for m in model.sent[1]] == ["human", "ai", "tool"]


async def test_it_runs_on_a_loop_too():
    graph, _ = agent(add_call(), "It is 5.")
    assert (await graph.ainvoke(ASK))["messages"][-1].text == "It is 5."


def test_functions_are_tools_and_without_tools_it_just_answers():
    def double(x: int) -> int:
        """Double."""
        return 2 * x

    graph, _ = agent(calls(("double", {"x": 4})), "8", tools=[double])
    assert graph.invoke(ASK)["messages"][2].text == "8"
    plain, _ = agent("hello", tools=[])
    assert plain.invoke(ASK)["messages"][-1].text == "hello"
    assert set(plain.get_graph().nodes) == {"__start__", "think", "__end__"}


MERMAID = """\
---
config:
  flowchart:
    curve: linear
---
graph TD;
	__start__([<p>__start__</p>]):::first
	think(think)
	act(act)
	observe(observe)
	__end__([<p>__end__</p>]):::last
	__start__ --> think;
	act --> observe;
	observe --> think;
	think -. &nbsp;answer&nbsp; .-> __end__;
	think -. &nbsp;calls&nbsp; .-> act;
	classDef default fill:#f2f0ff,line-height:1.2
	classDef first fill-opacity:0
	classDef last fill:#bfb6fc
"""


def test_its_topology():
    graph, _ = agent("hi")
    assert graph.get_graph().draw_mermaid() == MERMAID


def test_errors_come_back_as_observations_that_the_model_corrects():
    graph, _ = agent(
        calls(("ad", {"a": 2, "b": 3})),
        calls(("add", {"a": "two", "b": 3})),
        add_call(),
        "5",
    )
    state = graph.invoke(ASK)
    assert [step.failed for step in trace(state)] == [True, True, False, False]
    assert state["messages"][-1].text == "5"


def test_at_the_step_limit_it_answers_once_more_from_what_was_found():
    script = [add_call(b=n, turn=n) for n in range(3)]
    graph, model = agent(*script, "At least 4.", max_steps=3)
    state = graph.invoke(ASK)
    assert state["stop_reason"] == "step_limit"
    assert state["messages"][-1].text == "At least 4."
    assert model.bound[-1] == []
    assert len(model.sent) == 4


def test_the_default_limit_is_ten_steps():
    graph, model = agent(lambda m: add_call(b=len(m), turn=len(m)), forever=True)
    assert graph.invoke(ASK)["stop_reason"] == "step_limit"
    assert len(model.sent) == 11


def test_the_same_call_for_ever_is_stopped_and_said():
    graph, model = agent(lambda m: add_call(turn=len(m)), forever=True)
    state = graph.invoke(ASK)
    assert state["stop_reason"] == "no_progress"
    assert len(model.sent) == 4
    assert "same result" in state["messages"][-1].text


def test_a_stopped_question_does_not_stop_the_next_one():
    graph, _ = agent(
        *[add_call(turn=n) for n in range(3)],
        "stuck",
        add_call(turn=9),
        "5",
        checkpointer=InMemorySaver(),
    )
    assert graph.invoke(ASK, THREAD)["stop_reason"] == "no_progress"
    state = graph.invoke(ASK, THREAD)
    assert (state["stop_reason"], state["messages"][-1].text) == ("answered", "5")


def test_a_tool_that_writes_a_human_message_does_not_begin_a_new_turn():
    @langchain_tool
    def picture(tool_call_id: Annotated[str, InjectedToolCallId]) -> Command:
        """Show a picture."""
        shown = ToolMessage("see below", tool_call_id=tool_call_id)
        return Command(update={"messages": [shown, HumanMessage(f"a picture {tool_call_id}")]})

    graph, model = agent(
        lambda m: calls(("picture", {}), turn=len(m)), forever=True, tools=[picture], max_steps=4
    )
    state = graph.invoke(ASK)
    assert state["stop_reason"] in {"step_limit", "no_progress"}
    assert len(model.sent) <= 5


@pytest.mark.parametrize("call_id", [None, "", "same"])
def test_calls_without_an_id_of_their_own_get_one(call_id):
    def turn(messages):
        n = len(messages)
        made = [{"name": "add", "args": {"a": n, "b": b}, "id": call_id} for b in (1, 2, 3)]
        bad = {
            "name": "add",
            "args": None,
            "id": call_id,
            "error": "?",
            "type": "invalid_tool_call",
        }
        return (
            AIMessage("", tool_calls=made, invalid_tool_calls=[bad]) if n < 9 else AIMessage("ok")
        )

    graph, _ = agent(turn, forever=True)
    state = graph.invoke(ASK)
    assert (state["stop_reason"], state["messages"][-1].text) == ("answered", "ok")
    outputs = [step.output for step in trace(state)][:4]
    assert outputs[:3] == ["2", "3", "4"]
    assert "not valid JSON" in outputs[3]


def test_two_hundred_steps_need_no_recursion_limit_from_the_caller():
    graph, _ = agent(lambda m: add_call(b=len(m), turn=len(m)), forever=True, max_steps=200)
    assert graph.invoke(ASK)["stop_reason"] == "step_limit"


def test_an_empty_message_twice_is_a_clear_error_and_the_thread_can_go_on():
    graph, _model = agent("", "", "5", checkpointer=InMemorySaver())
    with pytest.raises(ModelError, match="empty message"):
        graph.invoke(ASK, THREAD)
    assert graph.invoke(None, THREAD)["messages"][-1].text == "5"


class Sum(BaseModel):
    total: int


def test_a_response_format_gives_a_typed_answer_that_survives_the_checkpoint(tmp_path):
    url = f"sqlite:///{tmp_path}/c.sqlite"
    with create_checkpointer(url) as saver:
        graph, _ = agent(
            add_call(), "It is 5.", '{"total": 5}', response_format=Sum, checkpointer=saver
        )
        assert graph.invoke(ASK, THREAD)["structured_response"] == Sum(total=5)
    with create_checkpointer(url) as saver:
        graph, _ = agent(response_format=Sum, checkpointer=saver)
        assert graph.get_state(THREAD).values["structured_response"] == Sum(total=5)
        assert "respond" in graph.get_graph().nodes


def test_the_response_is_asked_for_with_the_prompt_and_a_bounded_history():
    history = [("user", "old " * 900), ("assistant", "older " * 900), *ASK["messages"]]
    graph, model = agent(
        "5", '{"total": 5}', response_format=Sum, prompt="RULES", max_history_tokens=200
    )
    graph.invoke({"messages": history})
    for sent in model.sent:
        assert sent[0].text == "RULES"
        assert sum(len(message.text) for message in sent) < 2_000


def test_the_result_of_a_direct_tool_is_the_answer():
    @langchain_tool(return_direct=True)
    def look() -> str:
        """Look."""
        return "sand"

    graph, model = agent(calls(("look", {})), tools=[look, add])
    state = graph.invoke(ASK)
    assert (state["messages"][-1].text, state["stop_reason"]) == ("sand", "answered")
    assert len(model.sent) == 1
    mixed, model = agent(calls(("look", {}), ("add", {"a": 1, "b": 2})), "both", tools=[look, add])
    assert mixed.invoke(ASK)["messages"][-1].text == "both"


def undocumented(x: int) -> int:
    return x


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        (["calculator"], r"load_tools\(\['calculator'\]\)"),
        ("calculator", "name of a tool"),
        ([add, add], "two tools are called 'add'"),
        ([7], "7 is no tool"),
        ([undocumented], "'undocumented' cannot be made a tool"),
    ],
)
def test_what_is_no_tool_is_named(tools, said):
    with pytest.raises(ConfigurationError, match=said):
        create_react_agent(ScriptedChatModel(script=[]), tools)


class Coloured(ReactState):
    colour: str


def test_a_wider_state_reaches_the_tools_and_the_prompt():
    @langchain_tool
    def paint(state: Annotated[dict, InjectedState]) -> str:
        """Paint."""
        return f"painted {state['colour']}"

    graph, model = agent(
        calls(("paint", {})),
        "done",
        tools=[paint],
        state_schema=Coloured,
        prompt=lambda state: [("system", f"like {state['colour']}"), *state["messages"]],
    )
    state = graph.invoke({**ASK, "colour": "blue"})
    assert state["messages"][2].text == "painted blue"
    assert model.sent[0][0].text == "like blue"


def test_context_and_store_of_the_run_reach_the_tools():
    @dataclass
    class Context:
        user: str

    @langchain_tool
    def whoami(runtime: ToolRuntime[Context]) -> str:
        """Say who asks."""
        return runtime.store.get(("names",), runtime.context.user).value["name"]

    store = InMemoryStore()
    store.put(("names",), "u1", {"name": "Ada"})
    graph, _ = agent(
        calls(("whoami", {})), "Ada", tools=[whoami], context_schema=Context, store=store
    )
    assert graph.invoke(ASK, context=Context("u1"))["messages"][2].text == "Ada"


def test_a_question_of_a_tool_is_answered_by_a_person():
    @langchain_tool
    def confirm(what: str) -> str:
        """Ask a person."""
        return str(interrupt({"confirm": what}))

    graph, _ = agent(
        calls(("confirm", {"what": "go?"})), "gone", tools=[confirm], checkpointer=InMemorySaver()
    )
    asked = graph.invoke(ASK, THREAD)
    assert asked["__interrupt__"][0].value == {"confirm": "go?"}
    assert graph.invoke(Command(resume="yes"), THREAD)["messages"][2].text == "yes"


@pytest.mark.parametrize("node", ["think", "act", "observe"])
def test_a_person_may_stop_before_any_node_and_go_on(node):
    graph, _ = agent(add_call(), "5", checkpointer=InMemorySaver(), interrupt_before=[node])
    graph.invoke(ASK, THREAD)
    assert graph.get_state(THREAD).next == (node,)
    while graph.get_state(THREAD).next:
        graph.invoke(None, THREAD)
    assert graph.get_state(THREAD).values["messages"][-1].text == "5"


def test_a_thread_remembers_and_can_be_forked():
    graph, model = agent(
        add_call(), "5", "I said 5.", "Say it again?", checkpointer=InMemorySaver()
    )
    graph.invoke(ASK, THREAD)
    after_first = graph.get_state(THREAD)
    graph.invoke({"messages": [("user", "what was it?")]}, THREAD)
    assert [m.text for m in model.sent[2]][-2:] == ["5", "what was it?"]
    fork = graph.invoke({"messages": [("user", "pardon?")]}, after_first.config)
    assert [m.text for m in fork["messages"]][-3:] == ["5", "pardon?", "Say it again?"]


def test_the_trace_of_a_running_thread_can_be_read():
    graph, _ = agent(add_call(), "5", checkpointer=InMemorySaver(), interrupt_before=["act"])
    graph.invoke(ASK, THREAD)
    (step,) = trace(graph.get_state(THREAD))
    assert (step.tool, step.input, step.output) == ("add", {"a": 2, "b": 3}, None)


def test_it_is_a_node_of_another_graph():
    inner, _ = agent(add_call(), "It is 5.")
    builder = StateGraph(ReactState)
    builder.add_node("solver", inner)
    builder.add_edge(START, "solver")
    assert builder.compile().invoke(ASK)["messages"][-1].text == "It is 5."


def test_words_stream_as_the_model_says_them():
    graph, _ = agent(add_call(), "It is five indeed.")
    words = [
        chunk.text
        for chunk, about in graph.stream(ASK, stream_mode="messages")
        if about["langgraph_node"] == "think" and chunk.text
    ]
    assert words[-4:] == ["It ", "is ", "five ", "indeed. "]


@pytest.mark.parametrize(
    "options", [{"max_steps": 0}, {"max_history_tokens": 0}, {"tool_timeout": 0}]
)
def test_a_limit_that_is_not_positive_is_refused(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        agent("hi", **options)


# The wire: langchain-openai against a loopback server.


@pytest.mark.parametrize("streaming", [False, True])
def test_malformed_arguments_on_the_wire_are_corrected(streaming):
    script = [
        raw_tool_call("add", '{"a": 2,'),
        call_tools(("add", {"a": 2, "b": 3})),
        say("It is 5."),
    ]
    with OpenAIServer(script) as server:
        model = ChatOpenAI(
            base_url=server.url, api_key="test", model="m", streaming=streaming, stream_usage=True
        )
        state = create_react_agent(model, [add]).invoke(ASK)
    assert [step.failed for step in trace(state)] == [True, False, False]
    assert state["messages"][-1].text == "It is 5."
    assert trace(state)[1].tokens > 0


def test_a_stream_that_breaks_off_is_asked_for_once_more():
    with OpenAIServer([cut("It "), say("It is 5.")]) as server:
        model = ChatOpenAI(
            base_url=server.url, api_key="test", model="m", max_retries=0, streaming=True
        )
        assert create_react_agent(model).invoke(ASK)["messages"][-1].text == "It is 5."


def test_retries_of_the_client_are_not_multiplied():
    with OpenAIServer([error(500)], forever=True) as server:
        model = ChatOpenAI(base_url=server.url, api_key="test", model="m", max_retries=1)
        with pytest.raises(ModelError, match="failed"):
            create_react_agent(model).invoke(ASK)
        assert len(server.requests) == 2


# Crashes.

CRASH = """
import json, os, sys
from pathlib import Path
from langgraph.types import Command
from scripted import ScriptedChatModel, calls
from cogwork.graphs.react import create_react_agent
from cogwork.memory import create_checkpointer
from cogwork.tools.base import tool

folder, node = Path(sys.argv[1]), sys.argv[2]
crashed = folder / "crashed"

def die_once():
    if not crashed.exists():
        crashed.touch()
        os.kill(os.getpid(), 9)

@tool(effect="read")
def add(a: int, b: int) -> int:
    "Add."
    with open(folder / "adds", "a") as log:
        log.write(".")
    if node == "act":
        die_once()
    return a + b

def turn(messages):
    done = sum(m.type == "tool" for m in messages)
    if node == "think" and done == 1:
        die_once()
    return calls(("add", {"a": done, "b": 1}), turn=done) if done < 2 else calls(say="It is 2.")

with create_checkpointer(f"sqlite:///{folder}/c.sqlite") as saver:
    graph = create_react_agent(ScriptedChatModel(script=[turn], forever=True), [add], checkpointer=saver)
    config = {"configurable": {"thread_id": "1"}}
    if node == "observe":
        graph.nodes["observe"].bound.function = (
            lambda state, config, real=graph.nodes["observe"].bound.function: die_once() or real(state, config)
        )
    asked = None if graph.get_state(config).created_at else {"messages": [("user", "count")]}
    state = graph.invoke(asked, config, durability="sync")
    print(json.dumps([m.text for m in state["messages"]]))
"""


@pytest.mark.parametrize(("node", "adds"), [("think", 2), ("act", 3), ("observe", 2)])
def test_a_run_killed_in_any_node_goes_on_where_it_was(tmp_path, node, adds):
    def run():
        return fresh.run(str(tmp_path), node, code=CRASH)

    assert run().returncode == -signal.SIGKILL
    resumed = run()
    assert json.loads(resumed.stdout) == ["count", "", "1", "", "2", "It is 2."], resumed.stderr
    assert len((tmp_path / "adds").read_text()) == adds
