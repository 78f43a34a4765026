"""What ledgers book, and what they refuse."""

import subprocess
import sys
import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cogwork.core.budget import Budget, Ledger, Spent
from cogwork.core.budget_daily import DailyLedger
from cogwork.core.errors import BudgetError, ConfigurationError
from cogwork.core.prices import price_of


def one(**asked):
    return Spent(model_calls=1, **asked)


def test_what_does_not_fit_is_refused_and_says_limit_spent_reserved_and_asked():
    ledger = Ledger(Budget(max_tokens=1_000), name="team")
    ledger.reserve("a", one(tokens=400))
    ledger.settle("a", one(tokens=300))
    ledger.reserve("b", one(tokens=500))
    with pytest.raises(
        BudgetError, match=r"the budget of the team allows 1000 tokens: 300 spent, 500 reserved"
    ):
        ledger.reserve("c", one(tokens=201))
    ledger.reserve("d", one(tokens=200))
    with pytest.raises(BudgetError) as refused:
        ledger.reserve("e", one(tokens=1))
    assert refused.value.details == {
        "ledger": "team",
        "limit": "max_tokens",
        "of": 1_000,
        "spent": 300,
        "reserved": 700,
        "asked": 1,
    }


def test_what_was_not_used_is_free_again():
    ledger = Ledger(Budget(max_tokens=100, max_cost=1.0))
    ledger.reserve("a", one(tokens=100, cost=1.0))
    assert ledger.left == Budget(max_tokens=0, max_cost=0.0)
    ledger.release("a")
    assert ledger.left == Budget(max_tokens=100, max_cost=1.0)
    assert ledger.spent.model_calls == 0


def test_a_call_is_booked_and_settled_once():
    ledger = Ledger(Budget(max_model_calls=2))
    ledger.reserve("a", one())
    ledger.reserve("a", one())
    ledger.settle("a", one())
    ledger.settle("a", one())
    assert ledger.spent.model_calls == 1


def test_a_child_cannot_outspend_its_parent_nor_its_part():
    parent = Ledger(Budget(max_model_calls=3), name="parent")
    child = Ledger(Budget(max_model_calls=30), within=parent.accounts, name="child")
    small = Ledger(Budget(max_model_calls=1), within=parent.accounts, name="small")
    small.reserve("s", one())
    with pytest.raises(BudgetError, match="of the small allows 1 model call"):
        small.reserve("t", one())
    child.reserve("a", one())
    child.reserve("b", one())
    with pytest.raises(BudgetError, match="of the parent allows 3 model calls"):
        child.reserve("c", one())
    assert child.committed.model_calls == 2  # what the parent refused is not booked in the child
    assert parent.committed.model_calls == 3


def test_seconds_are_those_of_the_clock_and_of_before():
    ledger = Ledger(Budget(max_seconds=60), spent=Spent(seconds=59))
    ledger.reserve("a", one())
    assert 59 <= ledger.spent.seconds < 60
    ledger.recover(Spent(seconds=1))
    with pytest.raises(BudgetError, match="allows 60 seconds"):
        ledger.reserve("b", one())


def test_a_warning_comes_once_when_most_is_spent():
    warnings = []
    ledger = Ledger(Budget(max_model_calls=5, max_tokens=100), on_warning=warnings.append)
    for call in range(5):
        ledger.reserve(call, one(tokens=10))
        ledger.settle(call, one(tokens=10))
    assert [(each.limit, each.of, each.spent) for each in warnings] == [("max_model_calls", 5, 4)]


def test_a_part_rounds_whole_things_down():
    whole = Budget(max_tokens=1_001, max_cost=3.0, max_tool_calls=3)
    assert whole.part(0.5) == Budget(max_tokens=500, max_cost=1.5, max_tool_calls=1)


@pytest.mark.parametrize("wrong", [{"max_tokens": -1}, {"max_cost": float("nan")}, {"warn_at": 0}])
def test_a_budget_that_means_nothing_is_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Budget(**wrong)


class Bookkeeping(RuleBasedStateMachine):
    """Calls of a parent and its child that begin, end, fail and are refused in any order."""

    def __init__(self):
        super().__init__()
        self.parent = Ledger(Budget(max_tokens=100, max_cost=10.0, max_model_calls=12))
        self.child = Ledger(Budget(max_tokens=60), within=self.parent.accounts)
        self.open = {}
        self.used = Spent()
        self.number = 0

    @rule(of_child=st.booleans(), tokens=st.integers(0, 40), cost=st.integers(0, 40))
    def reserve(self, of_child, tokens, cost):
        ledger = self.child if of_child else self.parent
        self.number += 1
        asked = one(tokens=tokens, cost=cost / 8)
        before = self.parent.committed, self.child.committed
        try:
            ledger.reserve(self.number, asked)
        except BudgetError:
            for now, then in zip(
                (self.parent.committed, self.child.committed), before, strict=True
            ):
                assert (now.tokens, now.cost, now.model_calls) == (
                    then.tokens,
                    then.cost,
                    then.model_calls,
                )
        else:
            self.open[self.number] = (ledger, asked)

    @rule(data=st.data(), share=st.sampled_from([0, 0.5, 1]))
    def settle(self, data, share):
        if self.open:
            call = data.draw(st.sampled_from(sorted(self.open)))
            ledger, asked = self.open.pop(call)
            used = one(tokens=int(asked.tokens * share), cost=asked.cost * share)
            ledger.settle(call, used)
            self.used += used

    @rule(data=st.data())
    def release(self, data):
        if self.open:
            call = data.draw(st.sampled_from(sorted(self.open)))
            ledger, _ = self.open.pop(call)
            ledger.release(call)

    @invariant()
    def nothing_is_exceeded_or_negative(self):
        for ledger in (self.parent, self.child):
            for name, limit in ledger.budget.limits():
                assert 0 <= getattr(ledger.spent, name) <= getattr(ledger.committed, name) <= limit
        spent = self.parent.spent
        assert (spent.tokens, spent.cost) == (self.used.tokens, self.used.cost)
        assert spent.model_calls == self.used.model_calls


TestBookkeeping = Bookkeeping.TestCase
TestBookkeeping.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_hundred_threads_reserve_no_more_than_there_is():
    ledger = Ledger(Budget(max_model_calls=50))
    begin, made = threading.Barrier(100), []

    def call(number):
        begin.wait()
        try:
            ledger.reserve(number, one())
        except BudgetError:
            return
        made.append(number)
        ledger.settle(number, one())

    threads = [threading.Thread(target=call, args=(number,)) for number in range(100)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(made) == ledger.spent.model_calls == 50


SPENDER = """
import sys
from cogwork.core.budget import Budget, Spent
from cogwork.core.budget_daily import DailyLedger
from cogwork.core.errors import BudgetError

today, made = DailyLedger(Budget(max_model_calls=50), sys.argv[1]), 0
for number in range(30):
    try:
        today.book(number, Spent(tokens=9, model_calls=1))
    except BudgetError:
        continue
    today.clear(number, Spent(tokens=2, model_calls=1))
    made += 1
print(made)
"""


def test_processes_share_the_budget_of_a_day(tmp_path):
    url = f"sqlite:///{tmp_path}/budgets.sqlite"
    spenders = [
        subprocess.Popen([sys.executable, "-c", SPENDER, url], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    made = [int(each.communicate()[0]) for each in spenders]
    assert sum(made) == 50
    today = DailyLedger(Budget(max_model_calls=50), url)
    assert (today.spent.model_calls, today.spent.tokens) == (50, 100)
    today.close()


def test_the_day_ends_at_midnight_and_keeps_what_began_before_it(monkeypatch):
    clock = [1_800_000_000.0]
    monkeypatch.setattr("cogwork.core.shared.time.time", lambda: clock[0])
    warnings = []
    today = DailyLedger(Budget(max_tokens=100), on_warning=warnings.append)
    run = Ledger(Budget(), within=(today,))
    run.reserve("a", one(tokens=90))
    assert [each.limit for each in warnings] == ["max_tokens"]
    with pytest.raises(BudgetError, match="of the day allows 100 tokens"):
        run.reserve("b", one(tokens=20))
    clock[0] += 86_400
    run.reserve("c", one(tokens=20))
    run.settle("a", one(tokens=10))
    run.settle("c", one(tokens=5))
    assert today.spent.tokens == 5


def test_a_clock_that_is_set_ahead_and_back_loses_no_spending_of_the_day(monkeypatch):
    clock = [1_800_000_000.0]
    monkeypatch.setattr("cogwork.core.shared.time.time", lambda: clock[0])
    today = DailyLedger(Budget(max_tokens=100))
    today.book("a", one(tokens=60))
    clock[0] += 86_400
    assert today.spent.tokens == 0
    today.book("b", one(tokens=10))
    clock[0] -= 86_400
    assert today.spent.tokens == 60
    with pytest.raises(BudgetError, match="60 spent"):
        today.book("c", one(tokens=50))


def test_a_day_in_postgresql(postgres_url):
    first, second = (DailyLedger(Budget(max_tokens=10), postgres_url) for _ in range(2))
    first.book("a", one(tokens=8))
    with pytest.raises(BudgetError):
        second.book("b", one(tokens=3))
    first.clear("a", one(tokens=4))
    second.book("c", one(tokens=6))
    assert first.spent.tokens == 10
    first.close()
    second.close()


def test_a_url_that_is_none_is_refused():
    with pytest.raises(ConfigurationError, match="write sqlite:///file"):
        DailyLedger(Budget(), "redis://here")


def test_a_price_counts_what_came_from_a_cache():
    usage = {"input_tokens": 1_000_000, "output_tokens": 0}
    whole = price_of("gpt-4o", usage, provider="openai")
    cached = price_of(
        "gpt-4o", {**usage, "input_token_details": {"cache_read": 1_000_000}}, provider="openai"
    )
    assert 0 < cached < whole


def test_a_model_without_a_price_is_said_once(caplog):
    usage = {"input_tokens": 1, "output_tokens": 1}
    assert price_of("nobody-knows-it", usage, say=False) is None
    assert not caplog.records
    assert price_of("nobody-knows-it", usage) is None
    assert price_of("nobody-knows-it", usage) is None
    assert [each.getMessage().split(",")[0][:46] for each in caplog.records] == [
        "the price of model 'nobody-knows-it' is not kn"
    ]
    assert price_of("llama3", usage, provider="ollama") == 0
