"""One owner per directory: embedded Chroma loses vectors when two processes write."""

import os
from pathlib import Path
from typing import IO

from cogwork.core.errors import MemoryStoreError

__all__ = ["DirectoryLock"]


class DirectoryLock:
    """Holds a directory for this process until it is closed or the process ends.

    Args:
        directory: It exists; a file named `lock` is kept in it.

    Raises:
        MemoryStoreError: Someone holds it already; the message says who.
    """

    def __init__(self, directory: Path) -> None:
        self._file: IO[str] | None = None
        path = directory / "lock"
        try:
            file = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise MemoryStoreError(
                f"memory store '{directory}' cannot be opened: {path.name} is not writable "
                f"({error.strerror}); make the folder writable or choose another"
            ) from error
        if not _try_lock(file):
            owner = _owner(file)
            file.close()
            raise MemoryStoreError(
                f"memory store '{directory}' is in use by {owner}; a folder has one owner at "
                "a time: close that one, choose another folder, or share memory between "
                "processes through PostgreSQL and a Chroma server",
                transient=True,
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def close(self) -> None:
        """Let go of the directory."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _owner(file: IO[str]) -> str:
    file.seek(0)
    number = file.read(20).strip()
    if number == str(os.getpid()):
        return "another store of this process"
    return f"process {number}" if number else "another process"


def _try_lock(file: IO[str]) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        return _try_lock_windows(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _try_lock_windows(file: IO[str]) -> bool:
    import msvcrt

    try:
        file.seek(1000)  # beyond the text, so that others can read who holds it
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # exists on Windows only
    except OSError:
        return False
    return True
