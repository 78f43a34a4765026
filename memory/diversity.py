"""Which of many hits to return, so that each says something that the others do not.

Memories come in series: "Kestrel was shown to Arcadia on 7 June", and to nine others on nine
other days. Each is as near to a question about Kestrel as the next, so that they fill all places
and what was asked for comes eleventh. A hit that is like a better one is therefore worth less.

Source: Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering
Documents and Producing Summaries" (1998).
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from cogwork.memory.ranking import Weights
from cogwork.memory.soft_match import text_vectors

__all__ = ["best_of", "choose"]

Array = np.ndarray[Any, np.dtype[Any]]

_COMPARED = 100  # of the texts returned, with which all others are


class _Found(Protocol):
    @property
    def text(self) -> str: ...
    @property
    def score(self) -> float | None: ...


F = TypeVar("F", bound=_Found)


def best_of(found: Sequence[F], k: int, weights: Weights) -> list[F]:
    """Return k of what was found, in the same order; see `Weights.diversity`.

    Args:
        found: Memories with their scores.
        k: How many at most.
        weights: By which they were scored.
    """
    total = weights.relevance + weights.importance + weights.recency
    loss = weights.diversity * weights.relevance / total
    scores = [one.score or 0.0 for one in found]
    return [found[place] for place in choose(scores, [one.text for one in found], k, loss)]


def choose(scores: Sequence[float], texts: Sequence[str], k: int, loss: float = 0.2) -> list[int]:
    """Return the places of k texts, in order, by maximal marginal relevance.

    They are taken one by one, always the one with the highest score left; then the others lose
    `loss` times their cosine to it, unless they have lost more to an earlier one. The cosine is
    that of the built-in embeddings, whatever embeddings found the texts. After a hundred, what
    is left comes by what it has left.

    Args:
        scores: Of the texts, higher is better.
        texts: What is compared.
        k: How many at most; when there are no more, all are returned.
        loss: What a text loses that is the same as a better one; 0 lets scores alone decide.
    """
    if k >= len(texts):
        return list(range(len(texts)))
    vectors: Array = text_vectors(texts)
    left, lost = np.array(scores, float), np.zeros(len(texts))
    chosen = []
    for _ in range(min(k, _COMPARED)):
        best = int((left - lost).argmax())
        chosen.append(best)
        left[best] = -np.inf
        np.maximum(lost, loss * np.vecdot(vectors, vectors[best]), out=lost)
    rest = np.argsort(lost - left, kind="stable")[: max(k, 0) - len(chosen)]
    return sorted([*chosen, *rest.tolist()])
