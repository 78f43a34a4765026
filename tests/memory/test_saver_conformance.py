"""LangGraph's own suite for checkpointers, over SQLite and PostgreSQL, plain and encrypted."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability

from cogwork.memory import create_checkpointer

KEY = bytes(range(32))


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_every_capability_passes(request, kind: str, key: bytes | None, tmp_path: Path):
    url = (
        request.getfixturevalue("postgres_url")
        if kind == "postgres"
        else f"sqlite:///{tmp_path / 'c.db'}"
    )

    @checkpointer_test(name=request.node.name)
    async def opened() -> AsyncGenerator[BaseCheckpointSaver[str], None]:
        saver = await asyncio.to_thread(create_checkpointer, url, encryption_key=key)
        yield saver
        await saver.__aexit__(None, None, None)

    report = await validate(opened)

    assert {name: each.failures for name, each in report.results.items() if not each.passed} == {}
    assert set(report.results) == {each.value for each in Capability}
