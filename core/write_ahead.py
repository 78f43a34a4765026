"""SQLite's write-ahead log, for a file that several processes open at once."""

import sqlite3
import time

__all__ = ["use_write_ahead_log"]


def use_write_ahead_log(connection: sqlite3.Connection, patience: float = 30.0) -> None:
    """Switch a file to write-ahead logging; it stays so for all who open it.

    SQLite does not wait its timeout when two processes switch a new file at once.

    Args:
        connection: To the file, outside of a transaction.
        patience: Seconds to wait for others who switch it.

    Raises:
        sqlite3.Error: It cannot be switched.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
