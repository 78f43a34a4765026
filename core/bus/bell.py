"""Waking those who wait for an inbox to change, on whichever loop they wait."""

import asyncio
import contextlib
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = ["Bell", "Ticket"]


class Ticket:
    """One who waits; made on its own loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def clear(self) -> None:
        """Forget what rang before."""
        self._event.clear()

    async def rung(self, seconds: float) -> None:
        """Return when it has rung since `clear`, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0)):
                await self._event.wait()

    def ring(self) -> None:
        """Wake it, from any thread."""
        with contextlib.suppress(RuntimeError):  # its loop is closed
            self._loop.call_soon_threadsafe(self._event.set)


class Bell:
    """Who waits for which agent's inbox; safe to share between threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._tickets: dict[str, set[Ticket]] = {}

    @property
    def has_listeners(self) -> bool:
        """Whether anybody waits."""
        return bool(self._tickets)

    @contextmanager
    def listening(self, agents: Iterable[str]) -> Iterator[Ticket]:
        """Hear, inside the block, of changes of these inboxes."""
        ticket, names = Ticket(), set(agents)
        with self._guard:
            for name in names:
                self._tickets.setdefault(name, set()).add(ticket)
        try:
            yield ticket
        finally:
            with self._guard:
                for name in names:
                    self._tickets[name].discard(ticket)
                    if not self._tickets[name]:
                        del self._tickets[name]

    def ring(self, agents: Iterable[str] | None) -> None:
        """Wake those who wait for one of these inboxes; None for all."""
        with self._guard:
            names = self._tickets if agents is None else self._tickets.keys() & set(agents)
            found = {ticket for name in names for ticket in self._tickets[name]}
        for ticket in found:
            ticket.ring()
