"""The one fake of the suite: a chat model that says what its script says."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import Field, PrivateAttr

Line = AIMessage | str | Exception | Callable[[list[BaseMessage]], AIMessage]


def calls(*tool_calls: tuple[str, dict[str, Any]], say: str = "", turn: int = 0) -> AIMessage:
    """An answer that calls tools: `calls(("add", {"a": 1}), say="I add")`."""
    return AIMessage(
        say,
        tool_calls=[
            {"name": name, "args": args, "id": f"call-{turn}-{index}-{name}", "type": "tool_call"}
            for index, (name, args) in enumerate(tool_calls)
        ],
        usage_metadata={"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
    )


class ScriptedChatModel(BaseChatModel):
    """Answers line by line, records what it was sent, raises when the script is exhausted.

    A line is a message, a text, an exception to raise, or a function of the messages.
    With `forever`, the last line is repeated.
    """

    script: list[Any]
    forever: bool = False
    sent: list[list[BaseMessage]] = Field(default_factory=list)
    bound: list[list[str]] = Field(default_factory=list)
    _position: int = PrivateAttr(default=0)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        names = [getattr(tool, "name", None) or getattr(tool, "__name__", "?") for tool in tools]
        return self.bind(bound_tools=names, **kwargs)

    def _next(self, messages: list[BaseMessage], bound: list[str]) -> AIMessage:
        self.sent.append(list(messages))
        self.bound.append(bound)
        if self._position >= len(self.script):
            if not self.forever:
                raise AssertionError(f"the script has only {len(self.script)} lines")
            self._position = len(self.script) - 1
        line: Line = self.script[self._position]
        self._position += 1
        if isinstance(line, Exception):
            raise line
        if isinstance(line, str):
            return AIMessage(line)
        if isinstance(line, AIMessage):
            return line.model_copy(deep=True)
        return line(messages)

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        message = self._next(messages, kwargs.get("bound_tools", []))
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return self._generate(messages, stop, None, **kwargs)

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        message = self._next(messages, kwargs.get("bound_tools", []))
        for word in str(message.content).split(" "):
            yield ChatGenerationChunk(message=AIMessageChunk(content=word + " "))
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                tool_call_chunks=[
                    {
                        "name": call["name"],
                        "args": __import__("json").dumps(call["args"]),
                        "id": call["id"],
                        "index": index,
                        "type": "tool_call_chunk",
                    }
                    for index, call in enumerate(message.tool_calls)
                ],
                usage_metadata=message.usage_metadata,
            )
        )

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages, stop, None, **kwargs):
            yield chunk
