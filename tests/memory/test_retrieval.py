import sys

import pytest
from embedding import HybridStore, gram_store
from langchain_core.embeddings import Embeddings
from langgraph.store.memory import InMemoryStore

from cogwork.core.embeddings import create_embeddings
from cogwork.memory.episodic import EpisodicMemory
from cogwork.memory.retrieval import search_hybrid
from cogwork.memory.semantic import SemanticMemory
from cogwork.memory.store import ChromaStore

NS = ("facts",)
FACTS = (
    "The server Kestrel has the address 10.0.4.17",
    "The server Falcon has the address 10.0.4.71",
    "Backups of the database run every night at two",
    "The invoice 2024-117 was paid in March",
    "The invoice 2024-171 was paid in April",
    "The meeting room on the third floor is called Kepler",
    "Our landlord is Mr Petrov",
    "The office closes at six on Fridays",
)
MONTHS = ("January", "March", "April", "June")
PLACES = ("bridge", "library", "museum", "market", "station", "pool")


class Starred(Embeddings):
    """What has a star is the same as any question; all else is a little less like it."""

    def embed_documents(self, texts):
        return [[1.0, 0.0] if "*" in text else [0.6, 0.8] for text in texts]

    def embed_query(self, text):
        return [1.0, 0.0]


@pytest.fixture
def starred(tmp_path):
    with ChromaStore(tmp_path, embeddings=Starred(), fields=["text"]) as store:
        yield store


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    with ChromaStore(folder, embeddings=create_embeddings("static"), fields=["text"]) as store:
        for number, text in enumerate(FACTS):
            store.put(NS, str(number), {"text": text})
        yield store


async def best(store, query):
    return (await search_hybrid(store, NS, query))[0].item.value["text"]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How often is our data saved?", "Backups"),
        ("Who owns the flat we rent?", "landlord"),
        ("When does it close?", "Fridays"),
        ("What is 10.0.4.71?", "Falcon"),
        ("2024-171", "April"),
        ("Was 2024-117 settled?", "March"),
        ("Kestrel", "Kestrel"),
    ],
)
async def test_meaning_names_and_numbers_each_find_their_fact(known, question, answer):
    assert answer in await best(known, question)


async def test_one_shared_word_of_many_does_not_outweigh_meaning(known):
    near, word = "Customers' data is erased within 30 days", "The choir records an album in spring"
    for number, text in enumerate([*FACTS, *FACTS, near, word]):
        known.put(("more",), str(number), {"text": f"{text} {number // len(FACTS) or ''}"})
    query = "How quickly must we delete a person's records on request?"
    found = [hit.item.value["text"] for hit in await search_hybrid(known, ("more",), query)]
    assert found[0].startswith(near)


async def test_a_text_with_more_of_the_words_comes_before_one_with_the_rarest(tmp_path):
    with ChromaStore(tmp_path / "store", embeddings=None) as store:
        said = ["the window is open"] * 30 + ["the room is free"] * 6 + ["Yusra called"] * 6
        said += ["a table was reserved", "Yusra says that the third room is hers for a day"]
        for number, text in enumerate(said):
            store.put(NS, str(number), {"text": text})
        query = "Is a room reserved for Yusra?"
        assert store.search_text(NS, query)[0].value["text"] == said[-2]
        hits = await search_hybrid(store, NS, query)
    assert hits[0].item.value["text"] == said[-1]


async def test_values_without_a_text_are_found_by_their_words():
    store = gram_store(HybridStore)
    store.put(NS, "a", {"title": "Green tea"})
    store.put(NS, "b", {"title": "Black coffee"})
    hits = await search_hybrid(store, NS, "tea")
    assert [hit.item.key for hit in hits if hit.shares_words] == ["a"]


async def test_of_many_facts_about_a_name_the_one_that_means_the_question_is_found(known):
    said = [
        f"{what} Bertil in {where}"
        for what in ("Lunch with", "A lift for", "A letter of")
        for where in ("Rouen", "Lyon", "Nice", "Bergen", "Turin", "Parma", "Leeds", "Basel")
    ]
    for number, text in enumerate([*said, "Bertil's new phone number is 070 448 2917"]):
        known.put(("bertil",), str(number), {"text": text})
    hits = await search_hybrid(known, ("bertil",), "How can I call Bertil?")
    assert "phone" in hits[0].item.value["text"]


async def test_hits_are_sorted_by_their_relevance(known):
    found = [hit.relevance for hit in await search_hybrid(known, NS, "Where is Kestrel?")]
    assert len(found) == len(FACTS)
    assert found == sorted(found, reverse=True)


async def test_near_words_find_what_the_vectors_and_the_same_words_put_behind(known):
    said = [
        f"We {did} {what} with my {whom}"
        for did in ("looked after", "paid for", "lived near")
        for what in ("the car", "the price", "an animal", "lunch")
        for whom in ("uncle", "teeth", "work")
    ]
    said += [f"In {month} the {what} was closed" for month in MONTHS for what in PLACES]
    for number, text in enumerate([*said, "The mechanic in Elm Street fixed our old van again"]):
        known.put(("said",), str(number), {"text": text})
    query, wanted = "who repairs the car", str(len(said))
    near = [hit.key for hit in known.search(("said",), query=query, limit=40)]
    hits = await search_hybrid(known, ("said",), query, limit=4)
    assert near.index(wanted) >= 4
    assert wanted not in [hit.key for hit in known.search_text(("said",), query, limit=40)]
    assert hits[0].item.key == wanted


@pytest.mark.parametrize("limit", [1, 3])
async def test_no_more_hits_come_than_are_wanted(known, limit):
    assert len(await search_hybrid(known, NS, "Where is Kestrel?", limit=limit)) == limit


async def test_hits_that_may_not_be_returned_take_no_place_from_others(known):
    found = await search_hybrid(
        known, NS, "Where is Kestrel?", limit=2, keep=lambda hit: "Kestrel" not in str(hit.item)
    )
    assert len(found) == 2


@pytest.mark.parametrize("limit", [10_000, sys.maxsize, 10**30])
async def test_a_limit_that_is_none_returns_everything(known, limit):
    assert len(await search_hybrid(known, NS, "Where is Kestrel?", limit=limit)) == len(FACTS)


@pytest.mark.parametrize("kind", [InMemoryStore, HybridStore])
async def test_no_hit_has_a_score_that_is_no_number(kind):
    store = kind(index={"dims": 2, "embed": _unfinished, "fields": ["text"]})
    for number, text in enumerate(("tea", "broken tea", "coffee")):
        store.put(NS, str(number), {"text": text})
    hits = await search_hybrid(store, NS, "tea")
    assert {hit.item.key for hit in hits} >= {"0", "2"}
    assert all(0 <= hit.relevance <= 1 for hit in hits)
    assert all(hit.similarity is None or abs(hit.similarity) <= 1 for hit in hits)


def _unfinished(texts):
    return [[float("nan") if "broken" in text else 1.0, 0.0] for text in texts]


async def test_knowledge_that_is_near_enough_is_found_behind_much_that_is_not(starred):
    memory = SemanticMemory(starred, NS, near=2.0)
    for number in range(60):
        await memory.remember(f"teapot {number}")
    await memory.remember("* zzz")
    found = await memory.search("kettle", 1, min_similarity=0.9)
    assert [one.text for one in found] == ["* zzz"]


async def test_an_episode_that_is_near_enough_is_found_behind_many_that_are_not(starred):
    memory = EpisodicMemory(starred, NS)
    await memory.record("* zzz", importance=0)
    for number in range(60):
        await memory.record(f"A teapot, {number}", importance=1)
    found = await memory.similar("kettle", 1, min_similarity=0.9)
    assert [one.text for one in found] == ["* zzz"]


async def test_the_nearest_episode_is_linked_though_others_share_words(starred):
    memory = EpisodicMemory(starred, NS)
    near = await memory.record("* zzz")
    for number in range(20):
        await memory.record(f"The kettle boiled {number}")
    assert (await memory.record("* A kettle boils")).related[0] == near.id
