"""Watching a program from outside: its output, its limits, and its end."""

import os
import selectors
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from cogwork.tools.sandbox.folder import usage
from cogwork.tools.sandbox.limits import TEMPORARY_BYTES, Limits
from cogwork.tools.sandbox.result import Program

__all__ = ["Outcome", "Tree", "supervise"]

_TICK = 0.02  # seconds between looks at memory; a core fills some 50 MB meanwhile
_DISK_TICK = 0.1  # between looks at the folder
_CHUNK = 1 << 16
_CLOCK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SOCKET = 1 << 20  # bytes that the kernel may hold for a socket, and counts for nobody
_WRITTEN_TIMES = 4
_KERNEL_LIMITS = {128 + signal.SIGXCPU: "cpu_seconds", 128 + signal.SIGXFSZ: "file_bytes"}


@dataclass(frozen=True, slots=True)
class Tree:
    """A process and all that descend from it.

    Args:
        root: Its number.
        inner: Whether it is the first process of a namespace, whose end is everyone's end;
            else it only watches, and does not count.
    """

    root: int
    inner: bool

    def members(self) -> Iterator[int]:
        """Their numbers, parents first."""
        waiting = [self.root]
        while waiting:
            process = waiting.pop()
            if self.inner or process != self.root:
                yield process
            waiting += _children(process)

    def kill(self) -> None:
        """End all of them, and the root."""
        if not self.inner:
            self.kill_members()
        _kill(self.root)

    def kill_members(self) -> None:
        """End all that descend from the root."""
        members = [process for process in self.members() if process != self.root]
        while any(not _is_dead(process) for process in members):  # the dying may have children
            for process in members:
                _kill(process)
            members = [process for process in self.members() if process != self.root]


@dataclass(slots=True)
class Outcome:
    """What was seen of a program."""

    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    limit: str | None = None
    exit_code: int = 0


def supervise(
    process: "subprocess.Popen[bytes]", tree: Tree, program: Program, limits: Limits
) -> Outcome:
    """Read what a program says until it ends, or ends at a limit; leave nothing running."""
    outcome = Outcome()
    look = _looks(tree, program, limits)
    try:
        with selectors.DefaultSelector() as outputs:
            for stream, kept in (("stdout", outcome.stdout), ("stderr", outcome.stderr)):
                pipe = getattr(process, stream)
                os.set_blocking(pipe.fileno(), False)
                outputs.register(pipe, selectors.EVENT_READ, kept)
            while outputs.get_map() and outcome.limit is None:
                _read(outputs, outcome, limits.output_bytes)
                outcome.limit = outcome.limit or look()
        while outcome.limit is None and process.poll() is None:
            outcome.limit = look()
            time.sleep(_TICK / 4)
    finally:
        tree.kill()
        code = process.wait()
    if outcome.limit is not None:
        outcome.exit_code = 128 + signal.SIGKILL
        return outcome
    outcome.exit_code = code if code >= 0 else 128 - code
    outcome.limit = _KERNEL_LIMITS.get(outcome.exit_code)
    return outcome


def _read(outputs: selectors.BaseSelector, outcome: Outcome, most: int) -> None:
    for key, _ in outputs.select(_TICK):
        chunk = os.read(key.fd, _CHUNK)
        if not chunk:
            outputs.unregister(key.fileobj)
        room = most - len(outcome.stdout) - len(outcome.stderr)
        key.data.extend(chunk[:room])
        if len(chunk) > room:
            outcome.limit = "output_bytes"
            return


def _looks(tree: Tree, program: Program, limits: Limits) -> Callable[[], str | None]:
    """A function that says which limit is broken, and looks only as often as is sensible."""
    end = time.monotonic() + limits.seconds
    held, files = usage(program.folder)
    # A folder that was too large before may be read, and be made smaller; and standard input
    # is a file without a name.
    room = replace(
        limits,
        disk_bytes=max(limits.disk_bytes, held) + 4 * len(program.stdin),
        files=max(limits.files, files),
    )
    due = disk_due = 0.0

    def look() -> str | None:
        nonlocal due, disk_due
        now = time.monotonic()
        if now >= end:
            return "seconds"
        if now < due:
            return None
        broken = _measured(tree, limits)
        if broken is None and now >= disk_due:
            broken = _stored(tree, program.folder, room)
            disk_due = time.monotonic() + max(_DISK_TICK, 5 * (time.monotonic() - now))
        due = time.monotonic() + _TICK
        return broken

    return look


def _stored(tree: Tree, folder: Path, room: Limits) -> str | None:
    held, files = usage(folder)
    if tree.inner:
        for place in ("tmp", "dev/shm"):  # in memory, where a file without content takes some too
            with suppress(OSError):
                status = os.statvfs(f"/proc/{tree.root}/root/{place}")
                if status.f_blocks * status.f_frsize == TEMPORARY_BYTES:  # not yet the host's
                    files += status.f_files - status.f_ffree
    if held + _nameless(tree) > room.disk_bytes:
        return "disk_bytes"
    return "files" if files > room.files else None


def _nameless(tree: Tree) -> int:
    """Bytes on disk of files that are open and have been deleted."""
    found: dict[tuple[int, int], int] = {}
    for process in tree.members():
        with suppress(OSError):  # it has ended
            for descriptor in Path(f"/proc/{process}/fd").iterdir():
                with suppress(OSError):  # it has been closed
                    status = descriptor.stat()
                    if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                        found[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(found.values())


def _measured(tree: Tree, limits: Limits) -> str | None:
    threads = ticks = written = 0
    resident: dict[int, int] = {}
    for process in tree.members():
        with suppress(OSError):  # it has ended
            fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
            ticks += sum(map(int, fields[11:15]))  # with the children that it waited for
            threads += int(fields[17])
            resident[process] = int(fields[21]) * _PAGE
            written += _written(process)
    if threads > limits.processes + 1:  # the first of a namespace is not the program's
        return "processes"
    if ticks / _CLOCK > limits.cpu_seconds:
        return "cpu_seconds"
    if written > _WRITTEN_TIMES * limits.disk_bytes:
        return "disk_bytes"
    sockets = _sockets(tree) * _SOCKET
    if sockets + sum(resident.values()) > limits.memory_bytes:  # shared pages counted often
        shares = sum(_share(process, most) for process, most in resident.items())
        return "memory_bytes" if sockets + shares > limits.memory_bytes else None
    return None


def _sockets(tree: Tree) -> int:
    """How many sockets there are in the tree's own network."""
    if tree.inner:
        with suppress(OSError):
            lines = Path(f"/proc/{tree.root}/net/sockstat").read_bytes().splitlines()
            return int(lines[0].split()[2])
    return 0


def _written(process: int) -> int:
    """Bytes sent to the disk, also those of files that have no name any more."""
    lines = Path(f"/proc/{process}/io").read_bytes().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(b"write_bytes"))


def _share(process: int, most: int) -> int:
    """Resident bytes, its part of shared pages only; slow to ask, and a process may hide it."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return most


def _children(process: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208 - names are wanted
            with suppress(OSError):
                listed = Path(f"/proc/{process}/task/{thread}/children").read_bytes()
                found += map(int, listed.split())
    return found


def _kill(process: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(process, signal.SIGKILL)


def _is_dead(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[0] in b"ZX"
    except OSError:
        return True
