"""What a shell offers after TAB: names of graphs, tools, threads and tasks, and closed choices.

A key is to be answered at once and without a word: nothing heavy is imported, no server is asked,
no file is made, and what cannot be read has nothing to offer.
"""

import json
import runpy
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import typer

from cogwork.core.errors import CogworkError

__all__ = ["bench_ids", "bench_kinds", "graph_names", "one_of", "task_ids", "thread_ids", "tools"]

_PACKAGE = Path(__file__).parent.parent
_THREADS = "SELECT DISTINCT thread_id FROM checkpoints WHERE substr(thread_id, 1, ?) = ? LIMIT 100"
_TASKS = (
    "SELECT id, graph || ', ' || state FROM tasks "
    "WHERE substr(id, 1, ?) = ? ORDER BY created DESC LIMIT 100"
)

Offer = tuple[str, str]


def one_of(*words: str) -> Callable[[], list[str]]:
    """Return what offers these words."""
    return lambda: [*words]


def graph_names() -> list[Offer]:
    """Offer the graphs, with what they are."""
    # The package `cogwork.graphs` takes a second to import; its registry alone does not.
    registry = runpy.run_path(str(_PACKAGE / "graphs" / "registry.py"))["graphs"]
    return [(entry.name, entry.description) for entry in registry]


def tools() -> list[Offer]:
    """Offer the tools and groups of them, with what they do."""
    from cogwork.tools.registry import tools as registry

    groups: dict[str, list[str]] = {}
    for entry in registry:
        if group := entry.metadata.get("group"):
            groups.setdefault(str(group), []).append(entry.name)
    single = [(entry.name, entry.description) for entry in registry]
    return single + [(name, ", ".join(members)) for name, members in groups.items()]


def bench_ids() -> list[Offer]:
    """Offer the package's tasks of `cogwork bench`, with their questions."""
    return [(task["id"], task["question"]) for task in _bench()]


def bench_kinds() -> list[str]:
    """Offer their kinds."""
    return list(dict.fromkeys(task["kind"] for task in _bench()))


def thread_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the threads that are kept in a file."""
    return [thread for (thread,) in _rows(ctx, "checkpointer", _THREADS, incomplete)]


def task_ids(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the tasks that are kept in a file, the newest first, with graph and state."""
    return [(key, about) for key, about in _rows(ctx, "tasks", _TASKS, incomplete)]


def _bench() -> Iterator[dict[str, Any]]:
    data = _PACKAGE / "runtime" / "evaluation" / "data" / "tasks.jsonl"
    return map(json.loads, data.read_text(encoding="utf-8").splitlines())


def _rows(
    ctx: typer.Context, setting: str, statement: str, incomplete: str
) -> list[tuple[str, ...]]:
    """What a statement finds in the file of SQLite that a setting names, if there is one."""
    from cogwork.core.settings import load_settings

    with suppress(CogworkError, OSError, RuntimeError, sqlite3.Error):
        url = str(getattr(load_settings(ctx.params.get("config")), setting))
        scheme, _, place = url.partition("?")[0].partition(":///")
        path = Path(place).expanduser()
        if scheme != "sqlite" or not path.is_file():
            return []
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=0.2)) as connection:
            return connection.execute(statement, [len(incomplete), incomplete]).fetchall()
    return []
