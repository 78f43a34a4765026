"""SQL on a real PostgreSQL server: reading works, and nothing else does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.tools.base import spec_of
from cogwork.tools.database import database_tools, make_query_database

WRITES = [
    "INSERT INTO shop.people VALUES (9, 'Eve')",
    "UPDATE shop.people SET name = 'Eve'",
    "DELETE FROM shop.people",
    "TRUNCATE shop.people",
    "DROP TABLE shop.people",
    "CREATE TABLE shop.more (a int)",
    "CREATE TEMP TABLE more (a int)",
    "WITH gone AS (DELETE FROM shop.people RETURNING *) SELECT * FROM gone",
    "SELECT set_config('transaction_read_only', 'off', true), shop.add_one()",
    "SELECT shop.add_one()",
    "SELECT nextval('shop.numbers')",
    "SELECT lo_create(0)",
    "SELECT 1; DELETE FROM shop.people",
    "COMMIT; DELETE FROM shop.people",
    "COPY shop.people TO PROGRAM 'cat > /tmp/out'",
    "COPY shop.people TO '/tmp/out'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT * FROM nobody",
    "not sql at all",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "NOTIFY channel",
    "COMMIT",
    "",
]


@pytest.fixture(scope="module")
def reader(postgres_url: str) -> Iterator[str]:
    """The URL of a role that owns its tables, and so may do more than read."""
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(
            """
            CREATE ROLE reader LOGIN PASSWORD 'secret-word';
            CREATE SCHEMA shop AUTHORIZATION reader;
            SET ROLE reader;
            CREATE TABLE shop.people (id int PRIMARY KEY, name text);
            INSERT INTO shop.people VALUES (1, 'Ada'), (2, 'Grace');
            CREATE SEQUENCE shop.numbers;
            CREATE FUNCTION shop.add_one() RETURNS int LANGUAGE sql AS
              'INSERT INTO shop.people VALUES (99, ''Eve'') RETURNING id';
            RESET ROLE;
            """
        )
        where = conninfo_to_dict(postgres_url)
        yield (
            f"postgresql://reader:secret-word@/{where.get('dbname', 'postgres')}"
            f"?host={where['host']}&port={where.get('port', '5432')}"
        )
        admin.execute("DROP SCHEMA shop CASCADE; DROP ROLE reader")


def ask(url: str, sql: str, **limits: Any) -> str:
    return str(make_query_database(url, **limits).invoke({"sql": sql}))


def test_rows_come_as_a_table(reader: str):
    assert ask(reader, "SELECT * FROM shop.people ORDER BY id") == (
        "| id | name |\n| --- | --- |\n| 1 | Ada |\n| 2 | Grace |\n(2 rows)"
    )


def test_tables_are_described(reader: str):
    describe, query = database_tools(reader)
    assert "shop.people(id integer, name text)" in describe.invoke({})
    assert (spec_of(query).effect, spec_of(query).network) == ("read", True)


@pytest.mark.parametrize("sql", WRITES)
def test_nothing_but_reading_works(reader: str, sql: str):
    with pytest.raises(ToolError, match="PostgreSQL refused the query"):
        ask(reader, sql)
    assert "| 2 |" in ask(reader, "SELECT count(*) FROM shop.people")


def test_rows_and_time_are_bounded(reader: str):
    many = f"SELECT 1 FROM {', '.join(f'shop.people AS p{n}' for n in range(40))}"
    assert ask(reader, many, max_rows=3).endswith("(the first 3 rows; there are more)")
    with pytest.raises(ToolError, match=r"did not end within 0\.2 seconds"):
        ask(reader, "SELECT pg_sleep(60)", timeout=0.2)


def test_superusers_are_refused(postgres_url: str):
    with pytest.raises(ConfigurationError, match="is a superuser, which a read-only transaction"):
        ask(postgres_url, "SELECT 1")


def test_server_that_is_away_is_said_without_the_password(tmp_path: Path):
    with pytest.raises(ToolError, match="PostgreSQL cannot be reached") as caught:
        ask(f"postgresql://reader:secret-word@/db?host={tmp_path}", "SELECT 1")
    assert "secret-word" not in str(caught.value)
