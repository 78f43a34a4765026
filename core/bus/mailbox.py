"""What one agent can do on a bus: send, receive, ask, reply, broadcast, subscribe."""

import math
import time
from typing import Any, Final, Self

from typing_extensions import Unpack

from cogwork.core.bus.message import (
    InvalidMessageError,
    Member,
    Message,
    NoReplyError,
    checked_name,
    encoded,
    message_id,
)
from cogwork.core.bus.sending import Outgoing, Sending, checked_seconds, patience, until
from cogwork.core.bus.transaction import Transaction

__all__ = ["Mailbox"]

_STATUS: Final = "status"


class Mailbox:
    """One agent's place on a bus, made by `Bus.join`.

    Any number of mailboxes may have the same name, also in other processes: they share the
    inbox, and each message goes to one of them. A mailbox belongs to no event loop.
    """

    def __init__(self, outgoing: Outgoing) -> None:
        self.name = outgoing.name
        self._outgoing = outgoing
        self._worker = outgoing.worker
        self._inboxes = outgoing.inboxes
        self._limits = outgoing.limits

    async def send(self, to: str, body: Any, **how: Unpack[Sending]) -> str:
        """Send a message; return its id when it is durable.

        Await each to keep their order. While the inbox is full, this waits.

        Args:
            to: The agent's name.
            body: JSON data.
            how: See `Sending`.

        Raises:
            InvalidMessageError: A value that no message may have.
            UnknownAgentError: Nobody of that name has joined.
            InboxFullError: There was no room in time.
        """
        drafts = self._outgoing.drafts([to], body, how)
        (sent,) = await self._outgoing.deliver(drafts, patience(how))
        return sent

    async def broadcast(self, body: Any, **how: Unpack[Sending]) -> tuple[str, ...]:
        """Send to all who have joined but oneself; return the ids.

        Raises:
            InvalidMessageError: A value that no message may have.
            InboxFullError: Some had no room in time; the others have got it.
        """
        names = [member.name for member in await self.members()]
        return await self._outgoing.to_all(names, body, how)

    async def publish(self, kind: str, body: Any, /, **how: Unpack[Sending]) -> tuple[str, ...]:
        """Send to all who have subscribed to a kind but oneself; return the ids.

        Raises:
            InvalidMessageError: A value that no message may have.
            InboxFullError: Some had no room in time; the others have got it.
        """
        checked_name(kind, "kind")
        names = await self._worker.do(lambda tx: self._inboxes.subscribers(tx, kind))
        how["kind"] = kind
        return await self._outgoing.to_all(names, body, how)

    async def subscribe(self, *kinds: str) -> None:
        """Have, from now on, what others publish of these kinds."""
        for kind in kinds:
            checked_name(kind, "kind")
        await self._worker.do(lambda tx: self._inboxes.subscribe(tx, self.name, kinds))

    async def unsubscribe(self, *kinds: str) -> None:
        """Have it no more."""
        await self._worker.do(lambda tx: self._inboxes.unsubscribe(tx, self.name, kinds))

    async def receive(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - runs out with None, not by cancellation
        lease: float | None = None,
        key: str | None = None,
    ) -> Message | None:
        """Return the next message, or None if there is none in time.

        Unless `ack` or `reply` follow before its lease ends, it is handed out again, here or
        to another mailbox of this name. Until then its conversation waits.

        Args:
            timeout: Seconds to wait; None waits for ever.
            lease: Seconds until it is handed out again; the bus's own unless given.
            key: Names this call: the message is acknowledged at once, and another call with
                this key returns the same one, as far back as the history reaches.
        """
        held = self._lease(lease)
        claim = None if key is None else message_id(self.name, self.name, key)

        def take(tx: Transaction) -> tuple[Message | None, float | None]:
            if claim is None:
                return self._inboxes.take(tx, self.name, held)
            return self._inboxes.take_once(tx, self.name, claim)

        async def attempt() -> tuple[Message | None, float | None]:
            if claim is None:
                return await self._worker.do(take, unwanted=self._give_back)
            return await self._worker.do(take, [self.name])

        seconds = math.inf if timeout is None else checked_seconds(timeout, "timeout")
        return await until(self._worker, attempt, [self.name], seconds)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        message = await self.receive()
        if message is None:
            raise StopAsyncIteration
        return message

    async def ack(self, message: Message) -> bool:
        """Say that a message is dealt with; False if its lease ended and it went elsewhere."""
        self._require_mine(message)
        return await self._worker.do(lambda tx: self._inboxes.ack(tx, message), [self.name])

    async def renew(self, message: Message, lease: float | None = None) -> bool:
        """Keep a message for so many seconds from now; False if it went elsewhere."""
        self._require_mine(message)
        held = self._lease(lease)
        return await self._worker.do(lambda tx: self._inboxes.extend(tx, message, held))

    async def release(self, message: Message) -> bool:
        """Give a message back, to be handed out again now; False if it went elsewhere."""
        return await self.renew(message, 0)

    async def ask(self, to: str, body: Any, **how: Unpack[Sending]) -> Message:
        """Send a request, of kind `request` unless given, and return the acknowledged reply.

        A reply that comes too late is an ordinary message in the inbox.

        Raises:
            InvalidMessageError: A value that no message may have.
            UnknownAgentError: Nobody of that name has joined.
            InboxFullError: There was no room in time.
            NoReplyError: Nobody answered in time.
        """
        seconds = patience(how)
        deadline = time.monotonic() + seconds
        (draft,) = self._outgoing.drafts([to], body, {"kind": "request", **how})
        request = draft.message.id
        await self._outgoing.deliver([draft._replace(patience=seconds)], seconds)

        async def attempt() -> tuple[Message | None, float | None]:
            def take(tx: Transaction) -> Message | None:
                return self._inboxes.take_reply(tx, self.name, request)

            return await self._worker.do(take, [self.name]), None

        reply = await until(self._worker, attempt, [request], deadline - time.monotonic())
        if reply is None:
            raise NoReplyError(
                f"'{to}' did not answer '{self.name}' within {seconds:g} s; give it more time, "
                "or see by members() whether it works",
                details={"id": request, "agent": to},
                transient=True,
            )
        return reply

    async def reply(self, message: Message, body: Any, **how: Unpack[Sending]) -> str:
        """Answer a message, by kind `reply` unless given, and acknowledge it; return the id.

        Both happen or neither does. A message is answered once: other replies are left out.

        Raises:
            InvalidMessageError: A value that no message may have.
            UnknownAgentError: Its sender has left.
            InboxFullError: There was no room in time; where the sender waits, there is room.
        """
        self._require_mine(message)
        full: Sending = {
            "kind": "reply",
            "priority": message.priority,
            **how,
            "conversation": message.conversation,
            "key": f"reply to {message.id}",
        }
        (draft,) = self._outgoing.drafts([message.sender], body, full, reply_to=message.id)
        draft = draft._replace(awaited_until=message.reply_by)
        (sent,) = await self._outgoing.deliver([draft], patience(how), done=message)
        return sent

    async def set_status(self, status: str, detail: Any = None) -> None:
        """Say how one is; subscribers of the kind `status` get a message.

        It never waits: a subscriber whose inbox is full finds it in `Bus.members` only.
        """
        checked_name(status, "status")
        text = encoded(detail, self._limits.max_bytes)
        names = await self._worker.do(lambda tx: self._inboxes.subscribers(tx, _STATUS))
        others = [name for name in names if name != self.name]
        body = {"agent": self.name, "status": status, "detail": detail}
        drafts = self._outgoing.drafts(others, body, {"kind": _STATUS})

        def work(tx: Transaction) -> None:
            self._inboxes.set_status(tx, self.name, status, text)
            self._inboxes.put(tx, drafts)

        await self._worker.do(work, others)

    async def members(self) -> tuple[Member, ...]:
        """Return who has joined, by name, oneself too."""
        return tuple(await self._worker.do(self._inboxes.members))

    async def history(
        self, *, conversation: str | None = None, kind: str | None = None, limit: int = 100
    ) -> list[Message]:
        """Return the latest messages from and to this agent, oldest first."""
        wanted = {"agent": self.name, "conversation": conversation, "kind": kind}
        return await self._worker.do(lambda tx: self._inboxes.history(tx, wanted, limit))

    async def find(self, id: str) -> Message | None:  # noqa: A002 - named as the field
        """Return a message from or to this agent by its id, as far as the history reaches."""
        wanted = {"agent": self.name, "id": id}
        found = await self._worker.do(lambda tx: self._inboxes.history(tx, wanted, 1))
        return found[0] if found else None

    def _give_back(self, taken: tuple[Message | None, float | None]) -> None:
        """Whoever waited for this was cancelled."""
        message, _ = taken
        if message is not None:
            self._worker.do_later(lambda tx: self._inboxes.extend(tx, message, 0))

    def _lease(self, lease: float | None) -> float:
        return checked_seconds(self._limits.lease if lease is None else lease, "lease")

    def _require_mine(self, message: Message) -> None:
        if message.recipient != self.name:
            raise InvalidMessageError(
                f"message {message.id} is for '{message.recipient}', not for '{self.name}'; "
                "use the mailbox that received it"
            )
