"""What a store does with what it should not have been given."""

import math
import re
import sys

import pytest
from langgraph.store.base import GetOp, InvalidNamespaceError, PutOp, SearchOp
from letters import LetterEmbeddings

from cogwork.core.errors import ConfigurationError, MemoryStoreError
from cogwork.memory.store import ChromaStore


class Answering(LetterEmbeddings):
    """Answers what the test says, once it says something."""

    answer = None

    def embed_documents(self, texts):
        if isinstance(self.answer, Exception):
            raise self.answer
        return super().embed_documents(texts) if self.answer is None else self.answer

    def embed_query(self, text):
        return self.embed_documents([text])[0]


def test_empty_and_huge_values_come_back(store):
    store.put(("a",), "empty", {})
    huge = {"text": "word " * 200_000, "list": list(range(1000))}
    store.put(("a",), "huge", huge)
    assert store.get(("a",), "empty").value == {}
    assert store.get(("a",), "huge").value == huge
    assert [item.key for item in store.search_text(("a",), "word")] == ["huge"]
    assert [item.key for item in store.search(("a",), query="word word")] == ["huge"]


def test_any_text_in_a_value_comes_back(store):
    value = {"text": "\0\x1f\ud800 half 🦊 ﷽", "\ud800": ["\x7f", "", 2**70, -0.0, 1e300, True]}
    store.put(("a",), "k", value)
    assert store.get(("a",), "k").value == value
    assert [item.key for item in store.search_text(("a",), "half")] == ["k"]
    assert [item.key for item in store.search(("a",), query="\ud800 half")] == ["k"]


@pytest.mark.parametrize(
    "value",
    [
        {"f": {1, 2}},
        {"f": math.nan},
        {"f": math.inf},
        {1: "a"},
        {"f": b"bytes"},
        "text",
        [1],
        7,
    ],
)
def test_what_is_no_json_is_refused_by_name(store, value):
    with pytest.raises(MemoryStoreError, match=r"item 'k' in \('a',\)"):
        store.put(("a",), "k", value)
    assert store.get(("a",), "k") is None


def test_a_value_without_end_is_refused(store):
    endless = {}
    endless["self"] = endless
    with pytest.raises(MemoryStoreError, match="cannot be stored as JSON"):
        store.put(("a",), "k", endless)


@pytest.mark.parametrize("place", [(("a\ud800",), "k"), (("a",), "k\udfff")])
def test_half_a_surrogate_pair_in_a_name_is_refused(store, place):
    for use in (lambda: store.put(*place, {}), lambda: store.get(*place)):
        with pytest.raises(MemoryStoreError, match="half of a surrogate pair"):
            use()


def test_operations_that_skip_the_methods_are_checked_too(store):
    for op in (PutOp(("a.b",), "k", {}), GetOp(("",), "k"), SearchOp(("a\0",))):
        with pytest.raises(InvalidNamespaceError):
            store.batch([op])
    with pytest.raises(ConfigurationError, match="key 7 in"):
        store.batch([GetOp(("a",), 7)])
    with pytest.raises(ConfigurationError, match="operation 'get' is none"):
        store.batch(["get"])


@pytest.mark.parametrize(
    "options",
    [
        {"limit": -1},
        {"offset": -1},
        {"limit": 1.5},
        {"limit": True},
        {"limit": 10**30},
        {"offset": 10**30},
    ],
)
def test_wrong_pages_are_refused(store, options):
    with pytest.raises(ConfigurationError, match="is no number of items"):
        store.search(("a",), **options)


def test_the_largest_page_is_everything(store):
    store.put(("a",), "k", {"text": "tea"})
    everything = {"limit": sys.maxsize, "offset": 0}
    assert [item.key for item in store.search(("a",), **everything)] == ["k"]
    assert [item.key for item in store.search(("a",), query="tea", **everything)] == ["k"]
    assert store.search(("a",), limit=sys.maxsize, offset=sys.maxsize) == []
    assert store.list_namespaces(limit=sys.maxsize, offset=1) == []


@pytest.mark.parametrize("place", [None, 5, "", " ", "s\0x", b"folder", "~nobody-of-this-name/s"])
def test_what_is_no_place_is_refused(place):
    with pytest.raises(ConfigurationError, match="is no place"):
        ChromaStore(place)


@pytest.mark.parametrize("index", [True, "text", [1]])
def test_a_wrong_index_is_refused(store, index):
    with pytest.raises(ConfigurationError, match="are no list of paths"):
        store.put(("a",), "k", {"text": "tea"}, index=index)


def test_one_wrong_operation_stops_the_whole_batch(store):
    with pytest.raises(MemoryStoreError):
        store.batch([PutOp(("a",), "good", {}), PutOp(("a",), "bad", {"f": {1}})])
    assert store.search(("a",)) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([[math.nan] * 32], "not finite"),
        ([[math.inf] * 32], "not finite"),
        ([[1.0] * 32] * 2, "answered 2 vectors for 1 texts"),
        ([], "answered 0 vectors for 1 texts"),
        ([[1.0] * 7], "(7 dimensions|32 dimensions.*7 dimensions|have 7 dimensions)"),
        ([["one"]], "no list of vectors"),
        ([[]], "not finite"),
        ([[10**400] * 32], "no list of vectors"),
        (ConnectionError("refused"), r"failed: ConnectionError\('refused'\)"),
    ],
)
async def test_embeddings_that_answer_nonsense_store_nothing(open_store, answer, said):
    embeddings = Answering()
    store = open_store(embeddings=embeddings, fields=["text"])
    store.put(("a",), "good", {"text": "tea"})
    embeddings.answer = answer
    with pytest.raises(MemoryStoreError, match=said) as caught:
        store.put(("a",), "bad", {"text": "coffee"})
    assert caught.value.transient is isinstance(answer, OSError)
    with pytest.raises(MemoryStoreError, match=said):
        await store.aput(("a",), "bad", {"text": "coffee"})
    embeddings.answer = None
    assert [item.key for item in store.search(("a",))] == ["good"]
    assert [item.key for item in store.search(("a",), query="coffee")] == ["good"]


def test_what_needs_no_embeddings_goes_on_without_them(open_store):
    embeddings = Answering()
    store = open_store(embeddings=embeddings, fields=["text"])
    store.put(("a",), "k", {"text": "tea"})
    embeddings.answer = ConnectionError("down")
    store.put(("a",), "plain", {"text": "coffee"}, index=False)
    assert len(store.search(("a",))) == 2
    assert [item.key for item in store.search_text(("a",), "tea")] == ["k"]


def test_a_text_that_embeds_to_zeros_is_kept_and_is_no_hit(open_store):
    embeddings = Answering()
    store = open_store(embeddings=embeddings, fields=["text"])
    store.put(("a",), "k", {"text": "tea"})
    embeddings.answer = [[0.0] * 32]
    store.put(("a",), "zero", {"text": "x"})
    assert store.get(("a",), "zero").value == {"text": "x"}
    assert [item.score for item in store.search(("a",), query="x")] == [0.0]


def test_the_same_text_is_embedded_once_and_blank_ones_never(open_store, embeddings):
    store = open_store(fields=["text", "title"])
    store.batch([PutOp(("a",), str(n), {"text": "tea", "title": " "}) for n in range(5)])
    assert embeddings.asked == [["tea"]]


def test_functions_are_embeddings_too(tmp_path):
    letters = LetterEmbeddings()

    async def embed(texts):
        return letters.embed_documents(texts)

    for number, function in enumerate((letters.embed_documents, embed)):
        index = {"embed": function, "dims": 32, "fields": ["text"]}
        with ChromaStore(tmp_path / str(number), index=index) as store:
            store.put(("a",), "k", {"text": "tea"})
            assert store.search(("a",), query="tea")[0].score == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"embeddings": 7}, "embeddings 7 are neither a name"),
        ({"index": {"embed": LetterEmbeddings(), "dims": 31}}, "have 32 dimensions, and 31"),
    ],
)
def test_wrong_embeddings_are_refused_at_the_first_text(open_store, options, said):
    store = open_store(**options)
    with pytest.raises((ConfigurationError, MemoryStoreError), match=said):
        store.put(("a",), "k", {"text": "tea"})


def test_wrong_arguments_are_refused_at_once(tmp_path):
    for options, said in (
        ({"index": {"embed": LetterEmbeddings()}, "fields": ["a"]}, "either 'index' or"),
        ({"fields": "text"}, "are no list of paths"),
    ):
        with pytest.raises(ConfigurationError, match=re.escape(said)):
            ChromaStore(tmp_path / "s", **options)
    with pytest.raises(ConfigurationError, match=r"redis://user:\*\*\*@host.*name a folder"):
        ChromaStore("redis://user:secret@host")


@pytest.mark.parametrize(
    "given",
    [
        {"index": {"embed": "static", "text_fields": ["text"]}, "embeddings": None},
        {"ttl": {"defaultttl": 1}},
    ],
)
def test_what_index_and_ttl_do_not_have_is_refused_by_name(tmp_path, given):
    with pytest.raises(ConfigurationError, match=r"has no '(text_fields|defaultttl)'; it takes"):
        ChromaStore(tmp_path / "store", **given)


def test_a_text_is_no_namespace(store):
    for ask in (
        lambda: store.put("abc", "k", {"text": "tea"}),
        lambda: store.get("abc", "k"),
        lambda: store.search("abc", query="tea"),
        lambda: store.search_text("abc", "tea"),
    ):
        with pytest.raises(ConfigurationError, match=r"'abc' is a text; write \('abc',\)"):
            ask()
