"""Several agents of one type behind one runnable that stands where an agent stands.

    pool = Pool(lambda: create_react_agent(model, tools), name="researcher", most=4)
    builder.add_node("researcher", pool)

A call goes to the agent with the least estimated load. When all are busy the pool grows, up
to its limit; then calls wait, the more urgent first. An agent that fails again and again is
set aside, and after a time tried again by one call.
"""

import inspect
import math
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, get_args

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.errors import GraphBubbleUp
from typing_extensions import TypedDict, Unpack

from cogwork.core.bridge import run_blocking
from cogwork.core.bus.message import Priority
from cogwork.core.errors import AgentError, BudgetError, ConfigurationError
from cogwork.core.seats import AgentSnapshot, Caller, End, Rules, Seat, Seats

__all__ = ["AgentSnapshot", "Maker", "Pool", "PoolOptions", "PoolSnapshot", "balance"]

Maker: TypeAlias = Callable[[], Runnable[Any, Any] | Awaitable[Runnable[Any, Any]]]
"""Makes one more agent; sync and quick, or async."""

_RANKS: Final = {name: rank for rank, name in enumerate(get_args(Priority))}


class PoolOptions(TypedDict, total=False):
    """What a pool takes by keyword, each optional.

    Attributes:
        most: How many agents there may be; 4 unless given.
        slots: How many calls an agent may have at once; 1 unless given.
        estimate: The load that an input means, above 0; each counts 1 unless given.
        patience: Seconds that a call may wait for an agent; 60 unless given.
        failures: After how many failed calls in a row an agent is set aside; 3 unless given.
        retry_after: Seconds until it is tried again; 30 unless given.
        is_failure: Whether an error says something about the agent; unless given, all but
            interrupts and exhausted budgets do.
        clock: Seconds that never go back.
    """

    most: int
    slots: int
    estimate: Callable[[Any], float]
    patience: float
    failures: int
    retry_after: float
    is_failure: Callable[[Exception], bool]
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class PoolSnapshot:
    """How a pool is.

    Args:
        name: Of the pool.
        agents: How each agent is.
        waiting: How many calls wait for an agent.
        waited: Seconds that calls have waited, in total.
    """

    name: str
    agents: tuple[AgentSnapshot, ...]
    waiting: int
    waited: float


class Pool(Runnable[Any, Any]):
    """Agents of one type that share the calls.

    `ainvoke(input, config, priority="high")`, or `bind(priority="high")`, goes before others
    that wait. What else is given goes to the agent. A call that fails is not made again by
    another agent, for it may have had effects. Cancelling a call frees its place.

    Args:
        make: Makes one more agent; called when all are busy.
        name: For graphs, errors and metrics.
        options: See `PoolOptions`.

    Raises:
        ConfigurationError: A limit is impossible.
    """

    def __init__(self, make: Maker, *, name: str = "pool", **options: Unpack[PoolOptions]) -> None:
        self.name: str = name
        self._make = make
        self._estimate = options.get("estimate", _one)
        self._is_failure = options.get("is_failure", _concerns_the_agent)
        self._clock = options.get("clock", time.monotonic)
        self._patience = _at_least(0, options.get("patience", 60.0), f"patience of pool '{name}'")
        rules = Rules(
            int(_at_least(1, options.get("most", 4), f"most of pool '{name}'")),
            int(_at_least(1, options.get("slots", 1), f"slots of pool '{name}'")),
            int(_at_least(1, options.get("failures", 3), f"failures of pool '{name}'")),
            _at_least(0, options.get("retry_after", 30.0), f"retry_after of pool '{name}'"),
        )
        self._seats = Seats(rules, self._clock)
        self._guard = threading.Lock()  # calls come from any loop
        self._waited = 0.0

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002 - the name is LangChain's
        """See `ainvoke`; runs on the background loop."""

        async def call() -> Any:
            return await self.ainvoke(input, config, **kwargs)

        return run_blocking(call)

    async def ainvoke(
        self,
        input: Any,  # noqa: A002 - the name is LangChain's
        config: RunnableConfig | None = None,
        *,
        priority: Priority = "normal",
        **kwargs: Any,
    ) -> Any:
        """Have one of the agents do it.

        Raises:
            AgentError: No agent was free in time.
            ConfigurationError: The priority or the estimate is impossible.
            Exception: Whatever the agent raises, or what makes one.
        """
        caller = self._caller(input, priority)
        seat = await self._seat_for(caller)
        began, end = self._clock(), End.OTHER
        try:
            if seat.agent is None:
                seat.agent = await self._made()
                began = self._clock()
            found = await seat.agent.ainvoke(input, config, **kwargs)
            end = End.DONE
        except Exception as error:
            if seat.agent is not None and self._is_failure(error):
                end = End.FAILED
            raise
        finally:
            with self._guard:
                self._seats.leave(seat, caller.load, end, self._clock() - began)
        return found

    def snapshot(self) -> PoolSnapshot:
        """Return how the pool is at this moment."""
        with self._guard:
            now = self._clock()
            agents = tuple(seat.snapshot(now) for seat in self._seats.seats)
            return PoolSnapshot(self.name, agents, len(self._seats.callers), self._waited)

    def _caller(self, given: Any, priority: Priority) -> Caller:
        if priority not in _RANKS:
            raise ConfigurationError(
                f"priority {priority!r:.60} is unknown; choose one of {', '.join(_RANKS)}"
            )
        load = self._estimate(given)
        if not 0 < load < math.inf:
            raise ConfigurationError(
                f"pool '{self.name}': an estimated load of {load!r} is impossible; let "
                "`estimate` return a number above 0"
            )
        return Caller(_RANKS[priority], load)

    async def _made(self) -> Runnable[Any, Any]:
        made = self._make()
        return await made if inspect.isawaitable(made) else made

    async def _seat_for(self, caller: Caller) -> Seat:
        """Wait for a place; whoever stops waiting leaves none taken."""
        began = self._clock()
        with self._guard:
            self._seats.enter(caller)
        try:
            while caller.seat is None and (left := began + self._patience - self._clock()) > 0:
                with self._guard:
                    trial = self._seats.next_trial()
                await caller.ticket.rung(left if trial is None else min(left, trial))
                caller.ticket.clear()
                with self._guard:
                    self._seats.assign()  # the time of an agent that is set aside may have come
        except BaseException:
            with self._guard:
                self._seats.withdraw(caller)
                if caller.seat is not None:
                    self._seats.leave(caller.seat, caller.load, End.OTHER, 0)
            raise
        with self._guard:
            self._waited += self._clock() - began
            self._seats.withdraw(caller)
        if caller.seat is None:
            raise self._nobody_is_free()
        return caller.seat

    def _nobody_is_free(self) -> AgentError:
        found = self.snapshot()
        states = [agent.state for agent in found.agents]
        said = ", ".join(f"{states.count(each)} {each}" for each in sorted({*states}))
        return AgentError(
            f"pool '{self.name}': no agent was free within {self._patience:g} s ({said}; "
            f"{found.waiting} other calls wait); raise most, slots or patience, or send less",
            transient=True,
        )


def balance(makers: Mapping[str, Maker], **options: Unpack[PoolOptions]) -> dict[str, Pool]:
    """Return a pool for each type of agent, by its name.

    Args:
        makers: What makes an agent of each type.
        options: For all of them; see `PoolOptions`.

    Raises:
        ConfigurationError: A limit is impossible.
    """
    return {name: Pool(make, name=name, **options) for name, make in makers.items()}


def _one(_: Any) -> float:
    return 1.0


def _concerns_the_agent(error: Exception) -> bool:
    return not isinstance(error, GraphBubbleUp | BudgetError)


def _at_least(least: int, value: float, what: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= least:
        return value
    raise ConfigurationError(f"{what} is {value!r}; give a number of at least {least}")
