"""Paths of lines in a picture: straight pieces and smooth bends."""

import math
from collections.abc import Sequence

__all__ = ["Path", "Point", "bent", "falling", "joined", "moved"]

Point = tuple[float, float]

Path = tuple[tuple[Point, ...], ...]
"""First the point where it begins; then pieces of one point (a straight line to it) or of
three (a cubic curve: two control points and its end)."""

_ROUND = 0.55  # a cubic curve with its controls here comes close to a quarter of a circle
_STRAIGHT = 1.5  # pixels that no one sees


def moved(path: Path, by: Point) -> Path:
    """Return `path` shifted by a vector."""
    return tuple(tuple((x + by[0], y + by[1]) for x, y in piece) for piece in path)


def joined(*paths: Path) -> Path:
    """Return one path through all; each begins where the one before it ends."""
    return paths[0] + tuple(piece for path in paths[1:] for piece in path[1:])


def falling(start: Point, steps: Sequence[tuple[float, float, float]], end: Point) -> Path:
    """Return a path that falls from `start` to `end`, leaning only between layers.

    Args:
        start: Where it begins.
        steps: Per layer on its way, where the lean begins (y), where it ends (y), and the
            column it then falls in (x).
        end: Where it ends.
    """
    path: list[tuple[Point, ...]] = [(start,)]
    x, y = start
    for begin, finish, column in steps:
        if abs(column - x) <= _STRAIGHT:
            continue
        if begin > y:
            path.append(((x, begin),))
        middle = (begin + finish) / 2
        path.append(((x, middle), (column, middle), (column, finish)))
        x, y = column, finish
    if (x, y) != end:
        path.append((end,))
    return tuple(path)


def bent(corners: Sequence[Point], radius: float) -> Path:
    """Return a path along `corners` with each corner between the ends rounded."""
    path: list[tuple[Point, ...]] = [(corners[0],)]
    last = len(corners) - 2
    for index in range(1, len(corners) - 1):
        before, corner, after = corners[index - 1 : index + 2]
        incoming = math.dist(before, corner) / (1 if index == 1 else 2)
        outgoing = math.dist(corner, after) / (1 if index == last else 2)
        size = min(radius, incoming, outgoing)
        if size < 1:
            path.append((corner,))
            continue
        enter, leave = _toward(corner, before, size), _toward(corner, after, size)
        path.append((enter,))
        hold = size * (1 - _ROUND)
        path.append((_toward(corner, before, hold), _toward(corner, after, hold), leave))
    path.append((corners[-1],))
    return tuple(path)


def _toward(origin: Point, goal: Point, distance: float) -> Point:
    share = distance / (math.dist(origin, goal) or 1)
    return (origin[0] + (goal[0] - origin[0]) * share, origin[1] + (goal[1] - origin[1]) * share)
