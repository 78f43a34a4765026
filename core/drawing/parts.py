"""Loose parts of a graph, each on a sheet of its own, side by side."""

import math
from collections.abc import Sequence
from dataclasses import replace

from cogwork.core.drawing.curves import Path, Point, moved
from cogwork.core.drawing.grid import Body, Line
from cogwork.core.drawing.sheet import Sheet, arrange_sheet

__all__ = ["arrange_parts"]

_BETWEEN = 36.0
_WIDE = 1.6  # how much wider than high a picture of many parts may be


def arrange_parts(bodies: Sequence[Body], lines: Sequence[Line], *, wrap: bool) -> Sheet:
    """Arrange what hangs together, then set the parts side by side.

    Args:
        bodies: Rectangles to place.
        lines: Lines between them.
        wrap: Whether parts may stand below each other where a row would be very wide.
    """
    parts = _parts(len(bodies), lines)
    sheets = [_arrange_part(part, bodies, lines) for part in parts]
    corners = _shelve([(sheet.width, sheet.height) for sheet in sheets], wrap=wrap)
    places: list[Point] = [(0.0, 0.0)] * len(bodies)
    paths: list[Path] = [()] * len(lines)
    labels: list[Point | None] = [None] * len(lines)
    for part, sheet, (x, y) in zip(parts, sheets, corners, strict=True):
        for body, place in zip(part, sheet.bodies, strict=True):
            places[body] = (place[0] + x, place[1] + y)
        for index, path, label in zip(_within(part, lines), sheet.paths, sheet.labels, strict=True):
            paths[index] = moved(path, (x, y))
            labels[index] = (label[0] + x, label[1] + y) if label else None
    ends = [(x + s.width, y + s.height) for s, (x, y) in zip(sheets, corners, strict=True)]
    width, height = (max((end[axis] for end in ends), default=0.0) for axis in (0, 1))
    return Sheet(width, height, places, paths, labels)


def _parts(count: int, lines: Sequence[Line]) -> list[list[int]]:
    """Bodies that lines hold together, in their order."""
    leader = list(range(count))

    def find(body: int) -> int:
        while leader[body] != body:
            leader[body] = leader[leader[body]]
            body = leader[body]
        return body

    for line in lines:
        first, second = sorted((find(line.source), find(line.target)))
        leader[second] = first
    parts: dict[int, list[int]] = {}
    for body in range(count):
        parts.setdefault(find(body), []).append(body)
    return list(parts.values())


def _within(part: Sequence[int], lines: Sequence[Line]) -> list[int]:
    inside = set(part)
    return [index for index, line in enumerate(lines) if line.source in inside]


def _arrange_part(part: Sequence[int], bodies: Sequence[Body], lines: Sequence[Line]) -> Sheet:
    place = {body: position for position, body in enumerate(part)}
    own = [
        replace(lines[index], source=place[lines[index].source], target=place[lines[index].target])
        for index in _within(part, lines)
    ]
    return arrange_sheet([bodies[body] for body in part], own)


def _shelve(sizes: Sequence[Point], *, wrap: bool) -> list[Point]:
    """Upper left corners, row by row."""
    area = sum((width + _BETWEEN) * (height + _BETWEEN) for width, height in sizes)
    widest = max((width for width, _ in sizes), default=0.0)
    limit = max(widest, math.sqrt(area * _WIDE)) if wrap else math.inf
    corners = []
    x = y = tallest = 0.0
    for width, height in sizes:
        if x and x + width > limit:
            x, y, tallest = 0.0, y + tallest + _BETWEEN, 0.0
        corners.append((x, y))
        x += width + _BETWEEN
        tallest = max(tallest, height)
    return corners
