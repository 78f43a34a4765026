"""Lines that go back up run beside the rows, each in a lane of its own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cogwork.core.drawing.grid import Grid, Line

__all__ = ["Lane", "choose_lanes"]

_CLEAR = 24.0  # from the rows, or the lane before, to a lane


@dataclass(frozen=True, slots=True)
class Lane:
    """How a line goes back.

    Args:
        line: Its position.
        side: 1 at the right of the rows, -1 at their left.
        x: The column in which it rises.
        leaves_aside: Whether it leaves its source at the side, not at the bottom.
        enters_aside: Whether it enters its target at the side, not at the top.
    """

    line: int
    side: int
    x: float
    leaves_aside: bool
    enters_aside: bool


def choose_lanes(grid: Grid, lines: Sequence[Line], open_sides: Sequence[bool]) -> list[Lane]:
    """Give each rising line a lane; short lines run inside, long ones around them.

    Args:
        grid: The rows, with their columns.
        lines: All lines.
        open_sides: Per body, whether lines may end at its left and right.
    """
    edges = {side: [_edge(grid, row, side) for row in grid.rows] for side in (1, -1)}
    free = _free(grid, lines, open_sides)
    spans = {index: _span(grid, lines[index]) for index in grid.rising}
    sides = _choose_sides(grid, lines, free, spans, edges)
    lanes = []
    for index in sorted(grid.rising, key=lambda rising: (len(spans[rising]), rising)):
        line, side = lines[index], sides[index]
        half = line.label[0] / 2
        far = max(edges[side][row] for row in spans[index]) + _CLEAR + half
        for row in spans[index]:
            edges[side][row] = far + half
        aside = (line.source in free[side], line.target in free[side])
        lanes.append(Lane(index, side, side * far, *aside))
    return lanes


def _free(grid: Grid, lines: Sequence[Line], open_sides: Sequence[bool]) -> dict[int, set[int]]:
    """Bodies that can be reached from a side: the outermost ones of their rows."""
    bodies = {body for body, is_open in enumerate(open_sides) if is_open}
    looped = {lines[loop].source for loop in grid.loops}
    return {
        1: ({row[-1] for row in grid.rows} & bodies) - looped,
        -1: {row[0] for row in grid.rows} & bodies,
    }


def _choose_sides(
    grid: Grid,
    lines: Sequence[Line],
    free: dict[int, set[int]],
    spans: dict[int, range],
    edges: dict[int, list[float]],
) -> dict[int, int]:
    """Prefer sides where both ends can be reached and where few lanes cross, then near ones."""

    def cost(index: int, side: int) -> float:
        line = lines[index]
        ends = (line.source, line.target)
        far = max(edges[side][row] for row in spans[index])
        away = sum(far - side * grid.x[end] for end in ends)
        crossed = sum(
            _interleave(spans[index], spans[other])
            for other, its_side in sides.items()
            if other != index and its_side == side
        )
        return sum(end not in free[side] for end in ends) + crossed + away / 1e4

    sides: dict[int, int] = {}
    for _ in range(3):
        for index in grid.rising:
            right, left = cost(index, 1), cost(index, -1)
            sides[index] = 1 if right <= left + 1e-6 else -1
    return sides


def _interleave(one: range, other: range) -> bool:
    """Whether two spans overlap and neither holds the other."""
    first, second = sorted((one, other), key=lambda span: (span.start, -span.stop))
    return first.start < second.start < first.stop < second.stop


def _edge(grid: Grid, row: Sequence[int], side: int) -> float:
    """How far a row extends to a side, measured outwards."""
    which = 1 if side > 0 else 0
    return max((side * grid.x[v] + grid.reach[v][which] for v in row), default=-math.inf)


def _span(grid: Grid, line: Line) -> range:
    return range(grid.row[line.target], grid.row[line.source] + 1)
