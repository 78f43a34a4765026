"""SQLite, opened to be read: no statement can write, attach another file or run for ever."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.tools.database.reading import Limits
from cogwork.tools.table import Rows

__all__ = ["SqliteDatabase"]

T = TypeVar("T")

_ALLOWED: Final = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_RECURSIVE,
    sqlite3.SQLITE_FUNCTION,
}
_ALLOWED_PRAGMAS: Final = {
    *("table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo"),
    *("foreign_key_list", "database_list", "function_list", "collation_list", "encoding"),
}
_REFUSED_FUNCTIONS: Final = {"load_extension", "fts3_tokenizer", "writefile", "readfile", "edit"}
_LONGEST_PATTERN: Final = 500  # bytes of a pattern for LIKE and GLOB
_STEPS: Final = 100  # of SQLite's machine between looks at the clock


class SqliteDatabase:
    """A file, opened anew for each statement.

    Args:
        path: It exists.
        limits: Of one statement.

    Raises:
        ConfigurationError: There is no such file.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        if not path.is_file():
            raise ConfigurationError(f"there is no SQLite file '{path}'; correct the path")
        self._uri = f"{path.resolve().as_uri()}?mode=ro"
        self._limits = limits

    def query(self, sql: str) -> Rows:
        """Answer a statement."""

        def run(connection: sqlite3.Connection) -> Rows:
            cursor = connection.execute(sql)
            columns = [column[0] for column in cursor.description or ()]
            return Rows.of(columns, cursor, self._limits.rows)

        return self._read(run)

    def tables(self) -> list[tuple[str, str]]:
        """Return each table and view with its columns."""

        def run(connection: sqlite3.Connection) -> list[tuple[str, str]]:
            listed = connection.execute(
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
                "AND name NOT LIKE 'sqlite_%' ORDER BY name"
            )
            return [(name, _columns(connection, name)) for (name,) in listed.fetchall()]

        return self._read(run)

    def _read(self, run: Callable[[sqlite3.Connection], T]) -> T:
        deadline = time.monotonic() + self._limits.seconds
        try:
            with self._connected(deadline) as connection:
                return run(connection)
        except sqlite3.OperationalError as error:
            if time.monotonic() >= deadline:
                raise ToolError(
                    f"the query did not end within {self._limits.seconds:g} seconds; ask for less"
                ) from error
            raise ToolError(f"SQLite refused the query: {error}") from error
        except sqlite3.DataError as error:
            raise ToolError(
                f"SQLite refused the query: {error}; a value may have "
                f"{self._limits.cell_bytes:,} bytes: leave its column out"
            ) from error
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
            raise ToolError(f"SQLite refused the query: {error}") from error

    @contextmanager
    def _connected(self, deadline: float) -> Iterator[sqlite3.Connection]:
        with closing(
            sqlite3.connect(self._uri, uri=True, timeout=min(self._limits.seconds, 5.0))
        ) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self._limits.cell_bytes)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, _LONGEST_PATTERN)
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.text_factory = lambda data: data.decode("utf-8", "replace")
            connection.set_authorizer(_authorize)
            connection.set_progress_handler(lambda: time.monotonic() >= deadline, _STEPS)
            yield connection


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """What a statement may do: read; the file itself is opened read-only besides."""
    if action == sqlite3.SQLITE_FUNCTION and second in _REFUSED_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _ALLOWED_PRAGMAS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _columns(connection: sqlite3.Connection, table: str) -> str:
    quoted = table.replace('"', '""')
    found = connection.execute(f'PRAGMA table_info("{quoted}")')
    return ", ".join(
        f"{name} {kind}".strip() + (" (key)" if key else "") for _, name, kind, _, _, key in found
    )
