"""`langchain-openai` against a real server: all that goes wrong ends in an answer or an error."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from openai_server import (
    Line,
    OpenAIServer,
    Reply,
    call_tools,
    context_length_exceeded,
    cut,
    error,
    hush,
    raw_tool_call,
    say,
    stall,
)

from cogwork.core.bridge import node
from cogwork.core.errors import ModelError
from cogwork.core.models import ask_model, create_chat_model
from cogwork.core.retry import retry_policy
from cogwork.core.settings import Settings

KEY = "key-of-the-tests-1234"
WAYS = ["invoke", "stream", "ainvoke", "astream"]

Ask = Callable[..., AIMessage]


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def make_model(server: OpenAIServer, *, retries: int = 0, timeout: float = 5.0) -> Any:
    settings = Settings(base_url=server.url, api_key=KEY, timeout=timeout, max_retries=retries)
    return create_chat_model("openai:test-model", settings=settings)


def make_graph(model: Any, attempts: int) -> Any:
    @node
    async def think(state: MessagesState, config: Any) -> dict[str, list[AnyMessage]]:
        return {"messages": [await ask_model(model, state["messages"], config)]}

    policy = retry_policy(max_attempts=attempts, initial_interval=0.01, jitter=False)
    graph = StateGraph(MessagesState).add_node("think", think, retry_policy=policy)
    return graph.add_edge(START, "think").compile()


@pytest.fixture(params=WAYS)
def ask(request: pytest.FixtureRequest) -> Ask:
    """Asks a model in a graph: in sync and async code, streaming tokens or not."""

    return partial(ask_in_graph, request.param)


@pytest.fixture(params=["stream", "astream"])
def ask_streaming(request: pytest.FixtureRequest) -> Ask:
    """Asks as `ask` does, always streaming tokens."""
    return partial(ask_in_graph, request.param)


def ask_in_graph(way: str, model: Any, *, attempts: int = 1) -> AIMessage:
    graph, question = make_graph(model, attempts), {"messages": "What is 1 + 2?"}
    modes = ["messages", "values"] if "stream" in way else ["values"]
    if way in ("invoke", "stream"):
        events = list(graph.stream(question, stream_mode=modes))
    else:
        events = asyncio.run(collect(graph.astream(question, stream_mode=modes)))
    answer: AIMessage = events[-1][1]["messages"][-1]
    return answer


async def collect(stream: AsyncIterator[Any]) -> list[Any]:
    return [event async for event in stream]


def failure(ask: Ask, *script: Line, timeout: float = 5.0) -> ModelError:
    with OpenAIServer(script) as server, pytest.raises(ModelError) as caught:
        ask(make_model(server, timeout=timeout))
    assert KEY not in str(caught.value)
    assert server.url in str(caught.value)
    return caught.value


def test_answer_arrives_whole_with_its_usage(ask: Ask) -> None:
    with OpenAIServer([say("It is 3, I think.")]) as server:
        answer = ask(make_model(server))
    assert answer.text == "It is 3, I think."
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] == 15
    assert server.requests[0]["messages"] == [{"role": "user", "content": "What is 1 + 2?"}]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_parallel_tool_calls_are_joined_from_their_pieces(ask: Ask) -> None:
    nested = {"a": 1, "b": 'a "quoted" {brace}', "c": [{"d": None}]}
    with OpenAIServer([call_tools(("add", {"a": 1, "b": 2}), ("note", nested))]) as server:
        answer = ask(make_model(server).bind_tools([add]))
    assert [(made["name"], made["args"]) for made in answer.tool_calls] == [
        ("add", {"a": 1, "b": 2}),
        ("note", nested),
    ]
    assert len({made["id"] for made in answer.tool_calls}) == 2
    assert [each["function"]["name"] for each in server.requests[0]["tools"]] == ["add"]


@pytest.mark.parametrize("text", ["", None])
def test_empty_answer_is_an_empty_message(ask: Ask, text: str | None) -> None:
    with OpenAIServer([say(text)]) as server:
        answer = ask(make_model(server))
    assert answer.text == ""
    assert answer.tool_calls == []


@pytest.mark.parametrize("first", [error(429, retry_after=0.05), error(500, retry_after=0.05)])
def test_refusal_that_passes_is_retried_after_the_time_the_server_asks(
    ask: Ask, first: Reply
) -> None:
    with OpenAIServer([first, say("3")]) as server:
        answer = ask(make_model(server, retries=1))
    assert answer.text == "3"
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "first", [error(429), error(503), cut(), cut(tool_call=("add", '{"a": 1,')), stall()]
)
def test_transient_failure_ends_in_the_right_answer_when_the_node_retries(
    ask: Ask, first: Reply
) -> None:
    with OpenAIServer([first, say("3")]) as server:
        answer = ask(make_model(server, timeout=0.5), attempts=2)
    assert answer.text == "3"
    assert len(server.requests) == 2


def test_stalled_answer_ends_after_the_timeout(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    with OpenAIServer([stall()]) as server, pytest.raises(ModelError) as caught:
        ask(make_model(server, timeout=0.25))
    assert "within 0.25 s; try again, or raise COGWORK_TIMEOUT" in str(caught.value)
    assert caught.value.transient
    assert server.gone.wait(5), "the client still holds the connection"


def test_comments_do_not_keep_a_stalled_stream_alive(ask_streaming: Ask) -> None:
    with OpenAIServer([stall(keepalive=0.05)]) as server, pytest.raises(ModelError) as caught:
        ask_streaming(make_model(server, timeout=0.25))
    assert caught.value.details["kind"] == "timeout"
    assert server.gone.wait(5), "the client still holds the connection"


def test_comments_do_not_end_a_stream_that_goes_on() -> None:
    with OpenAIServer([Reply(text="one two three four", pause=0.15)]) as server:
        chunks = make_model(server, timeout=0.6).stream("Hi")
        assert "".join(chunk.text for chunk in chunks) == "one two three four"


def test_connection_cut_in_the_middle_is_said(ask: Ask) -> None:
    caught = failure(ask, cut("It is"))
    assert "broke in the middle of an answer; try again" in str(caught)
    assert caught.transient


@pytest.mark.parametrize("first", [hush("Half an"), hush(tool_call=("add", '{"a": 1'))])
def test_stream_that_ends_before_its_time_is_no_answer(ask_streaming: Ask, first: Reply) -> None:
    with OpenAIServer([first]) as server, pytest.raises(ModelError) as caught:
        ask_streaming(make_model(server))
    assert caught.value.details["kind"] == "broken"
    assert caught.value.transient


def test_tool_call_cut_at_the_output_limit_is_not_a_call(ask: Ask) -> None:
    reply = raw_tool_call("add", '{"a": 1, "b": 2', finish_reason="length")
    with OpenAIServer([reply]) as server:
        answer = ask(make_model(server))
    assert answer.tool_calls == []
    assert [made["name"] for made in answer.invalid_tool_calls] == ["add"]


def test_malformed_arguments_are_an_invalid_call(ask: Ask) -> None:
    with OpenAIServer([raw_tool_call("add", '{"a": 1 "b": 2}')]) as server:
        answer = ask(make_model(server))
    assert answer.tool_calls == []
    assert [made["args"] for made in answer.invalid_tool_calls] == ['{"a": 1 "b": 2}']


def test_rejected_key_names_the_variables_and_not_the_key(ask: Ask) -> None:
    caught = failure(ask, error(401, f"Incorrect API key provided: {KEY}."))
    assert "check COGWORK_API_KEY or OPENAI_API_KEY" in str(caught)
    assert not caught.transient


def test_key_without_permission_is_said(ask: Ask) -> None:
    assert "may not use model 'test-model'" in str(failure(ask, error(403, "Not allowed.")))


def test_unknown_model_is_named(ask: Ask) -> None:
    caught = failure(ask, error(404, "The model does not exist", code="model_not_found"))
    assert "model 'test-model'" in str(caught)
    assert "usually ends in /v1" in str(caught)


def test_rate_limit_says_how_long_to_wait(ask: Ask) -> None:
    caught = failure(ask, error(429, "Too many requests.", retry_after=7))
    assert "try again in 7 s, as it asks" in str(caught)
    assert caught.details["retry_after"] == 7
    assert caught.transient


def test_spent_credit_is_not_worth_a_retry(ask: Ask) -> None:
    caught = failure(ask, error(429, "You exceeded your quota", code="insufficient_quota"))
    assert "no credit left" in str(caught)
    assert not caught.transient


def test_server_error_is_transient(ask: Ask) -> None:
    caught = failure(ask, error(500, "Out of order"))
    assert "failed (500: Out of order); try again" in str(caught)
    assert caught.transient


def test_too_long_a_prompt_says_what_to_lower(ask: Ask) -> None:
    caught = failure(ask, context_length_exceeded())
    assert "lower max_history_tokens" in str(caught)
    assert not caught.transient


def test_content_filter_is_said(ask: Ask) -> None:
    caught = failure(ask, error(400, "The prompt was filtered.", code="content_filter"))
    assert "content filter" in str(caught)
    assert not caught.transient


def test_absent_server_is_named_with_the_way_out(ask: Ask) -> None:
    with OpenAIServer([]) as server:
        pass
    with pytest.raises(ModelError) as caught:
        ask(make_model(server))
    assert f"at {server.url} cannot be reached" in str(caught.value)
    assert "start the server, or set COGWORK_BASE_URL" in str(caught.value)
    assert caught.value.transient


def test_failing_model_falls_back_to_the_next_with_its_tools() -> None:
    with OpenAIServer([error(500)]) as down, OpenAIServer([call_tools(("add", {}))]) as up:
        model = make_model(down).with_fallbacks([make_model(up)]).bind_tools([add])
        assert model.invoke("Hi").tool_calls[0]["name"] == "add"
    assert up.requests[0]["tools"][0]["function"]["name"] == "add"


def test_exhausted_script_is_no_answer() -> None:
    with OpenAIServer([]) as server, pytest.raises(Exception, match="script has only 0 lines"):
        make_model(server, retries=2).invoke("Hi")
    assert len(server.requests) == 1
