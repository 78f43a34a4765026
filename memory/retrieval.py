"""What the memories need of a store: hybrid search, and reading a namespace whole.

Any LangGraph store will do. One that also has `search_text` is searched by meaning and by
words at once; one with neither vectors nor `search_text` is read and compared word by word.
"""

import asyncio
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar, runtime_checkable

from langgraph.store.base import BaseStore, GetOp, Item, PutOp, SearchItem

from cogwork.core.bridge import in_thread
from cogwork.core.words import content_words
from cogwork.memory.ranking import coverage, fuse, overlap, standard_scores
from cogwork.memory.soft_match import SoftWords, soft_match, soft_words

__all__ = [
    "Hit",
    "Namespace",
    "TextSearch",
    "get_many",
    "off_loop",
    "put_many",
    "read_all",
    "search_hybrid",
]

P = ParamSpec("P")
T = TypeVar("T")

Namespace = tuple[str, ...]
_Place = tuple[Namespace, str]

_PAGE = 5_000
_LONG = 20_000  # characters that are ranked in some milliseconds
_DEEPER = 3  # times as many candidates by vectors, among which words that match near ones choose
_SOFT = 2.0  # the weight of words that also match near ones
_SOFT_BY_NAME = 9.0  # the same where a name or number is asked for, by the trust in full text


@runtime_checkable
class TextSearch(Protocol):
    """A store that also searches full text."""

    def search_text(
        self,
        namespace_prefix: Namespace,
        /,
        query: str,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - the name is LangGraph's
        limit: int = 10,
        offset: int = 0,
    ) -> list[SearchItem]:
        """Return the items with words of the query, best BM25 first, higher is better."""
        ...


@dataclass(frozen=True, slots=True)
class Hit:
    """An item that a query found.

    Args:
        item: What the store holds.
        relevance: Between 0 and 1: the logistic function of the weighted mean of the z-scores
            when the store searches words too, else the cosine.
        similarity: Cosine to the query; None where only its words were found.
        shares_words: Whether full text found it.
    """

    item: Item
    relevance: float
    similarity: float | None
    shares_words: bool


async def search_hybrid(
    store: BaseStore,
    namespace: Namespace,
    query: str,
    *,
    filter: Mapping[str, Any] | None = None,  # noqa: A002 - the name is LangGraph's
    limit: int = 40,
    keep: Callable[[Hit], bool] | None = None,
) -> list[Hit]:
    """Return what is nearest in meaning and what shares words, most relevant first.

    The BM25 of a text counts by the share of the query's words that it covers, and full text
    as a whole by the share that its best hit covers: so it decides where a name or a number
    is asked for, and hardly where one word of many is shared. Words that also match near ones
    (`soft_match`) choose among three times as many texts as the vectors alone would give, with
    twice the weight of the vectors; where the query has a name or a number, with nine times
    that of full text.

    Args:
        store: Any LangGraph store.
        namespace: Where to look; what lies under it is searched too.
        query: What is asked; a blank one finds nothing.
        filter: LangGraph's filter on the values.
        limit: How many hits at most, and how many candidates full text may give.
        keep: Whether a hit may be returned; those that may not take no place from others.
    """
    if not query.strip():
        return []
    wanted, limit = dict(filter) if filter else None, min(limit, sys.maxsize // _DEEPER)
    if not isinstance(store, TextSearch):
        near = await store.asearch(namespace, query=query, filter=wanted, limit=limit)
        if any(item.score is not None for item in near) or not near:
            return await _best(partial(_by_meaning, near), near, keep, limit)
        items = await read_all(store, namespace, filter=filter)
        return await _best(partial(_by_words, query, items), items, keep, limit)
    near, (named, words) = await asyncio.gather(
        store.asearch(namespace, query=query, filter=wanted, limit=_DEEPER * limit),
        in_thread(None, _search_words, store, namespace, query, wanted, limit),
    )
    find = partial(_fused, query, near, named, words)
    return await _best(find, [*near, *named], keep, limit)


async def off_loop(size: int, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run in a thread what would hold up the loop; little is done quicker without one.

    Args:
        size: Characters of the texts.
        function: What to run.
        *args: Passed on.
        **kwargs: Passed on.
    """
    if size <= _LONG:
        return function(*args, **kwargs)
    return await in_thread(None, function, *args, **kwargs)


async def _best(
    find: Callable[[], list[Hit]],
    items: Sequence[Item],
    keep: Callable[[Hit], bool] | None,
    limit: int,
) -> list[Hit]:
    """Return the first hits that may be returned."""

    def work() -> list[Hit]:
        return [hit for hit in find() if keep is None or keep(hit)][:limit]

    return await off_loop(sum(len(_text(item)) for item in items), work)


def _search_words(
    store: TextSearch, namespace: Namespace, query: str, wanted: dict[str, Any] | None, limit: int
) -> tuple[list[SearchItem], SoftWords]:
    words = soft_words(query)  # here, since the first call takes long
    return store.search_text(namespace, query, filter=wanted, limit=limit), words


def _fused(
    query: str, near: Sequence[SearchItem], named: Sequence[SearchItem], words: SoftWords
) -> list[Hit]:
    items = {_place(item): item for item in [*near, *named]}
    similarity = {
        _place(item): item.score
        for item in near
        if item.score is not None and math.isfinite(item.score)
    }
    least = 1 / max(sum(content_words(query).values()), 1)  # one word, or it were no hit
    covered = {_place(item): max(least, coverage(query, _text(item))) for item in named}
    bm25 = {_place(item): (item.score or 0.0) * covered[_place(item)] for item in named}
    trust = max(covered.values(), default=0.0)
    fused = fuse(similarity, bm25, trust=trust)
    if not fused:
        return []
    weight = _SOFT_BY_NAME * trust if words.is_exact.any() else _SOFT
    soft = standard_scores(soft_match(words, [_text(items[place]) for place in fused]))
    hits = []
    for (place, z), s in zip(fused.items(), soft, strict=True):
        relevance = 1 / (1 + math.exp(-(z + weight * s) / (1 + trust + weight)))
        hits.append(Hit(items[place], relevance, similarity.get(place), place in bm25))
    return sorted(hits, key=lambda hit: -hit.relevance)


async def read_all(
    store: BaseStore,
    namespace: Namespace,
    *,
    filter: Mapping[str, Any] | None = None,  # noqa: A002 - the name is LangGraph's
) -> list[Item]:
    """Return every item of a namespace, each once, in the store's order."""
    found: dict[tuple[Namespace, str], Item] = {}
    for offset in range(0, 10**9, _PAGE):
        page = await store.asearch(
            namespace, filter=dict(filter) if filter else None, limit=_PAGE, offset=offset
        )
        found.update({_place(item): item for item in page})
        if len(page) < _PAGE:
            break
    return list(found.values())


async def get_many(store: BaseStore, places: list[tuple[Namespace, str]]) -> list[Item | None]:
    """Return the items at these places, None where there is none, in one batch."""
    if not places:
        return []
    found: list[Any] = await store.abatch([GetOp(namespace, key) for namespace, key in places])
    return found


async def put_many(store: BaseStore, writes: list[PutOp]) -> None:
    """Write in one batch."""
    if writes:
        await store.abatch(writes)


def _text(item: Item) -> str:
    return str(item.value.get("text", ""))


def _by_meaning(near: list[SearchItem]) -> list[Hit]:
    return [
        Hit(item, min(max(item.score, 0.0), 1.0), item.score, False)
        for item in near
        if item.score is not None and math.isfinite(item.score)
    ]


def _by_words(query: str, items: list[Item]) -> list[Hit]:
    scored = [(overlap(query, _text(item)), item) for item in items]
    hits = [Hit(item, score, None, shares_words=True) for score, item in scored if score > 0]
    return sorted(hits, key=lambda hit: -hit.relevance)


def _place(item: Item) -> _Place:
    return item.namespace, item.key
