"""Places for the nodes, frames and lines of a picture.

A subgraph is arranged by itself and then stands as one box in the picture around it, so
frames never hold strangers. A line into a frame goes through a port on its border.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cogwork.core.drawing.curves import Path, Point, joined, moved
from cogwork.core.drawing.diagram import Diagram, DiagramEdge, DiagramNode, shorten, text_width
from cogwork.core.drawing.grid import Body, Line, Pin
from cogwork.core.drawing.parts import arrange_parts
from cogwork.core.drawing.sheet import Sheet

__all__ = [
    "FRAME_TEXT",
    "LABEL_LENGTH",
    "LABEL_TEXT",
    "NODE_TEXT",
    "NOTE_TEXT",
    "Frame",
    "Picture",
    "Placed",
    "Route",
    "arrange",
    "label_size",
]

NODE_TEXT = 14.0
NOTE_TEXT = 11.0
LABEL_TEXT = 11.5
FRAME_TEXT = 12.0
LABEL_LENGTH = 32
_MARGIN = 18.0
_PADDING = 16.0
_TITLE = 20.0

_PINS: dict[str, Pin] = {"step": "", "start": "top", "end": "bottom"}

Group = tuple[str, ...]
Member = str | Group  # the id of a node, or the path of a subgraph
Port = tuple[str, str]  # "in" or "out", and the node behind it
Piece = int | Port  # a whole edge, or its way between a node and a border


@dataclass(frozen=True, slots=True)
class Placed:
    """A node and the rectangle it fills; `x` and `y` are its upper left corner."""

    node: DiagramNode
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Frame:
    """A box around the nodes of the subgraph `path`; its title begins at `title_x`."""

    path: Group
    x: float
    y: float
    width: float
    height: float
    title_x: float


@dataclass(frozen=True, slots=True)
class Route:
    """An edge, the path it takes from border to border, and the middle of its label."""

    edge: DiagramEdge
    path: Path
    label_at: Point | None


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything with its place, in pixels from the upper left corner."""

    title: str
    width: float
    height: float
    nodes: tuple[Placed, ...]
    frames: tuple[Frame, ...]
    routes: tuple[Route, ...]


@dataclass(slots=True)
class _Block:
    """A group arranged by itself; places are middles, counted from its own corner."""

    width: float
    height: float
    title_x: float = 0.0
    places: dict[Member, Point] = field(default_factory=dict)
    ports: dict[Port, float] = field(default_factory=dict)
    paths: dict[Piece, Path] = field(default_factory=dict)
    labels: dict[Piece, Point] = field(default_factory=dict)


def label_size(text: str) -> Point:
    """Width and height of a label on a line; nothing where there is no label."""
    if not text:
        return (0.0, 0.0)
    return (text_width(shorten(text, LABEL_LENGTH), LABEL_TEXT) + 12, 18.0)


def arrange(diagram: Diagram) -> Picture:
    """Give every part of `diagram` its place; the same diagram, the same places."""
    members = _members(diagram)
    blocks: dict[Group, _Block] = {}
    for group in sorted(members, key=len, reverse=True):
        blocks[group] = _Nest(diagram, blocks, group).block(list(members[group]))
    return _assemble(diagram, blocks)


def _members(diagram: Diagram) -> dict[Group, dict[Member, None]]:
    """What stands directly in each group, in the order of its first mention."""
    members: dict[Group, dict[Member, None]] = {(): {}}
    for node in diagram.nodes:
        for depth in range(len(node.group)):
            child = node.group[: depth + 1]
            members[node.group[:depth]][child] = None
            members.setdefault(child, {})
        members[node.group][node.id] = None
    return members


def _node_size(node: DiagramNode) -> Point:
    width = text_width(shorten(node.label), NODE_TEXT)
    if node.kind != "step":
        return (width + 28, 26.0)
    note = text_width(shorten(node.note), NOTE_TEXT)
    return (max(width, note, 44.0) + 30, 52.0 if node.note else 38.0)


class _Nest:
    """One group while it is arranged; the groups within it are arranged already."""

    def __init__(self, diagram: Diagram, blocks: Mapping[Group, _Block], group: Group) -> None:
        self.diagram = diagram
        self.nodes = {node.id: node for node in diagram.nodes}
        self.blocks = blocks
        self.group = group
        self.bodies: list[Body] = []
        self.lines: dict[Piece, Line] = {}
        self.ports: dict[Port, int] = {}

    def block(self, members: Sequence[Member]) -> _Block:
        self.bodies = [self._body(member) for member in members]
        place = {member: position for position, member in enumerate(members)}
        for index in self._order():
            self._add(index, self.diagram.edges[index], place)
        sheet = arrange_parts(self.bodies, list(self.lines.values()), wrap=not self.group)
        block = _Block(sheet.width, sheet.height) if not self.group else self._frame(sheet)
        self._fill(block, sheet, members)
        return block

    def _order(self) -> list[int]:
        """All edges; among three and more ways out of a node, the end stands in the middle."""
        ways: dict[str, list[int]] = {}
        for index, edge in enumerate(self.diagram.edges):
            ways.setdefault(edge.source, []).append(index)
        for ahead in ways.values():
            ends = [i for i in ahead if self.nodes[self.diagram.edges[i].target].kind == "end"]
            if ends and len(ahead) > 2:
                ahead.remove(ends[0])
                ahead.insert((len(ahead) + 1) // 2, ends[0])
        return [index for ahead in ways.values() for index in ahead]

    def _body(self, member: Member) -> Body:
        if not isinstance(member, str):
            return Body(self.blocks[member].width, self.blocks[member].height, sides=False)
        node = self.nodes[member]
        return Body(*_node_size(node), _PINS[node.kind])

    def _add(self, index: int, edge: DiagramEdge, place: Mapping[Member, int]) -> None:
        source, target = self._member(edge.source), self._member(edge.target)
        if source is not None and target is not None:
            if source != target or isinstance(source, str):
                self.lines[index] = Line(
                    place[source],
                    place[target],
                    self._shift(source, ("out", edge.source)),
                    self._shift(target, ("in", edge.target)),
                    label_size(edge.label),
                )
        elif source is not None:
            port: Port = ("out", edge.source)
            end = self._port(port)
            self.lines[port] = Line(place[source], end, self._shift(source, port))
        elif target is not None:
            port = ("in", edge.target)
            end = self._port(port)
            self.lines[port] = Line(end, place[target], 0.0, self._shift(target, port))

    def _member(self, node_id: str) -> Member | None:
        """What stands for a node in this group; nothing where the node is outside."""
        around = self.nodes[node_id].group
        if around == self.group:
            return node_id
        depth = len(self.group)
        return around[: depth + 1] if around[:depth] == self.group else None

    def _shift(self, member: Member, port: Port) -> float:
        if isinstance(member, str):
            return 0.0
        return self.blocks[member].ports[port] - self.blocks[member].width / 2

    def _port(self, port: Port) -> int:
        if port not in self.ports:
            self.ports[port] = len(self.bodies)
            self.bodies.append(Body(0.0, 0.0, "top" if port[0] == "in" else "bottom", sides=False))
        return self.ports[port]

    def _frame(self, sheet: Sheet) -> _Block:
        """A block with a border, whose title keeps clear of the lines that enter."""
        width = text_width(shorten(self.group[-1]), FRAME_TEXT)
        entries = [
            sheet.bodies[body][0] + _PADDING for (way, _), body in self.ports.items() if way == "in"
        ]
        title_x = _PADDING * 0.75
        if any(x - 8 < title_x + width for x in entries):
            title_x = max(entries) + 10
        return _Block(
            max(sheet.width + 2 * _PADDING, title_x + width + _PADDING * 0.75),
            sheet.height + 2 * _PADDING + _TITLE,
            title_x,
        )

    def _fill(self, block: _Block, sheet: Sheet, members: Sequence[Member]) -> None:
        dx = _PADDING if self.group else 0.0
        dy = _PADDING + _TITLE if self.group else 0.0
        for member, (x, y) in zip(members, sheet.bodies, strict=False):
            block.places[member] = (x + dx, y + dy)
        for port, body in self.ports.items():
            block.ports[port] = sheet.bodies[body][0] + dx
        for piece, path, label in zip(self.lines, sheet.paths, sheet.labels, strict=True):
            block.paths[piece] = self._to_border(piece, moved(path, (dx, dy)), block)
            if label:
                block.labels[piece] = (label[0] + dx, label[1] + dy)

    def _to_border(self, piece: Piece, path: Path, block: _Block) -> Path:
        if isinstance(piece, int):
            return path
        x = block.ports[piece]
        if piece[0] == "in":
            return (((x, 0.0),), *path)
        return (*path, ((x, block.height),))


def _assemble(diagram: Diagram, blocks: Mapping[Group, _Block]) -> Picture:
    """Set the blocks into each other, from the outermost one."""
    nodes = {node.id: node for node in diagram.nodes}
    corners: dict[Group, Point] = {(): (_MARGIN, _MARGIN)}
    placed, frames = [], []
    for group in sorted(blocks, key=len):
        x, y = corners[group]
        for member, (across, down) in blocks[group].places.items():
            if isinstance(member, str):
                width, height = _node_size(nodes[member])
                left, top = x + across - width / 2, y + down - height / 2
                placed.append(Placed(nodes[member], left, top, width, height))
            else:
                inner = blocks[member]
                left, top = x + across - inner.width / 2, y + down - inner.height / 2
                corners[member] = (left, top)
                size = (inner.width, inner.height)
                frames.append(Frame(member, left, top, *size, left + inner.title_x))
    width, height = blocks[()].width + 2 * _MARGIN, blocks[()].height + 2 * _MARGIN
    routes = [
        _route(index, edge, (nodes[edge.source].group, nodes[edge.target].group), blocks, corners)
        for index, edge in enumerate(diagram.edges)
    ]
    return Picture(diagram.title, width, height, tuple(placed), tuple(frames), tuple(routes))


def _route(
    index: int,
    edge: DiagramEdge,
    ends: tuple[Group, Group],
    blocks: Mapping[Group, _Block],
    corners: Mapping[Group, Point],
) -> Route:
    """Join the pieces of an edge: out of its frames, across, and into others."""
    source, target = ends
    shared = 0
    while shared < min(len(source), len(target)) and source[shared] == target[shared]:
        shared += 1
    across = source[:shared]
    ways: list[tuple[Group, Piece]] = [
        *((source[:depth], ("out", edge.source)) for depth in range(len(source), shared, -1)),
        (across, index),
        *((target[:depth], ("in", edge.target)) for depth in range(shared + 1, len(target) + 1)),
    ]
    pieces = [moved(blocks[group].paths[piece], corners[group]) for group, piece in ways]
    label = blocks[across].labels.get(index)
    x, y = corners[across]
    return Route(edge, joined(*pieces), (label[0] + x, label[1] + y) if label else None)
