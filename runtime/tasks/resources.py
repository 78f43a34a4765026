"""What the machine has left, and whether another task should start on it."""

import time
from collections import deque
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from cogwork.core.errors import ConfigurationError

__all__ = ["Resources", "Usage"]

_MEBI: Final = 2**20
_BUSY: Final = 0.9


class Usage(BaseModel):
    """What is used of a machine, by all that runs on it.

    Attributes:
        memory: Share of the memory that is in use, from 0 to 1.
        memory_left: Bytes that can still be had without swapping.
        cpu: Share of all processors that was busy since the look before, from 0 to 1.
        disk_left: Bytes left where the tasks are.
        starts: Tasks that started here within the last minute.
    """

    model_config = ConfigDict(frozen=True)

    memory: float
    memory_left: int
    cpu: float
    disk_left: int
    starts: int


class Resources:
    """Keeps tasks from starting while something is scarce: `Runner(…, admit=Resources())`.

    Args:
        min_memory: Bytes that must be left for a task to start.
        max_cpu: Share of all processors above which none starts; 1 for no limit.
        min_disk: Bytes that must be left on the disk.
        max_starts: Tasks that may start in a minute; None for no limit.
        folder: On the disk that is looked at; the working folder unless given.

    Raises:
        ConfigurationError: A limit is impossible.
    """

    def __init__(
        self,
        *,
        min_memory: int = 256 * _MEBI,
        max_cpu: float = 1.0,
        min_disk: int = 256 * _MEBI,
        max_starts: int | None = None,
        folder: str | Path = ".",
    ) -> None:
        if min_memory < 0 or min_disk < 0 or not 0 < max_cpu <= 1:
            raise ConfigurationError(
                f"min_memory={min_memory} and min_disk={min_disk} are bytes from 0, and "
                f"max_cpu={max_cpu} is a share above 0, up to 1"
            )
        if max_starts is not None and max_starts < 1:
            raise ConfigurationError(f"max_starts is {max_starts}; it must be 1 or more")
        self._min_memory = min_memory
        self._max_cpu = max_cpu
        self._min_disk = min_disk
        self._max_starts = max_starts
        self._folder = str(folder)
        self._starts: deque[float] = deque()

    def __call__(self) -> str | None:
        """Return why no task may start now; None, and counts a start, if one may."""
        used = self.usage()
        if used.memory_left < self._min_memory:
            return f"{used.memory_left // _MEBI:,} MiB of memory are left, {self._of('memory')}"
        if used.disk_left < self._min_disk:
            return f"{used.disk_left // _MEBI:,} MiB of disk are left, {self._of('disk')}"
        if self._max_cpu < 1 and used.cpu > self._max_cpu:
            return f"the processors are busy at {used.cpu:.0%}, above max_cpu={self._max_cpu}"
        if self._max_starts is not None and used.starts >= self._max_starts:
            return f"{used.starts} tasks started within a minute, as many as max_starts allows"
        self._starts.append(time.monotonic())
        return None

    def usage(self) -> Usage:
        """Return what is used now."""
        import psutil

        memory = psutil.virtual_memory()
        while self._starts and time.monotonic() - self._starts[0] > 60:
            self._starts.popleft()
        return Usage(
            memory=min(max(memory.percent / 100, 0.0), 1.0),
            memory_left=memory.available,
            cpu=min(max(psutil.cpu_percent() / 100, 0.0), 1.0),
            disk_left=psutil.disk_usage(self._folder).free,
            starts=len(self._starts),
        )

    def advice(self) -> list[str]:
        """Return what would help, the most pressing first; nothing if all is well."""
        used, found = self.usage(), []
        if used.memory > _BUSY or used.memory_left < 2 * self._min_memory:
            found.append(f"memory is at {used.memory:.0%}: lower max_concurrency, or add a machine")
        if used.disk_left < 4 * self._min_disk:
            found.append(
                f"{used.disk_left // _MEBI:,} MiB of disk are left: run cleanup() for old tasks"
            )
        if used.cpu > _BUSY:
            found.append(f"the processors are at {used.cpu:.0%}: more tasks at once only wait")
        return found

    def _of(self, name: str) -> str:
        least = {"memory": self._min_memory, "disk": self._min_disk}[name]
        return f"under min_{name} of {least // _MEBI:,}"
