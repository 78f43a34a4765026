"""Checkpointers: where the state of a thread is kept between super-steps.

`create_checkpointer` makes one by URL. All of them read strictly: a checkpoint may hold
plain data, LangChain messages, LangGraph's own types and what is allowed by name, and
whatever else is written into the database by someone is data, never called.
"""

import dataclasses
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_type_hints
from urllib.parse import parse_qsl

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from pydantic import BaseModel
from typing_extensions import is_typeddict

from cogwork.core.errors import ConfigurationError, redact
from cogwork.core.registry import nearest
from cogwork.memory.async_saver import ThreadedSaver
from cogwork.memory.graph_types import schemas_in
from cogwork.memory.postgres_saver import connect_postgres
from cogwork.memory.sqlite_saver import SqliteCheckpointer
from cogwork.memory.strict_serializer import SealedSerializer, StrictSerializer

__all__ = ["create_checkpointer", "with_state_types"]

C = TypeVar("C")


def create_checkpointer(
    url: str, *, allowed_types: Sequence[type] = (), encryption_key: bytes | None = None
) -> InMemorySaver | ThreadedSaver:
    """Return a checkpointer for `compile(checkpointer=…)`, for `invoke` and `ainvoke` alike.

    It is a context manager, and otherwise closes itself when nothing uses it any more.

    Args:
        url: `memory://`; `sqlite:///relative.db` or `sqlite:////absolute.db`, either with
            `?timeout=seconds` to wait for other writers (30); or
            `postgresql://user:password@host:5432/database` (extra `postgres`).
        allowed_types: Classes that state may hold besides plain data, messages and
            LangGraph's types. Reading any other is refused. Graphs of cogwork add those
            of their state by `with_state_types`.
        encryption_key: 16, 24 or 32 random bytes: state is encrypted (AES-GCM), and what is
            not, or was changed, is refused. The names of threads, tasks and channels, the
            times and the metadata of checkpoints stay readable.

    Raises:
        ConfigurationError: The URL is not one of these, an extra is missing, or the key
            has another length.
        MemoryStoreError: The file or server cannot be opened; later, that it cannot be
            read or written.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise ConfigurationError(
            f"checkpointer '{redact(url)}' is no URL; write memory://, sqlite:///{redact(url)} "
            "for a file, or postgresql://…"
        )
    if scheme not in _SCHEMES:
        raise ConfigurationError(
            f"checkpointer '{redact(url)}': there is none for '{scheme}', "
            + _INSTEAD.get(scheme, nearest(scheme, list(_SCHEMES)))
        )
    if encryption_key is None:
        return _SCHEMES[scheme](rest, StrictSerializer(allowed_types))
    return _SCHEMES[scheme](rest, SealedSerializer(encryption_key, allowed_types))


def with_state_types(checkpointer: C, *schemas: Any) -> C:
    """Return the checkpointer, allowing the classes that these schemas name.

    LangGraph's `compile` does this only when `LANGGRAPH_STRICT_MSGPACK` was set before it
    was imported. Savers that allow everything, None and booleans are returned as they are.

    Args:
        checkpointer: What goes into `compile(checkpointer=…)`.
        schemas: State, input, output and context schemas, or any annotation; or the builder
            of a graph, or a compiled one, for all schemas in it and in the graphs that its
            nodes run.
    """
    if not isinstance(checkpointer, BaseCheckpointSaver):
        return checkpointer
    found: set[type] = set()
    for schema in schemas:
        for each in schemas_in(schema) if isinstance(schema, StateGraph | Pregel) else (schema,):
            _collect(each, found)
    names = {(kind.__module__, kind.__name__) for kind in found if not is_typeddict(kind)}
    return cast("C", checkpointer.with_allowlist(names))


def _collect(annotation: Any, found: set[type]) -> None:
    """Add the classes in an annotation that the serializer would have to construct."""
    annotation = getattr(annotation, "__supertype__", annotation)  # NewType
    for part in get_args(annotation):
        _collect(part, found)
    if not isinstance(annotation, type) or annotation in found:
        return
    if issubclass(annotation, BaseModel):
        fields = [field.annotation for field in annotation.model_fields.values()]
    elif is_typeddict(annotation) or dataclasses.is_dataclass(annotation) or _is_tuple(annotation):
        fields = _hints(annotation)
    elif issubclass(annotation, Enum):
        fields = []
    else:
        return
    found.add(annotation)
    for field in fields:
        _collect(field, found)


def _hints(kind: type) -> list[Any]:
    try:
        return list(get_type_hints(kind).values())
    except NameError:  # a name that exists for type checkers only
        return []


def _is_tuple(kind: type) -> bool:
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


def _memory(rest: str, serde: StrictSerializer) -> InMemorySaver:
    if rest:
        raise ConfigurationError(f"checkpointer 'memory://{rest}': write memory:// and no more")
    return InMemorySaver(serde=serde)


def _sqlite(rest: str, serde: StrictSerializer) -> ThreadedSaver:
    place, _, query = rest.partition("?")
    path = place.removeprefix("/")
    if not place.startswith("/") or path in {"", ":memory:"}:
        raise ConfigurationError(
            f"checkpointer 'sqlite://{rest}' names no file; write sqlite:///relative.db with "
            "three slashes, sqlite:////absolute.db with four, or memory://"
        )
    options = dict(parse_qsl(query, keep_blank_values=True))
    timeout = options.pop("timeout", "30")
    if options:
        raise ConfigurationError(
            f"checkpointer 'sqlite://{rest}': no option '{next(iter(options))}', "
            + nearest(next(iter(options)), ["timeout"])
        )
    try:
        seconds = float(timeout)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 86400:
        raise ConfigurationError(
            f"checkpointer 'sqlite://{rest}': timeout '{timeout}' is not a number of seconds"
        )
    try:
        file = Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigurationError(f"checkpointer 'sqlite://{rest}': {error}") from error
    return SqliteCheckpointer(file, serde=serde, timeout=seconds)


def _postgres(rest: str, serde: StrictSerializer) -> ThreadedSaver:
    return connect_postgres(f"postgresql://{rest}", serde=serde)


_SCHEMES: dict[str, Callable[[str, StrictSerializer], InMemorySaver | ThreadedSaver]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "postgresql": _postgres,
    "postgres": _postgres,
}
_INSTEAD = dict.fromkeys(
    ("redis", "rediss"),
    "because its serializer cannot be held to an allow-list; use postgresql://, or pass "
    "a saver of langgraph-checkpoint-redis to compile(checkpointer=…) yourself",
)
