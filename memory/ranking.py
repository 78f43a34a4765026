"""How memories are ranked: pure functions, every weight a parameter.

A memory's score is the weighted mean of three numbers between 0 and 1: how relevant it is
to the query, how important it was said to be, and how recently it was used. Vectors and
full text are fused by summed z-scores, which kept more of the evidence than rank fusion
on a public conversation set; patterns are ranked by the lower confidence bound of their
success, so that 9 of 10 beats 1 of 1.
"""

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, TypeVar

from cogwork.core.errors import ConfigurationError
from cogwork.core.words import content_words

__all__ = [
    "DAY",
    "Weights",
    "blend",
    "check_share",
    "coverage",
    "fuse",
    "lower_bound",
    "overlap",
    "recency",
    "standard_scores",
    "usefulness",
]

K = TypeVar("K", bound=Hashable)

DAY = 86_400.0
"""Seconds of a day."""

_BEGINNING = 4  # letters by which coverage knows a word, whatever its ending


@dataclass(frozen=True, slots=True)
class Weights:
    """What counts how much in a ranking; only the ratios of the weights matter.

    Args:
        relevance: Weight of the likeness to the query.
        importance: Weight of the importance that was given.
        recency: Weight of how recently the memory was used.
        half_life_days: Days after which recency is halved.
        diversity: How much relevance a memory loses that says the same as a better one, when
            not all can be returned; 0 returns the best even if they are all alike.

    Raises:
        ConfigurationError: A weight is negative or not finite, all are 0, or the half-life
            is not positive.
    """

    relevance: float = 0.7
    importance: float = 0.2
    recency: float = 0.1
    half_life_days: float = 30.0
    diversity: float = 0.2

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigurationError(f"{field.name} is {value}; it must be 0 or more")
        if self.relevance + self.importance + self.recency <= 0:
            raise ConfigurationError("all weights are 0; make one of them more")
        if self.half_life_days == 0:
            raise ConfigurationError("half_life_days is 0; it must be more")


def check_share(name: str, value: Any, least: float = 0.0) -> None:
    """Refuse what is no number between `least` and 1.

    Raises:
        ConfigurationError: It says which by its name.
    """
    if not isinstance(value, (int, float)) or not least <= value <= 1:
        raise ConfigurationError(f"{name} is {value!r}; it lies between {least:g} and 1")


def recency(age: float, half_life_days: float = 30.0) -> float:
    """Return 1 for now, 0.5 after a half-life, and so on; the future counts as now.

    Args:
        age: Seconds since the last use.
        half_life_days: Days after which the value is halved.
    """
    return math.exp2(-max(age, 0.0) / (half_life_days * DAY))


def blend(relevance: float, importance: float, age: float, weights: Weights | None = None) -> float:
    """Return the score of a memory, between 0 and 1.

    Args:
        relevance: Between 0 and 1; beyond is cut off.
        importance: Between 0 and 1; beyond is cut off.
        age: Seconds since the last use.
        weights: `Weights()` unless given.
    """
    weights = weights or Weights()
    parts = (
        (weights.relevance, _unit(relevance)),
        (weights.importance, _unit(importance)),
        (weights.recency, recency(age, weights.half_life_days)),
    )
    return _unit(sum(weight * part for weight, part in parts) / sum(weight for weight, _ in parts))


def usefulness(
    importance: float, age: float, accesses: int, *, half_life_days: float = 30.0
) -> float:
    """Return how much would be lost with a memory, between 0 and 1; eviction starts lowest.

    Half of it is importance, three tenths recency, two tenths how often it was recalled
    (5 recalls count half, 20 four fifths).

    Args:
        importance: Between 0 and 1.
        age: Seconds since the last use.
        accesses: How often it was recalled.
        half_life_days: Days after which recency is halved.
    """
    often = accesses / (accesses + 5)
    return 0.5 * _unit(importance) + 0.3 * recency(age, half_life_days) + 0.2 * often


def fuse(
    vector: Mapping[K, float], text: Mapping[K, float], *, trust: float = 1.0
) -> dict[K, float]:
    """Fuse the scores of vectors and of full text: the sum of each key's two z-scores.

    Both lists are first completed over the keys of either. A key that the vectors do not
    name scores their lowest score, since they name only the nearest; one that full text
    does not name scores 0, which is the BM25 of a text without a word of the query, so
    its only hit still stands out. A list that is empty, or whose completed scores are
    all equal, says nothing and adds 0. Scores that are not finite count as missing.

    Args:
        vector: Similarity by key, higher is better.
        text: BM25 by key, higher is better.
        trust: By how much the z-scores of full text are multiplied. They know only which hit
            is better than the others, and the best may still share but one word of many.

    Returns:
        A score for every key with a finite score in either; 0 is the average.
    """
    near = {key: score for key, score in vector.items() if math.isfinite(score)}
    named = {key: score for key, score in text.items() if math.isfinite(score)}
    keys = list(dict.fromkeys([*near, *named]))
    farthest, none = min(near.values(), default=0.0), min([0.0, *named.values()])
    by_vector = standard_scores([near.get(key, farthest) for key in keys])
    by_text = standard_scores([named.get(key, none) for key in keys])
    return {key: v + trust * t for key, v, t in zip(keys, by_vector, by_text, strict=True)}


def standard_scores(scores: Sequence[float]) -> list[float]:
    """Return how many standard deviations each is above the mean (z-scores).

    All are 0 where the scores are equal up to rounding.
    """
    if not scores:
        return []
    largest = max(map(abs, scores)) or 1.0
    scaled = [score / largest for score in scores]  # squares of huge scores would overflow
    mean = math.fsum(scaled) / len(scaled)
    deviation = math.sqrt(math.fsum((score - mean) ** 2 for score in scaled) / len(scaled))
    if deviation < 1e-9:
        return [0.0] * len(scaled)
    return [(score - mean) / deviation for score in scaled]


def lower_bound(successes: float, trials: float, z: float = 1.96) -> float:
    """Return the lower end of Wilson's confidence interval of a success rate.

    Wilson (1927), Probable inference, the law of succession, and statistical inference.

    Args:
        successes: How many trials succeeded; may be a fraction, at most `trials`.
        trials: How many there were; 0 gives 0.
        z: Standard deviations of confidence; 1.96 for 95 %.

    Raises:
        ConfigurationError: More successes than trials, or a negative number.
    """
    if not 0 <= successes <= trials:
        raise ConfigurationError(f"{successes} successes in {trials} trials are impossible")
    if trials == 0:
        return 0.0
    rate, square = successes / trials, z * z
    spread = z * math.sqrt((rate * (1 - rate) + square / (4 * trials)) / trials)
    return _unit((rate + square / (2 * trials) - spread) / (1 + square / trials))


def overlap(query: str, text: str) -> float:
    """Return how much of a query's words a text has, between 0 and 1; no embedding needed.

    A word counts by the share of its letter trigrams that one word of the text has, so
    endings matter little; less than half is chance and counts nothing. English function
    words count only in queries that have no others.
    """
    wanted = content_words(query)
    if not wanted:
        return 0.0
    found = [_trigrams(word) for word in set(re.findall(r"\w+", text.casefold()))]
    return math.fsum(_best(_trigrams(word), found) for word in wanted) / len(wanted)


def coverage(query: str, text: str) -> float:
    """Return the share of a query's words that a text has, between 0 and 1.

    Names and numbers count twice. Cheaper than `overlap`, for texts of which full text has
    said that they share some: words are compared by their first four letters, what has
    digits as a whole.
    """
    wanted = _wanted(query)
    found = {_beginning(word.casefold()) for word in re.findall(r"\w+", text)}
    shared = sum(weight for word, weight in wanted.items() if _beginning(word) in found)
    return shared / sum(wanted.values()) if wanted else 0.0


@lru_cache(16)
def _wanted(query: str) -> dict[str, int]:
    return content_words(query)


def _beginning(word: str) -> str:
    return word[:_BEGINNING] if word.isalpha() else word


def _best(wanted: set[str], found: list[set[str]]) -> float:
    share = max((len(wanted & other) / len(wanted) for other in found), default=0.0)
    return share if share >= 0.5 else 0.0


def _trigrams(word: str) -> set[str]:
    padded = f" {word} "
    return {padded[place : place + 3] for place in range(len(word))}


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)
