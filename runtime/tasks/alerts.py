"""What somebody should know of tasks: told to a callback, and counted."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cogwork.core.metrics import Metrics
from cogwork.runtime.tasks.task import Task

__all__ = ["Alert", "Alerts", "Kind"]

Kind: TypeAlias = Literal["stalled", "failed", "timeout", "budget", "overspent", "refused"]

_AGAIN: Final = 60.0  # seconds after which it is said again that none may start


@dataclass(frozen=True, slots=True)
class Alert:
    """Something about a task that somebody should know.

    Attributes:
        kind: `stalled`; `budget`: a limit is nearly reached; a task ended with `overspent`,
            one was reached, with `timeout`, or `failed` for another reason; or `refused`: none
            may start, as `admit` says, or the database.
        task: Which; None for all.
        message: What is the matter.
    """

    kind: Kind
    task: Task | None
    message: str


class Alerts:
    """Tells alerts.

    Args:
        on_alert: Told of each, from the runner's thread; what it raises is dropped.
        metrics: Counts them as `agent_task_alerts_total`, by graph and kind.
    """

    def __init__(
        self, on_alert: Callable[[Alert], object] | None = None, metrics: Metrics | None = None
    ) -> None:
        self._on_alert = on_alert
        self._counter = None if metrics is None else metrics.task_alerts
        self._refused: float | None = None

    def tell(self, kind: Kind, task: Task | None, message: str) -> None:
        """Tell one."""
        if self._counter is not None:
            self._counter.labels("" if task is None else task.graph, kind).inc()
        if self._on_alert is not None:
            # Whoever listens must not stop the runner.
            with contextlib.suppress(Exception, SystemExit):
                self._on_alert(Alert(kind, task, message))

    def refuse(self, reason: str | None) -> None:
        """Tell why no task may start, once a minute while that is so; None: they may again."""
        now = time.monotonic()
        if reason is None:
            self._refused = None
        elif self._refused is None or now - self._refused > _AGAIN:
            self._refused = now
            self.tell("refused", None, reason)
