"""Times to live, in minutes, on a clock that only the test moves."""

import threading

import pytest
from langgraph.store.base import GetOp

from cogwork.core.errors import ConfigurationError
from cogwork.memory.store.ttl import Sweeper


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request):
    return request.param


@pytest.fixture
def short(open_store):
    return open_store(fields=["text"], ttl={"default_ttl": 10, "refresh_on_read": True})


def everywhere(store, **options):
    """Every way to read, without touching anything."""
    return [
        store.get(("x",), "k", refresh_ttl=False),
        *store.search(("x",), refresh_ttl=False),
        *store.search(("x",), query="tea", refresh_ttl=False),
        *store.list_namespaces(),
    ]


def test_what_has_expired_is_nowhere(short, clock):
    short.put(("x",), "k", {"text": "tea"})
    clock.pass_minutes(9.9)
    assert len(everywhere(short)) == 4
    clock.pass_minutes(0.1)
    assert everywhere(short) == [None]
    assert short.search_text((), "tea") == []
    assert short.stats().items == 0


def test_a_read_begins_the_time_again(short, clock):
    short.put(("x",), "k", {"text": "tea"})
    for read in (
        lambda: short.get(("x",), "k"),
        lambda: short.search(("x",)),
        lambda: short.search(("x",), query="tea"),
        lambda: short.search_text(("x",), "tea"),
    ):
        clock.pass_minutes(9)
        assert read()
    clock.pass_minutes(11)
    assert short.get(("x",), "k") is None


def test_a_read_that_must_not_refresh_does_not(short, clock):
    short.put(("x",), "k", {"text": "tea"})
    clock.pass_minutes(9)
    assert everywhere(short)[0] is not None
    clock.pass_minutes(2)
    assert short.get(("x",), "k") is None


def test_only_items_on_the_page_are_refreshed(short, clock):
    short.put(("x",), "old", {"text": "tea"})
    short.put(("x",), "new", {"text": "tea"})
    clock.pass_minutes(9)
    assert [item.key for item in short.search(("x",), limit=1)] == ["new"]
    clock.pass_minutes(2)
    assert [item.key for item in short.search(("x",))] == ["new"]


def test_the_store_may_say_that_reads_do_not_refresh(open_store, clock):
    store = open_store(ttl={"default_ttl": 10, "refresh_on_read": False})
    store.put(("x",), "k", {})
    clock.pass_minutes(9)
    store.get(("x",), "k")
    clock.pass_minutes(2)
    assert store.get(("x",), "k") is None
    store.put(("x",), "k", {})
    clock.pass_minutes(9)
    store.get(("x",), "k", refresh_ttl=True)
    clock.pass_minutes(2)
    assert store.get(("x",), "k") is not None


def test_a_put_sets_the_time_anew_or_takes_it_away(short, clock):
    short.put(("x",), "longer", {}, ttl=100)
    short.put(("x",), "forever", {})
    short.put(("x",), "forever", {}, ttl=None)
    clock.pass_minutes(50)
    assert short.get(("x",), "longer") is not None
    clock.pass_minutes(1e6)
    assert [item.key for item in short.search(())] == ["forever"]


def test_a_key_that_expired_begins_a_new_life(short, clock):
    short.put(("x",), "k", {"text": "tea"})
    first = short.get(("x",), "k").created_at
    clock.pass_minutes(20)
    short.put(("x",), "k", {"text": "dog"})
    assert short.get(("x",), "k").created_at > first


def test_sweeping_deletes_what_expired_and_nothing_else(short, clock):
    for key in "abc":
        short.put(("x", key), key, {"text": f"tea {key}"})
    short.put(("x", "kept"), "kept", {"text": "tea"}, ttl=None)
    clock.pass_minutes(11)
    assert short.sweep_ttl() == 3
    assert short.sweep_ttl() == 0
    stats = short.stats()
    assert (stats.items, stats.vectors, stats.distinct_vectors, stats.namespaces) == (1, 1, 1, 1)
    assert [item.key for item in short.search((), query="tea")] == ["kept"]


def test_a_write_sweeps_once_the_interval_has_passed(open_store, clock):
    store = open_store(ttl={"default_ttl": 1, "sweep_interval_minutes": 5})
    store.put(("x",), "k", {})
    clock.pass_minutes(4)
    store.put(("x",), "other", {}, ttl=None)
    assert store._records.sources(0, 10)[0].id == 1
    clock.pass_minutes(2)
    store.put(("x",), "other", {}, ttl=None)
    assert [source.id for source in store._records.sources(0, 10)] == [2]


def test_the_sweeper_thread_sweeps_until_it_is_stopped(clock):
    swept = threading.Event()
    sweeper = Sweeper(lambda: swept.set() or 0, clock, None)
    sweeper.start(minutes=0.0001)
    assert swept.wait(10)
    sweeper.stop()
    sweeper.stop()
    assert "cogwork-ttl" not in {thread.name for thread in threading.enumerate()}


def test_a_store_with_a_sweeper_thread_can_be_closed(open_store):
    store = open_store(ttl={"default_ttl": 1})
    store.start_ttl_sweeper(60)
    store.close()
    assert "cogwork-ttl" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("ttl", [-1, float("nan"), float("inf"), "10", True])
def test_a_wrong_time_to_live_is_refused(store, ttl):
    with pytest.raises(ConfigurationError, match="ttl"):
        store.put(("x",), "k", {}, ttl=ttl)


def test_items_without_a_time_to_live_are_not_touched(store, clock):
    store.put(("x",), "k", {})
    before = store.get(("x",), "k")
    clock.pass_minutes(1e6)
    [after] = store.batch([GetOp(("x",), "k")])
    assert after == before


def test_a_search_by_words_prolongs_no_life_where_reads_do_not(open_store, clock):
    store = open_store(fields=["text"], ttl={"default_ttl": 10, "refresh_on_read": False})
    store.put(("x",), "k", {"text": "an owl"})
    clock.pass_minutes(6)
    assert store.search_text(("x",), "owl")
    clock.pass_minutes(6)
    assert store.search_text(("x",), "owl") == []
