"""Budgets: what a run may spend, and the ledger that holds it to it.

A ledger counts what one run spends. Before a call what it may take is reserved, in this
ledger and in all those it stands within; what does not fit is refused before it is made.
Afterwards the call is settled with what it did take. `cogwork.core.budget_runs` opens
ledgers for runs, `cogwork.core.budget_watch` books the calls that they make.
"""

import math
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from operator import add, ge
from typing import Any, Final, Protocol

from cogwork.core.errors import ConfigurationError
from cogwork.core.spending import KINDS, NOTHING, Spent, check

__all__ = [
    "KINDS",
    "NOTHING",
    "NO_LIMITS",
    "Account",
    "Budget",
    "BudgetWarning",
    "Ledger",
    "Spent",
    "check",
]


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits on what a run may spend; None is no limit.

    Args:
        max_tokens: Tokens of input and output together.
        max_cost: Dollars, for models whose price is known; see `cogwork.core.prices`.
        max_seconds: Seconds on the clock, looked at before each call.
        max_model_calls: Calls of models.
        max_tool_calls: Calls of tools.
        warn_at: The part of a limit at which a warning is given, once for each limit.

    Raises:
        ConfigurationError: A limit is negative, or `warn_at` is no part.

    Examples:
        >>> Budget(max_model_calls=50, max_cost=1.0).part(0.5)
        Budget(max_tokens=None, max_cost=0.5, max_seconds=None, max_model_calls=25, \
max_tool_calls=None, warn_at=0.8)
    """

    max_tokens: int | None = None
    max_cost: float | None = None
    max_seconds: float | None = None
    max_model_calls: int | None = None
    max_tool_calls: int | None = None
    warn_at: float = 0.8

    def __post_init__(self) -> None:
        for name, limit in self.limits():
            if not limit >= 0:
                raise ConfigurationError(f"max_{name} is {limit}; it must be 0 or more")
        if not 0 < self.warn_at <= 1:
            raise ConfigurationError(f"warn_at is {self.warn_at}; it is a part such as 0.8")

    def limits(self) -> Iterator[tuple[str, float]]:
        """Yield each limit that is set: what it limits, and how much."""
        for name in KINDS:
            limit = getattr(self, f"max_{name}")
            if limit is not None:
                yield name, limit

    def part(self, share: float) -> "Budget":
        """Return a budget with this share of each limit, calls and tokens rounded down."""
        if not 0 <= share <= 1:
            raise ConfigurationError(f"a part of a budget is between 0 and 1, not {share}")
        parts: dict[str, Any] = {
            f"max_{name}": math.floor(limit * share) if isinstance(limit, int) else limit * share
            for name, limit in self.limits()
        }
        return replace(self, **parts)


NO_LIMITS: Final = Budget()


@dataclass(frozen=True, slots=True)
class BudgetWarning:
    """Most of a limit is spent.

    Attributes:
        ledger: The name of the ledger.
        limit: Which of the budget's limits, as in `max_tokens`.
        of: The limit.
        spent: How much of it is spent.
    """

    ledger: str
    limit: str
    of: float
    spent: float

    def event(self) -> dict[str, Any]:
        """Return it as an event of LangGraph's custom stream."""
        return {"event": "budget_warning", **asdict(self)}


class Account(Protocol):
    """Where reservations are booked: a ledger of a run, or one that processes share."""

    budget: Budget

    def book(self, call: Hashable, asked: Spent) -> None:
        """Reserve, once for each call; raise `BudgetError` when it does not fit."""

    def clear(self, call: Hashable, used: Spent) -> None:
        """Replace a reservation by what was used; nothing for a call that is not open."""


class Ledger:
    """What a run has spent and reserved; safe to use from any thread.

    Args:
        budget: The limits.
        within: The accounts that every call is booked in too: the `accounts` of the ledger
            around this one, a `DailyLedger`.
        spent: What was spent before, for a run that is resumed.
        name: Says in errors and warnings whose budget it is.
        on_warning: Called once for each limit of which most is spent.

    Examples:
        >>> ledger = Ledger(Budget(max_tokens=1000))
        >>> ledger.reserve("call 1", Spent(tokens=800, model_calls=1))
        >>> ledger.settle("call 1", Spent(tokens=300, model_calls=1))
        >>> ledger.spent.tokens, ledger.left.max_tokens
        (300, 700)
    """

    def __init__(
        self,
        budget: Budget,
        *,
        within: Sequence[Account] = (),
        spent: Spent | None = None,
        name: str = "run",
        on_warning: Callable[[BudgetWarning], None] | None = None,
    ) -> None:
        self.budget = budget
        self.name = name
        self.accounts: tuple[Account, ...] = (self, *within)
        self.on_growth: Callable[[], None] | None = None
        """Called after each reservation, before the call is made; may refuse it by raising."""
        self.beside: Ledger | None = None
        """Another one of the same run, among the accounts; it recovers what this one does."""
        self._limits = tuple(budget.limits())
        self._near = _Marks(self._limits)
        self._spent = spent or Spent()
        self._began = time.monotonic() - self._spent.seconds
        self._open: dict[Hashable, Spent] = {}
        self._unwarned = [*self._limits]
        self._most = _Marks(self._unwarned, budget.warn_at)
        self._tell = on_warning
        self._guard = threading.Lock()

    @property
    def spent(self) -> Spent:
        """What the calls that ended have taken, and the seconds until now."""
        with self._guard:
            return self._now()

    @property
    def committed(self) -> Spent:
        """What is spent, together with what calls in flight have reserved."""
        with self._guard:
            return sum(self._open.values(), self._now())

    @property
    def left(self) -> Budget:
        """A budget of what is neither spent nor reserved, for a run within this one."""
        taken = self.committed
        left: dict[str, Any] = {
            f"max_{name}": max(0, limit - getattr(taken, name)) for name, limit in self._limits
        }
        return replace(self.budget, **left)

    def recover(self, spent: Spent) -> None:
        """Add what this run had spent before its process ended."""
        with self._guard:
            self._spent += spent
            self._began -= spent.seconds
        if self.beside is not None:
            self.beside.recover(spent)

    def reserve(self, call: Hashable, asked: Spent) -> None:
        """Book what a call may take, here and in all accounts around; all of them or none.

        Args:
            call: Names the call; one that is open already is not booked again.
            asked: What it may take at most.

        Raises:
            BudgetError: It does not fit; the call must not be made.
        """
        try:
            for account in self.accounts:
                account.book(call, asked)
        except BaseException:
            for account in self.accounts:
                account.clear(call, NOTHING)
            raise

    def settle(self, call: Hashable, used: Spent) -> None:
        """Replace what a call reserved by what it took."""
        for account in self.accounts:
            account.clear(call, used)

    def release(self, call: Hashable) -> None:
        """Give back what a call reserved; it took nothing."""
        self.settle(call, NOTHING)

    def book(self, call: Hashable, asked: Spent) -> None:
        """Book it here only; see `reserve`."""
        with self._guard:
            if call in self._open:
                return
            # Most calls are alone, and near no limit.
            if self._open or self._near.reached(map(add, self._spent, asked), self._began):
                self._require(asked)
            self._open[call] = asked
        if self.on_growth is not None:
            self.on_growth()

    def clear(self, call: Hashable, used: Spent) -> None:
        """Settle it here only; see `settle`."""
        with self._guard:
            if self._open.pop(call, None) is None:
                return
            self._spent += used
            is_due = self._most.reached(self._spent, self._began)
            warnings = self._due(used) if is_due else ()
        for warning in warnings:
            if self._tell is not None:
                self._tell(warning)

    def _now(self) -> Spent:
        tokens, cost, _, model_calls, tool_calls = self._spent
        # The clock counts, not the calls.
        return Spent(tokens, cost, time.monotonic() - self._began, model_calls, tool_calls)

    def _require(self, asked: Spent) -> None:
        now, held = self._now(), sum(self._open.values(), NOTHING)
        for name, limit in self._limits:
            wanted = getattr(asked, name)
            if wanted or name == "seconds":
                taken = (getattr(now, name), getattr(held, name), wanted)
                check(self.name, name, limit, taken)

    def _due(self, used: Spent) -> list[BudgetWarning]:
        now, due = self._now(), []
        for name, limit in self._unwarned:
            if getattr(used, name) and getattr(now, name) >= self.budget.warn_at * limit:
                due.append(BudgetWarning(self.name, f"max_{name}", limit, getattr(now, name)))
        if due:
            said = {each.limit for each in due}
            self._unwarned = [each for each in self._unwarned if f"max_{each[0]}" not in said]
            self._most = _Marks(self._unwarned, self.budget.warn_at)
        return due


class _Marks:
    """Shares of limits in a form that is quickly compared; infinity where there is none."""

    __slots__ = ("_amounts", "_seconds")

    def __init__(self, limits: Sequence[tuple[str, float]], share: float = 1.0) -> None:
        marks = {name: limit * share for name, limit in limits}
        self._seconds = marks.pop("seconds", math.inf)
        self._amounts = tuple(marks.get(name, math.inf) for name in KINDS)

    def reached(self, amounts: Iterable[float], began: float) -> bool:
        """Whether any amount, in the order of `KINDS`, or the time since then is at its mark."""
        return any(map(ge, amounts, self._amounts)) or time.monotonic() - began >= self._seconds
