"""Tables as a model reads them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

__all__ = ["Rows", "shown"]

_LONGEST_CELL: Final = 500  # characters that are shown of one value


@dataclass(frozen=True, slots=True)
class Rows:
    """A result: names of columns, rows, and whether there were more."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    is_cut: bool

    @classmethod
    def of(cls, columns: Sequence[str], rows: Iterable[Sequence[Any]], limit: int) -> "Rows":
        """Take as many rows as are allowed; of long values what is shown, one row at a time."""
        taken = [tuple(map(_shortened, row)) for row in islice(rows, limit + 1)]
        return cls(columns, taken[:limit], len(taken) > limit)


def shown(result: Rows) -> str:
    """Return a result as a Markdown table."""
    if not result.columns:
        return "no rows"
    names = [_cell(_shortened(name)) for name in result.columns]
    lines = [_line(names), _line(["---"] * len(names))]
    lines += [_line([_cell(value) for value in row]) for row in result.rows]
    count = len(result.rows)
    lines.append(
        f"(the first {count:,} rows; there are more)"
        if result.is_cut
        else f"({count:,} row{'' if count == 1 else 's'})"
    )
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _shortened(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return f"<{len(bytes(value)):,} bytes>"
    if isinstance(value, str) and len(value) > _LONGEST_CELL:
        return f"{value[:_LONGEST_CELL]}… ({len(value):,} characters)"
    return value


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    text = value if isinstance(value, str) else str(_shortened(str(value)))
    return text.replace("|", "\\|").replace("\n", "\\n").replace("\r", "\\r")
