"""Working memory: the few things that matter now, as a channel of a graph's state.

    class State(TypedDict):
        working: WorkingMemory

A node writes a list of items; one with a known id replaces it, and one that has expired
removes it. The reducer keeps the channel within its limits, so every checkpoint holds it
bounded. All functions are pure: time comes in with the items.
"""

import math
import re
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Annotated, TypeAlias

from langchain_core.messages import HumanMessage

from cogwork.core.errors import ConfigurationError
from cogwork.core.messages import estimate_tokens
from cogwork.memory.ranking import Weights, blend, check_share, overlap

__all__ = [
    "Summarizer",
    "WorkingItem",
    "WorkingLimits",
    "WorkingMemory",
    "context",
    "extract",
    "make_merge_working",
    "merge_working",
    "remove",
    "token_count",
    "use",
    "working_item",
]

Summarizer: TypeAlias = Callable[[str, int], str]
"""From a text and a number of tokens to a text of at most so many, without side effects."""


@dataclass(frozen=True, slots=True)
class WorkingItem:
    """One thing in mind; make it with `working_item`.

    Args:
        id: Names it; writing an item with a known id replaces it.
        text: What it says.
        importance: Between 0 and 1.
        added_at: Seconds since the epoch.
        used_at: When it was last used, in seconds since the epoch.
        expires_at: When it goes, in seconds since the epoch; None for never.
        source: Where it comes from, such as `user`, `semantic` or `episodic`.
        memory_id: The id of the memory that was recalled, if it was.
        compressed: Whether the text is a summary.
    """

    id: str
    text: str
    importance: float
    added_at: float
    used_at: float
    expires_at: float | None = None
    source: str = ""
    memory_id: str | None = None
    compressed: bool = False


@dataclass(frozen=True, slots=True)
class WorkingLimits:
    """What fits into working memory.

    Args:
        capacity: How many items.
        max_tokens: How many tokens all of them together, as `token_count` estimates.
        long_tokens: Tokens from which an item is long; a summary has a quarter.
        unimportant: Importance below which a long item is summarized before any goes.

    Raises:
        ConfigurationError: A limit is impossible.
    """

    capacity: int = 7
    max_tokens: int = 8_000
    long_tokens: int = 400
    unimportant: float = 0.5

    def __post_init__(self) -> None:
        for name in ("capacity", "max_tokens", "long_tokens"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; it must be 1 or more")


def working_item(
    text: str,
    *,
    id: str | None = None,  # noqa: A002 - the field's name
    importance: float = 0.5,
    ttl: float | None = None,
    source: str = "",
    memory_id: str | None = None,
    now: float | None = None,
) -> WorkingItem:
    """Make an item, to be written into the channel.

    Args:
        text: What it says.
        id: Names it; new unless given.
        importance: Between 0 and 1.
        ttl: Seconds that it lives; None for ever.
        source: Where it comes from.
        memory_id: The id of the memory that was recalled, if it was.
        now: Seconds since the epoch; the clock's unless given.

    Raises:
        ConfigurationError: The text is none, the importance impossible or the ttl negative.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"the text of an item is {text!r}; pass some words")
    check_share("importance", importance)
    if ttl is not None and not ttl >= 0:
        raise ConfigurationError(f"ttl is {ttl}; it is 0 or more seconds, or None for ever")
    at = time.time() if now is None else now
    expires_at = None if ttl is None else at + ttl
    return WorkingItem(
        id or uuid.uuid4().hex, text, importance, at, at, expires_at, source, memory_id
    )


def use(item: WorkingItem, now: float | None = None) -> WorkingItem:
    """Return the item as used now; write it so that it is evicted later."""
    return replace(item, used_at=max(item.used_at, time.time() if now is None else now))


def remove(item: WorkingItem) -> WorkingItem:
    """Return the item as expired; writing it removes it."""
    return replace(item, expires_at=0.0)


def token_count(items: Iterable[WorkingItem]) -> int:
    """Return the estimated tokens of the items together."""
    return sum(_tokens(item.text) for item in items)


def make_merge_working(
    limits: WorkingLimits | None = None, *, summarize: Summarizer | None = None
) -> Callable[[Sequence[WorkingItem], Sequence[WorkingItem]], list[WorkingItem]]:
    """Make a reducer with limits of your own: `Annotated[list[WorkingItem], reducer]`.

    Beyond a limit, long unimportant items are summarized first, then the least recently
    used go, of equally recent ones the less important. The last one is cut to the budget.

    Args:
        limits: `WorkingLimits()` unless given.
        summarize: `extract` unless given. It runs while state is merged, so it must be
            quick and pure; to let a model summarize, do it in a node before writing.
    """
    bounds = limits or WorkingLimits()

    def merge_working(
        current: Sequence[WorkingItem], writes: Sequence[WorkingItem]
    ) -> list[WorkingItem]:
        merged = {item.id: item for item in current}
        for item in writes:
            if not isinstance(item, WorkingItem):
                raise ConfigurationError(f"{item!r} is no item; write working_item(…)")
            old = merged.get(item.id)
            merged[item.id] = _newer(old, item) if old else item
        items = list(merged.values())
        now = max((item.used_at for item in items), default=0.0)
        return _fit([item for item in items if _lives(item, now)], bounds, summarize or extract)

    return merge_working


merge_working = make_merge_working()
"""The reducer of `WorkingMemory`: 7 items, 8,000 tokens."""

WorkingMemory: TypeAlias = Annotated[list[WorkingItem], merge_working]
"""The annotation of a state's working memory with the usual limits."""


def context(
    items: Sequence[WorkingItem],
    query: str,
    *,
    limit: int = 5,
    max_tokens: int | None = None,
    now: float | None = None,
) -> list[WorkingItem]:
    """Return what is relevant to a query, in order of time.

    Items are ranked by shared words, importance and recency (half-life of an hour); a
    blank query ranks by the last two.

    Args:
        items: The channel's value.
        query: What is asked.
        limit: How many at most.
        max_tokens: How many tokens together; None for no limit.
        now: Seconds since the epoch; the clock's unless given.
    """
    at = time.time() if now is None else now
    weights = Weights(half_life_days=1 / 24)
    living = [item for item in items if _lives(item, at)]
    scored = [(overlap(query, item.text), item) for item in living]
    if query.strip():
        scored = [(relevance, item) for relevance, item in scored if relevance > 0]
    best = sorted(
        scored, key=lambda pair: -blend(pair[0], pair[1].importance, at - pair[1].used_at, weights)
    )
    chosen: list[WorkingItem] = []
    for _, item in best[: max(limit, 0)]:
        if max_tokens is None or token_count([*chosen, item]) <= max_tokens:
            chosen.append(item)
    return sorted(chosen, key=lambda item: (item.added_at, item.id))


def extract(text: str, max_tokens: int) -> str:
    """Summarize by keeping the sentences whose words are the most frequent, in their order.

    Luhn (1958), The automatic creation of literature abstracts.
    """
    sentences = [s for s in re.split(r"(?<=[.!?])\s+|\n+", text.strip()) if s]
    words = re.findall(r"\w{4,}", text.casefold())
    weight = {word: words.count(word) for word in set(words[:2_000])}

    def value(place: int) -> float:
        found = re.findall(r"\w{4,}", sentences[place].casefold())
        return math.fsum(weight.get(word, 0) for word in found) / (len(found) + 3)

    kept: list[int] = []
    for place in sorted(range(len(sentences)), key=value, reverse=True):
        if _tokens(" ".join(sentences[i] for i in [*kept, place])) <= max_tokens:
            kept.append(place)
    return " ".join(sentences[i] for i in sorted(kept)) or _cut(text, max_tokens)


def _fit(
    items: list[WorkingItem], limits: WorkingLimits, summarize: Summarizer
) -> list[WorkingItem]:
    if token_count(items) > limits.max_tokens:
        items = [_compress(item, limits, summarize) for item in items]
    order = sorted(items, key=lambda i: (-i.used_at, -i.importance, i.id))[: limits.capacity]
    if order and _tokens(order[0].text) > limits.max_tokens:
        order = [replace(order[0], text=_cut(order[0].text, limits.max_tokens), compressed=True)]
    totals = accumulate(_tokens(item.text) for item in order)
    kept = [item for item, total in zip(order, totals, strict=True) if total <= limits.max_tokens]
    return sorted(kept, key=lambda item: (item.added_at, item.id))


def _compress(item: WorkingItem, limits: WorkingLimits, summarize: Summarizer) -> WorkingItem:
    is_long = _tokens(item.text) > limits.long_tokens
    if item.compressed or not is_long or item.importance >= limits.unimportant:
        return item
    goal = max(limits.long_tokens // 4, 1)
    return replace(item, text=_cut(summarize(item.text, goal), goal), compressed=True)


def _newer(old: WorkingItem, new: WorkingItem) -> WorkingItem:
    """The written item, which never makes an item older than it is."""
    return replace(
        new, added_at=min(old.added_at, new.added_at), used_at=max(old.used_at, new.used_at)
    )


def _lives(item: WorkingItem, now: float) -> bool:
    return item.expires_at is None or item.expires_at > now


def _cut(text: str, max_tokens: int) -> str:
    """The beginning of a text that is not longer than so many tokens."""
    if _tokens(text) <= max_tokens:
        return text
    room = max(4 * max_tokens - 4, 0)
    return text.encode(errors="replace")[:room].decode(errors="ignore") + "…"


def _tokens(text: str) -> int:
    """A quarter of the bytes, as for a message but without its frame."""
    return estimate_tokens(HumanMessage(text)) - 4
