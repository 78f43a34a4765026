"""Stores in the test's own folder or database, a clock that only tests move, small embeddings."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from letters import LetterEmbeddings

from cogwork.memory.store import ChromaStore


class Clock:
    """Seconds since 1970; every reading is a millisecond later than the last."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now

    def pass_minutes(self, minutes: float) -> None:
        self.now += minutes * 60


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def embeddings() -> LetterEmbeddings:
    return LetterEmbeddings()


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """Where the records are; `sqlite` unless a module asks for `postgres` too."""
    return getattr(request, "param", "sqlite")


@pytest.fixture
def open_store(
    request: pytest.FixtureRequest,
    kind: str,
    tmp_path: Path,
    clock: Clock,
    embeddings: LetterEmbeddings,
) -> Iterator[Callable[..., ChromaStore]]:
    """Open stores in one folder, one after the other unless `folder` differs, or one database."""
    opened: list[ChromaStore] = []
    url = request.getfixturevalue("store_url") if kind == "postgres" else None

    def open_one(folder: str = "store", **options: Any) -> ChromaStore:
        options.setdefault("clock", clock)
        if "index" not in options:
            options.setdefault("embeddings", embeddings)
        store = ChromaStore(url or tmp_path / folder, **options)
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[..., ChromaStore]) -> ChromaStore:
    return open_store(fields=["text"])


@pytest.fixture
def store_url(postgres_url: str) -> str:
    """A database without a store."""
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("DROP SCHEMA IF EXISTS cogwork_memory CASCADE")
    return postgres_url


@contextmanager
def sqlite_store(folder: Path, index: Any, ttl: Any) -> Iterator[BaseStore]:
    """LangGraph's; vectors need an SQLite that loads extensions."""
    from langgraph.store.sqlite import SqliteStore

    driver = pytest.importorskip("pysqlite3") if index else sqlite3
    connection = driver.connect(str(folder / "theirs.db"), isolation_level=None)
    with closing(connection):
        store = SqliteStore(connection, index=index, ttl=ttl)
        store.setup()
        yield store


@contextmanager
def postgres_store(url: str, index: Any, ttl: Any) -> Iterator[BaseStore]:
    """LangGraph's, empty."""
    from langgraph.store.postgres import PostgresStore

    with PostgresStore.from_conn_string(url, index=index, ttl=ttl) as store:
        store.setup()
        store.conn.execute("DELETE FROM store")
        yield store


@pytest.fixture
def open_kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., BaseStore]]:
    """Open one of LangGraph's stores (`memory`, `sqlite`, `postgres`) or of ours (`chroma…`)."""
    with ExitStack() as opened:

        def open_one(kind: str, index: Any = None, ttl: Any = None) -> BaseStore:
            if kind == "memory":
                return InMemoryStore(index=index)
            if kind == "sqlite":
                return opened.enter_context(sqlite_store(tmp_path, index, ttl))
            if kind == "postgres":
                url = request.getfixturevalue("postgres_url")
                return opened.enter_context(postgres_store(url, index, ttl))
            is_shared = kind == "chroma-postgres"
            place = request.getfixturevalue("store_url") if is_shared else tmp_path / "ours"
            store = ChromaStore(
                place, embeddings=None if index is None else "static", index=index, ttl=ttl
            )
            return opened.enter_context(store)

        yield open_one


class ChromaServer:
    """A Chroma server on loopback, which keeps its port when it is started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = Path(sys.executable).parent / "chroma"
        options = ["--path", self._folder, "--host", "127.0.0.1", "--port", str(self._port)]
        self._process = subprocess.Popen(
            [command, "run", *options],
            cwd=self._folder,
            env=os.environ | {"ANONYMIZED_TELEMETRY": "False"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < deadline, "the Chroma server does not answer"
            assert self._process.poll() is None, "the Chroma server ended"
            time.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/api/v2/heartbeat", timeout=5) as answer:
                return answer.status == 200
        except (URLError, ConnectionError):
            return False


@contextmanager
def chroma_server_in(folder: Path) -> Iterator[ChromaServer]:
    server = ChromaServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def chroma_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaServer]:
    """A server for the tests of one module; each store has a collection of its own in it."""
    with chroma_server_in(tmp_path_factory.mktemp("chroma")) as server:
        yield server


@pytest.fixture
def own_chroma_server(tmp_path: Path) -> Iterator[ChromaServer]:
    """A server that the test may kill and start."""
    folder = tmp_path / "server"
    folder.mkdir()
    with chroma_server_in(folder) as server:
        yield server
