"""Who runs which task: runners take what waits, say how it goes, and replace the dead."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, TypeVar

from cogwork.runtime.tasks.postgres import PostgresFile
from cogwork.runtime.tasks.rows import COLUMNS, note, task_of
from cogwork.runtime.tasks.task import Task

__all__ = ["Claims", "TaskFile"]

T = TypeVar("T")

_CLAIM: Final = f"""
    UPDATE tasks SET state = 'running', owner = ?, started = ?, touched = ?,
    attempts = attempts + 1, questions = '[]', wish = NULL WHERE id = (
        SELECT id FROM tasks WHERE state = 'pending' AND graph IN ({{}})
        ORDER BY priority DESC, created LIMIT 1{{}}
    ) RETURNING {COLUMNS}
"""  # noqa: S608 - constants
# What was wanted of a task and its runner did not come to do, is done when it is taken from it.
_TAKE_BACK: Final = """
    UPDATE tasks SET
    state = CASE wish WHEN 'cancel' THEN 'cancelled' WHEN 'pause' THEN 'paused' ELSE 'pending' END,
    ended = CASE wish WHEN 'cancel' THEN ? ELSE ended END, owner = NULL, wish = NULL,
    ran = ran + CASE WHEN touched > started THEN touched - started ELSE 0 END
    WHERE state = 'running' AND owner = ?
"""


class TaskFile(Protocol):
    """Where tasks are, whatever it is."""

    def write(self, work: Callable[[Any], T]) -> T:
        """Run `work` in a transaction and return its result once that is durable."""
        ...

    def read(self) -> AbstractContextManager[Any]:
        """Lend a connection that sees what is committed."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class Claims:
    """The tasks of a file as its runners see them.

    Args:
        file: Where they are.
    """

    def __init__(self, file: TaskFile) -> None:
        self._file = file
        self._skip = PostgresFile.skip if isinstance(file, PostgresFile) else ""

    def claim(self, owner: str, graphs: Iterable[str]) -> Task | None:
        """Start the task that is to go first of those that wait; None if none does."""
        names = list(graphs)

        def work(cursor: sqlite3.Cursor) -> Task | None:
            now = time.time()
            row = cursor.execute(
                _CLAIM.format(", ".join("?" * len(names)), self._skip),
                [owner, now, now, *names],
            ).fetchone()
            if row is None:
                return None
            task = task_of(row)
            note(cursor, task.id, [("state", {"state": "running", "attempt": task.attempts})])
            return task

        with self._file.read() as connection:  # most looks find nothing, and write nothing
            if not connection.execute("SELECT 1 FROM tasks WHERE state = 'pending'").fetchone():
                return None
        return self._file.write(work)

    def wishes(self, owner: str) -> dict[str, str]:
        """Return what is wanted of the tasks that one runs."""
        with self._file.read() as connection:
            return dict(
                connection.execute(
                    "SELECT id, wish FROM tasks WHERE owner = ? AND wish IS NOT NULL "
                    "AND state = 'running'",
                    [owner],
                )
            )

    def tell(
        self,
        owner: str,
        progress: Mapping[str, tuple[float, str | None, Mapping[str, float]]],
        events: Mapping[str, Sequence[tuple[str, Any]]],
    ) -> None:
        """Note how far the tasks are that one runs, what they spent, and what happened to them."""

        def work(cursor: sqlite3.Cursor) -> None:
            now = time.time()
            for key, (share, phase, spent) in progress.items():
                cursor.execute(
                    "UPDATE tasks SET progress = ?, phase = ?, spent = ?, touched = ? "
                    "WHERE id = ? AND owner = ? AND state = 'running'",
                    [share, phase, json.dumps(spent), now, key, owner],
                )
            for key, happened in events.items():
                note(cursor, key, happened)

        self._file.write(work)

    def held(self, owner: str) -> set[str]:
        """Return the tasks that one runs."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT id FROM tasks WHERE state = 'running' AND owner = ?", [owner]
            )
            return {key for (key,) in rows}

    def owners(self) -> list[str]:
        """Return who runs tasks."""
        with self._file.read() as connection:
            rows = connection.execute("SELECT DISTINCT owner FROM tasks WHERE state = 'running'")
            return [owner for (owner,) in rows]

    def requeue(self, owners: Sequence[str]) -> None:
        """Take from the dead what they ran; it is pending again, unless it was to end or pause."""

        def work(cursor: sqlite3.Cursor) -> None:
            for owner in owners:
                lost = cursor.execute(
                    f"{_TAKE_BACK} RETURNING id, state", [time.time(), owner]
                ).fetchall()
                for key, state in lost:
                    note(cursor, key, [("state", {"state": state, "reason": "its runner died"})])

        self._file.write(work)

    def put_back(self, owner: str, keys: Iterable[str]) -> None:
        """Let tasks start again that one runs by the records, and yet does not run."""

        def work(cursor: sqlite3.Cursor) -> None:
            for key in keys:
                back = cursor.execute(
                    f"{_TAKE_BACK} AND id = ? RETURNING state", [time.time(), owner, key]
                ).fetchone()
                if back is not None:
                    told = {"state": back[0], "reason": "its start was not heard of"}
                    note(cursor, key, [("state", told)])

        self._file.write(work)
