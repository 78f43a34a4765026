"""Embedded Chroma in a process of its own.

Chroma 1.5.9 holds Python's interpreter lock for as long as it adds vectors, two
milliseconds for each: in this process, it would stop every event loop and thread. The
child ends when its parent does.
"""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

import numpy as np

from cogwork.core.errors import MemoryStoreError
from cogwork.memory.store import chroma_child
from cogwork.memory.store.chroma_child import receive, send
from cogwork.memory.store.rows import Ids, Matrix

__all__ = ["ChromaProcess"]


class ChromaProcess:
    """One collection in a folder, served by a child that starts with the first request.

    Args:
        folder: Chroma's; it is created.
        name: The collection.

    Raises:
        MemoryStoreError: The child cannot be started, fails, or has ended; the next
            request starts another.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def add(self, ids: list[int], matrix: Matrix) -> None:
        """Add vectors; those it has already stay as they are."""
        self._ask({"do": "add", "ids": ids}, matrix.tobytes())

    def remove(self, ids: list[int]) -> None:
        """Remove vectors; those it does not have are no error."""
        self._ask({"do": "remove", "ids": ids})

    def nearest(self, query: Matrix, count: int) -> Ids:
        """Return the numbers of about `count` vectors nearest to the query."""
        found = self._ask({"do": "nearest", "count": count}, query.tobytes())
        return np.array(found, dtype=np.int64)

    def ids(self) -> list[int]:
        """Return the numbers of all vectors it has."""
        return list(self._ask({"do": "ids"}))

    def close(self) -> None:
        """End the child after the request under way."""
        with self._lock:
            self._end()

    def _ask(self, header: dict[str, Any], payload: bytes = b"") -> Any:
        with self._lock:
            try:
                child = self._running()
                send(_stream(child.stdin), header, payload)
                answer = receive(_stream(child.stdout))
            except OSError as error:
                self._end()
                raise MemoryStoreError(f"its process cannot be reached: {error}") from error
            except BaseException:
                self._end()  # the next answer would be that to this request
                raise
            if answer is None:
                self._end()
                raise MemoryStoreError("its process ended")
        reply, _ = answer
        if "error" in reply:
            raise MemoryStoreError(reply["error"])
        return reply["result"]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            self._child = subprocess.Popen(  # noqa: S603 - this interpreter and a file of this package
                [sys.executable, "-P", chroma_child.__file__, str(self._folder), self._name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,  # Ctrl-C is for the parent
            )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(OSError):  # it may have ended already
            _stream(child.stdin).close()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        _stream(child.stdout).close()


def _stream(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise OSError("no pipe")
    return pipe
