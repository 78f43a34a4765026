"""What a search finds, and the one signature of everything that searches."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from langchain_core.embeddings import Embeddings
from pydantic import SecretStr

from cogwork.core.embeddings import create_embeddings
from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.core.settings import Settings, load_settings
from cogwork.tools.http.body import Answer, Limits
from cogwork.tools.http.exchange import Exchange
from cogwork.tools.http.targets import parse_target

__all__ = ["Hit", "Search", "key_of", "required_key", "rows_of", "scored", "service", "text_of"]

_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found.

    Args:
        title: What it is called.
        url: Where it is: an address, or a file with its line (`a.md#L12`) or page
            (`a.pdf#page=3`).
        snippet: What it says, on one line.
        score: How relevant it is to the query, from 0 to 1.
        source: What found it.
        published: When, as the source says it; None when it does not.
    """

    title: str
    url: str
    snippet: str
    score: float
    source: str
    published: str | None = None


Search: TypeAlias = Callable[[str, int], Awaitable[list[Hit]]]
"""Finds at most so many hits for a query, the best first. Any such function is a source."""


async def scored(
    query: str, hits: Sequence[Hit], embeddings: str | Embeddings | None = "static"
) -> list[Hit]:
    """Return the hits with the likeness of their title and snippet to the query, best first.

    Args:
        query: What was looked for.
        hits: Of a service that gives no scores of its own.
        embeddings: What measures the likeness: the cosine, where below 0 counts as 0.
    """
    if not hits:
        return []
    measure = create_embeddings(embeddings)
    texts = [query, *(f"{hit.title}\n{hit.snippet}" for hit in hits)]
    wanted, *found = await measure.aembed_documents(texts)
    likeness = [_cosine(wanted, vector) for vector in found]
    both = [replace(hit, score=score) for hit, score in zip(hits, likeness, strict=True)]
    return sorted(both, key=lambda hit: -hit.score)


def service(
    url: str, exchange: Exchange | None, headers: Mapping[str, str] | None = None
) -> Exchange:
    """Return what asks the service at `url`: the given exchange or one that reaches nothing else.

    Args:
        url: Of the service.
        exchange: With limits and a resolver of the user's.
        headers: Secrets for this service only.
    """
    target = parse_target(url)
    asks = exchange or Exchange(allowed_domains=[target.host], limits=Limits(seconds=20.0))
    return asks.with_headers({target.origin: headers}) if headers else asks


def key_of(given: str | None, source: str, settings: Settings | None = None) -> str:
    """Return the key of a service; empty when there is none.

    Args:
        given: By the caller; else the settings are asked.
        source: Whose key it is: `serper`, `tavily` or `semantic_scholar`.
        settings: Where the key comes from; else `load_settings()`.
    """
    if given is None:
        kept: SecretStr | None = getattr(settings or load_settings(), f"{source}_api_key")
        given = kept.get_secret_value() if kept else ""
    return given.strip()


def required_key(given: str | None, source: str) -> str:
    """Return the key of a service that answers to nobody without one, as `key_of` does.

    Raises:
        ConfigurationError: There is none.
    """
    key = key_of(given, source)
    if not key:
        raise ConfigurationError(
            f"{source.title()} needs a key; set {source.upper()}_API_KEY in the environment or "
            f"{source}_api_key in the settings, or pass api_key"
        )
    return key


def rows_of(answer: Answer, *path: str) -> list[Mapping[str, Any]]:
    """Return the list of objects that stands in a JSON answer under these names.

    What is missing is an empty list: services leave out what they did not find.

    Raises:
        StatusError: The service refused.
        ToolError: It answered something else.
    """
    answer.require_success()
    found = answer.json()
    for name in path:
        if not isinstance(found, Mapping):
            raise ToolError(f"{answer.url.partition('?')[0]} answers no object with '{name}'")
        found = found.get(name) or []
        if found == []:
            return []
    if not isinstance(found, list):
        raise ToolError(f"{answer.url.partition('?')[0]} answers no list of '{'.'.join(path)}'")
    return [row for row in found if isinstance(row, Mapping)]


def text_of(row: Mapping[str, Any], *names: str, limit: int = _LONGEST) -> str:
    """Return the first text under one of these names, on one line, cut off at `limit`."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str | int) and str(value).strip():
            text = " ".join(str(value).split())
            return text if len(text) <= limit else f"{text[: limit - 1]}…"
    return ""


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    first, second = np.asarray(one), np.asarray(other)
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return min(max(float(first @ second) / size, 0.0), 1.0) if size else 0.0
