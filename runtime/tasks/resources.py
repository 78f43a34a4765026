"""What the machine has left, and whether another task should start on it."""

import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from cogwork.core.errors import ConfigurationError
from cogwork.core.watching import Watch
from cogwork.runtime.wording import counted

__all__ = ["Resources", "Usage"]

_MEBI: Final = 2**20
_BUSY: Final = 0.9
_SHORTEST_LOOK: Final = 0.5  # seconds; shares of the processors over less are noise
_GROUPS: Final = Path("/sys/fs/cgroup")


class Usage(BaseModel):
    """What is used of a machine, by all that runs on it.

    Attributes:
        memory: Share of the memory that is in use, from 0 to 1.
        memory_left: Bytes that can still be had without swapping; in a container with a limit,
            those left of it.
        cpu: Share of all processors that was busy since the look before, from 0 to 1.
        disk_left: Bytes left where the tasks are.
        starts: Tasks that started here within the last minute.
        calls: Calls of models and tools within the last minute, of runs with the `callback`.
    """

    model_config = ConfigDict(frozen=True)

    memory: float
    memory_left: int
    cpu: float
    disk_left: int
    starts: int
    calls: int = 0


class Resources:
    """Keeps tasks from starting while something is scarce: `Runner(…, admit=Resources())`.

    Args:
        min_memory: Bytes that must be left for a task to start.
        max_cpu: Share of all processors above which none starts; 1 for no limit.
        min_disk: Bytes that must be left on the disk.
        max_starts: Tasks that may start in a minute; None for no limit.
        max_calls: Calls of models and tools in a minute from which on none starts; None for no
            limit. They are counted in runs that get `callback` as one of their callbacks.
        folder: On the disk that is looked at; the working folder unless given.

    Attributes:
        callback: Counts calls: `Runner(…, admit=resources, callbacks=[resources.callback])`.

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
        max_calls: int | None = None,
        folder: str | Path = ".",
    ) -> None:
        if min_memory < 0 or min_disk < 0 or not 0 < max_cpu <= 1:
            raise ConfigurationError(
                f"min_memory={min_memory} and min_disk={min_disk} are bytes from 0, and "
                f"max_cpu={max_cpu} is a share above 0, up to 1"
            )
        for name, most in (("max_starts", max_starts), ("max_calls", max_calls)):
            if most is not None and most < 1:
                raise ConfigurationError(f"{name} is {most}; it must be 1 or more")
        self._min_memory = min_memory
        self._max_cpu = max_cpu
        self._min_disk = min_disk
        self._max_starts = max_starts
        self._max_calls = max_calls
        self._folder = Path(folder).absolute()
        self._admission = threading.Lock()
        self._starts = _LastMinute()
        self._calls = _LastMinute()
        self._processors = _Processors()
        self.callback: Watch = _CallCounter(self._calls)

    def __call__(self) -> str | None:
        """Return why no task may start now; None, and counts a start, if one may."""
        with self._admission:
            reason = self._scarce(self.usage())
            if reason is None:
                self._starts.add()
            return reason

    def usage(self) -> Usage:
        """Return what is used now."""
        import psutil

        machine = psutil.virtual_memory()
        total, left = min(
            [(machine.total, machine.available), *_memory_limits(_GROUPS, _own_group())],
            key=lambda limit: limit[1],
        )
        disk = next(each for each in (self._folder, *self._folder.parents) if each.exists())
        return Usage(
            memory=min(max(1 - left / total, 0.0), 1.0),
            memory_left=left,
            cpu=self._processors.share(),
            disk_left=psutil.disk_usage(str(disk)).free,
            starts=self._starts.count(),
            calls=self._calls.count(),
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
        if self._max_calls is not None and used.calls > _BUSY * self._max_calls:
            found.append(
                f"{counted(used.calls, 'call was', 'calls were')} made within a minute, near max_calls of "
                f"{self._max_calls}: cache what repeats, or lower max_concurrency"
            )
        return found

    def _scarce(self, used: Usage) -> str | None:
        if used.memory_left < self._min_memory:
            return f"{used.memory_left // _MEBI:,} MiB of memory are left, {self._of('memory')}"
        if used.disk_left < self._min_disk:
            return f"{used.disk_left // _MEBI:,} MiB of disk are left, {self._of('disk')}"
        if self._max_cpu < 1 and used.cpu > self._max_cpu:
            return f"the processors are busy at {used.cpu:.0%}, above max_cpu={self._max_cpu}"
        if self._max_starts is not None and used.starts >= self._max_starts:
            return f"{counted(used.starts, 'task')} started within a minute, as many as max_starts allows"
        if self._max_calls is not None and used.calls >= self._max_calls:
            return f"{counted(used.calls, 'call was', 'calls were')} made within a minute, as many as max_calls allows"
        return None

    def _of(self, name: str) -> str:
        least = {"memory": self._min_memory, "disk": self._min_disk}[name]
        return f"under min_{name} of {least // _MEBI:,}"


class _LastMinute:
    """Counts what happened within the last minute, by the second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: deque[list[int]] = deque()  # second, count

    def add(self) -> None:
        now = int(time.monotonic())
        with self._lock:
            if not self._seconds or self._seconds[-1][0] != now:
                self._seconds.append([now, 0])
            self._seconds[-1][1] += 1
            self._forget(now)

    def count(self) -> int:
        with self._lock:
            self._forget(int(time.monotonic()))
            return sum(count for _, count in self._seconds)

    def _forget(self, now: int) -> None:
        while self._seconds and self._seconds[0][0] <= now - 60:
            self._seconds.popleft()


class _Processors:
    """How busy the processors were since the look before, whoever looks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at, self._share = time.monotonic(), 0.0
        self._busy, self._total = _processor_seconds()

    def share(self) -> float:
        """Return the share, from 0 to 1; that of before if the last look is too recent."""
        with self._lock:
            now = time.monotonic()
            if now - self._at >= _SHORTEST_LOOK:
                busy, total = _processor_seconds()
                if total > self._total:
                    share = (busy - self._busy) / (total - self._total)
                    self._share = min(max(share, 0.0), 1.0)
                self._at, self._busy, self._total = now, busy, total
            return self._share


def _processor_seconds() -> tuple[float, float]:
    """Seconds that the processors were busy, and all seconds, since the machine started."""
    import psutil

    times = psutil.cpu_times()
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    total = sum(times) - guests  # Linux counts them with the users' too
    return total - times.idle - getattr(times, "iowait", 0.0), total


def _own_group() -> str:
    """The control group of this process; empty where there are none."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line[3:] for line in lines if line.startswith("0::")), "")


def _memory_limits(root: Path, group: str) -> list[tuple[int, int]]:
    """Limits on memory by control groups, such as a container's: bytes in all, and left of them."""
    own = root / group.strip("/")
    folders = [own, *own.parents] if own.is_relative_to(root) else []
    places = [
        (folder / "memory.max", folder / "memory.current", folder / "memory.stat")
        for folder in folders
        if folder.is_relative_to(root)
    ]
    old = root / "memory"
    places.append(
        (old / "memory.limit_in_bytes", old / "memory.usage_in_bytes", old / "memory.stat")
    )
    return [limit for place in places if (limit := _memory_limit(*place))]


def _memory_limit(limit: Path, used: Path, figures: Path) -> tuple[int, int] | None:
    try:
        most, now = int(limit.read_text()), int(used.read_text())
        stat = dict(line.split() for line in figures.read_text().splitlines())
    except (OSError, ValueError):  # there is none, or it is "max"
        return None
    reclaimable = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
    return (most, max(most - now + reclaimable, 0)) if 0 < most < 2**60 else None


class _CallCounter(Watch):
    """Counts calls of models and tools."""

    ignore_chain = True

    def __init__(self, calls: _LastMinute) -> None:
        self._calls = calls

    def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        self._calls.add()

    def on_llm_start(self, *_: Any, **__: Any) -> None:
        self._calls.add()

    def on_tool_start(self, *_: Any, **__: Any) -> None:
        self._calls.add()

    def tool_begins(self, _: Any) -> None:
        self._calls.add()
