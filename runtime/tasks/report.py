"""What became of tasks, and what they took: of one, and of all."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from cogwork.runtime.tasks.task import ENDED, State, Task, TaskEvent
from cogwork.runtime.wording import amounts, counted, duration, table

__all__ = ["Line", "Report", "Silence", "TaskReport", "report_of", "report_of_all"]

_MOST: Final = 20  # rows of a list
_KINDS: Final = ("tokens", "cost", "model_calls", "tool_calls")


class Silence(BaseModel):
    """A task that waits to start, or runs and says nothing, and for how many seconds."""

    model_config = ConfigDict(frozen=True)

    id: str
    graph: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.id} ({self.graph}), {duration(self.seconds)}"


class TaskReport(BaseModel):
    """What is known of one task.

    Attributes:
        task: As `Runner.status` has it.
        ran: Seconds that it ran, over all attempts.
        waited: Seconds since it was submitted in which it did not run.
        left: Seconds that it will still run, about; None while nothing can be said.
        silent: Seconds since a running task was last heard of; None for others.
        nodes: How often each node ended, by its name.
        states: Each state it came into, and when, in seconds since the epoch.
    """

    model_config = ConfigDict(frozen=True)

    task: Task
    ran: float
    waited: float
    left: float | None
    silent: float | None
    nodes: dict[str, int]
    states: tuple[tuple[float, str], ...]

    def markdown(self) -> str:
        """Return it as text for people."""
        task = self.task
        begun = self.states[0][0] if self.states else task.created
        states = [(f"{at - begun:+.1f} s", state) for at, state in self.states[-_MOST:]]
        facts = [
            ("graph", task.graph),
            ("progress", f"{task.progress:.0%}" + (f", {task.phase}" if task.phase else "")),
            ("ran", f"{duration(self.ran)} in {counted(task.attempts, 'attempt')}"),
            ("waited", duration(self.waited)),
            ("left", None if self.left is None else f"about {duration(self.left)}"),
            ("silent for", None if self.silent is None else duration(self.silent)),
            ("spent", amounts(task.spent)),
            ("nodes", ", ".join(f"{times} {name}" for name, times in self.nodes.items())),
            ("asks", "; ".join(str(each["value"]) for each in task.questions)),
            ("error", task.error),
        ]
        title = f"# Task {task.id}: {task.state}\n"
        return "\n".join([title, table("", "", facts), table("at", "state", states)])


class Report(BaseModel):
    """What is known of all tasks; of those that ended, of the ones that did so `within`.

    Attributes:
        at: When, in seconds since the epoch.
        within: How many seconds back; None for all that is kept.
        states: How many tasks are in each state.
        graphs: The same by graph.
        seconds: How long those ran that completed: `median`, `p95` and `longest`.
        spent: What models and tools took: `tokens`, `cost`, `model_calls`, `tool_calls`; of
            what runs now, in earlier attempts.
        per_minute: Tasks that completed in a minute.
        failures: How often tasks failed with an error, the most frequent first; ids left out.
        oldest: What has waited longest to start; None if nothing waits.
        stalled: Running tasks that have said nothing for long, the longest first.
        workers: How many tasks each runner that runs any runs now.
    """

    model_config = ConfigDict(frozen=True)

    at: float
    within: float | None
    states: dict[str, int]
    graphs: dict[str, dict[str, int]]
    seconds: dict[str, float]
    spent: dict[str, float]
    per_minute: float
    failures: dict[str, int]
    oldest: Silence | None
    stalled: tuple[Silence, ...]
    workers: dict[str, int]

    def markdown(self) -> str:
        """Return it as text for people."""
        title = "" if self.within is None else f", within {duration(self.within)}"
        facts = [
            ("completed a minute", f"{self.per_minute:.1f}"),
            *((f"ran, {name}", duration(value)) for name, value in self.seconds.items()),
            ("spent", amounts(self.spent)),
            ("waits longest", self.oldest),
        ]
        graphs = [
            (name, ", ".join(f"{count:,} {state}" for state, count in states.items()))
            for name, states in self.graphs.items()
        ]
        parts = [
            table("", "", facts),
            table("graph", "tasks", graphs),
            table("failed with", "tasks", self.failures.items()),
            table("stalled", "graph", ((each.id, each) for each in self.stalled)),
            table("runner", "tasks now", self.workers.items()),
        ]
        return "\n".join(
            [f"# Tasks: {sum(self.states.values()):,}{title}\n", *(part for part in parts if part)]
        )


class Line(NamedTuple):
    """What a report looks at of a task."""

    id: str
    graph: str
    state: State
    ran: float
    created: float
    ended: float | None
    touched: float
    spent: str
    error: str | None
    owner: str | None


def report_of(task: Task, events: Sequence[TaskEvent], now: float) -> TaskReport:
    """Return the report of a task.

    Args:
        task: Which.
        events: What happened to it.
        now: Seconds since the epoch.
    """
    ran = task.duration(now)
    until = now if task.ended is None else task.ended
    told = [(event, event.data) for event in events if isinstance(event.data, Mapping)]
    return TaskReport(
        task=task,
        ran=ran,
        waited=max(until - task.created - ran, 0.0),
        left=task.seconds_left(now),
        silent=max(now - task.touched, 0.0) if task.state == "running" else None,
        nodes=Counter(str(data["node"]) for event, data in told if event.kind == "node"),
        states=tuple(
            (event.at, str(data["state"])) for event, data in told if event.kind == "state"
        ),
    )


def report_of_all(lines: Iterable[Line], within: float | None, stall_after: float) -> Report:
    """Return the report of tasks.

    Args:
        lines: Of each.
        within: Seconds back that were looked at.
        stall_after: Seconds without a word after which a running task is said to stall.
    """
    sums = _Sums()
    for line in lines:
        sums.add(line)
    now = time.time()
    silent = [_silence(line, line.touched, now) for line in sums.running]
    return Report(
        at=now,
        within=within,
        states=sum(sums.graphs.values(), Counter[str]()),
        graphs=dict(sorted(sums.graphs.items())),
        seconds=_quantiles(sorted(sums.seconds)),
        spent=sums.spent,
        per_minute=60 * len(sums.seconds) / sums.looked_at(within, now),
        failures=dict(sums.failures.most_common(_MOST)),
        oldest=sums.oldest and _silence(sums.oldest, sums.oldest.created, now),
        stalled=tuple(
            sorted(
                (each for each in silent if each.seconds > stall_after),
                key=lambda each: -each.seconds,
            )
        ),
        workers=Counter(line.owner for line in sums.running if line.owner is not None),
    )


class _Sums:
    """Sums over tasks, which are not kept but for those that run."""

    def __init__(self) -> None:
        self.graphs: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.seconds: list[float] = []
        self.spent = dict.fromkeys(_KINDS, 0.0)
        self.failures: Counter[str] = Counter()
        self.running: list[Line] = []
        self.oldest: Line | None = None
        self._first: float | None = None
        self._last = 0.0
        self._goes_on = False

    def add(self, line: Line) -> None:
        self.graphs[line.graph][line.state] += 1
        self._first = min(self._first or line.created, line.created)
        self._last = max(self._last, line.ended or 0.0)
        self._goes_on = self._goes_on or line.state not in ENDED
        spent = json.loads(line.spent)
        for kind in _KINDS:
            self.spent[kind] += spent.get(kind, 0)
        match line.state:
            case "completed":
                self.seconds.append(line.ran)
            case "failed":
                self.failures[(line.error or "").replace(line.id, "…")[:120]] += 1
            case "running":
                self.running.append(line)
            case "pending" if self.oldest is None or line.created < self.oldest.created:
                self.oldest = line

    def looked_at(self, within: float | None, now: float) -> float:
        """The seconds from the first task, or the time back, to the last end, or to now."""
        since = self._first or now
        if within is not None:
            since = max(since, now - within)
        until = now if self._goes_on or within is not None else self._last
        return max(until - since, 1e-3)


def _quantiles(ran: Sequence[float]) -> dict[str, float]:
    if not ran:
        return {}
    last = len(ran) - 1
    return {"median": ran[last // 2], "p95": ran[-(-last * 95 // 100)], "longest": ran[last]}


def _silence(line: Line, since: float, now: float) -> Silence:
    return Silence(id=line.id, graph=line.graph, seconds=max(now - since, 0.0))
