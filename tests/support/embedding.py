"""A tiny deterministic embedding, and LangGraph's store with it, for tests of memory."""

import math
import re
from collections import Counter
from contextlib import contextmanager
from zlib import crc32

from langchain_core.embeddings import Embeddings
from langgraph.store.base import SearchItem
from langgraph.store.memory import InMemoryStore

from cogwork.memory.store import ChromaStore

DIMENSIONS = 256


class GramEmbeddings(Embeddings):
    """Hashed character trigrams of the words; what shares many is near."""

    def __init__(self):
        self.embedded = []

    def embed_documents(self, texts):
        self.embedded += texts
        return [embed(text) for text in texts]

    def embed_query(self, text):
        return embed(text)


class HybridStore(InMemoryStore):
    """`InMemoryStore` that can also be asked for words, scored by BM25."""

    def search_text(self, namespace_prefix, query, *, filter=None, limit=10, offset=0):  # noqa: A002
        items = self.search(namespace_prefix, filter=filter, limit=100_000)
        texts = {item.key: Counter(words(str(list(item.value.values())))) for item in items}
        wanted = set(words(query))
        scored = [(bm25(texts[item.key], wanted, list(texts.values())), item) for item in items]
        hits = sorted((hit for hit in scored if hit[0] > 0), key=lambda hit: -hit[0])
        return [
            SearchItem(i.namespace, i.key, i.value, i.created_at, i.updated_at, score)
            for score, i in hits[offset : offset + limit]
        ]


def gram_store(kind=InMemoryStore):
    return kind(index={"dims": DIMENSIONS, "embed": GramEmbeddings(), "fields": ["text"]})


STORES = [InMemoryStore, HybridStore, ChromaStore]


@contextmanager
def open_store(kind, folder):
    """A store of this kind; one that lasts, in the folder."""
    if kind is not ChromaStore:
        yield gram_store(kind)
        return
    with ChromaStore(folder / "store", embeddings=GramEmbeddings(), fields=["text"]) as store:
        yield store


def embed(text):
    vector = [0.0] * DIMENSIONS
    for word in words(text):
        padded = f" {word} "
        for place in range(len(padded) - 2):
            vector[crc32(padded[place : place + 3].encode()) % DIMENSIONS] += 1.0
    norm = math.sqrt(sum(x * x for x in vector)) or 1.0
    return [x / norm for x in vector]


def bm25(text, wanted, texts):
    score, average = 0.0, sum(sum(t.values()) for t in texts) / len(texts)
    for word in wanted & text.keys():
        holders = sum(word in t for t in texts)
        rarity = math.log(1 + (len(texts) - holders + 0.5) / (holders + 0.5))
        length = 0.25 + 0.75 * sum(text.values()) / average
        score += rarity * text[word] * 2.2 / (text[word] + 1.2 * length)
    return score


def words(text):
    return re.findall(r"\w+", text.casefold())
