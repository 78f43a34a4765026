"""What is known of a checkpoint without reading: that nothing was written under it yet."""

import uuid
from concurrent.futures import ThreadPoolExecutor

from langgraph.checkpoint.base import empty_checkpoint

from cogwork.memory import create_checkpointer
from cogwork.memory.saver.fresh import Fresh
from cogwork.memory.saver.rows import Place

AT = ("thread", "", b"1")
PLACE = {"configurable": {"thread_id": "1", "checkpoint_ns": ""}}


class Clock:
    """Seconds that a test sets."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_checkpoint_is_fresh_for_a_moment_and_until_something_is_written_under_it():
    clock = Clock()
    fresh = Fresh(clock)
    assert AT not in fresh
    fresh.saved(AT)
    assert AT in fresh
    assert ("another", "", b"1") not in fresh

    clock.now += 1.1
    assert AT not in fresh

    later = ("thread", "", b"2")
    fresh.saved(later)
    fresh.written(later)
    assert later not in fresh


def test_checkpoint_that_is_saved_after_its_writes_is_not_fresh():
    fresh = Fresh(Clock())
    fresh.written(AT)
    for number in range(5_000):
        fresh.written(("thread", "", str(number)))
    fresh.saved(AT)
    assert AT not in fresh


def test_clock_that_is_put_back_proves_nothing():
    clock = Clock()
    fresh = Fresh(clock)
    fresh.saved(AT)
    clock.now -= 3_600
    assert AT not in fresh


def test_what_is_long_past_is_forgotten():
    clock = Clock()
    fresh = Fresh(clock)
    for number in range(20_000):
        clock.now += 0.1
        fresh.saved(("thread", "", str(number)))
        fresh.written(("thread", "", str(number)))
    assert len(fresh._known) <= 2_000


def test_no_mark_is_lost_when_threads_write_while_old_ones_are_forgotten():
    fresh = Fresh()

    def work(thread: int) -> list[Place]:
        places: list[Place] = [(str(thread), "", str(number)) for number in range(3_000)]
        for place in places:
            fresh.saved(place)
            fresh.written(place)
        return places

    with ThreadPoolExecutor(4) as pool:
        written = [place for places in pool.map(work, range(4)) for place in places]
    assert not [place for place in written if place in fresh]


async def test_writes_of_another_process_are_seen_and_so_are_own_ones(tmp_path):
    url = f"sqlite:///{tmp_path / 'c.db'}"
    with create_checkpointer(url) as saver, create_checkpointer(url) as other:
        at = await saver.aput(PLACE, empty_checkpoint(), {}, {})
        assert list(await saver.awritten(at, "x")) == []
        await saver.anote_writes(at, [("x", "own")], str(uuid.uuid4()))
        await other.aput_writes(at, [("x", "theirs")], str(uuid.uuid4()))

        for each in (saver, other):
            assert {value for _, _, value in await each.awritten(at, "x")} == {"own", "theirs"}
