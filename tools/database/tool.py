"""The tools that read a database by SQL."""

from pathlib import Path

from langchain_core.tools import BaseTool

from cogwork.core.errors import ConfigurationError, redact
from cogwork.tools.base import tool
from cogwork.tools.database.postgres import PostgresDatabase
from cogwork.tools.database.reading import Database, Limits
from cogwork.tools.database.sqlite import SqliteDatabase
from cogwork.tools.table import shown

__all__ = [
    "database_tools",
    "make_describe_database",
    "make_query_database",
    "open_database",
]


def database_tools(url: str, *, max_rows: int = 200, timeout: float = 10.0) -> list[BaseTool]:
    """Return `describe_database` and `query_database` for one database.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db`, or
            `postgresql://user:password@host:5432/database` (extra `postgres`) with a role that
            may only read.
        max_rows: Rows that a query returns.
        timeout: Seconds that a query may run.

    Raises:
        ConfigurationError: The URL is not one of these, there is no such file, or a limit is
            not positive.
    """
    makers = (make_describe_database, make_query_database)
    return [make(url, max_rows=max_rows, timeout=timeout) for make in makers]


def make_query_database(url: str, *, max_rows: int = 200, timeout: float = 10.0) -> BaseTool:
    """Return the tool that answers one SQL statement; arguments as in `database_tools`."""
    database = open_database(url, max_rows, timeout)
    dialect = "SQLite" if isinstance(database, SqliteDatabase) else "PostgreSQL"

    @tool(
        effect="read",
        network=dialect == "PostgreSQL",
        timeout=timeout + 15.0,
        description=f"Answer one SQL query, in the dialect of {dialect}, on the database. "
        "It can only read; see describe_database for tables and columns.",
    )
    def query_database(sql: str) -> str:
        return shown(database.query(sql))

    return query_database


def make_describe_database(url: str, *, max_rows: int = 200, timeout: float = 10.0) -> BaseTool:
    """Return the tool that lists tables and columns; arguments as in `database_tools`."""
    database = open_database(url, max_rows, timeout)

    @tool(
        effect="read",
        network=isinstance(database, PostgresDatabase),
        timeout=timeout + 15.0,
        description="List the tables of the database, each with its columns and their types.",
    )
    def describe_database() -> str:
        tables = [f"{name}({columns})" for name, columns in database.tables()]
        return "\n".join(tables) or "the database has no tables"

    return describe_database


def open_database(url: str, max_rows: int, timeout: float) -> Database:
    """Return a database that answers statements which only read; arguments as in `database_tools`."""
    for name, value in (("max_rows", max_rows), ("timeout", timeout)):
        if value <= 0:
            raise ConfigurationError(f"{name} is {value}; it must be more than 0")
    limits = Limits(rows=max_rows, seconds=timeout)
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return SqliteDatabase(Path(rest[1:]), limits)
    if scheme in ("postgresql", "postgres"):
        return PostgresDatabase(url, limits)
    raise ConfigurationError(
        f"the database '{redact(url)}' is no URL of one; write sqlite:///file.db or "
        "postgresql://user:password@host/database"
    )
