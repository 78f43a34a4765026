"""What can be seen of tasks, by their runner and by whoever opens their file."""

import time
from collections.abc import Iterator
from typing import Final, get_args

from cogwork.core.errors import ConfigurationError
from cogwork.core.registry import nearest
from cogwork.runtime.tasks.changes import Changes
from cogwork.runtime.tasks.records import Records
from cogwork.runtime.tasks.report import Report, TaskReport, report_of, report_of_all
from cogwork.runtime.tasks.submission import require_count, require_id, require_seconds
from cogwork.runtime.tasks.task import ENDED, State, Task, TaskEvent

__all__ = ["POLL", "Looking"]

POLL: Final = 0.2
"""Seconds between looks at what other processes did."""
_OFFERED: Final = 5  # ids that begin alike


class Looking:
    """The calls of a `Runner` that change nothing; each is a statement of the database or two.

    Args:
        records: Of the tasks.
        stall_after: Seconds without a word from a task after which it is said to stall.
    """

    def __init__(self, records: Records, stall_after: float) -> None:
        self._records = records
        self._stall_after = stall_after
        self._changes = Changes()

    def status(self, id: str) -> Task:  # noqa: A002
        """Return what is known of a task.

        Raises:
            TaskError: There is none.
        """
        return self._records.get(id)

    def named(self, beginning: str) -> str:
        """Return the id of the one task that is called so, or whose id begins so.

        Raises:
            ConfigurationError: There is none, or there are several.
        """
        require_id("id", beginning)
        found = self._records.beginning(beginning, _OFFERED)
        if len(found) == 1 or beginning in found[:1]:  # the shortest is the first
            return found[0]
        if not found:
            raise ConfigurationError(
                f"there is no task '{beginning}'; `cogwork tasks list` shows them"
            )
        more = ", …" if len(found) == _OFFERED else ""
        raise ConfigurationError(
            f"the ids of several tasks begin with '{beginning}': {', '.join(found)}{more}; "
            "write more of it"
        )

    def progress(self, id: str) -> float:  # noqa: A002
        """Return how far a task is, from 0 to 1."""
        return self._records.get(id).progress

    def events(self, id: str, after: int = 0) -> list[TaskEvent]:  # noqa: A002
        """Return what happened to a task after the event of that number, the last 1,000."""
        self._records.get(id)
        return self._records.events(id, after)

    def watch(self, id: str, after: int = 0) -> Iterator[TaskEvent]:  # noqa: A002
        """Yield what happens to a task, until it ends or pauses."""
        while True:
            seen = self._changes.number
            task = self._records.get(id)
            for event in self._records.events(id, after):
                after = event.number
                yield event
            if task.state in (*ENDED, "paused"):
                return
            self._changes.wait(seen, POLL)

    def list(self, state: State | None = None, *, limit: int = 100) -> list[Task]:
        """Return tasks, the newest first.

        Raises:
            ConfigurationError: There is no such state, or the limit is under 1.
        """
        if state is not None and state not in get_args(State):
            known = [*get_args(State)]
            raise ConfigurationError(f"no state is called {state!a}; {nearest(str(state), known)}")
        require_count("limit", limit)
        return self._records.find(state, limit=limit)

    def report(self, within: float | None = None) -> Report:
        """Return what became of all tasks, and what they took.

        Args:
            within: Seconds; what ended longer ago is left out. None for all that is kept.

        Raises:
            ConfigurationError: That is no number of seconds.
        """
        if within is not None:
            require_seconds("within", within, "leave it out for all that is kept")
        since = None if within is None else time.time() - within
        return report_of_all(self._records.lines(since), within, self._stall_after)

    def task_report(self, id: str) -> TaskReport:  # noqa: A002
        """Return what became of a task, and what it took.

        Raises:
            TaskError: There is none.
        """
        task = self._records.get(id)
        return report_of(task, self._records.events(id), time.time())

    def counts(self) -> dict[str, int]:
        """Return how many tasks there are in each state."""
        return self._records.counts()
