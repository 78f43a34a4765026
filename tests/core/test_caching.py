"""A bounded cache, in memory and in a file: one suite holds both to the same."""

import sqlite3
import subprocess
import sys
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cogwork.core.cache_info import CacheInfo
from cogwork.core.caching import BoundedCache, Limits, open_cache
from cogwork.core.errors import ConfigurationError, MemoryStoreError

BIG = 1_000


@pytest.fixture(params=["memory", "file"])
def make(request: pytest.FixtureRequest, tmp_path: Path):
    made: list[BoundedCache] = []

    def open_one(
        ttl: float | None = None, entries: int = BIG, size: int | None = None
    ) -> BoundedCache:
        url = None if request.param == "memory" else f"sqlite:///{tmp_path}/cache.sqlite"
        made.append(open_cache(url, "things", Limits(ttl, entries, size)))
        return made[-1]

    yield open_one
    for each in made:
        each.close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/deep/cache.sqlite"


def put(cache: BoundedCache, names: str, size: int = 1) -> None:
    for name in names:
        cache.put(("", name), name.encode() * size)


def held(cache: BoundedCache, names: str) -> str:
    return "".join(name for name in names if cache.get(("", name)))


def test_what_was_put_is_found_and_counted(make: Any):
    cache = make()
    put(cache, "ab", size=3)
    assert cache.get(("", "a")) == b"aaa"
    assert cache.get(("", "c")) is None
    assert cache.get(("", "c"), count_miss=False) is None
    assert cache.info() == CacheInfo(hits=1, misses=1, entries=2, bytes=6)


def test_what_is_put_again_takes_the_place_of_the_first(make: Any):
    cache = make()
    cache.put(("", "a"), b"long")
    cache.put(("", "a"), b"new")
    assert cache.get(("", "a")) == b"new"
    assert (cache.info().entries, cache.info().bytes) == (1, 3)


def test_least_recently_used_goes_first(make: Any):
    cache = make(entries=2)
    put(cache, "ab")
    assert held(cache, "a")
    put(cache, "c")
    assert held(cache, "abc") == "ac"
    assert cache.info().evicted == 1


def test_bytes_are_bounded(make: Any):
    cache = make(size=10)
    put(cache, "abc", size=4)
    assert held(cache, "abc") == "bc"
    assert cache.info().bytes == 8


def test_what_is_larger_than_the_whole_drives_nothing_out(make: Any):
    cache = make(size=10)
    put(cache, "a")
    put(cache, "b", size=11)
    assert held(cache, "ab") == "a"
    assert "it has 11 bytes" in cache.info().last_failure


def test_values_hold_for_their_time(make: Any, monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    for clock in ("caching.time.monotonic", "cache_file.time.time"):
        monkeypatch.setattr(f"cogwork.core.{clock}", lambda: now[0])
    cache = make(ttl=10)
    put(cache, "a")
    cache.put(("", "b"), b"b", ttl=30)
    now[0] += 9.9
    assert held(cache, "ab") == "ab"
    now[0] += 0.2
    assert held(cache, "ab") == "b"
    assert (cache.info().expired, cache.info().entries) == (1, 1)


def test_spaces_are_cleared_alone(make: Any):
    cache = make()
    for space in ("one", "two"):
        cache.put((space, "a"), space.encode())
    cache.clear("one")
    assert cache.get(("one", "a")) is None
    assert cache.get(("two", "a")) == b"two"
    cache.clear()
    assert cache.info().entries == cache.info().bytes == 0


def test_what_its_reader_refuses_is_forgotten(make: Any):
    def refuse(_: bytes) -> None:
        raise ValueError("crafted")

    cache = make()
    put(cache, "a")
    assert cache.get(("", "a"), refuse) is None
    info = cache.info()
    assert (info.entries, info.misses, info.failed) == (0, 1, 1)
    assert info.last_failure == "ValueError: crafted"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdefg")), max_size=40))
def test_it_holds_what_an_ordered_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, str]]
):
    path = tmp_path_factory.mktemp("cache") / "cache.sqlite"
    caches = [open_cache(each, "x", Limits(None, 3)) for each in (None, f"sqlite:///{path}")]
    model: OrderedDict[str, bytes] = OrderedDict()
    for is_put, name in steps:
        if is_put:
            put(caches[0], name)
            put(caches[1], name)
            model[name] = name.encode()
        found = {cache.get(("", name)) for cache in caches}
        assert found == {model.get(name)}
        if name in model:
            model.move_to_end(name)
        while len(model) > 3:
            model.popitem(last=False)
    assert [each.info().entries for each in caches] == [len(model)] * 2
    caches[1].close()


def test_threads_share_it(make: Any):
    cache = make(entries=10)

    def use(number: int) -> None:
        for name in range(20):
            cache.put(("", str(name)), b"x")
            cache.get(("", str((name + number) % 20)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use, range(4)))
    info = cache.info()
    assert (info.entries, info.bytes, info.failed, info.hits + info.misses) == (10, 10, 0, 80)


async def test_async_ways_do_the_same(make: Any):
    cache = make()
    await cache.aput(("", "a"), b"x")
    assert await cache.aget(("", "a")) == b"x"
    assert await cache.aget(("", "b")) is None
    assert (cache.info().hits, cache.info().misses) == (1, 1)


def test_a_file_outlives_its_cache_and_kinds_have_their_own_room(url: str):
    for kind in ("one", "two"):
        cache = open_cache(url, kind, Limits(None, 1))
        put(cache, kind[0])
        cache.close()
        assert held(cache, "ot") == kind[0]
        cache.close()


PROCESS = """
import sys
from cogwork.core.caching import Limits, open_cache
cache = open_cache(sys.argv[1], "things", Limits(None, 50))
for number in range(100):
    cache.put(("", f"{sys.argv[2]} {number}"), b"x" * 10)
    cache.get(("", f"{sys.argv[2]} {number}"))
cache.close()
print(cache.info().failed)
cache.close()
"""


def test_processes_share_a_file(url: str):
    ran = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, url, name], stdout=subprocess.PIPE, text=True
        )
        for name in "ab"
    ]
    assert [each.communicate(timeout=60)[0].strip() for each in ran] == ["0", "0"]
    cache = open_cache(url, "things", Limits(None, 50))
    assert (cache.info().entries, cache.info().bytes) == (50, 500)
    cache.close()
    path = url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        counted = connection.execute("SELECT count(*), sum(size) FROM cogwork_cache_things")
        assert counted.fetchone() == (50, 500)
    connection.close()


@pytest.mark.parametrize("change", ["value = 'text'", "value = 7", "until = 'never'"])
def test_a_row_that_is_not_as_it_was_written_is_forgotten(url: str, change: str):
    cache = open_cache(url, "things", Limits(60, BIG))
    put(cache, "ab")
    cache.close()
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    connection.execute(f"UPDATE cogwork_cache_things SET {change} WHERE name = 'a'")
    connection.commit()
    connection.close()
    assert held(cache, "ab") == "b"
    assert "not as it was written" in cache.info().last_failure
    assert cache.info().entries == 1
    cache.close()


def test_a_locked_file_fails_no_call(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cogwork.core.cache_file._PATIENCE", 0.01)
    cache = open_cache(url, "things", Limits(None, BIG))
    put(cache, "a")
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    put(cache, "b")
    assert held(cache, "ab") == "a"
    other.execute("ROLLBACK")
    other.close()
    put(cache, "b")
    assert held(cache, "ab") == "ab"
    assert "locked" in cache.info().last_failure
    cache.close()


def test_a_file_that_is_no_database_is_refused_at_once(tmp_path: Path):
    (tmp_path / "cache.sqlite").write_text("not a database " * 100)
    with pytest.raises(MemoryStoreError, match=r"the cache in '.*cache.sqlite' cannot be used"):
        open_cache(f"sqlite:///{tmp_path}/cache.sqlite", "things", Limits(None, 1))


@pytest.mark.parametrize("place", ["sqlite:///", "redis://host", "cache.sqlite"])
def test_other_places_are_refused(place: str):
    with pytest.raises(ConfigurationError, match="is no place for a cache"):
        open_cache(place, "things", Limits(None, 1))


@pytest.mark.parametrize("wrong", [(0, 1, None), (None, 0, None), (None, 1, -1)])
def test_limits_are_positive(wrong: tuple[Any, ...]):
    with pytest.raises(ConfigurationError, match="must be more than 0"):
        Limits(*wrong)


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"hits": 3, "misses": 4}, "asked 7 times, which is too few"),
        ({"hits": 3, "misses": 997}, "Only 0.3 % of 1000 calls were answered from it: turn it off"),
        ({"hits": 60, "misses": 40, "evicted": 30, "entries": 9}, "let it hold more than 9"),
        ({"hits": 10, "misses": 90, "expired": 80}, "80 of 90 misses had been there"),
        ({"hits": 99, "misses": 1, "failed": 2, "last_failure": "locked"}, "the last one: locked."),
    ],
)
def test_advice_follows_from_the_figures(figures: dict[str, Any], said: str):
    (sentence,) = CacheInfo(**figures).advice()
    assert said in sentence


@pytest.mark.parametrize("figures", [{"hits": 60, "misses": 40}, {"misses": 90, "coalesced": 900}])
def test_no_advice_where_all_is_well(figures: dict[str, int]):
    assert CacheInfo(**figures).advice() == ()


def test_hits_stay_hits_while_use_cannot_be_noted(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cogwork.core.cache_file._PATIENCE", 0.01)
    cache = open_cache(url, "things", Limits(None, BIG))
    names = [str(number) for number in range(150)]
    for name in names:
        cache.put(("", name), b"value")
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert all(cache.get(("", name)) is not None for name in names)
    assert cache.info().failed == 1
    other.execute("ROLLBACK")
    other.close()
    cache.close()


def test_a_name_that_a_file_cannot_hold_fails_no_call(make):
    cache = make()
    for name in ("half \ud83d", "\0", "x" * 1_000_000, ""):
        cache.put(("space", name), b"value")
        assert cache.get(("space", name)) in {b"value", None}
