"""The map of memories: clusters, names, what is drawn, and files that every reader opens."""

import json
import sys
import xml.etree.ElementTree as ET
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cogwork.core.drawing.scatter import MOST_GROUPS, Dot, Group, Scatter, draw_scatter
from cogwork.core.errors import ConfigurationError
from cogwork.memory.facts import Memory
from cogwork.memory.map import draw_memory_map
from cogwork.runtime.cli import main

TOPICS = {
    "tea": "Ada drinks green tea number {}",
    "printer": "The printer in room {} needs toner",
    "train": "A train to Zurich leaves at {}",
}
SVG = "{http://www.w3.org/2000/svg}"


def planted(each=20, seed=0):
    """Memories about three topics, with vectors that keep the topics apart."""
    chance = np.random.default_rng(seed)
    memories, vectors = [], {}
    for place, text in enumerate(TOPICS.values()):
        for number in range(each):
            memory = Memory(f"{place}-{number}", text.format(number), importance=number / each)
            memories.append(memory)
            vectors[memory.id] = np.eye(3, 16)[place] + chance.normal(0, 0.05, 16)
    return memories, vectors


def circles(svg):
    """The dots, as a program that reads XML sees them."""
    return [
        each
        for each in ET.fromstring(svg).iter(f"{SVG}circle")
        if each.find(f"{SVG}title") is not None
    ]


def test_topics_become_clusters_with_names_of_their_own():
    drawn = draw_memory_map(*planted())
    assert [group.count for group in drawn.clusters] == [20, 20, 20]
    names = [set(group.label.split(", ")) for group in drawn.clusters]
    for text in TOPICS.values():
        assert sum(len(name) == 3 and name <= set(text.split()) for name in names) == 1
    assert len(circles(drawn.svg)) == drawn.drawn == drawn.memories == 60


def test_clusters_are_apart_on_the_sheet():
    memories, vectors = planted()
    dots = circles(draw_memory_map(memories, vectors).svg)
    colours = {}
    for dot in dots:
        colours.setdefault(dot.get("fill"), []).append((float(dot.get("cx")), float(dot.get("cy"))))
    middles = [np.mean(places, axis=0) for places in colours.values()]
    spreads = [
        np.mean(np.linalg.norm(np.array(p) - m, axis=1))
        for p, m in zip(colours.values(), middles, strict=True)
    ]
    gaps = [np.linalg.norm(a - b) for i, a in enumerate(middles) for b in middles[:i]]
    assert min(gaps) > 2 * max(spreads)


def test_the_same_memories_give_the_same_map():
    assert draw_memory_map(*planted()).svg == draw_memory_map(*planted()).svg


def test_the_number_of_clusters_can_be_chosen():
    assert len(draw_memory_map(*planted(), clusters=5).clusters) == 5
    assert len(draw_memory_map(*planted(each=1), clusters=8).clusters) == 3


def test_only_the_most_important_are_drawn_and_the_map_says_so():
    memories, vectors = planted()
    drawn = draw_memory_map(memories, vectors, limit=5)
    assert drawn.drawn == 5
    assert "60 memories · the 5 most important are drawn" in drawn.svg
    assert sum(group.count for group in drawn.clusters) == 60
    shown = {dot.find(f"{SVG}title").text for dot in circles(drawn.svg)}
    assert all("importance 0.9" in text for text in shown)


def test_memories_without_a_vector_are_left_out_and_counted():
    memories, vectors = planted()
    del vectors[memories[0].id]
    drawn = draw_memory_map(memories, vectors)
    assert (drawn.memories, drawn.without_vector) == (59, 1)
    assert "1 without a vector left out" in drawn.svg


@pytest.mark.parametrize("count", [0, 1, 2, 3, 13])
def test_few_memories_make_a_whole_picture(count):
    memories = [Memory(str(number), f"fact {number}") for number in range(count)]
    vectors = {memory.id: [1.0, float(memory.id)] for memory in memories}
    drawn = draw_memory_map(memories, vectors)
    assert len(circles(drawn.svg)) == count
    assert ("no memories yet" in drawn.svg) == (count == 0)


def test_equal_and_zero_vectors_are_drawn():
    memories = [Memory(str(number), "the same") for number in range(30)]
    drawn = draw_memory_map(memories, {memory.id: [0.0, 0.0, 0.0] for memory in memories})
    assert len(circles(drawn.svg)) == 30


def test_ten_thousand_memories_are_drawn_small_enough_to_open():
    memories, vectors = planted(each=3_334)
    drawn = draw_memory_map(memories, vectors)
    assert (drawn.memories, drawn.drawn) == (10_002, 2_000)
    assert len(drawn.svg) < 1_000_000


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=20), st.integers(0, 2**32 - 1))
def test_any_texts_and_vectors_give_well_formed_xml_without_script(texts, seed):
    memories = [Memory(str(number), text, importance=0.5) for number, text in enumerate(texts)]
    vectors = np.random.default_rng(seed).normal(size=(len(texts), 5))
    named = {memory.id: vector for memory, vector in zip(memories, vectors, strict=True)}
    svg = draw_memory_map(memories, named, title="".join(texts)).svg
    svg.encode()
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(svg).iter()}
    assert tags <= {"svg", "title", "style", "rect", "circle", "path", "text", "g"}


def test_what_looks_like_markup_stays_text():
    odd = '</title><script>alert("1")</script>&amp;'
    dots = [Dot(0, 0, 0.5, 0, odd)]
    svg = draw_scatter(Scatter(odd, odd, dots, [Group(odd, 1)]))
    assert "<script" not in svg
    (dot,) = circles(svg)
    assert dot.find(f"{SVG}title").text == odd


def test_a_long_text_is_shortened_where_the_pointer_rests():
    memory = Memory("a", "word " * 1_000)
    svg = draw_memory_map([memory], {"a": [1.0]}).svg
    assert len(svg) < 6_000
    assert "…" in circles(svg)[0].find(f"{SVG}title").text


def test_every_dot_lies_on_the_sheet():
    dots = [Dot(x * 1e6, -x * 1e-6, 1.0, number % 9, "") for number, x in enumerate(range(-50, 50))]
    svg = draw_scatter(Scatter("t", "s", dots, [Group(str(n), 1) for n in range(9)]))
    for dot in circles(svg):
        assert 20 < float(dot.get("cx")) < 940
        assert 80 < float(dot.get("cy")) < 630


@pytest.mark.parametrize("wrong", [{"clusters": 0}, {"clusters": MOST_GROUPS + 1}, {"limit": 0}])
def test_impossible_limits_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="it "):
        draw_memory_map([], {}, **wrong)


def run(monkeypatch, capsys, *args):
    monkeypatch.setattr(sys, "argv", ["cogwork", "memory", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


def test_the_command_draws_the_memories_of_a_user(monkeypatch, capsys):
    facts = [text.format(number) for text in TOPICS.values() for number in range(8)]
    assert run(monkeypatch, capsys, "add", "--user", "ada", *facts)[0] == 0
    code, out, _ = run(monkeypatch, capsys, "map", "m.svg", "--user", "ada", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["drawn"] == sum(each["count"] for each in told["clusters"])
    assert "Memories of ada" in Path("m.svg").read_text()
    assert len(circles(Path("m.svg").read_text())) == told["drawn"]
    assert sorted(path.name for path in Path().iterdir()) == [".cogwork", "m.svg"]


@pytest.mark.parametrize(("command", "file"), [("map", "m.svg"), ("export", "m.jsonl")])
def test_nothing_takes_the_place_of_what_was_written(monkeypatch, capsys, command, file):
    assert run(monkeypatch, capsys, "add", "Ada drinks tea")[0] == 0
    assert run(monkeypatch, capsys, command, file)[0] == 0
    before = Path(file).read_bytes()
    code, out, said = run(monkeypatch, capsys, command, file, "--user", "nobody")
    assert (code, out) == (2, "")
    assert f"{file} is not written, for there are no memories of user 'nobody'" in said
    assert Path(file).read_bytes() == before


def test_a_png_says_what_it_needs_before_anything_is_drawn(monkeypatch, capsys):
    assert run(monkeypatch, capsys, "add", "Ada drinks tea")[0] == 0
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    code, _, said = run(monkeypatch, capsys, "map", "m.png")
    assert (code, 'pip install "cogwork[png]"' in said) == (2, True)
    assert not Path("m.png").exists()


@pytest.mark.skipif(find_spec("resvg_py") is None, reason="resvg-py (extra png) is not installed")
def test_a_png_is_drawn(monkeypatch, capsys):
    assert run(monkeypatch, capsys, "add", "Ada drinks tea")[0] == 0
    assert run(monkeypatch, capsys, "map", "m.png")[0] == 0
    assert Path("m.png").read_bytes().startswith(b"\x89PNG")
