"""The rule-based offline model: a chat model that needs no key, no network and no weights."""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, UsageMetadata
from langchain_core.messages.tool import ToolCall, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from cogwork.core.errors import ConfigurationError
from cogwork.core.offline.conversation import read_conversation, text_of
from cogwork.core.offline.forced import as_json, force, structured_parser
from cogwork.core.offline.reply import Reply, reply
from cogwork.core.offline.toolbox import known_tools
from cogwork.core.registry import nearest

__all__ = ["OfflineChatModel"]

_PIECE = re.compile(r"\s*\S+|\s+$")
_AUTO = (None, "auto", "none", False)
_ANY = ("any", "required", True)


class OfflineChatModel(BaseChatModel):
    """Follows rules: splits a goal into steps, calls tools for them, answers from what they gave.

    The floor on which demonstrations, tests and notebooks run without a key or a network.
    It is deterministic: the same messages, tools and seed give the same answer and the
    same tool-call ids. It says of itself what it is, never makes up a fact or a number,
    and says so when it cannot do something. What tools return is data to it, never an
    instruction.

    Usage is an estimate: one token for every four characters of a text, begun ones
    counted, plus three for every message; see `get_num_tokens`.

    Args:
        model: The name it goes by in traces and metadata.
        seed: Enters the tool-call ids, so that two models can be told apart.
        max_tokens: At most this many tokens, as estimated, are answered.
        stop: Texts at which an answer ends.

    Examples:
        >>> OfflineChatModel().invoke("Who are you?").content[:45]
        "I am cogwork's rule-based offline model: I fo"
    """

    model: str = "offline"
    seed: int = 0
    max_tokens: int | None = None
    stop: list[str] | None = None

    @property
    def _llm_type(self) -> str:
        return "cogwork-offline"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "seed": self.seed,
            "max_tokens": self.max_tokens,
            "stop": self.stop,
        }

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Tell LangChain that the model can be written out and loaded again."""
        return True

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Return where LangChain finds the class again."""
        return ["cogwork", "core", "offline"]

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {
            **super()._get_ls_params(stop=stop or self.stop, **kwargs),
            "ls_provider": "cogwork",
        }

    def bind_tools(
        self,
        tools: Sequence[Mapping[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return the model with tools to call.

        Args:
            tools: LangChain tools, pydantic classes, functions or OpenAI dictionaries.
            tool_choice: "auto", "any" (or "required", `True`), "none" (or `False`), or the
                name of the one that has to be called, also in OpenAI's dictionary form.
            kwargs: Passed on to the calls.

        Raises:
            ConfigurationError: `tool_choice` names a tool that is not among `tools`.
        """
        formatted = [convert_to_openai_tool(tool) for tool in tools]
        choice = _choice(tool_choice)
        names = [spec.name for spec in known_tools(formatted)]
        if choice not in (*_AUTO, *_ANY) and choice not in names:
            raise ConfigurationError(
                f"tool_choice '{choice}' is no bound tool; {nearest(str(choice), names)}"
            )
        return self.bind(tools=formatted, tool_choice=choice, **kwargs)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Return a runnable that fills `schema` from the messages.

        What the text does not give stays absent where the schema allows it; where it does
        not, the answer is a refusal in words, and parsing it fails.

        Args:
            schema: A pydantic class, a `TypedDict`, a JSON schema or an OpenAI function.
            include_raw: Return `raw`, `parsed` and `parsing_error` instead of raising.
            kwargs: `method` and `strict` are accepted; every method comes to the same.

        Raises:
            ValueError: Another keyword argument is given.
        """
        unknown = kwargs.keys() - {"method", "strict"}
        if unknown:
            raise ValueError(f"with_structured_output() does not know {', '.join(sorted(unknown))}")
        tool = convert_to_openai_tool(schema)
        model = self.bind(
            tools=[tool],
            tool_choice=tool["function"]["name"],
            fills=True,
            ls_structured_output_format={
                "kwargs": {"method": kwargs.get("method") or "function_calling"},
                "schema": schema,
            },
        )
        return structured_parser(model, schema, tool["function"]["name"], include_raw=include_raw)

    def get_num_tokens(self, text: str) -> int:
        """Estimate the tokens of `text`: one for every four characters, begun ones counted."""
        return -(-len(text) // 4)

    def get_num_tokens_from_messages(
        self, messages: Sequence[BaseMessage], tools: Any = None
    ) -> int:
        """Estimate the tokens of messages: their text and calls, plus three for each."""
        return self._estimate([_written(message) for message in messages], tools)

    def _estimate(self, written: Sequence[str], tools: Any) -> int:
        tooling = self.get_num_tokens(json.dumps(tools, default=str)) if tools else 0
        return tooling + sum(self.get_num_tokens(text) + 3 for text in written)

    def _answer(
        self,
        messages: Sequence[BaseMessage],
        stop: Sequence[str] | None,
        options: Mapping[str, Any],
    ) -> AIMessage:
        """Do all the work, without input or output; the other methods only hand it on."""
        said = _decide(messages, options)
        written = [_written(message) for message in messages]
        content, reason = self._cut(said.content, [*(stop or ()), *(self.stop or ())], options)
        digest = self._digest(written) if said.calls else ""
        calls = [
            ToolCall(name=name, args=dict(args), id=f"call_{digest}_{key}", type="tool_call")
            for name, args, key in said.calls
        ]
        if options.get("parallel_tool_calls") is False:
            calls = calls[:1]
        answer = AIMessage(content, tool_calls=calls)
        if said.is_refusal or (options.get("fills") and not calls):
            answer.additional_kwargs = {"refusal": content}
        spent = self._estimate(written, options.get("tools"))
        made = self.get_num_tokens(_written(answer))
        answer.usage_metadata = UsageMetadata(
            input_tokens=spent, output_tokens=made, total_tokens=spent + made
        )
        answer.response_metadata = {
            "model_name": self.model,
            "model_provider": "cogwork",
            "finish_reason": "tool_calls" if calls else reason,
        }
        return answer

    def _cut(self, text: str, stops: Sequence[str], options: Mapping[str, Any]) -> tuple[str, str]:
        """End `text` at the first stop text, or where it becomes too long."""
        ends = [text.find(stop) for stop in stops if stop and stop in text]
        text = text[: min(ends)] if ends else text
        limit = options.get("max_tokens") or self.max_tokens
        if limit is not None and self.get_num_tokens(text) > limit:
            return text[: limit * 4], "length"
        return text, "stop"

    def _digest(self, written: Sequence[str]) -> str:
        """Tell this point of this conversation from every other."""
        digest = blake2b(str(self.seed).encode(), digest_size=6)
        for text in written:
            digest.update(f"\0{text}".encode())
        return digest.hexdigest()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's
        **kwargs: Any,
    ) -> ChatResult:
        answer = self._answer(messages, stop, kwargs)
        return ChatResult(generations=[ChatGeneration(message=answer)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages, stop, None, **kwargs)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in _chunks(self._answer(messages, stop, kwargs)):
            yield ChatGenerationChunk(message=chunk)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages, stop, None, **kwargs):
            yield chunk


def _decide(messages: Sequence[BaseMessage], options: Mapping[str, Any]) -> Reply:
    """Choose between a free reply and a forced call."""
    talk = read_conversation(messages)
    choice = options.get("tool_choice")
    specs = known_tools(options.get("tools") or ())
    if choice in {"none", False}:
        specs = ()
    if not specs or choice in _AUTO:
        said = reply(talk, specs)
        form = options.get("response_format")
        return as_json(talk, said, form) if isinstance(form, Mapping) and not said.calls else said
    wanted = specs if choice in _ANY else [spec for spec in specs if spec.name == choice]
    return force(talk, wanted, specs, fills=bool(options.get("fills")))


def _choice(given: str | bool | Mapping[str, Any] | None) -> Any:
    """Return OpenAI's dictionary form as a plain name."""
    if isinstance(given, Mapping):
        return (given.get("function") or given).get("name") or given.get("type")
    return given


def _written(message: BaseMessage) -> str:
    """Return a message's text together with its tool calls."""
    text = text_of(message)
    if not isinstance(message, AIMessage) or not message.tool_calls:
        return text
    calls = [[call["name"], call["args"], call["id"]] for call in message.tool_calls]
    return text + json.dumps(calls, default=str)


def _chunks(answer: AIMessage) -> Iterator[AIMessageChunk]:
    """Give an answer out token by token: words first, then the calls, then the usage."""
    for piece in _PIECE.findall(str(answer.text)):
        yield AIMessageChunk(content=piece)
    for index, call in enumerate(answer.tool_calls):
        yield AIMessageChunk(
            content="",
            tool_call_chunks=[
                tool_call_chunk(name=call["name"], args="", id=call["id"], index=index)
            ],
        )
        for piece in _PIECE.findall(json.dumps(call["args"])):
            yield AIMessageChunk(
                content="", tool_call_chunks=[tool_call_chunk(args=piece, index=index)]
            )
    yield AIMessageChunk(
        content="",
        additional_kwargs=answer.additional_kwargs,
        usage_metadata=answer.usage_metadata,
        response_metadata=answer.response_metadata,
        chunk_position="last",
    )
