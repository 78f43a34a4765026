"""Buses in memory, in the test's own file, and in a database without a bus."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from cogwork.core.bus import Bus, create_bus


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return _url(request, tmp_path)


@pytest.fixture(params=["sqlite", "postgres"])
def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return _url(request, tmp_path)


def _url(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "postgres":
        return request.getfixturevalue("bus_url")
    return {"memory": "memory://", "sqlite": f"sqlite:///{folder}/a/bus.db"}[request.param]


@pytest.fixture
def bus_url(postgres_url: str) -> str:
    """A database without a bus."""
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("DROP SCHEMA IF EXISTS cogwork_bus CASCADE")
    return postgres_url


@pytest.fixture
async def open_bus() -> AsyncIterator[Callable[..., Bus]]:
    """Open buses that are closed at the end."""
    async with AsyncExitStack() as stack:

        def open_one(url: str, **options: Any) -> Bus:
            bus = create_bus(url, **options)
            stack.push_async_exit(bus)
            return bus

        yield open_one


@pytest.fixture
def bus(open_bus: Callable[..., Bus], url: str) -> Bus:
    return open_bus(url)
