"""SQL on a SQLite file: reading works, and nothing else does."""

import sqlite3
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.tools.base import spec_of
from cogwork.tools.database import database_tools, make_query_database

WRITES = [
    "INSERT INTO people VALUES (9, 'Eve', NULL)",
    "UPDATE people SET name = 'Eve'",
    "DELETE FROM people",
    "DROP TABLE people",
    "CREATE TABLE more (a)",
    "CREATE TEMP TABLE more (a)",
    "ALTER TABLE people ADD COLUMN more",
    "REPLACE INTO people VALUES (1, 'Eve', NULL)",
    "WITH x AS (SELECT 1) DELETE FROM people WHERE id IN (SELECT * FROM x)",
    "INSERT INTO people SELECT id + 9, name, age FROM people RETURNING id",
    "CREATE TRIGGER t AFTER INSERT ON people BEGIN DELETE FROM people; END",
    "VACUUM",
    "VACUUM INTO '{folder}/copy.db'",
    "REINDEX by_name",
    "ANALYZE",
    "BEGIN IMMEDIATE",
    "SAVEPOINT a",
    "ATTACH '{folder}/other.db' AS other",
    "ATTACH ':memory:' AS other",
    "DETACH main",
    "PRAGMA query_only = OFF",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA user_version = 7",
    "PRAGMA writable_schema = ON",
    "PRAGMA temp_store_directory = '{folder}'",
    "SELECT load_extension('{folder}/evil.so')",
    "SELECT writefile('{folder}/out', 'x')",
    "SELECT readfile('{folder}/data.db')",
    "SELECT 1; DELETE FROM people",
    "EXPLAIN DELETE FROM people",
    "not sql at all",
    "SELECT 1 \x00 FROM people",
    "SELECT 'a' || char(0xD800",
    "SELECT * FROM nobody",
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age REAL);"
            "INSERT INTO people VALUES (1, 'Ada', 36), (2, 'Grace|H', NULL), (3, x'ff00', 1.5);"
            "CREATE INDEX by_name ON people (name);"
            "CREATE VIEW grown AS SELECT name FROM people WHERE age > 18;"
        )
    connection.close()
    return path


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def ask(path: Path, sql: str, **limits: Any) -> str:
    return str(make_query_database(url(path), **limits).invoke({"sql": sql}))


def test_rows_come_as_a_table(file: Path):
    assert ask(file, "SELECT * FROM people ORDER BY id") == (
        "| id | name | age |\n| --- | --- | --- |\n| 1 | Ada | 36.0 |\n"
        "| 2 | Grace\\|H | NULL |\n| 3 | <2 bytes> | 1.5 |\n(3 rows)"
    )
    assert ask(file, "SELECT count(*) AS n FROM grown").splitlines()[2:] == ["| 1 |", "(1 row)"]
    assert ask(file, "SELECT 1 WHERE 0").endswith("(0 rows)")


def test_tables_are_described(file: Path):
    describe, query = database_tools(url(file))
    assert describe.invoke({}) == (
        "grown(name TEXT)\npeople(id INTEGER (key), name TEXT, age REAL)"
    )
    assert "read" in query.description
    assert (spec_of(query).effect, spec_of(query).network) == ("read", False)


@pytest.mark.parametrize("sql", WRITES)
def test_nothing_but_reading_works(file: Path, sql: str):
    before, listed = file.read_bytes(), sorted(file.parent.iterdir())
    with pytest.raises(ToolError, match="SQLite refused the query"):
        ask(file, sql.format(folder=file.parent))
    assert file.read_bytes() == before
    assert sorted(file.parent.iterdir()) == listed


def test_rows_are_bounded(file: Path):
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    answer = ask(file, many, max_rows=5)
    assert answer.splitlines()[-2:] == ["| 5 |", "(the first 5 rows; there are more)"]


def test_time_is_bounded(file: Path):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(ToolError, match=r"did not end within 0\.2 seconds"):
        ask(file, endless, timeout=0.2)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT zeroblob(1000000000)",
        "SELECT randomblob(1000000000)",
        "SELECT replace(hex(zeroblob(5000000)), '0', 'aaaaaaaaaaaaaaaaaaaa')",
    ],
)
def test_values_are_bounded(file: Path, sql: str):
    with pytest.raises(ToolError, match="too big"):
        ask(file, sql)


def test_many_long_values_are_never_held_together(file: Path):
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100) "
    tracemalloc.start()
    said = ask(file, f"{many} SELECT printf('%.*c', 900000, 'x'), zeroblob(900000) FROM n")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert said.count("… (900,000 characters) | <900,000 bytes>") == 100
    assert peak < 20_000_000


def test_patterns_whose_time_no_clock_bounds_are_refused(file: Path):
    with pytest.raises(ToolError, match="pattern too complex"):
        ask(file, f"SELECT 'a' LIKE '{'%a' * 300}'")


def test_a_value_that_is_too_long_says_what_to_do(file: Path):
    with pytest.raises(ToolError, match="may have 1,000,000 bytes: leave its column out"):
        ask(file, "SELECT zeroblob(1000001)")


def test_names_of_columns_are_kept_on_their_line(file: Path):
    header = ask(file, f'SELECT 1 AS "a|b\nc{"x" * 600}"').splitlines()[0]
    assert header.startswith("| a\\|b\\nc")
    assert header.endswith("(605 characters) |")


def test_long_values_are_cut(file: Path):
    assert "… (9,000 characters)" in ask(file, "SELECT printf('%.*c', 9000, 'x') AS long")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("sqlite:///none.db", "there is no SQLite file"),
        ("data.db", "is no URL of one"),
        ("mysql://user:secret@host/db", "is no URL of one"),
    ],
)
def test_wrong_urls_are_refused_without_their_password(wrong: str, says: str):
    with pytest.raises(ConfigurationError, match=says) as caught:
        make_query_database(wrong)
    assert "secret" not in str(caught.value)


def test_limits_are_positive(file: Path):
    with pytest.raises(ConfigurationError, match="max_rows is 0"):
        make_query_database(url(file), max_rows=0)


def test_file_that_is_no_database_is_said(tmp_path: Path):
    (tmp_path / "text").write_text("not a database, " * 100)
    with pytest.raises(ToolError, match="file is not a database"):
        ask(tmp_path / "text", "SELECT 1 FROM sqlite_master")


def test_writer_beside_it_is_not_disturbed(file: Path):
    with sqlite3.connect(file) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO people VALUES (4, 'Late', 2)")
        assert "| 3 |" in ask(file, "SELECT count(*) FROM people")
    assert "| 4 |" in ask(file, "SELECT count(*) FROM people")
    writer.close()
