"""Calling a model: what fails is explained, and a call that was cut off is not executed.

Every provider has its own exceptions. They are told apart by status, code, text and the
names of their classes, so that no provider's package is imported.
"""

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.messages.tool import invalid_tool_call
from langchain_core.runnables import (
    Runnable,
    RunnableConfig,
    RunnableParallel,
    RunnableSequence,
    RunnableWithFallbacks,
)
from langchain_core.runnables.base import RunnableBindingBase
from langgraph.errors import GraphBubbleUp
from pydantic import BaseModel, SecretStr

from cogwork.core.bridge import call
from cogwork.core.errors import CogworkError, ModelError, redact
from cogwork.core.retry import is_transient, retry_after

__all__ = ["ask_model", "broke_off", "explain_model_error"]

_AT_OUTPUT_LIMIT = frozenset({"length", "max_tokens", "incomplete"})
_QUOTED = 300  # characters of the provider's own words that are shown


async def ask_model(
    model: Runnable[LanguageModelInput, Any],
    messages: LanguageModelInput,
    config: RunnableConfig | None = None,
) -> Any:
    """Call a model in the way of the run, and explain what fails.

    LangChain takes a stream that ends before its time for a whole answer, and guesses the
    end of arguments that were cut off. Here the first is an error, and a call that was cut
    off at the model's output limit is moved to `invalid_tool_calls`.

    Raises:
        ModelError: The model cannot be reached, refuses, or breaks off.
    """
    try:
        answer = await call(model, messages, config)
    except (CogworkError, GraphBubbleUp):
        raise
    except Exception as error:
        raise explain_model_error(error, model) from error
    return _whole(answer, model) if isinstance(answer, AIMessage) else answer


def broke_off(error: BaseException) -> bool:
    """Whether a model's connection broke in the middle of an answer.

    Clients retry what fails before an answer begins, and nothing after; so this is what a
    graph has to retry, and retrying more would multiply with the client's own tries.
    """
    return isinstance(error, ModelError) and error.details.get("kind") == "broken"


def _whole(answer: AIMessage, model: object) -> AIMessage:
    metadata = answer.response_metadata
    reasons = [metadata.get(key) for key in ("finish_reason", "stop_reason", "status")]
    reason = next((each for each in reasons if each), None)
    may_lack_one = metadata.get("model_provider") != "openai" or "finish_reason" in metadata
    if reason is None and not may_lack_one:  # OpenAI's protocols end every answer with a reason
        raise explain_model_error(ConnectionResetError("no end of the stream"), model)
    if not answer.tool_calls or str(reason).lower() not in _AT_OUTPUT_LIMIT:
        return answer
    *before, cut = answer.tool_calls
    refused = invalid_tool_call(
        name=cut["name"],
        args=str(cut["args"]),
        id=cut["id"],
        error="The call was cut off before its end. Make it again, shorter.",
    )
    invalid = [*answer.invalid_tool_calls, refused]
    return answer.model_copy(update={"tool_calls": before, "invalid_tool_calls": invalid})


def explain_model_error(error: Exception, model: object) -> ModelError:
    """Turn what a provider raised into an error that says what happened and what to do.

    The message names the model, its URL and what to set; keys are left out. `transient`
    tells whether a retry may help. `details` has `kind`, `model`, `url`, `status`, `code`,
    `retry_after` (seconds) and `error` (the name of the exception's class).

    Args:
        error: What a call of the model raised. A `ModelError` is returned as it is.
        model: The model that was called, possibly with tools bound or with fallbacks.
    """
    if isinstance(error, ModelError):
        return error
    trouble = _Trouble.of(error, _plain(model))
    kind = _kind(trouble)
    message = _MESSAGES[kind].format(t=trouble)
    return ModelError(
        redact(_without_secrets(message, trouble.model)),
        transient=kind in _TRANSIENT or (kind == "other" and is_transient(error)),
        details={
            "kind": kind,
            "model": trouble.name,
            "url": trouble.url and redact(trouble.url),
            "status": trouble.status,
            "code": trouble.code,
            "retry_after": retry_after(error),
            "error": type(error).__name__,
        },
    )


_MESSAGES = {
    "key": "{t.who} refuses the key ({t.quote}); check {t.keys}",
    "permission": "the key in {t.keys} may not use {t.who} ({t.quote}); choose another one",
    "missing": "{t.who} does not exist ({t.quote}); check the model's name, and the path of "
    "COGWORK_BASE_URL, which usually ends in /v1",
    "quota": "{t.who} has no credit left for this key ({t.quote}); add some",
    "rate": "{t.who} limits the rate of requests ({t.quote}); try again {t.when}",
    "timeout": "{t.who} did not answer, or did not go on with its answer, {t.within}; "
    "try again, or raise COGWORK_TIMEOUT",
    "server": "{t.who} failed ({t.quote}); try again",
    "certificate": "the certificate of {t.who} is not trusted ({t.cause}); add its authority "
    "to the system's, or name it in SSL_CERT_FILE",
    "broken": "the connection to {t.who} broke in the middle of an answer; try again",
    "unreachable": "{t.who} cannot be reached ({t.cause}); start the server, or set "
    "COGWORK_BASE_URL to where it runs",
    "context": "the prompt is too long for {t.who} ({t.quote}); lower max_history_tokens, "
    "or choose a model with a larger context",
    "length": "the answer of {t.who} was cut off at its output limit; raise max_tokens, "
    "or ask for less",
    "filter": "the content filter of {t.who} refused ({t.quote}); rephrase the request",
    "other": "{t.who} failed ({t.quote})",
}
_TRANSIENT = frozenset({"rate", "timeout", "server", "broken", "unreachable"})


@dataclass(frozen=True, slots=True)
class _Trouble:
    """What can be known of an error and of the model that raised it."""

    error: Exception
    model: object
    name: str
    url: str | None
    status: int | None
    code: str | None
    said: str

    @classmethod
    def of(cls, error: Exception, model: object) -> "_Trouble":
        response = getattr(error, "response", None)
        status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
        failed = isinstance(status, int) and status >= 400
        body = getattr(error, "body", None)
        body = body if isinstance(body, dict) else {}
        code = getattr(error, "code", None) or body.get("code") or body.get("type")
        name = _text(model, "model_name", "model", "model_id", "_llm_type")
        return cls(
            error=error,
            model=model,
            name=name or type(model).__name__,
            url=_text(model, "openai_api_base", "base_url", "anthropic_api_url", "endpoint_url"),
            status=status if failed else None,
            code=code if isinstance(code, str) else None,
            said=str(body.get("message") or error).strip(),
        )

    @property
    def who(self) -> str:
        """The model and where it is."""
        return f"model '{self.name}'" + (f" at {self.url}" if self.url else "")

    @property
    def quote(self) -> str:
        """Status, or class of the error, and the provider's own words, bounded."""
        # Secrets go before the cut: half a key would not be recognised.
        said = " ".join(redact(_without_secrets(self.said, self.model)).split())
        said = f"{said[:_QUOTED]}…" if len(said) > _QUOTED else said.rstrip(".")
        kind = str(self.status or type(self.error).__name__)
        return f"{kind}: {said}" if said else kind

    @property
    def keys(self) -> str:
        """The variables that may hold the key."""
        named = getattr(self.model, "lc_secrets", None)
        variables = list(named.values()) if isinstance(named, dict) else []
        if not variables and hasattr(self.model, "openai_api_key"):  # embeddings
            variables = ["OPENAI_API_KEY"]
        if "OPENAI_API_KEY" in variables:
            variables.insert(0, "COGWORK_API_KEY")
        return " or ".join(variables) or "the provider's key"

    @property
    def when(self) -> str:
        """When another try makes sense."""
        seconds = retry_after(self.error)
        return "later" if seconds is None else f"in {seconds:g} s, as it asks"

    @property
    def within(self) -> str:
        """How long was waited."""
        seconds = getattr(self.model, "request_timeout", None)
        return f"within {seconds:g} s" if isinstance(seconds, int | float) else "in time"

    @property
    def cause(self) -> str:
        """What lies at the bottom of a connection error."""
        return str([*_chain(self.error)][-1]) or type(self.error).__name__


_CONTEXT = re.compile(
    r"context_length|context (?:length|window|size)|prompt is too long|input is too long"
    r"|too many (?:input )?tokens|request_too_large"
)
_FILTER = re.compile(r"content[_ ](?:filter|policy|management)|contentfilter")
_QUOTA = re.compile(r"insufficient_quota|billing|credit|current quota")
_BROKEN = re.compile("ReadError|WriteError|ProtocolError|EndOfStream|ConnectionReset|Incomplete")

# By status, else by the names of the error's classes; in this order, because a timeout of
# OpenAI's is a connection error too.
_KINDS = (
    ("length", (), re.compile("LengthFinishReason")),
    ("key", (401,), re.compile("Authentication|Unauthori[sz]ed|Unauthenticated")),
    ("permission", (403,), re.compile("PermissionDenied|Forbidden")),
    ("missing", (404,), re.compile("^(?:Model)?NotFound(?:Error)?$")),
    ("rate", (429,), re.compile("RateLimit|ResourceExhausted|TooManyRequests")),
    ("timeout", (408, 504), re.compile("Timeout|DeadlineExceeded")),
    ("server", range(500, 600), re.compile("InternalServerError|ModelAPIError")),
    ("connection", (), re.compile("Connect(?:ion)?Error|NetworkError|ProtocolError")),
)


def _kind(trouble: _Trouble) -> str:
    names = [kind.__name__ for kind in type(trouble.error).__mro__]
    text = f"{names[0]} {trouble.code} {trouble.said}".lower()
    if _FILTER.search(text):
        return "filter"
    may_be_context = trouble.status in (None, 400, 413, 422, 500) and _CONTEXT.search(text)
    if "ContextOverflowError" in names or may_be_context:
        return "context"
    for kind, statuses, pattern in _KINDS:
        if trouble.status in statuses or (
            trouble.status is None and any(map(pattern.search, names))
        ):
            return _exactly(kind, trouble, text)
    return "other"


def _exactly(kind: str, trouble: _Trouble, text: str) -> str:
    if kind == "rate" and _QUOTA.search(text):
        return "quota"
    if kind != "connection":
        return kind
    causes = [*_chain(trouble.error)]
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return "certificate"
    broken = any(_BROKEN.search(type(cause).__name__) for cause in causes)
    return "broken" if broken else "unreachable"


def _plain(model: object) -> object:
    """The model itself: without bound tools, fallbacks and what parses its answers."""
    while True:
        match model:
            case RunnableBindingBase():
                model = model.bound
            case RunnableWithFallbacks():
                model = model.runnable
            case RunnableSequence():
                model = model.first
            case RunnableParallel():
                model = next(iter(model.steps__.values()))
            case _:
                return model


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    for _ in range(20):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__


def _text(model: object, *names: str) -> str | None:
    values = (getattr(model, name, None) for name in names)
    return next((value for value in values if isinstance(value, str) and value), None)


def _without_secrets(text: str, model: object) -> str:
    """Remove the model's own keys, whatever they look like."""
    fields: Any = model if isinstance(model, BaseModel) else ()
    for _, value in fields:
        secret = value.get_secret_value() if isinstance(value, SecretStr) else ""
        if len(secret) >= 6:
            text = text.replace(secret, "***")
    return text
