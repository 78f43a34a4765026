"""Structured output: what any model says, in the form that a schema asks for.

A model that can is asked in its own way. From any other, and from servers that only claim
they can, JSON is read out of the text: among prose, in fences, with trailing commas. What
does not fit is sent back once with the reasons.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, convert_to_messages
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError

from cogwork.core.errors import ConfigurationError, ModelError, StructuredOutputError, redact
from cogwork.core.json_text import json_objects, misfits, without_root_reference
from cogwork.core.model_calls import ask_model

__all__ = ["Schema", "structured_output"]

Schema: TypeAlias = type[Any] | dict[str, Any]
"""A pydantic model, `TypedDict`, dataclass or any other type, or a JSON schema."""

_SHOWN = 500  # characters of a wrong answer that an error shows
_RESENT = 8_000  # and of it, what the model is sent back

# What servers answer when they know neither tools nor response formats.
_UNSUPPORTED = re.compile(
    r"tool|function|response_format|json_schema|json_object|schema|grammar|unsupported"
    r"|not support|extra (?:input|field|forbidden)"
)


async def structured_output(
    model: Runnable[LanguageModelInput, Any],
    schema: Schema,
    messages: str | Sequence[Any],
    config: RunnableConfig | None = None,
) -> Any:
    """Ask a model for an answer that fits a schema.

    Takes one call, two when the first answer does not fit, and one more with a server that
    refuses the model's own way of structured output.

    Args:
        model: Any LangChain chat model.
        schema: A pydantic model, a `TypedDict` or another type, or a JSON schema.
        messages: What to ask; a text, or messages in any form that LangChain takes.
        config: Of the run.

    Returns:
        An instance of the schema; a dict for a `TypedDict` or a JSON schema.

    Raises:
        StructuredOutputError: The answer does not fit, even after one repair.
        ModelError: The model cannot be reached, or refuses.
        ConfigurationError: The schema is none.
    """
    form = _Form.of(schema)
    asked = convert_to_messages([messages] if isinstance(messages, str) else messages)
    asker = _Asker(model, form, _native(model, form), config)
    answer = await asker.ask(asked)
    value, problem = form.read(answer)
    if problem is None:
        return value
    answer = await asker.ask(_with_problem(asked, answer, form, problem), again=True)
    value, problem = form.read(answer)
    if problem is None:
        return value
    shown = redact(_said(answer.message))
    raise StructuredOutputError(
        f"the model's answer does not fit {form.name}, even repaired: {problem}; it answered: "
        f"{shown[:_SHOWN] or '(nothing)'}{'…' if len(shown) > _SHOWN else ''}",
        details={"schema": form.name, "problem": problem},
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the model said, and what its own way of structured output made of it."""

    message: AIMessage
    parsed: Any = None


@dataclass(slots=True)
class _Asker:
    """Asks in the model's own way, until a server refuses that."""

    model: Runnable[LanguageModelInput, Any]
    form: "_Form"
    native: Runnable[LanguageModelInput, Any] | None
    config: RunnableConfig | None

    async def ask(self, messages: list[BaseMessage], *, again: bool = False) -> _Answer:
        # The second time the schema is in the text too: some servers ignore what they
        # are sent beside it.
        prompted = _with_request(messages, self.form)
        if self.native is not None:
            try:
                sent = prompted if again else messages
                answer = await ask_model(self.native, sent, self.config)
            except ModelError as error:
                if not _refuses_form(error):
                    raise
                self.native = None
            else:
                return _Answer(answer["raw"], answer["parsed"])
        return _Answer(await ask_model(self.model, prompted, self.config))


@dataclass(frozen=True, slots=True)
class _Form:
    """A schema as JSON schema with an object at its root, and how an answer is read by it."""

    name: str
    json_schema: dict[str, Any]
    adapter: TypeAdapter[Any] | None
    wrapped: bool

    @classmethod
    def of(cls, schema: Schema) -> "_Form":
        if isinstance(schema, dict):
            adapter, described = None, schema
        else:
            try:
                adapter = TypeAdapter(schema)
                described = adapter.json_schema()
            except (PydanticUserError, PydanticUndefinedAnnotation) as error:
                raise ConfigurationError(
                    f"{schema!r} is no schema for structured output: {error.message}; "
                    "pass a pydantic model, a typing_extensions.TypedDict or a JSON schema"
                ) from error
        name = str(described.get("title") or getattr(schema, "__name__", "Answer"))
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:64]
        described = without_root_reference(described)
        wrapped = "properties" not in described and described.get("type") != "object"
        if wrapped:
            described = _wrap(described)
        return cls(name, {**described, "title": name}, adapter, wrapped)

    def read(self, answer: _Answer) -> tuple[Any, str | None]:
        """The value of an answer, or else what is wrong with it."""
        message = answer.message
        first: str | None = None
        for candidate in _candidates(answer):
            try:
                return self._check(candidate), None
            except ValidationError as error:
                first = first or _reasons(error)
            except ValueError as error:
                first = first or str(error)
        if message.response_metadata.get("finish_reason") == "length":
            return None, "it was cut off at the model's output limit"
        refusal = message.additional_kwargs.get("refusal")
        return None, first or (f"the model refused: {refusal}" if refusal else "it holds no JSON")

    def _check(self, candidate: dict[str, Any]) -> Any:
        value: Any = candidate
        if self.wrapped:
            if "value" not in candidate:
                raise ValueError("value: Field required")
            value = candidate["value"]
        if self.adapter is not None:
            # As JSON, so that strict models take dates, enums and the like from text.
            return self.adapter.validate_json(json.dumps(value))
        problems = list(islice(misfits(candidate, self.json_schema), 5))
        if problems:
            raise ValueError("; ".join(problems))
        return value


def _native(
    model: Runnable[LanguageModelInput, Any], form: _Form
) -> Runnable[LanguageModelInput, Any] | None:
    # As JSON schema, also where there is a class: with a class, the openai package
    # validates within the call and an answer that does not fit is lost to the repair.
    try:
        native: Runnable[LanguageModelInput, Any] = model.with_structured_output(  # type: ignore[attr-defined]  # fallbacks forward it
            form.json_schema, include_raw=True
        )
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return None
    return native


def _refuses_form(error: ModelError) -> bool:
    status = error.details.get("status")
    return status in (400, 404, 405, 415, 422, 500, 501) and bool(
        error.details.get("kind") in ("other", "server", "missing")
        and _UNSUPPORTED.search(str(error.__cause__).lower())
    )


def _with_request(messages: list[BaseMessage], form: _Form) -> list[BaseMessage]:
    schema = json.dumps(form.json_schema, separators=(",", ":"), ensure_ascii=False)
    request = f"Answer with one JSON object that fits this JSON schema, and nothing else:\n{schema}"
    return _append(messages, request)


def _with_problem(
    messages: list[BaseMessage], answer: _Answer, form: _Form, problem: str
) -> list[BaseMessage]:
    said = _said(answer.message)[:_RESENT]
    before = [*messages, AIMessage(said)] if said.strip() else messages
    return _append(before, f"That does not fit {form.name}: {problem}.")


def _append(messages: list[BaseMessage], text: str) -> list[BaseMessage]:
    """Ask for more; in the last question, because some models want roles to alternate."""
    last = messages[-1] if messages else None
    if isinstance(last, HumanMessage) and isinstance(last.content, str):
        return [*messages[:-1], HumanMessage(f"{last.content}\n\n{text}")]
    return [*messages, HumanMessage(text)]


def _wrap(schema: dict[str, Any]) -> dict[str, Any]:
    """An object around a list or a plain value, because models are asked for objects."""
    inner = dict(schema)
    definitions = inner.pop("$defs", None)
    wrapped = {"type": "object", "properties": {"value": inner}, "required": ["value"]}
    return wrapped | ({"$defs": definitions} if definitions else {})


def _said(message: AIMessage) -> str:
    calls = [json.dumps(made["args"], ensure_ascii=False) for made in message.tool_calls]
    broken = [made["args"] or "" for made in message.invalid_tool_calls]
    return "\n".join([message.text, *calls, *broken]).strip()


def _candidates(answer: _Answer) -> Iterator[dict[str, Any]]:
    """Every object that may be meant, the likeliest first."""
    parsed = answer.parsed
    if isinstance(parsed, BaseModel):
        parsed = parsed.model_dump(mode="json")
    if isinstance(parsed, dict):
        yield parsed
    for made in answer.message.tool_calls:
        yield made["args"]
    yield from json_objects(_said(answer.message))


def _reasons(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    reasons = [
        f"{'.'.join(map(str, each['loc'])) or 'answer'}: {each['msg']}" for each in found[:5]
    ]
    more = [f"and {len(found) - 5} more"] if len(found) > 5 else []
    return "; ".join([*reasons, *more])
