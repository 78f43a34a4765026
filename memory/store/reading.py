"""Answers LangGraph's reading operations from records and vectors."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from langgraph.store.base import GetOp, Item, ListNamespacesOp, SearchItem, SearchOp

from cogwork.memory.store.exact_index import Scores
from cogwork.memory.store.filters import passes, plain_equalities
from cogwork.memory.store.full_text import query_words
from cogwork.memory.store.namespaces import Namespace, common_prefix, matches
from cogwork.memory.store.records import EVERYTHING, Records
from cogwork.memory.store.rows import Row
from cogwork.memory.store.vector_search import VectorSearch

__all__ = ["Reading"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = 500  # hits by words that are read before all are
_Ranked = Iterator[tuple[float | None, Row]]


class Reading:
    """The reads of one batch: all at one time, and what they touched.

    Args:
        records: What is stored.
        vectors: The search by vector.
        now: Microseconds since 1970.
    """

    def __init__(self, records: Records, vectors: VectorSearch, now: int) -> None:
        self._records = records
        self._vectors = vectors
        self.now = now
        self.touched: set[int] = set()

    def answer(
        self, op: GetOp | SearchOp | ListNamespacesOp, queries: Mapping[str, Scores]
    ) -> Item | list[SearchItem] | list[Namespace] | None:
        """Return what the operation asks for.

        Args:
            op: It has been checked.
            queries: The vectors of the queries, if the store has embeddings.
        """
        if isinstance(op, GetOp):
            return self._get(op)
        if isinstance(op, SearchOp):
            return self._take(self._candidates(op, queries), op)
        return self._list(op)

    def search_text(self, op: SearchOp) -> list[SearchItem]:
        """Return the items whose words match the query, with their BM25."""
        words = query_words(op.query or "")
        if not words:
            return []
        return self._take(self._by_words(tuple(op.namespace_prefix), words), op)

    def _by_words(self, prefix: Namespace, words: Sequence[str]) -> _Ranked:
        found = self._records.search_text(prefix, words, _FIRST)
        yield from self._by_id(found)
        if len(found) == _FIRST:
            yield from self._by_id(self._records.search_text(prefix, words, EVERYTHING)[_FIRST:])

    def _get(self, op: GetOp) -> Item | None:
        row = self._records.get(tuple(op.namespace), op.key, self.now)
        if row is None:
            return None
        self._touch(op, row)
        created, updated = _times(row)
        return Item(
            value=json.loads(row.value),
            key=row.key,
            namespace=row.namespace,
            created_at=created,
            updated_at=updated,
        )

    def _candidates(self, op: SearchOp, queries: Mapping[str, Scores]) -> _Ranked:
        prefix, wanted = tuple(op.namespace_prefix), min(op.offset + op.limit, EVERYTHING)
        if op.query and op.query in queries:
            return self._vectors.rank(prefix, queries[op.query], wanted)
        ids = self._records.listing(
            prefix, self.now, EVERYTHING if op.filter else wanted, plain_equalities(op.filter)
        )
        return self._by_id([(each, None) for each in ids])

    def _by_id(self, found: Sequence[tuple[int, float | None]]) -> _Ranked:
        start, size = 0, 64
        while start < len(found):
            part = found[start : start + size]
            rows = {row.id: row for row in self._records.rows([each for each, _ in part])}
            yield from ((score, rows[each]) for each, score in part if each in rows)
            start, size = start + size, min(2 * size, 1024)

    def _take(self, ranked: _Ranked, op: SearchOp) -> list[SearchItem]:
        """Return the page of what the operation wants among what is offered."""
        found: list[SearchItem] = []
        passed, seen, prefix = 0, set[int](), tuple(op.namespace_prefix)
        if op.limit == 0:
            return found
        for score, row in ranked:
            if row.id in seen or not self._belongs(row, prefix):
                continue
            seen.add(row.id)
            if op.filter and not passes(json.loads(row.value), op.filter):
                continue
            passed += 1
            if passed > op.offset:
                value, (created, updated) = json.loads(row.value), _times(row)
                found.append(SearchItem(row.namespace, row.key, value, created, updated, score))
                self._touch(op, row)
            if len(found) == op.limit:
                break
        if found and found[0].score is not None:
            found.sort(key=lambda item: -(item.score or 0.0))
        return found

    def _belongs(self, row: Row, prefix: Namespace) -> bool:
        alive = row.expires_at is None or row.expires_at > self.now
        return alive and row.namespace[: len(prefix)] == prefix

    def _list(self, op: ListNamespacesOp) -> list[Namespace]:
        conditions = op.match_conditions or ()
        known = self._records.namespaces(common_prefix(conditions), self.now)
        found = {
            namespace[: op.max_depth]
            for namespace in known
            if all(matches(namespace, condition) for condition in conditions)
        }
        return sorted(found)[op.offset : op.offset + op.limit]

    def _touch(self, op: GetOp | SearchOp, row: Row) -> None:
        if op.refresh_ttl and row.ttl is not None:
            self.touched.add(row.id)


def _times(row: Row) -> tuple[datetime, datetime]:
    """Return when an item was created and updated."""
    created = _EPOCH + timedelta(microseconds=row.created_at)
    if row.updated_at == row.created_at:
        return created, created
    return created, _EPOCH + timedelta(microseconds=row.updated_at)
