"""Values that several change together are changed one at a time, wherever they are kept."""

import os
import sqlite3
import threading

import pytest

from cogwork.core.errors import ConfigurationError, MemoryStoreError
from cogwork.core.shared import shared_values


def count(value, now):
    value["n"] = value.get("n", 0) + 1
    return value["n"]


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def values(request, tmp_path):
    urls = {"memory": None, "sqlite": f"sqlite:///{tmp_path}/deep/values.sqlite"}
    url = urls.get(request.param) or (
        request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    )
    opened = shared_values(url)
    yield opened
    opened.close()


def test_no_change_is_lost(values):
    values.change("new", lambda value, now: value.clear())
    threads = [
        threading.Thread(target=lambda: [values.change("new", count) for _ in range(20)])
        for _ in range(5)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert values.change("new", count) == 101
    assert values.change("another", lambda value, now: value) == {}


def test_a_change_that_raises_is_none(values):
    def broken(value, now):
        raise ValueError(str(now))

    before = values.change("broken", count)
    with pytest.raises(ValueError, match=r"1[0-9]{9}"):
        values.change("broken", broken)
    assert values.change("broken", count) == before + 1


def test_it_opens_again_after_it_was_closed(values):
    values.change("closed", lambda value, now: value.update(n=1))
    values.close()
    values.change("closed", lambda value, now: value.update(m=2))


def test_a_fork_has_a_connection_of_its_own(tmp_path):
    values = shared_values(f"sqlite:///{tmp_path}/values.sqlite")
    values.change("n", count)
    other = shared_values(f"sqlite:///{tmp_path}/values.sqlite")
    values._process = -1  # as if this were the child
    assert values.change("n", count) == 2
    assert values._process == os.getpid()
    values.close()
    other.close()


def test_a_file_that_is_none_is_told(tmp_path):
    (tmp_path / "notes.txt").write_text("not a database, but long enough to be read as one" * 9)
    values = shared_values(f"sqlite:///{tmp_path}/notes.txt")
    with pytest.raises(
        MemoryStoreError, match=r"notes\.txt' cannot be used: file is not a database"
    ):
        values.change("n", count)
    values.close()


def test_a_value_that_is_damaged_or_cannot_be_named_is_told(tmp_path):
    values = shared_values(f"sqlite:///{tmp_path}/values.sqlite")
    values.change("n", count)
    with sqlite3.connect(tmp_path / "values.sqlite") as other:
        other.execute("UPDATE cogwork_shared SET value = '{damaged'")
    other.close()
    for key in ("n", "half \ud83d"):
        with pytest.raises(MemoryStoreError, match="cannot be used"):
            values.change(key, count)
    assert values.change("m", count) == 1
    values.close()


def test_a_file_that_is_locked_is_told(tmp_path, monkeypatch):
    opened = sqlite3.connect
    monkeypatch.setattr(
        "cogwork.core.shared.sqlite3.connect",
        lambda path, timeout, **options: opened(path, timeout=0.05, **options),
    )
    values = shared_values(f"sqlite:///{tmp_path}/values.sqlite")
    values.change("n", count)
    other = opened(tmp_path / "values.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(MemoryStoreError, match="locked") as told:
        values.change("n", count)
    assert told.value.transient
    other.execute("ROLLBACK")
    other.close()
    assert values.change("n", count) == 2
    values.close()


def test_a_server_that_is_away_is_told():
    values = shared_values("postgresql://user:secret@127.0.0.1:1/none")
    with pytest.raises(MemoryStoreError, match="start the server") as told:
        values.change("n", count)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("url", ["sqlite:///", "values.sqlite", "redis://u:secret@here"])
def test_a_url_that_is_none_is_told_without_its_password(url):
    with pytest.raises(ConfigurationError, match="write sqlite:///file") as told:
        shared_values(url)
    assert "secret" not in str(told.value)
