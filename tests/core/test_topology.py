"""Pictures of real compiled graphs, in each of the three forms."""

import os
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.prompts import PromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.graph import Graph
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from scripted import ScriptedChatModel
from typing_extensions import TypedDict

from cogwork.core.drawing.svg import STATUSES
from cogwork.core.errors import ConfigurationError, UnknownNameError
from cogwork.core.topology import to_ascii, to_mermaid, to_svg

SVG = "{http://www.w3.org/2000/svg}"
Compiled = CompiledStateGraph[Any, Any, Any, Any]


class State(TypedDict):
    n: int


def same(state: State) -> State:
    return state


WAYS = {"tool calls": "act", "answer": END}


def react_graph(ways: Any = WAYS) -> Compiled:
    builder = StateGraph(State)
    for name in ("think", "act", "observe"):
        builder.add_node(name, same)
    builder.add_edge(START, "think")
    builder.add_conditional_edges("think", lambda _: "", ways)
    builder.add_edge("act", "observe")
    builder.add_edge("observe", "think")
    return builder.compile(name="react")


def supervisor_graph() -> Compiled:
    builder = StateGraph(State)
    builder.add_node("supervisor", same)
    builder.add_node("researcher", react_graph())
    builder.add_node("writer", react_graph())
    builder.add_edge(START, "supervisor")
    ways = {"facts": "researcher", "text": "writer", "done": END}
    builder.add_conditional_edges("supervisor", lambda _: "", ways)
    builder.add_edge("researcher", "supervisor")
    builder.add_edge("writer", "supervisor")
    return builder.compile(interrupt_before=["supervisor"])


def mixed_graph() -> Graph:
    graph = Graph()
    a, b, c, d = (graph.add_node(None, name) for name in "abcd")
    graph.add_edge(a, b)
    graph.add_edge(a, c, "if asked", conditional=True)
    graph.add_edge(a, d, conditional=True)
    graph.add_edge(b, b, "again", conditional=True)
    graph.add_edge(b, c)
    graph.add_edge(b, c, "twice")
    graph.add_node(None, "alone")
    return graph


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def rect_of(svg: str, name: str) -> dict[str, float]:
    """The rectangle of the node whose tooltip begins with `name`."""
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        title, rect = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        if rect is not None and title is not None and (title.text or "").split(" · ")[0] == name:
            return {key: float(rect.attrib[key]) for key in ("x", "y", "width", "height")}
    raise AssertionError(f"no rectangle for {name}")


def edge_of(svg: str, words: str) -> ET.Element:
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        title, path = group.find(f"{SVG}title"), group.find(f"{SVG}path")
        if path is not None and title is not None and (title.text or "").split(" · ")[0] == words:
            return path
    raise AssertionError(f"no line for {words}")


def test_react_loop_reads_from_the_top_down_with_its_way_back_at_the_side() -> None:
    svg = to_svg(react_graph())
    tops = [rect_of(svg, name)["y"] for name in ("__start__", "think", "act", "observe")]
    assert tops == sorted(set(tops))
    assert rect_of(svg, "act")["x"] < rect_of(svg, "__end__")["x"]
    way_back = edge_of(svg, "observe → think").attrib["d"]
    left = min(rect_of(svg, name)["x"] for name in ("think", "act", "observe"))
    assert min(float(pair.split(",")[0]) for pair in _pairs(way_back)) < left
    assert {"start", "end", "think", "act", "observe", "tool calls", "answer"} == set(texts(svg))


def _pairs(path: str) -> list[str]:
    return path.replace("M", " ").replace("L", " ").replace("C", " ").split()


def test_steps_that_follow_each_other_stand_in_one_column() -> None:
    svg = to_svg(react_graph(["act", END]))
    act, observe = rect_of(svg, "act"), rect_of(svg, "observe")
    middles = [rect["x"] + rect["width"] / 2 for rect in (act, observe)]
    assert middles[0] == pytest.approx(middles[1], abs=0.2)
    assert "C" not in edge_of(svg, "act → observe").attrib["d"]


def test_only_lines_of_routers_are_dashed() -> None:
    svg = to_svg(react_graph())
    assert "stroke-dasharray" in edge_of(svg, "think → act").attrib
    assert "stroke-dasharray" in edge_of(svg, "think → __end__").attrib
    assert "stroke-dasharray" not in edge_of(svg, "act → observe").attrib


def test_subgraphs_stand_in_titled_frames_when_looked_into() -> None:
    graph = supervisor_graph()
    flat, deep = to_svg(graph), to_svg(graph, xray=True)
    assert "observe" not in texts(flat)
    assert texts(deep).count("observe") == 2
    assert to_svg(graph.get_graph(xray=True)).count("<rect") == deep.count("<rect")
    frame, inner = rect_of(deep, "researcher"), rect_of(deep, "researcher:observe")
    assert frame["x"] < inner["x"]
    assert inner["y"] + inner["height"] < frame["y"] + frame["height"]
    assert "pauses before" in texts(flat)


def test_end_stands_at_the_foot_of_the_frames_beside_it() -> None:
    svg = to_svg(supervisor_graph(), xray=True)
    frame, end = rect_of(svg, "researcher"), rect_of(svg, "__end__")
    assert end["y"] + end["height"] == pytest.approx(frame["y"] + frame["height"], abs=1)


def test_picture_names_itself_and_fits_its_view_box() -> None:
    root = ET.fromstring(to_svg(react_graph()))
    assert root.attrib["role"] == "img"
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text == "react"
    assert root.attrib["viewBox"] == f"0 0 {root.attrib['width']} {root.attrib['height']}"
    assert int(root.attrib["width"]) < 400


def test_svg_fetches_nothing_and_runs_nothing() -> None:
    svg = to_svg(supervisor_graph(), xray=True).replace('xmlns="http://www.w3.org/2000/svg"', "")
    for word in ("http", "url(", "href", "<script", "@import", "onload"):
        assert word not in svg


def test_agent_of_langchain_shows_its_tools() -> None:
    @tool
    def search(query: str) -> str:
        """Search."""
        return query

    agent = create_agent(ScriptedChatModel(script=[]), [search])
    assert {"model", "tools", "search"} <= set(texts(to_svg(agent)))
    assert to_ascii(agent).splitlines()[1] == "model ┄┄▶ tools | END"


def test_sequence_of_langchain_is_drawn_by_readable_names() -> None:
    chain = PromptTemplate.from_template("{x}") | RunnableLambda(lambda value: value)
    assert {"PromptInput", "PromptTemplate", "Lambda"} <= set(texts(to_svg(chain)))
    assert to_svg(chain) == to_svg(chain)


def test_another_process_with_other_hashes_draws_the_same_bytes() -> None:
    script = (
        "import sys; sys.path[:0] = [sys.argv[1], sys.argv[2]]\n"
        "from test_topology import supervisor_graph, to_svg, to_ascii\n"
        "graph = supervisor_graph()\n"
        "sys.stdout.buffer.write((to_svg(graph, xray=True) + to_ascii(graph)).encode())"
    )
    here = Path(__file__).parent
    support = here.parent / "support"
    done = subprocess.run(
        [sys.executable, "-c", script, here, support],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    graph = supervisor_graph()
    assert done.stdout.decode() == to_svg(graph, xray=True) + to_ascii(graph)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=5, unique=True), st.text(max_size=60))
def test_any_text_makes_well_formed_xml(names: list[str], label: str) -> None:
    graph = Graph()
    nodes = [graph.add_node(None, f"{name}~{index}") for index, name in enumerate(names)]
    for node in nodes:
        graph.add_edge(nodes[0], node, label)
    ET.fromstring(to_svg(graph).encode())
    assert all(unicodedata.category(c) != "Cc" or c == "\n" for c in to_ascii(graph))


def test_markup_in_names_is_shown_not_obeyed() -> None:
    graph = Graph()
    evil = graph.add_node(None, "<script>alert('x')</script>")
    graph.add_edge(evil, evil, '"&"')
    svg = to_svg(graph)
    assert "<script" not in svg
    assert {"<script>alert('x')</script>", '"&"'} <= set(texts(svg))


def test_long_names_are_cut_and_stand_in_full_in_the_tooltip() -> None:
    graph = Graph()
    graph.add_node(None, "x" * 200)
    svg = to_svg(graph)
    assert texts(svg) == ["x" * 43 + "…"]
    assert f"<title>{'x' * 200}</title>" in svg


@pytest.mark.parametrize("status", STATUSES)
def test_highlight_colours_the_named_node_only(status: str) -> None:
    plain = to_svg(react_graph())
    marked = to_svg(react_graph(), highlight={"act": status})
    assert marked.count(f'class="cw-{status}"') == 1
    assert f"<title>act · {status}</title>" in marked
    assert f'class="cw-{status}"' not in plain
    assert rect_of(marked, "act") == rect_of(plain, "act")


def test_highlight_reaches_into_and_around_subgraphs() -> None:
    marks = {"researcher": "running", "researcher:think": "running", "writer": "failed"}
    svg = to_svg(supervisor_graph(), xray=True, highlight=marks)
    assert svg.count('class="cw-running"') == 2
    assert svg.count('class="cw-failed"') == 1


def test_highlight_of_an_unknown_name_or_status_offers_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'think'"):
        to_svg(react_graph(), highlight={"thinks": "visited"})
    with pytest.raises(ConfigurationError, match="did you mean 'visited'"):
        to_svg(react_graph(), highlight={"think": "visit"})


def test_ascii_reads_like_the_loop() -> None:
    assert to_ascii(react_graph()).splitlines() == [
        "START   ──▶ think",
        "think   ┄┄▶ act (tool calls) | END (answer)",
        "act     ──▶ observe",
        "observe ──▶ think ↺",
    ]


def test_ascii_tells_all_from_one_of_and_names_lonely_nodes() -> None:
    assert to_ascii(mixed_graph()).splitlines() == [
        "a ──▶ b, (d | c (if asked))",
        "alone",
        "b ──▶ c (twice), maybe b (again) ↺",
        "d",
        "c",
    ]


def test_ascii_keeps_subgraphs_together_under_their_full_names() -> None:
    lines = to_ascii(supervisor_graph(), xray=True).splitlines()
    owners = [line.split(" ")[0].rpartition(":")[0] for line in lines]
    assert owners == [""] * 2 + ["researcher"] * 5 + ["writer"] * 5
    assert lines[1].endswith("researcher:START (facts) | writer:START (text) | END (done)")


def test_mermaid_is_what_langchain_writes() -> None:
    graph = supervisor_graph()
    assert to_mermaid(graph) == graph.get_graph().draw_mermaid()
    assert to_mermaid(graph, xray=True) == graph.get_graph(xray=True).draw_mermaid()


def test_mermaid_that_langchain_cannot_write_points_to_svg() -> None:
    team = StateGraph(State).add_node("plan", same).add_node("worker", react_graph())
    team.add_edge(START, "plan").add_edge("plan", "worker")
    builder = StateGraph(State).add_node("first", team.compile()).add_node("second", team.compile())
    graph = builder.add_edge(START, "first").add_edge("first", "second").compile()
    with pytest.raises(ConfigurationError, match=r"duplicate subgraph 'worker'.*to_svg"):
        to_mermaid(graph, xray=True)
    assert texts(to_svg(graph, xray=True)).count("worker") == 2
    assert to_mermaid(graph, xray=1)


@pytest.mark.parametrize("draw", [to_svg, to_mermaid, to_ascii])
def test_thing_without_topology_is_refused_by_name(draw: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"StateGraph.*compile\(\)"):
        draw(StateGraph(State))


def test_edge_to_a_missing_node_is_refused_by_name() -> None:
    graph = mixed_graph()
    graph.nodes.pop("c")
    with pytest.raises(ConfigurationError, match="'c'"):
        to_svg(graph)
