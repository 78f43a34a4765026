"""What every picture owes, whatever the graph."""

import itertools
import math
import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.runnables.graph import Graph

from cogwork.core.drawing.curves import Path, bent
from cogwork.core.drawing.diagram import Diagram, read_diagram
from cogwork.core.drawing.layers import Arc, assign_layers, back_arcs
from cogwork.core.drawing.layout import Frame, Picture, Placed, arrange, label_size

GROUPS = ["", "", "", "team:", "team:writer:", "helper:"]
ENDS = [None, None, "__start__", "__end__"]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Graphs with loops, islands, parallel edges, nested groups, starts and ends."""
    graph = Graph()
    for index in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from(ENDS)) or draw(st.text(string.ascii_letters, max_size=20))
        node_id = draw(st.sampled_from(GROUPS)) + name
        graph.add_node(None, node_id if node_id not in graph.nodes and name else f"node{index}")
    nodes = list(graph.nodes.values())
    for _ in range(draw(st.integers(0, 22))):
        source, target = draw(st.sampled_from(nodes)), draw(st.sampled_from(nodes))
        label = draw(st.none() | st.text(string.ascii_letters, min_size=1, max_size=40))
        graph.add_edge(source, target, label, conditional=draw(st.booleans()))
    return graph


def big_graph(seed: int, count: int, chance: float) -> Graph:
    dice = random.Random(seed)
    graph = Graph()
    nodes = [graph.add_node(None, f"node_{index}") for index in range(count)]
    for source, target in itertools.product(nodes, nodes):
        if dice.random() < chance:
            graph.add_edge(source, target, dice.choice([None, "yes", "try again"]))
    return graph


def picture_of(graph: Graph) -> tuple[Diagram, Picture]:
    diagram = read_diagram(graph)
    return diagram, arrange(diagram)


def box(part: Placed | Frame) -> tuple[float, float, float, float]:
    return (part.x, part.y, part.x + part.width, part.y + part.height)


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return (
        one[0] < other[2] - 0.01
        and other[0] < one[2] - 0.01
        and one[1] < other[3] - 0.01
        and other[1] < one[3] - 0.01
    )


def on_border(point: tuple[float, float], placed: Placed) -> bool:
    left, top, right, low = box(placed)
    x, y = point
    inside = left - 0.01 <= x <= right + 0.01 and top - 0.01 <= y <= low + 0.01
    distance = min(abs(x - left), abs(x - right), abs(y - top), abs(y - low))
    return inside and distance < 0.01


def points_along(path: Path, steps: int = 24) -> list[tuple[float, float]]:
    points = [path[0][0]]
    for piece in path[1:]:
        a = points[-1]
        b, c, d = piece if len(piece) == 3 else (a, piece[0], piece[0])
        for step in range(1, steps + 1):
            t = step / steps
            w = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            points.append(
                (
                    w[0] * a[0] + w[1] * b[0] + w[2] * c[0] + w[3] * d[0],
                    w[0] * a[1] + w[1] * b[1] + w[2] * c[1] + w[3] * d[1],
                )
            )
    return points


def label_boxes(picture: Picture) -> list[tuple[float, ...]]:
    boxes = []
    for route in picture.routes:
        if route.label_at:
            (x, y), (width, height) = route.label_at, label_size(route.edge.label)
            boxes.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    return boxes


def check(diagram: Diagram, picture: Picture) -> None:
    """Everything a picture owes at once."""
    assert {placed.node for placed in picture.nodes} == set(diagram.nodes)
    assert [route.edge for route in picture.routes] == list(diagram.edges)
    placed = {one.node.id: one for one in picture.nodes}
    for one, other in itertools.combinations(picture.nodes, 2):
        assert not overlap(box(one), box(other)), (one, other)
    for one, other in itertools.product(label_boxes(picture), picture.nodes):
        assert not overlap(one, box(other)), (one, other)
    for one, other in itertools.combinations(label_boxes(picture), 2):
        assert not overlap(one, other), (one, other)
    for route in picture.routes:
        assert on_border(route.path[0][0], placed[route.edge.source]), route
        assert on_border(route.path[-1][-1], placed[route.edge.target]), route
        assert bool(route.label_at) == bool(route.edge.label)
        for x, y in points_along(route.path):
            assert 0 <= x <= picture.width, route
            assert 0 <= y <= picture.height, route
            for node in picture.nodes:
                near = (x - 0.5, y - 0.5, x + 0.5, y + 0.5)
                left, top, right, low = box(node)
                core = (left + 1, top + 1, right - 1, low - 1)
                assert not overlap(near, core), (route, node)


@settings(max_examples=120, deadline=None)
@given(graphs())
def test_nodes_stand_apart_and_lines_run_from_border_to_border_around_them(graph: Graph) -> None:
    check(*picture_of(graph))


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_frames_hold_their_own_nodes_and_lines_and_no_strangers(graph: Graph) -> None:
    _, picture = picture_of(graph)
    for frame, route in itertools.product(picture.frames, picture.routes):
        inside = f"{':'.join(frame.path)}:"
        leaves, enters = (end.startswith(inside) for end in (route.edge.source, route.edge.target))
        heights = [piece[-1][1] for piece in route.path]
        if leaves and not enters:
            assert any(abs(y - frame.y - frame.height) < 0.01 for y in heights), "at its foot"
        if enters and not leaves:
            assert any(abs(y - frame.y) < 0.01 for y in heights), "at its head"
        for x, y in [] if leaves or enters else points_along(route.path):
            assert not overlap(box(frame), (x - 0.5, y - 0.5, x + 0.5, y + 0.5)), route
    for frame in picture.frames:
        for placed in picture.nodes:
            inside = placed.node.group[: len(frame.path)] == frame.path
            assert overlap(box(frame), box(placed)) == inside
    for one, other in itertools.combinations(picture.frames, 2):
        shared = min(len(one.path), len(other.path))
        nested = one.path[:shared] == other.path[:shared]
        assert overlap(box(one), box(other)) == nested


@settings(max_examples=30, deadline=None)
@given(graphs())
def test_same_graph_gives_the_same_picture(graph: Graph) -> None:
    assert picture_of(graph) == picture_of(graph)


@pytest.mark.parametrize("seed", range(3))
def test_sixty_nodes_at_random_keep_every_promise(seed: int) -> None:
    check(*picture_of(big_graph(seed, 60, 0.015)))


def test_dense_graph_is_drawn_too() -> None:
    graph = big_graph(5, 20, 0.5)
    check(*picture_of(graph))


def test_long_chain_neither_recurses_nor_leans() -> None:
    graph = Graph()
    nodes = [graph.add_node(None, f"step {index:04}") for index in range(1500)]
    for source, target in itertools.pairwise(nodes):
        graph.add_edge(source, target)
    _, picture = picture_of(graph)
    assert len({placed.x for placed in picture.nodes}) == 1
    assert all(len(route.path) == 2 for route in picture.routes)


def test_islands_are_wrapped_into_rows() -> None:
    graph = Graph()
    for index in range(40):
        graph.add_node(None, f"island {index}")
    _, picture = picture_of(graph)
    assert 1 < picture.width / picture.height < 3


def test_empty_graph_is_an_empty_picture() -> None:
    _, picture = picture_of(Graph())
    assert picture.nodes == picture.frames == picture.routes == ()


def test_title_of_a_narrow_frame_keeps_clear_of_the_line_into_it() -> None:
    graph = Graph()
    outer, inner = graph.add_node(None, "a"), graph.add_node(None, "a frame with a long name:b")
    graph.add_edge(outer, inner)
    _, picture = picture_of(graph)
    (frame,) = picture.frames
    entry = next(point[0][0] for point in picture.routes[0].path if point[-1][1] >= frame.y)
    assert entry < frame.title_x


def drawn(*edges: str) -> tuple[dict[str, Placed], dict[str, list[tuple[float, float]]]]:
    """Nodes by their letter, and points along the lines by pairs of letters."""
    graph = Graph()
    nodes = {name: graph.add_node(None, name) for name in sorted(set("".join(edges)))}
    for source, target in edges:
        graph.add_edge(nodes[source], nodes[target])
    _, picture = picture_of(graph)
    routes = {r.edge.source + r.edge.target: points_along(r.path) for r in picture.routes}
    return {placed.node.id: placed for placed in picture.nodes}, routes


def test_two_loops_on_one_side_do_not_cross() -> None:
    _, lines = drawn("ab", "bc", "cd", "db", "da")
    for one, other in itertools.product(lines["da"], lines["db"]):
        assert math.dist(one, other) > 2


def test_lines_that_leave_one_row_downwards_run_at_different_heights() -> None:
    _, lines = drawn("ab", "ac", "ad", "ae", "af", "ag", "ah", "ca", "da")
    lowest = [max(y for _, y in lines[name]) for name in ("ca", "da")]
    assert abs(lowest[0] - lowest[1]) > 5


def test_way_back_avoids_the_side_where_a_node_leads_to_itself() -> None:
    nodes, lines = drawn("ab", "ac", "cc", "ca")
    assert nodes["b"].x < nodes["c"].x
    for one, other in itertools.product(lines["cc"], lines["ca"]):
        assert math.dist(one, other) > 2


def test_walk_from_the_roots_decides_which_arcs_go_back() -> None:
    loop = [Arc(0, 1), Arc(1, 2), Arc(2, 0)]
    assert back_arcs(3, loop, [0]) == {2}
    assert back_arcs(3, loop, [1]) == {0}


def test_layers_follow_the_longest_path_and_pins() -> None:
    arcs = [Arc(0, 1), Arc(1, 2), Arc(0, 2), Arc(0, 3), Arc(4, 2)]
    assert assign_layers(5, arcs, top=[0], bottom=[3]) == [0, 1, 2, 2, 1]


def test_corners_closer_than_the_radius_are_still_joined() -> None:
    path = bent([(0, 0), (3, 0), (3, 1), (30, 1)], 20)
    assert path[0] == ((0, 0),)
    assert path[-1] == ((30, 1),)
