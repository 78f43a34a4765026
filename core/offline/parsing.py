"""Parsing: the structured output out of the model's call, or its refusal as an error."""

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

__all__ = ["structured_parser"]


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
