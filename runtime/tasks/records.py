"""Tasks and their events in SQLite, which processes of a machine may share, or in PostgreSQL.

Each change is one transaction that looks at the state it changes, so that two runners never
start the same task, and what one was told the other sees.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from pydantic_core import to_jsonable_python

from cogwork.core.errors import TaskError, redact
from cogwork.memory.store.sqlite_file import SqliteFile
from cogwork.runtime.tasks.postgres import PostgresFile
from cogwork.runtime.tasks.task import ENDED, State, Task, TaskEvent, require_transition

__all__ = ["Records"]

T = TypeVar("T")

_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS tasks (
        id TEXT PRIMARY KEY, graph TEXT NOT NULL, state TEXT NOT NULL, phase TEXT,
        priority INTEGER NOT NULL, progress REAL NOT NULL, parent TEXT, trace TEXT NOT NULL,
        timeout REAL, ran REAL NOT NULL, attempts INTEGER NOT NULL, created REAL NOT NULL,
        started REAL, ended REAL, touched REAL NOT NULL, budget TEXT, spent TEXT NOT NULL,
        error TEXT, questions TEXT NOT NULL,
        kind TEXT NOT NULL, input BLOB NOT NULL, answer TEXT, wish TEXT, owner TEXT
    ) STRICT;
    CREATE INDEX IF NOT EXISTS tasks_waiting ON tasks (priority DESC, created) WHERE state = 'pending';
    CREATE INDEX IF NOT EXISTS tasks_states ON tasks (state, created);
    CREATE INDEX IF NOT EXISTS tasks_parents ON tasks (parent) WHERE parent IS NOT NULL;
    CREATE TABLE IF NOT EXISTS events (
        task TEXT NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL,
        data TEXT NOT NULL, PRIMARY KEY (task, number)
    ) STRICT, WITHOUT ROWID;
"""
_FIELDS: Final = tuple(Task.model_fields)
_COLUMNS: Final = ", ".join(_FIELDS)
_CLAIM: Final = f"""
    UPDATE tasks SET state = 'running', owner = ?, started = ?, touched = ?,
    attempts = attempts + 1, questions = '[]', wish = NULL WHERE id = (
        SELECT id FROM tasks WHERE state = 'pending' AND graph IN ({{}})
        ORDER BY priority DESC, created LIMIT 1{{}}
    ) RETURNING {_COLUMNS}
"""  # noqa: S608 - constants
_AS_JSON: Final = ("questions", "answer", "budget", "spent")
_KEPT: Final = 1_000  # events of a task; the oldest go first
_LONGEST: Final = 10_000  # characters of one event


class _File(Protocol):
    """Where tasks are, whatever it is."""

    def write(self, work: Callable[[Any], T]) -> T: ...
    def read(self) -> AbstractContextManager[Any]: ...
    def close(self) -> None: ...


class Records:
    """What a runner knows of its tasks.

    Args:
        place: The file, which is created with its folder; or the URL of a PostgreSQL database.

    Raises:
        ConfigurationError: The extra for PostgreSQL is missing, or its URL is wrong.
        MemoryStoreError: It cannot be opened or written, now or later.
    """

    def __init__(self, place: Path | str) -> None:
        self._file: _File
        self._lock = self._skip = ""
        if isinstance(place, str):
            self._file = PostgresFile(place)
            self._lock, self._skip = PostgresFile.lock, PostgresFile.skip
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            self._file = SqliteFile(place, _prepare)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def add(self, task: Task, given: tuple[str, bytes], most: int) -> None:
        """Note a new task.

        Raises:
            TaskError: There is one of that id, or as many as `most` wait already.
        """
        row = _row(task)

        def work(cursor: sqlite3.Cursor) -> None:
            waiting = cursor.execute("SELECT count(*) FROM tasks WHERE state = 'pending'")
            if waiting.fetchone()[0] >= most:
                raise TaskError(
                    f"{most:,} tasks are waiting already; submit again when some have run, or "
                    "let more run at once (max_concurrency) or wait (max_pending)"
                )
            made = cursor.execute(
                f"INSERT INTO tasks ({_COLUMNS}, kind, input) "  # noqa: S608 - constants
                f"VALUES ({', '.join('?' * (len(_FIELDS) + 2))}) "
                "ON CONFLICT (id) DO NOTHING RETURNING id",
                [*row.values(), *given],
            ).fetchone()
            if made is None:
                raise TaskError(f"there is a task '{task.id}' already; choose another id")
            _note(cursor, task.id, [("state", {"state": "pending"})])

        self._file.write(work)

    def get(self, key: str) -> Task:
        """Return a task.

        Raises:
            TaskError: There is none.
        """
        with self._file.read() as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM tasks WHERE id = ?",  # noqa: S608 - constants
                [key],
            ).fetchone()
        if row is None:
            raise TaskError(f"there is no task '{key}'; `cogwork tasks list` shows them")
        return _task(row)

    def input_of(self, key: str) -> tuple[tuple[str, bytes], Any]:
        """Return what a task was given, and the answers it goes on with."""
        with self._file.read() as connection:
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
        with self._file.read() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM tasks {where} ORDER BY created DESC LIMIT ?",  # noqa: S608 - constants
                [*(value for value in wanted.values() if value is not None), limit],
            ).fetchall()
        return [_task(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """Return how many tasks there are in each state."""
        with self._file.read() as connection:
            return dict(connection.execute("SELECT state, count(*) FROM tasks GROUP BY state"))

    def events(self, key: str, after: int = 0) -> list[TaskEvent]:
        """Return what happened to a task, after the event of that number."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT number, at, kind, data FROM events WHERE task = ? AND number > ? "
                "ORDER BY number",
                [key, after],
            ).fetchall()
        return [
            TaskEvent(number=number, at=at, kind=kind, data=json.loads(data))
            for number, at, kind, data in rows
        ]

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
            task = _task(row)
            _note(cursor, task.id, [("state", {"state": "running", "attempt": task.attempts})])
            return task

        with self._file.read() as connection:  # most looks find nothing, and write nothing
            if not connection.execute("SELECT 1 FROM tasks WHERE state = 'pending'").fetchone():
                return None
        return self._file.write(work)

    def change(
        self, key: str, after: State, owner: str | None = None, **values: Any
    ) -> Task | None:
        """Change a task's state; None if it is not (or no longer) the owner's.

        Args:
            key: Which.
            after: What it becomes.
            owner: Who may change it while it runs; None for whoever asks.
            **values: What else becomes known: error, questions, answer.

        Raises:
            TaskError: There is none, or its state does not allow it.
        """

        def work(cursor: sqlite3.Cursor) -> Task | None:
            row = cursor.execute(
                f"SELECT {_COLUMNS}, owner FROM tasks WHERE id = ?{self._lock}",  # noqa: S608 - constants
                [key],
            ).fetchone()
            if row is None:
                raise TaskError(f"there is no task '{key}'; `cogwork tasks list` shows them")
            before, now = _task(row[:-1]), time.time()
            if owner is not None and (row[-1] != owner or before.state != "running"):
                return None
            require_transition(key, before.state, after)
            told = {
                **values,
                "state": after,
                "touched": now,
                "ran": before.duration(now),
                "owner": None,
                "wish": None,
            }
            if after in ENDED:
                told["ended"] = now
                told["phase"] = None
            if after == "completed":
                told["progress"] = 1.0
            _update(cursor, key, told)
            _note(cursor, key, [("state", {"state": after, **_said(values)})])
            return before.model_copy(update={"state": after, "touched": now, "ran": told["ran"]})

        return self._file.write(work)

    def wish(self, key: str, wish: str) -> bool:
        """Tell whoever runs a task what is wanted of it; False if nobody runs it."""

        def work(cursor: sqlite3.Cursor) -> bool:
            cursor.execute(
                "UPDATE tasks SET wish = ? WHERE id = ? AND state = 'running' "
                "AND coalesce(wish, '') <> 'cancel'",
                [wish, key],
            )
            return cursor.rowcount > 0

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
        progress: Mapping[str, tuple[float, str | None]],
        events: Mapping[str, Sequence[tuple[str, Any]]],
    ) -> None:
        """Note how far the tasks are that one runs, and what happened to them."""

        def work(cursor: sqlite3.Cursor) -> None:
            now = time.time()
            for key, (share, phase) in progress.items():
                cursor.execute(
                    "UPDATE tasks SET progress = ?, phase = ?, touched = ? "
                    "WHERE id = ? AND owner = ? AND state = 'running'",
                    [share, phase, now, key, owner],
                )
            for key, happened in events.items():
                _note(cursor, key, happened)

        self._file.write(work)

    def owners(self) -> list[str]:
        """Return who runs tasks."""
        with self._file.read() as connection:
            rows = connection.execute("SELECT DISTINCT owner FROM tasks WHERE state = 'running'")
            return [owner for (owner,) in rows]

    def held(self, owner: str) -> set[str]:
        """Return the tasks that one runs."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT id FROM tasks WHERE state = 'running' AND owner = ?", [owner]
            )
            return {key for (key,) in rows}

    def requeue(self, owners: Sequence[str]) -> None:
        """Take from the dead what they ran; it is pending again."""

        def work(cursor: sqlite3.Cursor) -> None:
            for owner in owners:
                lost = cursor.execute(
                    "UPDATE tasks SET state = 'pending', owner = NULL, "
                    "ran = ran + CASE WHEN touched > started THEN touched - started ELSE 0 END "
                    "WHERE state = 'running' AND owner = ? RETURNING id",
                    [owner],
                ).fetchall()
                for (key,) in lost:
                    told = {"state": "pending", "reason": "its runner died"}
                    _note(cursor, key, [("state", told)])

        self._file.write(work)

    def remove(self, before: float) -> list[str]:
        """Forget the tasks that ended before a time; return which."""

        def work(cursor: sqlite3.Cursor) -> list[str]:
            gone = cursor.execute(
                "DELETE FROM tasks WHERE ended < ? RETURNING id", [before]
            ).fetchall()
            cursor.executemany("DELETE FROM events WHERE task = ?", gone)
            return [key for (key,) in gone]

        return self._file.write(work)


def _prepare(connection: sqlite3.Connection) -> None:
    connection.executescript(_SCHEMA)


def _update(cursor: sqlite3.Cursor, key: str, values: Mapping[str, Any]) -> None:
    named = {
        name: json.dumps(_plain(value)) if name in _AS_JSON and value is not None else value
        for name, value in values.items()
    }
    if named.get("error"):
        named["error"] = _encodable(named["error"]).replace("\0", "\\x00")
    cursor.execute(
        f"UPDATE tasks SET {', '.join(f'{name} = ?' for name in named)} WHERE id = ?",  # noqa: S608 - names of columns
        [*named.values(), key],
    )


def _note(cursor: sqlite3.Cursor, key: str, happened: Sequence[tuple[str, Any]]) -> None:
    if not happened:
        return
    last = cursor.execute("SELECT max(number) FROM events WHERE task = ?", [key]).fetchone()[0] or 0
    now = time.time()
    cursor.executemany(
        "INSERT INTO events (task, number, at, kind, data) VALUES (?, ?, ?, ?, ?)",
        [
            (key, number, now, kind, _short(data))
            for number, (kind, data) in enumerate(happened, last + 1)
        ],
    )
    cursor.execute(
        "DELETE FROM events WHERE task = ? AND number <= ?", [key, last + len(happened) - _KEPT]
    )


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in values.items() if name in ("error", "questions") and value
    }


def _short(data: Any) -> str:
    text = _encodable(json.dumps(_plain(data), ensure_ascii=False))
    return text if len(text) <= _LONGEST else json.dumps({"cut": text[:_LONGEST]})


def _plain(data: Any) -> Any:
    try:
        return to_jsonable_python(data, fallback=lambda value: redact(repr(value))[:200])
    except Exception as error:  # noqa: BLE001 - what a graph tells may hold itself, or refuse to be shown
        return f"{type(data).__name__} that cannot be shown: {redact(str(error)):.200}"


def _encodable(text: str) -> str:
    """Half a surrogate pair becomes its escape, as JSON writes it too."""
    return text.encode(errors="backslashreplace").decode()


def _row(task: Task) -> dict[str, Any]:
    return {
        name: json.dumps(value) if name in _AS_JSON and value is not None else value
        for name, value in task.model_dump().items()
    }


def _task(row: Sequence[Any]) -> Task:
    return Task(
        **{
            name: json.loads(value) if name in _AS_JSON and value is not None else value
            for name, value in zip(_FIELDS, row, strict=True)
        }
    )
