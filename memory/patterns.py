"""Learned patterns: in such a situation this action succeeded so often.

Methods are async; synchronous code runs them by `run_blocking` of `cogwork.core.bridge`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from langgraph.store.base import BaseStore, Item, PutOp

from cogwork.core.errors import ConfigurationError
from cogwork.memory.ranking import check_share, lower_bound
from cogwork.memory.retrieval import Namespace, get_many, put_many, read_all, search_hybrid
from cogwork.memory.sameness import digest, says_the_same
from cogwork.memory.turns import turn

__all__ = ["Pattern", "Patterns"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """What an action led to in a situation.

    Args:
        id: A digest of both.
        situation: When.
        action: What was done.
        outcome: How it ended last.
        successes: How often it succeeded; half successes count half.
        trials: How often it was tried.
        at: The last trial, in seconds since the epoch.
        confidence: Lower bound of the success rate, 95 % sure; see `lower_bound`.
        similarity: Cosine of the situation to the one asked about, where the store gave one.
    """

    id: str
    situation: str
    action: str
    outcome: str = ""
    successes: float = 0.0
    trials: int = 0
    at: float = 0.0
    confidence: float = 0.0
    similarity: float | None = None


class Patterns:
    """What was learned under one namespace of a LangGraph store.

    Args:
        store: Any LangGraph store.
        namespace: Whose experience this is.
        capacity: How many patterns are kept; beyond, the least successful go.
        near: Cosine from which two situations may be one.
        same: Whether two near situations are the same.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        store: BaseStore,
        namespace: Namespace,
        *,
        capacity: int = 2_000,
        near: float = 0.95,
        same: Callable[[str, str], bool] = says_the_same,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not namespace:
            raise ConfigurationError("the namespace is empty; name whose memory this is")
        if capacity < 1:
            raise ConfigurationError(f"capacity is {capacity}; it must be 1 or more")
        self._store = store
        self._situations = (*namespace, "patterns", "situations")
        self._tallies = (*namespace, "patterns", "tallies")
        self._capacity = capacity
        self._near = near
        self._same = same
        self._clock = clock

    async def learn(
        self, situation: str, action: str, *, success: float, outcome: str = ""
    ) -> Pattern:
        """Count one more trial of an action in a situation.

        Args:
            situation: When.
            action: What was done.
            success: 1 or True for success, 0 or False for failure, or between.
            outcome: How it ended.

        Raises:
            ConfigurationError: A text is blank or the success impossible.
        """
        if not situation.strip() or not action.strip():
            raise ConfigurationError(
                f"a pattern needs a situation and an action; got {situation!r} and {action!r}"
            )
        check_share("success", success)
        known = await self._known_situation(situation)
        key = digest(f"{known}\n{action.casefold()}")
        async with turn(self._tallies):
            (old,) = await self._read([key])
            pattern = old or Pattern(key, known, action)
            pattern = replace(
                pattern,
                outcome=outcome,
                successes=pattern.successes + success,
                trials=pattern.trials + 1,
                at=self._clock(),
            )
            tally = {n: getattr(pattern, n) for n in ("outcome", "successes", "trials", "at")}
            writes = [PutOp(self._tallies, key, tally, False)]
            if old is None:
                value = {"text": known, "action": action}
                writes.append(PutOp(self._situations, key, value, ["text"]))
            await put_many(self._store, writes)
            if old is None:
                await self._evict(key)
        return _judged(pattern)

    async def suggest(
        self, situation: str, k: int = 3, *, min_similarity: float = 0.3
    ) -> list[Pattern]:
        """Return what worked in like situations, the surest success first.

        Args:
            situation: What is the case now.
            k: How many at most.
            min_similarity: Least cosine of the situations, in stores with vectors.
        """
        hits = await search_hybrid(
            self._store,
            self._situations,
            situation,
            limit=max(k, 40),
            keep=lambda hit: hit.similarity is None or hit.similarity >= min_similarity,
        )
        near = {hit.item.key: hit for hit in hits}
        found = [pattern for pattern in await self._read(list(near)) if pattern]
        judged = [replace(_judged(p), similarity=near[p.id].similarity) for p in found]
        judged.sort(key=lambda p: (-p.confidence, -near[p.id].relevance, p.id))
        return judged[: max(k, 0)]

    async def _known_situation(self, situation: str) -> str:
        near = await self._store.asearch(self._situations, query=situation, limit=8)
        for item in near:
            is_near = item.score is not None and item.score >= self._near
            if is_near and self._same(situation, item.value["text"]):
                return str(item.value["text"])
        return situation

    async def _read(self, ids: list[str]) -> list[Pattern | None]:
        places = [(self._situations, key) for key in ids] + [(self._tallies, key) for key in ids]
        found = await get_many(self._store, places)
        pairs = zip(found[: len(ids)], found[len(ids) :], strict=True)
        return [_pattern(what, tally) if what and tally else None for what, tally in pairs]

    async def _evict(self, spared: str) -> None:
        tallies = await read_all(self._store, self._tallies)
        excess = len(tallies) - self._capacity
        if excess <= 0:
            return
        order = sorted(
            (item for item in tallies if item.key != spared),
            key=lambda i: (lower_bound(i.value["successes"], i.value["trials"]), i.value["at"]),
        )
        gone = [item.key for item in order[: excess + self._capacity // 50]]
        places = [(place, key) for key in gone for place in (self._situations, self._tallies)]
        await put_many(self._store, [PutOp(place, key, None) for place, key in places])


def _pattern(what: Item, tally: Item) -> Pattern:
    counted: dict[str, Any] = tally.value
    return Pattern(what.key, what.value["text"], what.value["action"], **counted)


def _judged(pattern: Pattern) -> Pattern:
    return replace(pattern, confidence=lower_bound(pattern.successes, pattern.trials))
