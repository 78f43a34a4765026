"""Which runners of a file still live: each holds a lock, which the system takes back at its end.

No heartbeat is needed: a process that is stopped for a while, or a machine that sleeps, is not
taken for dead, and one that was killed is noticed at once.
"""

import os
import shutil
import uuid
from pathlib import Path

from cogwork.core.errors import MemoryStoreError
from cogwork.memory.store.directory_lock import DirectoryLock

__all__ = ["Presence"]


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

    def lives(self, owner: str) -> bool:
        """Whether another runner still is there; the sign of one that is not is removed."""
        if owner == self.owner:
            return True
        try:
            DirectoryLock(self._folder / owner).close()
        except MemoryStoreError:
            return (self._folder / owner).exists()
        shutil.rmtree(self._folder / owner, ignore_errors=True)
        return False

    def keep(self) -> None:
        """Renew the sign; the system keeps a lock as long as the process lives."""

    def leave(self) -> None:
        """Take the sign away."""
        self._lock.close()
        shutil.rmtree(self._own, ignore_errors=True)
