"""Which items are nearest to a vector: exactly where that is quick, else through Chroma."""

from collections.abc import Iterator, Sequence

import numpy as np

from cogwork.memory.store.exact_index import ExactIndex, Scores, descending
from cogwork.memory.store.namespaces import Namespace
from cogwork.memory.store.outbox import Feeder
from cogwork.memory.store.records import Records
from cogwork.memory.store.rows import Ids, Row, Space

__all__ = ["VectorSearch"]

_LEAST = 128  # candidates asked of Chroma
_MOST = 4096
_BLOCK = 4096


class VectorSearch:
    """Yields items, nearest first; whoever reads decides which count and when to stop.

    Scores are always computed from the stored vectors: Chroma only proposes. When it
    has nothing more to propose (or is not there yet) all vectors are scored.

    Args:
        records: Where vectors and items are.
        exact: What is in memory.
        feeder: The way to Chroma.
        exact_limit: Up to so many vectors under a prefix are scored in memory.
    """

    def __init__(
        self, records: Records, exact: ExactIndex, feeder: Feeder, exact_limit: int
    ) -> None:
        self._records = records
        self._exact = exact
        self._feeder = feeder
        self._exact_limit = exact_limit

    def rank(self, prefix: Namespace, query: Scores, wanted: int) -> Iterator[tuple[float, Row]]:
        """Yield cosine and item; an item comes again for each further vector it has.

        Args:
            prefix: Items elsewhere may be among them when Chroma or all were asked.
            query: Of unit length, or all zeros.
            wanted: How many items will probably be read.
        """
        spaces = self._records.spaces(prefix)
        if sum(space.vectors for space in spaces) <= self._exact_limit:
            return self._in_memory(spaces, query, wanted)
        return self._everywhere(query, wanted)

    def _in_memory(
        self, spaces: Sequence[Space], query: Scores, wanted: int
    ) -> Iterator[tuple[float, Row]]:
        for ids, scores in descending(*self._exact.score(spaces, query), wanted):
            rows = {row.id: row for row in self._records.rows(ids)}
            yield from (
                (score, rows[each]) for each, score in zip(ids, scores, strict=True) if each in rows
            )

    def _everywhere(self, query: Scores, wanted: int) -> Iterator[tuple[float, Row]]:
        seen: set[int] = set()
        for count in _counts(wanted) if query.any() else ():
            proposed = self._feeder.candidates(query, count)
            if proposed is None:
                break
            fresh = [each for each in proposed.tolist() if each not in seen]
            seen.update(fresh)
            ids, matrix = self._records.vectors(fresh)
            if len(ids):
                yield from self._items(ids, matrix @ query)
        yield from self._items(*self._all(query, seen))

    def _all(self, query: Scores, seen: set[int]) -> tuple[Ids, Scores]:
        found = [(ids, matrix @ query) for ids, matrix in self._records.scan(_BLOCK)]
        if not found:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        ids = np.concatenate([part for part, _ in found])
        scores = np.concatenate([part for _, part in found])
        fresh = ~np.isin(ids, np.fromiter(seen, np.int64, len(seen)))
        return ids[fresh], scores[fresh]

    def _items(self, ids: Ids, scores: Scores) -> Iterator[tuple[float, Row]]:
        for part, values in descending(ids, scores):
            score_of = dict(zip(part, values, strict=True))
            rows = self._records.rows_of_vectors(part)
            rows.sort(key=lambda each: (-score_of[each[0]], each[0], each[1].id))
            yield from ((score_of[vector], row) for vector, row in rows)


def _counts(wanted: int) -> Sequence[int]:
    """How many candidates to ask Chroma for, one after the other."""
    first = max(_LEAST, 4 * wanted)
    return [count for count in (first, 8 * first) if count <= _MOST]
