"""Preprints by arXiv's interface, which answers an Atom feed.

https://info.arxiv.org/help/api/user-manual.html
"""

import re
from xml.etree import ElementTree as ET
from xml.parsers import expat

from langchain_core.embeddings import Embeddings

from cogwork.core.errors import ToolError
from cogwork.tools.http.body import Answer
from cogwork.tools.http.exchange import Exchange
from cogwork.tools.search.hit import Hit, Search, scored, service, text_of

__all__ = ["make_arxiv", "parse_xml"]

_ATOM = "{http://www.w3.org/2005/Atom}"
_MOST = 100
_MOST_WORDS = 30
_DEEPEST = 50


def make_arxiv(
    *,
    exchange: Exchange | None = None,
    embeddings: str | Embeddings | None = "static",
    url: str = "https://export.arxiv.org/api/query",
) -> Search:
    """Return the search of arXiv; scores are by embeddings. arXiv asks for 3 s between calls.

    Args:
        exchange: What makes the requests.
        embeddings: What the relevance is measured with.
        url: Of the service.
    """
    asks = service(url, exchange)

    async def arxiv(query: str, k: int) -> list[Hit]:
        words = re.findall(r"\w+", query)[:_MOST_WORDS]
        if not words:
            return []
        params: dict[str, str | int] = {
            "search_query": " AND ".join(f"all:{word}" for word in words),
            "max_results": min(k, _MOST),
            "sortBy": "relevance",
        }
        answer = await asks.request("GET", url, params=params)
        return (await scored(query, _hits(answer), embeddings))[:k]

    return arxiv


def parse_xml(source: bytes) -> ET.Element:
    """Parse XML that declares no types and no entities, which expand and read files.

    Raises:
        ToolError: It declares some, is malformed, or is nested too deeply.
    """
    builder, depth = ET.TreeBuilder(), 0
    parser = expat.ParserCreate(namespace_separator="}")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ToolError(f"the XML is nested deeper than {_DEEPEST}; it is not read")
        builder.start(_qualified(name), attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_qualified(name))

    def refuse(*_: object) -> None:
        raise ToolError("the XML declares types or entities; it is not read")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(source, True)
        return builder.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        raise ToolError(f"the XML is malformed: {error}") from error


def _qualified(name: str) -> str:
    return f"{{{name}" if "}" in name else name


def _hits(answer: Answer) -> list[Hit]:
    answer.require_success()
    hits = [_hit(entry) for entry in parse_xml(answer.body).iter(f"{_ATOM}entry")]
    for hit in hits:
        if "/api/errors" in hit.url:
            raise ToolError(f"arXiv refuses the query: {hit.snippet}")
    return hits


def _hit(entry: ET.Element) -> Hit:
    row = {child.tag.removeprefix(_ATOM): "".join(child.itertext()) for child in entry}
    return Hit(
        title=text_of(row, "title"),
        url=text_of(row, "id").replace("http://arxiv.org/", "https://arxiv.org/"),
        snippet=text_of(row, "summary"),
        score=0.0,
        source="arxiv",
        published=text_of(row, "published") or None,
    )
