"""What is searched: every source is a tool that only reads, so that a policy holds for it.

A folder, a database, the memories of a user, services of `tools.search`, functions with the
signature of `Search`, and search tools of the caller all become a `Source`.
"""

import os
import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.store.base import BaseStore

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.memory.recollection import Source as MemoryKind
from cogwork.nodes.memories import open_memories
from cogwork.nodes.research.reading import (
    Sentence,
    date_of,
    prose_sentences,
    sentences_of,
)
from cogwork.tools.base import spec_of, tool, with_spec
from cogwork.tools.root import Root
from cogwork.tools.search.corpus import Corpus
from cogwork.tools.search.hit import Hit, Search
from cogwork.tools.search.passages import KINDS, passages_of
from cogwork.tools.search.tool import SOURCES, find_source
from cogwork.tools.taint import has_read

__all__ = [
    "Found",
    "Source",
    "as_search_tool",
    "corpus_source",
    "function_source",
    "memory_source",
    "named_sources",
    "open_snippet",
    "tool_sources",
]

_TIMEOUT: Final = 60.0
_KNOWN: Final[tuple[MemoryKind, ...]] = ("semantic",)
_SHOWN = re.compile(
    r"^\[\d+\] (?P<title>.*)\n(?P<url>\S+) \((?P<about>.*); relevance (?P<score>[\d.]+)\)\n"
    r"(?P<snippet>(?!\[\d+\] ).+)?",
    re.MULTILINE,
)
_LEFT_OUT = re.compile(r"^not (?:asked|searched): .*", re.MULTILINE)
_NO_DOCUMENTS: Final = (
    "There was nothing to search in the corpus '{}': it holds no Markdown, text, HTML or PDF."
)
_MOST = 20_000  # characters of a tool's answer


@dataclass(frozen=True, slots=True)
class Found:
    """A hit, taken apart: its sentences with their lines, and what it stands in."""

    hit: Hit
    sentences: Sequence[Sentence]
    document: str
    locator: Callable[[int], str]
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Something to search.

    Attributes:
        name: As the report calls it.
        tool: Takes `query`; only reads.
        open: Takes a hit apart.
        is_sized: Whether the tool takes `k` too.
        notes: What it leaves out.
    """

    name: str
    tool: BaseTool
    open: Callable[[Hit], Found]
    is_sized: bool = True
    notes: Callable[[], Sequence[str]] = tuple

    @property
    def is_untrusted(self) -> bool:
        """Whether what it says taints the run."""
        return spec_of(self.tool).is_untrusted

    def hits(self, message: ToolMessage) -> list[Hit]:
        """Return what the tool's answer holds.

        Raises:
            ToolError: The call failed.
        """
        if message.status == "error":
            raise ToolError(str(message.text).removeprefix("Error: "))
        if isinstance(message.artifact, list):
            return [Hit(**row) for row in message.artifact]
        return _hits_in(str(message.text), self.name)


def function_source(given: str | Search, *, trusted: Container[str] = ()) -> Source:
    """Return a service, or a function, as a source.

    Args:
        given: A name out of `SOURCES`, or a function with the signature of `Search`, which is
            called as the function is.
        trusted: Names of sources that do not taint.

    Raises:
        ConfigurationError: It is no source, or its key is missing.
        UnknownNameError: No source is called so.
    """
    name = given if isinstance(given, str) else _called(given)
    network = name in SOURCES
    made = as_search_tool(name, find_source(given), network=network, trusted=name in trusted)
    return Source(name, made, open_snippet)


def corpus_source(folder: str | Path | Corpus, *, trusted: bool = False) -> Source:
    """Return a folder as a source; quotations have the line in which they stand.

    Raises:
        ConfigurationError: There is no such folder.
    """
    if not isinstance(folder, Corpus) and not Path(folder).is_dir():
        raise ConfigurationError(
            f"the corpus '{folder}' is no folder; name a folder of documents as corpus (--corpus on "
            "the command line)"
        )
    corpus = folder if isinstance(folder, Corpus) else Corpus(folder)
    given = None if isinstance(folder, Corpus) else PurePosixPath(Path(folder).as_posix())
    within = given if given is not None and not given.is_absolute() else PurePosixPath()

    def opened(hit: Hit) -> Found:
        return _read(corpus.root, hit, within)

    def notes() -> list[str]:
        left_out = [f"not searched: {path}: {why}" for path, why in corpus.left_out.items()]
        return (
            left_out[:5] if _has_documents(corpus) else [_NO_DOCUMENTS.format(corpus.root.folder)]
        )

    made = as_search_tool("corpus", corpus, network=False, trusted=trusted)
    return Source("corpus", made, opened, notes=notes)


def _has_documents(corpus: Corpus) -> bool:
    """Whether there is a file that would be searched, if it can be read."""
    for _, folders, files in os.walk(corpus.root.folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if any(Path(name).suffix.lower() in KINDS for name in files if not name.startswith(".")):
            return True
    return False


def memory_source(*, user: str | None = None, store: BaseStore | None = None) -> Source:
    """Return the memories of the run's user as a source; they bring their own taint."""

    async def memory(query: str, k: int, config: RunnableConfig) -> tuple[str, list[Any]]:
        memories = open_memories(config, user=user, store=store)
        found = await memories.recall(query, k, sources=_KNOWN, min_similarity=0.3)
        hits = []
        for each in found:
            has_read(*each.taint)
            kind = "untrusted memory" if each.taint else "memory"
            hits.append(Hit("What is remembered", f"memory:{each.id}", each.text, each.score, kind))
        return _told(hits)

    made = tool(
        "search_memory",
        effect="read",
        network=False,
        timeout=_TIMEOUT,
        description="Search what is remembered.",
        response_format="content_and_artifact",
    )(memory)
    return Source("memory", made, open_snippet)


def tool_sources(tools: Sequence[BaseTool]) -> list[Source]:
    """Return those tools that only read and that a query is enough for, as sources."""
    found = []
    for each in tools:
        shown: Mapping[str, Any] = each.args
        required = _required(each)
        if spec_of(each).effect == "read" and "query" in shown and required <= {"query"}:
            found.append(Source(each.name, each, open_snippet, is_sized="k" in shown))
    return found


def _required(each: BaseTool) -> set[str]:
    schema: Any = each.tool_call_schema
    described = schema if isinstance(schema, dict) else schema.model_json_schema()
    return set(described.get("required") or ())


def _called(given: Any) -> str:
    return str(getattr(given, "__name__", type(given).__name__)).strip("<>") or "source"


def as_search_tool(name: str, search: Search, *, network: bool, trusted: bool) -> BaseTool:
    """Return a search as a tool that only reads, whose hits are its artifact.

    Args:
        name: Of the source.
        search: What finds.
        network: Whether it needs the network.
        trusted: Whether what it finds does not taint.
    """

    async def look_up(query: str, k: int = 5) -> tuple[str, list[Any]]:
        return _told(await search(query, k))

    made = tool(
        f"search_{re.sub(r'[^A-Za-z0-9_-]', '_', name)}"[:64],
        effect="read",
        network=network,
        timeout=_TIMEOUT,
        description=f"Search {name}.",
        response_format="content_and_artifact",
    )(look_up)
    return with_spec(made, untrusted=not trusted)


def _told(hits: Sequence[Hit]) -> tuple[str, list[Any]]:
    return f"{len(hits)} hits", [asdict(hit) for hit in hits]


def _hits_in(text: str, source: str) -> list[Hit]:
    """The hits in the answer of a search tool; any other text is one hit."""
    text = text[:_MOST]
    found = [
        Hit(
            title=each["title"],
            url=each["url"],
            snippet=each["snippet"] or "",
            score=min(1.0, float(each["score"])),
            source=each["about"].split(", ")[0],
            published=", ".join(each["about"].split(", ")[1:]) or None,
        )
        for each in _SHOWN.finditer(text)
    ]
    rest = _LEFT_OUT.sub("", text).strip()
    if found or not rest or rest.startswith("Nothing was found."):
        return found
    return [Hit(source, f"{source}:answer", text, 0.5, source)]


def open_snippet(hit: Hit) -> Found:
    """Take a hit apart of which there is only the snippet."""
    place = hit.url or hit.title
    parts = prose_sentences(hit.snippet, hit.title)
    return Found(hit, parts, place.partition("#")[0], lambda _: place, _day(hit.published))


def _day(published: str | None) -> str | None:
    return date_of("", f"Date: {published}") if published else None


def _read(root: Root, hit: Hit, within: PurePosixPath) -> Found:
    """The sentences of a passage of a file, by line; a PDF's by page."""
    path, _, place = hit.url.partition("#")
    shown = str(within / path)
    if not place.startswith("L"):
        page = place.replace("page=", "page ")
        parts = prose_sentences(hit.snippet, hit.title)
        return Found(hit, parts, shown, lambda _: f"{shown}, {page}", date_of(path, hit.snippet))
    content = root.read(path)
    begins = int(place[1:])
    others = (int(each.place[1:]) for each in passages_of(path, content))
    ends = min((line for line in others if line > begins), default=None)
    text = content.decode("utf-8-sig", "replace")
    parts = [
        each
        for each in sentences_of(path, text)
        if begins <= each.line and (ends is None or each.line < ends)
    ]
    return Found(hit, parts, shown, lambda line: f"{shown}:{line}", date_of(path, text))


def named_sources(sources: Sequence[Source]) -> dict[str, Source]:
    """Return the sources by name.

    Raises:
        ConfigurationError: Two have one name.
    """
    named: dict[str, Source] = {}
    for each in sources:
        if each.name in named:
            raise ConfigurationError(f"two sources are called '{each.name}'; rename one")
        named[each.name] = each
    return named
