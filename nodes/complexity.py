"""How complex a query is, with what makes it so."""

import math
import re
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from cogwork.nodes.entities import Entity

__all__ = ["Complexity", "Factor", "rate_complexity"]

Level = Literal["simple", "moderate", "complex"]


class Factor(BaseModel):
    """What makes a query complex: how much of it there is, and what it adds to the score."""

    model_config = ConfigDict(frozen=True)

    name: str
    count: int
    points: float


class Complexity(BaseModel):
    """A score from 0 to 1, the sum of its factors' points.

    The level is `simple` below 0.25, and `complex` from 0.5.
    """

    model_config = ConfigDict(frozen=True)

    score: float
    level: Level
    factors: tuple[Factor, ...]


# Of each factor: the points it adds at most, and the count at which it has added two thirds.
_WEIGHTS = {
    "words": (0.20, 60),
    "questions": (0.18, 2),
    "entities": (0.12, 6),
    "domains": (0.10, 1),
    "comparisons": (0.12, 2),
    "conditions": (0.14, 2),
    "constraints": (0.14, 2),
}
_QUESTION = re.compile(
    r"\?+|(?:[;,.]|\band) (?:then |also |what|which|how|why|who|when|where)\b", re.IGNORECASE
)
_COMPARISON = re.compile(
    r"\b(?:compar\w+|versus|vs|than|difference\w*|differ|better|worse|rather|whereas|instead of"
    r"|as opposed to|relative to|in contrast|trade-?offs?|pros and cons)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\b(?:if|unless|when(?:ever)?|assuming|provided|suppose|given|in case|depending on|otherwise"
    r"|as long as|once|until|would have)\b",
    re.IGNORECASE,
)
_CONSTRAINT = re.compile(
    r"\b(?:must(?:n't)?|at (?:most|least)|no (?:more|less|later|fewer) than|not? (?:exceed\w*)"
    r"|under|below|above|within|without|only|except|exactly|between|before|by (?:the end|\d)|up to"
    r"|maximum|minimum|limit(?:ed)?|budget of|deadline|should(?:n't)?|don't|do not|never|avoid"
    r"|excluding|including|each|every)\b",
    re.IGNORECASE,
)


def rate_complexity(
    text: str, entities: Sequence[Entity] = (), domains: Sequence[str] = ()
) -> Complexity:
    """Rate a query by its length, questions, entities, domains, comparisons, conditions, constraints.

    More of any factor never makes the score smaller, and each next one adds less.

    Args:
        text: The query.
        entities: What it names, as `find_entities` says.
        domains: What it is about; the first adds nothing.

    Example:
        >>> rate_complexity("How tall is the Eiffel tower?").level
        'simple'
    """
    counts = {
        "words": len(text.split()),
        "questions": max(0, len(_QUESTION.findall(text)) - 1),
        "entities": len(entities),
        "domains": max(0, len(domains) - 1),
        "comparisons": len(_COMPARISON.findall(text)),
        "conditions": len(_CONDITION.findall(text)),
        "constraints": len(_CONSTRAINT.findall(text)),
    }
    factors = tuple(
        Factor(name=name, count=count, points=round(_points(name, count), 4))
        for name, count in counts.items()
    )
    score = round(sum(each.points for each in factors), 4)
    level: Level = "simple" if score < 0.25 else "moderate" if score < 0.5 else "complex"
    return Complexity(score=min(1.0, score), level=level, factors=factors)


def _points(name: str, count: int) -> float:
    most, usual = _WEIGHTS[name]
    return most * (1 - math.exp(-count * math.log(3) / usual))
