"""Papers by Semantic Scholar (https://api.semanticscholar.org/api-docs/graph)."""

from collections.abc import Mapping
from typing import Any

from langchain_core.embeddings import Embeddings

from cogwork.tools.http.exchange import Exchange
from cogwork.tools.search.hit import Hit, Search, key_of, rows_of, scored, service, text_of

__all__ = ["make_semantic_scholar"]

_FIELDS = "title,abstract,url,year,publicationDate,venue,tldr"
_MOST = 100


def make_semantic_scholar(
    api_key: str | None = None,
    *,
    exchange: Exchange | None = None,
    embeddings: str | Embeddings | None = "static",
    url: str = "https://api.semanticscholar.org/graph/v1/paper/search",
) -> Search:
    """Return the search of Semantic Scholar; scores are by embeddings.

    Args:
        api_key: Else the setting `semantic_scholar_api_key`; without one, fewer requests pass.
        exchange: What makes the requests.
        embeddings: What the relevance is measured with.
        url: Of the service.
    """
    key = key_of(api_key, "semantic_scholar")
    asks = service(url, exchange, {"x-api-key": key} if key else None)

    async def semantic_scholar(query: str, k: int) -> list[Hit]:
        params: dict[str, str | int] = {"query": query, "limit": min(k, _MOST), "fields": _FIELDS}
        answer = await asks.request("GET", url, params=params)
        hits = [
            Hit(
                title=text_of(row, "title"),
                url=text_of(row, "url"),
                snippet=text_of(row, "abstract") or _summary(row),
                score=0.0,
                source="semantic_scholar",
                published=text_of(row, "publicationDate", "year") or None,
            )
            for row in rows_of(answer, "data")
        ]
        return (await scored(query, hits, embeddings))[:k]

    return semantic_scholar


def _summary(row: Mapping[str, Any]) -> str:
    summary = row.get("tldr")
    return text_of(summary if isinstance(summary, Mapping) else row, "text", "venue")
