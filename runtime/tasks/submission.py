"""What may be submitted: each argument is looked at before it reaches a database."""

import time
import uuid
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from cogwork.core.budget import Budget
from cogwork.core.errors import ConfigurationError, TaskError
from cogwork.runtime.tasks.task import Task

__all__ = ["new_task", "require_count", "require_id", "require_seconds"]

_LONGEST: Final = 200  # characters of an id
_HIGHEST: Final = 2**31 - 1  # what PostgreSQL keeps as an integer
_AGES: Final = 1e10  # seconds, three centuries


def new_task(
    graph: str,
    known: Callable[[str], Task],
    *,
    priority: int,
    timeout: float | None,
    budget: Budget | None,
    parent: str | None,
    id: str | None,  # noqa: A002 - as the caller names it
) -> Task:
    """Return a task that can be kept.

    Args:
        graph: What it runs.
        known: Finds a task by its id.
        priority: See `Runner.submit`, as for the others.
        timeout: Seconds.
        budget: Its limits.
        parent: The id of a task.
        id: Its own.

    Raises:
        ConfigurationError: A value is impossible, or there is no such parent.
        TaskError: The parent was cancelled.
    """
    if timeout is not None:
        require_seconds("timeout", timeout, "leave it out for no limit")
    if budget is not None and not isinstance(budget, Budget):
        raise ConfigurationError(
            f"budget is {_shown(budget)}; make it a Budget, such as Budget(max_cost=1.0)"
        )
    now = time.time()
    return Task(
        id=uuid.uuid4().hex[:12] if id is None else require_id("id", id),
        graph=graph,
        priority=_priority(priority),
        timeout=timeout,
        budget=None if budget is None else asdict(budget),
        parent=parent,
        trace=uuid.uuid4().hex if parent is None else _trace_of(parent, known),
        created=now,
        touched=now,
    )


def require_id(name: str, value: Any) -> str:
    """Return the id of a task if it is one.

    Raises:
        ConfigurationError: It is no text, empty, too long, or no database can keep it.
    """
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} is {_shown(value)}; the id of a task is text")
    if not 0 < len(value) <= _LONGEST or not value.isprintable():
        raise ConfigurationError(
            f"{name} is {_shown(value)}; the id of a task is 1 to {_LONGEST} characters that can "
            "be printed"
        )
    return value


def require_seconds(name: str, value: Any, way_out: str, *, least: bool = False) -> None:
    """Refuse what is no number of seconds above 0, or from 0 on if that is the `least`.

    Raises:
        ConfigurationError: It is none.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= _AGES or (value == 0 and not least):
        above = "from 0 on" if least else "above 0"
        raise ConfigurationError(f"{name} {_shown(value)} must be seconds {above}; {way_out}")


def require_count(name: str, value: Any) -> None:
    """Refuse what is no whole number from 1 on.

    Raises:
        ConfigurationError: It is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _HIGHEST:
        raise ConfigurationError(
            f"{name} is {_shown(value)}; it must be a whole number from 1 to {_HIGHEST:,}"
        )


def _priority(value: Any) -> int:
    number = isinstance(value, int) and not isinstance(value, bool)
    if not number or not -_HIGHEST <= value <= _HIGHEST:
        raise ConfigurationError(
            f"priority is {_shown(value)}; choose Priority.low, normal, high or critical, or a "
            f"whole number up to {_HIGHEST:,}"
        )
    return int(value)


def _trace_of(parent: Any, known: Callable[[str], Task]) -> str:
    require_id("parent", parent)
    try:
        found = known(parent)
    except TaskError as error:
        raise ConfigurationError(
            f"parent '{parent}' is no task; submit it first, or leave parent out"
        ) from error
    if found.state == "cancelled":
        raise TaskError(
            f"parent '{parent}' was cancelled, and so would be what belongs to it; leave parent out"
        )
    return found.trace


def _shown(value: Any) -> str:
    try:
        return f"{value!a:.100}"
    except Exception:  # noqa: BLE001 - such as a number of 10,000 digits
        return f"a {type(value).__name__} that cannot be shown"
