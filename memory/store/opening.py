"""Where a store lives: a folder of this process, or a PostgreSQL server for several."""

from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from cogwork.core.errors import ConfigurationError, MemoryStoreError, redact
from cogwork.memory.store.chroma_index import ChromaIndex
from cogwork.memory.store.directory_lock import DirectoryLock
from cogwork.memory.store.records import Records
from cogwork.memory.store.sqlite_records import SqliteRecords

__all__ = ["Opened", "open_place"]


@dataclass(frozen=True, slots=True)
class Opened:
    """The parts of a store that have to be closed."""

    records: Records
    chroma: ChromaIndex | None
    lock: DirectoryLock | None


def open_place(place: str | Path, chroma: str | None) -> Opened:
    """Open the records at `place`, and say where their Chroma is (which is opened later).

    Raises:
        ConfigurationError: The place or the URL of Chroma is none.
        MemoryStoreError: The folder cannot be opened, or has an owner already.
    """
    if not isinstance(place, (str, Path)) or not str(place).strip() or "\0" in str(place):
        raise ConfigurationError(
            f"memory store {place!r} is no place; name a folder, or "
            "postgresql://user:password@host:5432/database"
        )
    if isinstance(place, str) and "://" in place:
        return _open_server(place, chroma)
    directory = _folder(place)
    _make(directory)
    lock = DirectoryLock(directory)
    try:
        records = SqliteRecords(directory / "memory.sqlite3")
        try:
            index = ChromaIndex(chroma or directory / "chroma", f"cogwork-{_store_id(records)}")
        except BaseException:
            records.close()
            raise
    except BaseException:
        lock.close()
        raise
    return Opened(records, index, lock)


def _open_server(url: str, chroma: str | None) -> Opened:
    if not url.startswith(("postgresql://", "postgres://")):
        raise ConfigurationError(
            f"memory store '{redact(url)}': there is none for this URL; name a folder, or "
            "postgresql://user:password@host:5432/database"
        )
    from cogwork.memory.store.postgres_records import PostgresRecords

    records = PostgresRecords(url)
    try:
        index = ChromaIndex(chroma, f"cogwork-{_store_id(records)}") if chroma else None
    except BaseException:
        records.close()
        raise
    return Opened(records, index, None)


def _folder(place: str | Path) -> Path:
    try:
        return Path(place).expanduser().absolute()
    except RuntimeError as error:  # no such user
        raise ConfigurationError(f"memory store '{place}' is no place: {error}") from error


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        there = isinstance(error, FileExistsError)
        what = "is a file" if there else f"cannot be created ({error.strerror})"
        raise MemoryStoreError(
            f"memory store '{directory}' {what}; name a folder that may be written"
        ) from error


def _store_id(records: Records) -> str:
    known = records.fact("id")
    if known is None:
        known = uuid4().hex
        records.note("id", known)
    return known
