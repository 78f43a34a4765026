"""The words of values and of queries, and where in the full-text index a namespace lies."""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from cogwork.core.words import content_words
from cogwork.memory.store.namespaces import Namespace, encode

__all__ = ["leaves", "place_tokens", "place_word", "plain_words", "query_words"]

_PLAIN_WORD = re.compile(r"[^\W_]{1,500}")
_MOST_WORDS = 64
_MOST_TEXT = 300_000  # characters; PostgreSQL keeps at most a megabyte of words


def leaves(value: Any) -> Iterator[str]:
    """Return the texts and numbers in a value, without the names of its fields."""
    if isinstance(value, Mapping):
        for part in value.values():
            yield from leaves(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from leaves(part)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def query_words(query: str) -> list[str]:
    """Return the distinct words to search for, at most 64; nothing in a query is syntax.

    English function words are left out, unless the query has no others.
    """
    return list(content_words(query))[:_MOST_WORDS]


def plain_words(text: str) -> str:
    """Return the words of a text without case, accents and signs, as SQLite sees them."""
    letters = unicodedata.normalize("NFKD", text[:_MOST_TEXT].casefold())
    bare = "".join(each for each in letters if not unicodedata.combining(each))
    return " ".join(_PLAIN_WORD.findall(bare))


def place_word(prefix: Namespace) -> str:
    """Return the one word that marks everything under a prefix."""
    digest = hashlib.blake2b(encode(prefix).encode(), digest_size=8)
    return f"n{digest.hexdigest()}"


@lru_cache(1024)
def place_tokens(namespace: Namespace) -> str:
    """Return the words of all prefixes of a namespace, so that one word finds each."""
    return " ".join(place_word(namespace[:depth]) for depth in range(1, len(namespace) + 1))
