"""Taint: which untrusted sources a run has read.

What comes from the network or from an external tool may hold instructions of somebody
else, and a model may obey them. A run that has read such text is tainted, for good: its
state names the sources in the channel `taint`, which only grows, is checkpointed, and
passes between a graph and its subgraphs as any key of the state does.

A message carries its label too (`response_metadata["source"]`, `trusted` or `untrusted`), so
that a history taints whatever it is given to. And what a tool does inside of a call, such
as running another agent, inherits the taint of the call, and gives back what it read.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, NotRequired, TypeAlias, cast

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from typing_extensions import TypedDict, get_type_hints

__all__ = [
    "SOURCE",
    "TAINTED",
    "TRUSTED",
    "UNTRUSTED",
    "Taint",
    "has_read",
    "inherited_taint",
    "label_of",
    "labelled",
    "merge_taint",
    "reading",
    "taint_in",
    "taint_of",
    "tell_taint",
    "with_taint",
]

SOURCE: Final = "source"
"""The key of a message's label in its `response_metadata`."""
TAINTED: Final = "tainted"
"""The key of a memory's metadata that names the untrusted sources it was drawn from."""
TRUSTED: Final = "trusted"
UNTRUSTED: Final = "untrusted"

_READ: Final = "__pregel_read"  # LangGraph hands a node its state's reader by this name
_SOURCES: Final = "taint"
_UNKNOWN: Final = "unknown"


def merge_taint(current: Iterable[str] | None, new: Iterable[str] | None) -> list[str]:
    """Return both together, sorted; the reducer of `Taint`, which forgets nothing."""
    return sorted({*(current or ()), *(new or ())})


Taint: TypeAlias = Annotated[list[str], merge_taint]
"""The annotation of a state's `taint` key: the untrusted sources that were read, by name."""


def with_taint(schema: type[Any]) -> type[Any]:
    """Return a state's `TypedDict` with the key `taint`; itself if it has it."""
    fields = get_type_hints(schema, include_extras=True)
    if "taint" in fields:
        return schema
    fields["taint"] = NotRequired[Taint]
    return cast("type[Any]", cast("Any", TypedDict)(f"Tainted{schema.__name__}", fields))


def taint_of(state: Mapping[str, Any], trusted: Container[str] = ()) -> list[str]:
    """Return the untrusted sources in a state: those it names, and those of its messages.

    Args:
        state: With `taint`, `messages`, both or neither.
        trusted: Names of the tools whose results are trusted where a message has no label.
    """
    found: set[str] = set()
    for message in state.get("messages") or ():
        if _taints(message, trusted):
            found.update(message.response_metadata.get(_SOURCES) or [message.name or _UNKNOWN])
    return merge_taint(state.get("taint"), found)


def label_of(taint: Sequence[str]) -> dict[str, Any]:
    """Return the label of a message that draws on these sources."""
    return {SOURCE: UNTRUSTED, _SOURCES: [*taint]} if taint else {SOURCE: TRUSTED}


def labelled(answer: AIMessage, state: Mapping[str, Any]) -> AIMessage:
    """Return what a model said, labelled where the state keeps taint and is tainted."""
    taint = taint_of(state) if "taint" in state else ()
    if not taint:
        return answer
    noted = {**answer.response_metadata, **label_of(taint)}
    return answer.model_copy(update={"response_metadata": noted})


def taint_in(config: RunnableConfig, trusted: Container[str] = ()) -> list[str]:
    """Return the untrusted sources that a node's run has read, and those it inherits.

    Args:
        config: Of the node; without a state to read in it, nothing is trusted.
        trusted: As in `taint_of`.
    """
    read = (config.get("configurable") or {}).get(_READ)
    if read is None:
        return [_UNKNOWN]
    channels = read.args[1]  # as LangGraph's own `ToolNode` reads them
    state = read([name for name in ("taint", "messages") if name in channels], False)
    return merge_taint(taint_of(state, trusted), inherited_taint())


def _taints(message: AnyMessage, trusted: Container[str]) -> bool:
    label = message.response_metadata.get(SOURCE)
    if label in (TRUSTED, UNTRUSTED):
        return bool(label == UNTRUSTED)
    return message.type == "tool" and message.name not in trusted


@dataclass(frozen=True, slots=True)
class _Scope:
    inherited: frozenset[str]
    found: set[str] = field(default_factory=set)


_scope: ContextVar[_Scope | None] = ContextVar("cogwork_taint", default=None)


@contextmanager
def reading(taint: Iterable[str]) -> Iterator[set[str]]:
    """Give what runs inside this taint; yield the set of the sources that it reads."""
    outer = _scope.get()
    scope = _Scope(frozenset(taint) | (outer.inherited if outer else frozenset()))
    token = _scope.set(scope)
    try:
        yield scope.found
    finally:
        _scope.reset(token)
        if outer is not None:
            outer.found.update(scope.found)


def has_read(*sources: str) -> None:
    """Note that untrusted text was read, for whoever made the call that this runs in."""
    scope = _scope.get()
    if scope is not None:
        scope.found.update(sources)


def tell_taint(state: Mapping[str, Any]) -> None:
    """Note what a state has read, for whoever made the call that this graph runs in."""
    if _scope.get() is not None:
        has_read(*taint_of(state))


def inherited_taint() -> list[str]:
    """Return the taint of the call that this code runs in."""
    scope = _scope.get()
    return sorted(scope.inherited) if scope else []
