"""Tasks and their events in SQLite, which processes of a machine may share, or in PostgreSQL.

Each change is one transaction that looks at the state it changes, so that two runners never
start the same task, and what one was told the other sees.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from cogwork.core.errors import MemoryStoreError, TaskError
from cogwork.memory.store.sqlite_file import SqliteFile
from cogwork.runtime.tasks.claims import TaskFile
from cogwork.runtime.tasks.postgres import PostgresFile
from cogwork.runtime.tasks.report import Line
from cogwork.runtime.tasks.rows import COLUMNS, FIELDS, note, prepare, row_of, task_of, update
from cogwork.runtime.tasks.submission import require_id
from cogwork.runtime.tasks.task import ENDED, State, Task, TaskEvent, require_transition
from cogwork.runtime.wording import counted

__all__ = ["Records"]

T = TypeVar("T")
_WISHED: Final[Mapping[str, State]] = {"cancel": "cancelled", "pause": "paused"}


class Records:
    """What a runner knows of its tasks.

    Args:
        place: The file, which is created with its folder; or the URL of a PostgreSQL database.

    Raises:
        ConfigurationError: The extra for PostgreSQL is missing, or its URL is wrong.
        MemoryStoreError: It cannot be opened or written, now or later.
    """

    def __init__(self, place: Path | str) -> None:
        self.file: TaskFile
        self._lock = ""
        if isinstance(place, str):
            self.file = PostgresFile(place)
            self._lock = PostgresFile.lock
        else:
            _make_folder(place.parent)
            self.file = SqliteFile(place, prepare, name="tasks")

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def add(self, task: Task, given: tuple[str, bytes], most: int) -> None:
        """Note a new task.

        Raises:
            TaskError: There is one of that id, or as many as `most` wait already.
        """
        row = row_of(task)

        def work(cursor: sqlite3.Cursor) -> None:
            waiting = cursor.execute("SELECT count(*) FROM tasks WHERE state = 'pending'")
            if waiting.fetchone()[0] >= most:
                raise TaskError(
                    f"{counted(most, 'task is', 'tasks are')} waiting already; submit again when "
                    "some have run, or let more run at once (max_concurrency) or wait (max_pending)"
                )
            made = cursor.execute(
                f"INSERT INTO tasks ({COLUMNS}, kind, input) "  # noqa: S608 - constants
                f"VALUES ({', '.join('?' * (len(FIELDS) + 2))}) "
                "ON CONFLICT (id) DO NOTHING RETURNING id",
                [*row.values(), *given],
            ).fetchone()
            if made is None:
                raise TaskError(f"there is a task '{task.id}' already; choose another id")
            note(cursor, task.id, [("state", {"state": "pending"})])

        self.file.write(work)

    def get(self, key: str) -> Task:
        """Return a task.

        Raises:
            ConfigurationError: That is no id of a task.
            TaskError: There is none.
        """
        require_id("id", key)
        with self.file.read() as connection:
            row = connection.execute(
                f"SELECT {COLUMNS} FROM tasks WHERE id = ?",  # noqa: S608 - constants
                [key],
            ).fetchone()
        if row is None:
            raise TaskError(f"there is no task '{key}'; `cogwork tasks list` shows them")
        return task_of(row)

    def beginning(self, start: str, limit: int) -> list[str]:
        """Return the ids that begin so, the shortest first, at most so many of them."""
        with self.file.read() as connection:
            rows = connection.execute(
                "SELECT id FROM tasks WHERE substr(id, 1, ?) = ? ORDER BY length(id), id LIMIT ?",
                [len(start), start, limit],
            ).fetchall()
        return [key for (key,) in rows]

    def input_of(self, key: str) -> tuple[tuple[str, bytes], Any]:
        """Return what a task was given, and the answers it goes on with."""
        with self.file.read() as connection:
            kind, given, answer = connection.execute(
                "SELECT kind, input, answer FROM tasks WHERE id = ?", [key]
            ).fetchone()
        return (kind, given), None if answer is None else json.loads(answer)

    def find(
        self, state: State | None = None, parent: str | None = None, limit: int = 100
    ) -> list[Task]:
        """Return tasks, the newest first."""
        wanted = {"state": state, "parent": parent}
        terms = [f"{name} = ?" for name, value in wanted.items() if value is not None]
        where = f"WHERE {' AND '.join(terms)}" if terms else ""
        with self.file.read() as connection:
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM tasks {where} ORDER BY created DESC LIMIT ?",  # noqa: S608 - constants
                [*(value for value in wanted.values() if value is not None), limit],
            ).fetchall()
        return [task_of(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """Return how many tasks there are in each state."""
        with self.file.read() as connection:
            return dict(connection.execute("SELECT state, count(*) FROM tasks GROUP BY state"))

    def lines(self, since: float | None = None) -> Iterator[Line]:
        """Yield what a report looks at of all tasks but those that ended before a time."""
        with self.file.read() as connection:
            found = connection.execute(
                f"SELECT {', '.join(Line._fields)} FROM tasks "  # noqa: S608 - constants
                "WHERE ended IS NULL OR ended >= ?",
                [0.0 if since is None else since],
            )
            yield from map(Line._make, found)

    def events(self, key: str, after: int = 0) -> list[TaskEvent]:
        """Return what happened to a task, after the event of that number."""
        with self.file.read() as connection:
            rows = connection.execute(
                "SELECT number, at, kind, data FROM events WHERE task = ? AND number > ? "
                "ORDER BY number",
                [key, after],
            ).fetchall()
        return [
            TaskEvent(number=number, at=at, kind=kind, data=json.loads(data))
            for number, at, kind, data in rows
        ]

    def change(
        self, key: str, after: State, owner: str | None = None, **values: Any
    ) -> Task | None:
        """Change a task's state; None if it is not (or no longer) the owner's.

        Args:
            key: Which.
            after: What it becomes; what was to be cancelled or paused does not become pending.
            owner: Who may change it while it runs; None for whoever asks.
            **values: What else becomes known: error, questions, answer, ran.

        Raises:
            TaskError: There is none, or its state does not allow it.
        """

        def work(cursor: sqlite3.Cursor) -> Task | None:
            row = cursor.execute(
                f"SELECT {COLUMNS}, owner, wish FROM tasks WHERE id = ?{self._lock}",  # noqa: S608 - constants
                [key],
            ).fetchone()
            if row is None:
                raise TaskError(f"there is no task '{key}'; `cogwork tasks list` shows them")
            *fields, runs_it, wish = row
            before, now = task_of(fields), time.time()
            if owner is not None and (runs_it != owner or before.state != "running"):
                return None
            state = _WISHED.get(wish, after) if after == "pending" else after
            require_transition(key, before.state, state)
            told = {
                "ran": before.duration(now),
                **values,
                "state": state,
                "touched": now,
                "owner": None,
                "wish": None,
            }
            if state in ENDED:
                told["ended"] = now
                told["phase"] = None
            if state == "completed":
                told["progress"] = 1.0
            update(cursor, key, told)
            note(cursor, key, [("state", {"state": state, **_said(values)})])
            return before.model_copy(update={"state": state, "touched": now, "ran": told["ran"]})

        return self.file.write(work)

    def wish(self, key: str, wish: str) -> bool:
        """Tell whoever runs a task what is wanted of it; False if nobody runs it."""

        def work(cursor: sqlite3.Cursor) -> bool:
            cursor.execute(
                "UPDATE tasks SET wish = ? WHERE id = ? AND state = 'running' "
                "AND coalesce(wish, '') <> 'cancel'",
                [wish, key],
            )
            return cursor.rowcount > 0

        return self.file.write(work)

    def remove(self, before: float) -> list[str]:
        """Forget the tasks that ended before a time; return which."""

        def work(cursor: sqlite3.Cursor) -> list[str]:
            gone = cursor.execute(
                "DELETE FROM tasks WHERE ended < ? RETURNING id", [before]
            ).fetchall()
            cursor.executemany("DELETE FROM events WHERE task = ?", gone)
            return [key for (key,) in gone]

        return self.file.write(work)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MemoryStoreError(
            f"the tasks' folder '{folder}' cannot be made: {error.strerror}; choose another place"
        ) from error


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in values.items() if name in ("error", "questions") and value
    }
