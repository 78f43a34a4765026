"""The rules of the bus, as statements that SQLite and PostgreSQL both understand.

Of each conversation in an inbox, the oldest message that is not acknowledged is marked as
its head; only heads are handed out. So the order within a conversation is kept, and
finding the next message takes one look into an index, however many are waiting.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, NamedTuple

from cogwork.core.bus.message import Member, Message, priority_of, rank_of
from cogwork.core.bus.transaction import Transaction

__all__ = ["Draft", "Inboxes"]


class Draft(NamedTuple):
    """A message that is to be sent.

    Args:
        message: What it will be.
        text: Its body as text.
        patience: Seconds that its sender waits for a reply.
        awaited_until: For a reply: until when it is kept for whoever asked.
    """

    message: Message
    text: str
    patience: float | None = None
    awaited_until: float | None = None


_COLUMNS: Final = ", ".join(field.name for field in fields(Message))
_PUT: Final = (
    f"INSERT INTO messages ({_COLUMNS}, free_at, head) "  # noqa: S608 - constants only
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, ?, CASE WHEN EXISTS ("
    "SELECT 1 FROM messages WHERE recipient = ? AND conversation = ? AND acked_at IS NULL"
    ") THEN 0 ELSE 1 END) ON CONFLICT (id) DO NOTHING"
)
_NEXT: Final = (
    "SELECT seq FROM messages WHERE recipient = ? AND head = 1 AND free_at <= ? "
    "ORDER BY priority DESC, seq LIMIT 1"
)
_TAKE: Final = (
    f"UPDATE messages SET attempt = attempt + 1, free_at = ? WHERE seq = ({_NEXT}{{skip}}) "  # noqa: S608
    f"RETURNING {_COLUMNS}"
)
# Not `acked_at IS NULL`: while there are few messages, PostgreSQL would plan to read the whole
# index of those, and keep to it when there are many.
_HELD: Final = "id = ? AND attempt = ? AND COALESCE(acked_at, 0) = 0"
_PROMOTE: Final = (
    "UPDATE messages SET head = 1 WHERE seq = (SELECT MIN(seq) FROM messages "
    "WHERE recipient = ? AND conversation = ? AND acked_at IS NULL)"
)
_TRIM: Final = (
    "DELETE FROM messages WHERE acked_at IS NOT NULL AND seq <= (SELECT seq FROM messages "
    "WHERE acked_at IS NOT NULL ORDER BY seq DESC LIMIT 1 OFFSET ?)"
)


class Inboxes:
    """What can be done to the messages, each within a transaction.

    Args:
        capacity: How many messages an agent may leave unacknowledged.
        history: How many acknowledged messages are kept, over all agents.
    """

    def __init__(self, capacity: int, history: int) -> None:
        self._capacity = capacity
        self._history = history
        self._acked = 0

    def put(
        self, transaction: Transaction, drafts: Sequence[Draft], *, again: bool = False
    ) -> dict[str, str]:
        """Put messages into inboxes; return `full` or `unknown` for those it could not reach.

        What has an id that is there already is a repetition, and is left out; those that
        are tried `again` are known to be none.
        """
        refused = {}
        for draft in drafts:
            recipient = draft.message.recipient
            waiting = transaction.waiting(recipient)
            if waiting is None:
                refused[recipient] = "unknown"
            elif waiting < self._capacity or draft.awaited_until is not None:
                self._insert(transaction, draft)
            elif again or not self._is_known(transaction, draft.message.id):
                refused[recipient] = "full"
        return refused

    def _insert(self, transaction: Transaction, draft: Draft) -> None:
        message, now = draft.message, transaction.now
        put = transaction.execute(
            _PUT,
            *(message.id, message.sender, message.recipient, message.kind, draft.text),
            *(message.conversation, rank_of(message.priority), message.reply_to),
            None if draft.patience is None else now + draft.patience,
            *(json.dumps(message.taint), now, draft.awaited_until or 0.0),
            *(message.recipient, message.conversation),
        )
        if put.rowcount == 1:
            transaction.count(message.recipient, 1)
        if message.reply_to is not None:
            transaction.rung.add(message.reply_to)  # whoever asked listens for it

    def _is_known(self, transaction: Transaction, message_id: str) -> bool:
        found = transaction.execute("SELECT 1 FROM messages WHERE id = ?", message_id)
        return found.fetchone() is not None

    def take(
        self, transaction: Transaction, agent: str, lease: float
    ) -> tuple[Message | None, float | None]:
        """Hand out the next message; if there is none, say when a lease ends, in seconds."""
        now = transaction.now
        row = transaction.execute(
            _TAKE.format(skip=transaction.skip), now + lease, agent, now
        ).fetchone()
        if row is not None:
            return _message(row), None
        (free_at,) = transaction.execute(
            "SELECT MIN(free_at) FROM messages WHERE recipient = ? AND head = 1", agent
        ).fetchone()
        return None, None if free_at is None else max(free_at - now, 0.001)

    def take_once(
        self, transaction: Transaction, agent: str, key: str
    ) -> tuple[Message | None, float | None]:
        """Hand out the next message and acknowledge it; for the same key, always the same."""
        row = transaction.execute(
            f"SELECT {_COLUMNS} FROM messages WHERE recipient = ? AND claim = ?",  # noqa: S608 - constants only
            *(agent, key),
        ).fetchone()
        if row is not None:
            return _message(row), None
        found, seconds = self.take(transaction, agent, 0)
        if found is not None:
            self._acknowledge(transaction, found)
            transaction.execute("UPDATE messages SET claim = ? WHERE id = ?", key, found.id)
        return found, seconds

    def ack(self, transaction: Transaction, message: Message) -> bool:
        """Acknowledge a message; False if it was handed out again meanwhile."""
        if self._acknowledge(transaction, message):
            return True
        row = transaction.execute(
            "SELECT 1 FROM messages WHERE id = ? AND attempt = ? AND acked_at IS NOT NULL",
            *(message.id, message.attempt),
        ).fetchone()
        return row is not None

    def _acknowledge(self, transaction: Transaction, message: Message) -> bool:
        acked = transaction.execute(
            f"UPDATE messages SET acked_at = ?, head = 0 WHERE {_HELD}",  # noqa: S608 - a constant
            *(transaction.now, message.id, message.attempt),
        )
        if acked.rowcount != 1:
            return False
        transaction.count(message.recipient, -1)
        transaction.execute(_PROMOTE, message.recipient, message.conversation)
        self._acked += 1
        if self._acked > self._history // 10:
            self._acked = 0
            transaction.execute(_TRIM, self._history)
        return True

    def extend(self, transaction: Transaction, message: Message, lease: float) -> bool:
        """Let a lease end so many seconds from now; False if it is lost."""
        extended = transaction.execute(
            f"UPDATE messages SET free_at = ? WHERE {_HELD}",  # noqa: S608 - a constant
            *(transaction.now + lease, message.id, message.attempt),
        )
        if lease <= 0 and extended.rowcount == 1:
            transaction.rung.add(message.recipient)
        return bool(extended.rowcount == 1)

    def take_reply(self, transaction: Transaction, agent: str, request: str) -> Message | None:
        """Return the reply to a request, acknowledged."""
        row = transaction.execute(
            f"SELECT {_COLUMNS} FROM messages WHERE reply_to = ? AND recipient = ? "  # noqa: S608 - constants only
            "ORDER BY seq LIMIT 1",
            *(request, agent),
        ).fetchone()
        if row is None:
            return None
        found = _message(row)
        self._acknowledge(transaction, found)
        return found

    def join(self, transaction: Transaction, agent: str) -> None:
        """Let an agent be written to."""
        transaction.execute(
            "INSERT INTO members (name, waiting, status, detail, since) "
            "SELECT ?, COUNT(*), 'joined', 'null', ? FROM messages "
            "WHERE recipient = ? AND acked_at IS NULL ON CONFLICT (name) DO NOTHING",
            *(agent, transaction.now, agent),
        )

    def leave(self, transaction: Transaction, agent: str) -> None:
        """Let an agent not be written to any more; what it has got is kept."""
        transaction.execute("DELETE FROM subscriptions WHERE agent = ?", agent)
        transaction.execute("DELETE FROM members WHERE name = ?", agent)

    def subscribe(self, transaction: Transaction, agent: str, kinds: Sequence[str]) -> None:
        """Have messages of these kinds that anybody publishes."""
        for kind in kinds:
            transaction.execute(
                "INSERT INTO subscriptions (kind, agent) VALUES (?, ?) ON CONFLICT DO NOTHING",
                *(kind, agent),
            )

    def unsubscribe(self, transaction: Transaction, agent: str, kinds: Sequence[str]) -> None:
        """Have them no more."""
        for kind in kinds:
            transaction.execute(
                "DELETE FROM subscriptions WHERE kind = ? AND agent = ?", kind, agent
            )

    def set_status(self, transaction: Transaction, agent: str, status: str, detail: str) -> None:
        """Note how an agent is."""
        transaction.execute(
            "UPDATE members SET status = ?, detail = ?, since = ? WHERE name = ?",
            *(status, detail, transaction.now, agent),
        )

    def members(self, transaction: Transaction) -> list[Member]:
        """Return who has joined, by name."""
        rows = transaction.execute(
            "SELECT name, waiting, status, detail, since FROM members ORDER BY name"
        ).fetchall()
        return [
            Member(name, waiting, status, json.loads(detail), since)
            for name, waiting, status, detail, since in rows
        ]

    def subscribers(self, transaction: Transaction, kind: str) -> list[str]:
        """Return who has subscribed to a kind, by name."""
        rows = transaction.execute(
            "SELECT agent FROM subscriptions WHERE kind = ? ORDER BY agent", kind
        ).fetchall()
        return [agent for (agent,) in rows]

    def history(
        self, transaction: Transaction, wanted: Mapping[str, str | None], limit: int
    ) -> list[Message]:
        """Return the latest messages, oldest first.

        Args:
            transaction: To read in.
            wanted: Values of `agent` (sender or recipient) and of columns; None for any.
            limit: How many at most.
        """
        where: list[str] = ["1 = 1"]
        values: list[str] = []
        for name, value in wanted.items():
            if value is None:
                continue
            where.append("(sender = ? OR recipient = ?)" if name == "agent" else f"{name} = ?")
            values += [value, value] if name == "agent" else [value]
        rows = transaction.execute(
            f"SELECT {_COLUMNS} FROM messages WHERE {' AND '.join(where)} "  # noqa: S608 - names of columns
            "ORDER BY seq DESC LIMIT ?",
            *(*values, limit),
        ).fetchall()
        return [_message(row) for row in reversed(rows)]


def _message(row: Sequence[Any]) -> Message:
    values = dict(zip((field.name for field in fields(Message)), row, strict=True))
    values["body"] = json.loads(values["body"])
    values["priority"] = priority_of(values["priority"])
    values["taint"] = tuple(json.loads(values["taint"]))
    return Message(**values)
