"""One call of a pool, one worker, and what is said and checked of them."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cogwork.core.errors import ConfigurationError

__all__ = ["Call", "Seat", "WhenFull", "check_limits", "kill", "name_of", "tell"]

WhenFull = Literal["wait", "refuse"]

_SIGNAL: Final = getattr(signal, "SIGKILL", signal.SIGTERM)


@dataclass(slots=True, eq=False)
class Call:
    """One call, from when it is handed in until its future is settled."""

    work: Callable[[], Any]
    name: str
    future: "Future[Any]" = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)  # in the queue, then with a worker
    is_admitted: bool = False
    is_settled: bool = False


@dataclass(slots=True, eq=False)
class Seat:
    """One worker."""

    executor: Executor
    number: int = 0  # of the thread or the process
    is_left: bool = False


def kill(process: int) -> None:
    """End a process at once, if it has not ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, _SIGNAL)


def tell(call: Call, result: Any = None, error: BaseException | None = None) -> None:
    """Tell the outcome of a call to who waits for it."""
    if not call.future.running() and not call.future.set_running_or_notify_cancel():
        return
    if isinstance(error, StopIteration):  # no coroutine can be given one
        wrapped = RuntimeError(f"'{call.name}' raised {error!r}")
        wrapped.__cause__ = error
        error = wrapped
    if error is not None:
        call.future.set_exception(error)
    else:
        call.future.set_result(result)


def check_limits(name: str, workers: int, queue: int, timeout: float | None) -> None:
    """Refuse limits of a pool that make no sense.

    Raises:
        ConfigurationError: One of them does.
    """
    if workers < 1 or queue < 0:
        raise ConfigurationError(
            f"pool '{name}' has workers={workers} and queue={queue}; "
            "it needs 1 worker or more, and a queue of 0 or more"
        )
    if timeout is not None and not 0 < timeout < float("inf"):
        raise ConfigurationError(
            f"pool '{name}' has timeout={timeout}; give seconds above 0, or None for no limit"
        )


def name_of(function: object) -> str:
    """What a function is called in messages."""
    return getattr(function, "__qualname__", None) or type(function).__qualname__
