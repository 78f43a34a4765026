"""ChromaStore: LangGraph's store, its truth in SQLite or PostgreSQL, Chroma as vector index."""

import asyncio
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from langchain_core.embeddings import Embeddings
from langgraph.store.base import BaseStore, IndexConfig, Op, Result, SearchItem, SearchOp, TTLConfig
from langgraph.store.base.embed import AEmbeddingsFunc, EmbeddingsFunc

from cogwork.core.errors import ConfigurationError
from cogwork.memory.store.embedder import Answers, Embedder
from cogwork.memory.store.exact_index import ExactIndex
from cogwork.memory.store.opening import Opened, open_place
from cogwork.memory.store.outbox import Feeder
from cogwork.memory.store.plan import Plan, check_fields, make_plan, vectors
from cogwork.memory.store.reading import Reading
from cogwork.memory.store.reindexing import embed_again
from cogwork.memory.store.rows import Change
from cogwork.memory.store.ttl import Sweeper
from cogwork.memory.store.vector_search import VectorSearch

__all__ = ["ChromaStore", "StoreStats"]

Embed = Embeddings | EmbeddingsFunc | AEmbeddingsFunc | str


@dataclass(frozen=True, slots=True)
class StoreStats:
    """What a store holds.

    Args:
        items: How many, without expired ones.
        namespaces: How many hold an item.
        vectors: How many the items have together.
        distinct_vectors: How many of them differ; so many are in Chroma.
        pending: Changes that Chroma has not heard of; searches know them.
        embeddings: Which made the vectors; None before the first.
        dims: How long the vectors are.
        chroma: `idle` (not needed yet), `loading`, `ready`, `failing`, or `none`.
        chroma_error: What Chroma said last, if it is failing.
    """

    items: int
    namespaces: int
    vectors: int
    distinct_vectors: int
    pending: int
    embeddings: str | None
    dims: int | None
    chroma: str
    chroma_error: str | None


class ChromaStore(BaseStore):
    """A durable store for `compile(store=…)`, for `invoke` and `ainvoke` alike.

    What `put` returned from survives a crash and a loss of power, and is found by the
    next search. Searches are exact up to `exact_limit` vectors under a prefix; beyond,
    Chroma proposes and the stored vectors decide. Safe to share between threads and
    event loops. One process at a time owns a folder; several share a PostgreSQL
    database. Close it with `with`, `async with` or `close()`.

    Args:
        path_or_url: A folder, which is created, or for several processes
            `postgresql://user:password@host:5432/database` (extra `postgres`).
        embeddings: A name for `create_embeddings`, LangChain `Embeddings`, a function of
            texts, or None for a store that searches by words and filters only.
        index: The same in LangGraph's form: `embed`, `dims`, `fields`.
        fields: Paths of what is indexed when a put names none; the whole value (`["$"]`)
            if not given.
        ttl: LangGraph's; times in minutes. Expired items are never returned, and are
            deleted by `sweep_ttl`, or at a write once `sweep_interval_minutes` passed.
        exact_limit: Up to so many vectors under a prefix are scored exactly, and kept in
            memory (four bytes per dimension each).
        chroma: `http://host:port` of a Chroma server. If not given, it is embedded in the
            folder; with PostgreSQL there is none, and all vectors are scored.
        clock: Seconds since 1970, for tests.

    Raises:
        ConfigurationError: An argument is wrong.
        MemoryStoreError: The folder or server cannot be opened, or another process owns
            the folder; later, that it cannot be read or written, or that the embeddings do not fit it.
    """

    supports_ttl = True

    def __init__(
        self,
        path_or_url: str | Path,
        *,
        embeddings: Embed | None = "static",
        index: IndexConfig | None = None,
        fields: list[str] | None = None,
        ttl: TTLConfig | None = None,
        exact_limit: int = 100_000,
        chroma: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        _refuse_unknown("index", index, IndexConfig)
        _refuse_unknown("ttl", ttl, TTLConfig)
        config = _index_config(embeddings, index, fields)
        self.ttl_config = ttl
        self._fields = check_fields(config.get("fields") or ["$"])
        self._clock = clock
        opened = open_place(path_or_url, chroma)
        records = opened.records
        self._records = records
        self._embedder = (
            Embedder(config["embed"], config.get("dims"), records) if "embed" in config else None
        )
        self._feeder = Feeder(records, opened.chroma, exact_limit)
        exact = ExactIndex(records, exact_limit)
        self._vectors = VectorSearch(records, exact, self._feeder, exact_limit)
        minutes = (ttl or {}).get("sweep_interval_minutes")
        self._sweeper = Sweeper(lambda: records.sweep(_micros(clock)), clock, minutes)
        self._closing = weakref.finalize(self, _close, self._sweeper, self._feeder, opened)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Answer the operations; reads see what was before the writes of the batch."""
        plan = self._plan(ops)
        embedder = self._embedder
        return self._run(plan, embedder.ask(plan.texts, plan.queries) if embedder else ([], []))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Do what `batch` does in threads; the loop goes on."""
        plan = await asyncio.to_thread(self._plan, list(ops))
        embedder = self._embedder
        answers = await embedder.aask(plan.texts, plan.queries) if embedder else ([], [])
        return await asyncio.to_thread(self._run, plan, answers)

    def search_text(
        self,
        namespace_prefix: tuple[str, ...],
        /,
        query: str,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - named as in search
        limit: int = 10,
        offset: int = 0,
    ) -> list[SearchItem]:
        """Return items that have one of the query's words, the best match first.

        Args:
            namespace_prefix: Where to search.
            query: Any text; nothing in it is syntax.
            filter: As in `search`.
            limit: How many items at most.
            offset: How many to skip.

        Returns:
            Items with their BM25 over the words of the indexed fields as score, above 0.
        """
        refresh = (self.ttl_config or {}).get("refresh_on_read", True)
        op = SearchOp(namespace_prefix, filter, limit, offset, query, refresh)
        make_plan([op], (), embeds=False)
        reading = self._reading()
        found = reading.search_text(op)
        self._touch(reading)
        return found

    async def asearch_text(
        self,
        namespace_prefix: tuple[str, ...],
        /,
        query: str,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - named as in search
        limit: int = 10,
        offset: int = 0,
    ) -> list[SearchItem]:
        """Do what `search_text` does in a thread."""
        return await asyncio.to_thread(
            self.search_text, namespace_prefix, query, filter=filter, limit=limit, offset=offset
        )

    def flush(self) -> None:
        """Return when Chroma has every vector; searches do not need it.

        Raises:
            MemoryStoreError: Chroma cannot be opened or written.
        """
        self._records.fact("id")  # says so if the store was closed
        self._feeder.flush()

    def reindex(self, *, embed: bool = False) -> int:
        """Make Chroma's index again from the records.

        Args:
            embed: Embed every item again too, with the embeddings and fields the store was
                opened with. What is written meanwhile is kept; searches by vector miss
                what has not been embedded yet.

        Returns:
            How many distinct vectors there are.
        """
        if embed:
            embed_again(self._records, self._embedder, self._fields)
        self._feeder.rebuild()
        return len(self._records.vector_ids())

    def sweep_ttl(self) -> int:
        """Delete what has expired; return how many items that were."""
        return self._records.sweep(_micros(self._clock))

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> None:
        """Sweep in a thread from now on; five minutes apart unless told otherwise."""
        self._sweeper.start(sweep_interval_minutes)

    def stop_ttl_sweeper(self) -> None:
        """End that thread."""
        self._sweeper.stop()

    def stats(self) -> StoreStats:
        """Return what the store holds and how Chroma is."""
        records, error = self._records, self._feeder.error
        dims = records.fact("dims")
        return StoreStats(
            **records.counts(_micros(self._clock)),
            embeddings=records.fact("embeddings"),
            dims=int(dims) if dims else None,
            chroma=self._feeder.state,
            chroma_error=str(error) if error else None,
        )

    def close(self) -> None:
        """Close the folder; what Chroma has not heard of waits in the outbox."""
        self._closing()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close)

    def _plan(self, ops: Iterable[Op]) -> Plan:
        return make_plan(ops, self._fields, embeds=self._embedder is not None)

    def _reading(self) -> Reading:
        return Reading(self._records, self._vectors, _micros(self._clock))

    def _run(self, plan: Plan, answers: Answers) -> list[Result]:
        documents, queries = (
            self._embedder.check(plan.texts, plan.queries, answers) if self._embedder else ({}, {})
        )
        results: list[Result] = [None] * plan.size
        if plan.reads:
            reading = self._reading()
            for number, op in plan.reads:
                results[number] = reading.answer(op, queries)
            self._touch(reading)
        if plan.changes:
            changes = [
                Change(*change[:-1], vectors(texts, documents))
                for change, texts in plan.changes.values()
            ]
            self._feeder.written(self._records.write(changes, _micros(self._clock)))
            self._sweeper.after_write()
        return results

    def _touch(self, reading: Reading) -> None:
        if reading.touched:
            self._records.touch(sorted(reading.touched), reading.now)


def _refuse_unknown(name: str, given: Mapping[str, Any] | None, known: type) -> None:
    for key in given or ():
        if key not in known.__annotations__:
            raise ConfigurationError(
                f"{name} has no '{key}'; it takes {', '.join(sorted(known.__annotations__))}"
            )


def _index_config(
    embeddings: Embed | None, index: IndexConfig | None, fields: list[str] | None
) -> IndexConfig:
    """Return both ways to configure the index as one; without `embed` there are no vectors."""
    if index is None:
        config = IndexConfig(fields=fields)
        if embeddings is not None:
            config["embed"] = embeddings
        return config
    if embeddings not in ("static", None) or fields is not None:
        raise ConfigurationError("give either 'index' or 'embeddings' and 'fields', not both")
    return IndexConfig(**{"embed": "static", **index})


def _micros(clock: Callable[[], float]) -> int:
    return int(clock() * 1_000_000)


def _close(sweeper: Sweeper, feeder: Feeder, opened: Opened) -> None:
    sweeper.stop()
    feeder.stop()
    opened.records.close()
    if opened.lock is not None:
        opened.lock.close()
