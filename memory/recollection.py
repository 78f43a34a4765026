"""What is recalled, whichever memory it comes from."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from cogwork.memory.episodic import Episode
from cogwork.memory.facts import Memory, sources_in
from cogwork.memory.sameness import says_the_same
from cogwork.memory.working import WorkingItem

__all__ = [
    "SOURCES",
    "Recollection",
    "Source",
    "from_episode",
    "from_memory",
    "from_working",
    "merged",
    "place_of",
]

Source: TypeAlias = Literal["working", "episodic", "semantic"]
SOURCES: tuple[Source, ...] = ("working", "episodic", "semantic")


@dataclass(frozen=True, slots=True)
class Recollection:
    """Something that was recalled.

    Args:
        text: What it says.
        source: The memory it comes from; of several, the first of working, episodic, semantic.
        id: Its id there.
        score: Between 0 and 1, comparable across the memories of one recall.
        importance: Between 0 and 1.
        at: When it was added or happened, in seconds since the epoch.
        similarity: Cosine to the query, where the store gave one.
        also_in: Other memories that say the same.
        taint: The untrusted sources that it was drawn from, in whichever memory.
    """

    text: str
    source: Source
    id: str
    score: float
    importance: float
    at: float
    similarity: float | None = None
    also_in: tuple[Source, ...] = ()
    taint: tuple[str, ...] = ()


def place_of(one: Recollection) -> int:
    """Return where its memory stands among `SOURCES`, which decides between equals."""
    return SOURCES.index(one.source)


def merged(ranked: list[Recollection]) -> list[Recollection]:
    """Each thing once, under its best score."""
    kept: list[Recollection] = []
    for one in ranked:
        place = next((i for i, k in enumerate(kept) if says_the_same(k.text, one.text)), None)
        if place is None:
            kept.append(one)
            continue
        first, second = sorted((kept[place], one), key=place_of)
        others = {*first.also_in, *second.also_in, second.source} - {first.source}
        also = tuple(sorted(others, key=SOURCES.index))
        taint = tuple(sorted({*first.taint, *second.taint}))
        kept[place] = replace(first, score=kept[place].score, also_in=also, taint=taint)
    return kept


def from_working(item: WorkingItem) -> Recollection:
    """Return an item of working memory as recalled, not ranked yet."""
    return Recollection(item.text, "working", item.id, 0.0, item.importance, item.added_at)


def from_episode(episode: Episode) -> Recollection:
    """Return an episode as recalled, not ranked yet."""
    return Recollection(
        episode.text,
        "episodic",
        episode.id,
        0.0,
        episode.importance,
        episode.at,
        episode.similarity,
        taint=tuple(sorted(sources_in(episode.details))),
    )


def from_memory(memory: Memory) -> Recollection:
    """Return a piece of knowledge as recalled, not ranked yet."""
    return Recollection(
        memory.text,
        "semantic",
        memory.id,
        0.0,
        memory.importance,
        memory.created_at,
        memory.similarity,
        taint=memory.taint,
    )
