import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import BaseTool

import cogwork.tools
from cogwork.core.errors import ConfigurationError, UnknownNameError
from cogwork.tools.base import spec_of, tool
from cogwork.tools.registry import default_tools, load_tools, tools

OPTIONAL = [
    *("analyze_data", "api_call", "delete_file", "encyclopedia_search", "http_get", "paper_search"),
    *("plot_data", "run_code", "search_files", "web_search"),
]
FILES = ["file_exists", "list_files", "read_file", "write_file"]


def in_process(script: str, **environment: str) -> str:
    """What a script prints in a Python of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def added() -> Any:
    """Register things for one test."""
    before = set(tools.names())
    yield tools.add
    for name in set(tools.names()) - before:
        tools.unregister(name)


def names(loaded: list[BaseTool]) -> list[str]:
    return [each.name for each in loaded]


def test_tools_are_loaded_by_name_and_group_each_once(tmp_path: Path) -> None:
    loaded = load_tools(["write_file", "files", "calculator", "calculator"], root=tmp_path)
    assert names(loaded) == ["write_file", "file_exists", "list_files", "read_file", "calculator"]
    assert load_tools([]) == []


def test_each_root_gets_file_tools_of_its_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        [write] = load_tools(["write_file"], root=tmp_path / name)
        write.invoke({"path": "a", "content": name})
    assert (tmp_path / "one" / "a").read_text() == "one"
    assert (tmp_path / "two" / "a").read_text() == "two"


def test_root_is_the_current_folder_by_default(tmp_path: Path) -> None:
    [write] = load_tools(["write_file"])  # conftest.py makes tmp_path the current folder
    write.invoke({"path": "a", "content": "x"})
    assert (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("name", "offer"),
    [("calculater", "calculator"), ("file", "files"), ("readfile", "read_file")],
)
def test_unknown_name_offers_the_nearest_tools_and_groups(name: str, offer: str) -> None:
    with pytest.raises(UnknownNameError, match=f"no tool is called '{name}'; did you.*'{offer}'"):
        load_tools(["calculator", name])


def test_missing_root_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="create it or name another"):
        load_tools(["files"], root=tmp_path / "missing")


def test_registered_metadata_agrees_with_the_tools(tmp_path: Path) -> None:
    assert tools.names() == sorted(["calculator", *FILES, *OPTIONAL])
    for entry in tools:
        [loaded] = load_tools([entry.name], root=tmp_path)
        spec = spec_of(loaded)
        assert loaded.name == entry.name
        assert (spec.effect, spec.network) == (entry.metadata["effect"], entry.metadata["network"])
        assert entry.description


def test_own_tools_and_makers_of_tools_can_be_added(added: Any, tmp_path: Path) -> None:
    @tool(effect="read")
    def ping() -> str:
        """Answer."""
        return "pong"

    def make_where(root: Path) -> BaseTool:
        @tool(effect="read")
        def where() -> str:
            """Tell the root."""
            return str(root)

        return where

    added("ping", lambda: ping, group="mine")
    added("where", lambda: make_where, group="mine")
    ours = load_tools(["mine"], root=tmp_path)
    assert [each.invoke({}) for each in ours] == ["pong", str(tmp_path)]


@pytest.mark.parametrize("thing", [42, lambda root: str(root)], ids=["value", "maker"])
def test_what_is_no_tool_is_refused_by_name(added: Any, thing: Any) -> None:
    added("odd", lambda: thing)
    with pytest.raises(ConfigurationError, match="'odd' is registered as a tool but is"):
        load_tools(["odd"])


def test_installed_packages_add_tools_by_entry_point(tmp_path: Path) -> None:
    installed = tmp_path / "theirs-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[cogwork.tools]\nping = theirs:ping\n")
    (tmp_path / "theirs.py").write_text(
        "from cogwork.tools import tool\n"
        "@tool(effect='read')\n"
        "def ping() -> str:\n    'Answer.'\n    return 'pong'\n"
    )
    said = in_process(
        "from cogwork.tools import load_tools, tools; "
        "print(tools.entry('ping').description, load_tools(['ping'])[0].invoke({}))",
        PYTHONPATH=str(tmp_path),
    )
    assert said == "from theirs pong\n"


def test_listing_tools_does_not_import_langchain() -> None:
    said = in_process(
        "import sys; from cogwork.tools import tools; "
        "print([entry.description for entry in tools]); "
        "print([name for name in sys.modules if name.startswith(('lang', 'pydantic'))])"
    )
    descriptions, heavy = said.splitlines()
    assert "Compute an arithmetic expression exactly." in descriptions
    assert heavy == "[]"


def test_every_public_name_of_the_folder_resolves() -> None:
    for name in cogwork.tools.__all__:
        assert getattr(cogwork.tools, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'tol'"):
        cogwork.tools.tol  # noqa: B018 - reading it is the test


def test_agents_are_given_no_optional_tool_unasked(added: Any) -> None:
    added("own", lambda: tool("own", description="Own.")(lambda: 1))
    assert default_tools() == sorted(["calculator", "own", *FILES])
