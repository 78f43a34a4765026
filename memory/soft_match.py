"""How well texts match a query word by word, where a word may match a near one.

Each content word of the query looks for its nearest piece in a text ("ring" finds "phone"),
and counts by its rarity in general English, which is the length of its vector in the built-in
table. A name or a number has no near ones: the text has it or not. Full text knows which words
are the same, so here a word that is near enough counts as much as the word itself; then among
the many texts with a name those come first which say something near the rest of the question.

Source: Khattab and Zaharia, "ColBERT: Efficient and Effective Passage Search via
Contextualized Late Interaction over BERT" (2020) for the best match of each word; Zhang et
al., "BERTScore: Evaluating Text Generation with BERT" (2020) for weights by rarity. Here the
vectors are those of `cogwork.core.embedding.static`, which know no context and need no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np

from cogwork.core.embedding.static import StaticEmbeddings
from cogwork.core.words import content_words

__all__ = ["SoftWords", "soft_match", "soft_words", "text_vectors"]

Array = np.ndarray[Any, np.dtype[Any]]

_NEAR = 0.5  # cosine from which a word counts as said
_MOST_TEXT = 1_000  # characters, by which most memories are told apart
_MOST_PIECES = 64  # of a query, as many as full text looks for words
_REMEMBERED = 16_384  # texts whose pieces are kept, since the same ones are candidates again


@dataclass(frozen=True, slots=True)
class SoftWords:
    """The word pieces of a query.

    Args:
        numbers: Their numbers in the built-in table, each once.
        units: Their vectors, of length 1; (pieces, dimensions).
        shares: What they weigh by their rarity; the sum is 1.
        is_exact: Which belong to names and numbers, for which nothing else will do.
    """

    numbers: Array
    units: Array
    shares: Array
    is_exact: Array


def soft_words(query: str) -> SoftWords:
    """Return what `soft_match` looks for; the first call reads the table.

    Of a query the first 1,000 characters and 64 pieces count.

    Raises:
        ConfigurationError: The table is absent or damaged.
    """
    is_exact: dict[int, bool] = {}
    query = query[:_MOST_TEXT]
    for word, weight in (content_words(query) or {query: 1}).items():
        for number in _table().pieces(word):
            is_exact[number] = is_exact.get(number, False) or weight > 1
    numbers = np.array(list(is_exact)[:_MOST_PIECES])
    vectors = _table().vectors(numbers)
    rarity = np.maximum(np.linalg.norm(vectors, axis=1), 1e-9)
    exact = np.array([is_exact[number] for number in numbers.tolist()])
    return SoftWords(numbers, vectors / rarity[:, None], rarity / rarity.sum(), exact)


def soft_match(words: SoftWords, texts: Sequence[str]) -> list[float]:
    """Return for each text the share of the words, by their rarity, that it says, up to 1.

    A name or number counts where the text has it, another word by the cosine to its nearest
    piece in the text, in full from 0.5. Of a text the first 1,000 characters count.
    """
    if not texts:
        return []
    cut = [_pieces(text[:_MOST_TEXT]) for text in texts]
    numbers, places = np.unique(np.concatenate(cut), return_inverse=True)
    starts = np.cumsum([0, *map(len, cut[:-1])])
    vectors = _table().vectors(numbers)
    lengths = np.maximum(np.sqrt(np.vecdot(vectors, vectors)), 1e-9)
    # Not `@`: threads that BLAS would wake for so little wait long for a busy machine.
    cosines = np.vecdot(words.units[:, None], vectors) / lengths
    said = np.clip(cosines / _NEAR, 0.0, 1.0)
    said[words.is_exact] = words.numbers[words.is_exact, None] == numbers
    # Word by word: for all at once, ten thousand long texts would take a gigabyte.
    best = np.array([np.maximum.reduceat(row[places], starts) for row in said])
    scores: list[float] = (words.shares @ best).tolist()
    return scores


def text_vectors(texts: Sequence[str]) -> Array:
    """Return the vectors of texts by the built-in table, of length 1; (texts, dimensions).

    They are those of `StaticEmbeddings`, remembered, and not by way of lists.
    """
    return np.array([_vector(text[:_MOST_TEXT]) for text in texts])


@lru_cache(_REMEMBERED)
def _pieces(text: str) -> Array:
    return np.array(_table().pieces(text), np.int32)


@lru_cache(_REMEMBERED // 2)
def _vector(text: str) -> Array:
    total = _table().vectors(_pieces(text)).sum(axis=0)
    unit: Array = total / max(float(np.linalg.norm(total)), 1e-9)
    return unit


@cache
def _table() -> StaticEmbeddings:
    return StaticEmbeddings()
