"""A batch of operations, checked and sorted before anything is read, embedded or written."""

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from langgraph.store.base import (
    GetOp,
    ListNamespacesOp,
    Op,
    PutOp,
    SearchOp,
    get_text_at_path,
    tokenize_path,
    validate_op_namespace,
)

from cogwork.core.errors import ConfigurationError, MemoryStoreError
from cogwork.memory.store.filters import check_filter
from cogwork.memory.store.full_text import leaves
from cogwork.memory.store.namespaces import Namespace
from cogwork.memory.store.rows import Change

__all__ = ["Plan", "check_fields", "field_texts", "full_text", "make_plan", "vectors"]

_as_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_tokens = lru_cache(256)(tokenize_path)


@dataclass(slots=True)
class Plan:
    """What a batch reads, embeds and writes; the last put of a key is the one that counts."""

    reads: list[tuple[int, GetOp | SearchOp | ListNamespacesOp]] = field(default_factory=list)
    size: int = 0
    changes: dict[tuple[Namespace, str], tuple[Change, tuple[str, ...]]] = field(
        default_factory=dict
    )
    texts: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)


def make_plan(ops: Iterable[Op], fields: Sequence[str], *, embeds: bool) -> Plan:
    """Check the operations and sort them.

    Args:
        ops: LangGraph's operations.
        fields: The paths that are indexed when a put names none.
        embeds: Whether the store has embeddings.

    Raises:
        InvalidNamespaceError: A namespace has a label LangGraph refuses.
        ConfigurationError: A filter, limit, offset, time to live or index is wrong.
        MemoryStoreError: A value, key or label cannot be stored.
    """
    plan = Plan()
    for number, op in enumerate(ops):
        _refuse_text(op)
        validate_op_namespace(op)
        plan.size += 1
        if isinstance(op, PutOp):
            key = (tuple(op.namespace), op.key)
            plan.changes[key] = _change(op, fields)
        elif isinstance(op, (GetOp, SearchOp, ListNamespacesOp)):
            _check_read(op)
            plan.reads.append((number, op))
        else:
            raise ConfigurationError(f"operation {op!r} is none of LangGraph's store")
    if embeds:
        plan.queries = _unique(
            op.query for _, op in plan.reads if isinstance(op, SearchOp) and op.query
        )
        plan.texts = _unique(text for _, texts in plan.changes.values() for text in texts)
    return plan


def check_fields(fields: Any) -> list[str]:
    """Return the paths to index, or refuse what is no list of paths.

    Raises:
        ConfigurationError: It is no list of texts.
    """
    if not isinstance(fields, (list, tuple)) or not all(isinstance(each, str) for each in fields):
        raise ConfigurationError(
            f"fields to index {fields!r} are no list of paths; write ['text'], ['$'] or False"
        )
    return list(fields)


def field_texts(value: Mapping[str, Any], fields: Sequence[str]) -> tuple[str, ...]:
    """Return what is embedded of a value; blank texts are left out."""
    found: list[str] = []
    for path in fields:
        plain = value.get(path) if path.isidentifier() else None
        if isinstance(plain, str):
            found.append(plain)
        else:
            found += get_text_at_path(value, path if path == "$" else _tokens(path))
    return tuple(text for text in found if text.strip())


def full_text(value: Mapping[str, Any], fields: Sequence[str], texts: tuple[str, ...]) -> str:
    """Return what the full-text index holds of a value: words, not names of fields."""
    words = leaves(value) if "$" in fields else texts
    return " ".join(words).replace("\0", " ").encode("utf-8", "replace").decode()


def vectors(texts: Sequence[str], embedded: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """Return the vectors of the texts; one that is all zeros says nothing and is left out."""
    found = [embedded.get(text) for text in texts]
    return tuple([vector for vector in found if vector])


def _change(op: PutOp, fields: Sequence[str]) -> tuple[Change, tuple[str, ...]]:
    namespace = tuple(op.namespace)
    where = f"item '{op.key}' in {namespace}"
    _check_name(op.namespace, op.key)
    if op.value is None:
        return Change(namespace, op.key, None), ()
    if not isinstance(op.value, Mapping):
        raise MemoryStoreError(f"{where}: {type(op.value).__name__} is no mapping; store a dict")
    value = dict(op.value)
    if op.index is False:
        chosen: Sequence[str] = ()
    else:
        chosen = fields if op.index is None else check_fields(op.index)
    text = _json(value, where)
    texts = field_texts(value, chosen)
    noted = None if op.index is None else json.dumps(list(chosen) or False)
    words = full_text(value, chosen, texts)
    return Change(namespace, op.key, text, noted, _ttl(op.ttl, where), words), texts


def _json(value: dict[str, Any], where: str) -> str:
    if not all(isinstance(name, str) for name in value):
        raise MemoryStoreError(f"{where} cannot be stored: names of fields must be texts")
    try:
        text = _as_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise MemoryStoreError(
            f"{where} cannot be stored as JSON: {error}; store plain data, times as texts, None for NaN"
        ) from error
    return text if _encodable(text) else json.dumps(value)


def _ttl(minutes: float | None, where: str) -> float | None:
    if minutes is None:
        return None
    if isinstance(minutes, bool) or not isinstance(minutes, (int, float)):
        raise ConfigurationError(f"{where}: ttl {minutes!r} is no number of minutes")
    if not 0 <= minutes <= 1e9 or math.isnan(minutes):
        raise ConfigurationError(f"{where}: ttl {minutes} is not between 0 and 1e9 minutes")
    return float(minutes)


def _refuse_text(op: Any) -> None:
    """Refuse a text for a namespace, which would be taken for a tuple of its letters."""
    for name in ("namespace", "namespace_prefix"):
        if isinstance(given := getattr(op, name, None), str):
            raise ConfigurationError(f"{name} {given!r} is a text; write ({given!r},)")


def _check_read(op: GetOp | SearchOp | ListNamespacesOp) -> None:
    if isinstance(op, GetOp):
        _check_name(op.namespace, op.key)
        return
    for name, number in (("limit", op.limit), ("offset", op.offset)):
        is_count = isinstance(number, int) and not isinstance(number, bool)
        if not is_count or not 0 <= number <= sys.maxsize:
            raise ConfigurationError(
                f"{name} {number!r} is no number of items; write 0 to sys.maxsize"
            )
    if isinstance(op, SearchOp):
        _check_name(op.namespace_prefix)
        check_filter(op.filter)
    elif op.max_depth is not None and op.max_depth < 0:
        raise ConfigurationError(f"max_depth {op.max_depth} is negative; write 1 or more")


def _check_name(namespace: Namespace, key: str = "") -> None:
    if not isinstance(key, str):
        raise ConfigurationError(f"key {key!r} in {namespace} is no text; write str(key)")
    for text in (*namespace, key):
        if not _encodable(text):
            raise MemoryStoreError(
                f"{text!r} has half of a surrogate pair and cannot be stored as a label or key; "
                "replace it, for instance by text.encode('utf-8', 'replace').decode()"
            )


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
