"""Layers for a directed graph: which row a vertex stands in, in which order, and where.

The steps are those of Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of
Hierarchical System Structures" (1981): break cycles, assign layers, order each layer so
that few lines cross, then choose horizontal positions. Vertices are numbers; every
function is deterministic.
"""

import bisect
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Arc", "Link", "assign_layers", "back_arcs", "order_layers", "spread_layers"]

_SWEEPS = 16
_PATIENCE = 4  # sweeps without a gain before the order is left as it is
_PULLS = 10


@dataclass(frozen=True, slots=True)
class Arc:
    """An edge between two vertices, spanning at least `span` layers."""

    source: int
    target: int
    span: int = 1


@dataclass(frozen=True, slots=True)
class Link:
    """What a vertex sees of a neighbour in the next layer.

    Args:
        other: The neighbour.
        shift: How far from its own centre the vertex holds the line, in pixels.
        other_shift: The same at the neighbour.
        weight: How much the line wants to be vertical.
    """

    other: int
    shift: float
    other_shift: float
    weight: float


def back_arcs(count: int, arcs: Sequence[Arc], roots: Iterable[int]) -> set[int]:
    """Return the positions in `arcs` of those that close a cycle.

    A depth-first walk starts from `roots`, then from every vertex not yet reached; an
    arc to a vertex that is still being walked goes back. Without them there is no cycle.
    """
    leaving: list[list[int]] = [[] for _ in range(count)]
    for position, arc in enumerate(arcs):
        leaving[arc.source].append(position)
    back: set[int] = set()
    state = [0] * count  # 0 not reached, 1 being walked, 2 done
    for root in [*roots, *range(count)]:
        if state[root]:
            continue
        state[root] = 1
        path = [(root, iter(leaving[root]))]
        while path:
            vertex, rest = path[-1]
            position = next(rest, -1)
            if position < 0:
                state[vertex] = 2
                path.pop()
                continue
            target = arcs[position].target
            if state[target] == 1:
                back.add(position)
            elif state[target] == 0:
                state[target] = 1
                path.append((target, iter(leaving[target])))
    return back


def assign_layers(
    count: int, arcs: Sequence[Arc], *, top: Collection[int] = (), bottom: Collection[int] = ()
) -> list[int]:
    """Return a layer per vertex, 0 at the top, by the longest path that leads to it.

    Vertices of `bottom` stand as low as what they lead to allows. A vertex that nothing
    leads to stands right above the first it leads to, unless it belongs to `top`.

    Args:
        count: How many vertices there are.
        arcs: Arcs without a cycle; `back_arcs` says which ones to leave out.
        top: Vertices that stay at the top.
        bottom: Vertices that sink to the bottom.
    """
    leaving: list[list[Arc]] = [[] for _ in range(count)]
    waiting = [0] * count
    for arc in arcs:
        leaving[arc.source].append(arc)
        waiting[arc.target] += 1
    sources = {vertex for vertex in range(count) if not waiting[vertex]}
    layer = [0] * count
    ready = sorted(sources)
    for vertex in ready:
        for arc in leaving[vertex]:
            layer[arc.target] = max(layer[arc.target], layer[vertex] + arc.span)
            waiting[arc.target] -= 1
            if not waiting[arc.target]:
                ready.append(arc.target)
    lowest = max(layer, default=0)
    for vertex in reversed(ready):
        below = [layer[arc.target] - arc.span for arc in leaving[vertex]]
        if vertex in bottom or (vertex in sources and vertex not in top and below):
            layer[vertex] = min(below, default=lowest)
    return layer


def order_layers(
    layers: list[list[int]], up: Sequence[Sequence[Link]], down: Sequence[Sequence[Link]]
) -> list[list[int]]:
    """Order the vertices of each layer so that few lines cross.

    Sweeps down and up sort each layer by the mean place of its neighbours and then swap
    neighbouring vertices while that helps; the best order met is returned.

    Args:
        layers: Vertices per layer, in the order to begin with.
        up: For each vertex, its links to the layer above.
        down: For each vertex, its links to the layer below.
    """
    layers = [list(layer) for layer in layers]
    best, fewest = [list(layer) for layer in layers], _crossings(layers, down)
    stale = 0
    for sweep in range(_SWEEPS):
        if not fewest or stale == _PATIENCE:
            break
        falling = sweep % 2 == 0
        links = up if falling else down
        span = range(1, len(layers)) if falling else range(len(layers) - 2, -1, -1)
        for index in span:
            fixed = layers[index - 1 if falling else index + 1]
            layers[index] = _by_mean(layers[index], _places(fixed), links)
        _swap_neighbours(layers, up, down)
        found = _crossings(layers, down)
        stale += 1
        if found < fewest:
            stale = 0
            best, fewest = [list(layer) for layer in layers], found
    return best


def _places(layer: Sequence[int]) -> dict[int, int]:
    return {vertex: place for place, vertex in enumerate(layer)}


def _ends(vertex: int, places: dict[int, int], links: Sequence[Sequence[Link]]) -> list[float]:
    """Where the lines of `vertex` end in the fixed layer; a shift never reaches the next."""
    return sorted(
        places[link.other] + link.other_shift / (2 * abs(link.other_shift) + 1)
        for link in links[vertex]
    )


def _by_mean(
    layer: list[int], places: dict[int, int], links: Sequence[Sequence[Link]]
) -> list[int]:
    """Sort by the mean place of the neighbours; a vertex without any keeps its place."""
    ends = {vertex: _ends(vertex, places, links) for vertex in layer}
    moving = [vertex for vertex in layer if ends[vertex]]
    in_order = iter(sorted(moving, key=lambda vertex: sum(ends[vertex]) / len(ends[vertex])))
    return [next(in_order) if ends[vertex] else vertex for vertex in layer]


def _crossings(layers: Sequence[Sequence[int]], down: Sequence[Sequence[Link]]) -> int:
    total = 0
    for upper, lower in pairwise(layers):
        places = _places(lower)
        seen: list[float] = []
        for vertex in upper:
            ends = _ends(vertex, places, down)
            total += sum(len(seen) - bisect.bisect_right(seen, end) for end in ends)
            for end in ends:
                bisect.insort(seen, end)
    return total


def _swap_neighbours(
    layers: list[list[int]], up: Sequence[Sequence[Link]], down: Sequence[Sequence[Link]]
) -> None:
    for index, layer in enumerate(layers):
        sides = []
        if index:
            sides.append((_places(layers[index - 1]), up))
        if index + 1 < len(layers):
            sides.append((_places(layers[index + 1]), down))
        ends = {
            vertex: [_ends(vertex, places, links) for places, links in sides] for vertex in layer
        }
        for place in range(len(layer) - 1):
            left, right = layer[place], layer[place + 1]
            pairs = list(zip(ends[left], ends[right], strict=True))
            if sum(_inversions(a, b) for a, b in pairs) > sum(_inversions(b, a) for a, b in pairs):
                layer[place], layer[place + 1] = right, left


def _inversions(left: list[float], right: list[float]) -> int:
    """How many pairs cross when `left` stands before `right`; both are sorted."""
    return sum(len(left) - bisect.bisect_right(left, end) for end in right)


def spread_layers(
    layers: Sequence[Sequence[int]],
    up: Sequence[Sequence[Link]],
    down: Sequence[Sequence[Link]],
    reach: Sequence[tuple[float, float]],
    gap: float,
) -> list[float]:
    """Return a horizontal centre per vertex, so that lines are short and vertical.

    Each layer in turn takes the places that are nearest to what its neighbours want, by
    least squares, without giving up its order or its distances.

    Args:
        layers: Vertices per layer, in order.
        up: For each vertex, its links to the layer above.
        down: For each vertex, its links to the layer below.
        reach: For each vertex, how far it extends to the left and right of its centre.
        gap: Free space between two vertices, in pixels.
    """
    centres = [0.0] * len(reach)
    for layer in layers:
        offsets = _offsets(layer, reach, gap)
        for vertex, offset in zip(layer, offsets, strict=True):
            centres[vertex] = offset - offsets[-1] / 2
    both = [[*above, *below] for above, below in zip(up, down, strict=True)]
    for _ in range(_PULLS):
        for links, rows in ((up, layers), (down, layers[::-1])):
            for row in rows:
                _pull(row, links, centres, _offsets(row, reach, gap))
    for row in [*layers, *layers[::-1]] * 3:
        _pull(row, both, centres, _offsets(row, reach, gap))
    return centres


def _offsets(layer: Sequence[int], reach: Sequence[tuple[float, float]], gap: float) -> list[float]:
    """The least distances of each vertex from the first of its layer."""
    offsets = [0.0]
    for left, right in pairwise(layer):
        offsets.append(offsets[-1] + reach[left][1] + gap + reach[right][0])
    return offsets


def _pull(
    layer: Sequence[int],
    links: Sequence[Sequence[Link]],
    centres: list[float],
    offsets: Sequence[float],
) -> None:
    wanted, weights = [], []
    for vertex, offset in zip(layer, offsets, strict=True):
        weight = sum(link.weight for link in links[vertex])
        pull = sum(
            link.weight * (centres[link.other] + link.other_shift - link.shift)
            for link in links[vertex]
        )
        wanted.append((pull / weight if weight else centres[vertex]) - offset)
        weights.append(weight or 0.01)
    for vertex, place, offset in zip(layer, _rising(wanted, weights), offsets, strict=True):
        centres[vertex] = place + offset


def _rising(wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The never-falling numbers nearest to `wanted`, by pooling neighbours that violate."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(wanted, weights, strict=True):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (low, less, few), (high, more, many) = pools.pop(), pools.pop()
            mean = (low * less + high * more) / (less + more)
            pools.append((mean, less + more, few + many))
    return [value for value, _, size in pools for _ in range(size)]
