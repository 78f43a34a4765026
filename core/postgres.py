"""PostgreSQL by URL (extra `postgres`): what a connection is made with, and what its errors say."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cogwork.core.errors import CogworkError, ConfigurationError, MemoryStoreError, redact

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["Asking", "Server", "line", "translated"]

_ADVICE = "check that the server runs and that the URL names a role that may write there"


@dataclass(frozen=True, slots=True)
class Server:
    """A server, as a URL names it, and what is kept there.

    Attributes:
        what: What is kept there, as errors name it.
        options: What a connection is made with; it commits each statement by itself.
        error: What its failures are raised as.
        advice: The way out that they name.
    """

    what: str
    options: dict[str, Any]
    error: type[CogworkError] = MemoryStoreError
    advice: str = _ADVICE

    @classmethod
    def at(
        cls,
        url: str,
        what: str,
        *,
        error: type[CogworkError] = MemoryStoreError,
        advice: str = _ADVICE,
    ) -> "Server":
        """Read a URL; libpq's environment variables count as usual.

        Args:
            url: `postgresql://user:password@host:5432/database`, as libpq reads it.
            what: What is kept there, as errors name it.
            error: What the server's failures are raised as.
            advice: The way out that they name.

        Raises:
            ConfigurationError: The extra is not installed, or libpq cannot read the URL.
        """
        try:
            import psycopg_pool  # noqa: F401 - said here that it is missing, not later
            from psycopg import ProgrammingError
            from psycopg.conninfo import conninfo_to_dict
        except ImportError as missing:
            raise ConfigurationError(
                f"{what} in PostgreSQL: install the extra: pip install 'cogwork[postgres]' "
                f"({missing})"
            ) from missing
        try:
            given = conninfo_to_dict(url)
        except ProgrammingError as wrong:
            raise ConfigurationError(
                f"{what} in PostgreSQL: libpq cannot read the URL: {redact(line(wrong))}; "
                "write postgresql://user:password@host:5432/database"
            ) from None
        return cls(what, {"connect_timeout": 10, **given, "autocommit": True}, error, advice)

    @property
    def host(self) -> str:
        """The host, as errors name it."""
        return self.options.get("host") or "localhost"

    @property
    def database(self) -> str:
        """The database, as errors name it."""
        return self.options.get("dbname") or self.options.get("user") or "default"

    def connect(self, **options: Any) -> "Connection[Any]":
        """Open a connection."""
        import psycopg

        return psycopg.connect(**{**self.options, **options})

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Raise what PostgreSQL says as errors that name the place and the way out."""
        from psycopg import Error, InterfaceError, OperationalError
        from psycopg_pool import PoolClosed

        try:
            yield
        except Error as error:
            raise self.error(
                f"{self.what} in PostgreSQL, database '{self.database}' on '{self.host}': "
                f"{redact(line(error))}; {self.advice}",
                details={"sqlstate": error.sqlstate},
                transient=isinstance(error, OperationalError | InterfaceError)
                and not isinstance(error, PoolClosed),
            ) from error


class Asking:
    """A cursor that takes `?` for an argument, as SQLite does.

    Args:
        cursor: Of psycopg.
    """

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.fetchone = cursor.fetchone
        self.fetchall = cursor.fetchall

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed or found."""
        return int(self._cursor.rowcount)

    def execute(self, statement: str, args: Sequence[Any] = ()) -> Any:
        """Execute a statement and return the cursor."""
        return self._cursor.execute(translated(statement), args)

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute a statement once for each row of arguments."""
        self._cursor.executemany(translated(statement), rows)

    def now(self) -> float:
        """Return the server's time, in seconds since the epoch."""
        query = "SELECT extract(epoch FROM clock_timestamp())::float8"
        (seconds,) = self._cursor.execute(query).fetchone()
        return float(seconds)


@functools.lru_cache(maxsize=256)
def translated(statement: str) -> str:
    """Return a statement as psycopg takes it."""
    return statement.replace("?", "%s")


def line(error: Exception) -> str:
    """Return what an error says in one line."""
    return " ".join(str(error).split()) or type(error).__name__
