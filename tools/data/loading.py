"""A table from a file's bytes: CSV, TSV, JSON, JSON Lines or Parquet."""

import csv
import io
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from cogwork.core.errors import ConfigurationError, ToolError, redact

if TYPE_CHECKING:
    from polars import DataFrame

__all__ = ["load_table", "require_polars"]

_MAX_CELLS: Final = 20_000_000  # a small Parquet file may hold very many


def require_polars() -> Any:
    """Return polars.

    Raises:
        ConfigurationError: The extra `data` is not installed.
    """
    try:
        import polars as pl
    except ImportError as error:
        raise ConfigurationError(
            "tables need the extra 'data'; run: pip install 'cogwork[data]'"
        ) from error
    return pl


def load_table(path: str, content: bytes) -> "DataFrame":
    """Return the table that a file holds; what is not a number counts as missing.

    Args:
        path: Its name, whose ending says what it is.
        content: Its bytes.

    Raises:
        ToolError: It is of another kind, damaged, empty or too large.
    """
    pl = require_polars()
    kind = PurePath(path).suffix.lower()
    if kind not in _READERS:
        raise ToolError(f"'{path}' is no table; give a file that ends in {', '.join(_READERS)}")
    try:
        table: DataFrame = _READERS[kind](pl, content)
        table = table.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))
    except (pl.exceptions.PolarsError, ValueError, OverflowError, csv.Error) as error:
        reason = redact(str(error)).splitlines()[0] if str(error) else type(error).__name__
        raise ToolError(f"'{path}' cannot be read as {kind[1:]}: {reason:.300}") from error
    if not table.width or not table.height:
        raise ToolError(f"'{path}' holds no rows")
    return table


def _csv(pl: Any, content: bytes) -> Any:
    head = content[:4096].decode("utf-8", "replace")
    first = head.splitlines()[0] if head.strip() else ""
    separator = max(",;\t|", key=first.count)
    return pl.read_csv(
        io.BytesIO(content), separator=separator, try_parse_dates=True, infer_schema_length=None
    )


def _json(pl: Any, content: bytes) -> Any:
    return pl.read_json(io.BytesIO(content), infer_schema_length=None)


def _json_lines(pl: Any, content: bytes) -> Any:
    return pl.read_ndjson(io.BytesIO(content), infer_schema_length=None)


def _parquet(pl: Any, content: bytes) -> Any:
    held = pl.scan_parquet(io.BytesIO(content))
    rows, columns = held.select(pl.len()).collect().item(), len(held.collect_schema())
    if rows * columns > _MAX_CELLS:
        raise ValueError(f"it has {rows:,} rows of {columns}, over {_MAX_CELLS:,} cells")
    return pl.read_parquet(io.BytesIO(content))


_READERS: Final = {
    ".csv": _csv,
    ".tsv": _csv,
    ".json": _json,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
}
