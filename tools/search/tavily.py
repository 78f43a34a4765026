"""The web by Tavily (https://tavily.com), which scores its results itself."""

import math
from collections.abc import Mapping
from typing import Any

from cogwork.tools.http.exchange import Exchange
from cogwork.tools.search.hit import Hit, Search, required_key, rows_of, service, text_of

__all__ = ["make_tavily"]

_MOST = 20


def make_tavily(
    api_key: str | None = None,
    *,
    exchange: Exchange | None = None,
    url: str = "https://api.tavily.com/search",
) -> Search:
    """Return the search of the web by Tavily; scores are Tavily's own.

    Args:
        api_key: Else the setting `tavily_api_key`.
        exchange: What makes the requests.
        url: Of the service.

    Raises:
        ConfigurationError: There is no key.
    """
    key = required_key(api_key, "tavily")
    asks = service(url, exchange, {"Authorization": f"Bearer {key}"})

    async def tavily(query: str, k: int) -> list[Hit]:
        asked = {"query": query, "max_results": min(k, _MOST), "search_depth": "basic"}
        answer = await asks.request("POST", url, json_body=asked, repeatable=True)
        hits = [
            Hit(
                title=text_of(row, "title"),
                url=text_of(row, "url"),
                snippet=text_of(row, "content"),
                score=_score(row),
                source="tavily",
                published=text_of(row, "published_date") or None,
            )
            for row in rows_of(answer, "results")
        ]
        return sorted(hits, key=lambda hit: -hit.score)[:k]

    return tavily


def _score(row: Mapping[str, Any]) -> float:
    score = row.get("score")
    if isinstance(score, bool) or not isinstance(score, int | float):
        return 0.0
    return 0.0 if math.isnan(score) else min(max(float(score), 0.0), 1.0)
