"""Small writes, on the disk at the price of one synchronised write each, until they are applied.

One item touches about twenty pages of the tables and their indexes: its row, words, vector and
links. Noted it touches one place of a file, and a hundred applied at once share most pages.
"""

import errno
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import ormsgpack

from cogwork.core.errors import MemoryStoreError
from cogwork.memory.store.group_commit import GroupCommit
from cogwork.memory.store.namespaces import decode, encode
from cogwork.memory.store.rows import Change

__all__ = ["Note", "NoteLog", "is_small", "refuse_orphans"]

_HEAD: Final = struct.Struct("<IIQ")  # bytes of the note, its checksum, its number
_ROOM: Final = 262_144  # bytes that a file is lengthened by
_ADVICE: Final = {
    errno.ENOSPC: "free some disk space; what was stored before is intact",
    errno.EDQUOT: "the quota is used up; what was stored before is intact",
    errno.EFBIG: "the limit of file sizes is reached; what was stored before is intact",
    errno.EROFS: "make the folder writable or choose another",
    errno.EACCES: "make the folder and the files in it writable or choose another",
}
_MOST: Final = 8  # changes
_MOST_BYTES: Final = 32_000
_synchronise = getattr(os, "fdatasync", os.fsync)


class Note(NamedTuple):
    """Changes of different items that were written together.

    Attributes:
        number: Of the note; none is used twice.
        changes: What to apply, all or nothing.
        at: When, in microseconds since 1970.
    """

    number: int
    changes: Sequence[Change]
    at: int


def is_small(changes: Sequence[Change]) -> bool:
    """Whether the changes are worth noting first."""
    return len(changes) <= _MOST and sum(map(_size, changes)) <= _MOST_BYTES


def _size(change: Change) -> int:
    return len(change.value or "") + len(change.text) + sum(map(len, change.vectors))


class NoteLog:
    """Two files that are overwritten from their starts, in turns.

    While the notes of one are applied, the other takes the new ones. Both keep their length,
    for to overwrite is synchronised once, and to lengthen a file twice. A note counts when it
    is whole and its number follows that of the one before; what comes after is of an earlier turn.

    Args:
        path: Of the store's records; the files lie beside it.
        applied: The number of the last note that the records have.

    Raises:
        MemoryStoreError: The files cannot be opened, now or later written.
    """

    def __init__(self, path: Path, applied: int) -> None:
        self._path = path
        self._group = GroupCommit(self._write)
        self._closed = False
        self._process = os.getpid()
        with self._explained():
            self._files = [_File(path.with_suffix(f".notes{n}")) for n in range(2)]
        found = [note for file in self._files for note in file.notes() if note.number > applied]
        self.pending = sorted(found)
        """What is not applied yet, in order."""
        if found and self.pending[0].number != applied + 1:
            self.close()
            raise MemoryStoreError(
                f"memory store '{path}' ends before what was noted beside it goes on: it is an "
                "older copy; restore the whole folder, or delete its memory.notes0 and "
                "memory.notes1 to go on from the copy"
            )
        self._applied = applied
        self._last = max(applied, *(file.last for file in self._files))
        self._files.sort(key=lambda file: file.last)  # the last one is written to

    def add(self, changes: Sequence[Change], at: int) -> None:
        """Note changes; they are durable when this returns.

        Threads that note at once share a synchronisation.
        """
        self._group.write(lambda noted: noted.append((changes, at)))

    def take(self, applied: int) -> Sequence[Note]:
        """Return what is to be applied after a note; new ones go to the other file, if it is free."""
        with self._group.lock:
            other, current = self._files
            if other.last <= self._applied:
                other.rewind()
                self._files = [current, other]
            return [note for note in self.pending if note.number > applied]

    def forget(self, applied: int) -> None:
        """Let go of what the records have, durably, up to a note."""
        with self._group.lock:
            self._applied = max(self._applied, applied)
            self.pending = [note for note in self.pending if note.number > applied]

    def close(self) -> None:
        """Close the files; what is pending is found when they are opened again."""
        with self._group.lock:
            if not self._closed:
                self._closed = True
                for file in self._files:
                    file.close()

    def _write(self, work: Callable[[list[tuple[Sequence[Change], int]]], None]) -> None:
        if self._closed:
            raise MemoryStoreError(
                f"memory store '{self._path}' was closed; create another to go on"
            )
        if self._process != os.getpid():  # it would write over the notes of the other
            raise MemoryStoreError(
                f"memory store '{self._path}' was opened by process {self._process}, of which this "
                "one is a fork; write in that one only, or use postgresql://, which several share"
            )
        noted: list[tuple[Sequence[Change], int]] = []
        work(noted)
        notes = [Note(number, *each) for number, each in enumerate(noted, self._last + 1)]
        with self._explained():
            self._files[-1].append(notes)
        self._last += len(notes)
        self.pending += notes

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            advice = _ADVICE.get(error.errno or 0, "what was stored before is intact")
            raise MemoryStoreError(
                f"memory store '{self._path}': {error.strerror or error}; {advice}",
                details={"path": str(self._path)},
            ) from error


def refuse_orphans(path: Path) -> None:
    """Refuse to begin records anew beside notes of others, which would be applied to them.

    Raises:
        MemoryStoreError: The file is gone or empty, and what was noted beside it is not.
    """
    files = [path.with_suffix(f".notes{n}") for n in range(2)]
    if (path.exists() and path.stat().st_size) or not any(
        file.exists() and file.stat().st_size for file in files
    ):
        return
    raise MemoryStoreError(
        f"memory store '{path}' is gone, but not what was noted beside it; bring it back, or move "
        f"{' and '.join(file.name for file in files)} away too to start afresh"
    )


class _File:
    """Notes one after another, then anything.

    Attributes:
        last: The number of the last note in it.
    """

    def __init__(self, path: Path) -> None:
        is_new = not path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if is_new:
            _synchronise_folder(path.parent)
        self._size = os.fstat(self._file).st_size
        self._position = 0
        self.last = 0

    def notes(self) -> Iterator[Note]:
        """Read it from its start; afterwards it is written to where that ended."""
        content = os.pread(self._file, self._size, 0)
        while len(content) - self._position >= _HEAD.size:
            size, checksum, number = _HEAD.unpack_from(content, self._position)
            start = self._position + _HEAD.size
            body = content[start : start + size]
            follows = number == self.last + 1 if self.last else number > 0
            if not (follows and len(body) == size and _checksum(number, body) == checksum):
                return
            self.last = number
            self._position = start + size
            yield _unpacked(number, body)

    def append(self, notes: Sequence[Note]) -> None:
        """Write notes, durably."""
        data = b"".join(map(_packed, notes))
        if self._position + len(data) > self._size:
            room = max(_ROOM, len(data))
            _write_all(self._file, bytes(room), self._size)
            os.fsync(self._file)
            self._size += room
        _write_all(self._file, data, self._position)
        _synchronise(self._file)
        self._position += len(data)
        self.last = notes[-1].number

    def rewind(self) -> None:
        """Begin again at its start."""
        self._position = 0

    def close(self) -> None:
        """Close it."""
        os.close(self._file)


def _packed(note: Note) -> bytes:
    rows = [(encode(change.namespace), *change[1:]) for change in note.changes]
    body = ormsgpack.packb((note.at, rows))
    return _HEAD.pack(len(body), _checksum(note.number, body), note.number) + body


def _unpacked(number: int, body: bytes) -> Note:
    at, rows = ormsgpack.unpackb(body)
    changes = [
        Change(decode(path), key, value, fields, ttl, text, tuple(vectors))
        for path, key, value, fields, ttl, text, vectors in rows
    ]
    return Note(number, changes, at)


def _checksum(number: int, body: bytes) -> int:
    return crc32(body, (number ^ number >> 32) & 0xFFFF_FFFF)  # every bit of the number counts


def _write_all(file: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, at)
        view, at = view[written:], at + written


def _synchronise_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
