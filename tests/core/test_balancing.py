"""Pools of agents: who gets which call, who waits, who is set aside, and what cancelling leaves."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.errors import GraphInterrupt
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from cogwork.core.balancing import Pool, balance
from cogwork.core.errors import AgentError, BudgetError, ConfigurationError
from cogwork.core.seats import Caller, End, Rules, Seats


class Clock:
    """Seconds that only tests move."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Team:
    """Agents that say who they are when they are let; an input that is an error is raised."""

    def __init__(self, *, holds=True):
        self.holds = holds
        self.made = 0
        self.log = []
        self._arrived = asyncio.Event()
        self._doors = {}

    def make(self):
        self.made += 1
        number = self.made

        async def act(given):
            self.log.append((given, number))
            self._arrived.set()
            if self.holds:
                await self._doors.setdefault(given, asyncio.Event()).wait()
            if isinstance(given, Exception):
                raise given
            return number

        return RunnableLambda(act)

    async def has(self, calls):
        while len(self.log) < calls:
            self._arrived.clear()
            await self._arrived.wait()

    def let(self, given):
        self._doors.setdefault(given, asyncio.Event()).set()


def start(pool, *inputs, **how):
    return [asyncio.create_task(pool.ainvoke(given, **how)) for given in inputs]


def states(pool):
    return [agent.state for agent in pool.snapshot().agents]


async def test_pool_grows_to_its_limit_and_then_calls_wait():
    team = Team()
    pool = Pool(team.make, most=3)
    tasks = start(pool, *"abcde")
    await team.has(3)

    assert (team.made, states(pool), pool.snapshot().waiting) == (3, ["busy"] * 3, 2)
    for given in "abcde":
        team.let(given)
    assert sorted((await asyncio.gather(*tasks))[:3]) == [1, 2, 3]
    assert (team.made, states(pool), pool.snapshot().waiting) == (3, ["idle"] * 3, 0)
    assert sum(agent.done for agent in pool.snapshot().agents) == 5


async def test_no_agent_is_made_before_it_is_needed():
    team = Team(holds=False)
    pool = Pool(team.make, most=3)
    assert [await pool.ainvoke(given) for given in "abc"] == [1, 1, 1]


async def test_urgent_calls_go_first_and_equal_ones_in_their_order():
    team = Team()
    pool = Pool(team.make, most=1)
    tasks = start(pool, "first")
    for given, priority in [("a", "low"), ("b", "normal"), ("c", "critical"), ("d", "normal")]:
        tasks += start(pool.bind(priority=priority), given)
    await team.has(1)
    for given in ["first", *"abcd"]:
        team.let(given)
    await asyncio.gather(*tasks)
    assert [given for given, _ in team.log] == ["first", "c", "b", "d", "a"]


async def test_call_goes_where_the_estimated_load_is_least():
    team = Team()
    pool = Pool(team.make, most=2, slots=2, estimate=lambda given: 5.0 if given == "big" else 1.0)
    tasks = start(pool, "big", "a", "b")
    await team.has(3)
    assert team.log == [("big", 1), ("a", 1), ("b", 2)]
    team.let("a")
    await tasks[1]
    tasks += start(pool, "c")
    await team.has(4)
    assert team.log[-1] == ("c", 2)
    assert [agent.load for agent in pool.snapshot().agents] == [5.0, 2.0]
    for given in ("big", "b", "c"):
        team.let(given)
    await asyncio.gather(*tasks)


async def test_slower_agent_counts_as_more_loaded():
    clock = Clock()
    team = Team()
    pool = Pool(team.make, most=2, clock=clock)
    tasks = start(pool, "slow", "quick")
    await team.has(2)
    clock.now = 1
    team.let("quick")
    await tasks[1]
    clock.now = 10
    team.let("slow")
    await tasks[0]
    assert [agent.pace for agent in pool.snapshot().agents] == [10, 1]
    team.let("next")
    assert await pool.ainvoke("next") == 2


async def test_failing_agent_is_set_aside_and_tried_again_by_one_call():
    clock, team = Clock(), Team()
    pool = Pool(team.make, most=2, failures=2, retry_after=30, clock=clock)
    held = start(pool, "held")
    await team.has(1)
    for error in (ValueError("1"), ValueError("2")):
        team.let(error)
        with pytest.raises(ValueError, match=str(error)):
            await pool.ainvoke(error)
    assert states(pool) == ["busy", "aside"]
    waiting = start(pool, "a", "b", "c")
    await asyncio.sleep(0)
    assert pool.snapshot().waiting == 3

    clock.now = 31
    team.let("held")  # whose end makes the pool look
    await held[0]
    await team.has(5)
    assert {*team.log[-2:]} == {("a", 2), ("b", 1)}
    for given in "abc":
        team.let(given)
    await asyncio.gather(*waiting)
    assert states(pool) == ["idle", "idle"]
    assert pool.snapshot().agents[1].failed == 2


async def test_agent_that_fails_its_trial_is_set_aside_again():
    clock, team = Clock(), Team(holds=False)
    pool = Pool(team.make, most=1, failures=2, retry_after=30, clock=clock)
    for seconds in (0, 0, 31):
        clock.now += seconds
        with pytest.raises(ValueError, match="x"):
            await pool.ainvoke(ValueError("x"))
    assert states(pool) == ["aside"]
    clock.now += 31
    assert await pool.ainvoke("a") == 1
    assert states(pool) == ["idle"]


async def test_call_waits_for_the_trial_when_all_are_set_aside():
    team = Team(holds=False)
    pool = Pool(team.make, most=1, failures=1, retry_after=0.02)
    with pytest.raises(ValueError, match="x"):
        await pool.ainvoke(ValueError("x"))
    assert await pool.ainvoke("a") == 1


@pytest.mark.parametrize("error", [BudgetError("spent"), GraphInterrupt()])
async def test_budgets_and_interrupts_say_nothing_about_the_agent(error):
    pool = Pool(Team(holds=False).make, most=1, failures=1)
    with pytest.raises(type(error)):
        await pool.ainvoke(error)
    assert states(pool) == ["idle"]


async def test_own_judgement_of_failures_counts():
    pool = Pool(Team(holds=False).make, most=1, failures=1, is_failure=lambda error: False)
    with pytest.raises(ValueError, match="x"):
        await pool.ainvoke(ValueError("x"))
    assert states(pool) == ["idle"]


async def test_call_that_waits_too_long_says_why():
    team = Team()
    pool = Pool(team.make, name="writer", most=1, patience=0.01)
    tasks = start(pool, "a")
    await team.has(1)
    with pytest.raises(AgentError, match=r"'writer': no agent was free within 0\.01 s \(1 busy;"):
        await pool.ainvoke("b")
    assert pool.snapshot().waiting == 0
    team.let("a")
    assert await tasks[0] == 1


async def test_cancelled_calls_leave_no_place_taken():
    team = Team()
    pool = Pool(team.make, most=2)
    for steps in range(12):
        tasks = start(pool, *range(6))
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        found = pool.snapshot()
        assert found.waiting == 0
        assert {(agent.running, agent.load, agent.state) for agent in found.agents} <= {
            (0, 0.0, "idle")
        }
    team.let("after")
    assert await pool.ainvoke("after") <= team.made


async def test_place_given_to_a_cancelled_call_goes_to_the_next():
    team = Team()
    pool = Pool(team.make, most=1)
    first, second, third = start(pool, *"abc")
    await team.has(1)
    team.let("a")
    team.let("c")
    await first
    second.cancel()  # it has the place by now, and has not begun
    assert await third == 1
    assert [given for given, _ in team.log] == ["a", "c"]


async def test_maker_may_be_async_and_its_failure_is_the_callers():
    team, fails = Team(holds=False), [True, False]

    async def make():
        await asyncio.sleep(0)
        if fails.pop(0):
            raise OSError("no agent today")
        return team.make()

    pool = Pool(make, most=1)
    with pytest.raises(OSError, match="no agent today"):
        await pool.ainvoke("a")
    assert pool.snapshot().agents == ()
    assert await pool.ainvoke("b") == 1


class State(TypedDict):
    x: int


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_pool_stands_where_an_agent_stands(how):
    def make_doubler():
        builder = StateGraph(State)
        builder.add_node("double", lambda state: {"x": 2 * state["x"]})
        builder.add_edge(START, "double")
        return builder.compile()

    pools = balance({"doubler": make_doubler, "echo": lambda: RunnableLambda(dict)}, most=2)
    builder = StateGraph(State)
    builder.add_node(pools["doubler"].name, pools["doubler"])
    builder.add_node("echo", pools["echo"])
    builder.add_edge(START, "doubler")
    builder.add_edge("doubler", "echo")
    graph = builder.compile()

    found = graph.invoke({"x": 4}) if how == "sync" else await graph.ainvoke({"x": 4})

    assert isinstance(pools["echo"], Runnable)
    assert found == {"x": 8}
    assert [pool.snapshot().agents[0].done for pool in pools.values()] == [1, 1]


def test_threads_and_loops_share_a_pool():
    busy, most_busy = [], []

    async def act(given):
        busy.append(given)
        most_busy.append(len(busy))
        await asyncio.sleep(0)
        busy.remove(given)
        return given

    pool = Pool(lambda: RunnableLambda(act), most=3)

    def run(start_at):
        if start_at % 2:
            return [pool.invoke(start_at * 100 + n) for n in range(20)]

        async def several():
            return await asyncio.gather(*(pool.ainvoke(start_at * 100 + n) for n in range(20)))

        return asyncio.run(several())

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(run, range(4)))
    assert found == [[n * 100 + m for m in range(20)] for n in range(4)]
    assert max(most_busy) <= 3
    assert sum(agent.done for agent in pool.snapshot().agents) == 80


@pytest.mark.parametrize(
    "wrong", [{"most": 0}, {"slots": True}, {"failures": "3"}, {"patience": -1}]
)
def test_impossible_limits_are_named(wrong):
    with pytest.raises(ConfigurationError, match=f"{next(iter(wrong))} of pool 'p' is"):
        Pool(Team.make, name="p", **wrong)


async def test_impossible_calls_are_named():
    pool = Pool(Team(holds=False).make, estimate=lambda given: given)
    with pytest.raises(ConfigurationError, match="load of 0 is impossible"):
        await pool.ainvoke(0)
    with pytest.raises(ConfigurationError, match="'urgent' is unknown; choose one of low,"):
        await pool.ainvoke(1, priority="urgent")


class AnyOrder(RuleBasedStateMachine):
    """Calls come, end, fail and give up in any order."""

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.rules = Rules(most=3, slots=2, failures=2, retry_after=10.0)
        self.seats = Seats(self.rules, self.clock)
        self.loop = asyncio.new_event_loop()
        self.served = []

    def teardown(self):
        self.loop.close()

    @rule(rank=st.integers(0, 3), load=st.sampled_from([0.5, 1.0, 3.0]))
    def come(self, rank, load):
        async def make():
            return Caller(rank, load)

        before = list(self.seats.callers)
        caller = self.loop.run_until_complete(make())
        self.seats.enter(caller)
        self.take_in([*before, caller])

    @precondition(lambda self: self.served)
    @rule(which=st.integers(0, 99), end=st.sampled_from(list(End)), seconds=st.floats(0, 5))
    def end(self, which, end, seconds):
        caller = self.served.pop(which % len(self.served))
        if caller.seat.agent is None and end is not End.OTHER:
            caller.seat.agent = "made"
        before = list(self.seats.callers)
        self.seats.leave(caller.seat, caller.load, end, seconds)
        self.take_in(before)

    @precondition(lambda self: self.seats.callers)
    @rule(which=st.integers(0, 99))
    def give_up(self, which):
        self.seats.withdraw(self.seats.callers[which % len(self.seats.callers)])

    @rule(seconds=st.floats(0, 20))
    def time_passes(self, seconds):
        before = list(self.seats.callers)
        self.clock.now += seconds
        self.seats.assign()
        self.take_in(before)

    def take_in(self, before):
        now_served = [caller for caller in before if caller.seat is not None]
        self.served += now_served
        for caller in now_served:
            assert all(caller.rank >= other.rank for other in self.seats.callers)

    @invariant()
    def limits_hold(self):
        assert len(self.seats.seats) <= self.rules.most
        for seat in self.seats.seats:
            mine = [caller.load for caller in self.served if caller.seat is seat]
            assert (seat.running, seat.load) == (len(mine), sum(mine))
            assert seat.running <= self.rules.slots

    @invariant()
    def nobody_waits_while_there_is_room(self):
        if self.seats.callers:
            assert len(self.seats.seats) == self.rules.most
            for seat in self.seats.seats:
                is_aside = seat.aside_until is not None
                on_trial = is_aside and seat.aside_until <= self.clock.now and seat.running
                is_full = seat.running == self.rules.slots
                waits = is_aside and seat.aside_until > self.clock.now
                assert seat.agent is None or is_full or waits or on_trial


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
