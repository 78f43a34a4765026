"""The async half of a checkpoint saver whose I/O blocks."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    PendingWrite,
)

__all__ = ["ThreadedSaver"]

T = TypeVar("T")
_THREADS = 8


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """Threads for savers alone: those of `asyncio.to_thread` may all wait in tools."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="checkpoints")


async def _in_thread(function: Callable[..., T], /, *args: Any, **options: Any) -> T:
    call = functools.partial(function, *args, **options)
    return await asyncio.get_running_loop().run_in_executor(_threads(), call)


class ThreadedSaver(BaseCheckpointSaver[Any]):
    """Runs each sync method of a saver in a thread, so that any event loop can use it.

    Inherit from it first and from the sync saver second, and give it a `close()`.
    """

    def idle_threads(self, seconds: float) -> Sequence[str]:
        """Return the threads that saved nothing for so long, for `prune`."""
        raise NotImplementedError

    async def aidle_threads(self, seconds: float) -> Sequence[str]:
        """See `idle_threads`."""
        return await _in_thread(self.idle_threads, seconds)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """See `prune`."""
        await _in_thread(self.prune, thread_ids, strategy=strategy)

    def close(self) -> None:
        """Release what the saver holds; it cannot be used afterwards."""
        raise NotImplementedError

    def note_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str
    ) -> None:
        """Save writes that the end of this process does not take, but a loss of power may.

        Once anything later is saved by `put` or `put_writes`, it may not either. A saver for
        which that is no quicker saves them at once.
        """
        self.put_writes(config, writes, task_id)

    async def anote_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str
    ) -> None:
        """See `note_writes`."""
        await self.aput_writes(config, writes, task_id)

    def written(self, config: RunnableConfig, channel: str) -> Sequence[PendingWrite] | None:
        """Return what tasks wrote to a channel under a checkpoint; None when that is not saved."""
        found = self.get_tuple(config)
        if found is None:
            return None
        return [each for each in found.pending_writes or () if each[1] == channel]

    async def awritten(self, config: RunnableConfig, channel: str) -> Sequence[PendingWrite] | None:
        """See `written`."""
        return await _in_thread(self.written, config, channel)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `get_tuple`."""
        return await _in_thread(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - named by the base class
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """See `list`; everything is read before the first one is yielded."""

        def read() -> Sequence[CheckpointTuple]:
            return tuple(self.list(config, filter=filter, before=before, limit=limit))

        for found in await _in_thread(read):
            yield found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `put`."""
        return await _in_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """See `put_writes`."""
        await _in_thread(self.put_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """See `delete_thread`."""
        await _in_thread(self.delete_thread, thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """See `delete_for_runs`."""
        await _in_thread(self.delete_for_runs, run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """See `copy_thread`."""
        await _in_thread(self.copy_thread, source_thread_id, target_thread_id)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """See `get_delta_channel_history`."""
        return await _in_thread(self.get_delta_channel_history, config=config, channels=channels)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await _in_thread(self.close)
