"""Semantic memory: what is known, found by meaning and by words, merged, forgotten.

Methods are async; synchronous code runs them by `run_blocking` of `cogwork.core.bridge`,
as in `run_blocking(memory.search, "query")`.
"""

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from langgraph.store.base import BaseStore

from cogwork.core.errors import ConfigurationError
from cogwork.memory.consolidation import Consolidation, ConsolidationReport
from cogwork.memory.diversity import best_of
from cogwork.memory.facts import Facts, Memory, check_memory, source_of
from cogwork.memory.ranking import Weights, blend, usefulness
from cogwork.memory.retrieval import Hit, Namespace, get_many, off_loop, put_many, search_hybrid
from cogwork.memory.sameness import digest, says_the_same
from cogwork.memory.turns import turn

__all__ = ["SemanticMemory"]

_SOURCES = 20


class SemanticMemory:
    """Knowledge under one namespace of a LangGraph store.

    The same text is one memory, however often it is remembered; so are near texts (by
    default: cosine of at least 0.95 and the same names, numbers and words).

    Args:
        store: Any LangGraph store; with vectors it finds by meaning, with `search_text` by
            words too.
        namespace: Whose knowledge this is, such as `user_namespace("ada")`.
        capacity: How many memories are kept; beyond, the least useful go first.
        near: Cosine from which two texts may be merged.
        same: Whether two near texts say the same.
        weights: How searches rank.
        clock: Seconds since the epoch.

    Raises:
        ConfigurationError: The namespace is empty or a limit impossible.
    """

    def __init__(
        self,
        store: BaseStore,
        namespace: Namespace,
        *,
        capacity: int = 10_000,
        near: float = 0.95,
        same: Callable[[str, str], bool] = says_the_same,
        weights: Weights | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not namespace:
            raise ConfigurationError("the namespace is empty; name whose memory this is")
        if capacity < 1:
            raise ConfigurationError(f"capacity is {capacity}; it must be 1 or more")
        self._facts = Facts(store, tuple(namespace))
        self._store = store
        self._capacity = capacity
        self._near = near
        self._same = same
        self._weights = weights or Weights()
        self._clock = clock
        self._consolidation = Consolidation(self._facts, near=near, same=same, clock=clock)

    async def remember(
        self, text: str, *, metadata: Mapping[str, Any] | None = None, importance: float = 0.5
    ) -> Memory:
        """Keep a text; one that is known already is merged and counted in `repeats`.

        Args:
            text: What to know.
            metadata: JSON; of a merged memory the newer values win.
            importance: Between 0 and 1; of a merged memory the higher one stays.

        Raises:
            ConfigurationError: The text is blank or the importance impossible.
        """
        check_memory(text, importance)
        now, key = self._clock(), digest(text)
        new = Memory(key, text, dict(metadata or {}), importance, created_at=now, used_at=now)
        (known,) = await self._facts.read([key])
        twin = known.id if known else await self._find_twin(text) or key
        async with turn(self._facts.facts):
            (old,) = await self._facts.read([twin])
            return await (self._merge(old, new) if old else self._add(new))

    async def correct(
        self,
        text: str,
        *,
        instead_of: Collection[str],
        metadata: Mapping[str, Any] | None = None,
        importance: float = 0.5,
    ) -> Memory:
        """Keep a text in place of memories that are wrong; its provenance tells of them.

        Args:
            text: What holds now.
            instead_of: Ids of what does not; unknown ones are skipped.
            metadata: As in `remember`.
            importance: As in `remember`.

        Raises:
            ConfigurationError: The text is blank or the importance impossible.
        """
        kept = await self.remember(text, metadata=metadata, importance=importance)
        async with turn(self._facts.facts):
            (now, *found) = await self._facts.read([kept.id, *dict.fromkeys(instead_of)])
            wrong = [each for each in found if each is not None and each.id != kept.id]
            if now is None or not wrong:
                return kept
            corrected = replace(
                now,
                supersedes=(*now.supersedes, *(each.id for each in wrong)),
                provenance=(*now.provenance, *map(source_of, wrong))[-_SOURCES:],
            )
            count = max(await self._facts.note("count") - len(wrong), 0)
            gone = [write for each in wrong for write in self._facts.remove(each.id)]
            writes = [*self._facts.write(corrected), *gone, self._facts.write_note("count", count)]
            await put_many(self._store, writes)
            return corrected

    async def search(
        self,
        query: str,
        k: int = 5,
        *,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 - the name is LangGraph's
        min_similarity: float = 0.0,
        touch: bool = True,
    ) -> list[Memory]:
        """Return the best memories for a query, best first, and count the access.

        Args:
            query: What is asked; a blank one finds nothing.
            k: How many at most.
            filter: LangGraph's filter on the metadata.
            min_similarity: Least cosine of what shares no word with the query, where the
                store searches words; else of everything.
            touch: Whether this counts as an access.
        """
        wanted = {"metadata": dict(filter)} if filter else None
        hits = await search_hybrid(
            self._store,
            self._facts.facts,
            query,
            filter=wanted,
            limit=max(4 * k, 40),
            keep=lambda hit: hit.shares_words or (hit.similarity or 0.0) >= min_similarity,
        )
        found = await self._facts.read([hit.item.key for hit in hits])
        size = sum(len(memory.text) for memory in found if memory)
        best = await off_loop(size, self._best_of, hits, found, k)
        return await self._touch(best) if touch else best

    async def get(self, key: str) -> Memory | None:
        """Return a memory by its id, without counting an access."""
        (found,) = await self._facts.read([key])
        return found

    async def everything(self) -> list[Memory]:
        """Return every memory, oldest first, without counting an access."""
        return await self._facts.read_all()

    async def update_importance(self, key: str, delta: float) -> Memory:
        """Add to a memory's importance, which stays between 0 and 1.

        Raises:
            ConfigurationError: There is no such memory, or the delta is no number.
        """
        if math.isnan(delta):
            raise ConfigurationError("the delta of importance is NaN; pass a number")
        async with turn(self._facts.facts):
            (found,) = await self._facts.read([key])
            if found is None:
                raise ConfigurationError(f"no memory has the id '{key}'; search for it first")
            importance = min(max(found.importance + delta, 0.0), 1.0)
            rated = replace(found, importance=importance, used_at=self._clock())
            await put_many(self._store, [self._facts.write_usage(rated)])
            return rated

    async def forget(self, key: str) -> bool:
        """Delete a memory; False when there was none."""
        async with turn(self._facts.facts):
            (found,) = await self._facts.read([key])
            if found is None:
                return False
            count = await self._facts.note("count") - 1
            writes = [*self._facts.remove(key), self._facts.write_note("count", max(count, 0))]
            await put_many(self._store, writes)
            return True

    async def consolidate(
        self, *, unimportant: float = 0.2, untouched_days: float = 30.0, limit: int = 1_000
    ) -> ConsolidationReport:
        """Merge near-duplicates and forget what is unimportant and untouched.

        Only what was added since the last call is compared, `limit` texts a call.

        Args:
            unimportant: Importance below which a memory may be forgotten.
            untouched_days: Days without use after which it is.
            limit: How many new texts to look at.
        """
        async with turn(self._facts.facts):
            return await self._consolidation.run(unimportant, untouched_days, limit)

    async def undo(self, report_id: str) -> int:
        """Bring back what a consolidation merged and forgot; return how many memories.

        Raises:
            ConfigurationError: There is no such report, or it is older than 30 days.
        """
        async with turn(self._facts.facts):
            return await self._consolidation.undo(report_id)

    async def _find_twin(self, text: str) -> str | None:
        near = await self._store.asearch(self._facts.facts, query=text, limit=8)
        for item in near:
            is_near = item.score is not None and item.score >= self._near
            if is_near and self._same(text, item.value["text"]):
                return item.key
        return None

    async def _merge(self, old: Memory, new: Memory) -> Memory:
        merged = replace(
            old,
            metadata={**old.metadata, **new.metadata},
            importance=max(old.importance, new.importance),
            repeats=old.repeats + 1,
            used_at=new.used_at,
        )
        if old.id == new.id and merged.metadata == old.metadata:
            await put_many(self._store, [self._facts.write_usage(merged)])
            return merged
        source = {"text": new.text, "metadata": new.metadata, "at": new.created_at}
        merged = replace(merged, provenance=(*old.provenance, source)[-_SOURCES:])
        await put_many(self._store, self._facts.write(merged))
        return merged

    async def _add(self, new: Memory) -> Memory:
        count = await self._facts.note("count") + 1
        writes = [*self._facts.write(new), self._facts.write_note("count", count)]
        await put_many(self._store, writes)
        if count > self._capacity:
            await self._evict(new.id)
        return new

    async def _evict(self, spared: str) -> None:
        """Delete the least useful, some in advance, so that full memories are not read often."""
        now = self._clock()
        kept = await self._facts.read_all()
        excess = len(kept) - self._capacity
        if excess > 0:
            excess += self._capacity // 50
        order = sorted(
            (memory for memory in kept if memory.id != spared),
            key=lambda m: usefulness(
                m.importance,
                now - m.used_at,
                m.accesses,
                half_life_days=self._weights.half_life_days,
            ),
        )
        gone = order[: max(excess, 0)]
        writes = [write for memory in gone for write in self._facts.remove(memory.id)]
        await put_many(
            self._store, [*writes, self._facts.write_note("count", len(kept) - len(gone))]
        )

    def _best_of(self, hits: list[Hit], found: list[Memory | None], k: int) -> list[Memory]:
        now = self._clock()
        ranked = [
            replace(
                memory,
                score=blend(hit.relevance, memory.importance, now - memory.used_at, self._weights),
                similarity=hit.similarity,
            )
            for hit, memory in zip(hits, found, strict=True)
            if memory is not None
        ]
        ranked.sort(key=lambda memory: (-memory.score, memory.id))
        return best_of(ranked, k, self._weights)

    async def _touch(self, memories: list[Memory]) -> list[Memory]:
        now = self._clock()
        async with turn(self._facts.facts):
            usage = await get_many(self._store, [(self._facts.usage, m.id) for m in memories])
            counted = [
                replace(m, **{**item.value, "accesses": item.value["accesses"] + 1, "used_at": now})
                if item
                else m
                for m, item in zip(memories, usage, strict=True)
            ]
            writes = [
                self._facts.write_usage(memory)
                for memory, item in zip(counted, usage, strict=True)
                if item
            ]
            await put_many(self._store, writes)
        return counted
