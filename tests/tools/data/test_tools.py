"""The tools for tables, over real files."""

import io
import json
import struct
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cogwork.core.errors import ToolError
from cogwork.tools.base import spec_of
from cogwork.tools.data import data_tools
from cogwork.tools.data.plot import draw

TABLE = pl.DataFrame({"city": ["Oslo", "Rome", "Oslo"], "units": [1, 2, 9]})


def parquet(table: pl.DataFrame) -> bytes:
    made = io.BytesIO()
    table.write_parquet(made)
    return made.getvalue()


FILES = {
    "a.csv": b"city,units\nOslo,1\nRome,2\nOslo,9\n",
    "b.csv": "city;units\r\nOslo;1\r\nRome;2\r\nOslo;9\r\n".encode("utf-8-sig"),
    "c.tsv": b"city\tunits\nOslo\t1\nRome\t2\nOslo\t9",
    "d.json": json.dumps(TABLE.to_dicts()).encode(),
    "e.jsonl": b"\n".join(json.dumps(row).encode() for row in TABLE.to_dicts()),
    "f.parquet": parquet(TABLE),
}
DAMAGED = {
    "a.csv": b"a,b\n1,2,3\n",
    "b.json": b'[{"a": 1',
    "c.parquet": FILES["f.parquet"][:-9],
    "d.parquet": b"PAR1" * 40,
    "e.csv": b"\xff\xfe\x00a,\xd8\n",
    "f.csv": b"",
    "g.csv": b"a,b\n",
    "h.json": b"[]",
    "i.xlsx": b"PK",
    "j.json": b"1e999999",
}


@pytest.fixture
def use(tmp_path: Path) -> Any:
    tools = {each.name: each for each in data_tools(tmp_path)}
    return lambda name, **args: tools[name].invoke(args)


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_is_read_alike(tmp_path: Path, use: Any, name: str):
    (tmp_path / name).write_bytes(FILES[name])
    told = use("analyze_data", path=name, analysis="groups", by="city", column="units")
    assert told.splitlines()[0] == f"3 rows of 2 columns in {name}"
    assert "| Oslo | 2 | 10 | 5 | 1 | 9 |" in told


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_said(tmp_path: Path, use: Any, name: str):
    (tmp_path / name).write_bytes(DAMAGED[name])
    with pytest.raises(ToolError, match=f"'{name}'"):
        use("analyze_data", path=name)


def test_small_file_with_a_huge_table_is_refused(tmp_path: Path, use: Any):
    table = pl.DataFrame({"x": pl.repeat(0, 25_000_000, eager=True)})
    (tmp_path / "bomb.parquet").write_bytes(parquet(table))
    assert (tmp_path / "bomb.parquet").stat().st_size < 1_000_000
    with pytest.raises(ToolError, match="over 20,000,000 cells"):
        use("analyze_data", path="bomb.parquet")


def test_not_a_number_counts_as_missing(tmp_path: Path, use: Any):
    (tmp_path / "a.csv").write_text("x,y\n1,2\nNaN,3\n,4\n5,6\n")
    assert "| x | Float64 | 2 | 2 |" in use("analyze_data", path="a.csv")


def test_every_analysis_answers(tmp_path: Path, use: Any):
    (tmp_path / "a.csv").write_text(
        "n,m,day\n" + "".join(f"{n},{n * n},2024-01-{n:02}\n" for n in range(1, 20))
    )
    assert "rising" in use("analyze_data", path="a.csv", analysis="trend", column="n", by="day")
    assert "| n | m |" in use("analyze_data", path="a.csv", analysis="correlation")
    assert "none: all are" in use("analyze_data", path="a.csv", analysis="outliers", column="n")
    with pytest.raises(ToolError, match="the analysis 'trend' needs 'column'"):
        use("analyze_data", path="a.csv", analysis="trend")


@pytest.mark.parametrize("kind", ["line", "bar", "scatter", "histogram", "box"])
@pytest.mark.parametrize("by", [None, "city"])
def test_pictures_are_png(tmp_path: Path, use: Any, kind: str, by: str | None):
    (tmp_path / "a.csv").write_bytes(FILES["a.csv"])
    said = use("plot_data", path="a.csv", output="out/p.png", column="units", kind=kind, by=by)
    picture = (tmp_path / "out" / "p.png").read_bytes()
    assert said.startswith(f"wrote a {kind} plot of units")
    assert picture.startswith(b"\x89PNG")
    assert struct.unpack(">II", picture[16:24]) == (800, 500)


def test_large_and_odd_tables_are_drawn():
    table = pl.DataFrame({"y": [float("inf"), None, -1.0] * 30_000, "x": ["é$_{\\$"] * 90_000})
    for kind in ("line", "bar", "scatter", "histogram", "box"):
        assert draw(table, kind, "y", "x").startswith(b"\x89PNG")


def test_pictures_that_cannot_be_are_said(tmp_path: Path, use: Any):
    (tmp_path / "a.csv").write_bytes(FILES["a.csv"])
    with pytest.raises(ToolError, match=r"must end in \.png"):
        use("plot_data", path="a.csv", output="p.jpg", column="units")
    with pytest.raises(ToolError, match="'city' holds String, not numbers"):
        use("plot_data", path="a.csv", output="p.png", column="city")
    with pytest.raises(ToolError, match="outside of the root"):
        use("plot_data", path="a.csv", output="../p.png", column="units")
    assert not list(tmp_path.glob("*.png"))


def test_effects_are_declared(tmp_path: Path):
    analyze, plot = data_tools(tmp_path)
    assert (spec_of(analyze).effect, spec_of(plot).effect) == ("read", "write")
    assert not spec_of(plot).network
