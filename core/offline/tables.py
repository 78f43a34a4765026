"""Tables: rows and columns found in an observation (CSV, TSV, Markdown, JSON)."""

import csv
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from cogwork.core.offline.words import word_set

__all__ = ["Table", "as_json", "figure", "is_date", "read_items", "read_table"]

_MISSING = word_set("na n/a nan null none - -- ? unknown")
_FIGURE = re.compile(
    r"^[€$£¥]?\s*([-+−]?)\s*[€$£¥]?(\d[\d,_ ]*(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*(?:%|€|\$|£)?$"
)
_CLOSING = re.compile(r"^[(\[…*#-]|.*[.:]$")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].*)?$")


@dataclass(frozen=True, slots=True)
class Table:
    """A header, rows of the same width, which columns hold figures, and rows of another width."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int]
    uneven: tuple[str, ...] = ()

    def distinct(self, column: int) -> list[str]:
        """The different values of a column, in the order of their first use."""
        return list(dict.fromkeys(row[column] for row in self.rows if row[column]))


@lru_cache(maxsize=8192)
def figure(cell: str) -> str | None:
    """Return the number in a cell as plain digits, or `None`: "$1,200" → "1200"."""
    found = _FIGURE.match(cell.strip())
    if not found:
        return None
    if len(cell) > 300:
        return None
    sign, digits = found[1].replace("−", "-").replace("+", ""), found[2].strip()
    if re.fullmatch(r"\d+,\d+", digits) and not re.fullmatch(r"\d{1,3},\d{3}", digits):
        return sign + digits.replace(",", ".")  # a decimal comma
    plain = sign + re.sub(r"[,_ ]", "", digits)
    return plain if math.isfinite(float(plain)) else None


def is_date(cells: Sequence[str]) -> bool:
    """Tell whether the cells that are not empty are ISO dates."""
    given = [cell for cell in cells if cell]
    return bool(given) and all(_DATE.match(cell) for cell in given)


@lru_cache(maxsize=16)
def read_table(text: str) -> Table | None:
    """Find the table in `text`; lines before and after it are passed over."""
    data = as_json(text)
    if data is not None:
        return _from_json(data)
    lines = [line for line in text.splitlines() if line.strip()]
    found = [t for mark in (",", "\t", ";", "|") if (t := _delimited(lines, mark))]
    if not found:
        return _one_column(lines)
    # the mark that parts names from names, and every row alike
    return min(found, key=lambda t: (any(c.isdigit() for c in "".join(t.header)), len(t.uneven)))


def as_json(text: str) -> Any:
    """Return what `text` holds as JSON if it is an object or a list, else `None`."""
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def read_items(text: str) -> list[str]:
    """Return the entries of a listing: a JSON list, or one per line."""
    data = as_json(text)
    if isinstance(data, list):
        return [item if isinstance(item, str) else json.dumps(item) for item in data]
    lines = (re.sub(r"^\s*(?:[-*•]|\d+[.)])\s+", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line]


def _delimited(lines: list[str], delimiter: str) -> Table | None:
    start = _first_of_table(lines, delimiter)
    if start is None:
        return None
    body = lines[start:]
    if delimiter == "|":
        body = [line.strip().strip("|") for line in body if not re.fullmatch(r"[\s|:+-]+", line)]
    try:
        found = [[cell.strip() for cell in row] for row in csv.reader(body, delimiter=delimiter)]
    except csv.Error:
        return None
    return _table(found[0], found[1:]) if found else None


def _first_of_table(lines: list[str], delimiter: str) -> int | None:
    """Return the first of two neighbouring lines with as many delimiters."""
    widths = [len(row) for row in csv.reader(lines[:12], delimiter=delimiter)]
    for index, (here, below) in enumerate(pairwise(widths)):
        if here > 1 and here == below and not lines[index].rstrip().endswith((".", ":")):
            return index
    return None


def _one_column(lines: list[str]) -> Table | None:
    if len(lines) < 2 or figure(lines[0]) or len(lines[0].split()) > 4:
        return None
    if not all(figure(line) for line in lines[1:]):
        return None
    return _table([lines[0]], [[line] for line in lines[1:]])


def _from_json(data: Any) -> Table | None:
    records = _records(data)
    if not records:
        return None
    header = list(dict.fromkeys(key for record in records for key in record))
    return _table(header, [[_text(record.get(key)) for key in header] for record in records])


def _records(data: Any) -> list[Mapping[str, Any]]:
    """Return the first list of objects in `data`."""
    if isinstance(data, list) and data and all(isinstance(item, Mapping) for item in data):
        return data
    if isinstance(data, Mapping):
        for value in data.values():
            if found := _records(value):
                return found
    return []


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table | None:
    names = tuple(name.strip().strip("\ufeff") for name in header)
    kept = tuple(tuple(cell.strip() for cell in row) for row in rows if len(row) == len(names))
    uneven = tuple(" ".join(row) for row in rows if len(row) != len(names))
    while uneven and rows and " ".join(rows[-1]) == uneven[-1] and _CLOSING.match(uneven[-1]):
        uneven, rows = uneven[:-1], rows[:-1]  # a remark below the table
    few = len(kept) < 0.6 * len(rows)
    if few or all(figure(name) for name in names) or any(len(name) > 60 for name in names):
        return None
    columns = range(len(names))
    numeric = frozenset(c for c in columns if _holds_figures([r[c] for r in kept]))
    return Table(names, kept, numeric, uneven)


def _holds_figures(cells: list[str]) -> bool:
    given = [cell for cell in cells if cell and cell.lower() not in _MISSING]
    found = sum(1 for cell in given if figure(cell) is not None)
    return bool(found) and found >= 0.8 * len(given)
