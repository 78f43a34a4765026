"""Tools for files over several folders."""

import os
from pathlib import Path
from typing import Any

import pytest

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.tools.data import data_tools
from cogwork.tools.files import file_tools, make_delete_file
from cogwork.tools.root import MAX_NAMES


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    """Two roots, `data` and `notes`, with a file between them that is in neither."""
    made = [tmp_path / "data", tmp_path / "other" / "notes"]
    for folder in made:
        folder.mkdir(parents=True)
    (tmp_path / "other" / "secret.txt").write_text("secret")
    (made[0] / "sales.csv").write_text("city,units\nRome,3\n")
    (made[1] / "todo.md").write_text("Buy tea.")
    return made


@pytest.fixture
def use(roots: list[Path]) -> Any:
    tools = {each.name: each for each in [*file_tools(*roots), make_delete_file(*roots)]}
    return lambda name, **arguments: tools[name].invoke(arguments)


def test_paths_begin_with_the_name_of_a_root(use: Any, roots: list[Path]) -> None:
    assert use("read_file", path="data/sales.csv") == "city,units\nRome,3\n"
    assert use("read_file", path="./notes/todo.md") == "Buy tea."
    use("write_file", path="notes/new/a.txt", content="1")
    assert (roots[1] / "new" / "a.txt").read_text() == "1"
    assert use("file_exists", path="notes/new") is True
    assert use("file_exists", path="notes/old") is False
    use("delete_file", path="notes/new/a.txt")
    assert not (roots[1] / "new" / "a.txt").exists()


def test_absolute_paths_in_any_root_are_taken(use: Any, roots: list[Path]) -> None:
    assert use("read_file", path=str(roots[1] / "todo.md")) == "Buy tea."


def test_listings_give_paths_that_can_be_read(use: Any) -> None:
    assert use("list_files") == "data/\nnotes/"
    assert use("list_files", pattern="d*") == "data/"
    assert use("list_files", path="notes") == "notes/todo.md"
    assert use("list_files", path="data/") == "data/sales.csv"
    assert use("list_files", pattern="**/*.*") == "data/sales.csv\nnotes/todo.md"
    assert use("file_exists", path=".") is True


def test_a_long_listing_of_all_roots_says_that_there_is_more(use: Any, roots: list[Path]) -> None:
    for number in range(MAX_NAMES):
        (roots[number % 2] / f"{number:05}").touch()
    assert len(use("list_files", pattern="**").splitlines()) == MAX_NAMES + 1


@pytest.mark.parametrize(
    "path", ["sales.csv", "secret.txt", "../other/secret.txt", "", ".", "/etc/passwd", "Data/a"]
)
def test_a_path_in_none_of_the_roots_is_refused_and_the_roots_are_named(
    use: Any, roots: list[Path], path: str
) -> None:
    for name, more in (("read_file", {}), ("write_file", {"content": "x"}), ("delete_file", {})):
        with pytest.raises(ToolError) as refused:
            use(name, path=path, **more)
        assert f"'{path}' is in none of the roots: data ('{roots[0]}'), notes" in str(refused.value)
    assert (roots[1].parent / "secret.txt").read_text() == "secret"


@pytest.mark.parametrize("path", ["data/../other/secret.txt", "notes/../secret.txt", "data/link"])
def test_no_path_leads_out_of_its_root(use: Any, roots: list[Path], path: str) -> None:
    (roots[0] / "link").symlink_to(roots[1] / "todo.md")
    with pytest.raises(ToolError, match="leads outside of the root"):
        use("read_file", path=path)


def test_closed_names_stay_closed_in_every_root(use: Any, roots: list[Path]) -> None:
    (roots[1] / ".env").write_text("KEY=1")
    for path in ("notes/.env", str(roots[1] / ".env")):
        with pytest.raises(ToolError, match="is closed to tools"):
            use("read_file", path=path)


def test_a_wrong_name_is_offered_the_nearest_with_its_root(use: Any) -> None:
    with pytest.raises(ToolError, match=r"did you mean 'data/sales\.csv'"):
        use("read_file", path="data/sale.csv")


def test_a_zero_byte_is_refused(use: Any) -> None:
    for path in ("\0", "data/\0", "/data/\0"):
        with pytest.raises(ToolError):
            use("read_file", path=path)


def test_the_innermost_root_has_a_path_that_several_hold(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    tools = file_tools({"all": tmp_path, "inner": inner})
    tools[1].invoke({"path": str(inner / "a"), "content": "1"})
    assert tools[0].invoke({"path": "all/inner/a"}) == tools[0].invoke({"path": "inner/a"}) == "1"


def test_a_name_that_is_given_stands_for_the_folder(roots: list[Path]) -> None:
    read, *_ = file_tools({"input": roots[0]})
    assert read.invoke({"path": "input/sales.csv"}).startswith("city")
    with pytest.raises(ToolError, match="none of the roots: input"):
        read.invoke({"path": "sales.csv"})


def test_models_are_told_the_names(roots: list[Path]) -> None:
    for each in [*file_tools(*roots), *data_tools(*roots)]:
        assert each.description.endswith("Paths begin with one of: data/, notes/")
    assert "Paths begin" not in file_tools(roots[0])[0].description


def test_tables_are_read_from_one_root_and_drawn_into_another(roots: list[Path]) -> None:
    _, plot = data_tools(*roots)
    plot.invoke({"path": "data/sales.csv", "output": "notes/units.png", "column": "units"})
    assert (roots[1] / "units.png").read_bytes().startswith(b"\x89PNG")


def test_roots_that_cannot_be_told_apart_or_named_are_refused(roots: list[Path]) -> None:
    twin = roots[0].parent / "twin" / "data"
    twin.mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="two roots are called 'data'"):
        file_tools(roots[0], twin)
    assert len(file_tools(roots[0], {"twin": twin})) == 4
    with pytest.raises(ConfigurationError, match="no root is given"):
        file_tools()
    with pytest.raises(ConfigurationError, match="cannot be called 'a/b'"):
        file_tools({"a/b": roots[0]})
    with pytest.raises(ConfigurationError, match="cannot be called ''"):
        file_tools(os.sep, roots[0])
