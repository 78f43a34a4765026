"""A database as a source: the rows that have the words of the question, without a model."""

from collections.abc import Sequence
from typing import Any, Final

from cogwork.core.bridge import in_thread
from cogwork.core.offline.words import STOPWORDS, singular, tokens
from cogwork.nodes.research.sources import Source, as_search_tool, open_snippet
from cogwork.tools.database.tool import open_database
from cogwork.tools.search.hit import Hit

__all__ = ["database_source"]

_TABLES: Final = 50
_WORDS: Final = 12
_ROWS: Final = 100  # of a table that are looked at
_CELL: Final = 300
_COLUMNS: Final = 40


def database_source(url: str, *, trusted: bool = True) -> Source:
    """Return a database as a source; of every table the rows with most of the words are hits.

    Args:
        url: As in `cogwork.tools.database.tool.database_tools`; opened to be read only.
        trusted: Whether its rows do not taint.

    Raises:
        ConfigurationError: The URL is none of a database, or there is no such file.
    """
    database = open_database(url, max_rows=_ROWS, timeout=10.0)

    async def rows(query: str, k: int) -> list[Hit]:
        return await in_thread(None, find, query, k)

    def find(query: str, k: int) -> list[Hit]:
        words = _words(query)
        found: list[Hit] = []
        for table, described in database.tables()[:_TABLES] if words else []:
            columns = [each.split(" ")[0] for each in described.split(", ") if each][:_COLUMNS]
            answer = database.query(_statement(table, columns, words))
            found += [_hit(table, answer.columns, row, words) for row in answer.rows]
        return sorted(found, key=lambda hit: -hit.score)[:k]

    network = not url.startswith("sqlite:")
    made = as_search_tool("database", rows, network=network, trusted=trusted)
    return Source("database", made, open_snippet)


def _statement(table: str, columns: Sequence[str], words: Sequence[str]) -> str:
    """The rows that have one of the words, which hold letters and digits only."""
    cells = [f"LOWER(CAST({_name(column)} AS TEXT))" for column in columns]
    tests = [f"{cell} LIKE '%{word}%'" for word in words for cell in cells]
    return f"SELECT * FROM {_name(table)} WHERE {' OR '.join(tests)} LIMIT {_ROWS}"  # noqa: S608 - names are quoted, words are letters and digits


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _words(query: str) -> list[str]:
    found = (singular(word) for word in tokens(query) if word not in STOPWORDS)
    return sorted({word for word in found if len(word) > 1 and word.isalnum()})[:_WORDS]


def _hit(table: str, columns: Sequence[str], row: Sequence[Any], words: Sequence[str]) -> Hit:
    cells = zip(columns, row, strict=False)
    told = [f"{column}: {str(cell)[:_CELL]}" for column, cell in cells if cell not in (None, "")]
    text = f"{table}: {'; '.join(told)}."
    said = text.casefold()
    score = sum(word in said for word in words) / len(words)
    return Hit(table, f"database:{table}/{str(row[0])[:80]}", text, score, "database")
