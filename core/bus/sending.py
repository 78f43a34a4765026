"""How messages are made, checked, and brought to inboxes that may be full."""

import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from typing_extensions import TypedDict

from cogwork.core.bus.inboxes import Draft, Inboxes
from cogwork.core.bus.message import (
    InboxFullError,
    InvalidMessageError,
    Message,
    Priority,
    UnknownAgentError,
    checked_name,
    encoded,
    message_id,
    rank_of,
)
from cogwork.core.bus.transaction import Transaction
from cogwork.core.bus.worker import Worker
from cogwork.core.registry import nearest

__all__ = ["Limits", "Outgoing", "Sending", "checked_seconds", "patience", "until"]

T = TypeVar("T")
_PATIENCE: Final = 30.0  # seconds to wait for room or for a reply
_LOOK_AGAIN: Final = 5.0  # seconds, should a notification be lost


class Limits(NamedTuple):
    """What holds for a bus; see `create_bus`."""

    capacity: int
    history: int
    max_bytes: int
    lease: float


class Sending(TypedDict, total=False):
    """How a message is sent; each is optional.

    Args:
        kind: Its type; `message` unless given.
        conversation: What it belongs to; a new one unless given.
        priority: `normal` unless given. It counts between conversations, not within one.
        key: Names the message by its content: one key from one sender to one recipient is
            sent once, as far back as the history reaches.
        taint: The untrusted sources that it draws on.
        timeout: Seconds to wait, for room in a full inbox and for a reply; 30 unless given.
    """

    kind: str
    conversation: str | None
    priority: Priority
    key: str | None
    taint: Iterable[str]
    timeout: float


def patience(how: Sending) -> float:
    """Return the seconds to wait."""
    return checked_seconds(how.get("timeout", _PATIENCE), "timeout")


def checked_seconds(value: object, what: str) -> float:
    """Return a number of seconds, if it is one.

    Raises:
        InvalidMessageError: It is none, or negative.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return value
    raise InvalidMessageError(f"{what} {value!r:.60} is no number of seconds from 0 on")


def _sources(taint: object) -> tuple[str, ...]:
    if isinstance(taint, Iterable) and not isinstance(taint, str):
        found = tuple(taint)
        if all(isinstance(source, str) for source in found):
            return found
    raise InvalidMessageError(f"taint {taint!r:.60} is no list of names of sources")


class Outgoing:
    """What one agent sends.

    Args:
        name: Of the agent.
        worker: Talks to the database.
        inboxes: What is done there.
        limits: Of the bus.
    """

    def __init__(self, name: str, worker: Worker, inboxes: Inboxes, limits: Limits) -> None:
        self.name = name
        self.worker = worker
        self.inboxes = inboxes
        self.limits = limits

    def drafts(
        self, names: Iterable[str], body: Any, how: Sending, *, reply_to: str | None = None
    ) -> list[Draft]:
        """Return the messages of one body to others.

        Raises:
            InvalidMessageError: A value that no message may have.
        """
        text = encoded(body, self.limits.max_bytes)
        kind, key = checked_name(how.get("kind", "message"), "kind"), how.get("key")
        conversation = how.get("conversation")
        if conversation is None:
            conversation = message_id(self.name, "", key)
        checked_name(conversation, "conversation")
        priority: Priority = how.get("priority", "normal")
        rank_of(priority)
        taint = _sources(how.get("taint", ()))
        return [
            Draft(
                Message(
                    id=message_id(self.name, name, key),
                    sender=self.name,
                    recipient=checked_name(name, "agent"),
                    kind=kind,
                    body=body,
                    conversation=conversation,
                    priority=priority,
                    reply_to=reply_to,
                    taint=taint,
                ),
                text,
            )
            for name in names
        ]

    async def to_all(self, names: Iterable[str], body: Any, how: Sending) -> tuple[str, ...]:
        """Send to each of these but oneself; whoever has left meanwhile is left out."""
        others = [name for name in names if name != self.name]
        drafts = self.drafts(others, body, how)
        return await self.deliver(drafts, patience(how), to_all=True)

    async def deliver(
        self,
        drafts: Sequence[Draft],
        seconds: float,
        *,
        to_all: bool = False,
        done: Message | None = None,
    ) -> tuple[str, ...]:
        """Put messages into inboxes, waiting for room; return their ids.

        Args:
            drafts: The messages.
            seconds: How long to wait.
            to_all: Whether names that nobody has are left out.
            done: What is acknowledged together with the last of them.

        Raises:
            UnknownAgentError: Nobody of that name has joined.
            InboxFullError: There was no room in time.
        """
        left, again = list(drafts), False

        async def attempt() -> tuple[bool | None, float | None]:
            nonlocal left, again
            refused = await self._put(left, done, again)
            again = True
            if not to_all:
                await self._require_known(refused)
            left = [each for each in left if refused.get(each.message.recipient) == "full"]
            return (None if left else True), None

        first, _ = await attempt()
        full = [draft.message.recipient for draft in left]
        if first is None and await until(self.worker, attempt, full, seconds) is None:
            raise self._inbox_full([draft.message.recipient for draft in left], seconds)
        return tuple(draft.message.id for draft in drafts)

    async def _put(
        self, drafts: Sequence[Draft], done: Message | None, again: bool
    ) -> dict[str, str]:
        def put(tx: Transaction) -> dict[str, str]:
            refused = self.inboxes.put(tx, drafts, again=again)
            if done is not None and not refused:
                self.inboxes.ack(tx, done)
            return refused

        names = {draft.message.recipient for draft in drafts}
        return await self.worker.do(put, names if done is None else {*names, self.name})

    async def _require_known(self, refused: dict[str, str]) -> None:
        unknown = [name for name, why in refused.items() if why == "unknown"]
        if unknown:
            members = await self.worker.do(self.inboxes.members)
            raise UnknownAgentError(
                f"no agent '{unknown[0]}' has joined the bus; "
                + nearest(unknown[0], [member.name for member in members])
            )

    def _inbox_full(self, names: list[str], seconds: float) -> InboxFullError:
        listed = ", ".join(f"'{name}'" for name in names[:5]) + (", …" if len(names) > 5 else "")
        return InboxFullError(
            f"the inbox of {listed} was full for {seconds:g} s, with {self.limits.capacity} "
            "messages not acknowledged; wait longer, send less, let more mailboxes of that "
            "name receive, or create the bus with a higher capacity",
            details={"agents": names},
            transient=True,
        )


async def until(
    worker: Worker,
    attempt: Callable[[], Awaitable[tuple[T | None, float | None]]],
    agents: Iterable[str],
    seconds: float,
) -> T | None:
    """Return what an attempt returns, made again whenever one of these inboxes changes.

    Args:
        worker: Rings when they change.
        attempt: Returns a result or None, and when to try again at the latest, in seconds.
        agents: Whose inboxes matter, or ids of requests that wait for a reply.
        seconds: How long to try; once at least.
    """
    deadline = time.monotonic() + seconds
    with worker.bell.listening(agents) as ticket:
        while True:
            ticket.clear()
            found, soonest = await attempt()
            left = deadline - time.monotonic()
            if found is not None or left <= 0:
                return found
            await ticket.rung(min(left, _LOOK_AGAIN, math.inf if soonest is None else soonest))
