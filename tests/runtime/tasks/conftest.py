"""Runners over both databases, and graphs that wait."""

from collections.abc import Callable
from functools import partial

import psycopg
import pytest
from task_graphs import Gate

from cogwork.runtime.tasks import Runner


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def fresh_postgres(postgres_url: str) -> str:
    """A server without tasks and checkpoints."""
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("DROP SCHEMA IF EXISTS cogwork_tasks CASCADE")
        admin.execute("DROP TABLE IF EXISTS checkpoints, checkpoint_blobs, checkpoint_writes")
        admin.execute("DROP TABLE IF EXISTS checkpoint_migrations")
    return postgres_url


@pytest.fixture(params=["sqlite", "postgresql"])
def tasks_url(request: pytest.FixtureRequest) -> str:
    """Where tasks are: each test has both."""
    if request.param == "sqlite":
        return "sqlite:///tasks.db"
    return str(request.getfixturevalue("fresh_postgres"))


@pytest.fixture
def runner(tasks_url: str) -> Callable[..., Runner]:
    """Makes runners that share their tasks."""
    return partial(Runner, tasks_url)
