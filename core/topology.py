"""Pictures of graphs, made on this machine: SVG, Mermaid, and plain text.

    to_svg(graph)      an image for notebooks and documents
    to_mermaid(graph)  text for Mermaid, as LangChain writes it
    to_ascii(graph)    one line per node, for terminals

`graph` is a compiled graph of any origin, or what its `get_graph()` returns. Nothing
here opens a connection.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from cogwork.core.drawing.diagram import (
    Diagram,
    DiagramEdge,
    DiagramNode,
    Drawable,
    one_line,
    read_diagram,
    read_graph,
)
from cogwork.core.drawing.layers import Arc, assign_layers, back_arcs
from cogwork.core.drawing.layout import arrange
from cogwork.core.drawing.svg import STATUSES, draw_svg
from cogwork.core.errors import ConfigurationError, UnknownNameError
from cogwork.core.registry import nearest

__all__ = ["to_ascii", "to_mermaid", "to_svg"]


def to_svg(
    graph: Drawable, *, xray: bool | int = False, highlight: Mapping[str, str] | None = None
) -> str:
    """Draw a graph as SVG; the same graph gives the same text.

    Args:
        graph: A compiled graph, or what `get_graph()` returns.
        xray: Whether to look into subgraphs, or how many levels deep.
        highlight: `"visited"`, `"running"`, `"failed"` or `"interrupted"` per name of a
            node (`"think"`, and `"writer:think"` inside a subgraph) or of a subgraph.

    Raises:
        ConfigurationError: `graph` has no topology, or a status is unknown.
        UnknownNameError: `highlight` names a node that the picture does not show.
    """
    diagram = read_diagram(graph, xray=xray)
    marks = dict(highlight or {})
    _check_marks(diagram, marks)
    return draw_svg(arrange(diagram), marks)


def to_mermaid(graph: Drawable, *, xray: bool | int = False) -> str:
    """Write a graph as Mermaid, by LangChain's own `draw_mermaid()`.

    Args:
        graph: A compiled graph, or what `get_graph()` returns.
        xray: Whether to look into subgraphs, or how many levels deep.

    Raises:
        ConfigurationError: `graph` has no topology, or LangChain cannot write it.
    """
    described = read_graph(graph, xray=xray)
    try:
        return described.draw_mermaid()
    except ValueError as error:
        raise ConfigurationError(
            f"this graph cannot be written as Mermaid: {error} Or draw it with to_svg()."
        ) from error


def to_ascii(graph: Drawable, *, xray: bool | int = False) -> str:
    """Write a graph as text: a line per node, from the start down, with where it leads.

    `a, b` are both entered, of `a | b` one is; a dotted arrow says that a router decides,
    brackets hold what it calls the way, and ↺ marks a way back.

    Args:
        graph: A compiled graph, or what `get_graph()` returns.
        xray: Whether to look into subgraphs, or how many levels deep.

    Raises:
        ConfigurationError: `graph` has no topology.

    Examples:
        ```
        START   ──▶ think
        think   ┄┄▶ act (tool calls) | END (answer)
        act     ──▶ observe
        observe ──▶ think ↺
        ```
    """
    diagram = read_diagram(graph, xray=xray)
    names = {node.id: _text_name(node) for node in diagram.nodes}
    layers, loops = _rank(diagram)
    ways: dict[str, list[DiagramEdge]] = {node.id: [] for node in diagram.nodes}
    for edge in diagram.edges:
        ways[edge.source].append(edge)
    reached = {edge.target for edge in diagram.edges}
    lines = []
    for node in sorted(diagram.nodes, key=_reading_order(diagram, layers)):
        if ways[node.id]:
            ahead = sorted(ways[node.id], key=lambda edge: layers[edge.target])
            lines.append((names[node.id], _targets(ahead, names, loops)))
        elif node.kind != "end" or node.id not in reached:
            lines.append((names[node.id], ""))
    width = max((len(name) for name, targets in lines if targets), default=0)
    return "\n".join(f"{name:<{width}} {targets}".rstrip() for name, targets in lines)


def _check_marks(diagram: Diagram, marks: Mapping[str, str]) -> None:
    shown = {node.id for node in diagram.nodes}
    for node in diagram.nodes:
        shown.update(":".join(node.group[: depth + 1]) for depth in range(len(node.group)))
    for name, status in marks.items():
        if name not in shown:
            raise UnknownNameError(
                f"highlight names '{name}', which the picture does not show; "
                f"{nearest(name, sorted(shown))}"
            )
        if status not in STATUSES:
            raise ConfigurationError(
                f"the status '{status}' of '{name}' is unknown; {nearest(status, [*STATUSES])}"
            )


def _text_name(node: DiagramNode) -> str:
    *around, last = node.id.split(":")
    return ":".join(
        one_line(part) for part in (*around, last if node.kind == "step" else node.label.upper())
    )


def _rank(diagram: Diagram) -> tuple[dict[str, int], set[tuple[str, str]]]:
    """The layer of each node, and the edges that go back."""
    place = {node.id: position for position, node in enumerate(diagram.nodes)}
    arcs = [Arc(place[edge.source], place[edge.target]) for edge in diagram.edges]
    roots = [place[node.id] for node in diagram.nodes if node.kind == "start" and not node.group]
    back = back_arcs(len(place), arcs, roots)
    forward = [arc for position, arc in enumerate(arcs) if position not in back]
    ends = [place[node.id] for node in diagram.nodes if node.kind == "end"]
    layers = assign_layers(len(place), forward, top=roots, bottom=ends)
    loops = {(diagram.edges[index].source, diagram.edges[index].target) for index in back}
    return {name: layers[position] for name, position in place.items()}, loops


def _reading_order(
    diagram: Diagram, layers: Mapping[str, int]
) -> Callable[[DiagramNode], list[tuple[int, int]]]:
    """From the top down, with the nodes of a subgraph together."""
    first: dict[tuple[str, ...], tuple[int, int]] = {}
    for position, node in enumerate(diagram.nodes):
        path = (*node.group, node.id)
        for depth in range(1, len(path) + 1):
            mark = (layers[node.id], position)
            first[path[:depth]] = min(first.get(path[:depth], mark), mark)

    def key(node: DiagramNode) -> list[tuple[int, int]]:
        path = (*node.group, node.id)
        return [first[path[:depth]] for depth in range(1, len(path) + 1)]

    return key


def _targets(
    edges: Sequence[DiagramEdge], names: Mapping[str, str], loops: Collection[tuple[str, str]]
) -> str:
    def word(edge: DiagramEdge) -> str:
        label = f" ({edge.label})" if edge.label else ""
        return names[edge.target] + label + (" ↺" if (edge.source, edge.target) in loops else "")

    always = [word(edge) for edge in edges if not edge.conditional]
    routed = " | ".join(word(edge) for edge in edges if edge.conditional)
    if not always:
        return f"┄┄▶ {routed}"
    if routed:
        always.append(f"({routed})" if " | " in routed else f"maybe {routed}")
    return f"──▶ {', '.join(always)}"
