import asyncio
import json
import re
import threading
from typing import Annotated

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, StructuredTool, ToolException
from langchain_core.tools import tool as langchain_tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import InjectedState, ToolRuntime
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, Send, interrupt
from typing_extensions import TypedDict

from cogwork.core.errors import BudgetError, ToolError
from cogwork.core.messages import Messages
from cogwork.core.retry import retry_policy
from cogwork.nodes.action import make_act
from cogwork.nodes.history import UNKEPT
from cogwork.tools.base import tool


class State(TypedDict):
    messages: Messages
    colour: str


def graph_of(tools, *, checkpointer=None, store=None, **limits):
    """Every call in `calls` is sent to `act`."""
    builder = StateGraph(State)
    builder.add_node("act", make_act(tools, **limits))
    builder.add_conditional_edges(
        START,
        lambda state: [
            Send("act", call) for call in state["messages"][-1].additional_kwargs["calls"]
        ],
        ["act"],
    )
    return builder.compile(checkpointer=checkpointer, store=store)


def call(name, args, call_id="1", kind="tool_call"):
    return {"name": name, "args": args, "id": call_id, "type": kind}


def start(*calls, colour="blue"):
    return {
        "messages": [HumanMessage("go", additional_kwargs={"calls": list(calls)})],
        "colour": colour,
    }


def run(tools, *calls, **limits):
    return graph_of(tools, **limits).invoke(start(*calls))["messages"][1:]


@tool
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@tool
async def aadd(a: int, b: int) -> int:
    """Add, slowly."""
    await asyncio.sleep(0)
    return a + b


@pytest.mark.parametrize("kind", [add, aadd])
async def test_a_tool_answers_in_both_ways_of_running(kind):
    for messages in (
        run([kind], call(kind.name, {"a": 1, "b": 2})),
        (await graph_of([kind]).ainvoke(start(call(kind.name, {"a": 1, "b": 2}))))["messages"][1:],
    ):
        (message,) = messages
        assert (message.text, message.status, message.tool_call_id) == ("3", "success", "1")
        assert message.response_metadata["seconds"] >= 0


def test_an_unknown_tool_is_an_observation_with_the_nearest_names():
    (message,) = run([add], call("ad", {}))
    assert message.status == "error"
    assert "no tool is called 'ad'; did you mean 'add'" in message.text


def test_invalid_arguments_are_an_observation_that_names_them():
    (message,) = run([add], call("add", {"a": "x", "b": 2}))
    assert message.status == "error"
    assert "invalid arguments for add: a: " in message.text
    assert "got 'x'" in message.text


def test_malformed_arguments_are_an_observation():
    (message,) = run([add], call("add", '{"a": 1,', kind="invalid_tool_call"))
    assert "not valid JSON" in message.text
    assert '{"a": 1,' in message.text


def test_arguments_that_cannot_be_kept_are_an_observation_that_says_why():
    bad = call("add", "", kind="invalid_tool_call") | {"error": f"{UNKEPT}a: is too long"}
    (message,) = run([add], bad)
    assert message.status == "error"
    assert message.text.startswith("Error: the arguments cannot be kept: a: is too long; send less")


def test_a_result_that_cannot_be_kept_is_an_observation_and_the_run_goes_on():
    @tool(effect="read", response_format="content_and_artifact")
    def dig(levels: int):
        """Dig."""
        return "done", json.loads("[" * levels + "]" * levels)

    graph = graph_of([dig], checkpointer=InMemorySaver())
    calls = [call("dig", {"levels": levels}, str(levels)) for levels in (50, 300)]
    found = graph.invoke(start(*calls), {"configurable": {"thread_id": "1"}})["messages"][1:]
    assert [message.text for message in found] == [
        "done",
        "Error: the result of dig cannot be kept: it is nested more than 100 levels deep",
    ]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("bad luck"), "flaky failed: ValueError: bad luck"),
        (ToolException("no luck"), "Error: no luck"),
        (ToolError("out of luck"), "Error: out of luck"),
        (ValueError("password=hunter2hunter2"), "password=***"),
    ],
)
def test_a_failure_is_an_observation_without_secrets(error, said):
    @tool(effect="external")
    def flaky() -> str:
        """Fail."""
        raise error

    (message,) = run([flaky], call("flaky", {}))
    assert message.status == "error"
    assert said in message.text


def test_a_spent_budget_is_no_observation():
    @tool(effect="read")
    def spend() -> str:
        """Spend."""
        raise BudgetError("spent")

    with pytest.raises(BudgetError):
        run([spend], call("spend", {}))


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("declared", [False, True])
async def test_a_tool_that_hangs_is_given_up_at_its_timeout(is_async, declared):
    gate = threading.Event()

    async def ahang() -> str:
        """Hang."""
        await asyncio.Event().wait()
        return ""

    def hang() -> str:
        """Hang."""
        gate.wait()
        return ""

    options = {"effect": "read", "retry": None} | ({"timeout": 0.05} if declared else {})
    hanging = tool("hang", **options)(ahang if is_async else hang)
    limits = {} if declared else {"timeout": 0.05}
    try:
        (message,) = run([hanging], call("hang", {}), **limits)
        assert "hang did not answer within 0.05 seconds" in message.text
        (message,) = (await graph_of([hanging], **limits).ainvoke(start(call("hang", {}))))[
            "messages"
        ][1:]
        assert "hang did not answer within 0.05 seconds" in message.text
    finally:
        gate.set()


def test_a_tools_own_timeout_error_is_an_observation():
    @tool(effect="read", retry=None)
    def slow() -> str:
        """Be slow."""
        raise TimeoutError

    (message,) = run([slow], call("slow", {}))
    assert message.text == "Error: slow failed: TimeoutError"


def test_a_tool_that_hangs_is_not_called_again():
    gate, made = threading.Event(), []

    @tool(effect="read", timeout=0.05)
    def hang() -> str:
        """Hang."""
        made.append(1)
        gate.wait()
        return ""

    try:
        run([hang], call("hang", {}))
    finally:
        gate.set()
    assert len(made) == 1


@pytest.mark.parametrize(("fails", "attempts", "status"), [(2, 3, "success"), (3, 3, "error")])
def test_a_transient_failure_is_retried_three_times_at_most(fails, attempts, status):
    made = []

    @tool(effect="read", retry=retry_policy(initial_interval=0.001, max_interval=0.002))
    def wobbly() -> str:
        """Fail at first."""
        made.append(1)
        if len(made) <= fails:
            raise ConnectionResetError("reset")
        return "fine"

    (message,) = run([wobbly], call("wobbly", {}))
    assert (len(made), message.status) == (attempts, status)


@pytest.mark.parametrize("error", [ValueError("no"), PermissionError("no")])
def test_what_cannot_succeed_is_not_retried(error):
    made = []

    @tool(effect="read")
    def hopeless() -> str:
        """Fail."""
        made.append(1)
        raise error

    run([hopeless], call("hopeless", {}))
    assert len(made) == 1


def test_an_effect_that_is_not_idempotent_is_not_retried():
    made = []

    @tool(effect="external")
    def order() -> str:
        """Order."""
        made.append(1)
        raise ConnectionResetError("reset")

    run([order], call("order", {}))
    assert len(made) == 1


def test_fifty_megabytes_are_shortened_to_head_and_tail():
    @langchain_tool
    def flood() -> str:
        """Say too much."""
        return "first " + "x" * 50_000_000 + " last"

    (message,) = run([flood], call("flood", {}), max_output=1_000)
    assert len(message.text) < 1_200
    assert message.text.startswith("first ")
    assert message.text.endswith(" last")
    assert "50,000,011 characters" in message.text.replace("of ", "")


@pytest.mark.parametrize(
    ("limit", "kept"), [(1, "a"), (3, "abc"), (5, "abcdj"), (10, "abcdefghij")]
)
def test_a_small_limit_is_kept_to(limit, kept):
    @langchain_tool
    def letters() -> str:
        """Say letters."""
        return "abcdefghij"

    (message,) = run([letters], call("letters", {}), max_output=limit)
    said = re.sub(r"\n\[… .* …\]\n", "", message.text)
    assert said == kept
    assert message.response_metadata.get("shortened", False) == (limit < 10)


def test_text_blocks_share_one_limit():
    @langchain_tool
    def blocks() -> list:
        """Say it in blocks."""
        return [{"type": "text", "text": "y" * 80}, "z" * 5_000, {"type": "text", "text": "w" * 50}]

    (message,) = run([blocks], call("blocks", {}), max_output=100)
    assert sum(len(str(block)) for block in message.content) < 600
    assert message.content[0]["text"] == "y" * 80
    assert message.response_metadata["shortened"]


@pytest.mark.parametrize("listed", [False, True])
def test_what_a_command_writes_to_the_history_is_shortened(listed):
    @langchain_tool
    def flood(tool_call_id: Annotated[str, InjectedToolCallId]) -> Command:
        """Say too much."""
        command = Command(
            update={"messages": [ToolMessage("x" * 9_999, tool_call_id=tool_call_id)]}
        )
        return [command] if listed else command

    (message,) = run([flood], call("flood", {}), max_output=100)
    assert len(message.text) < 300
    assert message.response_metadata["shortened"]


def test_calls_of_one_turn_run_at_the_same_time_and_answer_in_order():
    together = threading.Barrier(3, timeout=10)

    @tool(effect="read", retry=None)
    def meet(name: str) -> str:
        """Wait for the others."""
        together.wait()
        return name

    messages = run([meet], *(call("meet", {"name": n}, n) for n in "abc"))
    assert [m.text for m in messages] == ["a", "b", "c"]


def test_tools_get_what_langgraph_injects():
    @langchain_tool
    def inside(
        word: str,
        state: Annotated[dict, InjectedState],
        runtime: ToolRuntime,
    ) -> str:
        """Look inside."""
        found = runtime.store.get(("notes",), "n").value["text"]
        return f"{word} {state['colour']} {found} {runtime.tool_call_id}"

    store = InMemoryStore()
    store.put(("notes",), "n", {"text": "stored"})
    graph = graph_of([inside], store=store)
    assert graph.invoke(start(call("inside", {"word": "see"})))["messages"][1].text == (
        "see blue stored 1"
    )


def test_a_tool_may_return_a_command():
    @langchain_tool
    def paint(colour: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command:
        """Paint."""
        done = ToolMessage("painted", tool_call_id=tool_call_id)
        return Command(update={"colour": colour, "messages": [done]})

    state = graph_of([paint]).invoke(start(call("paint", {"colour": "red"})))
    assert state["colour"] == "red"
    assert state["messages"][1].text == "painted"


def test_a_tool_with_a_schema_of_plain_json_works():
    sent = StructuredTool(
        name="sent",
        description="Say what was sent.",
        args_schema={"type": "object", "properties": {"x": {"type": "integer"}}},
        func=lambda **kwargs: str(kwargs),
    )
    assert run([sent], call("sent", {"x": 1}))[0].text == "{'x': 1}"


def test_questions_of_parallel_calls_get_their_own_answers_and_finished_calls_stay_finished():
    done = []

    @langchain_tool
    def confirm(what: str) -> str:
        """Ask a person."""
        return f"{what}: {interrupt(what)}"

    @langchain_tool
    def count(what: str) -> str:
        """Count the calls."""
        done.append(what)
        return what

    graph = graph_of([confirm, count], checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    asked = graph.invoke(
        start(
            call("confirm", {"what": "a"}, "1"),
            call("count", {"what": "once"}, "2"),
            call("confirm", {"what": "b"}, "3"),
        ),
        config,
    )["__interrupt__"]
    assert sorted(question.value for question in asked) == ["a", "b"]
    answers = {question.id: f"yes to {question.value}" for question in asked}
    state = graph.invoke(Command(resume=answers), config)
    assert [m.text for m in state["messages"][1:]] == ["a: yes to a", "once", "b: yes to b"]
    assert done == ["once"]
