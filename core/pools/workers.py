"""The machinery of thread and process pools: workers, the queue before them, and their clock.

Each worker is a standard executor of its own, with a single thread or process: a call that
hangs, or kills its worker, costs that worker and no other call, and the worker is replaced.
"""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from typing import Any, Final

from cogwork.core.pools.calls import Call, Seat, check_limits, kill, tell
from cogwork.core.pools.info import PoolFullError, PoolInfo, Tally, WorkerLostError

__all__ = ["Workers"]

_GRACE: Final = 5.0  # seconds for workers that are just starting or dying


class Workers:
    """Workers of one kind. A call goes `enter`, `_move`, `_begin`, `_ended`, and is settled.

    Args:
        count: Of workers, at most; they are started when they are needed.
        queue: Calls that may wait for one.
        timeout: Seconds that a call may run.
        name: For messages, and of the threads.
        processes: Whether they are processes, not threads.
    """

    def __init__(
        self, count: int, queue: int, timeout: float | None, name: str, *, processes: bool
    ) -> None:
        check_limits(name, count, queue, timeout)
        self._count, self._bound = count, count + queue
        self._timeout, self._name, self._processes = timeout, name, processes
        lock = threading.RLock()
        self.changed, self._clock = threading.Condition(lock), threading.Condition(lock)
        self._outside: deque[Call] = deque()
        self._queued: deque[Call] = deque()
        self._running: dict[Seat, Call] = {}
        self._idle: list[Seat] = []
        self._ending: deque[Seat] = deque(maxlen=2 * count)  # idle or lost, and to be no more
        self._seats = self._opening = self._left = self._unfinished = 0
        self._is_closed = self._is_closing = self._is_watched = False
        self._tally = Tally()

    @property
    def bound(self) -> int:
        """Calls that may be under way: with the workers, and in the queue."""
        return self._bound

    def info(self) -> PoolInfo:
        """Return the figures so far."""
        with self.changed:
            return self._tally.info(
                self._count,
                running=len(self._running),
                queued=len(self._queued),
                waiting=len(self._outside),
                left=self._left,
            )

    def enter(self, work: Callable[[], Any], name: str, *, refuse: bool) -> Call:
        """Hand in a call; one for which there is no room yet waits outside the queue.

        Raises:
            PoolFullError: There is no room, and it is to be refused.
            RuntimeError: The pool was shut down.
        """
        call = Call(work, name)
        with self.changed:
            if self._is_closed:
                raise RuntimeError(f"pool '{self._name}' was shut down and takes no more calls")
            if refuse and len(self._queued) + len(self._running) >= self._bound:
                self._tally.ends["refused"] += 1
                raise PoolFullError(
                    f"pool '{self._name}' is full: {len(self._running)} calls run and "
                    f"{len(self._queued)} wait; try again later, or enlarge its queue",
                    transient=True,
                )
            self._outside.append(call)
            self._unfinished += 1
        call.future.add_done_callback(partial(self._done, call))
        self._move()
        return call

    def cancel(self, call: Call) -> None:
        """Give up a call: one that waits is dropped, a process that runs it is killed."""
        if call.future.cancel() or not self._processes:
            return
        with self.changed:
            seats = [seat for seat, running in self._running.items() if running is call]
            is_first = bool(seats) and self._mark(call, "cancelled")
            for seat in seats if is_first else ():
                kill(seat.number)
        if is_first:
            tell(call, error=WorkerLostError(f"'{call.name}' was cancelled, its worker killed"))

    def shut(self) -> None:
        """Take no more calls."""
        with self.changed:
            self._is_closed = True

    def drained(self, timeout: float | None) -> bool:
        """Wait until all that was handed in has ended; whether it has, after these seconds."""
        with self.changed:
            return self.changed.wait_for(lambda: not self._unfinished, timeout)

    def drop(self) -> None:
        """Cancel what no worker has begun."""
        with self.changed:
            calls = [*self._outside, *self._queued]
        for call in calls:
            call.future.cancel()

    def give_up(self, why: str) -> None:
        """End what runs with `TimeoutError`."""
        with self.changed:
            running = list(self._running.items())
        for seat, call in running:
            self._expire(seat, call, why, leaves=True)

    def close(self, *, wait: bool) -> None:
        """End the workers, once they have nothing more to do."""
        with self.changed:
            if wait:
                self.changed.wait_for(self._is_still, _GRACE)
            self._is_closing = True
            self._clock.notify_all()
            if not self._queued and not self._outside:
                self._take_idle()
            ending = list(self._ending)
        for seat in ending:
            seat.executor.shutdown(wait=wait)

    def _is_still(self) -> bool:
        """Whether no worker starts, and none that was killed is yet to end."""
        return not self._opening and not (self._processes and self._running)

    def _take_idle(self) -> list[Seat]:
        idle, self._idle = self._idle, []
        self._seats -= len(idle)
        self._ending.extend(idle)
        return idle

    def _move(self, *, opens: bool = True) -> None:
        """Let calls in, and give them to workers that are free."""
        with self.changed:
            self._admit()
            begin = list(self._pairs())
            more = self._missing() if opens else 0
            self._opening += more
            idle = self._take_idle() if self._is_closing and not self._queued else []
            self.changed.notify_all()
        for seat in idle:
            seat.executor.shutdown(wait=False)
        for seat, call in begin:
            self._begin(seat, call)
        for _ in range(more):
            self._open()

    def _admit(self) -> None:
        while self._outside and len(self._queued) + len(self._running) < self._bound:
            self._queued.append(self._outside.popleft())
            self._queued[-1].is_admitted = True

    def _pairs(self) -> Iterator[tuple[Seat, Call]]:
        """Take what waits, oldest first, with a worker for each."""
        while self._queued and self._idle:
            call = self._queued.popleft()
            if call.future.running() or call.future.set_running_or_notify_cancel():
                self._running[seat := self._idle.pop()] = call
                now = time.monotonic()
                self._tally.queue_seconds += now - call.since
                call.since = now
                yield seat, call

    def _missing(self) -> int:
        """How many more workers what waits could use."""
        free = self._count - self._seats - self._opening
        return max(min(len(self._queued) - self._opening, free), 0)

    def _open(self) -> None:
        """Have one more worker; it takes calls once it is ready."""
        try:
            seat = Seat(self._executor())
            ready = seat.executor.submit(os.getpid if self._processes else threading.get_ident)
        except (OSError, RuntimeError) as error:
            self._not_opened(error)
        else:
            ready.add_done_callback(partial(self._opened, seat))

    def _executor(self) -> Executor:
        if self._processes:  # by spawn: a fork would copy locks that other threads hold
            return ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        return ThreadPoolExecutor(1, thread_name_prefix=self._name)

    def _opened(self, seat: Seat, ready: "Future[int]") -> None:
        if error := ready.exception():
            self._not_opened(error)
            return
        seat.number = ready.result()
        with self.changed:
            self._opening -= 1
            self._seats += 1
            self._idle.append(seat)
        self._move()

    def _not_opened(self, error: BaseException) -> None:
        lost: list[Call] = []
        with self.changed:
            self._opening -= 1
            if not self._seats and not self._opening:
                lost = [*self._queued, *self._outside]
                self._queued.clear()
                self._outside.clear()
            lost = [call for call in lost if self._mark(call, "lost")]
        said = f"pool '{self._name}' can start no worker: {error}"
        if self._processes:
            said += (
                "; see that the program can be imported: what it does when it is run belongs "
                "under `if __name__ == '__main__':`"
            )
        for call in lost:
            tell(call, error=WorkerLostError(said))
        self._move(opens=False)

    def _begin(self, seat: Seat, call: Call) -> None:
        try:
            inner = seat.executor.submit(call.work)
        except RuntimeError:  # the process died while it was idle, so the call has not begun
            with self.changed:
                self._running.pop(seat, None)
                self._seats -= 1
                if not call.is_settled:
                    self._queued.appendleft(call)
            self._move()
        else:
            self._watch()
            inner.add_done_callback(partial(self._ended, seat, call))

    def _ended(self, seat: Seat, call: Call, inner: "Future[Any]") -> None:
        """A worker is done with a call, or dead; told by a thread of the worker's executor."""
        error = inner.exception()
        end = "finished" if error is None else "failed"
        if self._processes and isinstance(error, BrokenProcessPool):
            end, error = "lost", self._death(seat, call, error)
        with self.changed:
            self._running.pop(seat, None)
            if seat.is_left:
                self._left -= 1
            elif end == "lost":
                self._seats -= 1
                self._ending.append(seat)
            else:
                self._idle.append(seat)
            is_first = self._mark(call, end)
        if seat.is_left:
            seat.executor.shutdown(wait=False)
        if is_first:
            tell(call, None if error else inner.result(), error)
        self._move()

    def _death(self, seat: Seat, call: Call, error: BrokenProcessPool) -> WorkerLostError:
        if error.__cause__ is not None:  # the standard library has read something it could not
            return WorkerLostError(
                f"what '{call.name}' returned or raised in pool '{self._name}' cannot be read "
                f"back: {_last_line(error.__cause__)}; an exception has to be made by what it gives "
                "to Exception.__init__; the call has been done"
            )
        return WorkerLostError(
            f"worker process {seat.number} of pool '{self._name}' died while it ran "
            f"'{call.name}': it was killed, ran out of memory or ended itself; "
            "the call may have been done in part"
        )

    def _mark(self, call: Call, end: str) -> bool:
        """Note how a call ended; whether this is its first end, which counts. Under the lock."""
        if call.is_settled:
            return False
        call.is_settled = True
        self._tally.ends[end] += 1
        if end != "lost" or call.future.running():
            self._tally.seconds += time.monotonic() - call.since
        return True

    def _done(self, call: Call, future: "Future[Any]") -> None:
        """The future has its outcome, or was cancelled while the call waited."""
        with self.changed:
            if future.cancelled() and not call.is_settled:
                call.is_settled = True
                self._tally.ends["cancelled"] += 1
                for calls in (self._outside, self._queued):
                    with contextlib.suppress(ValueError):
                        calls.remove(call)
            self._unfinished -= 1
            self.changed.notify_all()
        if future.cancelled():
            self._move()

    def _expire(self, seat: Seat, call: Call, why: str, *, leaves: bool = False) -> None:
        """Give up a call that runs, and its worker.

        A process is killed. A thread cannot be: it is left behind and another takes its place,
        as long as no more than `count` are left; else it keeps its place until it ends.
        """
        with self.changed:
            if self._running.get(seat) is not call or not self._mark(call, "timed_out"):
                return
            if self._processes:
                kill(seat.number)
            elif leaves or self._left < self._count:
                del self._running[seat]
                self._seats -= 1
                self._left += 1
                seat.is_left = True
        tell(call, error=TimeoutError(f"'{call.name}' in pool '{self._name}' {why}"))
        self._move()

    def _watch(self) -> None:
        """See to it that somebody looks at the clock while calls run."""
        with self.changed:
            if self._timeout is None or self._is_watched:
                return
            self._is_watched = True
        threading.Thread(target=self._look, name=f"{self._name}-clock", daemon=True).start()

    def _look(self) -> None:
        timeout = self._timeout or 0.0
        while True:
            with self._clock:
                if not self._running:
                    self._is_watched = False
                    return
                now = time.monotonic()
                open_ = [item for item in self._running.items() if not item[1].is_settled]
                late = [item for item in open_ if item[1].since + timeout <= now]
                if not late:
                    left = (call.since + timeout - now for _, call in open_)
                    self._clock.wait(min(left, default=timeout))
            for seat, call in late:
                self._expire(seat, call, f"did not end within {timeout:g} seconds")


def _last_line(cause: BaseException) -> str:
    """What a traceback that came as text says at its end."""
    lines = str(cause).strip().strip("'\"").strip().splitlines()
    return lines[-1] if lines else type(cause).__name__
