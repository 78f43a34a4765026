"""A circuit breaker: what keeps failing is left alone for a while, then tried with one call.

                  5 failures in a row              30 seconds
        closed ──────────────────────▶ open ──────────────────▶ half-open
           ▲                             ▲      the probe fails     │
           │                             └──────────────────────────┤
           └────────────────────────────────────────────────────────┘
                          2 probes in a row succeed

While it is open, calls are refused at once. While it is half-open, one call at a time, the
probe, is let through, however many come. Nygard (2007), Release It!
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypeVar

from langgraph.errors import GraphBubbleUp

from cogwork.core.breaker_circuit import Circuit, Outcome, Permit, State
from cogwork.core.errors import BudgetError, CircuitOpenError, ConfigurationError
from cogwork.core.guarding import Call, guarded
from cogwork.core.shared import Change, shared_values

__all__ = ["BreakerEvent", "BreakerMetrics", "CircuitBreaker", "State", "circuit_breaker"]

T = TypeVar("T")
Excluded: TypeAlias = type[BaseException] | Callable[[BaseException], bool]


class BreakerEvent(NamedTuple):
    """How a call of this process ended.

    Attributes:
        at: Seconds since 1970.
        outcome: `success`, `failure`, `cancelled`, or `refused`.
        error: The name of the exception's class; empty without one.
    """

    at: float
    outcome: Outcome
    error: str = ""


@dataclass(frozen=True, slots=True)
class BreakerMetrics:
    """What a breaker has seen, in all processes that share it.

    Attributes:
        name: The breaker's.
        state: `closed`, `open` or `half_open`.
        succeeded: Calls that succeeded, or failed by an excluded exception.
        failed: Calls that failed.
        cancelled: Calls that were broken off by whoever made them.
        refused: Calls that were not made.
        opened: How often it opened.
        streak: Failures in a row while it is closed, successes in a row while half-open.
        retry_after: Seconds until a probe is let through; 0 unless it is open.
    """

    name: str
    state: State
    succeeded: int
    failed: int
    cancelled: int
    refused: int
    opened: int
    streak: int
    retry_after: float


class CircuitBreaker:
    """Guards calls of one thing that may be down; safe to use from threads and loops.

    Args:
        name: Of what is guarded; breakers with one name at one URL are one.
        failures: How many in a row open it.
        successes: How many probes in a row close it.
        seconds: How long it stays open before a probe.
        probe_seconds: After which a probe that has not ended is given up for lost, as when
            its process was killed.
        excluded: Exceptions, or functions that tell them, that are no failure: the thing is
            up, and refuses this call for good reason.
        history: How many calls `history` remembers.
        url: Where the state is shared: `sqlite:///file`, `postgresql://…`, or None for this
            process.

    Raises:
        ConfigurationError: A number is not positive, or the URL is none.

    Examples:
        >>> breaker = CircuitBreaker("search", failures=2)
        >>> for _ in range(2):
        ...     try:
        ...         with breaker.guard():
        ...             raise ConnectionError("down")
        ...     except ConnectionError:
        ...         pass
        >>> breaker.state
        'open'
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = 5,
        successes: int = 2,
        seconds: float = 30.0,
        probe_seconds: float = 300.0,
        excluded: tuple[Excluded, ...] = (),
        history: int = 100,
        url: str | None = None,
    ) -> None:
        limits = {"failures": failures, "successes": successes, "seconds": seconds}
        for key, limit in {**limits, "probe_seconds": probe_seconds, "history": history}.items():
            if not limit > 0:
                raise ConfigurationError(f"{key} is {limit}; it must be more than 0")
        self.name = name
        self._circuit = Circuit(failures, successes, seconds, probe_seconds)
        self._excluded = excluded
        self._values = shared_values(url)
        self._key = f"breaker {name}"
        self._is_shared = url is not None
        self._history: deque[BreakerEvent] = deque(maxlen=history)

    @property
    def state(self) -> State:
        """Whether calls are let through: `closed`, `open`, or `half_open` for probes only."""
        return self.metrics().state

    @property
    def history(self) -> tuple[BreakerEvent, ...]:
        """The last calls of this process, oldest first."""
        return tuple(self._history)

    def metrics(self) -> BreakerMetrics:
        """Return what it has seen so far."""

        def read(value: dict[str, Any], now: float) -> BreakerMetrics:
            self._circuit.refresh(value, now)
            counts = value["counts"]
            left = value["since"] + self._circuit.seconds - now if value["state"] == "open" else 0.0
            return BreakerMetrics(
                name=self.name,
                state=value["state"],
                succeeded=counts["success"],
                failed=counts["failure"],
                cancelled=counts["cancelled"],
                refused=counts["refused"],
                opened=counts["opened"],
                streak=value["streak"],
                retry_after=max(0.0, left),
            )

        return self._values.change(self._key, read)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Make a call inside of the `with`.

        Raises:
            CircuitOpenError: The call must not be made; `details["retry_after"]` says in how
                many seconds it may.
        """
        permit = self.enter()
        try:
            yield
        except BaseException as error:
            self.leave(permit, None, error)
            raise
        self.leave(permit, None, None)

    @asynccontextmanager
    async def aguard(self) -> AsyncIterator[None]:
        """Make a call inside of the `async with`; see `guard`."""
        permit = await self.aenter()
        try:
            yield
        except BaseException as error:
            await self.aleave(permit, None, error)
            raise
        await self.aleave(permit, None, None)

    def enter(self, call: Call | None = None) -> Permit:  # noqa: ARG002 - see `Guard`
        """Ask for leave to make a call; `leave` must follow."""
        return self._allowed(self._values.change(self._key, self._circuit.admit))

    def leave(self, permit: Permit, result: Any, error: BaseException | None) -> None:  # noqa: ARG002 - see `Guard`
        """Say how a call ended."""
        self._values.change(self._key, self._ended(permit, error))

    async def aenter(self, call: Call | None = None) -> Permit:
        """Do what `enter` does, without holding up the loop."""
        if not self._is_shared:
            return self.enter(call)
        asked = asyncio.ensure_future(self._changed(self._circuit.admit))
        try:
            return self._allowed(await asyncio.shield(asked))
        except asyncio.CancelledError as error:  # the probe must not be lost
            given = await asked
            if isinstance(given, Permit):
                await self._changed(self._ended(given, error))
            raise

    async def aleave(self, permit: Permit, result: Any, error: BaseException | None) -> None:
        """Do what `leave` does, without holding up the loop."""
        if not self._is_shared:
            self.leave(permit, result, error)
            return
        await asyncio.shield(self._changed(self._ended(permit, error)))

    def wrap(self, thing: T) -> T:
        """Return a copy of a chat model or a tool that calls through this breaker.

        Args:
            thing: A chat model, also with tools bound; a text model; or a tool.

        Raises:
            ConfigurationError: It is none of these.
        """
        return guarded(thing, self)

    def reset(self) -> None:
        """Close it, whatever it was."""

        def close(value: dict[str, Any], now: float) -> None:
            self._circuit.refresh(value, now)
            self._circuit.turn(value, "closed", now)

        self._values.change(self._key, close)

    def close(self) -> None:
        """Close the connection to where the state is shared; the breaker stays as it is."""
        self._values.close()

    async def _changed(self, change: Change[T]) -> T:
        # In a thread, because files and servers may keep the loop waiting.
        return await asyncio.to_thread(self._values.change, self._key, change)

    def _allowed(self, permit: "Permit | float") -> Permit:
        if isinstance(permit, Permit):
            return permit
        self._history.append(BreakerEvent(time.time(), "refused"))
        raise CircuitOpenError(
            f"'{self.name}' failed {self._circuit.failures} times in a row and is left alone; "
            + (f"try again in {permit:.3g} s" if permit else "another call is trying it now"),
            details={"breaker": self.name, "retry_after": permit},
            transient=True,
        )

    def _ended(self, permit: Permit, error: BaseException | None) -> Change[None]:
        outcome = self._outcome(error)
        name = "" if error is None else type(error).__name__
        self._history.append(BreakerEvent(time.time(), outcome, name))
        return lambda value, now: self._circuit.end(value, now, permit, outcome)

    def _outcome(self, error: BaseException | None) -> Outcome:
        if error is None:
            return "success"
        not_made = (GraphBubbleUp, BudgetError, CircuitOpenError)
        if not isinstance(error, Exception) or isinstance(error, not_made):
            return "cancelled"
        is_excluded = any(
            isinstance(error, each) if isinstance(each, type) else each(error)
            for each in self._excluded
        )
        return "success" if is_excluded else "failure"


_named: dict[str, tuple[CircuitBreaker, dict[str, Any]]] = {}
_guard = threading.Lock()


def circuit_breaker(name: str, **options: Any) -> CircuitBreaker:
    """Return the breaker of this name in this process, made with the options when there is none.

    Args:
        name: Of what is guarded.
        **options: As of `CircuitBreaker`; none to take the one there is.

    Raises:
        ConfigurationError: There is one with other options.
    """
    with _guard:
        if name not in _named:
            _named[name] = (CircuitBreaker(name, **options), options)
        breaker, made_with = _named[name]
    if options and options != made_with:
        raise ConfigurationError(
            f"the circuit breaker '{name}' was made with {made_with}, not {options}; "
            "give the options once, or choose another name"
        )
    return breaker
