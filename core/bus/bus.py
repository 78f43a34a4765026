"""The bus: agents join it, and then write to each other."""

import asyncio
import math
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from cogwork.core.bus.inboxes import Inboxes
from cogwork.core.bus.mailbox import Mailbox
from cogwork.core.bus.message import Member, Message, checked_name
from cogwork.core.bus.sending import Limits, Outgoing
from cogwork.core.bus.sqlite import SqliteDatabase
from cogwork.core.bus.transaction import Database
from cogwork.core.bus.worker import Worker
from cogwork.core.errors import ConfigurationError, redact
from cogwork.core.registry import nearest

__all__ = ["Bus", "create_bus"]


class Bus:
    """Carries messages between agents; made by `create_bus`.

    It is a context manager, sync and async, and otherwise closes itself when nothing uses
    it any more. It belongs to no event loop, and may be used from several at once.
    """

    def __init__(self, database: Database, limits: Limits) -> None:
        self._worker = Worker(database)
        self._limits = limits
        self._inboxes = Inboxes(limits.capacity, limits.history)

    async def join(self, name: str, *, subscribe: Iterable[str] = ()) -> Mailbox:
        """Let an agent be written to, and return its place; again for a share of its inbox.

        Args:
            name: By which others write to it.
            subscribe: Kinds of which it gets what others publish.

        Raises:
            InvalidMessageError: The name or a kind is none.
            BusError: The bus cannot be opened.
        """
        checked_name(name, "agent")
        mailbox = Mailbox(Outgoing(name, self._worker, self._inboxes, self._limits))
        await self._worker.do(lambda tx: self._inboxes.join(tx, name))
        await mailbox.subscribe(*subscribe)
        return mailbox

    async def leave(self, name: str) -> None:
        """Let an agent not be written to any more; what it has got waits for its return."""
        await self._worker.do(lambda tx: self._inboxes.leave(tx, name), [name])

    async def members(self) -> tuple[Member, ...]:
        """Return who has joined, by name, with status and number of waiting messages."""
        return tuple(await self._worker.do(self._inboxes.members))

    async def history(
        self,
        *,
        agent: str | None = None,
        conversation: str | None = None,
        kind: str | None = None,
        limit: int = 100,
    ) -> list[Message]:
        """Return the latest messages, oldest first, as far as they are kept.

        Args:
            agent: Their sender or recipient.
            conversation: What they belong to.
            kind: Their type.
            limit: How many at most.
        """
        wanted = {"agent": agent, "conversation": conversation, "kind": kind}
        return await self._worker.do(lambda tx: self._inboxes.history(tx, wanted, limit))

    def close(self) -> None:
        """Finish what is under way and let go of the file or server."""
        self._worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close)


def create_bus(
    url: str = "memory://",
    *,
    capacity: int = 1_000,
    history: int = 10_000,
    max_bytes: int = 1_000_000,
    lease: float = 60.0,
) -> Bus:
    """Return a message bus; nothing is opened before somebody joins.

    Args:
        url: `memory://` within this process; `sqlite:///relative.db` or
            `sqlite:////absolute.db` for processes of this machine; or
            `postgresql://user:password@host:5432/database` for several machines (extra
            `postgres`).
        capacity: How many messages an agent may leave unacknowledged before senders wait.
        history: How many acknowledged messages are kept, over all agents; up to a tenth
            more for a while.
        max_bytes: How large a body may be, as JSON in UTF-8.
        lease: Seconds after which a message that is not acknowledged is handed out again.

    Raises:
        ConfigurationError: The URL or a limit is none, or the extra is missing.
    """
    limits = Limits(capacity, history, max_bytes, lease)
    for name, value in limits._asdict().items():
        whole = name == "lease" or isinstance(value, int)
        if not whole or not 0 < value < math.inf or isinstance(value, bool):
            raise ConfigurationError(f"{name} {value!r} of a message bus is no positive number")
    return Bus(_database(url), limits)


def _database(url: str) -> Database:
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise ConfigurationError(
            f"message bus '{redact(url)}' is no URL; write memory://, "
            f"sqlite:///{redact(url)} for a file, or postgresql://…"
        )
    if scheme in {"postgresql", "postgres"}:
        from cogwork.core.bus.postgres import PostgresDatabase

        return PostgresDatabase(f"postgresql://{rest}")
    if scheme == "sqlite":
        return SqliteDatabase(_file(rest))
    if scheme == "memory":
        if rest:
            raise ConfigurationError(f"message bus 'memory://{rest}': write memory://, no more")
        return SqliteDatabase(None)
    known = ["memory", "sqlite", "postgresql"]
    raise ConfigurationError(
        f"message bus '{redact(url)}': there is none for '{scheme}', {nearest(scheme, known)}"
    )


def _file(rest: str) -> Path:
    path = rest.removeprefix("/")
    if not rest.startswith("/") or path in {"", ":memory:"} or "?" in path:
        raise ConfigurationError(
            f"message bus 'sqlite://{rest}' names no file; write sqlite:///relative.db with "
            "three slashes, sqlite:////absolute.db with four, or memory://"
        )
    return Path(path).absolute()
