"""A breaker opens, lets one probe through at a time, and closes again."""

import asyncio
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.tools import BaseTool, ToolException, tool
from langgraph.errors import GraphInterrupt
from scripted import ScriptedChatModel, calls

from cogwork import create_react_agent
from cogwork import tool as cogwork_tool
from cogwork.core.breaker import CircuitBreaker, circuit_breaker
from cogwork.core.breaker_circuit import Circuit, Permit
from cogwork.core.budget import Budget
from cogwork.core.budget_runs import open_budget
from cogwork.core.errors import BudgetError, CircuitOpenError, ConfigurationError


@pytest.fixture
def clock(monkeypatch):
    """The time, which a test moves on."""
    now = [1_800_000_000.0]
    monkeypatch.setattr("cogwork.core.shared.time.time", lambda: now[0])
    return now


def fail(breaker, error=None, times=1):
    error = error or ConnectionError("down")
    for _ in range(times):
        with pytest.raises(type(error)), breaker.guard():
            raise error


def succeed(breaker):
    with breaker.guard():
        return


def half_open(clock, **options):
    breaker = CircuitBreaker("service", **options)
    fail(breaker, times=5)
    clock[0] += 30
    assert breaker.state == "half_open"
    return breaker


def test_five_failures_in_a_row_open_it_and_thirty_seconds_later_two_probes_close_it(clock):
    breaker = CircuitBreaker("service")
    fail(breaker, times=4)
    succeed(breaker)
    fail(breaker, times=4)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"
    clock[0] += 29
    with pytest.raises(
        CircuitOpenError, match=r"'service' failed 5 times in a row .* in 1 s"
    ) as no:
        succeed(breaker)
    assert no.value.transient
    assert no.value.details["retry_after"] == pytest.approx(1)
    clock[0] += 1
    succeed(breaker)
    assert breaker.state == "half_open"
    succeed(breaker)
    assert breaker.state == "closed"
    metrics = breaker.metrics()
    assert (metrics.succeeded, metrics.failed, metrics.refused, metrics.opened) == (3, 9, 1, 1)


def test_a_probe_that_fails_opens_it_for_another_thirty_seconds(clock):
    breaker = half_open(clock)
    succeed(breaker)
    fail(breaker)
    assert breaker.state == "open"
    clock[0] += 29
    assert breaker.state == "open"
    clock[0] += 1
    succeed(breaker)
    assert breaker.state == "half_open"  # the success before does not count any more


async def test_of_two_hundred_concurrent_calls_one_is_the_probe(clock):
    breaker = half_open(clock)
    made, answer = [], asyncio.Event()

    async def call(number):
        async with breaker.aguard():
            made.append(number)
            await answer.wait()

    running = [asyncio.create_task(call(number)) for number in range(200)]
    while sum(each.done() for each in running) < 199:
        await asyncio.sleep(0)
    answer.set()
    ends = await asyncio.gather(*running, return_exceptions=True)
    assert made == [0]
    assert sum(isinstance(each, CircuitOpenError) for each in ends) == 199


def test_of_two_hundred_threads_one_is_the_probe(clock):
    breaker = half_open(clock)
    begin, made, refused, over = threading.Barrier(200), [], [], threading.Event()

    def call():
        begin.wait()
        try:
            with breaker.guard():
                made.append(1)
                over.wait(30)
        except CircuitOpenError:
            refused.append(1)
            if len(refused) == 199:
                over.set()

    threads = [threading.Thread(target=call) for _ in range(200)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (len(made), len(refused)) == (1, 199)


@pytest.mark.parametrize("shared", [False, True])
async def test_a_cancelled_probe_is_no_failure_and_makes_room_for_the_next(clock, tmp_path, shared):
    breaker = half_open(clock, url=f"sqlite:///{tmp_path}/b.sqlite" if shared else None)
    begun = asyncio.Event()

    async def probe():
        async with breaker.aguard():
            begun.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(probe())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert breaker.state == "half_open"
    assert breaker.metrics().cancelled == 1
    async with breaker.aguard():
        pass
    assert breaker.metrics().streak == 1
    breaker.close()


async def test_a_call_cancelled_while_it_asks_does_not_take_the_probe_along(clock, tmp_path):
    breaker = half_open(clock, url=f"sqlite:///{tmp_path}/b.sqlite")

    async def probe():
        async with breaker.aguard():
            await asyncio.Event().wait()

    for turns in range(6):
        running = asyncio.create_task(probe())
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    async with breaker.aguard():
        pass
    breaker.close()


def test_a_probe_that_never_ends_is_given_up(clock):
    breaker = half_open(clock, probe_seconds=60)
    lost = breaker.guard()
    lost.__enter__()
    with pytest.raises(CircuitOpenError, match="another call is trying it now"):
        succeed(breaker)
    clock[0] += 60
    succeed(breaker)
    lost.__exit__(None, None, None)  # too late to count
    assert breaker.metrics().streak == 1


def test_a_call_from_before_it_opened_tells_nothing(clock):
    breaker = CircuitBreaker("service")
    slow = breaker.guard()
    slow.__enter__()
    fail(breaker, times=5)
    clock[0] += 30
    slow.__exit__(None, None, None)
    assert breaker.metrics().streak == 0
    assert breaker.state == "half_open"


def test_excluded_exceptions_questions_and_refusals_are_no_failures():
    breaker = CircuitBreaker(
        "service",
        failures=1,
        excluded=(ToolException, lambda error: "not found" in str(error)),
    )
    for error in (
        ToolException("no"),
        ValueError("not found"),
        GraphInterrupt(()),
        BudgetError("spent"),
        CircuitOpenError("another one"),
        KeyboardInterrupt(),
    ):
        fail(breaker, error)
    assert breaker.state == "closed"
    assert (breaker.metrics().succeeded, breaker.metrics().cancelled) == (2, 4)
    fail(breaker, ValueError("broken"))
    assert breaker.state == "open"


def test_the_history_is_bounded():
    breaker = CircuitBreaker("service", history=3)
    for _ in range(5):
        succeed(breaker)
    fail(breaker)
    assert [(each.outcome, each.error) for each in breaker.history] == [
        ("success", ""),
        ("success", ""),
        ("failure", "ConnectionError"),
    ]


def test_a_name_is_one_breaker():
    one = circuit_breaker("by name", failures=3)
    assert circuit_breaker("by name") is one
    assert circuit_breaker("by name", failures=3) is one
    with pytest.raises(ConfigurationError, match=r"was made with {'failures': 3}"):
        circuit_breaker("by name", failures=4)


def test_reset_closes_it():
    breaker = CircuitBreaker("service", failures=1)
    fail(breaker)
    breaker.reset()
    succeed(breaker)


@pytest.mark.parametrize("wrong", [{"failures": 0}, {"seconds": -1}, {"history": 0}])
def test_numbers_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        CircuitBreaker("service", **wrong)


async def test_a_model_behind_a_breaker_is_the_model(clock):
    breaker = CircuitBreaker("model", failures=2)
    model = breaker.wrap(ScriptedChatModel(script=[ConnectionError("down")], forever=True))
    assert isinstance(model, ScriptedChatModel)
    bound = model.bind_tools([])
    with pytest.raises(ConnectionError):
        await bound.ainvoke("hi")  # whose async method calls the sync one
    assert breaker.metrics().failed == 1
    with pytest.raises(ConnectionError):
        [*model.stream("hi")]
    with open_budget(Budget()) as ledger:
        for call in (model.invoke, lambda said: [*bound.stream(said)]):
            with pytest.raises(CircuitOpenError):
                call("hi")
        with pytest.raises(CircuitOpenError):
            async for _ in model.astream("hi"):
                pass
    assert len(model.sent) == 2
    assert ledger.spent.model_calls == 0  # what was refused was not made
    spare = ScriptedChatModel(script=["spare"])
    assert model.with_fallbacks([spare]).invoke("hi").text == "spare"


class Searching(BaseTool):
    """A tool that is a class."""

    name: str = "look"
    description: str = "Look it up."

    def _run(self, question: str) -> str:
        raise ConnectionError(question)


@pytest.mark.parametrize(
    "make", [tool, cogwork_tool(effect="read", retry=None), lambda _: Searching()]
)
async def test_a_tool_behind_a_breaker_is_the_tool(make):
    @make
    def look(question: str) -> str:
        """Look it up."""
        raise ConnectionError(question)

    breaker = CircuitBreaker("search", failures=2)
    guarded = breaker.wrap(look)
    assert isinstance(guarded, type(look))
    assert guarded.args == look.args
    with pytest.raises(ConnectionError):
        guarded.invoke({"question": "a"})
    with pytest.raises(ConnectionError):
        await guarded.ainvoke({"question": "b"})
    model = ScriptedChatModel(script=[calls(("look", {"question": "c"})), "it is down"])
    messages = create_react_agent(model, [guarded]).invoke({"messages": "go"})["messages"]
    assert "'search' failed 2 times in a row and is left alone" in messages[2].text
    with pytest.raises(ConfigurationError, match="cannot be guarded"):
        breaker.wrap(create_react_agent(model))


def test_a_stream_that_is_left_is_no_failure():
    breaker = CircuitBreaker("model", failures=1)
    stream = breaker.wrap(ScriptedChatModel(script=["one two three"])).stream("hi")
    next(stream)
    stream.close()
    assert breaker.metrics().cancelled == 1


CALLER = """
import sys
from cogwork.core.breaker import CircuitBreaker
from cogwork.core.errors import CircuitOpenError

breaker = CircuitBreaker("service", url=sys.argv[1], seconds=3600)
for _ in range(3):
    try:
        with breaker.guard():
            raise ConnectionError("down")
    except (ConnectionError, CircuitOpenError) as error:
        print(type(error).__name__)
breaker.close()
"""


def test_processes_share_its_state_in_sqlite(tmp_path):
    url = f"sqlite:///{tmp_path}/breakers.sqlite"
    said = [
        line
        for _ in range(2)
        for line in subprocess.check_output([sys.executable, "-c", CALLER, url], text=True).split()
    ]
    assert said == ["ConnectionError"] * 5 + ["CircuitOpenError"]


async def test_it_is_shared_in_postgresql(postgres_url):
    first, second = (CircuitBreaker("service", url=postgres_url) for _ in range(2))
    for breaker in (first, second, first, second, first):
        with pytest.raises(ConnectionError):
            async with breaker.aguard():
                raise ConnectionError("down")
    with pytest.raises(CircuitOpenError):
        second.guard().__enter__()
    assert second.metrics().opened == 1
    first.close()
    second.close()


STEPS = st.lists(st.sampled_from(["admit", "success", "failure", "cancelled", "wait"]), max_size=80)


@given(STEPS)
def test_in_any_interleaving_there_is_one_probe_and_open_is_never_called(steps):
    circuit, value, now, open_calls = Circuit(3, 2, 10.0, 1e9), {}, 0.0, []
    for step in steps:
        now += 5.0 if step == "wait" else 0.0
        circuit.refresh(value, now)
        state = value["state"]
        if step == "admit":
            permit = circuit.admit(value, now)
            assert isinstance(permit, Permit) or state != "closed"
            assert not isinstance(permit, Permit) or state != "open"
            if isinstance(permit, Permit):
                open_calls.append(permit)
        elif step != "wait" and open_calls:
            circuit.end(value, now, open_calls.pop(0), step)
        probes = [each for each in open_calls if each.probe and each.epoch == value["epoch"]]
        assert len(probes) <= 1
        assert bool(probes) == (value["probe"] is not None)


def test_a_clock_that_is_set_back_keeps_nothing_open_for_longer(clock):
    breaker = CircuitBreaker("service")
    fail(breaker, times=5)
    clock[0] -= 86_400
    assert breaker.metrics().retry_after <= 30
    clock[0] += 30
    assert breaker.state == "half_open"
    breaker.enter()  # a probe that never ends
    clock[0] -= 86_400
    with pytest.raises(CircuitOpenError):
        breaker.enter()
    clock[0] += 300
    breaker.enter()
