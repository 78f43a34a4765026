"""Chroma as an index of vectors by number, and nothing else.

What Chroma 1.5.9 does with metadata and equal vectors is worked around by giving it
neither: numbers are never used twice, each stands for one distinct vector, and what the
vector belongs to is asked of the records.
"""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import numpy as np

from cogwork.core.errors import ConfigurationError, MemoryStoreError
from cogwork.memory.store.chroma_child import all_ids, collection_settings
from cogwork.memory.store.chroma_process import ChromaProcess
from cogwork.memory.store.exact_index import Scores
from cogwork.memory.store.rows import Ids, Matrix

__all__ = ["ChromaIndex"]

_ANSWER_SECONDS = 30.0
_MOST_SAID = 300  # characters of an error; a web server may answer a page


class _Served(Protocol):
    """A collection, wherever it is."""

    def add(self, ids: list[int], matrix: Matrix) -> None: ...
    def remove(self, ids: list[int]) -> None: ...
    def nearest(self, query: Matrix, count: int) -> Ids: ...
    def ids(self) -> list[int]: ...
    def close(self) -> None: ...


class ChromaIndex:
    """One collection, in a folder or on a server; opened when first used.

    Args:
        place: A folder, or the URL of a server, `http://host:port`.
        name: The collection; a server may hold those of many stores.

    Raises:
        ConfigurationError: The place is a URL of something else.
        MemoryStoreError: Chroma cannot be opened, read or written; transient, because
            everything in it can be made again.
    """

    def __init__(self, place: Path | str, name: str) -> None:
        if isinstance(place, str):
            _split(place)
        self._place = place
        self._name = name
        self._lock = threading.Lock()
        self._served: _Served | None = None

    def add(self, ids: list[int], matrix: Matrix) -> None:
        """Add vectors; those it has already stay as they are."""
        with self._explained() as served:
            if ids:
                served.add(ids, matrix)

    def remove(self, ids: list[int]) -> None:
        """Remove vectors; those it does not have are no error."""
        with self._explained() as served:
            if ids:
                served.remove(ids)

    def nearest(self, query: Scores, count: int) -> Ids:
        """Return the numbers of about `count` vectors nearest to the query."""
        with self._explained() as served:
            return served.nearest(query, count)

    def ids(self) -> set[int]:
        """Return the numbers of all vectors it has."""
        with self._explained() as served:
            return set(served.ids())

    def clear(self) -> None:
        """Throw everything away; a damaged folder is replaced by a new one."""
        if isinstance(self._place, Path):
            self.close()
            index = self._place / "index"
            try:
                if index.exists():
                    shutil.rmtree(index)
            except OSError as error:
                raise MemoryStoreError(
                    f"Chroma in '{index}' cannot be removed ({error.strerror}); remove the "
                    "folder yourself and try again"
                ) from error
            return
        with self._explained() as served:
            if isinstance(served, _OnServer):
                served.drop()
        self.close()

    def close(self) -> None:
        """Let go of the folder or the connection."""
        with self._lock:
            served, self._served = self._served, None
        if served is not None:
            served.close()

    @contextmanager
    def _explained(self) -> Iterator[_Served]:
        try:
            with self._lock:
                if self._served is None:
                    self._served = _serve(self._place, self._name)
                served = self._served
            yield served
        except Exception as error:
            advice = (
                "the records are intact; store.reindex() makes the index again"
                if isinstance(self._place, Path)
                else "start the server or correct the URL; the records are intact"
            )
            raise MemoryStoreError(
                f"Chroma at '{self._place}': {_short(error)}; {advice}", transient=True
            ) from error


class _OnServer:
    """A collection on a server."""

    def __init__(self, url: str, name: str) -> None:
        import chromadb
        from chromadb.config import Settings

        host, port, secure = _split(url)
        settings = Settings(anonymized_telemetry=False)
        self._name = name
        client = chromadb.HttpClient(host, port, ssl=secure, settings=settings)
        self._client = cast("Any", client)
        # Chroma would wait for ever, and close nothing.
        servers = [self._client._server, self._client._admin_client._server]  # noqa: SLF001 - see above
        self._sessions = [server._session for server in servers]  # noqa: SLF001 - see above
        for session in self._sessions:
            session.timeout = _ANSWER_SECONDS
        try:
            self._collection = self._client.get_or_create_collection(name, **collection_settings())
        except BaseException:
            self.close()
            raise

    def add(self, ids: list[int], matrix: Matrix) -> None:
        self._collection.upsert([str(each) for each in ids], matrix)

    def remove(self, ids: list[int]) -> None:
        for start in range(0, len(ids), 1000):
            self._collection.delete([str(each) for each in ids[start : start + 1000]])

    def nearest(self, query: Matrix, count: int) -> Ids:
        found = self._collection.query(query[None, :], n_results=count, include=[])
        return np.array(found["ids"][0], dtype=np.int64)

    def ids(self) -> list[int]:
        return all_ids(self._collection)

    def drop(self) -> None:
        self._client.delete_collection(self._name)

    def close(self) -> None:
        self._client.close()
        for session in self._sessions:
            session.close()


def _serve(place: Path | str, name: str) -> _Served:
    return ChromaProcess(place, name) if isinstance(place, Path) else _OnServer(place, name)


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < _MOST_SAID else text[:_MOST_SAID] + "…"


def _split(url: str) -> tuple[str, int, bool]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == -1:
        raise ConfigurationError(
            f"chroma '{url}' is no URL of a Chroma server; write http://host:port, or leave "
            "it out for an index in the store's folder"
        )
    secure = parts.scheme == "https"
    return parts.hostname, port or (443 if secure else 8000), secure
