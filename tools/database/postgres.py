"""PostgreSQL, read in transactions that the server keeps read-only."""

import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from cogwork.core.errors import ConfigurationError, ToolError, redact
from cogwork.tools.database.reading import Limits
from cogwork.tools.table import Rows

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["PostgresDatabase"]

# A read-only transaction keeps tables as they are. It does not keep these from the files and
# programs of the server.
_POWERS: Final = """
SELECT CASE WHEN rolsuper THEN 'a superuser' WHEN rolreplication THEN 'a replication role' ELSE
  (SELECT string_agg(power, ', ') FROM unnest(ARRAY['pg_read_server_files',
   'pg_write_server_files', 'pg_execute_server_program', 'pg_signal_backend']) AS power
   WHERE pg_has_role(current_user, power, 'MEMBER')) END
FROM pg_roles WHERE rolname = current_user
"""
_COLUMNS: Final = """
SELECT table_schema || '.' || table_name,
       string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position)
FROM information_schema.columns
WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
GROUP BY table_schema, table_name ORDER BY 1
"""


class PostgresDatabase:
    """A server, connected to anew for each statement.

    Args:
        url: Of a role that may do no more than read.
        limits: Of one statement.

    Raises:
        ConfigurationError: The extra `postgres` is not installed.
    """

    def __init__(self, url: str, limits: Limits) -> None:
        try:
            import psycopg  # noqa: F401 - asked for now rather than at the first query
        except ImportError as error:
            raise ConfigurationError(
                "PostgreSQL needs the extra 'postgres'; run: pip install 'cogwork[postgres]'"
            ) from error
        self._url = url
        self._limits = limits

    def query(self, sql: str) -> Rows:
        """Answer a statement."""
        with self._reading() as connection, connection.cursor() as cursor:
            # Streaming uses the extended protocol, in which a text is one statement.
            with closing(cast("Generator[Any]", cursor.stream(sql.encode()))) as found:
                rows = Rows.of((), found, self._limits.rows)
                columns = [column.name for column in cursor.description or ()]
            return replace(rows, columns=columns)

    def tables(self) -> list[tuple[str, str]]:
        """Return each table and view with its columns."""
        with self._reading() as connection:
            return [(name, columns) for name, columns in connection.execute(_COLUMNS)]

    @contextmanager
    def _reading(self) -> Iterator["Connection[Any]"]:
        import psycopg

        started = time.monotonic()
        try:
            with psycopg.connect(
                self._url, connect_timeout=10, autocommit=True, prepare_threshold=None
            ) as connection:
                self._refuse_powers(connection)
                connection.execute(
                    f"SET statement_timeout = {int(self._limits.seconds * 1_000)}; "
                    "SET default_transaction_read_only = on; SET lock_timeout = '2s'"
                )
                connection.read_only = True
                connection.autocommit = False
                yield connection
                connection.rollback()
        except psycopg.errors.QueryCanceled as error:
            raise ToolError(
                f"the query did not end within {self._limits.seconds:g} seconds; ask for less"
            ) from error
        except psycopg.OperationalError as error:
            after = time.monotonic() - started
            raise ToolError(
                f"PostgreSQL cannot be reached ({after:.1f} s): {redact(str(error)).strip()}",
                transient=True,
            ) from error
        except psycopg.ProgrammingError as error:
            reason = str(error).strip()
            if error.sqlstate is None:
                reason = "it is no statement that returns rows"
            raise ToolError(f"PostgreSQL refused the query: {reason}") from error
        except psycopg.Error as error:
            raise ToolError(f"PostgreSQL refused the query: {str(error).strip()}") from error

    def _refuse_powers(self, connection: "Connection[Any]") -> None:
        found = connection.execute(_POWERS).fetchone()
        if found and found[0]:
            raise ConfigurationError(
                f"the role '{connection.info.user}' is {found[0]}, which a read-only transaction "
                "does not hold back; connect as a role that may only read: CREATE ROLE reader "
                "LOGIN PASSWORD '…'; GRANT pg_read_all_data TO reader"
            )
