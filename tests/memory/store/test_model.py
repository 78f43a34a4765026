"""ChromaStore against a plain model of a store, whatever is done in whatever order."""

import math
import tempfile
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from langgraph.store.base import GetOp, PutOp, SearchOp
from letters import LetterEmbeddings

from cogwork.memory.store import ChromaStore
from cogwork.memory.store.filters import passes

LABELS = st.sampled_from(["a", "b", "ä", "a b", "*", "\x1f"])
NAMESPACES = st.lists(LABELS, min_size=1, max_size=3).map(tuple)
PREFIXES = st.lists(LABELS, max_size=2).map(tuple)
KEYS = st.sampled_from(["k1", "k2", "K1", ""])
TEXTS = st.sampled_from(["green tea", "green teapot", "a brown dog", "the dog", " ", "tea"])
VALUES = st.fixed_dictionaries(
    {"n": st.integers(0, 3)}, optional={"text": TEXTS, "more": st.lists(TEXTS, max_size=2)}
)
INDEXES = st.sampled_from([None, False, ["text"], ["more[*]"], ["text", "more[*]"], []])
TTLS = st.sampled_from([None, None, None, 5.0, 20.0])
FILTERS = st.sampled_from([None, None, {"n": 1}, {"n": {"$gt": 1}}, {"text": {"$ne": "tea"}}])
PAGES = st.tuples(st.integers(0, 6), st.integers(0, 3))


class Model:
    """A dictionary that does what a store does."""

    def __init__(self):
        self.items = {}
        self.letters = LetterEmbeddings()

    def put(self, namespace, key, value, index, ttl, now):
        old = self.items.get((namespace, key))
        created = old["created"] if old and now < old["expires"] else now
        fields = ["text"] if index is None else index or []
        texts = [value["text"]] if "text" in fields and "text" in value else []
        texts += value.get("more", []) if "more[*]" in fields else []
        self.items[namespace, key] = {
            "value": value,
            "created": created,
            "updated": now,
            "ttl": ttl,
            "expires": math.inf if ttl is None else now + ttl * 60,
            "texts": [text for text in texts if text.strip()],
        }

    def alive(self, prefix, wanted, now):
        return {
            place: item
            for place, item in self.items.items()
            if place[0][: len(prefix)] == prefix
            and now < item["expires"]
            and passes(item["value"], wanted)
        }

    def score(self, query, texts):
        return max(self.cosine(query, text) for text in texts)

    def cosine(self, one, other):
        first, second = self.letters.embed_query(one), self.letters.embed_query(other)
        product = sum(a * b for a, b in zip(first, second, strict=True))
        return product / math.hypot(*first) / math.hypot(*second)


class Comparison(RuleBasedStateMachine):
    """Every rule does the same to both and compares what they say."""

    places = Bundle("places")
    url = None

    @initialize(exact_limit=st.sampled_from([3, 20_000]))
    def begin(self, exact_limit):
        self.folder = tempfile.TemporaryDirectory()
        if self.url:
            with psycopg.connect(self.url, autocommit=True) as admin:
                admin.execute("DROP SCHEMA IF EXISTS cogwork_memory CASCADE")
        self.exact_limit = exact_limit
        self.now = 1_700_000_000.0
        self.model = Model()
        self.open()

    def open(self):
        self.store = ChromaStore(
            self.url or Path(self.folder.name) / "s",
            embeddings=LetterEmbeddings(),
            fields=["text"],
            exact_limit=self.exact_limit,
            clock=lambda: self.now,
        )
        self.store._feeder.wake = lambda: None  # Chroma has tests of its own

    @rule(target=places, namespace=NAMESPACES, key=KEYS, value=VALUES, index=INDEXES, ttl=TTLS)
    def put(self, namespace, key, value, index, ttl):
        self.now += 1
        self.store.put(namespace, key, value, index, ttl=ttl)
        self.model.put(namespace, key, value, index, ttl, self.now)
        return namespace, key

    @rule(place=places)
    def delete(self, place):
        self.store.delete(*place)
        self.model.items.pop(place, None)

    @rule(place=places, refresh=st.booleans())
    def get(self, place, refresh):
        item = self.store.get(*place, refresh_ttl=refresh)
        expected = self.model.alive(place[0], None, self.now).get(place)
        assert (item and item.value) == (expected and expected["value"])
        if item:
            assert item.created_at.timestamp() == pytest.approx(expected["created"])
            assert item.updated_at.timestamp() == pytest.approx(expected["updated"])
            self.refresh([place] if refresh else [])

    @rule(old=places, value=VALUES, namespace=NAMESPACES)
    def batch(self, old, value, namespace):
        self.now += 1
        before = self.model.alive((), None, self.now)
        results = self.store.batch(
            [
                PutOp(namespace, "k1", {"n": 0}),
                PutOp(old[0], old[1], None),
                GetOp(old[0], old[1], refresh_ttl=False),
                SearchOp((), limit=1000, refresh_ttl=False),
                PutOp(namespace, "k1", value),
            ]
        )
        assert (results[2] is None) == (old not in before)
        assert len(results[3]) == len(before)
        if old != (namespace, "k1"):
            self.model.items.pop(old, None)
        self.model.put(namespace, "k1", value, None, None, self.now)

    @rule(prefix=PREFIXES, wanted=FILTERS, page=PAGES)
    def listing(self, prefix, wanted, page):
        found = self.store.search(prefix, filter=wanted, limit=page[0], offset=page[1])
        expected = sorted(
            self.model.alive(prefix, wanted, self.now).items(),
            key=lambda each: (-each[1]["updated"], each[0][1]),
        )[page[1] : page[1] + page[0]]
        assert [(item.namespace, item.key) for item in found] == [place for place, _ in expected]
        assert all(item.score is None for item in found)
        self.refresh(place for place, _ in expected)

    @rule(prefix=PREFIXES, wanted=FILTERS, page=PAGES, query=TEXTS.filter(str.strip))
    def nearest(self, prefix, wanted, page, query):
        found = self.store.search(
            prefix, query=query, filter=wanted, limit=page[0], offset=page[1], refresh_ttl=False
        )
        scores = {
            place: self.model.score(query, item["texts"])
            for place, item in self.model.alive(prefix, wanted, self.now).items()
            if item["texts"]
        }
        expected = sorted(scores.values(), reverse=True)[page[1] : page[1] + page[0]]
        assert [item.score for item in found] == pytest.approx(expected, abs=1e-5)
        for item in found:
            assert item.score == pytest.approx(scores[item.namespace, item.key], abs=1e-5)

    @rule(prefix=PREFIXES, word=st.sampled_from(["tea", "dog", "green"]))
    def words(self, prefix, word):
        found = self.store.search_text(prefix, word, limit=1000)
        places = {(item.namespace, item.key) for item in found}
        assert len(places) == len(found)
        assert places == {
            place
            for place, item in self.model.alive(prefix, None, self.now).items()
            if any(word in text.split() for text in item["texts"])
        }
        self.refresh(places)

    @rule(prefix=PREFIXES, depth=st.none() | st.integers(1, 3), page=PAGES)
    def namespaces(self, prefix, depth, page):
        found = self.store.list_namespaces(
            prefix=prefix, max_depth=depth, limit=page[0], offset=page[1]
        )
        wanted = [
            place[0]
            for place in self.model.alive((), None, self.now)
            if len(place[0]) >= len(prefix)
            and all(w in ("*", label) for w, label in zip(prefix, place[0], strict=False))
        ]
        expected = sorted({namespace[:depth] for namespace in wanted})
        assert found == expected[page[1] : page[1] + page[0]]

    @rule(minutes=st.sampled_from([1, 4, 10, 30]))
    def time_passes(self, minutes):
        self.now += minutes * 60

    @rule()
    def sweep(self):
        alive = self.model.alive((), None, self.now)
        assert self.store.sweep_ttl() == len(self.model.items) - len(alive)
        self.model.items = alive

    @rule(embed=st.booleans())
    def open_again(self, embed):
        if embed:
            self.store._feeder.rebuild = lambda: None
            self.store.reindex(embed=True)
        self.store.close()
        self.open()

    @invariant()
    def counts_agree(self):
        if not hasattr(self, "store"):
            return
        stats = self.store.stats()
        assert stats.items == len(self.model.alive((), None, self.now))
        assert stats.vectors == sum(len(item["texts"]) for item in self.model.items.values())

    def refresh(self, places):
        for place in places:
            item = self.model.items[place]
            if item["ttl"] is not None:
                item["expires"] = self.now + item["ttl"] * 60

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()


TestComparison = Comparison.TestCase
TestComparison.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_postgresql_against_the_model(postgres_url):
    class OnPostgres(Comparison):
        url = postgres_url

    run_state_machine_as_test(
        OnPostgres, settings=settings(max_examples=8, stateful_step_count=30, deadline=None)
    )
