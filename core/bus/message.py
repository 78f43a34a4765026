"""A message between agents, what may be in one, and what can go wrong with it.

The errors of the bus:

    BusError                    it cannot be opened, read or written, or was closed
    ├── InvalidMessageError     a name, a kind or a body that no message may have
    ├── UnknownAgentError       nobody of that name has joined
    ├── InboxFullError          there was no room in an inbox in time
    └── NoReplyError            nobody answered in time
"""

import json
import math
import uuid
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from cogwork.core.errors import CogworkError

__all__ = [
    "BusError",
    "InboxFullError",
    "InvalidMessageError",
    "Member",
    "Message",
    "NoReplyError",
    "Priority",
    "UnknownAgentError",
    "checked_name",
    "encoded",
    "message_id",
    "rank_of",
]

Priority: TypeAlias = Literal["low", "normal", "high", "critical"]
"""Which conversation of an inbox comes first."""

_PRIORITIES: Final = get_args(Priority)
_LONGEST_NAME: Final = 200
_DEEPEST: Final = 100
_NAMESPACE: Final = uuid.UUID("6f0a3f0e-6b1c-5d0e-9a3b-0c6f67776f72")


class BusError(CogworkError):
    """The message bus cannot be opened, read or written, or was closed."""


class InvalidMessageError(BusError):
    """A name, a kind or a body that no message may have."""


class UnknownAgentError(BusError):
    """Nobody of that name has joined the bus."""


class InboxFullError(BusError):
    """There was no room in an inbox in time; `details["agents"]` names whose."""


class NoReplyError(BusError, TimeoutError):
    """Nobody answered in time; `details["id"]` is that of the request."""


@dataclass(frozen=True, slots=True)
class Message:
    """What one agent says to another; a broadcast is one to each.

    Args:
        id: Names it; one that is handed out again has the same.
        sender: Who says it.
        recipient: To whom.
        kind: Its type, to which agents subscribe.
        body: JSON data.
        conversation: What it belongs to; the messages of one are handed to a recipient in
            their order, each when the one before is acknowledged.
        priority: How urgent it is against other conversations.
        reply_to: The id of the message that it answers.
        reply_by: Until when its sender waits for a reply; seconds since 1970.
        taint: The untrusted sources that it draws on.
        sent_at: Seconds since 1970.
        attempt: How often it was handed out; above 1, it may have been dealt with already.
        acked_at: When it was acknowledged; seconds since 1970.
    """

    id: str
    sender: str
    recipient: str
    kind: str
    body: Any
    conversation: str
    priority: Priority = "normal"
    reply_to: str | None = None
    reply_by: float | None = None
    taint: tuple[str, ...] = ()
    sent_at: float = 0.0
    attempt: int = 0
    acked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """An agent that has joined a bus.

    Args:
        name: By which it is written to.
        waiting: How many messages to it are not acknowledged.
        status: What it said last of itself, such as `idle`.
        detail: What it added to that; JSON data.
        since: When it said so, or joined; seconds since 1970.
    """

    name: str
    waiting: int
    status: str
    detail: Any
    since: float


def message_id(sender: str, recipient: str, key: str | None) -> str:
    """Return a new id; for a key, always the same one."""
    if key is None:
        return uuid.uuid4().hex
    return uuid.uuid5(_NAMESPACE, json.dumps([sender, recipient, key])).hex


def rank_of(priority: str) -> int:
    """Return a priority as a number, higher for more urgent ones.

    Raises:
        InvalidMessageError: There is no such priority.
    """
    if priority not in _PRIORITIES:
        raise InvalidMessageError(
            f"priority {priority!r:.60} is unknown; choose one of {', '.join(_PRIORITIES)}"
        )
    return _PRIORITIES.index(priority)


def priority_of(rank: int) -> Priority:
    """Return the priority of a rank."""
    found: Priority = _PRIORITIES[rank]
    return found


def checked_name(name: object, what: str) -> str:
    """Return the name of an agent, a kind or a conversation, if it can be one.

    Raises:
        InvalidMessageError: It is no text of 1 to 200 printable characters.
    """
    if isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and name.isprintable():
        return name
    raise InvalidMessageError(
        f"{what} {name!r:.60} is none; use a text of 1 to {_LONGEST_NAME} printable characters"
    )


def encoded(body: Any, most_bytes: int) -> str:
    """Return a body as JSON text.

    Raises:
        InvalidMessageError: It is no JSON data, or too large.
    """
    _check(body, "body", 0)
    try:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        size = len(text.encode())
    except ValueError as error:  # surrogates, integers of thousands of digits
        raise InvalidMessageError(f"the body cannot be written as JSON: {error}") from error
    if size > most_bytes:
        raise InvalidMessageError(
            f"the body has {size:,} bytes, and a message may have {most_bytes:,}; store it "
            "elsewhere and send a reference, or create the bus with a higher max_bytes"
        )
    return text


def _check(value: Any, path: str, depth: int) -> None:
    """Raise with the place of what is no JSON data, which `json.dumps` would change silently."""
    if depth > _DEEPEST:
        raise InvalidMessageError(f"the body is nested deeper than {_DEEPEST} levels; flatten it")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise InvalidMessageError(f"{path} has the key {key!r:.60}; JSON's are strings")
            _check(inner, f"{path}.{key:.60}", depth + 1)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _check(inner, f"{path}[{place}]", depth + 1)
    elif not _is_plain(value):
        raise InvalidMessageError(
            f"{path} is {value!r:.60} of type {type(value).__name__}, which is no JSON data; "
            "send None, booleans, finite numbers, strings, lists and dicts"
        )


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)
