"""The tools that analyse and draw tables in files of one folder or several."""

from typing import Literal

from langchain_core.tools import BaseTool

from cogwork.core.errors import ToolError
from cogwork.tools.base import tool
from cogwork.tools.data.analysis import correlate, describe, find_outliers, fit_trend, group
from cogwork.tools.data.loading import load_table
from cogwork.tools.data.plot import PlotKind, draw
from cogwork.tools.root import MAX_BYTES
from cogwork.tools.roots import Folders, hinted, open_roots
from cogwork.tools.table import shown

__all__ = ["data_tools", "make_analyze_data", "make_plot_data"]

_TIMEOUT = 60.0


def data_tools(*roots: Folders, max_bytes: int = MAX_BYTES) -> list[BaseTool]:
    """Return `analyze_data` and `plot_data`, bound to folders (extra `data`).

    Args:
        roots: Existing folders, which the tools cannot leave, as in
            `cogwork.tools.file_tools`.
        max_bytes: Size of the largest file that is read.

    Raises:
        ConfigurationError: There is no such folder, or two have one name.
    """
    return [make(*roots, max_bytes=max_bytes) for make in (make_analyze_data, make_plot_data)]


def make_analyze_data(*roots: Folders, max_bytes: int = MAX_BYTES) -> BaseTool:
    """Return the tool that analyses a table; arguments as in `data_tools`."""
    inside = open_roots(*roots, max_bytes=max_bytes)

    @tool(effect="read", network=False, timeout=_TIMEOUT, parse_docstring=True)
    def analyze_data(
        path: str,
        analysis: Literal["describe", "groups", "correlation", "trend", "outliers"] = "describe",
        column: str | None = None,
        by: str | None = None,
    ) -> str:
        """Analyse a table in a CSV, JSON, JSON Lines or Parquet file.

        Args:
            path: The file, relative to the root folder, for example "data/sales.csv".
            analysis: "describe" every column; "groups" of rows with the same value of `by`;
                "correlation" of columns; "trend" of a column; "outliers" of a column.
            column: The column of numbers; needed for a trend and for outliers.
            by: The column that rows are grouped by, or that a trend is over.
        """
        table = load_table(path, inside.read(path))
        if analysis == "describe":
            found = describe(table)
        elif analysis == "groups":
            found = group(table, [_needed(by, "by", analysis)], [column] if column else ())
        elif analysis == "correlation":
            found = correlate(table, [each for each in (column, by) if each])
        elif analysis == "trend":
            found = fit_trend(table, _needed(column, "column", analysis), by)
        else:
            found = find_outliers(table, _needed(column, "column", analysis))
        return f"{table.height:,} rows of {table.width} columns in {path}\n\n{shown(found)}"

    return hinted(analyze_data, inside)


def make_plot_data(*roots: Folders, max_bytes: int = MAX_BYTES) -> BaseTool:
    """Return the tool that draws a table; arguments as in `data_tools`."""
    inside = open_roots(*roots, max_bytes=max_bytes)

    @tool(effect="write", idempotent=True, network=False, timeout=_TIMEOUT, parse_docstring=True)
    def plot_data(
        path: str, output: str, column: str, kind: PlotKind = "line", by: str | None = None
    ) -> str:
        """Draw a column of a table in a file, and write the picture to another.

        Args:
            path: The file with the table, relative to the root folder.
            output: The picture to write; it ends in ".png".
            column: The column of numbers.
            kind: What to draw.
            by: The column that the numbers are drawn over, or grouped by.
        """
        if not output.lower().endswith(".png"):
            raise ToolError(f"the picture '{output}' must end in .png")
        picture = draw(load_table(path, inside.read(path)), kind, column, by)
        inside.write(output, picture)
        return f"wrote a {kind} plot of {column} ({len(picture):,} bytes) to {output}"

    return hinted(plot_data, inside)


def _needed(value: str | None, name: str, analysis: str) -> str:
    if not value:
        raise ToolError(f"the analysis '{analysis}' needs '{name}'; name a column")
    return value
