"""Who is served by which agent of a pool, and who waits: no clock, no loop, no model.

`cogwork.core.balancing` is what callers use.
"""

import bisect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Literal, NamedTuple

from cogwork.core.bus.bell import Ticket

__all__ = ["AgentSnapshot", "Caller", "End", "Rules", "Seat", "Seats"]

_RECENT: Final = 0.3  # what the last call counts in the estimate of an agent's pace


class End(Enum):
    """How a call ended."""

    DONE = auto()
    FAILED = auto()
    OTHER = auto()
    """Cancelled or interrupted, which says nothing about the agent."""


class Rules(NamedTuple):
    """What holds for a pool; see `Pool`."""

    most: int
    slots: int
    failures: int
    retry_after: float


@dataclass(frozen=True, slots=True)
class AgentSnapshot:
    """How one agent of a pool is.

    Args:
        number: In the order in which they were made.
        state: `making`, `idle`, `busy` or, after failures, `aside`.
        running: How many calls it has.
        load: The estimated load of these.
        done: How many calls succeeded.
        failed: How many failed.
        pace: Estimated seconds per unit of load; None before a call has succeeded.
    """

    number: int
    state: Literal["making", "idle", "busy", "aside"]
    running: int
    load: float
    done: int
    failed: int
    pace: float | None


class Seat:
    """One agent, or the place where one will be."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.agent: Any = None
        self.running = 0
        self.load = 0.0
        self.done = 0
        self.failed = 0
        self.streak = 0
        self.aside_until: float | None = None
        self.pace: float | None = None

    def snapshot(self, now: float) -> AgentSnapshot:
        """Return how the agent is."""
        state: Literal["making", "idle", "busy", "aside"] = "busy" if self.running else "idle"
        if self.agent is None:
            state = "making"
        elif self.aside_until is not None and self.aside_until > now:
            state = "aside"
        counts = (self.running, self.load, self.done, self.failed)
        return AgentSnapshot(self.number, state, *counts, self.pace)


class Caller:
    """A call that waits for a seat; made on its own loop.

    Args:
        rank: The higher, the sooner.
        load: The estimated load of the call.
    """

    def __init__(self, rank: int, load: float) -> None:
        self.rank = rank
        self.load = load
        self.ticket = Ticket()
        self.seat: Seat | None = None


class Seats:
    """The seats of a pool and who waits for one; its user holds a lock.

    Args:
        rules: What holds.
        clock: Seconds that never go back.
    """

    def __init__(self, rules: Rules, clock: Callable[[], float]) -> None:
        self.seats: list[Seat] = []
        self.callers: list[Caller] = []
        self._rules = rules
        self._clock = clock
        self._made = 0

    def enter(self, caller: Caller) -> None:
        """Let a call wait, after those of its rank that wait already."""
        bisect.insort(self.callers, caller, key=lambda each: -each.rank)
        self.assign()

    def withdraw(self, caller: Caller) -> None:
        """Let a call wait no more."""
        if caller.seat is None:
            self.callers.remove(caller)

    def assign(self) -> None:
        """Give seats to those who wait, as far as there are any."""
        while self.callers and (seat := self._best(self.callers[0].load)) is not None:
            caller = self.callers.pop(0)
            seat.running += 1
            seat.load += caller.load
            caller.seat = seat
            caller.ticket.ring()

    def leave(self, seat: Seat, load: float, end: End, seconds: float) -> None:
        """End a call, and serve the next."""
        seat.running -= 1
        seat.load = seat.load - load if seat.running else 0.0
        if seat.agent is None:  # it could not be made
            self.seats.remove(seat)
        elif end is End.DONE:
            seat.done, seat.streak, seat.aside_until = seat.done + 1, 0, None
            pace = seconds / load
            seat.pace = pace if seat.pace is None else seat.pace + _RECENT * (pace - seat.pace)
        elif end is End.FAILED:
            seat.failed, seat.streak = seat.failed + 1, seat.streak + 1
            if seat.streak >= self._rules.failures:
                seat.aside_until = self._clock() + self._rules.retry_after
        self.assign()

    def next_trial(self) -> float | None:
        """In how many seconds an agent that is set aside may be tried; None if there is none."""
        ends = [seat.aside_until for seat in self.seats if seat.aside_until is not None]
        return max(min(ends) - self._clock(), 0.0) if ends else None

    def _best(self, load: float) -> Seat | None:
        """The seat where a call of this load would be done soonest; a new one if all are taken."""
        now = self._clock()
        free = [seat for seat in self.seats if self._has_room(seat, now)]
        if free:
            usual = min((seat.pace for seat in self.seats if seat.pace is not None), default=1.0)

            def order(seat: Seat) -> tuple[bool, float, int, int]:
                # Whose time has come is tried, or it would stay aside while others do.
                is_healthy = seat.aside_until is None
                seconds = (seat.load + load) * (usual if seat.pace is None else seat.pace)
                return is_healthy, seconds, seat.done + seat.failed, seat.number

            return min(free, key=order)
        if len(self.seats) >= self._rules.most:
            return None
        self._made += 1
        self.seats.append(Seat(self._made))
        return self.seats[-1]

    def _has_room(self, seat: Seat, now: float) -> bool:
        if seat.agent is None:
            return False
        if seat.aside_until is None:
            return seat.running < self._rules.slots
        return seat.aside_until <= now and seat.running == 0  # one call tries it
