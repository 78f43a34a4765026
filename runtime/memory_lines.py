"""Memories as JSON Lines: all that is known of one on one line, for export and import."""

import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from langgraph.store.base import BaseStore, PutOp

from cogwork.core.errors import ConfigurationError
from cogwork.core.registry import nearest
from cogwork.memory.facts import Facts, Memory
from cogwork.memory.retrieval import put_many
from cogwork.memory.sameness import digest
from cogwork.memory.turns import turn

__all__ = ["Imported", "export_lines", "import_lines", "parse_lines"]

_NOT_KEPT = {"score", "similarity"}  # they belong to a search


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: how many memories were new, changed, or as the file says already."""

    new: int
    changed: int
    unchanged: int


def export_lines(memories: Iterable[Memory]) -> bytes:
    """Return the memories as JSON Lines in UTF-8."""
    return b"".join(_line(memory) for memory in memories)


def _line(memory: Memory) -> bytes:
    value = {name: each for name, each in memory.as_dict().items() if name not in _NOT_KEPT}
    try:
        return json.dumps(value, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(value).encode() + b"\n"


def parse_lines(lines: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what is said of each memory, by id; of two lines on one, the later holds.

    Raises:
        ConfigurationError: A line is no memory; the message says which and why.
    """
    found = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            given = _parse(line, number)
            found[given.pop("id")] = given
    return found


async def import_lines(
    store: BaseStore, namespace: tuple[str, ...], given: dict[str, dict[str, Any]]
) -> Imported:
    """Write the memories in one transaction; what a line leaves out stays as it is."""
    facts = Facts(store, namespace)
    now = time.time()
    async with turn(facts.facts):
        found = await facts.read(list(given))
        known: dict[str, Memory | None] = dict(zip(given, found, strict=True))
        wanted = {key: _merged(key, known[key], given[key], now) for key in given}
        changed = [memory for key, memory in wanted.items() if memory != known[key]]
        new = [memory for memory in changed if known[memory.id] is None]
        writes = [write for memory in changed for write in facts.write(memory)]
        await put_many(store, [*writes, *(await _notes(facts, new) if new else [])])
    return Imported(len(new), len(changed) - len(new), len(given) - len(changed))


async def _notes(facts: Facts, new: Sequence[Memory]) -> list[PutOp]:
    """Count the new ones, and let the next consolidation look at them however old they are."""
    oldest = min(memory.created_at for memory in new)
    since = min(await facts.note("consolidated"), max(oldest - 1, 0.0))
    count = await facts.note("count") + len(new)
    return [facts.write_note("count", count), facts.write_note("consolidated", since)]


def _merged(key: str, known: Memory | None, given: dict[str, Any], now: float) -> Memory:
    if known is None:
        created = given.get("created_at", now)
        known = Memory(key, given["text"], created_at=created, used_at=created)
    return Memory.from_dict({**known.as_dict(), **given})


def _parse(line: str, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise _fault(number, f"this is no JSON ({error})") from None
    if not isinstance(value, dict) or "text" not in value:
        raise _fault(number, 'this is no memory; write {"text": "…"} and what else is known')
    for name, each in value.items():
        if name not in _FIELDS:
            raise _fault(number, f"a memory has no '{name}', {nearest(name, list(_FIELDS))}")
        expected, fits = _FIELDS[name]
        if not fits(each):
            raise _fault(number, f"{name} is {_brief(each)}, expected {expected}")
    key = digest(value["text"])
    if value.setdefault("id", key) != key:
        raise _fault(
            number, f"id {_brief(value['id'])} is not that of the text ({key}); leave it out"
        )
    return value


def _fault(number: int, what: str) -> ConfigurationError:
    return ConfigurationError(f"line {number}: {what}; nothing was imported")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _is_number(least: float = 0, most: float = math.inf) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return least <= value <= most and value < 1e15

    return fits


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and _is_number()(value)


def _is_list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(isinstance(each, kind) for each in value)


_FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "id": ("a text", lambda value: isinstance(value, str)),
    "text": ("some words", lambda value: isinstance(value, str) and bool(value.strip())),
    "metadata": ("an object", lambda value: isinstance(value, dict)),
    "importance": ("a number from 0 to 1", _is_number(0, 1)),
    "accesses": ("a whole number from 0", _is_count),
    "repeats": ("a whole number from 0", _is_count),
    "created_at": ("seconds since 1970", _is_number()),
    "used_at": ("seconds since 1970", _is_number()),
    "supersedes": ("a list of ids", _is_list_of(str)),
    "provenance": ("a list of objects", _is_list_of(dict)),
}
