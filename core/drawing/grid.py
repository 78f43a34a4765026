"""Rows and columns of a flat graph: where each body stands, and where each line bends."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from cogwork.core.drawing.layers import (
    Arc,
    Link,
    assign_layers,
    back_arcs,
    order_layers,
    spread_layers,
)

__all__ = ["LOOP_REACH", "Body", "Grid", "Line", "Pin", "make_grid"]

LOOP_REACH = 26.0
"""How far a line from a body to itself stands out at its right, in pixels."""

Pin = Literal["", "top", "bottom"]

_GAP = 26.0


@dataclass(frozen=True, slots=True)
class Body:
    """A rectangle to place.

    Args:
        width: Pixels; 0 for a port.
        height: Pixels; 0 for a port.
        pin: Whether it stays at the top or sinks to the bottom.
        sides: Whether lines may end at its left and right.
    """

    width: float
    height: float
    pin: Pin = ""
    sides: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """A line to draw between two bodies, given by their positions.

    Args:
        source: Where it begins.
        target: Where it ends.
        source_shift: How far right of its middle the source holds it, in pixels.
        target_shift: The same at the target.
        label: Width and height of its label.
    """

    source: int
    target: int
    source_shift: float = 0.0
    target_shift: float = 0.0
    label: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Grid:
    """Bodies come first among the vertices, then the bends of lines that cross rows.

    Args:
        rows: Vertices per row, from left to right.
        row: The row of each vertex.
        x: The middle of each vertex.
        reach: How far each vertex extends to the left and right of its middle.
        heights: The height of each vertex.
        chains: Per line that falls, its vertices from source to target.
        labelled: The bend that carries the label of a line that falls.
        rising: The lines that go back up.
        loops: The lines from a body to itself.
    """

    rows: list[list[int]]
    row: list[int]
    x: list[float]
    reach: list[tuple[float, float]]
    heights: list[float]
    chains: dict[int, list[int]]
    labelled: dict[int, int]
    rising: list[int]
    loops: list[int]


def make_grid(bodies: Sequence[Body], lines: Sequence[Line]) -> Grid:
    """Choose a row and a column for every body and for every bend of a line."""
    loops = [index for index, line in enumerate(lines) if line.source == line.target]
    plain = [index for index in range(len(lines)) if index not in loops]
    arcs = [_arc(lines[index]) for index in plain]
    top = [place for place, body in enumerate(bodies) if body.pin == "top"]
    back = back_arcs(len(bodies), arcs, top)
    forward = [arc for place, arc in enumerate(arcs) if place not in back]
    bottom = [place for place, body in enumerate(bodies) if body.pin == "bottom"]
    row = assign_layers(len(bodies), forward, top=top, bottom=bottom)
    grid = Grid(
        rows=[[] for _ in range(max(row, default=-1) + 1)],
        row=row,
        x=[],
        reach=[(body.width / 2, body.width / 2) for body in bodies],
        heights=[body.height for body in bodies],
        chains={},
        labelled={},
        rising=[plain[place] for place in sorted(back)],
        loops=loops,
    )
    _add_bends(grid, lines, [plain[place] for place in range(len(arcs)) if place not in back])
    _make_room_for_loops(grid, lines)
    _place(grid, lines)
    return grid


def _arc(line: Line) -> Arc:
    return Arc(line.source, line.target, 2 if line.label[0] else 1)


def _add_bends(grid: Grid, lines: Sequence[Line], falling: Sequence[int]) -> None:
    """Give each line a bend in every row it crosses, the first of which holds its label."""
    for index in falling:
        line = lines[index]
        chain = [line.source]
        for row in range(grid.row[line.source] + 1, grid.row[line.target]):
            bend = len(grid.row)
            wide, high = line.label if len(chain) == 1 else (0.0, 0.0)
            if wide:
                grid.labelled[index] = bend
            grid.row.append(row)
            grid.reach.append((wide / 2, wide / 2))
            grid.heights.append(high)
            chain.append(bend)
        grid.chains[index] = [*chain, line.target]


def _make_room_for_loops(grid: Grid, lines: Sequence[Line]) -> None:
    for index in grid.loops:
        body = lines[index].source
        left, right = grid.reach[body]
        grid.reach[body] = (left, right + LOOP_REACH + lines[index].label[0])


def _place(grid: Grid, lines: Sequence[Line]) -> None:
    up: list[list[Link]] = [[] for _ in grid.row]
    down: list[list[Link]] = [[] for _ in grid.row]
    weights = _weights(grid)
    for index, chain in grid.chains.items():
        shifts = [lines[index].source_shift, *[0.0] * (len(chain) - 2), lines[index].target_shift]
        for place, (upper, lower) in enumerate(pairwise(chain)):
            weight = weights[index][place]
            here, there = shifts[place], shifts[place + 1]
            down[upper].append(Link(lower, here, there, weight))
            up[lower].append(Link(upper, there, here, weight))
    for vertex in _walk(down, up):
        grid.rows[grid.row[vertex]].append(vertex)
    grid.rows[:] = order_layers(grid.rows, up, down)
    grid.x.extend(spread_layers(grid.rows, up, down, grid.reach, _GAP))
    _straighten(grid, lines)


def _weights(grid: Grid) -> dict[int, list[float]]:
    """How much each piece of a line wants to be vertical; most of all, the long ones.

    The only line out of a body, where it is the only one into the next, counts as long.
    """
    leaving, entering = _degrees(grid)
    weights = {}
    for index, chain in grid.chains.items():
        if len(chain) == 2:
            alone = leaving[chain[0]] == entering[chain[1]] == 1
            weights[index] = [6.0 if alone else 1.0]
        else:
            weights[index] = [2.0, *[8.0] * (len(chain) - 3), 2.0]
    return weights


def _walk(down: Sequence[Sequence[Link]], up: Sequence[Sequence[Link]]) -> list[int]:
    """All vertices, depth first from those that nothing leads to."""
    found: dict[int, None] = {}
    waiting = [vertex for vertex in range(len(down) - 1, -1, -1) if not up[vertex]]
    while waiting:
        vertex = waiting.pop()
        if vertex not in found:
            found[vertex] = None
            waiting.extend(link.other for link in reversed(down[vertex]))
    return list(found)


def _straighten(grid: Grid, lines: Sequence[Line]) -> None:
    """Draw lines as straight as the vertices beside them allow, without a new order."""
    leaving, entering = _degrees(grid)
    for _ in range(2):  # the second time finds the room that the first one made
        for spine in _spines(grid, lines):
            _straighten_run(grid, spine, ())
        for index, chain in grid.chains.items():
            line = lines[index]
            above = grid.x[chain[0]] + line.source_shift
            below = grid.x[chain[-1]] + line.target_shift
            fans_out = leaving[chain[0]] > 1 or entering[chain[-1]] == 1
            _straighten_run(grid, chain[1:-1], (below, above) if fans_out else (above, below))


def _degrees(grid: Grid) -> tuple[Counter[int], Counter[int]]:
    """How many lines fall from each body, and how many fall to it."""
    chains = grid.chains.values()
    return Counter(chain[0] for chain in chains), Counter(chain[-1] for chain in chains)


def _spines(grid: Grid, lines: Sequence[Line]) -> list[list[int]]:
    """Bodies that follow each other without a fork or a join."""
    leaving, entering = _degrees(grid)
    after: dict[int, int] = {}
    for index, chain in grid.chains.items():
        plain = not lines[index].source_shift and not lines[index].target_shift
        if len(chain) == 2 and plain and leaving[chain[0]] == entering[chain[1]] == 1:
            after[chain[0]] = chain[1]
    spines = []
    for first in sorted(after.keys() - after.values()):
        spine = [first]
        while spine[-1] in after:
            spine.append(after[spine[-1]])
        spines.append(spine)
    return spines


def _straighten_run(grid: Grid, vertices: Sequence[int], wishes: Sequence[float]) -> None:
    """Put vertices that follow each other into as few columns as there is room for."""
    run: list[int] = []
    low, high = -math.inf, math.inf
    for vertex in vertices:
        least, most = _room(grid, vertex)
        if max(low, least) > min(high, most) + 0.01:
            _align(grid, run, wishes, (low, high))
            run, low, high = [], -math.inf, math.inf
        run.append(vertex)
        low, high = max(low, least), min(high, most)
    _align(grid, run, wishes, (low, high))


def _room(grid: Grid, vertex: int) -> tuple[float, float]:
    """Between which columns a vertex can move."""
    row = grid.rows[grid.row[vertex]]
    place = row.index(vertex)
    left, right = grid.reach[vertex]
    least, most = -math.inf, math.inf
    if place:
        beside = row[place - 1]
        least = grid.x[beside] + grid.reach[beside][1] + _GAP + left
    if place + 1 < len(row):
        beside = row[place + 1]
        most = grid.x[beside] - grid.reach[beside][0] - _GAP - right
    return least, most


def _align(
    grid: Grid, run: Sequence[int], wishes: Sequence[float], room: tuple[float, float]
) -> None:
    """One column for all of `run`: the first wish there is room for, or near the mean."""
    if not run:
        return
    mean = sum(grid.x[vertex] for vertex in run) / len(run)
    wanted = next((wish for wish in wishes if room[0] <= wish <= room[1]), mean)
    for vertex in run:
        grid.x[vertex] = min(max(wanted, room[0]), room[1])
