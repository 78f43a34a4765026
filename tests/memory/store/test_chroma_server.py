"""A store whose vectors are indexed by a Chroma server, which may be down or hold other things."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from langgraph.store.base import PutOp

from cogwork.core.errors import MemoryStoreError
from cogwork.memory.store import chroma_index

TEXTS = [
    f"{one} {other}" for one in ("tea", "dog", "owl", "rain") for other in ("sun", "cat", "lake")
]


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request):
    return request.param


def fill(store):
    store.batch(
        [PutOp(("user", str(n % 3)), f"k{n}", {"text": text}) for n, text in enumerate(TEXTS)]
    )


def nearest(store, query):
    return store.search((), query=query, limit=1)[0].key


@contextmanager
def client(server):
    settings = Settings(anonymized_telemetry=False)
    opened = chromadb.HttpClient("127.0.0.1", urlsplit(server.url).port, settings=settings)
    try:
        yield opened
    finally:
        opened.close()
        for each in (opened, opened._admin_client):
            each._server._session.close()


def name_of(store):
    return f"cogwork-{store._records.fact('id')}"


def count(store, server):
    with client(server) as opened:
        return opened.get_collection(name_of(store), embedding_function=None).count()


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_server_catches_up_with_what_was_written_without_it(open_store, chroma_server):
    for place in (chroma_server.url, None, chroma_server.url):
        store = open_store(fields=["text"], exact_limit=5, chroma=place)
        fill(store)
        if place is None:
            store.delete(("user", "0"), "k0")
            store.put(("user", "0"), "new", {"text": "zebra crossing"})
        store.flush()
        assert store._feeder._chroma.ids() == set(store._records.vector_ids())
        store.close()


def test_the_server_is_fed_and_asked(open_store, chroma_server):
    store = open_store(fields=["text"], exact_limit=5, chroma=chroma_server.url)
    fill(store)
    store.flush()
    assert store.stats().chroma == "ready"
    assert count(store, chroma_server) == len(TEXTS)
    proposed, candidates = [], store._feeder.candidates

    def noted(query, count):
        proposed.append(candidates(query, count))
        return proposed[-1]

    store._feeder.candidates = noted
    assert nearest(store, "owl cat") == "k7"
    assert len(proposed[0]) == len(TEXTS)
    store.delete(("user", "1"), "k7")
    assert nearest(store, "owl cat") != "k7"
    store.flush()
    assert count(store, chroma_server) == len(TEXTS) - 1
    assert store.reindex() == len(TEXTS) - 1
    assert count(store, chroma_server) == len(TEXTS) - 1


def test_a_server_that_dies_costs_no_answer_and_catches_up_later(open_store, own_chroma_server):
    store = open_store(fields=["text"], exact_limit=5, chroma=own_chroma_server.url)
    fill(store)
    store.flush()
    own_chroma_server.kill()
    store.put(("user", "9"), "new", {"text": "zebra crossing"})
    store.delete(("user", "0"), "k0")
    assert nearest(store, "zebra crossing") == "new"
    assert "k0" not in {item.key for item in store.search((), query="tea sun", limit=100)}
    with pytest.raises(MemoryStoreError, match="start the server or correct the URL") as caught:
        store.flush()
    assert caught.value.transient
    assert (store.stats().chroma, store.stats().pending) == ("failing", 2)
    assert own_chroma_server.url in store.stats().chroma_error

    own_chroma_server.start()
    store.flush()
    assert (store.stats().chroma, store.stats().pending) == ("ready", 0)
    assert count(store, own_chroma_server) == len(TEXTS)
    assert nearest(store, "zebra crossing") == "new"


def test_a_server_that_does_not_answer_costs_no_answer(open_store, own_chroma_server, monkeypatch):
    monkeypatch.setattr(chroma_index, "_ANSWER_SECONDS", 0.5)
    store = open_store(fields=["text"], exact_limit=5, chroma=own_chroma_server.url)
    fill(store)
    store.flush()
    own_chroma_server.pause()
    assert nearest(store, "owl cat") == "k7"
    assert "timed out" in store.stats().chroma_error


def test_a_server_that_lost_its_data_is_given_it_again(open_store, chroma_server):
    store = open_store(fields=["text"], exact_limit=5, chroma=chroma_server.url)
    fill(store)
    store.flush()
    name = name_of(store)
    store.close()
    with client(chroma_server) as opened:
        opened.delete_collection(name)
    again = open_store(fields=["text"], exact_limit=5, chroma=chroma_server.url)
    again.flush()
    assert count(again, chroma_server) == len(TEXTS)
    assert nearest(again, "owl cat") == "k7"


def test_what_others_keep_on_the_server_is_left_alone(open_store, chroma_server):
    store = open_store(fields=["text"], exact_limit=5, chroma=chroma_server.url)
    with client(chroma_server) as opened:
        others = opened.get_or_create_collection("others", embedding_function=None)
        others.upsert(["1"], np.ones((1, 7), np.float32))
        fill(store)
        store.flush()
        store.reindex()
        assert others.get()["ids"] == ["1"]


def test_vectors_of_another_length_on_the_server_are_named_and_reindexed(open_store, chroma_server):
    store = open_store(fields=["text"], exact_limit=5, chroma=chroma_server.url)
    with client(chroma_server) as opened:
        foreign = opened.get_or_create_collection(name_of(store), embedding_function=None)
        foreign.upsert(["999"], np.ones((1, 7), np.float32))
    fill(store)
    with pytest.raises(MemoryStoreError, match="dimension"):
        store.flush()
    assert nearest(store, "owl cat") == "k7"
    assert store.reindex() == len(TEXTS)
    assert store.stats().chroma == "ready"
    assert nearest(store, "owl cat") == "k7"


def test_a_server_of_something_else_is_named(open_store):
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(418)

        do_POST = do_GET

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{other.server_port}"
        store = open_store(fields=["text"], exact_limit=5, chroma=url)
        fill(store)
        with pytest.raises(MemoryStoreError, match=f"Chroma at '{url}'.*correct the URL"):
            store.flush()
        assert nearest(store, "owl cat") == "k7"
        store.close()
        other.shutdown()
