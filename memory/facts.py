"""How semantic memory lies in the store: what is known, and beside it how it is used.

Under a namespace `semantic/facts` holds the texts, which are indexed, and
`semantic/usage` their importance and accesses, which are not: counting an access never
embeds a text again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from langgraph.store.base import BaseStore, Item, PutOp

from cogwork.core.errors import ConfigurationError
from cogwork.memory.ranking import check_share
from cogwork.memory.retrieval import Namespace, get_many, read_all

__all__ = ["TAINTED", "Facts", "Memory", "check_memory", "source_of", "sources_in", "with_sources"]

TAINTED: Final = "tainted"
"""The key of metadata that names the untrusted sources a text was drawn from."""


def check_memory(text: Any, importance: Any) -> None:
    """Refuse what cannot be remembered.

    Raises:
        ConfigurationError: The text is none or blank, or the importance not between 0 and 1.
    """
    if not isinstance(text, str) or not text.strip():
        raise ConfigurationError(f"the text to remember is {text!r}; pass some words")
    check_share("importance", importance)


def sources_in(noted: Mapping[str, Any]) -> set[str]:
    """Return the untrusted sources that metadata name."""
    named = noted.get(TAINTED) or ()
    if isinstance(named, str):
        return {named}
    return {str(each) for each in named} if isinstance(named, (list, tuple)) else {"unknown"}


def with_sources(noted: Mapping[str, Any], *taints: Iterable[str]) -> dict[str, Any]:
    """Return metadata that name these untrusted sources too; without any, as they are."""
    sources = sources_in(noted).union(*taints)
    return {**noted, **({TAINTED: sorted(sources)} if sources else {})}


@dataclass(frozen=True, slots=True)
class Memory:
    """One thing that is known.

    Args:
        id: A digest of the text.
        text: What is known.
        metadata: What the writer added, JSON.
        importance: Between 0 and 1.
        accesses: How often a search returned it.
        repeats: How often it was remembered again, in these words or in near ones.
        created_at: Seconds since the epoch.
        used_at: When it was last remembered, returned or rated, in seconds since the epoch.
        supersedes: Ids of the memories that were merged into it.
        provenance: What was merged: `text`, `metadata` and `at` each, newest last, at most 20.
        score: Its place in a ranking, between 0 and 1; 0 outside of searches.
        similarity: Cosine to the query, where the store gave one.
    """

    id: str
    text: str
    metadata: dict[str, Any] = field(default_factory=dict)
    importance: float = 0.5
    accesses: int = 0
    repeats: int = 0
    created_at: float = 0.0
    used_at: float = 0.0
    supersedes: tuple[str, ...] = ()
    provenance: tuple[dict[str, Any], ...] = ()
    score: float = 0.0
    similarity: float | None = None

    @property
    def taint(self) -> tuple[str, ...]:
        """The untrusted sources that it, or what was merged into it, was drawn from."""
        noted = (self.metadata, *(source.get("metadata") or {} for source in self.provenance))
        return tuple(sorted(set().union(*map(sources_in, noted))))

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {**asdict(self), "supersedes": [*self.supersedes], "provenance": [*self.provenance]}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "Memory":
        """Return the memory of which `as_dict` made this."""
        return cls(
            **{
                **value,
                "supersedes": tuple(value["supersedes"]),
                "provenance": tuple(value["provenance"]),
            }
        )


def source_of(memory: Memory) -> dict[str, Any]:
    """Return what the provenance of another tells of a memory that it took the place of."""
    return {
        "id": memory.id,
        "text": memory.text,
        "metadata": memory.metadata,
        "at": memory.created_at,
    }


_USAGE = ("importance", "accesses", "repeats", "used_at")
_FACT = ("text", "metadata", "created_at", "supersedes", "provenance")


class Facts:
    """The records of semantic memory under one namespace."""

    def __init__(self, store: BaseStore, namespace: Namespace) -> None:
        self.store = store
        self.facts = (*namespace, "semantic", "facts")
        self.usage = (*namespace, "semantic", "usage")
        self.notes = (*namespace, "semantic", "notes")
        self.reports = (*namespace, "semantic", "reports")

    async def read(self, ids: list[str]) -> list[Memory | None]:
        """Return the memories with these ids, None where there is none."""
        places = [(self.facts, key) for key in ids] + [(self.usage, key) for key in ids]
        found = await get_many(self.store, places)
        pairs = zip(found[: len(ids)], found[len(ids) :], strict=True)
        return [_memory(fact, usage) if fact else None for fact, usage in pairs]

    async def read_all(self) -> list[Memory]:
        """Return every memory, oldest first."""
        usage = {item.key: item for item in await read_all(self.store, self.usage)}
        facts = await read_all(self.store, self.facts)
        found = [_memory(fact, usage.get(fact.key)) for fact in facts]
        return sorted(found, key=lambda memory: (memory.created_at, memory.id))

    def write(self, memory: Memory) -> list[PutOp]:
        """Return the writes of a new or changed text."""
        value = {name: value for name, value in memory.as_dict().items() if name in _FACT}
        return [PutOp(self.facts, memory.id, value, ["text"]), self.write_usage(memory)]

    def write_usage(self, memory: Memory) -> PutOp:
        """Return the write of how a memory is used; its text is left alone."""
        value = {name: getattr(memory, name) for name in _USAGE}
        return PutOp(self.usage, memory.id, value, False)

    def remove(self, key: str) -> list[PutOp]:
        """Return the writes that delete a memory."""
        return [PutOp(self.facts, key, None), PutOp(self.usage, key, None)]

    async def note(self, name: str) -> float:
        """Return a number kept beside the memories, 0 at first."""
        kept = await self.store.aget(self.notes, name)
        return float(kept.value["value"]) if kept else 0.0

    def write_note(self, name: str, value: float) -> PutOp:
        """Return the write of such a number."""
        return PutOp(self.notes, name, {"value": value}, False)


def _memory(fact: Item, usage: Item | None) -> Memory:
    value = fact.value
    known = {name: value[name] for name in _FACT if name in value}
    known.update(
        supersedes=tuple(value.get("supersedes", ())), provenance=tuple(value.get("provenance", ()))
    )
    return Memory(id=fact.key, **known, **(usage.value if usage else {}))
