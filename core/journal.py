"""Keyed steps: what a node did is recorded piece by piece, and never done twice.

LangGraph runs a node that was interrupted again from its top. A journal remembers the
pieces of it that had finished:

    async def pay(state, config: RunnableConfig):
        journal = Journal(config)
        receipt = await journal.step("pay:42", charge, 42, effect="external")
        await journal.step("mail:42", send, receipt, effect="external")

A step is recorded, by the graph's own checkpointer, before its caller sees the result. Its
key is the task that LangGraph runs (thread, namespace and checkpoint, so that a fork
starts clean) and the name that the caller gives: name it by its content, such as the id of
a plan's step or of a tool call, never by the order of calls. The records live and go with
the checkpoint.

A step with an effect is noted before it begins. If the process dies in the middle, nobody
knows whether the effect happened; the next run raises `InDoubtError` rather than repeat it.
That note is on the disk before the step begins. What came of it survives the process at once,
and a loss of power as soon as anything later is saved: lost with the power, a result leaves
its step in doubt, and one without effect is run again.

With `durability="exit"`, LangGraph saves nothing before the end, and neither does a journal;
like one without a checkpointer, it then remembers for retries in the same process only.
"""

import asyncio
import hashlib
import inspect
import threading
from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.types import RESUME
from langgraph.runtime import Runtime, get_runtime

from cogwork.core.bridge import in_thread, is_stepping, stepped
from cogwork.core.errors import ConfigurationError, InDoubtError
from cogwork.core.journal_records import (
    BEGUN,
    Entry,
    Group,
    Records,
    Saver,
    answer_saved,
    answer_saved_sync,
    kept_in_process,
    records_of,
    saved,
    saved_sync,
    write_record,
)

__all__ = ["Doubt", "Effect", "Journal"]

Effect: TypeAlias = Literal["read", "write", "external"]
"""What a step does to the world: nothing, something here, or something elsewhere."""

Doubt: TypeAlias = Literal["raise", "retry"]
"""What to do with a step of which nobody knows whether it happened."""

# LangGraph hands these to a node in its config; it publishes no other way to them.
_SAVER: Final = "__pregel_checkpointer"
_DURABILITY: Final = "__pregel_durability"
_SCRATCHPAD: Final = "__pregel_scratchpad"
_CHECKPOINTS: Final = "checkpoint_map"  # of the graphs around, by namespace
_NO_TASK: Final = "00000000-0000-0000-0000-000000000000"  # whose writes are the input's


class Journal:
    """What one run of a node has done, step by step; make one at the node's top.

    Args:
        config: Of the node, as LangGraph passes it.
        saver: Keeps the records; the graph's own checkpointer unless given.

    Raises:
        ConfigurationError: It is made outside of a node.
    """

    def __init__(self, config: RunnableConfig, *, saver: Saver | None = None) -> None:
        configurable = config.get("configurable") or {}
        info = _runtime().execution_info
        if info is None:
            raise ConfigurationError("a journal is made in a node of a graph, from its config")
        found = saver or configurable.get(_SAVER)
        lasting = isinstance(found, BaseCheckpointSaver) and info.thread_id is not None
        self._serde = found.serde if isinstance(found, BaseCheckpointSaver) else None
        self._saver: Saver | None = (
            found if lasting and configurable.get(_DURABILITY) != "exit" else None
        )
        self._task = info.task_id
        self._scratchpad = configurable.get(_SCRATCHPAD)
        self._was_answered = _has_answer(self._scratchpad)
        own = _namespace(info.checkpoint_ns)
        self._place = _place(info.thread_id, own, info.checkpoint_id)
        # The graphs around, outermost first. Were their checkpoints lost in a crash, they would
        # begin this one anew, with nothing of what it recorded.
        around = {} if saver else dict(configurable.get(_CHECKPOINTS) or {})
        self._around = [
            _place(info.thread_id, namespace, around[namespace])
            for namespace in sorted(around)
            if own and (not namespace or own.startswith(f"{namespace}|"))
        ]
        self._is_sync = configurable.get(_DURABILITY) == "sync"
        self._group = Group(self._saver, self._place) if self._saver else None
        self._records: Records | None = None if self._saver else kept_in_process(info.task_id)
        self._turns: dict[str, asyncio.Lock] = {}
        self._sync_turns: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    async def step(
        self,
        key: str,
        function: Callable[..., Any],
        /,
        *args: Any,
        effect: Effect = "read",
        on_doubt: Doubt = "raise",
    ) -> Any:
        """Run a function once, and return what it returned, now and ever after.

        Steps may run at the same time, in any order. Two with one key run once. A failure
        is not recorded: the next call tries again. A function that raises `InDoubtError`, for
        it sent something and had no answer, leaves its step in doubt.

        Args:
            key: Names the step by its content.
            function: Async, or sync and then run in a thread. It returns plain data, or
                what else the checkpointer may hold (see `with_state_types`).
            *args: Passed on.
            effect: Anything but `read` is noted before it begins.
            on_doubt: What to do when it began once and nobody knows how it ended: raise,
                or, for what may be repeated, run it again.

        Raises:
            InDoubtError: An earlier process died in the middle of this step.
            MemoryStoreError: The record cannot be written or read.
        """
        if is_stepping():
            return self.step_sync(
                key, lambda: stepped(_called(function, args), key), effect=effect, on_doubt=on_doubt
            )
        _check_key(key)
        async with self._turns.setdefault(key, asyncio.Lock()):
            known = await self._load()
            if key in known.results:
                return known.results[key]
            _refuse_doubt(known, key, on_doubt)
            if effect != "read":
                await self._write(BEGUN, key)
            try:
                result = await _called(function, args)
            except InDoubtError:  # what it called does not know either
                raise
            except Exception:
                if effect != "read":
                    await self._write("ended", key)
                raise
            await self._write("result", key, result)
            return result

    def step_sync(
        self,
        key: str,
        function: Callable[..., Any],
        /,
        *args: Any,
        effect: Effect = "read",
        on_doubt: Doubt = "raise",
    ) -> Any:
        """Do what `step` does, for nodes and functions that are plain Python."""
        _check_key(key)
        with self._guard:
            turn = self._sync_turns.setdefault(key, threading.Lock())
        with turn:
            known = self._load_sync()
            if key in known.results:
                return known.results[key]
            _refuse_doubt(known, key, on_doubt)
            if effect != "read":
                self._write_sync(BEGUN, key)
            try:
                result = function(*args)
            except InDoubtError:
                raise
            except Exception:
                if effect != "read":
                    self._write_sync("ended", key)
                raise
            self._write_sync("result", key, result)
            return result

    async def settle(self, key: str, result: Any) -> None:
        """Record the outcome of a step in doubt, as a person or another system knows it.

        Args:
            key: The step's.
            result: What it is to have returned.
        """
        _check_key(key)
        if is_stepping():
            if key not in self._load_sync().results:
                self._write_sync("result", key, result)
            return
        async with self._turns.setdefault(key, asyncio.Lock()):
            if key not in (await self._load()).results:
                await self._write("result", key, result)

    async def finished(self) -> dict[str, Any]:
        """Return the results of the steps that have finished, by key."""
        return dict((self._load_sync() if is_stepping() else await self._load()).results)

    async def doubts(self, key: str) -> int:
        """Return how often a step began that is in doubt; 0 when it is not."""
        known = self._load_sync() if is_stepping() else await self._load()
        is_open = key not in known.results and known.in_doubt(key)
        return known.begun[key] if is_open else 0

    def holds(self, value: Any) -> bool:
        """Whether the checkpointer can save a value; without one, anything can be returned."""
        if self._serde is None:
            return True
        try:
            self._serde.dumps_typed(value)
        except Exception:  # noqa: BLE001 - each serializer raises its own
            return False
        return True

    def identity(self, key: str) -> str:
        """Return 32 hexadecimal digits that name this step among all steps of all threads.

        They are the same when the step is run again after a crash: the idempotency key for a
        system that refuses what it has had. Without a checkpointer they last as long as the
        run.
        """
        place = self._place["configurable"]
        parts = (place["thread_id"], place["checkpoint_ns"], self._task, key)
        return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()

    async def drop_answer(self) -> None:
        """Forget the answer of a person that this task has taken, before it asks another thing.

        LangGraph keeps it until the super-step ends. A run that is resumed without an answer
        would take it for the answer to the next question.
        """
        if self._saver is None or not getattr(self._scratchpad, "resume", None):
            return
        root = (self._around or [self._place])[0]
        # LangGraph may be about to save the answer, and would save it after this.
        if is_stepping():
            if self._was_answered:
                answer_saved_sync(self._saver, root, _NO_TASK)
            self._saver.put_writes(root, [(RESUME, None)], _NO_TASK)
        else:
            if self._was_answered:
                await answer_saved(self._saver, root, _NO_TASK)
            await self._saver.aput_writes(root, [(RESUME, None)], _NO_TASK)

    async def _load(self) -> Records:
        if self._records is not None:
            return self._records
        async with self._turns.setdefault("", asyncio.Lock()):  # no step has an empty key
            if self._records is None and self._saver is not None:
                for place in () if self._is_sync else self._around:
                    await saved(self._saver, place)
                written = await saved(self._saver, self._place)
                self._records = records_of(written, self._task)
            return self._loaded()

    def _load_sync(self) -> Records:
        with self._guard:
            if self._records is None and self._saver is not None:
                for place in () if self._is_sync else self._around:
                    saved_sync(self._saver, place)
                written = saved_sync(self._saver, self._place)
                self._records = records_of(written, self._task)
            return self._loaded()

    def _loaded(self) -> Records:
        return cast("Records", self._records)

    async def _write(self, kind: str, key: str, value: Any = None) -> None:
        if self._group is not None:
            await self._group.write(self._entry(kind, key, value))
        self._loaded().add(kind, key, value)

    def _write_sync(self, kind: str, key: str, value: Any = None) -> None:
        if self._saver is not None:
            write_record(self._saver, self._place, self._entry(kind, key, value))
        self._loaded().add(kind, key, value)

    def _entry(self, kind: str, key: str, value: Any) -> Entry:
        return {"task": self._task, "kind": kind, "key": key, "value": value}


def _runtime() -> Runtime[Any]:
    try:
        return get_runtime()
    except (RuntimeError, KeyError) as error:
        raise ConfigurationError(
            "a journal is made in a node of a graph, from its config"
        ) from error


def _has_answer(scratchpad: Any) -> bool:
    """Whether this run brings an answer that no question has taken yet."""
    look = getattr(scratchpad, "get_null_resume", None)
    return look is not None and look(False) is not None


def _namespace(of_task: str) -> str:
    """The namespace of the checkpoint that a task runs in: its own without the last part."""
    return of_task.rpartition("|")[0]


def _place(thread: str | None, namespace: str, checkpoint: str | None) -> RunnableConfig:
    return {
        "configurable": {
            "thread_id": thread,
            "checkpoint_ns": namespace,
            "checkpoint_id": checkpoint,
        }
    }


def _check_key(key: str) -> None:
    if not isinstance(key, str) or not key:
        raise ConfigurationError(f"the step's key is {key!r}; name the step by its content")


def _refuse_doubt(known: Records, key: str, on_doubt: Doubt) -> None:
    if known.in_doubt(key) and on_doubt == "raise":
        raise InDoubtError(
            f"step '{key}' had begun when its process ended, and nobody knows whether its "
            "effect happened; find out, then record the outcome by journal.settle(key, result), "
            "or run it again with on_doubt='retry'",
            details={"step": key, "times": known.begun[key]},
        )


async def _called(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    if inspect.iscoroutinefunction(function):
        return await function(*args)
    result = await in_thread(None, function, *args)
    return await result if inspect.isawaitable(result) else result
