"""Consolidation: what says the same is merged, what nobody needs is forgotten, and said so.

Every pass writes a report before it changes anything. It holds what is taken away whole,
so a pass can be undone for 30 days.
"""

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from langgraph.store.base import PutOp, SearchItem, SearchOp

from cogwork.core.errors import ConfigurationError
from cogwork.memory.facts import Facts, Memory, source_of
from cogwork.memory.ranking import DAY
from cogwork.memory.retrieval import put_many, read_all

__all__ = ["Consolidation", "ConsolidationReport", "Merge"]

_UNDO_DAYS = 30
_BATCH = 100
_OVERLAP = 60.0  # seconds that are looked at again, for writes that were under way


@dataclass(frozen=True, slots=True)
class Merge:
    """Two memories that became one.

    Args:
        kept: Id of the one that stays, with `superseded` in its `supersedes`.
        superseded: Id of the one that went.
        kept_text: What stays.
        superseded_text: What went, kept in the other's `provenance` too.
        similarity: Cosine of the two.
    """

    kept: str
    superseded: str
    kept_text: str
    superseded_text: str
    similarity: float


@dataclass(frozen=True, slots=True)
class ConsolidationReport:
    """What a consolidation did.

    Args:
        id: For `undo`.
        at: When, in seconds since the epoch.
        examined: How many texts were compared with their nearest.
        merged: Pairs that became one.
        forgotten: What was unimportant and untouched.
        undo_until: Until when it can be undone, in seconds since the epoch.
    """

    id: str
    at: float
    examined: int
    merged: tuple[Merge, ...]
    forgotten: tuple[Memory, ...]
    undo_until: float

    def explain(self) -> str:
        """Return what was done and why, a line each."""
        texts = "text" if self.examined == 1 else "texts"
        lines = [f"compared {self.examined} {texts} with their nearest"]
        lines += [
            f"merged {m.superseded_text!r} into {m.kept_text!r} (similarity {m.similarity:.3f})"
            for m in self.merged
        ]
        lines += [
            f"forgot {m.text!r} (importance {m.importance:.2f}, untouched for "
            f"{(self.at - m.used_at) / DAY:.0f} days)"
            for m in self.forgotten
        ]
        return "\n".join(lines)


class Consolidation:
    """Passes over the records of one namespace; the caller holds its turn."""

    def __init__(
        self,
        facts: Facts,
        *,
        near: float,
        same: Callable[[str, str], bool],
        clock: Callable[[], float],
    ) -> None:
        self._facts = facts
        self._store = facts.store
        self._near = near
        self._same = same
        self._clock = clock

    async def run(
        self, unimportant: float, untouched_days: float, limit: int
    ) -> ConsolidationReport:
        """Make one pass; see `SemanticMemory.consolidate`."""
        now = self._clock()
        memories = {memory.id: memory for memory in await self._facts.read_all()}
        fresh, until = await self._fresh(list(memories.values()), limit, now)
        before, removed = dict(memories), dict[str, Memory]()
        merged = await self._merge(fresh, memories, removed)
        changed = {merge.kept for merge in merged} - removed.keys()
        stale = now - untouched_days * DAY
        forgotten = tuple(
            memory
            for key, memory in memories.items()
            if key not in removed | dict.fromkeys(changed)
            and memory.importance < unimportant
            and memory.used_at < stale
        )
        report = ConsolidationReport(
            uuid.uuid4().hex, now, len(fresh), tuple(merged), forgotten, now + _UNDO_DAYS * DAY
        )
        gone = {*removed, *(memory.id for memory in forgotten)}
        writes = [write for key in gone for write in self._facts.remove(key)]
        for key in changed:
            writes += self._facts.write(memories[key])
        count = len(memories) - len(gone)
        if gone:
            pairs = [(before[key], memories[key]) for key in changed]
            await self._save(report, [before[key] for key in removed], pairs)
        notes = {"consolidated": until, "count": count}
        await put_many(
            self._store, [*writes, *(self._facts.write_note(*note) for note in notes.items())]
        )
        await self._drop_old_reports(now)
        return report

    async def undo(self, report_id: str) -> int:
        """Restore what a pass took away; see `SemanticMemory.undo`."""
        kept = await self._store.aget(self._facts.reports, report_id)
        now = self._clock()
        if kept is None or kept.value["undo_until"] < now:
            raise ConfigurationError(
                f"no consolidation '{report_id}' can be undone; they can for {_UNDO_DAYS} days"
            )
        value = kept.value
        lost = [Memory.from_dict(memory) for memory in [*value["removed"], *value["forgotten"]]]
        present = await self._facts.read([memory.id for memory in lost])
        back = [m for m, found in zip(lost, present, strict=True) if found is None]
        writes: list[PutOp] = []
        for memory in await self._separated(value["changed"]):
            writes += self._facts.write(memory)
        for memory in back:
            # Being brought back is a use, else the next pass would forget it again.
            writes += self._facts.write(replace(memory, used_at=now))
        count = await self._facts.note("count") + len(back)
        writes += [
            self._facts.write_note("count", count),
            PutOp(self._facts.reports, report_id, None),
        ]
        await put_many(self._store, writes)
        return len(back)

    async def _fresh(
        self, memories: list[Memory], limit: int, now: float
    ) -> tuple[list[Memory], float]:
        """What was added since the last pass, oldest first, and up to when this one comes."""
        since = await self._facts.note("consolidated")
        new = [memory for memory in memories if memory.created_at > since]
        if len(new) <= limit:
            return new, max(since, now - _OVERLAP)
        last = new[max(limit, 1) - 1].created_at
        return [memory for memory in new if memory.created_at <= last], last

    async def _merge(
        self, fresh: list[Memory], memories: dict[str, Memory], removed: dict[str, Memory]
    ) -> list[Merge]:
        merged = []
        for start in range(0, len(fresh), _BATCH):
            part = fresh[start : start + _BATCH]
            searches = [SearchOp(self._facts.facts, limit=8, query=m.text) for m in part]
            found: list[Any] = await self._store.abatch(searches)
            for memory, near in zip(part, found, strict=True):
                twin = self._twin(memory, near, memories, removed)
                if memory.id in removed or twin is None:
                    continue
                other, similarity = memories[twin.key], float(twin.score or 0.0)
                kept, gone = _rank(memories[memory.id], other)
                removed[gone.id] = gone
                memories[kept.id] = _union(kept, gone)
                merged.append(Merge(kept.id, gone.id, kept.text, gone.text, similarity))
        return merged

    def _twin(
        self,
        memory: Memory,
        near: list[SearchItem],
        memories: dict[str, Memory],
        removed: dict[str, Memory],
    ) -> SearchItem | None:
        for item in near:
            if item.key == memory.id or item.key in removed or item.key not in memories:
                continue
            is_near = item.score is not None and item.score >= self._near
            if is_near and self._same(memory.text, memories[item.key].text):
                return item
        return None

    async def _separated(self, changed: list[dict[str, Any]]) -> list[Memory]:
        """What others were merged into, without what came from them."""
        before = [Memory.from_dict(pair["before"]) for pair in changed]
        after = [Memory.from_dict(pair["after"]) for pair in changed]
        present = await self._facts.read([memory.id for memory in before])
        return [
            _part(now, old, new)
            for now, old, new in zip(present, before, after, strict=True)
            if now and set(new.supersedes) <= set(now.supersedes)
        ]

    async def _save(
        self,
        report: ConsolidationReport,
        removed: list[Memory],
        changed: list[tuple[Memory, Memory]],
    ) -> None:
        value = {
            "at": report.at,
            "undo_until": report.undo_until,
            "merged": [asdict(merge) for merge in report.merged],
            "changed": [{"before": b.as_dict(), "after": a.as_dict()} for b, a in changed],
            "removed": [memory.as_dict() for memory in removed],
            "forgotten": [memory.as_dict() for memory in report.forgotten],
        }
        await put_many(self._store, [PutOp(self._facts.reports, report.id, value, False)])

    async def _drop_old_reports(self, now: float) -> None:
        old = [
            item.key
            for item in await read_all(self._store, self._facts.reports)
            if item.value["undo_until"] < now
        ]
        await put_many(self._store, [PutOp(self._facts.reports, key, None) for key in old])


def _rank(one: Memory, other: Memory) -> tuple[Memory, Memory]:
    """Which of two stays: the more important, the more used, the older."""
    kept, gone = sorted(
        (one, other), key=lambda m: (-m.importance, -m.accesses - m.repeats, m.created_at, m.id)
    )
    return kept, gone


def _union(kept: Memory, gone: Memory) -> Memory:
    return replace(
        kept,
        metadata={**gone.metadata, **kept.metadata},
        accesses=kept.accesses + gone.accesses,
        repeats=kept.repeats + gone.repeats + 1,
        used_at=max(kept.used_at, gone.used_at),
        supersedes=(*kept.supersedes, gone.id, *gone.supersedes),
        provenance=(*kept.provenance, *gone.provenance, source_of(gone))[-20:],
    )


def _part(now: Memory, before: Memory, after: Memory) -> Memory:
    """Take back what a merge added, and leave what happened since."""
    came = set(after.supersedes) - set(before.supersedes)
    return replace(
        now,
        metadata=before.metadata if now.metadata == after.metadata else now.metadata,
        accesses=now.accesses - after.accesses + before.accesses,
        repeats=now.repeats - after.repeats + before.repeats,
        supersedes=tuple(key for key in now.supersedes if key not in came),
        provenance=tuple(
            source
            for source in now.provenance
            if source in before.provenance or source not in after.provenance
        ),
    )
