"""A cache for tools in a file: what was read is found by the next process."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from cogwork.core.errors import ConfigurationError
from cogwork.tools.base import tool
from cogwork.tools.caching import ToolCache
from cogwork.tools.files import file_tools
from cogwork.tools.taint import has_read, reading


class Source:
    """Something to be read, which remembers its readings."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def look(self, what: str) -> dict[str, str]:
        self.read.append(what)
        has_read(f"about {what}")
        return {"what": what}

    def tool(self) -> Any:
        @tool(effect="read")
        def look(what: str) -> dict[str, str]:
            """Look something up."""
            return self.look(what)

        return look

    def async_tool(self) -> Any:
        @tool(effect="read")
        async def look(what: str) -> dict[str, str]:
            """Look something up."""
            return self.look(what)

        return look


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_a_file_outlives_its_process_with_what_was_read(
    source: Source, tmp_path: Path, how: str
):
    for _ in range(2):
        cache = ToolCache(url=f"sqlite:///{tmp_path}/tools.sqlite")
        look = cache.wrap(source.tool() if how == "invoke" else source.async_tool(), name="it")
        with reading(()) as found:
            call = getattr(look, how)({"what": "a"})
            result = await call if how == "ainvoke" else call
        assert found == {"about a"}
        cache.close()
    assert result == {"what": "a"}
    assert source.read == ["a"]


def test_a_file_needs_names_and_keeps_tools_apart(tmp_path: Path):
    cache = ToolCache(url=f"sqlite:///{tmp_path}/tools.sqlite")
    read = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(name)
        first, *_ = file_tools(tmp_path / name)
        with pytest.raises(ConfigurationError, match="needs a name to be found again in a file"):
            cache.wrap(first)
        read.append(cache.wrap(first, name=name).invoke({"path": "a.txt"}))
    assert read == ["one", "two"]
    cache.close()


@pytest.mark.parametrize("result", [(1, 2), {1: "a"}, {"a"}, b"x"])
def test_a_file_keeps_only_what_comes_back_as_it_was(tmp_path: Path, result: Any):
    @tool(effect="read")
    def look() -> Any:
        """Look something up."""
        return result

    cache = ToolCache(url=f"sqlite:///{tmp_path}/tools.sqlite")
    cached: Any = cache.wrap(look, name="x")
    assert [cached.func(), cached.func()] == [result, result]
    assert (cache.info().entries, cache.info().failed) == (0, 2)
    cache.close()


@pytest.mark.parametrize(
    "row", [b"[]", b'{"value": 1}', b'{"value": 1, "read": [1]}', b"\x80\x04."]
)
def test_crafted_rows_are_forgotten(tmp_path: Path, source: Source, row: bytes):
    cache = ToolCache(url=f"sqlite:///{tmp_path}/tools.sqlite")
    look = cache.wrap(source.tool(), name="x")
    look.invoke({"what": "a"})
    connection = sqlite3.connect(tmp_path / "tools.sqlite")
    connection.execute("UPDATE cogwork_cache_tools SET value = ?", (row,))
    connection.commit()
    connection.close()
    assert look.invoke({"what": "a"}) == {"what": "a"}
    assert (cache.info().failed, cache.info().entries) == (1, 1)
    cache.close()
