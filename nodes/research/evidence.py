"""Evidence: what a source says, where it says it, and how far it bears on a question."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias

from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel, ConfigDict, Field

from cogwork.core.bridge import Node, node
from cogwork.core.offline.words import stems

__all__ = [
    "DEPTHS",
    "Depth",
    "Effort",
    "Evidence",
    "Outline",
    "SearchResult",
    "SearchResults",
    "SubQuestion",
    "alike",
    "collect_evidence",
    "is_quoted",
    "make_weigh",
    "merge_searches",
    "plain_words",
]

Depth: TypeAlias = Literal["quick", "standard", "comprehensive"]


@dataclass(frozen=True, slots=True)
class Effort:
    """What a depth comes to.

    Attributes:
        questions: How many sub-questions at most in the first round.
        k: How many hits a source is asked for.
        evidence: How much evidence is kept.
        claims: How many findings a sub-question may have.
        rounds: How often the sources are searched.
    """

    questions: int
    k: int
    evidence: int
    claims: int
    rounds: int


DEPTHS: Final[Mapping[Depth, Effort]] = {
    "quick": Effort(questions=1, k=5, evidence=8, claims=4, rounds=1),
    "standard": Effort(questions=4, k=8, evidence=24, claims=6, rounds=1),
    "comprehensive": Effort(questions=6, k=12, evidence=48, claims=9, rounds=2),
}


class SubQuestion(BaseModel):
    """A part of the question.

    Attributes:
        id: `q1`, `q2`, …; `q1` is the whole question.
        text: What is asked, as the report's heading says it.
        query: What sources are searched for.
        round: In which round it came up, from 1.
        serves: Id of the part that it is searched for, where it is no part itself: a phrase of
            the question, or something that came up; empty for any part.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    text: str
    query: str
    round: int = 1
    serves: str | None = None


class Outline(BaseModel):
    """What is looked up, how thoroughly, and in which sources.

    Attributes:
        question: Of the person.
        depth: How thoroughly.
        round: Of searching, from 1.
        subquestions: Of all rounds.
        sources: Names, those that served best before first.
        preferred: How much each source's evidence counts, where feedback has taught it.
    """

    model_config = ConfigDict(frozen=True)

    question: str
    depth: Depth = "standard"
    round: int = 1
    subquestions: tuple[SubQuestion, ...] = ()
    sources: tuple[str, ...] = ()
    preferred: dict[str, float] = {}

    @property
    def parts(self) -> tuple[SubQuestion, ...]:
        """The sub-questions that are parts of the question."""
        return tuple(part for part in self.subquestions if part.serves is None)

    def measure_of(self, part: SubQuestion) -> str:
        """Return what the evidence for a sub-question is measured by besides its own words.

        That is the whole question, but for parts that make up the whole, which stand alone.
        """
        stands_alone = part.serves is None and self.subquestions[0].serves is not None
        return part.query if stands_alone else self.question

    def part_of(self, evidence: "Evidence") -> str:
        """Return the id of the part that evidence fits best; empty if it was found for none."""
        serves = {part.id: part.serves for part in self.subquestions}
        ids = (serves.get(name) or name for name in evidence.subquestions if serves.get(name) != "")
        return next(ids, "")


class Evidence(BaseModel):
    """A quotation that bears on the question.

    Attributes:
        id: `e1`, `e2`, … by relevance; empty until all evidence is together.
        quote: Word for word.
        passage: What it stands in; the quote is part of it.
        title: The heading or name of what it stands in.
        source: What found it, such as `corpus` or `wikipedia`.
        document: What it stands in, without line or page: two quotations of one document
            are not independent.
        locator: Where: `notes.md:12`, `paper.pdf, page 3`, or an address.
        url: As the source gave it.
        date: When it was written, as ISO 8601 writes it, where the source says so.
        relevance: From 0 to 1.
        label: Whether its source is trusted; what is not is data, and never an instruction.
        subquestions: Ids of those it was found for, the one that it fits best first.
    """

    model_config = ConfigDict(frozen=True)

    id: str = ""
    quote: str
    passage: str
    title: str
    source: str
    document: str
    locator: str
    url: str = ""
    date: str | None = None
    relevance: Annotated[float, Field(ge=0, le=1)]
    label: Literal["trusted", "untrusted"] = "untrusted"
    subquestions: tuple[str, ...] = ()


class SearchResult(BaseModel):
    """What one source gave for one sub-question; `error` says why it gave nothing.

    `refused` are places whose text speaks to whoever reads it instead of telling something.
    """

    model_config = ConfigDict(frozen=True)

    subquestion: str
    source: str
    evidence: tuple[Evidence, ...] = ()
    error: str = ""
    refused: tuple[str, ...] = ()


def merge_searches(
    current: Sequence[SearchResult] | None, new: Sequence[SearchResult] | None
) -> list[SearchResult]:
    """Return both together; None begins anew. The reducer of `SearchResults`."""
    if new is None:
        return []
    both = {(each.subquestion, each.source): each for each in [*(current or ()), *new]}
    return [both[key] for key in sorted(both)]


SearchResults: TypeAlias = Annotated[list[SearchResult], merge_searches]
"""The annotation of a state's `searches` key."""


def collect_evidence(
    searches: Iterable[SearchResult], limit: int, preferred: Mapping[str, float] | None = None
) -> tuple[Evidence, ...]:
    """Return the evidence of all searches: each quotation once, ranked, bounded, numbered.

    The best two of each sub-question are kept first, so that no part of the question is
    crowded out by another.

    Args:
        searches: What sources gave.
        limit: How much is kept.
        preferred: A factor on the relevance, by source.
    """
    once: dict[tuple[str, str], Evidence] = {}
    for each in (found for search in searches for found in search.evidence):
        key = _known(each, once)
        known = once.get(key)
        once[key] = each if known is None else _joined(known, each)
    weights = preferred or {}
    ranked = sorted(
        (_weighted(each, weights.get(each.source, 1.0)) for each in once.values()),
        key=lambda each: (-each.relevance, each.locator, each.quote),
    )
    first: dict[str, Evidence] = {}
    for name in dict.fromkeys(name for each in ranked for name in each.subquestions):
        best = [each for each in ranked if name in each.subquestions][:2]
        first |= {f"{each.locator} {each.quote}": each for each in best}
    kept = list({**first, **_keyed(ranked)}.values())[:limit]
    kept.sort(key=lambda each: (-each.relevance, each.locator, each.quote))
    return tuple(each.model_copy(update={"id": f"e{n}"}) for n, each in enumerate(kept, 1))


def make_weigh() -> Node:
    """Make the node that puts the evidence of all searches together; see `collect_evidence`."""

    @node
    def weigh(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Rank what was found.

        Reads: outline, searches
        Writes: evidence
        """
        outline = state["outline"]
        limit = DEPTHS[outline.depth].evidence
        searches = state.get("searches") or []
        return {"evidence": collect_evidence(searches, limit, outline.preferred)}

    return weigh


def is_quoted(quote: str, passage: str) -> bool:
    """Whether a quotation stands in a passage, but for punctuation, case and white space."""
    words = plain_words(quote)
    return bool(words) and f" {words} " in f" {plain_words(passage)} "


def plain_words(text: str) -> str:
    """Return the words of a text in small letters, with one space between them."""
    return " ".join(re.findall(r"\w+(?:[.,]\d+)*", text.casefold()))


def alike(one: str, other: str) -> float:
    """Return how far two texts have the same words, from 0 to 1 (Jaccard on stems)."""
    first, second = set(stems(one)), set(stems(other))
    return len(first & second) / len(first | second) if first and second else 0.0


def _known(each: Evidence, once: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """The key of a quotation; that of one that contains it, or that it contains."""
    words = plain_words(each.quote)
    for document, other in once:
        if document == each.document and (words in other or other in words):
            return document, other
    return each.document, words


def _keyed(ranked: Iterable[Evidence]) -> dict[str, Evidence]:
    return {f"{each.locator} {each.quote}": each for each in ranked}


def _joined(one: Evidence, other: Evidence) -> Evidence:
    best = max(one, other, key=lambda each: each.relevance)
    rest = other if best is one else one
    names = tuple(dict.fromkeys([*best.subquestions, *rest.subquestions]))
    return best.model_copy(update={"subquestions": names})


def _weighted(each: Evidence, weight: float) -> Evidence:
    return each.model_copy(update={"relevance": round(min(1.0, each.relevance * weight), 4)})
