"""Tasks on a terminal: a live table, and the facts of one."""

import json
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cogwork.runtime.answers import told
from cogwork.runtime.tasks.task import ENDED, Task
from cogwork.runtime.wording import amounts, counted

if TYPE_CHECKING:
    from rich.table import Table

    from cogwork.runtime.tasks.runner import Runner

__all__ = ["facts_of", "how_to_go_on", "tasks_table", "watch"]

_COLOURS = {
    "pending": "dim",
    "running": "cyan",
    "paused": "yellow",
    "completed": "green",
    "failed": "red",
    "cancelled": "dim",
}
_BAR = 20  # characters


def watch(runner: "Runner", key: str | None) -> None:
    """Show a task, or all that have not ended, until they have or wait for a person."""
    from rich.console import Console
    from rich.live import Live

    console = Console(emoji=False)
    shown = [key] if key else [t.id for t in runner.list(limit=50) if t.state not in ENDED]
    if not shown:
        console.print("nothing is running or waiting")
        return
    with Live(console=console, refresh_per_second=8) as live:
        while True:
            tasks = [runner.status(each) for each in shown]
            live.update(tasks_table(tasks))
            if all(task.state in (*ENDED, "paused") for task in tasks):
                return
            time.sleep(0.15)


def tasks_table(tasks: Iterable[Task]) -> "Table":
    """Return tasks as a table, with bars."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None)
    for name in ("id", "graph", "state", "progress", "ran", "left"):
        table.add_column(name, no_wrap=True)
    table.add_column("says")
    now = time.time()
    for task in tasks:
        left = task.seconds_left(now)
        says = task.error or "; ".join(str(each["value"]) for each in task.questions)
        state = f"{task.state}, {task.phase}" if task.phase else task.state
        table.add_row(
            task.id,
            task.graph,
            f"[{_COLOURS[task.state]}]{state}[/]",
            _bar(task.progress),
            f"{task.duration(now):.1f} s",
            "" if left is None else f"{left:.0f} s",
            escape(says[:80]),
        )
    return table


def _bar(share: float) -> str:
    done = round(share * _BAR)
    return f"{'█' * done}{'░' * (_BAR - done)} {share:4.0%}"


def facts_of(task: Task) -> Iterator[tuple[str, Any]]:
    """Yield what is known of a task, by name."""
    now = time.time()
    yield from (("id", task.id), ("graph", task.graph), ("state", task.state))
    yield "progress", f"{task.progress:.0%}"
    yield (
        "created",
        datetime.fromtimestamp(task.created, UTC).astimezone().isoformat(" ", "seconds"),
    )
    yield "ran", f"{task.duration(now):.1f} s in {counted(task.attempts, 'attempt')}"
    if spent := amounts(task.spent):
        yield "spent", spent
    for name in ("phase", "parent", "timeout", "budget", "error"):
        if (value := getattr(task, name)) is not None:
            yield name, value
    for each in task.questions:
        yield "asks", f"{json.dumps(each['value'], ensure_ascii=False)} ({each['id']})"


def how_to_go_on(task: Task) -> Iterator[str]:
    """Yield what a paused task asks, and what to type then."""
    for each in task.questions:
        yield f"asks: {told(each['value'])}"
    answer = " --answer '…'" if task.questions else ""
    yield f"task '{task.id}' is paused; go on with: cogwork tasks resume {task.id}{answer}"
