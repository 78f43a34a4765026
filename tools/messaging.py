"""Tools by which an agent writes to others on a message bus, also to agents of other graphs.

They are bound to one agent's mailbox: no parameter says who is writing, so a model cannot write
in another's name. What a tainted run sends taints the run that reads it.
"""

import json
import uuid
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

from langchain_core.tools import BaseTool

from cogwork.core.bus import BusError, Mailbox, Message, Sending
from cogwork.core.errors import ToolError
from cogwork.tools.base import SpecFields, tool
from cogwork.tools.effects import idempotency_key
from cogwork.tools.taint import has_read, inherited_taint

__all__ = ["messaging_tools"]

T = TypeVar("T")
_LONGEST_WAIT: Final = 300.0
# The bus knows by the call's key what it has had, so a call that was cut off is made again.
_ONCE: Final[SpecFields] = {"effect": "write", "idempotent": True, "network": False, "retry": None}


def messaging_tools(mailbox: Mailbox) -> list[BaseTool]:
    """Make the tools `send`, `ask`, `broadcast`, `receive`, `reply` and `colleagues`.

    Messages stay within the bus, so they are writes and not external. Cut off by a crash
    and called again, each sends once, and `receive` gets the same message again.

    Args:
        mailbox: Of the agent that gets the tools.
    """
    return [*_sending_tools(mailbox), *_receiving_tools(mailbox)]


def _sending_tools(mailbox: Mailbox) -> list[BaseTool]:
    @tool(parse_docstring=True, **_ONCE)
    async def send(to: str, text: str) -> str:
        """Send a message to a colleague, without waiting for an answer.

        Args:
            to: The colleague's name.
            text: What to say, understandable by itself.
        """
        return f"Sent as [{await _said(mailbox.send(to, text, **_how()))}]."

    @tool(parse_docstring=True, **_ONCE)
    async def ask(to: str, text: str, seconds: float = 60.0) -> str:
        """Ask a colleague and wait for the answer.

        Args:
            to: The colleague's name.
            text: The question, understandable by itself.
            seconds: How long to wait, at most 300.
        """
        how = _how() | Sending(timeout=_wait(seconds))
        return _read(await _said(mailbox.ask(to, text, **how)))

    @tool(parse_docstring=True, **_ONCE)
    async def broadcast(text: str) -> str:
        """Send a message to all colleagues.

        Args:
            text: What to say, understandable by itself.
        """
        sent = await _said(mailbox.broadcast(text, **_how()))
        return f"Sent to {len(sent)} colleague{'' if len(sent) == 1 else 's'}."

    return [send, ask, broadcast]


def _receiving_tools(mailbox: Mailbox) -> list[BaseTool]:
    @tool(parse_docstring=True, **_ONCE)
    async def receive(seconds: float = 0.0) -> str:
        """Read the next message from your inbox.

        Args:
            seconds: How long to wait for one, at most 300.
        """
        key = idempotency_key() or uuid.uuid4().hex
        message = await _said(mailbox.receive(timeout=_wait(seconds), key=key))
        return "No message." if message is None else _read(message)

    @tool(parse_docstring=True, **_ONCE)
    async def reply(id: str, text: str) -> str:  # noqa: A002 - the model's word
        """Answer a message that you have read; whoever asked may be waiting for it.

        Args:
            id: What stands in brackets before the message.
            text: The answer.
        """
        message = await _said(mailbox.find(id.strip(" []")))
        if message is None or message.recipient != mailbox.name:
            raise ToolError(f"you have read no message [{id}]; take an id that stands in brackets")
        sent = await _said(mailbox.reply(message, text, taint=inherited_taint()))
        return f"Sent to {message.sender} as [{sent}]."

    @tool(effect="read", network=False)
    async def colleagues() -> str:
        """List your colleagues and what they are doing."""
        others = [one for one in await _said(mailbox.members()) if one.name != mailbox.name]
        return "\n".join(f"{one.name}: {one.status}" for one in others) or "There are none."

    return [receive, reply, colleagues]


def _how() -> Sending:
    return {"key": idempotency_key(), "taint": inherited_taint()}


def _wait(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_WAIT)


async def _said(asked: Awaitable[T]) -> T:
    """What the bus answers; its refusals as a tool's, which say that nothing was done twice."""
    try:
        return await asked
    except BusError as error:
        raise ToolError(str(error), details=error.details) from error


def _read(message: Message) -> str:
    """A message as a model reads it; the run is tainted as its sender was."""
    has_read(*message.taint)
    said: Any = message.body
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    return f"[{message.id}] {message.kind} from {message.sender}: {text}"
