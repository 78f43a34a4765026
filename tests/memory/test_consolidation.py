import random
from dataclasses import replace

import pytest
from embedding import STORES, open_store

from cogwork.core.errors import ConfigurationError
from cogwork.memory.facts import Facts
from cogwork.memory.ranking import DAY
from cogwork.memory.semantic import SemanticMemory

NS = ("tests", "ada")
PLANTED = ["Ada drinks green tea", "Ada drinks the green tea!", "ada also drinks green tea"]


class Clock:
    now = 1e9

    def __call__(self):
        self.now += 1
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    with open_store(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
def memory(store, clock):
    return SemanticMemory(store, NS, near=0.7, clock=clock)


async def plant(memory, text, **values):
    """Write past the check at write, as a crash or another process would."""
    unchecked = SemanticMemory(memory._store, NS, near=2.0, clock=memory._clock)
    return await unchecked.remember(text, **values)


async def snapshot(memory):
    """Everything but the time of the last use."""
    return [replace(known, used_at=0) for known in await memory.everything()]


async def test_near_duplicates_become_one_that_names_the_others(memory):
    planted = [await plant(memory, text, metadata={text: 1}) for text in PLANTED]
    report = await memory.consolidate()
    (kept,) = await memory.everything()
    assert kept.text == PLANTED[0]
    assert set(kept.supersedes) == {planted[1].id, planted[2].id}
    assert {source["text"] for source in kept.provenance} == set(PLANTED[1:])
    assert kept.metadata == dict.fromkeys(PLANTED, 1)
    assert kept.repeats == 2
    assert len(report.merged) == 2
    assert "merged 'Ada drinks the green tea!' into 'Ada drinks green tea'" in report.explain()


async def test_the_more_important_text_stays(memory):
    await plant(memory, PLANTED[0], importance=0.3)
    await plant(memory, PLANTED[1], importance=0.7)
    await memory.consolidate()
    (kept,) = await memory.everything()
    assert (kept.text, kept.importance) == (PLANTED[1], 0.7)


async def test_only_the_unimportant_and_untouched_is_forgotten(memory, clock):
    await memory.remember("unimportant, untouched", importance=0.1)
    await memory.remember("important", importance=0.2)
    used = await memory.remember("used lately", importance=0.1)
    clock.now += 31 * DAY
    await memory.search("used lately", k=1)
    report = await memory.consolidate()
    assert [gone.text for gone in report.forgotten] == ["unimportant, untouched"]
    assert {known.text for known in await memory.everything()} == {"important", "used lately"}
    assert used.id not in report.explain()
    assert "untouched for 31 days" in report.explain()


async def test_it_looks_only_at_what_is_new(memory, clock):
    for place in range(5):
        await memory.remember(f"{place} {place * 7919:x}")
    assert (await memory.consolidate(limit=3)).examined == 3
    assert (await memory.consolidate(limit=3)).examined == 2
    clock.now += 120
    await memory.remember("something new")
    assert (await memory.consolidate()).examined <= 6
    clock.now += 120
    await memory.consolidate()
    assert (await memory.consolidate()).examined == 0


async def test_it_can_be_undone(memory, clock):
    for text in PLANTED:
        await plant(memory, text, metadata={text: 1})
    await memory.remember("a trifle", importance=0.1)
    before = await snapshot(memory)
    clock.now += 40 * DAY
    report = await memory.consolidate()
    assert len(await memory.everything()) == 1
    assert await memory.undo(report.id) == 3
    assert await snapshot(memory) == before
    with pytest.raises(ConfigurationError, match=report.id):
        await memory.undo(report.id)
    assert (await memory.consolidate()).forgotten == ()  # being brought back is a use


async def test_undo_keeps_what_happened_since(memory):
    for text in PLANTED[:2]:
        await plant(memory, text)
    report = await memory.consolidate()
    await memory.remember(PLANTED[0], metadata={"later": True})
    await memory.undo(report.id)
    kept = (await memory.everything())[0]
    assert (kept.metadata, kept.repeats, kept.supersedes) == ({"later": True}, 1, ())


async def test_it_can_be_undone_for_thirty_days_and_no_longer(memory, clock):
    for text in PLANTED[:2]:
        await plant(memory, text)
    report = await memory.consolidate()
    clock.now += 29 * DAY
    await memory.consolidate()
    clock.now += 2 * DAY
    with pytest.raises(ConfigurationError, match="30 days"):
        await memory.undo(report.id)
    await memory.consolidate()
    assert memory._store.search(Facts(memory._store, NS).reports) == []


async def test_a_pass_that_dies_after_its_report_changes_nothing_and_can_be_repeated(
    memory, monkeypatch
):
    for text in PLANTED:
        await plant(memory, text)
    before = await snapshot(memory)
    save = memory._consolidation._save

    async def save_and_die(*args):
        await save(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(memory._consolidation, "_save", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            await memory.consolidate()
    assert await snapshot(memory) == before
    (report,) = memory._store.search(Facts(memory._store, NS).reports)
    assert await memory.undo(report.key) == 0
    assert await snapshot(memory) == before
    assert len((await memory.consolidate()).merged) == 2


async def test_planted_duplicates_are_merged_and_nothing_else(memory):
    order = random.Random(7)
    names = ["Ada", "Bob", "Chen", "Dora", "Emil"]
    facts = [
        f"{name} keeps {order.randrange(10**6)} coins in the {colour} box of room {room}"
        for name in names
        for colour in ("red", "blue")
        for room in range(4)
    ]
    for fact in facts:
        await plant(memory, fact)
        await plant(memory, f"Also, {fact.lower()}!")
    report = await memory.consolidate()
    kept = await memory.everything()
    assert len(report.merged) >= 0.95 * len(facts)
    assert all(
        merge.kept_text.split()[0].casefold() in merge.superseded_text for merge in report.merged
    )
    assert {known.text for known in kept} >= set(facts)
    assert len(kept) == 2 * len(facts) - len(report.merged)
