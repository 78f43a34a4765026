"""Which runners of a file still live: each holds a lock, which the system takes back at its end.

No heartbeat is needed: a process that is stopped for a while, or a machine that sleeps, is not
taken for dead, and one that was killed is noticed at once.
"""

import functools
import os
import shutil
import time
import uuid
from pathlib import Path
from typing import Final, Protocol
from weakref import WeakSet

from cogwork.core.errors import MemoryStoreError
from cogwork.memory.store.directory_lock import DirectoryLock

__all__ = ["Presence", "let_go_in_forks"]

_MISSED: Final = 3.0  # seconds in which a sign that was removed can be renewed


class Presence:
    """This runner's sign of life among those of others.

    Args:
        folder: Where all runners of a file leave theirs; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.owner = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._folder = folder
        self._own = folder / self.owner
        self._own.mkdir(parents=True)
        self._lock = DirectoryLock(self._own)
        self._missed: dict[str, float] = {}
        let_go_in_forks(self)

    def lives(self, owner: str) -> bool:
        """Whether another runner still is there; the sign of one that is not is removed."""
        if owner == self.owner:
            return True
        if not (self._folder / owner).exists():  # by mistake, perhaps, and then it is renewed
            return time.monotonic() - self._missed.setdefault(owner, time.monotonic()) < _MISSED
        self._missed.pop(owner, None)
        try:
            DirectoryLock(self._folder / owner).close()
        except MemoryStoreError:
            return (self._folder / owner).exists()
        shutil.rmtree(self._folder / owner, ignore_errors=True)
        return False

    def keep(self) -> None:
        """Renew the sign if somebody removed it; the system keeps the lock while the process lives."""
        if not (self._own / "lock").exists():
            self._lock.close()
            self._own.mkdir(parents=True, exist_ok=True)
            self._lock = DirectoryLock(self._own)

    def let_go(self) -> None:
        """Be no sign of this process, which is a fork of the one it stands for."""
        self._lock.close()

    def leave(self) -> None:
        """Take the sign away."""
        self._lock.close()
        shutil.rmtree(self._own, ignore_errors=True)


class Sign(Protocol):
    """A sign of life."""

    def let_go(self) -> None:
        """Let go of it in this process, and leave it to the one that it stands for."""


_signs: WeakSet[Sign] = WeakSet()


def let_go_in_forks(sign: Sign) -> None:
    """See to it that forks of this process do not hold a sign of its life.

    Else it would seem to live, once it was killed, as long as any process that a node has forked.
    """
    _signs.add(sign)
    _listen()


@functools.cache
def _listen() -> None:
    if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
        os.register_at_fork(after_in_child=_let_go)


def _let_go() -> None:
    for sign in list(_signs):
        sign.let_go()
