"""Answers of models as JSON, and back: messages and texts, and nothing else is ever constructed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation

__all__ = ["as_chunk", "as_free", "read_answers", "read_generations", "write_generations"]

_OF_MESSAGE: Final = frozenset(
    {"content", "additional_kwargs", "response_metadata", "name", "usage_metadata"}
    | {"tool_calls", "invalid_tool_calls"}
)
_OF_ANSWER: Final = frozenset({"text", "message", "info"})
_NO_TOKENS: Final = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


def write_generations(generations: Sequence[Generation]) -> bytes:
    """Return the answers of a model as JSON.

    A message is written without its id: were it given out twice, LangGraph would put the
    second one in the first one's place. Pydantic models, as in `parsed`, become dictionaries,
    of which LangChain makes models again.

    Raises:
        TypeError: Something is no answer, or no plain data.
        ValueError: Something refers to itself.
    """
    return json.dumps([_written(each) for each in generations]).encode()


def _written(generation: Generation) -> dict[str, Any]:
    if not isinstance(generation, ChatGeneration):
        return {"text": generation.text, "info": generation.generation_info}
    message = message_chunk_to_message(generation.message)
    if type(message) is not AIMessage:
        raise TypeError(f"a {type(message).__name__} cannot be kept, only an AIMessage")
    return {
        "message": message.model_dump(include=set(_OF_MESSAGE), warnings="error"),
        "info": generation.generation_info,
    }


def read_generations(data: bytes) -> list[Generation]:
    """Return the answers that `write_generations` has written.

    Raises:
        ValueError: It has not written this.
    """
    found = json.loads(data)
    if not isinstance(found, list) or not found:
        raise ValueError("these are no answers of a model")
    return [_read(each) for each in found]


def read_answers(data: bytes) -> list[ChatGeneration]:
    """Return the answers of a chat model that `write_generations` has written.

    Raises:
        ValueError: It has not written this, or they are no chat model's.
    """
    found = [each for each in read_generations(data) if isinstance(each, ChatGeneration)]
    if not found:
        raise ValueError("these are no answers of a chat model")
    return found


def _read(found: Any) -> Generation:
    _check(found, _OF_ANSWER)
    if "message" not in found:
        return Generation(text=found["text"], generation_info=found["info"])
    _check(found["message"], _OF_MESSAGE)
    message = AIMessage.model_validate(found["message"])
    return ChatGeneration(message=message, generation_info=found["info"])


def _check(found: Any, names: frozenset[str]) -> None:
    if not isinstance(found, Mapping) or not names.issuperset(found):
        raise ValueError("these are no answers of a model: they hold something else")


def as_free(generation: ChatGeneration) -> ChatGeneration:
    """Return an answer that cost nothing, for no call was made; LangChain marks it so, too."""
    usage = {**_NO_TOKENS, **(getattr(generation.message, "usage_metadata", None) or {})}
    free = generation.message.model_copy(update={"usage_metadata": {**usage, "total_cost": 0}})
    return generation.model_copy(update={"message": free})


def as_chunk(generation: ChatGeneration) -> ChatGenerationChunk:
    """Return an answer that cost nothing as the only chunk of a stream."""
    message = as_free(generation).message
    calls: list[Any] = []
    if isinstance(message, AIMessage):
        calls = [*message.tool_calls, *message.invalid_tool_calls]
    chunk = AIMessageChunk(
        content=message.content,
        additional_kwargs=message.additional_kwargs,
        response_metadata=message.response_metadata,
        name=message.name,
        tool_call_chunks=[
            tool_call_chunk(
                name=call["name"], args=_as_text(call["args"]), id=call["id"], index=index
            )
            for index, call in enumerate(calls)
        ],
        chunk_position="last",
    )
    if isinstance(message, AIMessage):
        # As they were: LangChain would guess the end of arguments that were cut off.
        chunk.tool_calls, chunk.invalid_tool_calls = message.tool_calls, message.invalid_tool_calls
        chunk.usage_metadata = message.usage_metadata
    return ChatGenerationChunk(message=chunk, generation_info=generation.generation_info)


def _as_text(args: Any) -> str | None:
    return args if args is None or isinstance(args, str) else json.dumps(args)
