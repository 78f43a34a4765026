"""Memory across all kinds: one question to all, and what experience leaves in each.

Methods are async; synchronous code runs them by `run_blocking` of `cogwork.core.bridge`.
"""

import math
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from langgraph.store.base import BaseStore

from cogwork.memory.episodic import Episode, EpisodicMemory
from cogwork.memory.experience import Experience, Outcome, draw_lessons, importance_of
from cogwork.memory.facts import Memory, sources_in, with_sources
from cogwork.memory.patterns import Pattern, Patterns
from cogwork.memory.ranking import Weights, blend, fuse, overlap
from cogwork.memory.retrieval import Namespace
from cogwork.memory.sameness import says_the_same
from cogwork.memory.semantic import SemanticMemory
from cogwork.memory.working import WorkingItem, context, working_item

__all__ = [
    "Learned",
    "Memories",
    "Recollection",
    "Source",
]

Source: TypeAlias = Literal["working", "episodic", "semantic"]
_ALL: tuple[Source, ...] = ("working", "episodic", "semantic")
_RANK = {source: place for place, source in enumerate(_ALL)}


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


@dataclass(frozen=True, slots=True)
class Learned:
    """What an experience left behind."""

    episode: Episode
    knowledge: tuple[Memory, ...]
    pattern: Pattern


class Memories:
    """The memories of one namespace together.

    Args:
        store: Any LangGraph store.
        namespace: Whose memories these are, such as `user_namespace("ada")`.
        semantic: Knowledge; made with its usual limits unless given.
        episodic: Episodes, likewise.
        patterns: What was learned, likewise.
        draw: Draws knowledge from an experience.
        weights: How `recall` ranks.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        store: BaseStore,
        namespace: Namespace,
        *,
        semantic: SemanticMemory | None = None,
        episodic: EpisodicMemory | None = None,
        patterns: Patterns | None = None,
        draw: Callable[[Experience, Outcome], Sequence[str]] = draw_lessons,
        weights: Weights | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.semantic = semantic or SemanticMemory(store, namespace, clock=clock)
        self.episodic = episodic or EpisodicMemory(store, namespace, clock=clock)
        self.patterns = patterns or Patterns(store, namespace, clock=clock)
        self._draw = draw
        self._weights = weights or Weights()
        self._clock = clock

    async def recall(
        self,
        query: str,
        k: int = 5,
        *,
        working: Sequence[WorkingItem] = (),
        sources: Collection[Source] = _ALL,
        min_similarity: float = 0.0,
    ) -> list[Recollection]:
        """Return what all memories know about a query, best first, each thing once.

        Args:
            query: What is asked; a blank one finds nothing.
            k: How many at most.
            working: The working memory of the state.
            sources: Which memories to ask.
            min_similarity: Least cosine of what shares no word with the query.
        """
        if not query.strip() or k < 1:
            return []
        found: list[Recollection] = []
        if "working" in sources:
            held = context(working, query, limit=k, now=self._clock())
            found += [_from_working(item) for item in held]
        if "episodic" in sources:
            episodes = await self.episodic.similar(query, k)
            found += [_from_episode(e) for e in episodes if _is_near(query, e, min_similarity)]
        if "semantic" in sources:
            known = await self.semantic.search(query, k, min_similarity=min_similarity)
            found += [_from_memory(memory) for memory in known]
        return _merged(self._ranked(query, found))[:k]

    def promote(
        self, recalled: Sequence[Recollection], *, ttl: float | None = None
    ) -> list[WorkingItem]:
        """Return recollections as items to write into working memory.

        Their ids are those of the memories, so what is promoted twice is held once, and
        `memory_id` says that they were recalled, so that they are never memorized again.

        Args:
            recalled: What `recall` returned; what came from working memory is there already.
            ttl: Seconds that they stay; None for ever.
        """
        return [
            working_item(
                one.text,
                id=f"{one.source}:{one.id}",
                importance=one.importance,
                ttl=ttl,
                source=one.source,
                memory_id=one.id,
                now=self._clock(),
            )
            for one in recalled
            if one.source != "working"
        ]

    async def learn_from_experience(
        self, experience: Experience, outcome: Outcome, *, taint: Iterable[str] = ()
    ) -> Learned:
        """Write an episode, the knowledge drawn from it, and the pattern.

        Args:
            experience: What was met and done.
            outcome: How it ended.
            taint: The untrusted sources that the run has read; they taint who recalls it.

        Raises:
            ConfigurationError: A text is blank or a number impossible.
        """
        importance = importance_of(outcome.success, outcome.reward, experience.complexity)
        taint = tuple(taint)
        pattern = await self.patterns.learn(
            experience.situation,
            experience.action,
            success=outcome.success,
            outcome=outcome.description,
        )
        episode = await self.episodic.record(
            " — ".join(
                part
                for part in (experience.situation, experience.action, outcome.description)
                if part.strip()
            ),
            type="experience",
            outcome="success" if outcome.success >= 0.5 else "failure",
            tags=experience.tags,
            importance=importance,
            details=with_sources({"reward": outcome.reward, "pattern": pattern.id}, taint),
        )
        knowledge = [
            await self.semantic.remember(
                lesson,
                metadata=with_sources({"source": "experience", "episode": episode.id}, taint),
                importance=importance,
            )
            for lesson in self._draw(experience, outcome)
            if lesson.strip()
        ]
        return Learned(episode, tuple(knowledge), pattern)

    async def settle(
        self,
        working: Sequence[WorkingItem],
        *,
        min_importance: float = 0.6,
        taint: Iterable[str] = (),
    ) -> list[Memory]:
        """Bring what is important in working memory into semantic memory.

        What was recalled is known already and stays out.

        Args:
            working: The working memory of the state.
            min_importance: Importance from which an item is kept.
            taint: The untrusted sources that the run has read; they taint who recalls it.
        """
        taint = tuple(taint)
        return [
            await self.semantic.remember(
                item.text,
                metadata=with_sources({"source": item.source or "working"}, taint),
                importance=item.importance,
            )
            for item in working
            if item.memory_id is None and item.importance >= min_importance and item.text.strip()
        ]

    def _ranked(self, query: str, found: list[Recollection]) -> list[Recollection]:
        """Scores on one scale: each memory alone would rank its own best highest."""
        similarity = {
            place: one.similarity for place, one in enumerate(found) if one.similarity is not None
        }
        words = {place: overlap(query, one.text) for place, one in enumerate(found)}
        relevance = fuse(similarity, words)
        now = self._clock()
        scored = [
            replace(
                one,
                score=blend(
                    1 / (1 + math.exp(-relevance[place])),
                    one.importance,
                    now - one.at,
                    self._weights,
                ),
            )
            for place, one in enumerate(found)
        ]
        return sorted(scored, key=lambda one: (-one.score, _RANK[one.source], one.id))


def _merged(ranked: list[Recollection]) -> list[Recollection]:
    """Each thing once, under its best score."""
    kept: list[Recollection] = []
    for one in ranked:
        place = next((i for i, k in enumerate(kept) if says_the_same(k.text, one.text)), None)
        if place is None:
            kept.append(one)
            continue
        first, second = sorted((kept[place], one), key=lambda r: _RANK[r.source])
        others = {*first.also_in, *second.also_in, second.source} - {first.source}
        also = tuple(sorted(others, key=_RANK.__getitem__))
        taint = tuple(sorted({*first.taint, *second.taint}))
        kept[place] = replace(first, score=kept[place].score, also_in=also, taint=taint)
    return kept


def _is_near(query: str, episode: Episode, min_similarity: float) -> bool:
    return (episode.similarity or 0.0) >= min_similarity or overlap(query, episode.text) > 0


def _from_working(item: WorkingItem) -> Recollection:
    return Recollection(item.text, "working", item.id, 0.0, item.importance, item.added_at)


def _from_episode(episode: Episode) -> Recollection:
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


def _from_memory(memory: Memory) -> Recollection:
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
