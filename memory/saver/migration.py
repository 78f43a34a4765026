"""A file of LangGraph's `SqliteSaver`, or of cogwork before it had its own, becomes one of ours."""

import sqlite3

from cogwork.memory.saver.rows import COLUMNS, create, short

__all__ = ["is_ready", "prepare"]


def is_ready(cursor: sqlite3.Cursor) -> bool:
    """Whether the tables are ours, all of them."""
    return bool("c" in _columns(cursor, "writes") and _columns(cursor, "snapshots"))


def prepare(cursor: sqlite3.Cursor) -> None:
    """Create the tables, and take over what LangGraph's have; all in one transaction.

    LangGraph's saver cannot open the file afterwards.
    """
    known = _columns(cursor, "writes")
    if not known or "c" in known:
        create(cursor)
        return
    cursor.execute("ALTER TABLE checkpoints RENAME TO langgraph_checkpoints")
    cursor.execute("ALTER TABLE writes RENAME TO langgraph_writes")
    create(cursor)
    cursor.connection.create_function("short", 1, _short, deterministic=True)
    columns = COLUMNS.removesuffix(
        ", channels, checksum"
    )  # unknown, so that their insides are looked at
    path = "task_path" if "task_path" in _columns(cursor, "langgraph_writes") else "''"
    cursor.execute(
        f"INSERT INTO checkpoints ({columns}) SELECT {_shortened(columns)} FROM langgraph_checkpoints"  # noqa: S608 - constants
    )
    # A write may have come before its checkpoint.
    place = "thread_id, checkpoint_ns, checkpoint_id"
    cursor.execute(
        f"INSERT OR IGNORE INTO checkpoints ({place}) "  # noqa: S608 - constants
        f"SELECT DISTINCT {_shortened(place)} FROM langgraph_writes"
    )
    cursor.execute(
        "INSERT INTO writes (c, task_id, task_path, idx, channel, type, value) "  # noqa: S608 - constants
        f"SELECT c.n, short(task_id), {path}, idx, channel, w.type, w.value FROM langgraph_writes w "
        "JOIN checkpoints c ON c.thread_id = w.thread_id AND c.checkpoint_ns = w.checkpoint_ns "
        "AND c.checkpoint_id = short(w.checkpoint_id)"
    )
    cursor.execute("DROP TABLE langgraph_checkpoints")
    cursor.execute("DROP TABLE langgraph_writes")


def _short(name: str | None) -> str | bytes | None:
    return name and short(name)


def _shortened(columns: str) -> str:
    return (
        columns.replace("parent_checkpoint_id", "short(parent)")
        .replace("checkpoint_id", "short(checkpoint_id)")
        .replace("short(parent)", "short(parent_checkpoint_id)")
    )


def _columns(cursor: sqlite3.Cursor, table: str) -> list[str]:
    return [row[1] for row in cursor.execute(f"PRAGMA table_info({table})")]
