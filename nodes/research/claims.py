"""Claims: what the evidence supports, how sure that is, and the check that it does.

Confidence is a rule that can be followed by hand. One quotation is taken to be right with a
probability of 0.85 times its relevance, less 0.02 for each year that it is older than the newest
dated evidence, at most 0.2. Independent documents that say the same err independently, so that
the claim is wrong with the product of their doubts; of one document, or of copies, the best
quotation counts once. A claim that evidence contradicts keeps half of it. The most is 0.95.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from cogwork.core.offline.words import stems
from cogwork.nodes.entities import find_entities
from cogwork.nodes.research.contradictions import Contradiction
from cogwork.nodes.research.evidence import Evidence, alike, plain_words

__all__ = ["Claim", "confidence_of", "opposed", "unsupported", "with_agreeing"]

_SURE: Final = 0.85
_MOST: Final = 0.95
_PER_YEAR: Final = 0.02
_OLDEST: Final = 0.2
_SAME: Final = 0.5  # alikeness from which two quotations say the same
_COPIED: Final = 12  # words from which the same ones in the same order are no coincidence
_SUPPORT: Final = 0.6  # share of a claim's words that its quotations must have
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_NOT: Final = re.compile(
    r"\b(?:not|no|never|none|neither|nor|cannot|without)\b|n['’]t\b",  # noqa: RUF001 - as typed
    re.IGNORECASE,
)


class Claim(BaseModel):
    """Something that the evidence supports.

    Attributes:
        text: One sentence.
        subquestion: Id of the sub-question that it answers.
        evidence: Ids of the quotations that support it; never none.
        confidence: From 0 to 1; see `confidence_of`.
        is_main: Whether it belongs to the short answer.
        is_contradicted: Whether other evidence says otherwise.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    subquestion: str
    evidence: Annotated[tuple[str, ...], Field(min_length=1)]
    confidence: Annotated[float, Field(ge=0, le=1)]
    is_main: bool = False
    is_contradicted: bool = False


def confidence_of(cited: Sequence[Evidence], newest: str | None, *, contradicted: bool) -> float:
    """Return how sure a claim is, from 0 to 1, by the rule that the module's docstring tells.

    Args:
        cited: What supports it.
        newest: Date of the newest evidence of the whole report.
        contradicted: Whether other evidence says otherwise.
    """
    best: list[Evidence] = []
    for each in sorted(cited, key=lambda each: -each.relevance):
        copies = (
            other.document == each.document or _is_copy(other.quote, each.quote) for other in best
        )
        if not any(copies):
            best.append(each)
    doubt = math.prod(1 - _SURE * each.relevance * (1 - _aged(each, newest)) for each in best)
    sure = min(_MOST, 1 - doubt)
    return round(sure / 2 if contradicted else sure, 2)


def unsupported(text: str, quotes: Sequence[str], question: str = "") -> str:
    """Return why quotations do not support a claim; empty where they do.

    Every number of the claim must stand in a quotation; every name there or in the question;
    three fifths of its words in quotations; and it may not say no where they
    say yes, or yes where they say no.

    Args:
        text: The claim.
        quotes: Word for word from evidence.
        question: Names in it need no evidence.
    """
    if not quotes:
        return "no evidence"
    said = " ".join(quotes)
    known = {_figure(each) for each in _NUMBER.findall(said)}
    if lost := [each for each in _NUMBER.findall(text) if _figure(each) not in known]:
        return f"the number {lost[0]} is not in its evidence"
    words = set(stems(said))
    asked = words | set(stems(question))
    names = [entity.text for entity in find_entities(text) if entity.kind in ("name", "code")]
    if strange := [name for name in names if not set(stems(name)) <= asked]:
        return f"the name {strange[0]} is not in its evidence"
    told = {word for word in stems(text) if not word[0].isdigit()}
    if len(told & words) < _SUPPORT * len(told):
        return "its words are not those of its evidence"
    closest = max(quotes, key=lambda quote: alike(quote, text))
    if bool(_NOT.search(text)) != bool(_NOT.search(closest)):
        return "its evidence says the opposite"
    return ""


def with_agreeing(
    first: Evidence, evidence: Iterable[Evidence], apart: Mapping[str, set[str]]
) -> tuple[Evidence, ...]:
    """Return a quotation with those of other documents that say the same, numbers and all.

    Args:
        first: The quotation.
        evidence: All there is.
        apart: Ids of what contradicts each quotation.
    """
    figures = _figures(first.quote)
    agreeing = [
        each
        for each in evidence
        if each.document != first.document
        and each.id not in apart.get(first.id, set())
        and alike(each.quote, first.quote) >= _SAME
        and _figures(each.quote) == figures
        and bool(_NOT.search(each.quote)) == bool(_NOT.search(first.quote))
    ]
    once = {each.document: each for each in reversed(agreeing)}
    return (first, *sorted(once.values(), key=lambda each: -each.relevance))


def opposed(contradictions: Iterable[Contradiction]) -> dict[str, set[str]]:
    """Return ids of what contradicts each quotation."""
    apart: dict[str, set[str]] = {}
    for each in contradictions:
        apart.setdefault(each.one, set()).add(each.other)
        apart.setdefault(each.other, set()).add(each.one)
    return apart


def _is_copy(one: str, other: str) -> bool:
    words = plain_words(one)
    return len(words.split()) >= _COPIED and words == plain_words(other)


def _aged(each: Evidence, newest: str | None) -> float:
    """What is taken off for age; undated evidence is as old as the newest."""
    if not each.date or not newest:
        return 0.0
    years = int(newest[:4]) - int(each.date[:4])
    return min(_OLDEST, max(0, years) * _PER_YEAR)


def _figures(text: str) -> frozenset[str]:
    return frozenset(map(_figure, _NUMBER.findall(plain_words(text))))


def _figure(text: str) -> str:
    """A number as it compares: 1,000 and 1000 are one, 2.50 and 2.5 too."""
    plain = re.sub(r",(?=\d{3}(?:\D|$))", "", text)
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
