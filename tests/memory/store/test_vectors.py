"""Search by vector: in memory, through Chroma, and while Chroma does not know yet."""

import socket
from concurrent.futures import ThreadPoolExecutor

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from langgraph.store.base import PutOp
from letters import LetterEmbeddings

from cogwork.core.errors import ConfigurationError, MemoryStoreError
from cogwork.memory.store import chroma_child, chroma_index

WORDS = [
    "tea",
    "coffee",
    "dog",
    "cat",
    "owl",
    "rain",
    "snow",
    "sun",
    "moon",
    "star",
    "river",
    "lake",
]


def keys(items):
    return [item.key for item in items]


def chroma_ids(store):
    return store._feeder._chroma.ids()


def fill(store, count=60):
    store.batch(
        [
            PutOp(
                ("user", str(number % 3)),
                f"k{number}",
                {"text": f"{WORDS[number % 12]} {WORDS[number // 12]}", "n": number},
            )
            for number in range(count)
        ]
    )


@pytest.fixture(params=["in memory", "all scored", "through Chroma"])
def any_way(request, open_store):
    """The three ways to an answer, which must be one."""
    store = open_store(fields=["text"], exact_limit=20_000 if request.param == "in memory" else 5)
    if request.param == "all scored":  # as before Chroma is there
        store._feeder.candidates = lambda query, count: None
    fill(store)
    if request.param == "through Chroma":
        store.flush()
        assert store.stats().chroma == "ready"
    return store


def test_all_ways_rank_as_the_vectors_do(any_way, embeddings):
    vectors = {f"k{n}": f"{WORDS[n % 12]} {WORDS[n // 12]}" for n in range(60)}
    query = np.array(embeddings.embed_query("river dog"))

    def cosine(text):
        vector = np.array(embeddings.embed_query(text))
        return float(vector @ query / np.linalg.norm(vector) / np.linalg.norm(query))

    for prefix, users in (((), "012"), (("user",), "012"), (("user", "1"), "1")):
        expected = sorted(
            (cosine(text) for key, text in vectors.items() if str(int(key[1:]) % 3) in users),
            reverse=True,
        )
        found = any_way.search(prefix, query="river dog", limit=12)
        assert [item.score for item in found] == pytest.approx(expected[:12], abs=1e-5)
        for item in found:
            assert item.score == pytest.approx(cosine(vectors[item.key]), abs=1e-5)


def test_all_ways_page_filter_and_end(any_way):
    pages = [any_way.search((), query="tea", limit=25, offset=start) for start in (0, 25, 50, 75)]
    assert [len(page) for page in pages] == [25, 25, 10, 0]
    assert len({item.key for page in pages for item in page}) == 60
    found = any_way.search(("user", "2"), query="tea", filter={"n": {"$gte": 50}}, limit=100)
    assert sorted(keys(found)) == ["k50", "k53", "k56", "k59"]
    assert any_way.search((), query="tea", limit=0) == []


def test_all_ways_know_what_was_just_written(any_way):
    any_way.put(("user", "9"), "new", {"text": "zebra crossing"})
    assert keys(any_way.search((), query="zebra crossing", limit=1)) == ["new"]
    any_way.put(("user", "9"), "new", {"text": "tea"})
    assert any_way.search((), query="zebra crossing", limit=1)[0].score < 0.9
    any_way.delete(("user", "0"), "k0")
    assert "k0" not in keys(any_way.search((), query="tea tea", limit=100))


def test_hundreds_of_equal_vectors_hide_nothing(any_way):
    any_way.batch([PutOp(("same",), f"{n:03}", {"text": "same"}) for n in range(400)])
    any_way.put(("other",), "one", {"text": "samey"})
    any_way._feeder.flush()
    assert keys(any_way.search((), query="samey", limit=1)) == ["one"]
    assert len(any_way.search(("same",), query="same", limit=500)) == 400
    assert any_way.stats().distinct_vectors == 60 + 2


def test_two_users_never_see_each_other(open_store):
    store = open_store(fields=["text"], exact_limit=3)
    for user in ("ada", "adam", "eve"):
        store.batch([PutOp((user, "m"), f"{user}{n}", {"text": WORDS[n]}) for n in range(12)])
    store.flush()
    for offset in range(0, 14, 3):
        for query in (None, "tea", "owl moon", ""):
            for found in (
                store.search(("ada",), query=query, limit=30, offset=offset),
                store.search_text(("ada",), query or "tea dog", limit=30, offset=offset),
            ):
                assert {item.namespace for item in found} <= {("ada", "m")}
    assert len(store.search(("ada",), query="tea", limit=30)) == 12


def test_chroma_gets_what_differs_and_forgets_what_is_gone(open_store):
    store = open_store(fields=["text"])
    fill(store, 24)
    store.put(("copy",), "k", {"text": "tea tea"})
    assert store.stats().pending == store.stats().distinct_vectors == 24
    store.flush()
    assert chroma_ids(store) == set(store._records.vector_ids())
    assert store.stats().pending == 0
    store.delete(("copy",), "k")
    assert store.stats().pending == 0
    store.delete(("user", "0"), "k0")
    assert store.stats().pending == 1
    store.flush()
    assert len(chroma_ids(store)) == 23


def test_what_chroma_never_saw_leaves_nothing_pending(open_store):
    store = open_store(fields=["text"])
    for number in range(30):
        store.put(("a",), "k", {"text": f"version {number}"})
    assert store.stats().pending == store.stats().distinct_vectors == 1
    store.delete(("a",), "k")
    assert store.stats().pending == 0


def test_what_changes_while_it_is_sent_is_sent_again(open_store):
    store = open_store(fields=["text"])
    store.put(("a",), "k", {"text": "tea"})
    chroma = store._feeder._chroma
    add = chroma.add

    def meanwhile(ids, matrix):
        add(ids, matrix)
        store.delete(("a",), "k")

    chroma.add = meanwhile
    store.flush()
    assert chroma_ids(store) == set()
    assert store.stats().pending == 0


def test_writing_the_same_again_leaves_the_index_alone(store):
    store.put(("a",), "k", {"text": "tea", "n": 1})
    store.flush()
    store.put(("a",), "k", {"text": "tea", "n": 2})
    assert store.stats().pending == 0


@pytest.mark.parametrize("lost", [[1], [1, 2, 3]])
def test_what_chroma_lost_is_given_again(open_store, lost):
    store = open_store(fields=["text"], exact_limit=5)
    fill(store)
    store.flush()
    store._feeder._chroma.remove(lost)
    store._feeder._chroma.add([999], np.ones((1, 32), np.float32))
    store.close()
    again = open_store(fields=["text"], exact_limit=5)
    again.flush()
    assert chroma_ids(again) == set(again._records.vector_ids())


def test_reindex_mends_a_chroma_folder_that_is_damaged(open_store, tmp_path):
    store = open_store(fields=["text"], exact_limit=5)
    fill(store)
    store.flush()
    store.close()
    (tmp_path / "store" / "chroma" / "index" / "chroma.sqlite3").write_bytes(b"damaged" * 1000)
    again = open_store(fields=["text"], exact_limit=5)
    with pytest.raises(MemoryStoreError, match=r"records are intact; store.reindex\(\) makes"):
        again.flush()
    assert again.stats().chroma == "failing"
    assert keys(again.search((), query="tea tea", limit=1)) == ["k0"]
    assert again.reindex() == 60
    assert again.stats().chroma == "ready"
    assert keys(again.search((), query="tea tea", limit=1)) == ["k0"]


def test_a_chroma_process_that_was_killed_is_started_again(open_store):
    store = open_store(fields=["text"], exact_limit=5)
    fill(store)
    store.flush()
    store._feeder._chroma._served._child.kill()
    assert keys(store.search((), query="tea tea", limit=1)) == ["k0"]
    store.put(("a",), "new", {"text": "zebra"})
    store.flush()
    assert chroma_ids(store) == set(store._records.vector_ids())


def test_a_chroma_server_that_is_down_is_named_and_not_needed(open_store):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    store = open_store(fields=["text"], exact_limit=5, chroma=url)
    fill(store)
    with pytest.raises(MemoryStoreError, match="start the server or correct the URL"):
        store.flush()
    assert keys(store.search((), query="tea tea", limit=1)) == ["k0"]


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "http://h:port"])
def test_what_is_no_url_of_a_chroma_server_is_refused(open_store, url):
    with pytest.raises(ConfigurationError, match="write http://host:port"):
        open_store(chroma=url)
    open_store()


@pytest.mark.parametrize(
    ("client", "connect"),
    [
        ("PersistentClient", lambda folder: chroma_child._open(folder, "name")),
        ("HttpClient", lambda folder: chroma_index._serve("http://127.0.0.1:1", "name")),
    ],
    ids=["embedded", "server"],
)
def test_chroma_reports_to_nobody_whatever_the_environment_says(
    client, connect, monkeypatch, tmp_path
):
    seen = []

    def refuse(*args, settings=None, **options):
        seen.append(settings or Settings())
        raise ConnectionError

    monkeypatch.setenv("ANONYMIZED_TELEMETRY", "True")
    monkeypatch.setattr(chromadb, client, refuse)
    with pytest.raises(ConnectionError):
        connect(tmp_path)
    assert [settings.anonymized_telemetry for settings in seen] == [False]


def test_other_embeddings_are_refused_until_everything_is_embedded_again(open_store):
    store = open_store(fields=["text"])
    fill(store, 24)
    store.put(("x",), "own", {"title": "zebra", "text": "no"}, index=["title"])
    store.put(("x",), "none", {"text": "zebra"}, index=False)
    store.close()
    for other in (LetterEmbeddings(48), LetterEmbeddings(32, identity="others")):
        store = open_store(fields=["text"], embeddings=other)
        said = r"'letters:32'.*reindex\(embed=True\)"
        with pytest.raises(MemoryStoreError, match=said):
            store.put(("a",), "k", {"text": "tea"})
        with pytest.raises(MemoryStoreError, match=said):
            store.search((), query="tea")
        assert len(store.search((), limit=100)) == 26
        store.close()
    store = open_store(fields=["text"], embeddings=LetterEmbeddings(48))
    store.reindex(embed=True)
    assert keys(store.search((), query="tea tea", limit=1)) == ["k0"]
    assert keys(store.search((), query="zebra", limit=1)) == ["own"]
    assert "none" not in keys(store.search((), query="zebra", limit=100))
    assert (store.stats().embeddings, store.stats().dims) == ("letters:48", 48)
    store.close()
    assert open_store(fields=["text"], embeddings=LetterEmbeddings(48)).search((), query="tea")


def test_embedding_again_that_was_interrupted_wants_to_be_finished(open_store):
    store = open_store(fields=["text"])
    fill(store, 24)
    store._embedder._model.embed_documents = None
    with pytest.raises(MemoryStoreError, match="failed"):
        store.reindex(embed=True)
    store.close()
    again = open_store(fields=["text"], embeddings=LetterEmbeddings())
    with pytest.raises(MemoryStoreError, match=r"was interrupted; finish it with store\.reindex"):
        again.search((), query="tea")
    again.reindex(embed=True)
    assert keys(again.search((), query="tea tea", limit=1)) == ["k0"]


@pytest.mark.parametrize("way", ["in memory", "many"])
def test_what_changed_since_is_read_and_nothing_else(open_store, way):
    store = open_store(fields=["text"])
    fill(store)
    assert keys(store.search((), query="tea tea", limit=1)) == ["k0"]
    read, since = [], store._records.vectors_since

    def noted(namespace_ids, version):
        rows = since(namespace_ids, version)
        read.append(len(rows))
        return rows

    store._records.vectors_since = noted
    prefix = ("user", "0") if way == "in memory" else ()
    store.put(("user", "0"), "k0", {"text": "zebra"})
    assert keys(store.search(prefix, query="zebra", limit=1)) == ["k0"]
    store.put(("user", "0"), "k0", {"text": "zebra", "n": 1})
    store.delete(("user", "0"), "k3")
    store.put(("user", "0"), "k6", {"text": "zebra"}, index=False)
    assert len(store.search(prefix, query="zebra", limit=100)) == (18 if prefix else 58)
    store.search(prefix, query="zebra")
    assert read == [1, 0]


def test_threads_search_while_others_write(open_store):
    store = open_store(fields=["text"], exact_limit=50)

    def search():
        for _ in range(40):
            for item in store.search(("user", "1"), query="river dog", limit=5):
                assert item.namespace == ("user", "1")

    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(search) for _ in range(4)]
        for _ in range(6):
            fill(store, 60)
            store.delete(("user", "1"), "k1")
        for each in searches:
            each.result()
    assert len(store.search((), query="tea", limit=100)) == 59
