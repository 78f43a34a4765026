"""What both databases share."""

from dataclasses import dataclass
from typing import Protocol

from cogwork.tools.table import Rows

__all__ = ["Database", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one query may take.

    Attributes:
        rows: That are returned.
        seconds: That it may run.
        cell_bytes: The longest value that the database may read or make; some functions take
            a time that grows with its square, and no clock stops them.
    """

    rows: int = 200
    seconds: float = 10.0
    cell_bytes: int = 1_000_000


class Database(Protocol):
    """Something that answers one read-only statement at a time."""

    def query(self, sql: str) -> Rows:
        """Answer a statement.

        Raises:
            ToolError: It is refused, fails or takes too long.
        """

    def tables(self) -> list[tuple[str, str]]:
        """Return each table and view with its columns, as text."""
