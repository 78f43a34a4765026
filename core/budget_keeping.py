"""What a run has spent, kept by its checkpointer, so that a resume has not forgotten it.

One record a thread: a checkpoint of its own namespace with a fixed id, which each write
replaces, and which goes with the thread. It is written when a call begins, with what the
call may take: a synchronous run waits for that before it makes the call, an async run does
not.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    Checkpoint,
    CheckpointMetadata,
    empty_checkpoint,
)
from langgraph.pregel import Pregel

from cogwork.core.budget import Ledger, Spent
from cogwork.core.errors import MemoryStoreError

__all__ = ["Keeping"]

_NAMESPACE: Final = "cogwork_budget"
_ID: Final = "00000000-0000-6000-8000-000000000000"
_SPENT: Final = "cogwork_budget"


class Keeping:
    """Writes down what a ledger has committed, whenever that grows.

    Args:
        saver: The checkpointer; None keeps nothing.
        thread: The run's.
        ledger: Of the run.
    """

    def __init__(self, saver: BaseCheckpointSaver[Any] | None, thread: str, ledger: Ledger) -> None:
        self._saver = saver
        self._ledger = ledger
        self._place: RunnableConfig = {
            "configurable": {"thread_id": thread, "checkpoint_ns": _NAMESPACE}
        }
        self._found: RunnableConfig = {
            "configurable": {**self._place["configurable"], "checkpoint_id": _ID}
        }
        self._writing = threading.Lock()
        self._grown = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def afound(self) -> Spent:
        """Return what is written down; nothing where nothing is."""
        found = await self._saver.aget_tuple(self._found) if self._saver is not None else None
        return _spent_in(found)

    @classmethod
    def of(
        cls, graph: Pregel[Any, Any, Any, Any], config: RunnableConfig | None, ledger: Ledger
    ) -> "Keeping":
        """Return the keeping of a graph's run; a nested run is kept with the one around it."""
        bound = ((graph.config or {}).get("configurable") or {}).get("thread_id")
        given = (config or {}).get("configurable") or {}
        thread = given.get("thread_id", bound)
        saver = graph.checkpointer
        nested = "__pregel_task_id" in given
        if nested or thread is None or not isinstance(saver, BaseCheckpointSaver):
            saver = None
        return cls(saver, str(thread), ledger)

    def start(self, *, resumed: bool) -> None:
        """Recover what the run had spent if it is resumed, else forget the one before."""
        if self._saver is None:
            return
        if resumed:
            self._recover(self._saver.get_tuple(self._found))
        self._write()
        self._ledger.on_growth = self._write

    def stop(self) -> None:
        """Write down the exact sum."""
        self._ledger.on_growth = None
        if self._saver is not None:
            self._write()

    async def astart(self, *, resumed: bool) -> None:
        """Do what `start` does, on a loop that is not held up by writing."""
        if self._saver is None:
            return
        if resumed:
            self._recover(await self._saver.aget_tuple(self._found))
        await self._awrite()
        loop = asyncio.get_running_loop()
        self._writer = loop.create_task(self._keep_writing())

        def grown() -> None:
            loop.call_soon_threadsafe(self._grown.set)

        self._ledger.on_growth = grown

    async def astop(self) -> None:
        """Write down the exact sum.

        Raises:
            MemoryStoreError: It, or a sum before it, cannot be written.
        """
        self._ledger.on_growth = None
        if self._writer is None:
            return
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._writer
        await self._awrite()

    def _recover(self, found: Any) -> None:
        self._ledger.recover(_spent_in(found))

    async def _keep_writing(self) -> None:
        while True:
            await self._grown.wait()
            self._grown.clear()
            await self._awrite()

    def _write(self) -> None:
        with self._writing, _explained():  # a smaller sum must not come after a larger one
            self._saver.put(self._place, *self._record(), {})  # type: ignore[union-attr] # asked before

    async def _awrite(self) -> None:
        with _explained():
            await self._saver.aput(self._place, *self._record(), {})  # type: ignore[union-attr] # asked before

    def _record(self) -> tuple[Checkpoint, CheckpointMetadata]:
        checkpoint = {**empty_checkpoint(), "id": _ID}
        metadata = {"source": "update", "step": 0, "parents": {}}
        metadata[_SPENT] = self._ledger.committed.as_dict()
        return checkpoint, metadata  # type: ignore[return-value] # typed dicts with a key of ours


def _spent_in(found: Any) -> Spent:
    return Spent.of(found.metadata.get(_SPENT) if found is not None else None)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise MemoryStoreError(
            f"the checkpointer cannot keep what the run has spent: {error}; no call is made "
            "that would not be counted",
            transient=getattr(error, "transient", False),
        ) from error
