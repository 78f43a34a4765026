import pytest
from embedding import STORES, open_store
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.errors import ConfigurationError
from cogwork.memory import ChromaStore
from cogwork.memory.episodic import EpisodicMemory
from cogwork.memory.experience import Experience, Outcome, importance_of
from cogwork.memory.ranking import Weights
from cogwork.memory.recall import Memories
from cogwork.memory.semantic import SemanticMemory
from cogwork.memory.working import merge_working, working_item

NS = ("tests", "ada")
unit = st.floats(0, 1)


class Clock:
    now = 1e9

    def __call__(self):
        self.now += 1
        return self.now


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    with open_store(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
def memories(store):
    return Memories(store, NS, clock=Clock())


async def test_one_question_reaches_all_memories(memories):
    await memories.semantic.remember("The printer in room 12 needs blue toner")
    await memories.semantic.remember("Bob plays chess")
    await memories.episodic.record("Ada refilled the toner of the printer")
    held = [working_item("The printer is being repaired", id="w", now=1e9)]
    found = await memories.recall("printer toner", working=held)
    assert {one.source for one in found[:3]} == {"working", "episodic", "semantic"}
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(0 < one.score <= 1 for one in found)
    assert "chess" not in found[0].text


async def test_what_several_memories_say_comes_once_with_its_sources(memories):
    await memories.semantic.remember("The printer needs blue toner")
    await memories.episodic.record("the printer needs blue toner!")
    held = [working_item("The printer needs blue toner", id="w", now=1e9)]
    (one,) = await memories.recall("blue toner", working=held)
    assert (one.source, one.also_in) == ("working", ("episodic", "semantic"))


async def test_memories_can_be_left_out_and_results_limited(memories):
    for place in range(9):
        await memories.semantic.remember(f"printer {place}")
        await memories.episodic.record(f"printer event {place}")
    found = await memories.recall("printer", 3, sources=["episodic"])
    assert [one.source for one in found] == ["episodic"] * 3
    assert len(await memories.recall("printer", 4)) == 4
    assert await memories.recall("printer", 0) == await memories.recall(" ") == []


async def test_a_series_of_alike_memories_leaves_places_to_others(tmp_path):
    said = [f"Kestrel was shown to Ada on {day} May" for day in range(1, 21)]
    said += ["The disk of Kestrel is full", "Our landlord is Mr Petrov"]
    found = {}
    with ChromaStore(tmp_path / "store", fields=["text"]) as store:
        for diversity in (0.2, 0):
            weights = Weights(diversity=diversity)
            episodic = EpisodicMemory(store, NS, clock=Clock(), weights=weights)
            kept = Memories(store, NS, clock=Clock(), weights=weights, episodic=episodic)
            for text in said if diversity else ():
                await kept.episodic.record(text)
            similar = await episodic.similar("Tell me about Kestrel", 3)
            recalled = await kept.recall("Tell me about Kestrel", 3)
            found[diversity] = [{one.text for one in part} for part in (similar, recalled)]
    for diverse, alike in zip(found[0.2], found[0], strict=True):
        assert "The disk of Kestrel is full" in diverse - alike


async def test_neighbours_in_time_come_only_if_they_are_asked_for(memories):
    said = ["Where shall we meet for the concert?", "By the fountain, half past six.", "Fine!"]
    for text in said:
        await memories.episodic.record(text)
    memories.episodic._clock.now += 86_400
    for place in range(9):
        await memories.episodic.record(f"Bob played chess game {place}")
    alone = await memories.recall("meet concert", 1, sources=["episodic"])
    assert [one.text for one in alone] == said[:1]
    found = await memories.recall("meet concert", 2, sources=["episodic"], neighbours=1)
    assert [one.text for one in found] == said[:2]
    assert found[1].score == pytest.approx(0.9 * found[0].score)
    more = await memories.recall("meet concert", 9, sources=["episodic"], neighbours=1)
    assert len({one.id for one in more}) == len(more) <= 9


async def test_what_shares_nothing_with_the_query_can_be_kept_out(memories):
    await memories.semantic.remember("Bob plays chess")
    await memories.episodic.record("Bob won a game")
    assert await memories.recall("zinc quota", min_similarity=0.3) == []


async def test_promoted_twice_is_held_once_and_never_settled(memories):
    await memories.semantic.remember("The printer needs blue toner", importance=1.0)
    working = []
    for _ in range(2):
        found = await memories.recall("toner", working=working)
        working = merge_working(working, memories.promote(found))
    assert [item.source for item in working] == ["semantic"]
    assert await memories.settle(working) == []


async def test_what_is_important_in_working_memory_becomes_knowledge(memories):
    working = [
        working_item("Ada is allergic to nuts", importance=0.9, source="user"),
        working_item("It is raining", importance=0.2),
    ]
    (kept,) = await memories.settle(working)
    assert (kept.text, kept.metadata) == ("Ada is allergic to nuts", {"source": "user"})
    assert len(await memories.semantic.everything()) == 1


async def test_experience_leaves_an_episode_knowledge_and_a_pattern(memories):
    experience = Experience("The login times out", "restart the proxy", tags=("ops",), complexity=1)
    learned = await memories.learn_from_experience(experience, Outcome(1, 1, "it works again"))
    assert (learned.episode.outcome, learned.episode.importance) == ("success", 1.0)
    (knowledge,) = learned.knowledge
    assert knowledge.text == "The login times out → restart the proxy succeeded: it works again"
    assert knowledge.metadata["episode"] == learned.episode.id
    assert [p.action for p in await memories.patterns.suggest("login times out")] == [
        "restart the proxy"
    ]
    assert [e.id for e in await memories.episodic.by_tag("ops")] == [learned.episode.id]


async def test_lessons_of_the_experience_are_taken_as_they_are(memories):
    experience = Experience("a case", "an act", lessons=("Proxies leak.", "  "))
    learned = await memories.learn_from_experience(experience, Outcome(False))
    assert [known.text for known in learned.knowledge] == ["Proxies leak."]
    assert learned.episode.outcome == "failure"


async def test_an_impossible_outcome_writes_nothing(memories):
    for outcome in (Outcome(1, reward=7), Outcome("won"), Outcome(float("nan"))):
        with pytest.raises(ConfigurationError):
            await memories.learn_from_experience(Experience("a", "b"), outcome)
    assert await memories.episodic.recent() == []


async def test_what_a_tainted_run_leaves_tells_its_sources_when_it_is_recalled(memories):
    held = [working_item("The server room is cold", importance=1.0)]
    (settled,) = await memories.settle(held, taint=["web"])
    case = Experience("The login times out", "restart the proxy", lessons=("Proxies leak.",))
    learned = await memories.learn_from_experience(case, Outcome(1), taint=["web", "mail"])
    assert learned.episode.details["tainted"] == ["mail", "web"]
    assert (settled.taint, learned.knowledge[0].taint) == (("web",), ("mail", "web"))
    (clean,) = await memories.settle([working_item("Tea is green", importance=1.0)])
    assert clean.metadata == {"source": "working"}
    found = {one.id: one.taint for one in await memories.recall("server room proxies tea", 9)}
    assert found == {
        settled.id: ("web",),
        learned.episode.id: ("mail", "web"),
        learned.knowledge[0].id: ("mail", "web"),
        clean.id: (),
    }


async def test_recollections_that_say_the_same_have_the_taint_of_all(memories):
    text = "The printer needs blue toner"
    await memories.semantic.remember(text, metadata={"tainted": ["web"]})
    await memories.episodic.record(text, details={"tainted": ["mail"]})
    held = [working_item(text, id="w", now=1e9)]
    (one,) = await memories.recall("blue toner", working=held)
    assert (one.source, one.taint) == ("working", ("mail", "web"))


TEXTS = ("The printer needs blue toner", "the printer needs BLUE toner")


@pytest.mark.parametrize("importance", [0.2, 0.8])
@pytest.mark.parametrize("tainted", [0, 1, 2])
async def test_near_duplicates_stay_tainted_when_they_are_merged(store, tainted, importance):
    sources = [source if tainted in (place, 2) else "" for place, source in enumerate("ab")]
    noted = [{"tainted": [source]} if source else {} for source in sources]
    memory, apart = SemanticMemory(store, NS), SemanticMemory(store, (*NS, "apart"), near=2)
    for each in (memory, apart):
        await each.remember(TEXTS[0], metadata=noted[0])
        await each.remember(TEXTS[1], metadata=noted[1], importance=importance)
    assert [len(await each.everything()) for each in (memory, apart)] == [1, 2]
    report = await SemanticMemory(store, (*NS, "apart")).consolidate()
    assert len(report.merged) == 1
    for each in (memory, apart):
        (one,) = await each.everything()
        (found,) = await Memories(store, NS, semantic=each).recall("toner")
        assert found.taint == one.taint != ()
    assert one.taint == tuple(filter(None, sources))


async def test_taint_is_told_whoever_wrote_it_and_however(memories):
    written = {"tea": True, "toner": "web", "chess": ["a", 7], "zinc": [], "snow": None}
    for text, tainted in written.items():
        await memories.semantic.remember(text, metadata={"tainted": tainted})
    told = {one.text: one.taint for one in await memories.semantic.everything()}
    assert told == {
        "tea": ("unknown",),
        "toner": ("web",),
        "chess": ("7", "a"),
        "zinc": (),
        "snow": (),
    }


@given(unit, st.floats(-1, 1), unit)
def test_importance_grows_with_success_size_of_reward_and_complexity(success, reward, complexity):
    here = importance_of(success, reward, complexity)
    assert 0.2 <= here <= 1
    assert importance_of(1, reward, complexity) >= here
    assert importance_of(success, 1, complexity) >= here
    assert importance_of(success, reward, 1) >= here
    assert importance_of(success, -reward, complexity) == here
