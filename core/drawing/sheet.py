"""A flat graph on a sheet: bodies in rows, lines that fall between them, loops aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cogwork.core.drawing.curves import Path, Point, bent, falling, moved
from cogwork.core.drawing.grid import LOOP_REACH, Body, Grid, Line, make_grid
from cogwork.core.drawing.loops import Lane, choose_lanes

__all__ = ["Sheet", "arrange_sheet"]

_ROW = 40.0  # between rows of bodies
_LABEL_ROW = 18.0  # above and below a row that holds only lines and their labels
_SLOPE = 0.07  # a space between rows grows by this share of the widest lean in it
_ARROW = 9.0  # a line is straight for so long before it ends
_TRACK = 9.0  # between two lines that run level between rows
_TALL = 80.0  # rows higher than this hold frames
_ROUND = 22.0


@dataclass(frozen=True, slots=True)
class Sheet:
    """Where everything went: middles of bodies and labels, and a path per line."""

    width: float
    height: float
    bodies: list[Point]
    paths: list[Path]
    labels: list[Point | None]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Top and bottom of each row, and the level tracks in the space above each row."""

    tops: list[float]
    bottoms: list[float]
    leaving: list[list[int]]
    entering: list[list[int]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that is known when the paths are drawn."""

    bodies: Sequence[Body]
    lines: Sequence[Line]
    grid: Grid
    lanes: Sequence[Lane]
    rows: _Rows

    def middle(self, vertex: int) -> Point:
        """Where a vertex stands; beside far taller ones, at the top or bottom of its row."""
        top, bottom = (
            self.rows.tops[self.grid.row[vertex]],
            self.rows.bottoms[self.grid.row[vertex]],
        )
        height = self.grid.heights[vertex]
        y = (top + bottom) / 2
        if bottom - top > max(_TALL, 2 * height) or not self.sides(vertex):
            sinks = vertex < len(self.bodies) and self.bodies[vertex].pin == "bottom"
            y = bottom - height / 2 if sinks else top + height / 2
        return (self.grid.x[vertex], y)

    def sides(self, vertex: int) -> bool:
        return vertex >= len(self.bodies) or self.bodies[vertex].sides


def arrange_sheet(bodies: Sequence[Body], lines: Sequence[Line]) -> Sheet:
    """Arrange bodies and lines; nothing overlaps, and lines pass between the bodies."""
    grid = make_grid(bodies, lines)
    lanes = choose_lanes(grid, lines, [body.sides for body in bodies])
    plan = _Plan(bodies, lines, grid, lanes, _stack(len(bodies), grid, lines, lanes))
    paths: dict[int, Path] = {}
    labels: dict[int, Point] = {}
    for index in grid.chains:
        paths[index] = _fall(plan, index)
        if index in grid.labelled:
            labels[index] = plan.middle(grid.labelled[index])
    ports = _side_ports(plan)
    for lane in lanes:
        paths[lane.line], labels[lane.line] = _rise(plan, lane, ports)
    for index in grid.loops:
        paths[index], labels[index] = _loop(plan, index)
    return _from_corner(plan, paths, labels)


def _stack(count: int, grid: Grid, lines: Sequence[Line], lanes: Sequence[Lane]) -> _Rows:
    """Choose the heights of the rows and of the spaces between them."""
    total = len(grid.rows)
    rows = _Rows([], [], [[] for _ in range(total + 1)], [[] for _ in range(total + 1)])
    for lane in lanes:
        line = lines[lane.line]
        if not lane.leaves_aside:
            rows.leaving[grid.row[line.source] + 1].append(lane.line)
        if not lane.enters_aside:
            rows.entering[grid.row[line.target]].append(lane.line)
    lean = _leans(grid)
    solid = [any(v < count and grid.heights[v] for v in row) for row in grid.rows]
    y = 0.0
    for index, row in enumerate(grid.rows):
        tracks = len(rows.leaving[index]) + len(rows.entering[index])
        if index:
            y += _ROW if solid[index] and solid[index - 1] else _LABEL_ROW
        elif tracks:
            y += _LABEL_ROW
        y += tracks * _TRACK + lean[index] * _SLOPE
        rows.tops.append(y)
        y += max(grid.heights[vertex] for vertex in row)
        rows.bottoms.append(y)
    return rows


def _leans(grid: Grid) -> list[float]:
    """The widest lean in the space above each row."""
    widest = [0.0] * len(grid.rows)
    for chain in grid.chains.values():
        for upper, lower in pairwise(chain):
            row = grid.row[lower]
            widest[row] = max(widest[row], abs(grid.x[upper] - grid.x[lower]))
    return widest


def _fall(plan: _Plan, index: int) -> Path:
    line, chain, grid, rows = plan.lines[index], plan.grid.chains[index], plan.grid, plan.rows
    (x, y), (end_x, end_y) = plan.middle(line.source), plan.middle(line.target)
    end_x += line.target_shift
    steps = []
    for upper, lower in pairwise(chain):
        last = lower == chain[-1]
        begin, finish = rows.bottoms[grid.row[upper]], rows.tops[grid.row[lower]]
        steps.append((begin, finish - (_ARROW if last else 0), end_x if last else grid.x[lower]))
    start = (x + line.source_shift, y + plan.bodies[line.source].height / 2)
    return falling(start, steps, (end_x, end_y - plan.bodies[line.target].height / 2))


def _side_ports(plan: _Plan) -> dict[tuple[int, bool], float]:
    """How far from its body's middle a lane ends, per line and whether it enters there.

    From top to bottom: lanes that enter, outer ones first, then lanes that leave, inner
    ones first; so they do not cross.
    """
    ends: dict[tuple[int, int], list[tuple[int, float, int, bool]]] = {}
    for lane in plan.lanes:
        line = plan.lines[lane.line]
        if lane.leaves_aside:
            end = (1, lane.side * lane.x, lane.line, False)
            ends.setdefault((line.source, lane.side), []).append(end)
        if lane.enters_aside:
            end = (0, -lane.side * lane.x, lane.line, True)
            ends.setdefault((line.target, lane.side), []).append(end)
    offsets = {}
    for (body, _), found in ends.items():
        step = min(12.0, plan.bodies[body].height / (len(found) + 1))
        for place, (_, _, line_index, enters) in enumerate(sorted(found)):
            offsets[line_index, enters] = (place - (len(found) - 1) / 2) * step
    return offsets


def _rise(plan: _Plan, lane: Lane, ports: dict[tuple[int, bool], float]) -> tuple[Path, Point]:
    line = plan.lines[lane.line]
    out = _corners(plan, lane, line.source, line.source_shift, ports.get((lane.line, False)))
    home = _corners(plan, lane, line.target, line.target_shift, ports.get((lane.line, True)))
    middle = (lane.x, (out[-1][1] + home[-1][1]) / 2)
    return bent([*out, *home[::-1]], _ROUND), middle


def _corners(plan: _Plan, lane: Lane, body: int, shift: float, port: float | None) -> list[Point]:
    """From the border of `body` to the lane; without a port at its side, by a track."""
    x, y = plan.middle(body)
    size = plan.bodies[body]
    if port is not None:
        return [(x + lane.side * size.width / 2, y + port), (lane.x, y + port)]
    row = plan.grid.row[body]
    column = x + (lane.side * min(16.0, size.width / 4) if size.sides else shift)
    if body == plan.lines[lane.line].source:
        place = plan.rows.leaving[row + 1].index(lane.line)
        border, track = y + size.height / 2, plan.rows.bottoms[row] + 12 + place * _TRACK
    else:
        place = plan.rows.entering[row].index(lane.line)
        border, track = y - size.height / 2, plan.rows.tops[row] - 16 - place * _TRACK
    return [(column, border), (column, track), (lane.x, track)]


def _loop(plan: _Plan, index: int) -> tuple[Path, Point]:
    """A line from the right side of a body back to it."""
    line = plan.lines[index]
    x, y = plan.middle(line.source)
    body = plan.bodies[line.source]
    border, drop, out = x + body.width / 2, body.height / 5, LOOP_REACH * 1.25
    curve = ((border + out, y - 3 * drop), (border + out, y + 3 * drop), (border, y + drop))
    return ((((border, y - drop),), curve)), (border + LOOP_REACH + line.label[0] / 2, y)


def _from_corner(plan: _Plan, paths: dict[int, Path], labels: dict[int, Point]) -> Sheet:
    """Shift everything so that it begins at (0, 0)."""
    marks = [point for path in paths.values() for piece in path for point in piece]
    middles = [plan.middle(body) for body in range(len(plan.bodies))]
    sizes = [(body.width, body.height) for body in plan.bodies]
    named = {index: at for index, at in labels.items() if plan.lines[index].label[0]}
    middles_of = [*zip(middles, sizes, strict=True)]
    middles_of += [(at, plan.lines[index].label) for index, at in named.items()]
    for (x, y), (width, height) in middles_of:
        marks += [(x - width / 2, y - height / 2), (x + width / 2, y + height / 2)]
    left, top = min(x for x, _ in marks), min(y for _, y in marks)
    right, low = max(x for x, _ in marks), max(y for _, y in marks)
    return Sheet(
        width=right - left,
        height=low - top,
        bodies=[(x - left, y - top) for x, y in middles],
        paths=[moved(paths[index], (-left, -top)) for index in range(len(plan.lines))],
        labels=[
            (named[index][0] - left, named[index][1] - top) if index in named else None
            for index in range(len(plan.lines))
        ],
    )
