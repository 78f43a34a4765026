"""What the statements of the bus run in, and what they run on."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

__all__ = ["Database", "Transaction", "Work"]


class Transaction:
    """One transaction, shared by all who wait for it; statements take `?` for arguments.

    Args:
        cursor: Of the database.
        now: Seconds since 1970, by the database's clock.
        lock: What makes a `SELECT` wait for rows that others change.
        skip: What makes a `SELECT` skip rows that others change.
    """

    def __init__(self, cursor: Any, now: Callable[[], float], *, lock: str, skip: str) -> None:
        self.cursor = cursor
        self.skip = skip
        self.rung: set[str] = set()
        """The agents whose inboxes changed."""
        self._lock = lock
        self._waiting: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._now = now
        self.now = 0.0

    def execute(self, statement: str, *args: Any) -> Any:
        """Run a statement and return the cursor."""
        return self.cursor.execute(statement, args)

    def begin(self, agents: Iterable[str]) -> None:
        """Hold the inboxes that will change, in one order, so that nobody waits in a circle."""
        names = sorted(set(agents))
        if names:
            places = ", ".join("?" * len(names))
            found = self.execute(
                f"SELECT name, waiting FROM members WHERE name IN ({places}) "  # noqa: S608 - placeholders only
                f"ORDER BY name{self._lock}",
                *names,
            ).fetchall()
            self._waiting = dict(found)
            self._before = dict(found)
        self.now = self._now()

    def waiting(self, agent: str) -> int | None:
        """How many messages an agent has not acknowledged; None for one that never joined."""
        return self._waiting.get(agent)

    def count(self, agent: str, change: int) -> None:
        """Note that an inbox has so many more."""
        if agent in self._waiting:  # it may have left
            self._waiting[agent] += change
        self.rung.add(agent)

    def finish(self) -> None:
        """Write what was counted."""
        changed = [
            (count, name) for name, count in self._waiting.items() if self._before[name] != count
        ]
        if changed:
            self.cursor.executemany("UPDATE members SET waiting = ? WHERE name = ?", changed)


Work = Callable[[Transaction], None]


class Database(Protocol):
    """What keeps the messages; only one thread calls it, but for `stop`."""

    poll_seconds: float | None
    """How often to look whether other processes wrote; None where it is told."""

    def transact(self, agents: Sequence[str], work: Work) -> set[str]:
        """Run `work` durably, all or nothing; return the agents whose inboxes changed.

        `work` may run twice.

        Raises:
            BusError: The database cannot do it.
        """

    def has_changed(self) -> bool:
        """Whether other processes have written since the last question."""

    def listen(self, ring: Callable[[Iterable[str] | None], None]) -> None:
        """Tell, from then on, whose inboxes other processes change; None for all."""

    def stop(self) -> None:
        """Give up waiting for the server; called from any thread."""

    def close(self) -> None:
        """Let go of files and connections."""
