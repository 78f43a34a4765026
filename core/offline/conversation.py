"""The conversation: what was asked, done and seen so far, read from the messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from cogwork.core.offline.directives import directive, forbids_tools
from cogwork.core.offline.sections import Prompt, read_prompt

__all__ = ["Conversation", "Observation", "Turn", "read_conversation", "text_of"]


# What was left out may hold the answer: a part is never taken for the whole.
_CUT = (
    "Error: only a part of what {tool} gave is shown, and a part is not enough to go by; ask for "
    "less, or raise max_tool_output"
)


@dataclass(frozen=True, slots=True)
class Observation:
    """A tool call together with what it gave."""

    tool: str
    args: Mapping[str, Any]
    text: str
    error: bool = False
    call_id: str = ""


@dataclass(slots=True)
class Turn:
    """What a person said, what was seen since, the last answer, and whether tools are off."""

    said: str
    observations: list[Observation] = field(default_factory=list)
    answer: str = ""
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything the model goes by.

    Attributes:
        prompt: The sections of what is asked now.
        turn: What was done for it so far.
        past: Earlier turns, oldest first.
        system: All system messages.
        tools_off: Whether it was said that no tool may be called any more.
    """

    prompt: Prompt
    turn: Turn
    past: tuple[Turn, ...]
    system: str
    tools_off: bool

    @property
    def goal(self) -> str:
        """What is asked."""
        return self.prompt.goal


def text_of(message: BaseMessage) -> str:
    """Return the text of a message, whatever its content consists of."""
    return message.content if isinstance(message.content, str) else str(message.text)


def read_conversation(messages: Sequence[BaseMessage]) -> Conversation:
    """Read the messages once, oldest first."""
    turns: list[Turn] = []
    system: list[str] = []
    calls: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for message in messages:
        text = text_of(message)
        if isinstance(message, AIMessage):
            _take_answer(message, text, turns, calls)
        elif isinstance(message, ToolMessage):
            _open(turns).observations.append(_observation(message, text, calls))
        elif isinstance(message, SystemMessage):
            system.append(text)
        elif isinstance(message, HumanMessage) and text.strip():
            _take_request(text, turns)
    turn = _open(turns)
    said = turn.said or (system[-1] if system else "")
    closed = turn.closed or forbids_tools(said) or any(map(forbids_tools, system))
    return Conversation(read_prompt(said), turn, tuple(turns[:-1]), "\n".join(system), closed)


def _open(turns: list[Turn]) -> Turn:
    if not turns:
        turns.append(Turn(""))
    return turns[-1]


def _take_answer(
    message: AIMessage,
    text: str,
    turns: list[Turn],
    calls: dict[str, tuple[str, Mapping[str, Any]]],
) -> None:
    for call in message.tool_calls:
        calls[call["id"] or ""] = (call["name"], call["args"])
    if not message.tool_calls and text.strip():
        _open(turns).answer = text.strip()


def _observation(
    message: ToolMessage, text: str, calls: Mapping[str, tuple[str, Mapping[str, Any]]]
) -> Observation:
    name, args = calls.get(message.tool_call_id, (message.name or "", {}))
    if message.response_metadata.get("shortened"):
        return Observation(name, args, _CUT.format(tool=name), True, message.tool_call_id)
    failed = message.status == "error" or text.lstrip()[:5].lower() == "error"
    return Observation(name, args, text.strip(), failed, message.tool_call_id)


def _take_request(text: str, turns: list[Turn]) -> None:
    """Open a turn, or go on with the last one."""
    kind, plain = directive(text)
    if not turns or kind == "request" or (kind == "close" and not turns[-1].observations):
        turns.append(Turn(plain or text.strip()))
    elif kind == "again":
        turns.append(Turn(turns[-1].said))
    elif kind == "close":
        turns[-1].closed = True
