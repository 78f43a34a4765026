"""How tasks and their events lie in tables: the columns, and what goes into them and out."""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic_core import to_jsonable_python

from cogwork.core.errors import redact
from cogwork.runtime.tasks.task import Task

__all__ = ["COLUMNS", "FIELDS", "note", "prepare", "row_of", "task_of", "update"]

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
FIELDS: Final = tuple(Task.model_fields)
COLUMNS: Final = ", ".join(FIELDS)
_AS_JSON: Final = ("questions", "answer", "budget", "spent")
_KEPT: Final = 1_000  # events of a task; the oldest go first
_LONGEST: Final = 10_000  # characters of one event


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables in SQLite."""
    connection.executescript(_SCHEMA)


def update(cursor: sqlite3.Cursor, key: str, values: Mapping[str, Any]) -> None:
    """Write what became known of a task."""
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


def note(cursor: sqlite3.Cursor, key: str, happened: Sequence[tuple[str, Any]]) -> None:
    """Write down what happened to a task, and drop what is long ago."""
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


def row_of(task: Task) -> dict[str, Any]:
    """Return a task as a row."""
    return {
        name: json.dumps(value) if name in _AS_JSON and value is not None else value
        for name, value in task.model_dump().items()
    }


def task_of(row: Sequence[Any]) -> Task:
    """Return the task of a row."""
    return Task(
        **{
            name: json.loads(value) if name in _AS_JSON and value is not None else value
            for name, value in zip(FIELDS, row, strict=True)
        }
    )
