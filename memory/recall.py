"""Memory across all kinds: one question to all, and what experience leaves in each.

Methods are async; synchronous code runs them by `run_blocking` of `cogwork.core.bridge`.
"""

import math
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from langgraph.store.base import BaseStore

from cogwork.memory.diversity import best_of
from cogwork.memory.episodic import Episode, EpisodicMemory
from cogwork.memory.experience import Experience, Outcome, draw_lessons, importance_of
from cogwork.memory.facts import Memory, with_sources
from cogwork.memory.patterns import Pattern, Patterns
from cogwork.memory.ranking import Weights, blend, fuse, overlap
from cogwork.memory.recollection import (
    SOURCES,
    Recollection,
    Source,
    from_episode,
    from_memory,
    from_working,
    merged,
    place_of,
)
from cogwork.memory.retrieval import Namespace, off_loop
from cogwork.memory.semantic import SemanticMemory
from cogwork.memory.working import WorkingItem, context, working_item

__all__ = [
    "Learned",
    "Memories",
    "Recollection",
    "Source",
]

_BESIDE = 0.9  # of the score of a hit, what the episodes beside it are given


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
        sources: Collection[Source] = SOURCES,
        min_similarity: float = 0.0,
        neighbours: int = 0,
    ) -> list[Recollection]:
        """Return what all memories know about a query, best first, each thing once.

        Args:
            query: What is asked; a blank one finds nothing.
            k: How many at most.
            working: The working memory of the state.
            sources: Which memories to ask.
            min_similarity: Least cosine of what shares no word with the query.
            neighbours: How many episodes right before and after each recalled one compete
                for a place, under nine tenths of its score: in a conversation the answer
                often stands beside what the query is like.
        """
        if not query.strip() or k < 1:
            return []
        found: list[Recollection] = []
        if "working" in sources:
            held = context(working, query, limit=k, now=self._clock())
            found += [from_working(item) for item in held]
        if "episodic" in sources:
            episodes = await self.episodic.similar(query, k, min_similarity=min_similarity)
            found += [from_episode(episode) for episode in episodes]
        if "semantic" in sources:
            known = await self.semantic.search(query, k, min_similarity=min_similarity)
            found += [from_memory(memory) for memory in known]
        size = sum(len(one.text) for one in found) + 10 * len(found) ** 2  # each with each
        ranked = await off_loop(size, self._best_of, query, found, k)
        return (await self._with_neighbours(ranked, neighbours))[:k] if neighbours > 0 else ranked

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

    async def _with_neighbours(self, found: list[Recollection], count: int) -> list[Recollection]:
        hits = {one.id: one for one in found if one.source == "episodic"}
        beside = await self.episodic.beside(hits, count)
        near = {
            episode.id: replace(
                hits.get(episode.id) or from_episode(episode), score=_BESIDE * hits[key].score
            )
            for key in reversed(hits)  # the score that the best of them gives is the last
            for episode in beside.get(key, ())
        }
        return merged(sorted([*found, *near.values()], key=lambda one: -one.score))

    def _best_of(self, query: str, found: list[Recollection], k: int) -> list[Recollection]:
        return best_of(merged(self._ranked(query, found)), k, self._weights)

    def _ranked(self, query: str, found: list[Recollection]) -> list[Recollection]:
        """Scores on one scale: each memory alone would rank its own best highest."""
        similarity = {
            place: one.similarity for place, one in enumerate(found) if one.similarity is not None
        }
        words = {place: overlap(query, one.text) for place, one in enumerate(found)}
        relevance = fuse(similarity, words, trust=max(words.values(), default=0.0))
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
        return sorted(scored, key=lambda one: (-one.score, place_of(one), one.id))
