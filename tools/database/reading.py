"""What both databases share: the rows that came, their limits, and how they are shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol

__all__ = ["Database", "Limits", "Rows", "shown"]

_LONGEST_CELL: Final = 500  # characters that are shown of one value


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one query may take.

    Attributes:
        rows: That are returned.
        seconds: That it may run.
        cell_bytes: The longest value that the database may make.
    """

    rows: int = 200
    seconds: float = 10.0
    cell_bytes: int = 10_000_000


@dataclass(frozen=True, slots=True)
class Rows:
    """A result: names of columns, rows, and whether there were more."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    is_cut: bool

    @classmethod
    def of(cls, columns: Sequence[str], rows: Iterable[Sequence[Any]], limit: int) -> "Rows":
        """Take as many rows as are allowed."""
        taken = list(islice(rows, limit + 1))
        return cls(columns, taken[:limit], len(taken) > limit)


class Database(Protocol):
    """Something that answers one read-only statement at a time."""

    def query(self, sql: str) -> Rows:
        """Answer a statement.

        Raises:
            ToolError: It is refused, fails or takes too long.
        """

    def tables(self) -> list[tuple[str, str]]:
        """Return each table and view with its columns, as text."""


def shown(result: Rows) -> str:
    """Return a result as a Markdown table."""
    if not result.columns:
        return "no rows"
    lines = [_line(result.columns), _line(["---"] * len(result.columns))]
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


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes | memoryview):
        return f"<{len(bytes(value)):,} bytes>"
    text = str(value).replace("|", "\\|").replace("\n", "\\n").replace("\r", "\\r")
    if len(text) > _LONGEST_CELL:
        return f"{text[:_LONGEST_CELL]}… ({len(text):,} characters)"
    return text
