import pytest
from embedding import STORES, open_store

from cogwork.core.errors import ConfigurationError
from cogwork.memory.episodic import EpisodicMemory

NS = ("tests", "ada")
HOUR = 3_600


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
def episodes(store, clock):
    return EpisodicMemory(store, NS, clock=clock)


def texts(found):
    return [episode.text for episode in found]


async def test_an_episode_comes_back_whole_also_in_another_instance(store, episodes, clock):
    kept = await episodes.record(
        "The deployment of the shop failed",
        type="task",
        outcome="failure",
        tags=["shop", "anger", "shop"],
        importance=0.8,
        details={"exit": 1},
    )
    again = await EpisodicMemory(store, NS, clock=clock).get(kept.id)
    assert again == kept
    assert again.tags == ("shop", "anger")


async def test_recent_episodes_come_newest_first_by_hours_and_type(episodes, clock):
    await episodes.record("last week", type="task")
    clock.now += 7 * 24 * HOUR
    for text, kind in (("breakfast", "event"), ("morning task", "task"), ("noon task", "task")):
        await episodes.record(text, type=kind)
        clock.now += HOUR
    assert texts(await episodes.recent()) == ["noon task", "morning task", "breakfast"]
    assert texts(await episodes.recent(2.5)) == ["noon task", "morning task"]
    assert texts(await episodes.recent(type="task", limit=1)) == ["noon task"]
    assert texts(await episodes.recent(24 * 30, type="task"))[-1] == "last week"


async def test_similar_ones_are_found_and_can_be_narrowed(episodes):
    await episodes.record("Deploying the shop failed", outcome="failure", type="task")
    await episodes.record("Deploying the blog went well", outcome="success", type="task")
    await episodes.record("Ada had lunch in the park")
    best, *_ = await episodes.similar("deploy the shop")
    assert best.text == "Deploying the shop failed"
    assert best.score > 0
    narrowed = await episodes.similar("deploy the shop", outcome="success")
    assert texts(narrowed) == ["Deploying the blog went well"]
    assert await episodes.similar("deploy", type="meal") == []


async def test_they_are_found_by_tag_and_by_outcome(episodes):
    await episodes.record("one", tags=["joy", "work"], outcome="success")
    await episodes.record("two", tags=["joy"], outcome="failure")
    assert texts(await episodes.by_tag("joy")) == ["two", "one"]
    assert texts(await episodes.by_tag("joy", "work")) == ["one"]
    assert await episodes.by_tag("jo") == []
    assert texts(await episodes.by_outcome("failure")) == ["two"]


async def test_a_new_episode_is_linked_to_its_nearest(episodes):
    near = await episodes.record("Deploying the shop failed")
    await episodes.record("Ada had lunch in a park")
    new = await episodes.record("Deploying the shop failed again")
    assert new.related[0] == near.id
    assert new.id not in new.related
    assert texts(await episodes.related(new))[0] == near.text
    await episodes.forget(near.id)
    assert near.text not in texts(await episodes.related(new))


async def test_the_first_episode_has_no_links(episodes):
    assert (await episodes.record("first")).related == ()


async def test_it_is_bounded_and_keeps_the_new_and_the_important(store, clock):
    episodes = EpisodicMemory(store, NS, capacity=4, clock=clock)
    await episodes.record("day 0", importance=0.9)
    for day in range(1, 20):
        await episodes.record(f"day {day}", importance=0.1)
        assert len(await episodes.recent(limit=100)) <= 4
    assert texts(await episodes.recent(limit=100)) == ["day 19", "day 18", "day 17", "day 0"]


async def test_the_same_thing_twice_is_two_episodes(episodes):
    await episodes.record("Ada had lunch")
    await episodes.record("Ada had lunch")
    assert len(await episodes.recent()) == 2


async def test_what_is_forgotten_is_gone(episodes):
    kept = await episodes.record("Ada had lunch")
    assert await episodes.forget(kept.id)
    assert not await episodes.forget(kept.id)
    assert await episodes.recent() == []


async def test_the_episodes_beside_one_are_those_next_to_it_in_time(store, episodes, clock):
    kept = []
    for part in range(2):
        kept += [await episodes.record(f"day {part} turn {turn}") for turn in range(4)]
        clock.now += 24 * HOUR
    first, second, third, last, dawn, *_ = kept
    beside = await episodes.beside([second.id, last.id, "unknown"])
    assert {key: texts(found) for key, found in beside.items()} == {
        second.id: [first.text, third.text],
        last.id: [third.text],
    }
    wide = await episodes.beside([last.id], 2, hours=48)
    assert texts(wide[last.id]) == [second.text, third.text, dawn.text, kept[5].text]
    assert await episodes.beside([last.id], 0) == await episodes.beside([]) == {}


async def test_impossible_values_are_refused(store, episodes):
    for text, importance in ((" ", 0.5), ("text", 1.5)):
        with pytest.raises(ConfigurationError):
            await episodes.record(text, importance=importance)
    with pytest.raises(ConfigurationError):
        EpisodicMemory(store, (), capacity=1)
    with pytest.raises(ConfigurationError):
        EpisodicMemory(store, NS, capacity=0)
