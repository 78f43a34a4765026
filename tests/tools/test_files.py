from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.tools import BaseTool
from pydantic import ValidationError

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.core.retry import retry_policy
from cogwork.tools.base import ToolSpec, spec_of
from cogwork.tools.files import file_tools
from cogwork.tools.root import MAX_NAMES


@pytest.fixture
def use(tmp_path: Path) -> Any:
    """Call a file tool by name: `use("read_file", path="a")`."""
    tools = {tool.name: tool for tool in file_tools(tmp_path)}
    return lambda name, **arguments: tools[name].invoke(arguments)


def test_what_is_written_can_be_listed_seen_and_read(use: Any) -> None:
    said = use("write_file", path="out/answer.txt", content="naïve\r\n")
    assert said == "wrote 8 bytes to out/answer.txt"
    assert use("read_file", path="out/answer.txt") == "naïve\r\n"
    assert use("list_files") == "out/"
    assert use("list_files", path="out", pattern="*.txt") == "out/answer.txt"
    assert use("file_exists", path="out/answer.txt") is True
    assert use("file_exists", path="answer.txt") is False
    assert use("list_files", pattern="*.csv") == "nothing in '.' matches '*.csv'"


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=50), st.sampled_from(["utf-8", "UTF8", "utf-16", "utf-32-le", "utf-8-sig"]))
def test_text_survives_in_every_unicode_encoding(use: Any, text: str, encoding: str) -> None:
    use("write_file", path="a", content=text, encoding=encoding)
    assert use("read_file", path="a", encoding=encoding) == text


def test_undecodable_file_is_an_error_that_names_the_encoding(use: Any, tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_bytes("für".encode("latin-1"))
    with pytest.raises(ToolError, match=r"'old\.txt' is no utf-8 text: byte 0xfc at offset 1"):
        use("read_file", path="old.txt")
    assert use("read_file", path="old.txt", encoding="latin-1") == "für"


def test_text_that_an_encoding_lacks_is_an_error_and_writes_nothing(
    use: Any, tmp_path: Path
) -> None:
    with pytest.raises(ToolError, match=r"in iso8859-1: it has no '\\u20ac' \(character 3\)"):
        use("write_file", path="a", content="5 €", encoding="latin-1")
    with pytest.raises(ToolError, match="in utf-8"):
        use("write_file", path="a", content="\ud800")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "encoding",
    ["klingon", "hex", "zlib", "rot13", "idna", "punycode", "unicode_escape", "a\0b", ""],
)
def test_encoding_that_no_file_has_is_refused(use: Any, encoding: str) -> None:
    for name, arguments in (("write_file", {"content": "a"}), ("read_file", {})):
        with pytest.raises(ToolError, match=r"encoding .* is unknown; use utf-8"):
            use(name, path="a", encoding=encoding, **arguments)


def test_long_listing_says_that_there_is_more(use: Any, tmp_path: Path) -> None:
    for number in range(MAX_NAMES):
        (tmp_path / f"{number:05}").touch()
    assert len(use("list_files").splitlines()) == MAX_NAMES
    (tmp_path / "one-more").touch()
    *names, last = use("list_files").splitlines()
    assert len(names) == MAX_NAMES
    assert last == "… and more than these 1,000; choose a narrower pattern"


def test_limit_and_root_are_parameters(tmp_path: Path) -> None:
    read, write, *_ = file_tools(tmp_path, max_bytes=4)
    write.invoke({"path": "a", "content": "1234"})
    with pytest.raises(ToolError, match="the limit is 4"):
        write.invoke({"path": "a", "content": "12345"})
    assert read.invoke({"path": "a"}) == "1234"
    with pytest.raises(ConfigurationError, match="is no folder"):
        file_tools(tmp_path / "missing")


async def test_tools_work_asynchronously(tmp_path: Path) -> None:
    read, write, *_ = file_tools(tmp_path)
    await write.ainvoke({"path": "a", "content": "1"})
    assert await read.ainvoke({"path": "a"}) == "1"


def described(tool: BaseTool) -> dict[str, Any]:
    return {name: bool(shown.get("description")) for name, shown in tool.args.items()}


def test_model_is_told_every_argument(tmp_path: Path) -> None:
    tools = {tool.name: described(tool) for tool in file_tools(tmp_path)}
    assert tools == {
        "read_file": {"path": True, "encoding": True},
        "write_file": {"path": True, "content": True, "encoding": True},
        "list_files": {"path": True, "pattern": True},
        "file_exists": {"path": True},
    }


def test_only_writing_has_an_effect_and_repeating_it_changes_nothing(tmp_path: Path) -> None:
    for tool in file_tools(tmp_path):
        effect: Any = "write" if tool.name == "write_file" else "read"
        assert spec_of(tool) == ToolSpec(
            effect, idempotent=True, network=False, timeout=30, retry=retry_policy()
        )


def test_arguments_are_validated(use: Any) -> None:
    with pytest.raises(ValidationError, match="content"):
        use("write_file", path="a")
    with pytest.raises(ValidationError, match="path"):
        use("read_file", path=None)
