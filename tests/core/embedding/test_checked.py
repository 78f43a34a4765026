"""What every embedding goes through: each text once, in batches, and answers checked."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings
from langgraph.store.base.embed import EmbeddingsLambda

from cogwork.core.embeddings import CheckedEmbeddings, create_embeddings
from cogwork.core.errors import ConfigurationError, ModelError


class Counting(Embeddings):
    """Two numbers of each text; `asked` is every list of texts it was given."""

    def __init__(self, answer=None):
        self.asked = []
        self.answer = answer

    def embed_documents(self, texts):
        self.asked.append(list(texts))
        if isinstance(self.answer, Exception):
            raise self.answer
        return [vector(text) for text in texts] if self.answer is None else self.answer

    def embed_query(self, text):
        return self.embed_documents([text])[0]


def vector(text):
    return [float(len(text)), float(sum(map(ord, text)))]


@pytest.fixture(params=["sync", "async"])
def way(request):
    """Calls a method of embeddings, or its async twin."""

    def ask(embeddings, method, argument):
        if request.param == "sync":
            return getattr(embeddings, method)(argument)
        return asyncio.run(getattr(embeddings, f"a{method}")(argument))

    return ask


@given(st.lists(st.text(max_size=5), max_size=20), st.integers(1, 7))
def test_each_text_gets_its_vector_and_is_embedded_once(texts, size):
    inner = Counting()
    found = create_embeddings(inner, batch_size=size).embed_documents(texts)
    sent = [text for batch in inner.asked for text in batch]
    assert found == [vector(text or " ") for text in texts]
    assert len(sent) == len(set(sent)) == len({text or " " for text in texts})
    assert all(1 <= len(batch) <= size for batch in inner.asked)


def test_equal_texts_get_vectors_of_their_own(way):
    first, second = way(create_embeddings(Counting()), "embed_documents", ["tea", "tea"])
    first.append(0.0)
    assert second == vector("tea")


def test_half_a_surrogate_pair_is_replaced(way):
    inner = Counting()
    way(create_embeddings(inner), "embed_documents", ["a\ud800"])
    way(create_embeddings(inner), "embed_query", "a\ud800")
    assert inner.asked == [["a?"], ["a?"]]


def test_a_query_is_embedded_once_until_others_need_its_room(way):
    inner = Counting()
    embeddings = create_embeddings(inner, cache_size=2)
    for query in ("a", "b", "a", "c", "a", "b"):  # "b" goes when "c" comes
        way(embeddings, "embed_query", query)
    assert inner.asked == [["a"], ["b"], ["c"], ["b"]]


def test_what_is_done_to_an_answer_does_not_reach_the_cache(way):
    embeddings = create_embeddings(Counting())
    way(embeddings, "embed_query", "tea").clear()
    assert way(embeddings, "embed_query", "tea") == vector("tea")


def test_without_a_cache_and_for_huge_queries_nothing_is_remembered():
    inner = Counting()
    for embeddings, query in (
        (create_embeddings(inner, cache_size=0), "tea"),
        (create_embeddings(inner), "tea" * 10_000),
    ):
        inner.asked.clear()
        assert embeddings.embed_query(query) == embeddings.embed_query(query)
        assert len(inner.asked) == 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([[1.0, 2.0]], "answered 1 vectors for 2 texts"),
        ([[1.0, 2.0]] * 3, "answered 3 vectors for 2 texts"),
        ([[1.0, 2.0], [1.0]], "of 2 dimensions, and now one of 1 dimensions"),
        ([[1.0], [math.nan]], "not finite .* for 'b'"),
        ([[math.inf], [1.0]], "not finite .* for 'a'"),
        ([[], []], "not finite"),
        ([["one"], ["two"]], "no list of vectors"),
        (7, "no list of vectors"),
        (RuntimeError("out of memory"), "failed: RuntimeError"),
    ],
)
def test_a_wrong_answer_is_an_error_that_names_the_embeddings(way, answer, said):
    with pytest.raises(ModelError, match=rf"Counting' .*{said}") as caught:
        way(create_embeddings(Counting(answer)), "embed_documents", ["a", "b"])
    assert not caught.value.transient


def test_a_wrong_answer_to_a_query_is_not_remembered(way):
    inner = Counting([[math.nan]])
    embeddings = create_embeddings(inner)
    with pytest.raises(ModelError, match="not finite"):
        way(embeddings, "embed_query", "tea")
    inner.answer = None
    assert way(embeddings, "embed_query", "tea") == vector("tea")


def test_vectors_keep_their_length_from_call_to_call(way):
    inner = Counting()
    embeddings = create_embeddings(inner)
    way(embeddings, "embed_query", "tea")
    assert embeddings.dimensions == 2
    inner.answer = [[1.0] * 3]
    with pytest.raises(ModelError, match="of 2 dimensions, and now one of 3 dimensions"):
        way(embeddings, "embed_documents", ["tea"])


def test_a_broken_connection_is_worth_another_try(way):
    with pytest.raises(ModelError) as caught:
        way(create_embeddings(Counting(ConnectionError("down"))), "embed_query", "tea")
    assert caught.value.transient
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_an_async_function_embeds_in_sync_code_too(way):
    async def embed(texts):
        return [vector(text) for text in texts]

    embeddings = create_embeddings(EmbeddingsLambda(embed))
    assert way(embeddings, "embed_documents", ["a", "b"]) == [vector("a"), vector("b")]
    assert way(embeddings, "embed_query", "a") == vector("a")


def test_threads_share_a_cache_without_losing_or_mixing_queries():
    embeddings = create_embeddings(Counting(), cache_size=3)

    async def ask_all():
        queries = [str(number % 7) for number in range(200)]
        found = await asyncio.gather(*map(embeddings.aembed_query, queries))
        assert found == [vector(query) for query in queries]

    asyncio.run(ask_all())


def test_identity_is_what_the_embeddings_say_or_their_class_and_model():
    inner = Counting()
    assert create_embeddings(inner).identity.endswith(".Counting")
    inner.model = "small"
    assert create_embeddings(inner).identity.endswith(".Counting:small")
    inner.identity = "mine"
    assert create_embeddings(inner).identity == "mine"
    wrapped = create_embeddings(inner)
    assert create_embeddings(wrapped) is wrapped


@pytest.mark.parametrize(("size", "said"), [({"batch_size": 0}, "1 or"), ({"cache_size": -1}, "0")])
def test_a_size_that_is_too_small_is_refused(size, said):
    with pytest.raises(ConfigurationError, match=f"{next(iter(size))} is .*; give {said}"):
        CheckedEmbeddings(Counting(), **size)
