"""The records of a journal: what they hold, how they are found, how several are written at once."""

import asyncio
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple, PendingWrite
from langgraph.checkpoint.serde.types import RESUME

from cogwork.core.errors import MemoryStoreError

__all__ = [
    "BEGUN",
    "Entry",
    "Group",
    "Records",
    "Saver",
    "Writes",
    "answer_saved",
    "answer_saved_sync",
    "kept_in_process",
    "read_records",
    "records_of",
    "saved",
    "saved_sync",
    "write_record",
]

Saver: TypeAlias = BaseCheckpointSaver[Any]
Entry: TypeAlias = dict[str, Any]
Writes: TypeAlias = Sequence[PendingWrite]

BEGUN: Final = "begun"
"""Of what begins, a record may not be lost with the disk's cache: lost it would be done again."""
_CHANNEL: Final = "__journal__"
_MOMENT: Final = 2.0  # seconds that an answer may take
_PATIENCE: Final = 30.0  # seconds that a checkpoint may take to be written
_KEPT_TASKS: Final = 64


@dataclass(slots=True)
class Records:
    """What one task has recorded, as far as this process knows.

    Args:
        results: What its steps returned, by key.
        begun: How often each step with an effect began.
        ended: How often each of them failed.
    """

    results: dict[str, Any] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, key: str, value: Any) -> None:
        """Take in a record; of two results the first counts."""
        if kind == "result":
            self.results.setdefault(key, value)
        else:
            counts = self.begun if kind == BEGUN else self.ended
            counts[key] = counts.get(key, 0) + 1

    def in_doubt(self, key: str) -> bool:
        """Whether a step began and nobody knows how it ended."""
        return self.begun.get(key, 0) > self.ended.get(key, 0)


def read_records(found: CheckpointTuple, task: str) -> Records:
    """Return what a task has recorded under a checkpoint."""
    return records_of(found.pending_writes or (), task)


def records_of(written: Writes, task: str) -> Records:
    """Return what a task has recorded, of all that was written under a checkpoint."""
    records = Records()
    for _, channel, entries in written:
        for entry in entries if channel == _CHANNEL else ():
            if entry["task"] == task:  # a checkpoint's tasks share its writes
                records.add(entry["kind"], entry["key"], entry["value"])
    return records


async def saved(saver: Saver, place: RunnableConfig) -> Writes:
    """Return what was written under a checkpoint, as soon as that is saved.

    It may be saved in the background. Savers of ours read the records and nothing else.

    Raises:
        MemoryStoreError: It is not saved in time.
    """
    read = getattr(saver, "awritten", None)
    for pause in _pauses():
        if read is not None:
            if (written := await read(place, _CHANNEL)) is not None:
                return cast("Writes", written)
        elif found := await saver.aget_tuple(place):
            return found.pending_writes or ()
        await asyncio.sleep(pause)
    raise _not_saved(place)


def saved_sync(saver: Saver, place: RunnableConfig) -> Writes:
    """Do what `saved` does, in synchronous code."""
    read = getattr(saver, "written", None)
    for pause in _pauses():
        if read is not None:
            if (written := read(place, _CHANNEL)) is not None:
                return cast("Writes", written)
        elif found := saver.get_tuple(place):
            return found.pending_writes or ()
        time.sleep(pause)
    raise _not_saved(place)


async def answer_saved(saver: Saver, place: RunnableConfig, task: str) -> None:
    """Return when a task's answer is saved under a checkpoint, which happens in the background.

    After a while in any case: then there was none to save.
    """
    for pause in _pauses(_MOMENT):
        found = await saver.aget_tuple(place)
        if found is not None and _answers(found, task):
            return
        await asyncio.sleep(pause)


def answer_saved_sync(saver: Saver, place: RunnableConfig, task: str) -> None:
    """Do what `answer_saved` does, in synchronous code."""
    for pause in _pauses(_MOMENT):
        found = saver.get_tuple(place)
        if found is not None and _answers(found, task):
            return
        time.sleep(pause)


def _answers(found: CheckpointTuple, task: str) -> bool:
    return any(
        each[0] == task and each[1] == RESUME and each[2] is not None
        for each in found.pending_writes or ()
    )


def _pauses(patience: float = _PATIENCE) -> Iterator[float]:
    deadline = time.monotonic() + patience
    pause = 0.001
    while time.monotonic() < deadline:
        yield pause
        pause = min(2 * pause, 0.1)


def _not_saved(place: RunnableConfig) -> MemoryStoreError:
    return MemoryStoreError(
        f"the checkpoint {place['configurable']['checkpoint_id']} was not saved within "
        f"{_PATIENCE:g} seconds, so its steps cannot be recorded; see why the checkpointer does "
        "not write",
        transient=True,
    )


_in_process: OrderedDict[str, Records] = OrderedDict()
_in_process_guard = threading.Lock()


def kept_in_process(task: str) -> Records:
    """Return the records of a task that are saved nowhere, for when its node is retried."""
    with _in_process_guard:
        records = _in_process.setdefault(task, Records())
        _in_process.move_to_end(task)
        while len(_in_process) > _KEPT_TASKS:
            _in_process.popitem(last=False)
        return records


def write_record(saver: Saver, place: RunnableConfig, entry: Entry) -> None:
    """Write one record, in synchronous code.

    Raises:
        MemoryStoreError: It cannot be written.
    """
    note = None if entry["kind"] == BEGUN else getattr(saver, "note_writes", None)
    try:
        (note or saver.put_writes)(place, [(_CHANNEL, [entry])], str(uuid.uuid4()))
    except Exception as error:
        raise _cannot_record(entry["key"], error) from error


class Group:
    """Writes what is to be recorded at the same time in one transaction.

    Records are writes of a task that LangGraph does not know, and so passes over.
    """

    def __init__(self, saver: Saver, place: RunnableConfig) -> None:
        self._saver = saver
        self._place = place
        self._waiting: list[tuple[Entry, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._name = 0  # of the last record; a random one for each takes longer than writing it
        # Our own savers write also for a caller that is cancelled.
        self._is_free = hasattr(saver, "awritten")

    async def write(self, entry: Entry) -> None:
        """Return when the entry is durable.

        Raises:
            MemoryStoreError: It cannot be written.
        """
        if self._is_free:  # nobody to share with: no task of its own
            self._is_free = False
            try:
                await self._put([entry])
            except Exception as error:
                raise _cannot_record(entry["key"], error) from error
            finally:
                self._is_free = True
            return
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, written))
        if self._writer is None or self._writer.done():
            # A task of its own: a step that is cancelled must not cut off the others' writes.
            self._writer = asyncio.create_task(self._write_all())
        await written

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._put([entry for entry, _ in batch])
            except Exception as error:  # noqa: BLE001 - raised where it is awaited
                if len(batch) > 1:  # each alone, to name the one that fails
                    for each in batch:
                        await self._write_one(*each)
                else:
                    _end(batch[0][1], _cannot_record(batch[0][0]["key"], error))
            else:
                for _, written in batch:
                    _end(written)

    async def _write_one(self, entry: Entry, written: "asyncio.Future[None]") -> None:
        try:
            await self._put([entry])
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            _end(written, _cannot_record(entry["key"], error))
        else:
            _end(written)

    async def _put(self, entries: list[Entry]) -> None:
        begins = any(entry["kind"] == BEGUN for entry in entries)
        note = None if begins else getattr(self._saver, "anote_writes", None)
        put = note or self._saver.aput_writes
        self._name = (self._name or uuid.uuid4().int) + 1
        name = str(uuid.UUID(int=self._name % 2**128))
        await put(self._place, [(_CHANNEL, entries)], name)


def _end(written: "asyncio.Future[None]", error: Exception | None = None) -> None:
    if written.done():  # whoever waited was cancelled
        return
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(error)


def _cannot_record(key: str, error: Exception) -> MemoryStoreError:
    raised = MemoryStoreError(
        f"step '{key}' cannot be recorded: {error}", transient=getattr(error, "transient", False)
    )
    raised.__cause__ = error
    return raised
