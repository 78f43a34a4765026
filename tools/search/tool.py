"""The tool `search`: the web, papers, an encyclopedia or a local folder, behind one signature."""

import asyncio
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from langchain_core.tools import BaseTool

from cogwork.core.errors import CogworkError, ConfigurationError, ToolError, UnknownNameError
from cogwork.core.registry import nearest
from cogwork.core.settings import Settings, load_settings
from cogwork.tools.base import tool
from cogwork.tools.search.corpus import Corpus
from cogwork.tools.search.hit import Hit, Search, key_of

__all__ = [
    "SOURCES",
    "configured_sources",
    "find_source",
    "make_encyclopedia_search",
    "make_paper_search",
    "make_search",
    "make_search_files",
    "make_web_search",
]

SOURCES: Final = ("serper", "tavily", "arxiv", "semantic_scholar", "wikipedia")
"""Sources that can be given by name."""

_KEYED: Final = ("serper", "tavily", "semantic_scholar")
_TIMEOUT = 45.0
_MOST = 20
_LONGEST_QUERY = 1_000
_MOST_LEFT_OUT = 5


def make_search(
    *sources: str | Search,
    corpus: str | Path | None = None,
    name: str = "search",
    description: str | None = None,
    settings: Settings | None = None,
) -> BaseTool:
    """Return a tool that asks all of its sources at once and shows the best hits.

    Args:
        sources: Names out of `SOURCES`, or functions with the signature of `Search`.
        corpus: A folder to search offline.
        name: Of the tool.
        description: What a model is told; else that of the sources.
        settings: Where the keys of sources come from; else `load_settings()`.

    Raises:
        ConfigurationError: There is no source, a key is missing, or there is no such folder.
        UnknownNameError: No source is called so.
    """
    folder = None if corpus is None else Corpus(corpus)
    searches: list[Search] = [find_source(each, settings) for each in sources]
    if folder is not None:
        searches.append(folder)
    if not searches:
        raise ConfigurationError(
            f"make_search was given no source; name some of {', '.join(SOURCES)}, or a corpus"
        )

    async def search(query: str, k: int = 5) -> str:
        """Look something up.

        Args:
            query: What to look for, in a few words.
            k: How many results, up to 20.
        """
        wanted = " ".join(query.split())
        if not wanted or len(wanted) > _LONGEST_QUERY:
            raise ToolError(
                f"the query has {len(wanted):,} characters; send between 1 and {_LONGEST_QUERY:,}"
            )
        hits, failures = await _asked(searches, wanted, min(max(k, 1), _MOST))
        return _shown(hits, [*failures, *_left_out(folder)])

    made = tool(
        name,
        effect="read",
        network=bool(sources),
        timeout=_TIMEOUT,
        description=description or _description(sources, corpus),
        parse_docstring=True,
    )
    return made(search)


def make_web_search(_: str | Path = ".", *, settings: Settings | None = None) -> BaseTool:
    """Return `make_search` of the `configured_sources`, for the registry of tools."""
    settings = settings or load_settings()
    return make_search(*configured_sources(settings), name="web_search", settings=settings)


def make_paper_search(_: str | Path = ".", *, settings: Settings | None = None) -> BaseTool:
    """Return `make_search` of arXiv and Semantic Scholar, for the registry of tools."""
    return make_search("arxiv", "semantic_scholar", name="paper_search", settings=settings)


def make_encyclopedia_search(_: str | Path = ".") -> BaseTool:
    """Return `make_search` of Wikipedia, for the registry of tools."""
    return make_search("wikipedia", name="encyclopedia_search")


def make_search_files(root: str | Path) -> BaseTool:
    """Return `make_search` of a folder, for the registry of tools."""
    return make_search(corpus=root, name="search_files")


def configured_sources(settings: Settings | None = None) -> list[str]:
    """Return the searches of the web whose keys are set, else Wikipedia, which needs none.

    Args:
        settings: Where the keys come from; else `load_settings()`.
    """
    settings = settings or load_settings()
    found = [each for each in ("tavily", "serper") if key_of(None, each, settings)]
    return found or ["wikipedia"]


def find_source(given: str | Search, settings: Settings | None = None) -> Search:
    """Return the source of this name; a function that is one as it is.

    Args:
        given: A name out of `SOURCES`, or a function with the signature of `Search`.
        settings: Where its key comes from; else `load_settings()`.

    Raises:
        ConfigurationError: It is no source, or its key is missing.
        UnknownNameError: No source is called so.
    """
    if not isinstance(given, str):
        if not callable(given):
            raise ConfigurationError(
                f"{given!r:.100} is no source; give a name, or an async function of a query and "
                "a number that returns hits"
            )
        return given
    if given not in SOURCES:
        raise UnknownNameError(f"no source is called '{given}'; {nearest(given, list(SOURCES))}")
    make = getattr(importlib.import_module(f"cogwork.tools.search.{given}"), f"make_{given}")
    made: Search = make(key_of(None, given, settings)) if given in _KEYED else make()
    return made


def _description(sources: Sequence[str | Search], corpus: str | Path | None) -> str:
    places = {
        "serper": "the web",
        "tavily": "the web",
        "arxiv": "preprints on arXiv",
        "semantic_scholar": "scientific papers",
        "wikipedia": "Wikipedia",
    }
    found = [places.get(str(source), _name(source)) for source in sources]
    found += ["the local documents"] if corpus is not None else []
    return (
        f"Search {', '.join(dict.fromkeys(found))}. Results come best first, each with where it "
        "is from; cite it."
    )


async def _asked(searches: Sequence[Search], query: str, k: int) -> tuple[list[Hit], list[str]]:
    """Ask all at once; one that fails is said, and the others still answer.

    Raises:
        ToolError: All of them failed.
    """
    answers = await asyncio.gather(
        *(search(query, k) for search in searches), return_exceptions=True
    )
    hits: list[Hit] = []
    errors: list[CogworkError] = []
    for answer in answers:
        if isinstance(answer, CogworkError):
            errors.append(answer)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            hits += answer
    if len(errors) == len(searches):
        first = errors[0]
        if len(errors) == 1:
            raise first
        said = "; ".join(error.safe_message() for error in errors)
        raise ToolError(said, transient=any(error.transient for error in errors)) from first
    best = sorted(hits, key=lambda hit: -hit.score)
    each_once = {hit.url or hit.title: hit for hit in reversed(best)}
    chosen = sorted(each_once.values(), key=lambda hit: -hit.score)[:k]
    return chosen, [f"not asked: {error.safe_message()}" for error in errors]


def _shown(hits: Sequence[Hit], notes: Sequence[str]) -> str:
    lines = []
    for number, hit in enumerate(hits, 1):
        about = [hit.source, *([hit.published] if hit.published else [])]
        lines += [
            f"[{number}] {hit.title or hit.url}",
            f"{hit.url} ({', '.join(about)}; relevance {hit.score:.2f})",
            *([hit.snippet] if hit.snippet else []),
            "",
        ]
    return "\n".join([*(lines or ["Nothing was found.", ""]), *notes]).strip()


def _left_out(folder: Corpus | None) -> list[str]:
    left = folder.left_out if folder else {}
    told = [f"not searched: {path}: {why}" for path, why in list(left.items())[:_MOST_LEFT_OUT]]
    more = len(left) - len(told)
    return [*told, *([f"and {more:,} more files are not searched"] if more > 0 else [])]


def _name(source: str | Search) -> str:
    return str(getattr(source, "__name__", type(source).__name__))
