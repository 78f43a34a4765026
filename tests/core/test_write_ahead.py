"""Files that are opened at the same time by several."""

import sqlite3
import threading
from functools import partial
from pathlib import Path

import pytest

from cogwork.core.caching import Limits, open_cache
from cogwork.core.shared import shared_values
from cogwork.core.write_ahead import use_write_ahead_log
from cogwork.runtime.tasks.records import Records


def switch(path: Path) -> None:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    use_write_ahead_log(connection)
    connection.execute("CREATE TABLE IF NOT EXISTS kept (value)")
    connection.close()


def share(path: Path) -> None:
    values = shared_values(f"sqlite:///{path}")
    values.change("n", lambda value, now: value.update(n=1))
    values.close()


def cache(path: Path) -> None:
    open_cache(f"sqlite:///{path}", "tools", Limits(None, 10)).close()


def tasks(path: Path) -> None:
    Records(path).close()


@pytest.mark.parametrize("use", [switch, share, cache, tasks])
def test_all_who_open_a_new_file_at_once_can_use_it(tmp_path, use):
    errors: list[Exception] = []
    count = 6

    def start(path: Path, together: threading.Barrier) -> None:
        together.wait()
        try:
            use(path)
        except Exception as error:  # noqa: BLE001 - asserted below
            errors.append(error)

    for turn in range(40):
        together = threading.Barrier(count)
        work = partial(start, tmp_path / f"{turn}.db", together)
        threads = [threading.Thread(target=work) for _ in range(count)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert errors == []


def test_a_file_that_stays_locked_is_told(tmp_path):
    holds = sqlite3.connect(tmp_path / "file.db", isolation_level=None)
    holds.execute("BEGIN EXCLUSIVE")
    waits = sqlite3.connect(tmp_path / "file.db", timeout=0, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        use_write_ahead_log(waits, patience=0.05)
    waits.close()
    holds.close()


def test_an_opening_that_failed_is_tried_anew(tmp_path, monkeypatch):
    opened = sqlite3.connect
    monkeypatch.setattr(
        "cogwork.core.shared.sqlite3.connect",
        lambda path, **options: opened(
            path, isolation_level=None, timeout=0.05, check_same_thread=False
        ),
    )
    path = tmp_path / "values.db"
    share(path)
    other = opened(path, isolation_level=None)
    other.execute("DROP TABLE cogwork_shared")
    other.execute("BEGIN IMMEDIATE")
    values = shared_values(f"sqlite:///{path}")
    with pytest.raises(Exception, match="locked"):
        values.change("n", lambda value, now: None)
    other.execute("ROLLBACK")
    other.close()
    values.change("n", lambda value, now: value.update(n=1))
    values.close()
