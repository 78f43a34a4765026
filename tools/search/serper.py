"""Google's results by Serper (https://serper.dev)."""

from langchain_core.embeddings import Embeddings

from cogwork.tools.http.exchange import Exchange
from cogwork.tools.search.hit import Hit, Search, required_key, rows_of, scored, service, text_of

__all__ = ["make_serper"]

_MOST = 100


def make_serper(
    api_key: str | None = None,
    *,
    exchange: Exchange | None = None,
    embeddings: str | Embeddings | None = "static",
    url: str = "https://google.serper.dev/search",
) -> Search:
    """Return the search of the web by Serper; scores are by embeddings.

    Args:
        api_key: Else the setting `serper_api_key`.
        exchange: What makes the requests.
        embeddings: What the relevance is measured with.
        url: Of the service.

    Raises:
        ConfigurationError: There is no key.
    """
    key = required_key(api_key, "serper")
    asks = service(url, exchange, {"X-API-KEY": key})

    async def serper(query: str, k: int) -> list[Hit]:
        asked = {"q": query, "num": min(k, _MOST)}
        answer = await asks.request("POST", url, json_body=asked, repeatable=True)
        hits = [
            Hit(
                title=text_of(row, "title"),
                url=text_of(row, "link"),
                snippet=text_of(row, "snippet"),
                score=0.0,
                source="serper",
                published=text_of(row, "date") or None,
            )
            for row in rows_of(answer, "organic")
        ]
        return (await scored(query, hits, embeddings))[:k]

    return serper
