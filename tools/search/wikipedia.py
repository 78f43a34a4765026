"""Articles of Wikipedia by MediaWiki's interface (https://www.mediawiki.org/wiki/API:Search)."""

import re

from langchain_core.embeddings import Embeddings

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.tools.http.body import Answer
from cogwork.tools.http.exchange import Exchange
from cogwork.tools.search.hit import Hit, Search, rows_of, scored, service, text_of

__all__ = ["make_wikipedia"]

_MOST = 20
_LONGEST_QUERY = 300
_AGENT = "cogwork (an agent framework, https://pypi.org/project/cogwork/)"


def make_wikipedia(
    language: str = "en",
    *,
    exchange: Exchange | None = None,
    embeddings: str | Embeddings | None = "static",
    url: str | None = None,
) -> Search:
    """Return the search of Wikipedia, which shows how articles begin; scores are by embeddings.

    Args:
        language: Which Wikipedia, by its code.
        exchange: What makes the requests.
        embeddings: What the relevance is measured with.
        url: Of another MediaWiki's `api.php`.

    Raises:
        ConfigurationError: There is no such language.
    """
    if not re.fullmatch(r"[a-z][a-z-]{1,15}", language):
        raise ConfigurationError(f"the language is '{language}'; write its code, for example 'de'")
    place = url or f"https://{language}.wikipedia.org/w/api.php"
    asks = service(place, exchange)

    async def wikipedia(query: str, k: int) -> list[Hit]:
        params: dict[str, str | int] = {
            "action": "query",
            "format": "json",
            "formatversion": 2,
            "generator": "search",
            "gsrsearch": query[:_LONGEST_QUERY],
            "gsrlimit": min(k, _MOST),
            "prop": "extracts|info",
            "exintro": 1,
            "explaintext": 1,
            "exlimit": "max",
            "inprop": "url",
        }
        answer = await asks.request("GET", place, params=params, headers={"User-Agent": _AGENT})
        hits = [
            Hit(
                title=text_of(row, "title"),
                url=text_of(row, "fullurl", "canonicalurl"),
                snippet=text_of(row, "extract"),
                score=0.0,
                source="wikipedia",
            )
            for row in _pages(answer)
        ]
        return (await scored(query, hits, embeddings))[:k]

    return wikipedia


def _pages(answer: Answer) -> list[dict[str, object]]:
    answer.require_success()
    told = answer.json()
    if isinstance(told, dict) and isinstance(told.get("error"), dict):
        raise ToolError(f"Wikipedia refuses the query: {text_of(told['error'], 'info', 'code')}")
    return [dict(row) for row in rows_of(answer, "query", "pages")]
