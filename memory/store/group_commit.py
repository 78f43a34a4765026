"""One transaction for all the threads that wait to write."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

__all__ = ["GroupCommit"]

T = TypeVar("T")


class _Job(Generic[T]):
    """A piece of a transaction, and what became of it."""

    def __init__(self, work: Callable[[Any], T], *, synced: bool) -> None:
        self.work = work
        self.synced = synced
        self.done = False
        self.result: T
        self.error: BaseException | None = None


class GroupCommit:
    """Writers queue up; the first of them commits what all have brought.

    Args:
        transact: Runs a function with a cursor in a transaction, all or nothing, and
            returns when that is durable; given `synced=False`, when the process may die.
    """

    def __init__(self, transact: Callable[..., None]) -> None:
        self._transact = transact
        self._waiting: deque[_Job[Any]] = deque()
        self.lock = threading.Lock()

    def write(self, work: Callable[[Any], T], *, synced: bool = True) -> T:
        """Run `work` in a transaction and return its result once that is durable.

        `work` may run twice, when the transaction it shared failed.
        """
        job = _Job(work, synced=synced)
        self._waiting.append(job)
        with self.lock:
            if not job.done:
                jobs = [self._waiting.popleft() for _ in range(len(self._waiting))]
                self._commit(jobs)
        if job.error is not None:
            raise job.error
        return job.result

    def _commit(self, jobs: list[_Job[Any]]) -> None:
        how = {} if any(job.synced for job in jobs) else {"synced": False}
        try:
            self._transact(lambda cursor: _run(jobs, cursor), **how)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever brought the job
            if len(jobs) > 1:
                for job in jobs:
                    self._commit([job])
                return
            jobs[0].error = error
        for job in jobs:
            job.done = True


def _run(jobs: list[_Job[Any]], cursor: Any) -> None:
    for job in jobs:
        job.result = job.work(cursor)
