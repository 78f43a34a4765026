"""Room in a write-ahead log: a synchronised commit that overwrites is quicker than one that appends."""

import os
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final

__all__ = ["LogRoom"]

_ROOM: Final = 1_048_576  # bytes


class LogRoom:
    """Lengthens the log of a SQLite file by zeros, which SQLite takes for the log's end.

    A commit that overwrites is synchronised once; one that appends makes the file system write
    its own journal too. The log is opened to append and never created, so that nothing which
    another process writes into it can be overwritten.

    Args:
        database: The file whose log it is.
    """

    def __init__(self, database: Path) -> None:
        self._path = f"{database}-wal"
        self._log: FileIO | None = None
        self._size = 0

    def make(self) -> None:
        """Lengthen the log if the last commit did; to be called after each by who committed."""
        with suppress(OSError):  # then the next commit appends
            if self._log is None:
                self._log = FileIO(os.open(self._path, os.O_WRONLY | os.O_APPEND), "ab")
            size = self._log.seek(0, os.SEEK_END)  # asking for its times too would cost a wait
            if 0 < size - self._size < _ROOM // 8:  # larger writes gain nothing
                self._log.write(bytes(_ROOM))
                size += _ROOM
            self._size = size

    def close(self) -> None:
        """Let go of the log."""
        if self._log is not None:
            self._log.close()
