"""Budgets of a day, shared by all runs, threads and processes that open the same one."""

import threading
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from typing import Any, Final

from cogwork.core.budget import KINDS, Budget, BudgetWarning, Spent, check
from cogwork.core.shared import shared_values

__all__ = ["DailyLedger"]

_KEPT_DAYS: Final = 3


class DailyLedger:
    """What all that share it may spend on one day, of UTC.

    Given to `open_budget` and `with_budget` as `within`. What is reserved counts as spent
    until the call has ended, so what a process had in flight when it was killed stays
    spent. `max_seconds` limits the seconds of all calls together, those of models inside of
    a tool's call twice.

    Args:
        budget: The limits of a day.
        url: Where it is kept: `sqlite:///file`, `postgresql://…`, or None for this process.
        name: Tells ledgers at the same URL apart, and says whose budget it is.
        on_warning: Called once a day for each limit of which most is spent, in the process
            that passed the mark.

    Raises:
        ConfigurationError: The URL names no place for it.

    Examples:
        >>> from cogwork.core.budget_runs import open_budget
        >>> today = DailyLedger(Budget(max_cost=20.0), name="team")
        >>> with open_budget(Budget(max_cost=1.0), within=today):
        ...     pass
        >>> today.spent.cost
        0.0
    """

    def __init__(
        self,
        budget: Budget,
        url: str | None = None,
        *,
        name: str = "day",
        on_warning: Callable[[BudgetWarning], None] | None = None,
    ) -> None:
        self.budget = budget
        self.name = name
        self._values = shared_values(url)
        self._key = f"budget {name}"
        self._tell = on_warning
        self._open: dict[Hashable, tuple[str, Spent]] = {}
        self._guard = threading.Lock()

    @property
    def spent(self) -> Spent:
        """What was spent today, what is in flight with it."""
        return self._values.change(self._key, lambda value, now: _today(value, now)[1])

    def book(self, call: Hashable, asked: Spent) -> None:
        """See `Account`."""

        def add(value: dict[str, Any], now: float) -> tuple[str, list[BudgetWarning]]:
            day, spent = _today(value, now)
            for name, limit in self.budget.limits():
                wanted = getattr(asked, name)
                if wanted or name == "seconds":
                    check(self.name, name, limit, (getattr(spent, name), 0, wanted))
            return day, self._set(value, spent + asked)

        with self._guard:
            if call in self._open:
                return
            day, warnings = self._values.change(self._key, add)
            self._open[call] = (day, asked)
        self._warn(warnings)

    def clear(self, call: Hashable, used: Spent) -> None:
        """See `Account`."""
        with self._guard:
            begun, asked = self._open.pop(call, ("", Spent()))
        if not begun:
            return

        def correct(value: dict[str, Any], now: float) -> list[BudgetWarning]:
            day, spent = _today(value, now)
            if day != begun:  # it counts for the day on which it began
                return []
            exact = {
                name: max(0, getattr(spent, name) - getattr(asked, name) + getattr(used, name))
                for name in KINDS
            }
            return self._set(value, Spent(**exact))

        self._warn(self._values.change(self._key, correct))

    def close(self) -> None:
        """Close the connection to where it is kept."""
        self._values.close()

    def _set(self, value: dict[str, Any], spent: Spent) -> list[BudgetWarning]:
        value["spent"] = spent.as_dict()
        warnings = []
        for name, limit in self.budget.limits():
            taken = getattr(spent, name)
            if limit and taken >= self.budget.warn_at * limit and name not in value["warned"]:
                value["warned"].append(name)
                warnings.append(BudgetWarning(self.name, f"max_{name}", limit, taken))
        return warnings

    def _warn(self, warnings: list[BudgetWarning]) -> None:
        for warning in warnings:
            if self._tell is not None:
                self._tell(warning)


def _today(value: dict[str, Any], now: float) -> tuple[str, Spent]:
    """The day, and what was spent on it; a new day begins with nothing.

    Days before are kept for a clock that is set ahead and back again.
    """
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    if value.get("day") != day:
        others = value.pop("others", {})
        if "day" in value:
            others[value["day"]] = [value["spent"], value["warned"]]
        spent, warned = others.pop(day, [Spent().as_dict(), []])
        value.update(day=day, spent=spent, warned=warned)
        value["others"] = dict(sorted(others.items())[-_KEPT_DAYS:])
    return day, Spent.of(value["spent"])
