"""The folder that a program works in, looked at from outside."""

import os
import secrets
import stat
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from cogwork.tools.sandbox.result import ProducedFile

__all__ = [
    "Snapshot",
    "is_root",
    "own_user",
    "produced",
    "program_file",
    "snapshot",
    "usage",
]

Snapshot = Mapping[str, tuple[int, int, int]]

_FIRST_USER = 1_900_000_000  # far beyond the numbers that people and services get
_MOST = 100_000  # files and folders that are looked at
_HIDDEN = ".cogwork-run-"


@contextmanager
def program_file(folder: Path, code: str, suffix: str) -> Iterator[str]:
    """Put the program into its work folder under a name of its own, as long as it runs."""
    name = f"{_HIDDEN}{secrets.token_hex(8)}{suffix}"
    descriptor = os.open(
        folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(code)
        yield name
    finally:
        with suppress(OSError):  # the program may have taken it away
            (folder / name).unlink()


def snapshot(folder: Path) -> Snapshot:
    """Remember every file, to see later which ones a program wrote."""
    return {
        path: (status.st_ino, status.st_size, status.st_mtime_ns)
        for path, status in _walk(folder)
        if status and stat.S_ISREG(status.st_mode) and not path.startswith(_HIDDEN)
    }


def produced(before: Snapshot, after: Snapshot) -> tuple[ProducedFile, ...]:
    """The files that are new or changed."""
    changed = sorted(path for path, seen in after.items() if before.get(path) != seen)
    return tuple(ProducedFile(path, after[path][1]) for path in changed)


def usage(folder: Path) -> tuple[int, int]:
    """The bytes on disk, and the number of files and folders; no end if some are hidden."""
    held = files = 0
    for _, status in _walk(folder):
        if status is None:
            return sys.maxsize, sys.maxsize
        held += status.st_blocks * 512
        files += 1
    return held, files


def is_root() -> bool:
    """Whether this is root, with every user number to give; in some containers it is not."""
    if os.geteuid() != 0:
        return False
    lines = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
    spans = [tuple(map(int, line.split())) for line in lines]
    return any(first <= _FIRST_USER < first + count - 2**26 for first, _, count in spans)


def own_user(folder: Path) -> int | None:
    """The user number of this folder alone, to which root hands it over; None if not root."""
    if not is_root():
        return None
    user = _FIRST_USER + zlib.crc32(os.fsencode(folder)) % 2**26
    for _, folders, files, descriptor in os.fwalk(folder, follow_symlinks=False):
        for name in (".", *folders, *files):
            with suppress(FileNotFoundError):  # another run of this folder removed it
                _give(name, descriptor, user)
    return user


def _give(name: str, folder: int, user: int) -> None:
    """Hand over what root owns; what has a second name may be known elsewhere by that."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    ours = status.st_uid == 0 or _FIRST_USER <= status.st_uid != user
    if ours and (stat.S_ISDIR(status.st_mode) or status.st_nlink == 1):
        os.chown(name, user, user, dir_fd=folder, follow_symlinks=False)


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result | None]]:
    """What lies in the folder, at any depth, up to `_MOST`; None for what cannot be listed.

    A program may be changing it meanwhile; what is gone is left out.
    """
    waiting, count = [""], 0
    while waiting and count < _MOST:
        within = waiting.pop()
        try:
            with os.scandir(folder / within) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    path = f"{within}/{entry.name}" if within else entry.name
                    yield path, status
                    count += 1
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            yield within, None
