"""Nodes are written once, as async functions; this is how synchronous code runs them.

`@node` makes a LangGraph node of a function. In an async run it is awaited on the
caller's loop. In a synchronous run (`graph.invoke`) it is stepped in the caller's
thread, and `call`, `pause` and `in_thread` answer without an event loop, so models and
tools are called through their own synchronous methods: no thread is crossed, and nothing
deadlocks in a notebook whose loop is running already.

What can only run on a loop (an async-only tool, a node that awaits anything else) goes
through `run_blocking` to one background loop per process. Context variables, interrupts,
exceptions with their traceback, and cancellation all cross it.
"""

import asyncio
import atexit
import contextlib
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from contextvars import ContextVar, copy_context
from inspect import iscoroutinefunction
from typing import Any, ParamSpec, TypeVar, cast, overload

import anyio
from anyio.from_thread import BlockingPortal
from langchain_core.runnables import Runnable, RunnableConfig

__all__ = [
    "Node",
    "call",
    "in_thread",
    "is_stepping",
    "node",
    "on_loop",
    "pause",
    "run_blocking",
    "stepped",
]

P = ParamSpec("P")
T = TypeVar("T")

_stepping: ContextVar[bool] = ContextVar("cogwork_stepping", default=False)
_INSISTENCE = 0.2  # seconds between cancellations of what does not obey
_CANCEL_GRACE = 5.0  # seconds that a cancelled coroutine gets to clean up


class Node(Runnable[Any, Any]):
    """A node of a graph that runs in synchronous and in async graphs.

    Args:
        function: Takes the state and the config, returns the update. Either a plain
            function that does not block, or an async one.
        loop: Whether the function awaits anything but the waits of this module; then a
            synchronous run sends it to the background loop.
    """

    def __init__(self, function: Callable[[Any, RunnableConfig], Any], *, loop: bool) -> None:
        self.function = function
        self.name = function.__name__
        self.__doc__ = function.__doc__
        self._is_async = iscoroutinefunction(function)
        self._loop = loop

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002 - the name is LangChain's
        """Run the node in synchronous code."""
        config = config or {}
        if not self._is_async:
            return self.function(input, config)
        if self._loop:
            return run_blocking(self.function, input, config)
        return stepped(self.function(input, config), self.name or "node")

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002 - the name is LangChain's
        """Run the node on the caller's loop."""
        if not self._is_async:
            return self.function(input, config or {})
        if not _stepping.get():
            return await self.function(input, config or {})
        token = _stepping.set(False)
        try:
            return await self.function(input, config or {})
        finally:
            _stepping.reset(token)


@overload
def node(function: Callable[..., Any], /) -> Node: ...
@overload
def node(*, loop: bool = ...) -> Callable[[Callable[..., Any]], Node]: ...
def node(
    function: Callable[..., Any] | None = None, /, *, loop: bool = False
) -> Node | Callable[[Callable[..., Any]], Node]:
    """Make a graph node of `async def step(state, config)`, or of a quick plain function.

    Examples:
        >>> @node
        ... async def double(state, config):
        ...     return {"x": state["x"] * 2}
        >>> double.invoke({"x": 2})
        {'x': 4}
    """
    if function is None:
        return lambda decorated: Node(decorated, loop=loop)
    return Node(function, loop=loop)


async def call(
    runnable: Runnable[Any, T],
    input: Any,  # noqa: A002 - the name is LangChain's
    config: RunnableConfig | None = None,
) -> T:
    """Call a model or any runnable in the way of the run: `invoke` or `ainvoke`."""
    if _stepping.get():
        return runnable.invoke(input, config)
    return await _insisting(runnable.ainvoke(input, config))


async def _insisting(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await it; when this is cancelled, cancel it again until it obeys.

    `asyncio.wait_for` of Python 3.11, through which OpenAI's streams are read, forgets a
    cancellation that comes together with a result, and then waits on.
    """
    task = asyncio.ensure_future(coroutine)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_INSISTENCE)
        if not task.cancelled():
            task.exception()  # whoever cancelled is not interested
        raise


async def pause(seconds: float) -> None:
    """Wait without holding up the caller's loop."""
    if _stepping.get():
        time.sleep(seconds)  # noqa: ASYNC251 - a synchronous run has no loop to hold up
    else:
        await asyncio.sleep(seconds)


async def in_thread(
    seconds: float | None, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run a blocking function in a daemon thread of its own, with the caller's context.

    A thread cannot be stopped. One that outlives its limit is left behind; being a
    daemon outside any pool, it neither holds up the exit nor takes a worker's place. A
    synchronous run that sets no limit has nothing to gain from a thread, and calls the
    function directly.

    Args:
        seconds: How long to wait; `None` waits for ever.
        function: What to run.
        *args: Passed on.
        **kwargs: Passed on.

    Raises:
        TimeoutError: The function did not return in time.
    """
    stepping = _stepping.get()
    if stepping and seconds is None:
        return function(*args, **kwargs)
    future: Future[T] = Future()
    context = copy_context()

    def work() -> None:
        future.set_running_or_notify_cancel()
        try:
            future.set_result(context.run(function, *args, **kwargs))
        except StopIteration as error:  # a future cannot hold one
            future.set_exception(_wrapped(error))
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            future.set_exception(error)

    threading.Thread(target=work, name=f"cogwork-{function!r:.60}", daemon=True).start()
    if stepping:
        return future.result(seconds)
    async with asyncio.timeout(seconds):
        return await asyncio.wrap_future(future)


async def on_loop(
    seconds: float | None,
    function: Callable[P, Awaitable[T]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Await `function(*args)`; in a synchronous run, on the background loop.

    Raises:
        TimeoutError: It did not end within `seconds`; it has been cancelled.
    """
    stepping = _stepping.get()
    if seconds is None and not stepping:
        return await function(*args, **kwargs)

    async def limited() -> T:
        async with asyncio.timeout(seconds):
            return await function(*args, **kwargs)

    return run_blocking(limited) if stepping else await limited()


def _wrapped(error: BaseException) -> RuntimeError:
    wrapped = RuntimeError(f"{type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


def run_blocking(function: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T:
    """Run an async function on the background loop and wait for it.

    Callable from any thread, also from one whose own loop is running. When the wait is
    broken off (Ctrl-C), the function is cancelled and gets five seconds to clean up.

    Raises:
        BaseException: Whatever the function raises, with its traceback.
    """
    ended = threading.Event()

    async def outcome() -> tuple[T | None, BaseException | None]:
        token = _stepping.set(False)
        try:
            return await function(*args, **kwargs), None
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit must not stop the shared loop
            return None, error
        finally:
            _stepping.reset(token)
            ended.set()

    with _background_here() as background:
        future = background.submit(outcome)
        try:
            result, error = future.result()
        except CancelledError:
            raise RuntimeError("the call ended with the loop that it ran on") from None
        except BaseException:
            if future.cancel():
                ended.wait(_CANCEL_GRACE)
            raise
    if error is not None:
        raise error
    return cast("T", result)


def is_stepping() -> bool:
    """Whether this is a node of a synchronous run, which may block and has no loop."""
    return _stepping.get()


def stepped(coroutine: Coroutine[Any, Any, T], name: str) -> T:
    """Run a coroutine whose waits all are this module's, which never suspend here.

    Raises:
        RuntimeError: It waits for something else; `name` says what to mend.
    """
    token = _stepping.set(True)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast("T", stop.value)
    finally:
        _stepping.reset(token)
    coroutine.close()
    raise RuntimeError(
        f"node '{name}' awaits something that needs an event loop; "
        "declare it with @node(loop=True), or wait through cogwork.core.bridge"
    )


class _Background:
    """The one loop of this process for what only runs on a loop."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.portal: BlockingPortal | None = None
        self.thread: threading.Thread | None = None

    def start(self) -> BlockingPortal:
        """The loop's portal; a loop that something ended (SystemExit in a task) is replaced."""
        with self.lock:
            if self.portal is None or self.thread is None or not self.thread.is_alive():
                ready: Future[BlockingPortal] = Future()
                self.thread = threading.Thread(
                    target=_loop, args=(ready,), name="cogwork-loop", daemon=True
                )
                self.thread.start()
                self.portal = ready.result()
            return self.portal

    def submit(self, function: Callable[[], Coroutine[Any, Any, T]]) -> "Future[T]":
        """Start it on the loop; on the next one, if the loop is just ending."""
        while True:
            portal = self.start()
            try:
                return portal.start_task_soon(function)
            except RuntimeError:
                self.forget(portal)

    def forget(self, portal: BlockingPortal) -> None:
        """Let the next call have a loop of its own making."""
        with self.lock:
            if self.portal is portal:
                self.portal = None

    def stop(self) -> None:
        """End the loop, cancelling what still runs; what does not let itself be ended stays."""
        with self.lock:
            portal, thread, self.portal = self.portal, self.thread, None
        if portal is not None and thread is not None and thread.is_alive():
            portal.start_task_soon(portal.stop, True)
            thread.join(_CANCEL_GRACE)


_background = _Background()
_loop_thread = threading.local()


def _loop(ready: "Future[BlockingPortal]") -> None:
    # SystemExit in a task ends the loop; those who wait are told by `run_blocking`.
    with contextlib.suppress(SystemExit, KeyboardInterrupt, BaseExceptionGroup):
        anyio.run(_serve, ready)


async def _serve(ready: "Future[BlockingPortal]") -> None:
    _loop_thread.is_ours = True
    async with BlockingPortal() as portal:
        ready.set_result(portal)
        await portal.sleep_until_stopped()


@contextlib.contextmanager
def _background_here() -> Iterator[_Background]:
    if not getattr(_loop_thread, "is_ours", False):
        yield _background
        return
    # Synchronous code called on a loop of ours: waiting for that loop would wait for ever,
    # so this call gets a loop of its own.
    own = _Background()
    try:
        yield own
    finally:
        own.stop()


def _forget_after_fork() -> None:
    global _background  # noqa: PLW0603 - the thread of the parent's loop is not in the child
    _background = _Background()


def _stop() -> None:
    _background.stop()  # whichever it is by then


atexit.register(_stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
