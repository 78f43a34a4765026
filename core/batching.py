"""Many calls with one item each become few with many: gathered by number, or by time.

ask ─┐
ask ─┼─▶ [ gather: at most max_size, at most max_wait ] ─▶ function([…]) ─▶ each its own
ask ─┘
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Future
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Generic, TypeVar

from langchain_core.embeddings import Embeddings

from cogwork.core.bridge import run_blocking
from cogwork.core.errors import CogworkError, ConfigurationError

__all__ = ["BatchInfo", "Batcher", "batched_embeddings"]

T = TypeVar("T")
In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """What a batcher has done.

    Attributes:
        items: Items that were given to it and not refused.
        batches: Calls that were made for them.
        largest: Items of the largest batch.
        waiting: Items that are in no batch yet.
        refused: Items for which there was no room.
    """

    items: int
    batches: int
    largest: int
    waiting: int
    refused: int

    def advice(self) -> tuple[str, ...]:
        """Return what the figures suggest, a sentence each; nothing when all is well."""
        found = []
        if self.batches >= 20 and self.items < 1.2 * self.batches:
            found.append(
                f"{self.items} items made {self.batches} batches: hardly any come together; wait "
                "longer, or do without."
            )
        if self.refused:
            found.append(
                f"{self.refused} items were refused: allow more to wait, or more batches at once."
            )
        return tuple(found)


@dataclass(slots=True, eq=False)
class _Waiting(Generic[In, Out]):
    item: In
    since: float
    future: "Future[Out]" = field(default_factory=Future)
    context: Context = field(default_factory=copy_context)


class Batcher(Generic[In, Out]):
    """Gathers calls of threads, tasks and loops, and gives each its own of the results.

    Batches run in threads of their own, in the context of the first who asked; an async
    function on cogwork's background loop. A failure is told to those of its batch only. Who is
    cancelled is left out, if the batch has not begun, and disturbs nobody.

    Args:
        function: Takes a list of items and returns as many results, in the same order.
        max_size: Items that make a batch at once.
        max_wait: Seconds after which those that are there make one.
        max_running: Batches that run at the same time.
        max_waiting: Items that may wait; others are refused.

    Raises:
        ConfigurationError: A limit is not positive.

    Examples:
        >>> doubled = Batcher(lambda numbers: [2 * each for each in numbers])
        >>> doubled.call_many([1, 2, 3])
        [2, 4, 6]
    """

    def __init__(
        self,
        function: Callable[[list[In]], Sequence[Out] | Awaitable[Sequence[Out]]],
        *,
        max_size: int = 64,
        max_wait: float = 0.01,
        max_running: int = 2,
        max_waiting: int = 10_000,
    ) -> None:
        limits = {"max_size": max_size, "max_running": max_running, "max_waiting": max_waiting}
        for name, limit in {**limits, "max_wait": max_wait}.items():
            if not limit > 0:
                raise ConfigurationError(f"{name} is {limit}; it must be more than 0")
        self._function = function
        self._size, self._wait, self._running = max_size, max_wait, max_running
        self._room = max_waiting
        self._waiting: deque[_Waiting[In, Out]] = deque()
        self._changed = threading.Condition()
        self._workers = 0
        self._is_gathering = False
        self._items = self._batches = self._largest = self._refused = 0

    def call(self, item: In) -> Out:
        """Return the result of one item, which may wait for others to come.

        Raises:
            CogworkError: Too many wait already; `transient`.
        """
        return self.call_many([item])[0]

    def call_many(self, items: Iterable[In]) -> list[Out]:
        """Return the results of several items, which may go with those of others."""
        asked = self._add(items)
        return [each.future.result() for each in asked]

    async def acall(self, item: In) -> Out:
        """Do what `call` does, without holding up the loop."""
        return (await self.acall_many([item]))[0]

    async def acall_many(self, items: Iterable[In]) -> list[Out]:
        """Do what `call_many` does, without holding up the loop."""
        return await asyncio.gather(
            *(asyncio.wrap_future(each.future) for each in self._add(items))
        )

    def info(self) -> BatchInfo:
        """Return what it has done so far."""
        with self._changed:
            return BatchInfo(
                self._items, self._batches, self._largest, len(self._waiting), self._refused
            )

    def _add(self, items: Iterable[In]) -> list[_Waiting[In, Out]]:
        now = time.monotonic()
        asked: list[_Waiting[In, Out]] = [_Waiting(each, now) for each in items]
        with self._changed:
            if len(self._waiting) + len(asked) > self._room:
                self._refused += len(asked)
                raise CogworkError(
                    f"{len(self._waiting)} items wait for a batch, and at most {self._room} may; "
                    "try again later, or allow more",
                    transient=True,
                )
            self._items += len(asked)
            self._waiting.extend(asked)
            self._engage()
        return asked

    def _engage(self) -> None:
        """Have a worker gather, if there is something to gather and one may work."""
        if self._waiting and not self._is_gathering and self._workers < self._running:
            threading.Thread(target=self._work, name="cogwork-batch", daemon=True).start()
            self._is_gathering = True
            self._workers += 1
        self._changed.notify_all()

    def _work(self) -> None:
        batch = self._gathered()
        try:
            if batch:
                batch[0].context.run(self._make, batch)
        finally:
            with self._changed:
                self._workers -= 1
                self._engage()

    def _gathered(self) -> list[_Waiting[In, Out]]:
        """Wait until there is a batch, and take it."""
        with self._changed:
            while self._waiting and len(self._waiting) < self._size:
                left = self._waiting[0].since + self._wait - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            taken = [self._waiting.popleft() for _ in range(min(self._size, len(self._waiting)))]
            batch = [each for each in taken if each.future.set_running_or_notify_cancel()]
            self._is_gathering = False
            if batch:
                self._batches += 1
                self._largest = max(self._largest, len(batch))
            self._engage()
        return batch

    def _make(self, batch: list[_Waiting[In, Out]]) -> None:
        try:
            results = self._results([each.item for each in batch])
        except BaseException as error:  # noqa: BLE001 - raised for each who asked
            told = error
            if not isinstance(error, Exception) or isinstance(error, StopIteration):
                told = CogworkError(f"a batch of {len(batch)} items ended by {error!r}")
            for each in batch:
                each.future.set_exception(told)
        else:
            for each, result in zip(batch, results, strict=True):
                each.future.set_result(result)

    def _results(self, items: list[In]) -> Sequence[Out]:
        found = self._function(items)
        results = list(run_blocking(_awaited, found) if isawaitable(found) else found)
        if len(results) != len(items):
            raise ConfigurationError(
                f"a batch of {len(items)} items has {len(results)} results; the function has to "
                "return one for each, in their order"
            )
        return results


async def _awaited(found: Awaitable[T]) -> T:
    return await found


class _BatchedEmbeddings(Embeddings):
    def __init__(
        self, embeddings: Embeddings, batcher: Batcher[str, list[float]], *, alike: bool
    ) -> None:
        self._embeddings = embeddings
        self._batcher = batcher
        self._alike = alike

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self._batcher.call_many(texts)

    def embed_query(self, text: str) -> list[float]:
        return self._batcher.call(text) if self._alike else self._embeddings.embed_query(text)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return await self._batcher.acall_many(texts)

    async def aembed_query(self, text: str) -> list[float]:
        if self._alike:
            return await self._batcher.acall(text)
        return await self._embeddings.aembed_query(text)


def batched_embeddings(
    embeddings: Embeddings, *, queries_alike: bool = False, **limits: Any
) -> Embeddings:
    """Return embeddings whose concurrent calls go to the model together.

    Args:
        embeddings: Of any provider.
        queries_alike: Whether the model embeds a query as it embeds a document, as OpenAI's
            do; then queries are gathered, too. Models that tell them apart need False.
        **limits: As of `Batcher`.

    Raises:
        ConfigurationError: A limit is not positive.
    """
    batcher: Batcher[str, list[float]] = Batcher(embeddings.embed_documents, **limits)
    return _BatchedEmbeddings(embeddings, batcher, alike=queries_alike)
