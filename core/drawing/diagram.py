"""What a picture of a graph shows: nodes, edges, and the words on them."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.runnables.base import Runnable
from langchain_core.runnables.graph import Graph

from cogwork.core.errors import ConfigurationError

__all__ = [
    "Diagram",
    "DiagramEdge",
    "DiagramNode",
    "Drawable",
    "one_line",
    "read_diagram",
    "read_graph",
    "shorten",
    "text_width",
]

Drawable = Graph | Runnable[Any, Any]
"""A compiled graph (or any runnable that can describe itself), or its description."""

_LONGEST_LABEL = 44
_NOTED_TOOLS = 3
_UNSEEN = {"Cc", "Cf", "Cs", "Cn"}
_JOINER = "\u200d"  # holds emoji together


@dataclass(frozen=True, slots=True)
class DiagramNode:
    """One node; `id` holds the names of the subgraphs around it, as in `team:writer:think`."""

    id: str
    label: str
    kind: Literal["step", "start", "end"] = "step"
    note: str = ""

    @property
    def group(self) -> tuple[str, ...]:
        """The names of the subgraphs around the node, outermost first."""
        return tuple(self.id.split(":")[:-1])


@dataclass(frozen=True, slots=True)
class DiagramEdge:
    """One line between two nodes; `label` is what routers call the way."""

    source: str
    target: str
    label: str = ""
    conditional: bool = False


@dataclass(frozen=True, slots=True)
class Diagram:
    """Nodes in the order of their declaration, and at most one edge per pair of them."""

    title: str
    nodes: tuple[DiagramNode, ...]
    edges: tuple[DiagramEdge, ...]


def read_graph(graph: Drawable, *, xray: bool | int = False) -> Graph:
    """Return LangChain's description of `graph`, with readable ids.

    Args:
        graph: A compiled graph, another runnable, or a description.
        xray: Whether to look into subgraphs, or how many levels deep.

    Raises:
        ConfigurationError: `graph` is something else, or an edge leads nowhere.
    """
    if isinstance(graph, Graph):
        return _checked(graph)
    if not hasattr(graph, "get_graph"):
        raise ConfigurationError(
            f"a {type(graph).__name__} has no topology; pass a compiled graph "
            "(builder.compile()) or what its get_graph() returns"
        )
    described: Graph = graph.get_graph(xray=xray) if xray else graph.get_graph()  # type: ignore[call-arg]  # only graphs of LangGraph take xray
    return _checked(described)


def _checked(graph: Graph) -> Graph:
    """The graph with readable ids, once every edge has both ends."""
    for edge in graph.edges:
        for end in (edge.source, edge.target):
            if end not in graph.nodes:
                raise ConfigurationError(
                    f"the edge from '{edge.source}' to '{edge.target}' has no node '{end}'; "
                    "add the node or remove the edge"
                )
    return graph.reid()


def read_diagram(graph: Drawable, *, xray: bool | int = False) -> Diagram:
    """Return what a picture of `graph` shows; parallel edges become one with all labels.

    Args:
        graph: A compiled graph, another runnable, or a description.
        xray: Whether to look into subgraphs, or how many levels deep.

    Raises:
        ConfigurationError: `graph` is something else, or an edge leads nowhere.
    """
    described = read_graph(graph, xray=xray)
    place = {name: position for position, name in enumerate(described.nodes)}
    merged: dict[tuple[str, str], DiagramEdge] = {}
    for edge in described.edges:
        pair = (edge.source, edge.target)
        label = one_line(str(edge.data)) if edge.data is not None else ""
        known = merged.get(pair, DiagramEdge(*pair, conditional=True))
        labels = dict.fromkeys(filter(None, (known.label, label)))
        merged[pair] = DiagramEdge(
            *pair, " / ".join(labels), known.conditional and edge.conditional
        )
    return Diagram(
        title=_title(graph),
        nodes=tuple(
            _read_node(name, node.name, node.metadata) for name, node in described.nodes.items()
        ),
        edges=tuple(
            merged[pair] for pair in sorted(merged, key=lambda p: (place[p[0]], place[p[1]]))
        ),
    )


def _title(graph: Drawable) -> str:
    if isinstance(graph, Graph):
        return "Graph"
    return one_line(graph.get_name()) or "Graph"


def _read_node(node_id: str, name: str, metadata: Mapping[str, Any] | None) -> DiagramNode:
    label = one_line(name.rsplit(":", 1)[-1]) or one_line(node_id) or "?"
    last = node_id.rsplit(":", 1)[-1]
    if last == "__start__":
        return DiagramNode(node_id, "start", "start")
    if last == "__end__":
        return DiagramNode(node_id, "end", "end")
    return DiagramNode(node_id, label, note=_note(metadata or {}))


def _note(metadata: Mapping[str, Any]) -> str:
    """A second line from what LangGraph writes into a node's metadata."""
    notes = []
    if tools := metadata.get("__tools"):
        more = len(tools) - _NOTED_TOOLS
        shown = ", ".join(str(tool) for tool in tools[:_NOTED_TOOLS])
        notes.append(f"{shown} +{more}" if more > 0 else shown)
    if moment := metadata.get("__interrupt"):
        notes.append(f"pauses {moment}".replace(",", " and "))
    return one_line(" · ".join(notes))


def one_line(text: str) -> str:
    """Collapse white space, and drop what is not to be seen or not allowed in XML."""
    clean = "".join(
        " " if unicodedata.category(character) in _UNSEEN and character != _JOINER else character
        for character in text
    )
    return " ".join(clean.split())


def shorten(text: str, longest: int = _LONGEST_LABEL) -> str:
    """Put `text` on one line and cut it to `longest` characters, the last an ellipsis."""
    text = one_line(text)
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def text_width(text: str, size: float) -> float:
    """Estimate the width of `text` in pixels, set in a usual sans-serif of `size` pixels."""
    return size * sum(_advance(character) for character in text)


def _advance(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if character in "ijl.,:;|!'()[]tfr- ":
        return 0.36
    if character in "mwMW@%":
        return 0.92
    return 0.7 if character.isupper() else 0.58
