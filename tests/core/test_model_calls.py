import asyncio
import ssl
from typing import Any

import httpx
import pytest
from langchain_core.exceptions import ContextOverflowError, ModelRateLimitError
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI
from langgraph.errors import GraphInterrupt
from scripted import ScriptedChatModel, calls

from cogwork.core.errors import BudgetError, ModelError
from cogwork.core.model_calls import ask_model, explain_model_error

KEY = "an-unusual-key-42"


def openai_model(**kwargs: Any) -> ChatOpenAI:
    return ChatOpenAI(model="m", api_key=KEY, base_url="http://user:pass@host/v1", **kwargs)


class ProviderError(Exception):
    """An exception as providers make them."""

    def __init__(self, message: str = "", **facts: Any) -> None:
        super().__init__(message)
        vars(self).update(facts)


class ResourceExhausted(ProviderError): ...


class DeadlineExceeded(ProviderError): ...


class Unauthenticated(ProviderError): ...


class OverloadedError(ProviderError): ...


def response(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, request=httpx.Request("POST", "http://host"))


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "transient"),
    [
        (ProviderError("bad key", status_code=401), "key", False),
        (Unauthenticated("no"), "key", False),
        (ProviderError("no", status_code=403), "permission", False),
        (ProviderError("no", status_code=404), "missing", False),
        (ProviderError("slow down", status_code=429), "rate", True),
        (ResourceExhausted("slow down"), "rate", True),
        (ModelRateLimitError("slow down"), "rate", True),
        (ProviderError("x", status_code=429, body={"code": "insufficient_quota"}), "quota", False),
        (ResourceExhausted("check your billing"), "quota", False),
        (DeadlineExceeded(), "timeout", True),
        (TimeoutError(), "timeout", True),
        (httpx.ReadTimeout("slow"), "timeout", True),
        (ProviderError("x", status_code=504), "timeout", True),
        (OverloadedError("overloaded", status_code=529), "server", True),
        (httpx.HTTPStatusError("x", request=None, response=response(502)), "server", True),
        (httpx.ConnectError("refused"), "unreachable", True),
        (ConnectionRefusedError(111, "refused"), "unreachable", True),
        (httpx.RemoteProtocolError("closed"), "broken", True),
        (ConnectionResetError(104, "reset"), "broken", True),
        (
            caused(httpx.ConnectError("x"), ssl.SSLCertVerificationError("self-signed")),
            "certificate",
            False,
        ),
        (ContextOverflowError("too long"), "context", False),
        (ProviderError("prompt is too long: 9 > 8", status_code=400), "context", False),
        (ProviderError("x", status_code=400, code="context_length_exceeded"), "context", False),
        (ProviderError("x", status_code=400, body={"code": "content_filter"}), "filter", False),
        (ProviderError("bad temperature", status_code=400), "other", False),
        (ValueError("what?"), "other", False),
    ],
    ids=repr,
)
def test_exceptions_of_any_provider_are_told_apart(
    error: Exception, kind: str, transient: bool
) -> None:
    explained = explain_model_error(error, ScriptedChatModel(script=[]))
    assert (explained.details["kind"], explained.transient) == (kind, transient)
    assert "model 'scripted'" in str(explained)


def test_no_secret_is_told() -> None:
    said = f"Key {KEY} is wrong; so is sk-abcdefghijkl" + " x" * 400 + KEY
    explained = explain_model_error(ProviderError(said, status_code=401), openai_model())
    told = f"{explained} {explained.details}"
    assert KEY not in told
    assert "sk-abc" not in told
    assert "pass" not in told
    assert "model 'm' at http://user:***@host/v1" in told


def test_secret_is_not_told_by_half_where_the_text_is_cut() -> None:
    said = "x" * 290 + KEY
    explained = explain_model_error(ProviderError(said, status_code=500), openai_model())
    assert KEY[:6] not in str(explained)


def test_long_words_of_a_provider_are_cut() -> None:
    explained = explain_model_error(ProviderError("x" * 10_000), openai_model())
    assert len(str(explained)) < 500


def test_model_is_named_beneath_tools_fallbacks_and_parsers() -> None:
    model = openai_model()
    wrapped = model.with_fallbacks([ScriptedChatModel(script=[])])
    schema = {"title": "X", "type": "object", "properties": {}}
    for each in (
        model.bind_tools([]),
        wrapped,
        wrapped.bind_tools([]),
        model.with_structured_output(schema, include_raw=True),
    ):
        assert "model 'm' at" in str(explain_model_error(TimeoutError(), each))


def test_wait_that_a_server_asks_for_is_told() -> None:
    error = ProviderError("x", response=response(429, **{"Retry-After": "12"}))
    explained = explain_model_error(error, openai_model())
    assert "try again in 12 s" in str(explained)
    assert explained.details["retry_after"] == 12


def test_timeout_tells_how_long_was_waited() -> None:
    explained = explain_model_error(TimeoutError(), openai_model(timeout=7))
    assert "within 7 s" in str(explained)


def test_explained_error_stays_as_it_is() -> None:
    error = ModelError("known")
    assert explain_model_error(error, openai_model()) is error


def test_anything_may_be_the_model() -> None:
    assert "model 'object'" in str(explain_model_error(ValueError(), object()))


def ask(line: Any) -> Any:
    return asyncio.run(ask_model(ScriptedChatModel(script=[line]), [HumanMessage("Hi")]))


def test_error_of_a_model_is_explained_with_its_cause() -> None:
    failure = ProviderError("out of order", status_code=500)
    with pytest.raises(ModelError, match="out of order") as caught:
        ask(failure)
    assert caught.value.__cause__ is failure


@pytest.mark.parametrize("error", [BudgetError("spent"), GraphInterrupt(())])
def test_what_is_no_failure_of_the_model_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        ask(error)
    assert caught.value is error


@pytest.mark.parametrize(
    "metadata",
    [{"finish_reason": "length"}, {"stop_reason": "max_tokens"}, {"status": "incomplete"}],
)
def test_call_cut_at_the_output_limit_is_refused_and_those_before_it_stay(
    metadata: dict[str, str],
) -> None:
    cut = calls(("read", {"path": "a"}), ("write", {"path": "a", "text": "half"}))
    answer = ask(cut.model_copy(update={"response_metadata": metadata}))
    assert [made["name"] for made in answer.tool_calls] == ["read"]
    assert [made["name"] for made in answer.invalid_tool_calls] == ["write"]
    assert "cut off" in answer.invalid_tool_calls[0]["error"]


def test_text_cut_at_the_output_limit_stays_an_answer() -> None:
    cut = AIMessage("Half an", response_metadata={"finish_reason": "length"})
    assert ask(cut).text == "Half an"
