import asyncio
import random

import pytest
from embedding import STORES, HybridStore, gram_store, open_store
from langgraph.store.memory import InMemoryStore

from cogwork.core.bridge import run_blocking
from cogwork.core.errors import ConfigurationError
from cogwork.memory.experience import Experience, Outcome
from cogwork.memory.ranking import DAY, Weights
from cogwork.memory.recall import Memories
from cogwork.memory.semantic import SemanticMemory
from cogwork.memory.store import ChromaStore

NS = ("tests", "ada")


def embedded(store):
    """The texts that were embedded as documents."""
    kept = store.embeddings if isinstance(store, InMemoryStore) else store._embedder._embed
    return kept.embedded


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

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
    return SemanticMemory(store, NS, clock=clock)


async def texts(memory):
    return [known.text for known in await memory.everything()]


async def test_what_is_remembered_is_found_with_its_metadata(memory):
    await memory.remember("Ada drinks green tea", metadata={"topic": "taste"}, importance=0.8)
    await memory.remember("The server stands in Zurich", metadata={"topic": "work"})
    best, *_ = await memory.search("what tea does Ada drink")
    assert best.text == "Ada drinks green tea"
    assert (best.metadata, best.importance, best.accesses) == ({"topic": "taste"}, 0.8, 1)
    assert 0 < best.score <= 1


async def test_a_filter_on_metadata_holds(memory):
    await memory.remember("Ada drinks green tea", metadata={"topic": "taste"})
    await memory.remember("Ada drinks green tea at work", metadata={"topic": "work"})
    found = await memory.search("Ada drinks green tea", filter={"topic": "work"})
    assert [known.metadata["topic"] for known in found] == ["work"]


async def test_words_find_what_meaning_misses(clock):
    store = gram_store(HybridStore)
    memory = SemanticMemory(store, NS, clock=clock)
    for place in range(60):
        await memory.remember(f"The parcel number {place} has arrived at the parcel station")
    await memory.remember("Xq7 was sent back")
    best, *_ = await memory.search("Where is the parcel xq7", k=1)
    assert best.text == "Xq7 was sent back"


@pytest.mark.parametrize("kind", [InMemoryStore, ChromaStore])
async def test_a_store_without_vectors_finds_by_words(kind, clock, tmp_path):
    store = ChromaStore(tmp_path, embeddings=None) if kind is ChromaStore else InMemoryStore()
    memory = SemanticMemory(store, NS, clock=clock)
    await memory.remember("Bob plays chess")
    await memory.remember("Ada drinks green tea")
    await memory.remember("ada drinks green tea")
    assert [m.text for m in await memory.search("chess", k=1)] == ["Bob plays chess"]
    assert {m.text.casefold() for m in await memory.search("green tea")} == {"ada drinks green tea"}
    assert (await memory.consolidate()).merged == ()
    if kind is ChromaStore:
        store.close()


async def test_a_blank_query_and_none_wanted_find_nothing(memory):
    await memory.remember("Ada drinks green tea")
    assert await memory.search("  ") == []
    assert await memory.search("tea", k=0) == []


async def test_importance_and_recency_decide_between_equally_relevant_ones(store, clock):
    weights = Weights(importance=0.2, recency=0.2)
    memory = SemanticMemory(store, NS, clock=clock, weights=weights)
    for text, importance in (("tea 1", 0.1), ("tea 2", 0.9), ("tea 3", 0.1)):
        await memory.remember(text, importance=importance)
        clock.now += 30 * DAY
    found = [known.text for known in await memory.search("tea", touch=False)]
    assert found == ["tea 2", "tea 3", "tea 1"]


async def test_a_series_of_alike_memories_leaves_places_to_others(tmp_path, clock):
    with ChromaStore(tmp_path / "store", fields=["text"]) as store:
        memories = {
            diversity: SemanticMemory(store, NS, clock=clock, weights=Weights(diversity=diversity))
            for diversity in (0.25, 0)
        }
        for day in range(1, 21):
            await memories[0].remember(f"Kestrel was shown to Ada on {day} May")
        await memories[0].remember("The disk of Kestrel is full")
        await memories[0].remember("Our landlord is Mr Petrov")
        query = "Tell me about Kestrel"
        diverse, alike = [
            {known.text for known in await memory.search(query, 3, touch=False)}
            for memory in memories.values()
        ]
    assert "The disk of Kestrel is full" in diverse - alike


async def test_a_search_counts_the_access_and_never_embeds_a_text_again(store, memory, clock):
    kept = await memory.remember("Ada drinks green tea")
    count = len(embedded(store))
    for _ in range(3):
        await memory.search("tea")
    await memory.search("tea", touch=False)
    found = await memory.get(kept.id)
    assert (found.accesses, found.used_at > kept.used_at) == (3, True)
    assert len(embedded(store)) == count


async def test_importance_is_raised_and_lowered_within_bounds(memory):
    kept = await memory.remember("Ada drinks green tea", importance=0.5)
    assert (await memory.update_importance(kept.id, 0.2)).importance == pytest.approx(0.7)
    assert (await memory.update_importance(kept.id, 9)).importance == 1
    assert (await memory.update_importance(kept.id, -9)).importance == 0
    with pytest.raises(ConfigurationError, match="nothere"):
        await memory.update_importance("nothere", 1)


async def test_a_thousand_repeats_leave_one_record(store, memory):
    for place in range(1_000):
        await memory.remember("Ada  drinks green tea" if place % 2 else "Ada drinks green tea")
    (only,) = await memory.everything()
    assert only.repeats == 999
    assert len(store.search((), limit=5_000)) == 3  # text, usage and the count
    assert len(embedded(store)) <= 2


async def test_concurrent_repeats_and_ratings_are_all_counted(memory):
    kept = await memory.remember("Ada drinks green tea", importance=0.0)
    await asyncio.gather(*(memory.remember("Ada drinks green tea") for _ in range(50)))
    await memory.update_importance(kept.id, -1)
    await asyncio.gather(*(memory.update_importance(kept.id, 0.01) for _ in range(50)))
    (only,) = await memory.everything()
    assert only.repeats == 50
    assert only.importance == pytest.approx(0.5)


async def test_near_duplicates_are_merged_at_write_and_leave_their_provenance(memory):
    kept = await memory.remember("Ada drinks green tea", metadata={"a": 1}, importance=0.2)
    again = await memory.remember("ada drinks green tea!", metadata={"b": 2}, importance=0.9)
    assert again.id == kept.id
    assert (again.importance, again.metadata, again.repeats) == (0.9, {"a": 1, "b": 2}, 1)
    assert [source["text"] for source in again.provenance] == ["ada drinks green tea!"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The number of the gate for the delivery is 5514", "The number of the gate for the delivery is 5515"),
        ("Anna manages the team of Bob in the Zurich office", "Bob manages the team of Anna in the Zurich office"),
    ],
)  # fmt: skip
async def test_near_texts_with_other_facts_are_not_merged(memory, one, other):
    await memory.remember(one)
    await memory.remember(other)
    assert await texts(memory) == [one, other]
    assert (await memory.consolidate()).merged == ()


async def test_the_least_useful_goes_first_and_never_the_new_one(store, clock):
    memory = SemanticMemory(store, NS, capacity=3, clock=clock)
    for text, importance in (("apples", 0.9), ("bridges", 0.1), ("clouds", 0.5), ("dunes", 0.0)):
        await memory.remember(text, importance=importance)
    assert await texts(memory) == ["apples", "clouds", "dunes"]
    await memory.remember("eagles", importance=0.4)
    assert await texts(memory) == ["apples", "clouds", "eagles"]


async def test_a_namespace_never_holds_more_than_its_capacity(store, clock):
    memory = SemanticMemory(store, NS, capacity=10, clock=clock)
    order = random.Random(1)
    for place in range(60):
        kept = await memory.remember(
            f"{order.getrandbits(64):x} {place}", importance=order.random()
        )
        if place % 7 == 0:
            await memory.forget(kept.id)
        assert len(await memory.everything()) <= 10
    assert len(await memory.everything()) == 10


async def test_what_is_forgotten_is_gone(store, memory):
    kept = await memory.remember("Ada drinks green tea")
    assert await memory.forget(kept.id)
    assert not await memory.forget(kept.id)
    assert await memory.search("Ada drinks green tea") == []


@pytest.mark.parametrize("wrong", ["", " \n", 5, None, ["tea"]])
async def test_what_is_no_text_is_refused(memory, wrong):
    with pytest.raises(ConfigurationError, match="the text to remember is"):
        await memory.remember(wrong)


async def test_impossible_values_are_refused(store, memory):
    for wrong in (-0.1, 1.1, float("nan"), "high", None):
        with pytest.raises(ConfigurationError):
            await memory.remember("tea", importance=wrong)
    kept = await memory.remember("tea")
    with pytest.raises(ConfigurationError):
        await memory.update_importance(kept.id, float("nan"))
    with pytest.raises(ConfigurationError):
        SemanticMemory(store, NS, capacity=0)
    with pytest.raises(ConfigurationError):
        SemanticMemory(store, ())


async def test_a_correction_takes_the_place_of_what_was_wrong(store, memory):
    wrong = await memory.remember("Ada lives in Graz", metadata={"tainted": ["web"]})
    other = await memory.remember("Bob plays chess")
    kept = await memory.correct("Ada lives in Bern", instead_of=[wrong.id, "unknown"])
    assert await texts(memory) == ["Bob plays chess", "Ada lives in Bern"]
    assert (kept.supersedes, kept.taint) == ((wrong.id,), ("web",))
    assert [source["text"] for source in kept.provenance] == ["Ada lives in Graz"]
    assert await memory.get(kept.id) == kept
    again = await memory.correct("Ada lives in Bern", instead_of=[kept.id, wrong.id])
    assert (again.id, again.repeats, again.supersedes) == (kept.id, 1, (wrong.id,))
    await memory.correct("Bob plays go", instead_of=[other.id])
    assert await texts(memory) == ["Ada lives in Bern", "Bob plays go"]
    small = SemanticMemory(store, NS, capacity=3)
    await small.remember("a third fact")
    assert len(await small.everything()) == 3  # what went is not counted


async def test_no_memory_vanishes_by_a_time_to_live_nobody_asked_for(tmp_path):
    now = 1e9
    ttl = {"default_ttl": 1, "refresh_on_read": False, "sweep_interval_minutes": 1}
    with ChromaStore(tmp_path, embeddings=None, ttl=ttl, clock=lambda: now) as store:
        memories = Memories(store, NS, clock=lambda: now)
        await memories.semantic.remember("Ada drinks green tea")
        await memories.learn_from_experience(Experience("tea is cold", "heat it"), Outcome(1))
        await store.aput(NS, "plain", {"text": "gone in a minute"})
        now += 3_600
        store.sweep_ttl()
        assert await store.aget(NS, "plain") is None
        assert "Ada drinks green tea" in await texts(memories.semantic)
        assert len(await memories.episodic.by_outcome("success")) == 1
        assert [p.action for p in await memories.patterns.suggest("cold tea")] == ["heat it"]


async def test_namespaces_do_not_mix(store, memory, clock):
    other = SemanticMemory(store, ("tests", "ada2"), clock=clock)
    await memory.remember("Ada drinks green tea")
    assert await other.search("Ada drinks green tea") == []
    await other.remember("Ada drinks green tea")
    assert (await other.consolidate()).merged == ()
    assert await texts(memory) == await texts(other) == ["Ada drinks green tea"]


def test_synchronous_code_uses_it_through_the_bridge():
    memory = SemanticMemory(gram_store(), NS)
    run_blocking(memory.remember, "Ada drinks green tea")
    assert run_blocking(memory.search, "tea")[0].text == "Ada drinks green tea"
