"""Embedding everything again, after the embeddings or the fields changed."""

import json
from collections.abc import Sequence
from contextlib import nullcontext

from cogwork.memory.store.embedder import Embedder
from cogwork.memory.store.plan import field_texts, full_text, vectors
from cogwork.memory.store.records import Records
from cogwork.memory.store.rows import Indexed, Source

__all__ = ["embed_again"]

_PORTION = 256


def embed_again(records: Records, embedder: Embedder | None, fields: Sequence[str]) -> int:
    """Make text and vectors of every item again; return how many there were.

    Vectors of two models never stand side by side: all are dropped first. Interrupted,
    the store says so at the next search and wants it finished.
    """
    records.note("unfinished", "1")
    records.drop_vectors()
    done, last = 0, 0
    with embedder.adopted() if embedder else nullcontext():
        while sources := records.sources(last, _PORTION):
            records.index_again(_indexed(sources, embedder, fields))
            done, last = done + len(sources), sources[-1].id
    records.note("unfinished", "")
    return done


def _indexed(
    sources: Sequence[Source], embedder: Embedder | None, fields: Sequence[str]
) -> list[Indexed]:
    parts: list[tuple[Source, str, tuple[str, ...]]] = []
    for source in sources:
        value = json.loads(source.value)
        chosen = fields if source.fields is None else json.loads(source.fields) or ()
        texts = field_texts(value, chosen)
        parts.append((source, full_text(value, chosen, texts), texts))
    distinct = list(dict.fromkeys(text for _, _, texts in parts for text in texts))
    embedded = embedder.embed(distinct, ())[0] if embedder else {}
    return [
        Indexed(source.id, source.updated_at, words, vectors(texts, embedded))
        for source, words, texts in parts
    ]
