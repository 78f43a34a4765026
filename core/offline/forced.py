"""Forced calls: what comes of a tool choice that allows no free answer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel

from cogwork.core.offline.conversation import Conversation
from cogwork.core.offline.desk import REFUSAL
from cogwork.core.offline.goals import split_goal
from cogwork.core.offline.matching import fill
from cogwork.core.offline.reply import Reply, reply
from cogwork.core.offline.source import source_of
from cogwork.core.offline.structured import Filled, fill_schema
from cogwork.core.offline.toolbox import KnownTool, Toolbox

__all__ = ["as_json", "force", "structured_parser"]


class _PydanticParser(PydanticToolsParser):
    """Raises where the model refused in words; LangChain's own returns `None`."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        _raise_refusal(result, partial=partial)
        return super().parse_result(result, partial=partial)


class _JsonParser(JsonOutputKeyToolsParser):
    """Raises where the model refused in words; LangChain's own returns `None`."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        _raise_refusal(result, partial=partial)
        return super().parse_result(result, partial=partial)


def _raise_refusal(result: list[Generation], *, partial: bool) -> None:
    generation = result[0]
    if partial or not isinstance(generation, ChatGeneration):
        return
    message = generation.message
    if isinstance(message, AIMessage) and not message.tool_calls:
        text = str(message.text)
        raise OutputParserException(text, llm_output=text)


def structured_parser(
    model: Runnable[LanguageModelInput, Any],
    schema: dict[str, Any] | type,
    name: str,
    *,
    include_raw: bool,
) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
    """Return `model` with what reads its call: an instance, a dict, or both with the raw one.

    Args:
        model: The model with the schema bound as its only tool.
        schema: A pydantic class, or anything whose values are dicts.
        name: The schema's name as a tool.
        include_raw: Return `raw`, `parsed` and `parsing_error` instead of raising.
    """
    parser: PydanticToolsParser | JsonOutputKeyToolsParser
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        parser = _PydanticParser(tools=[schema], first_tool_only=True)
    else:
        parser = _JsonParser(key_name=name, first_tool_only=True)
    if not include_raw:
        return model | parser
    parsed = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=model) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def force(
    talk: Conversation,
    wanted: Sequence[KnownTool],
    specs: Sequence[KnownTool],
    *,
    fills: bool = False,
) -> Reply:
    """Call one of the wanted tools, or say in words what the text does not give.

    Args:
        talk: The conversation so far.
        wanted: The tools of which one has to be called.
        specs: All bound tools.
        fills: Whether the one wanted tool is a form to be filled, not something to be done.
    """
    if not fills:
        free = reply(talk, specs)
        names = {spec.name for spec in wanted}
        calls = tuple(call for call in free.calls if call[0] in names)
        if calls:
            return Reply(free.content, calls)
        fresh = not talk.turn.observations and not talk.turn.answer
        if fresh and (made := _by_text(talk, wanted)):
            return made
    return _by_schema(talk, wanted)


def as_json(talk: Conversation, said: Reply, form: Mapping[str, Any]) -> Reply:
    """Return an answer as JSON, as OpenAI's `response_format` asks for it.

    Args:
        talk: The conversation so far.
        said: The answer in words.
        form: `{"type": "json_schema", "json_schema": {"schema": …}}` or
            `{"type": "json_object"}`; other forms leave the answer as it is.
    """
    if form.get("type") == "json_object":
        return Reply(json.dumps({"answer": said.content}, ensure_ascii=False))
    schema = (form.get("json_schema") or {}).get("schema")
    if form.get("type") != "json_schema" or not schema:
        return said
    source = source_of(talk)
    if not source.answer and not REFUSAL.match(said.content):
        source = replace(source, answer=said.content)
    filled = fill_schema(schema, source)
    if filled.missing:
        return Reply(_refusal(filled, str(schema.get("title") or "the form")))
    return Reply(json.dumps(filled.value, ensure_ascii=False))


def _by_text(talk: Conversation, wanted: Sequence[KnownTool]) -> Reply | None:
    """Call a tool that was not called yet with arguments from the goal's steps."""
    called = {observation.tool for observation in talk.turn.observations}
    tools = Toolbox([spec for spec in wanted if spec.name not in called])
    steps = split_goal(talk.goal, tools.verbs)
    fillings = [(fill(spec, step.text), spec) for spec in tools.specs for step in steps]
    whole = [(filling, spec) for filling, spec in fillings if not filling.missing and filling.args]
    if not whole:
        return None
    best, spec = max(whole, key=lambda pair: pair[0].evidence)
    return Reply(f"I have to call {spec.name}.", ((spec.name, best.args, _key(talk)),))


def _by_schema(talk: Conversation, wanted: Sequence[KnownTool]) -> Reply:
    source = source_of(talk)
    if talk.turn.observations and not source.answer:
        told = reply(talk, ()).content
        source = source if REFUSAL.match(told) else replace(source, answer=told)
    called = {observation.tool for observation in talk.turn.observations}
    fresh = [spec for spec in wanted if spec.name not in called] or list(wanted)
    filled = [(fill_schema(spec.schema, source), spec) for spec in fresh]
    whole = [(found, spec) for found, spec in filled if not found.missing]
    if not whole:
        return (
            Reply(_refusal(filled[0][0], filled[0][1].name))
            if filled
            else Reply("I can't: no tool is bound.")
        )
    best, spec = max(whole, key=lambda pair: pair[0].found)
    return Reply("", ((spec.name, best.value, _key(talk)),))


def _key(talk: Conversation) -> str:
    return f"f_{len(talk.turn.observations)}"


def _refusal(filled: Filled, name: str) -> str:
    lacks = " and no ".join(name.replace("_", " ") for name in filled.missing)
    return f"I can't fill {name}: the text gives no {lacks}."
