"""The conversation: what was asked, done and seen so far, read from the messages."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.sections import Prompt, read_prompt
from cogwork.core.offline.words import sentences

__all__ = [
    "Conversation",
    "Observation",
    "Turn",
    "directive",
    "forbids_tools",
    "read_conversation",
    "text_of",
]

_NO_TOOLS = re.compile(
    r"""(?ix)
    \btools?\s+(?:calls?\s+)?(?:are|is|were|have|has)\s+(?:no\s+longer|not|now\s+un|un)\s*
        (?:been\s+)?(?:available|allowed|bound|possible)
    |\bno\s+(?:more\s+|further\s+)?tools?\b(?:\s+calls?)?\s*
        (?:are|is|can|may|will|left|remain|available|any\s*more|$|[.,;!])
    |\b(?:do\s+not|don't|must\s+not|mustn't|cannot|can't|(?:can|may)\s+no\s+longer|may\s+not|never
        |without|stop)\s+(?:us(?:e|ing)|call(?:ing)?)\s+
        (?:(?:any|the|more|further|other)\s+)*tools?(?:\s+calls?)?
        (?:\s+(?:any\s*more|now|again|from\s+now))?\s*(?:$|[.,;:!])
    |\bwithout\s+(?:(?:any|the|further|more)\s+)*(?:tools?|calling\b)
    |\b(?:answer|reply|respond|conclude)\s+(?:now\s+|it\s+|the\s+\w+\s+|only\s+)*
        (?:from|with|using|based\s+on)\s+(?:only\s+)?what\s+
        (?:(?:you|was|has|have|been|is|already)\s+)*
        (?:found|gathered|seen|observed|collected|learned|known?)
    |\b(?:step|tool|call|turn)s?\s+(?:limit|budget)\s+(?:is|was|has\s+been)\s+
        (?:reached|exhausted|used)
    |\bno\s+(?:more\s+)?steps?\s+(?:are\s+)?(?:left|remain)|\bout\s+of\s+steps
    """
)
_CONDITIONAL = re.compile(r"(?i)\b(?:if|when|unless|until|once|in case|whenever)\b")
_CLOSING = re.compile(
    r"(?i)^(?:please\s+)?(?:now\s+)?(?:give|write|state|provide|answer)\b.{0,80}\b(?:answer|now"
    r"|question|found)\b.{0,80}$"
)
_FORM = re.compile(
    r"(?i)\b(?:does|did)\s+not\s+fit\b|\bfield\s+required\b|\bvalidation\s+errors?\b"
    r"|^add\s+nothing\b"
    r"|^(?:please\s+)?(?:give|answer|respond|reply|return|output|put|fix|correct|make)\b.*"
    r"\b(?:required\s+form|format|json|schema|structured?|nothing\s+else|no\s+other\s+text)\b"
)
_SCHEMA = re.compile(
    r"(?is)(?:^|(?<=[.!?\n]))[^.!?\n]{0,120}\b(?:json|schema)\b[^\n]{0,120}:?\s*(?:```"
    r"(?:json)?\s*)?\{.*\}\s*(?:```)?\s*$"
)
_GO_ON = re.compile(
    r"(?i)^\W*(?:please\s+)?(?:continue|go on|proceed|carry on|keep going|and\??)\W*$"
)
_AGAIN = re.compile(
    r"(?i)^\W*(?:please\s+)?(?:try (?:it |that )?again|retry|once more|do it again)\W*$"
)


@lru_cache(maxsize=1024)
def directive(text: str) -> tuple[str, str]:
    """Return what a person's message is, and its text without a JSON schema.

    It is a "request", or one of "go on", "again" (the last request), "close" (answer now,
    without tools), or "form" (the same answer, in another form).
    """
    if _GO_ON.match(text):
        return "go on", text
    plain = (_SCHEMA.sub("", text) if "{" in text else text).strip()
    parts = sentences(plain)
    if all(_FORM.search(part) for part in parts) and not read_literals(plain).paths:
        return "form", plain
    if _AGAIN.match(plain):
        return "again", plain
    closing = [part for part in parts if _NO_TOOLS.search(part) or _CLOSING.match(part)]
    if len(closing) == len(parts) and forbids_tools(plain):
        return "close", plain
    return "request", plain


@lru_cache(maxsize=256)
def forbids_tools(text: str) -> bool:
    """Tell whether `text` says, without an "if", that no tool may be called any more."""
    return any(_NO_TOOLS.search(part) and not _CONDITIONAL.search(part) for part in sentences(text))


# What was left out may hold the answer: a part is never taken for the whole.
_CUT = (
    "Error: only a part of what {tool} gave is shown, and a part is not enough to go by; ask for "
    "less, or raise max_tool_output"
)


@dataclass(frozen=True, slots=True)
class Observation:
    """A tool call together with what it gave; `whole` is its text with the blanks around it."""

    tool: str
    args: Mapping[str, Any]
    whole: str
    error: bool = False
    call_id: str = ""

    @property
    def text(self) -> str:
        """What it gave, without the blanks around it."""
        return self.whole.strip()


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
    return Observation(name, args, text, message.status == "error", message.tool_call_id)


def _take_request(text: str, turns: list[Turn]) -> None:
    """Open a turn, or go on with the last one."""
    kind, plain = directive(text)
    if not turns or kind == "request" or (kind == "close" and not turns[-1].observations):
        turns.append(Turn(plain or text.strip()))
    elif kind == "again":
        turns.append(Turn(turns[-1].said))
    elif kind == "close":
        turns[-1].closed = True
