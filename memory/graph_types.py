"""The types of state in the graphs that a graph is made of, however deep they are."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import FunctionType, MethodType
from typing import Any, Final

from langchain_core.runnables import Runnable, RunnableBinding, RunnableSequence
from langchain_core.tools import BaseTool
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from pydantic import BaseModel

from cogwork.core.bridge import Node

__all__ = ["schemas_in"]

_DEEPEST: Final = 12
_WIDEST: Final = 1_000  # entries of a mapping or list that is looked through


def schemas_in(graph: Any) -> Iterator[Any]:
    """Yield the schemas of a graph, of those in its nodes, and of those that its tools call.

    A checkpointer holds the state of them all. Like LangGraph, which looks for subgraphs in
    what the functions of nodes refer to, this looks into closures, and into the lists,
    mappings and dataclasses in them.

    Args:
        graph: A compiled graph, or the builder of one; anything else that may hold some.
    """
    yield from _schemas(graph, set(), 0)


def _schemas(value: Any, seen: set[int], depth: int) -> Iterator[Any]:
    if id(value) in seen or depth > _DEEPEST:
        return
    seen.add(id(value))
    if isinstance(value, CompiledStateGraph):
        value = value.builder
    if isinstance(value, StateGraph):
        yield from (value.state_schema, value.input_schema, value.output_schema)
        yield from (schema for schema in (value.context_schema,) if schema is not None)
    for part in _parts(value):
        yield from _schemas(part, seen, depth + 1)


def _parts(value: Any) -> Iterable[Any]:
    """What a value refers to that may hold graphs."""
    for kind, parts in _HOLDS:
        if isinstance(value, kind):
            return parts(value)
    if isinstance(value, Runnable):  # LangGraph's form of a function has both
        return [getattr(value, "func", None), getattr(value, "afunc", None)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    return _own(value)


_HOLDS: Final[tuple[tuple[Any, Callable[[Any], Iterable[Any]]], ...]] = (
    (StateGraph, lambda graph: [spec.runnable for spec in graph.nodes.values()]),
    (Node, lambda node: [node.function]),
    (RunnableSequence, lambda sequence: sequence.steps),
    (RunnableBinding, lambda binding: [binding.bound]),
    (BaseTool, lambda tool: [getattr(tool, "func", None), getattr(tool, "coroutine", None)]),
    (MethodType, lambda method: [method.__self__, method.__func__]),
    (FunctionType, lambda function: map(_content, function.__closure__ or ())),
    (partial, lambda made: [made.func, *made.args, *made.keywords.values()]),
    (Mapping, lambda held: held.values() if len(held) <= _WIDEST else ()),
    (list | tuple | set | frozenset, lambda held: held if len(held) <= _WIDEST else ()),
    (type | BaseStore | BaseModel, lambda _: ()),
)


def _own(value: Any) -> Iterable[Any]:
    """The attributes of an object of ours."""
    if not type(value).__module__.startswith("cogwork."):
        return ()
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    held = [getattr(value, name, None) for name in slots]
    return [*held, *getattr(value, "__dict__", {}).values()]


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is filled later
        return None
