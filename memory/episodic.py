"""Episodic memory: what happened, when, how it ended, and what it is like.

Methods are async; synchronous code runs them by `run_blocking` of `cogwork.core.bridge`.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from langgraph.store.base import BaseStore, Item, PutOp

from cogwork.core.errors import ConfigurationError
from cogwork.memory.diversity import best_of
from cogwork.memory.facts import check_memory
from cogwork.memory.ranking import Weights, blend, overlap
from cogwork.memory.retrieval import (
    Hit,
    Namespace,
    get_many,
    off_loop,
    put_many,
    read_all,
    search_hybrid,
)
from cogwork.memory.sameness import digest
from cogwork.memory.turns import turn

__all__ = ["Episode", "EpisodicMemory"]

_LEAST_LIKENESS = 0.3
_HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class Episode:
    """Something that happened.

    Args:
        id: Sorts by time.
        text: What happened.
        type: What kind of episode, such as `conversation`, `task` or `error`.
        outcome: How it ended, such as `success` or `failure`; may be empty.
        tags: Free labels, emotions for instance.
        importance: Between 0 and 1.
        at: When, in seconds since the epoch.
        related: Ids of the nearest earlier episodes, nearest first.
        details: JSON of the writer.
        score: Its place in a ranking, between 0 and 1; 0 outside of searches.
        similarity: Cosine to the query, where the store gave one.
    """

    id: str
    text: str
    type: str = "event"
    outcome: str = ""
    tags: tuple[str, ...] = ()
    importance: float = 0.5
    at: float = 0.0
    related: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    score: float = 0.0
    similarity: float | None = None


_STORED = ("text", "type", "outcome", "tags", "importance", "at", "related", "details")


class EpisodicMemory:
    """Episodes under one namespace of a LangGraph store.

    Args:
        store: Any LangGraph store.
        namespace: Whose episodes these are, such as `user_namespace("ada")`.
        capacity: How many episodes are kept; beyond, the unimportant of the older half go.
        links: How many earlier episodes a new one is linked to.
        weights: How `similar` ranks.
        clock: Seconds since the epoch.

    Raises:
        ConfigurationError: The namespace is empty or the capacity impossible.
    """

    def __init__(
        self,
        store: BaseStore,
        namespace: Namespace,
        *,
        capacity: int = 5_000,
        links: int = 3,
        weights: Weights | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not namespace:
            raise ConfigurationError("the namespace is empty; name whose memory this is")
        if capacity < 1:
            raise ConfigurationError(f"capacity is {capacity}; it must be 1 or more")
        self._store = store
        self._episodes = (*namespace, "episodic", "episodes")
        self._notes = (*namespace, "episodic", "notes")
        self._capacity = capacity
        self._links = links
        self._weights = weights or Weights()
        self._clock = clock

    async def record(
        self,
        text: str,
        *,
        type: str = "event",  # noqa: A002 - the field's name
        outcome: str = "",
        tags: Collection[str] = (),
        importance: float = 0.5,
        details: Mapping[str, Any] | None = None,
    ) -> Episode:
        """Keep an episode, linked to the earlier ones that are nearest.

        Args:
            text: What happened.
            type: What kind of episode.
            outcome: How it ended.
            tags: Free labels.
            importance: Between 0 and 1.
            details: JSON.

        Raises:
            ConfigurationError: The text is blank or the importance impossible.
        """
        check_memory(text, importance)
        at = self._clock()
        episode = Episode(
            id=f"{max(int(at * 1_000), 0):014d}-{digest(text)[:12]}",
            text=text,
            type=type,
            outcome=outcome,
            tags=tuple(dict.fromkeys(tags)),
            importance=importance,
            at=at,
            related=await self._nearest(text),
            details=dict(details or {}),
        )
        async with turn(self._episodes):
            kept = await self._store.aget(self._notes, "count")
            count = int(kept.value["value"]) + 1 if kept else 1
            value = {name: getattr(episode, name) for name in _STORED}
            value.update(tags=[*episode.tags], related=[*episode.related])
            writes = [PutOp(self._episodes, episode.id, value, ["text"]), self._count(count)]
            await put_many(self._store, writes)
            if count > self._capacity:
                await self._evict()
        return episode

    async def recent(
        self,
        hours: float = 24.0,
        *,
        type: str | None = None,  # noqa: A002 - the field's name
        limit: int = 20,
    ) -> list[Episode]:
        """Return the episodes of the last hours, newest first."""
        wanted: dict[str, Any] = {"at": {"$gte": self._clock() - hours * _HOUR}}
        if type is not None:
            wanted["type"] = type
        return (await self._read(wanted))[: max(limit, 0)]

    async def similar(
        self,
        query: str,
        k: int = 5,
        *,
        type: str | None = None,  # noqa: A002 - the field's name
        outcome: str | None = None,
        min_similarity: float = -1.0,
    ) -> list[Episode]:
        """Return the episodes that are like the query, best first; see `Weights`.

        Args:
            query: What they should be like; a blank one finds nothing.
            k: How many at most.
            type: Their kind.
            outcome: How they ended.
            min_similarity: Least cosine of what shares no word with the query.
        """

        def is_near(hit: Hit) -> bool:
            if hit.shares_words or (hit.similarity or 0.0) >= min_similarity:
                return True
            return overlap(query, str(hit.item.value.get("text", ""))) > 0

        fields = {"type": type, "outcome": outcome}
        wanted = {name: value for name, value in fields.items() if value is not None}
        hits = await search_hybrid(
            self._store,
            self._episodes,
            query,
            filter=wanted,
            limit=max(4 * k, 40),
            keep=is_near,
        )
        size = sum(len(hit.item.value["text"]) for hit in hits)
        return await off_loop(size, self._best_of, hits, k)

    def _best_of(self, hits: list[Hit], k: int) -> list[Episode]:
        now = self._clock()
        found = [(hit, _episode(hit.item)) for hit in hits]
        ranked = [
            replace(
                episode,
                score=blend(hit.relevance, episode.importance, now - episode.at, self._weights),
                similarity=hit.similarity,
            )
            for hit, episode in found
        ]
        ranked.sort(key=lambda e: (-e.score, e.id))
        return best_of(ranked, k, self._weights)

    async def by_tag(self, *tags: str, limit: int = 20) -> list[Episode]:
        """Return the episodes that have all these tags, newest first."""
        found = [e for e in await self._read(None) if set(tags) <= set(e.tags)]
        return found[: max(limit, 0)]

    async def by_outcome(self, outcome: str, *, limit: int = 20) -> list[Episode]:
        """Return the episodes that ended so, newest first."""
        return (await self._read({"outcome": outcome}))[: max(limit, 0)]

    async def related(self, episode: Episode) -> list[Episode]:
        """Return the earlier episodes that one is linked to and that are still kept."""
        found = await get_many(self._store, [(self._episodes, key) for key in episode.related])
        return [_episode(item) for item in found if item]

    async def beside(
        self, keys: Collection[str], count: int = 1, *, hours: float = 1.0
    ) -> dict[str, list[Episode]]:
        """Return by id the episodes right before and after each of these, oldest first.

        Args:
            keys: Ids of episodes; unknown ones are skipped.
            count: How many before it, and how many after it, at most.
            hours: How far away in time they may be.
        """
        found = await get_many(self._store, [(self._episodes, key) for key in keys])
        times = {item.key: float(item.value["at"]) for item in found if item}
        if not times or count < 1:
            return {}
        span = hours * _HOUR
        window = {"$gte": min(times.values()) - span, "$lte": max(times.values()) + span}
        inside = sorted(await self._read({"at": window}), key=lambda episode: episode.id)
        places = {episode.id: place for place, episode in enumerate(inside)}
        return {
            key: [
                episode
                for episode in inside[max(places[key] - count, 0) : places[key] + count + 1]
                if episode.id != key and abs(episode.at - times[key]) <= span
            ]
            for key in times
            if key in places
        }

    async def get(self, key: str) -> Episode | None:
        """Return an episode by its id."""
        item = await self._store.aget(self._episodes, key)
        return _episode(item) if item else None

    async def forget(self, key: str) -> bool:
        """Delete an episode; False when there was none."""
        async with turn(self._episodes):
            if await self.get(key) is None:
                return False
            kept = await self._store.aget(self._notes, "count")
            count = int(kept.value["value"]) - 1 if kept else 0
            await put_many(
                self._store, [PutOp(self._episodes, key, None), self._count(max(count, 0))]
            )
            return True

    async def _nearest(self, text: str) -> tuple[str, ...]:
        if self._links < 1:
            return ()
        near = await self._store.asearch(self._episodes, query=text, limit=self._links)
        if any(item.score is not None for item in near):
            return tuple(i.key for i in near if i.score is not None and i.score >= _LEAST_LIKENESS)
        hits = await search_hybrid(self._store, self._episodes, text, limit=self._links)
        return tuple(hit.item.key for hit in hits)

    async def _read(self, wanted: dict[str, Any] | None) -> list[Episode]:
        found = [
            _episode(item) for item in await read_all(self._store, self._episodes, filter=wanted)
        ]
        return sorted(found, key=lambda episode: episode.id, reverse=True)

    async def _evict(self) -> None:
        """Delete the least important of the older half, the oldest first."""
        newest_first = await self._read(None)
        excess = len(newest_first) - self._capacity
        if excess > 0:
            excess += self._capacity // 50
        older = newest_first[len(newest_first) // 2 :] if len(newest_first) > 1 else []
        order = sorted(older, key=lambda episode: (episode.importance, episode.id))
        gone = order[: max(excess, 0)]
        writes = [PutOp(self._episodes, episode.id, None) for episode in gone]
        await put_many(self._store, [*writes, self._count(len(newest_first) - len(gone))])

    def _count(self, count: int) -> PutOp:
        return PutOp(self._notes, "count", {"value": count}, False)


def _episode(item: Item) -> Episode:
    value = {name: item.value[name] for name in _STORED if name in item.value}
    value["tags"] = tuple(value.get("tags", ()))
    value["related"] = tuple(value.get("related", ()))
    return Episode(id=item.key, **value)
