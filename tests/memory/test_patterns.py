import pytest
from embedding import STORES, gram_store, open_store

from cogwork.core.errors import ConfigurationError
from cogwork.memory.patterns import Patterns

NS = ("tests", "ada")


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    with open_store(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
def patterns(store):
    return Patterns(store, NS)


async def trials(patterns, situation, action, successes, failures):
    for place in range(successes + failures):
        learned = await patterns.learn(situation, action, success=place < successes)
    return learned


async def test_the_surest_action_comes_first_not_the_luckiest(patterns):
    await trials(patterns, "The login page times out", "clear the cache", 1, 0)
    await trials(patterns, "The login page times out", "restart the proxy", 9, 1)
    await trials(patterns, "The login page times out", "wait", 0, 5)
    found = await patterns.suggest("the login page times out again")
    assert [p.action for p in found] == ["restart the proxy", "clear the cache", "wait"]
    assert found[0].trials == 10
    assert 0.5 < found[0].confidence < 0.9
    assert found[-1].confidence == pytest.approx(0)


async def test_other_situations_are_not_suggested(patterns):
    await trials(patterns, "The login page times out", "restart the proxy", 9, 1)
    assert await patterns.suggest("Bob wants lunch") == []
    assert await patterns.suggest("The login page times out", k=0) == []


async def test_the_same_situation_in_other_words_is_one_pattern(patterns):
    await patterns.learn("The login page times out", "Wait", success=1, outcome="it came back")
    learned = await patterns.learn("the LOGIN page times out!", "wait", success=0.5, outcome="no")
    assert (learned.successes, learned.trials, learned.outcome) == (1.5, 2, "no")
    assert learned.situation == "The login page times out"


async def test_it_is_bounded_and_keeps_what_works():
    patterns = Patterns(gram_store(), NS, capacity=3)
    for place in range(9):
        await patterns.learn(f"case {place}", "try", success=place == 2)
    found = await patterns.suggest("case", k=50)
    assert len(found) == 3
    assert found[0].situation == "case 2"


@pytest.mark.parametrize(
    "wrong", [("", "act", 1), ("case", " ", 1), ("case", "act", 1.5), ("case", "act", "yes")]
)
async def test_impossible_values_are_refused(patterns, wrong):
    situation, action, success = wrong
    with pytest.raises(ConfigurationError):
        await patterns.learn(situation, action, success=success)


async def test_as_many_are_suggested_as_are_wanted(patterns):
    for number in range(50):
        await patterns.learn("The login page times out", f"step {number}", success=1)
    found = await patterns.suggest("The login page times out", k=50)
    assert len({pattern.id for pattern in found}) == 50
