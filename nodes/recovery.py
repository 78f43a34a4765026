"""The recovery ladder: what is done about a step that failed, as data.

Each rung takes some errors and can be used a number of times; the first that takes the
error is climbed. Nothing is retried that cannot succeed: `retry` takes transient errors
only (see `cogwork.core.retry`), and an exhausted budget goes straight to a person. Nor is
anything repeated, or done in another way, that may have happened already: a call in doubt
(see `cogwork.tools.effects`) is retried only where `on_doubt` says so, and else escalated.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from langgraph.types import RetryPolicy

from cogwork.core.errors import BudgetError, ConfigurationError
from cogwork.core.retry import is_transient

__all__ = ["DEFAULT_LADDER", "FULL_LADDER", "MAX_DEPTH", "Action", "Rung", "next_rung"]

MAX_DEPTH: Final = 3
"""How deep parts of a step that failed are themselves recomposed: a part of a part of a part
is not."""

Action: TypeAlias = Literal["retry", "fallback", "skip", "recompose", "escalate"]
Takes: TypeAlias = Callable[[BaseException], bool]


def is_affordable(error: BaseException) -> bool:
    """Whether another way could help: a budget that is exhausted is so for every way."""
    return not isinstance(error, BudgetError)


def is_any(error: BaseException) -> bool:  # noqa: ARG001 - one of several predicates
    """Take every error."""
    return True


_TAKES: dict[Action, Takes] = {
    "retry": is_transient,
    "fallback": is_affordable,
    "skip": is_affordable,
    "recompose": is_affordable,
    "escalate": is_any,
}


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to go on.

    Args:
        action: `retry` the same; `fallback` to the step's next alternative; `skip` a step
            that is optional; `recompose` it into smaller ones; `escalate` to a person.
        takes: Which errors; by default those that the action can help with.
        limit: How often it is used for one step.
        wait: Seconds before the first retry, doubled for each further one, up to
            `max_wait`; a server that says how long to wait is obeyed.
        max_wait: Seconds that no wait exceeds.

    Raises:
        ConfigurationError: A number is impossible.
    """

    action: Action
    takes: Takes | None = None
    limit: int = 1
    wait: float = 0.5
    max_wait: float = 30.0

    def __post_init__(self) -> None:
        if self.action not in _TAKES:
            raise ConfigurationError(
                f"'{self.action}' is no rung of a ladder; use {', '.join(_TAKES)}"
            )
        if self.limit < 1 or not 0 <= self.wait <= self.max_wait:
            raise ConfigurationError(
                f"rung '{self.action}' has limit={self.limit}, wait={self.wait} and "
                f"max_wait={self.max_wait}; the limit starts at 1, the waits at 0"
            )

    def takes_error(self, error: BaseException) -> bool:
        """Whether this rung can help with the error."""
        return (self.takes or _TAKES[self.action])(error)

    @property
    def policy(self) -> RetryPolicy:
        """The waits between retries."""
        return RetryPolicy(initial_interval=self.wait, max_interval=self.max_wait)


DEFAULT_LADDER = (Rung("retry", limit=2), Rung("fallback", limit=3), Rung("skip"))
"""What is done without a person."""

FULL_LADDER = (*DEFAULT_LADDER, Rung("recompose"), Rung("escalate", limit=3))
"""Every rung in its usual order; the run stops to ask when nothing else has helped."""


def next_rung(
    ladder: Sequence[Rung],
    error: BaseException,
    used: Counter[Rung],
    possible: Collection[Action],
) -> Rung | None:
    """Return the rung to climb, or None when nothing is left to do.

    Args:
        ladder: Tried in its order.
        error: What went wrong last.
        used: How often each rung was climbed for this step.
        possible: What can be done about this step at all.
    """
    for rung in ladder:
        if rung.action in possible and used[rung] < rung.limit and rung.takes_error(error):
            return rung
    return None
