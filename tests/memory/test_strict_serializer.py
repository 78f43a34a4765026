"""What a checkpoint may hold comes back; what somebody else wrote into it does not run."""

import json
import os
import pickle
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, NewType

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.types import Command, Interrupt, Overwrite, Send
from pydantic import BaseModel
from review_graph import build, say, thread
from typing_extensions import TypedDict

from cogwork.core.errors import MemoryStoreError
from cogwork.memory import create_checkpointer, with_state_types
from cogwork.memory.strict_serializer import StrictSerializer


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Point:
    x: int


@dataclass(frozen=True)
class Hinted:
    x: "OnlyForTypeCheckers" = None  # noqa: F821 - as under `if TYPE_CHECKING`


class Pair(NamedTuple):
    left: int
    right: int


class Leaf(BaseModel):
    at: Point


class Tree(BaseModel):
    leaves: list[Leaf] = []
    colour: Colour = Colour.RED


Alias = NewType("Alias", Pair)


class Everything(TypedDict):
    trees: dict[str, Tree | None]
    pair: Alias


def round_trip(value: Any, serde: JsonPlusSerializer) -> Any:
    return serde.loads_typed(serde.dumps_typed(value))


@pytest.mark.parametrize(
    "value",
    [
        HumanMessage("hi", id="1"),
        SystemMessage("be kind"),
        AIMessage(
            "", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c", "type": "tool_call"}]
        ),
        AIMessageChunk("part"),
        ToolMessage("3", tool_call_id="c", artifact={"rows": [1, 2]}),
        RemoveMessage("1"),
        Document("text", metadata={"page": 1}),
        _DeltaSnapshot([HumanMessage("hi"), AIMessage("ho")]),
        Send("work", {"part": "left", "messages": [HumanMessage("hi")]}),
        Interrupt({"question": "good?"}, id="i"),
        Command(goto="work", update={"x": 1}),
        Overwrite([1]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_messages_and_langgraph_types_come_back(value):
    assert round_trip(value, StrictSerializer()) == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
    | st.text() | st.binary() | st.datetimes() | st.uuids(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip


@given(JSON)
def test_plain_data_comes_back(value):
    assert round_trip(value, StrictSerializer()) == value


def test_classes_come_back_only_when_they_are_allowed():
    tree = Tree(leaves=[Leaf(at=Point(1))])

    assert round_trip(tree, StrictSerializer([Tree, Leaf, Point, Colour])) == tree
    with pytest.raises(MemoryStoreError, match=r"Tree.*allowed_types"):
        round_trip(tree, StrictSerializer())


def test_schema_allows_the_classes_it_names_at_any_depth():
    value = {"trees": {"oak": Tree(leaves=[Leaf(at=Point(1))])}, "pair": Pair(1, 2)}
    saver = with_state_types(create_checkpointer("memory://"), Everything)

    assert round_trip(value, saver.serde) == value
    assert round_trip(Colour.RED, saver.serde) is Colour.RED


def test_schema_leaves_the_given_saver_as_it_was():
    saver = create_checkpointer("memory://")
    with_state_types(saver, Everything)

    with pytest.raises(MemoryStoreError, match="Pair"):
        round_trip(Pair(1, 2), saver.serde)


def test_schema_with_a_name_for_type_checkers_only_is_still_read():
    saver = with_state_types(create_checkpointer("memory://"), dict[str, Hinted], Point)

    assert round_trip(Hinted(), saver.serde) == Hinted()
    assert round_trip(Point(1), saver.serde) == Point(1)


@pytest.mark.parametrize("other", [None, True, False, InMemorySaver()])
def test_what_needs_no_types_is_returned_as_it_is(other):
    assert with_state_types(other, Everything) is other


def ext(code: int, *parts: Any) -> tuple[str, bytes]:
    inner = ormsgpack.packb(parts)
    return "msgpack", ormsgpack.packb(ormsgpack.Ext(code, inner))


def lc2(*name: str, **rest: Any) -> tuple[str, bytes]:
    return "json", json.dumps({"lc": 2, "type": "constructor", "id": name, **rest}).encode()


class Gadget:
    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (self.mark,)


# Each makes the folder `mark` if something calls what it names.
GADGETS: dict[str, Callable[[str], tuple[str, bytes]]] = {
    "one argument": lambda mark: ext(0, "os", "system", f"mkdir {mark}"),
    "one argument, builtin": lambda mark: ext(0, "builtins", "eval", f"__import__('os').mkdir({mark!r})"),
    "positional": lambda mark: ext(1, "os", "mkdir", [mark]),
    "positional, subprocess": lambda mark: ext(1, "subprocess", "check_call", [["mkdir", mark]]),
    "keywords": lambda mark: ext(2, "os", "makedirs", {"name": mark}),
    "pydantic 1": lambda mark: ext(4, "os", "makedirs", {"name": mark}),
    "pydantic 2": lambda mark: ext(5, "os", "makedirs", {"name": mark}, "model_validate_json"),
    "nested in a message": lambda mark: (
        "msgpack",
        ormsgpack.packb({"messages": [ormsgpack.Ext(1, ormsgpack.packb(["os", "mkdir", [mark]]))]}),
    ),
    "json": lambda mark: lc2("os", "mkdir", args=[mark]),
    "json, keywords": lambda mark: lc2("os", "makedirs", kwargs={"name": mark}),
}  # fmt: skip


@pytest.mark.parametrize("gadget", GADGETS.values(), ids=GADGETS)
def test_crafted_payload_is_refused_and_not_run(gadget, tmp_path):
    permissive = JsonPlusSerializer(allowed_msgpack_modules=True, allowed_json_modules=True)
    permissive.loads_typed(gadget(str(tmp_path / "control")))
    with pytest.raises(MemoryStoreError, match="may not be constructed"):
        StrictSerializer([Tree]).loads_typed(gadget(str(tmp_path / "mark")))

    assert (tmp_path / "control").exists()
    assert not (tmp_path / "mark").exists()


def test_path_is_a_value_and_its_methods_are_not_called(tmp_path):
    mark = str(tmp_path / "mark")
    serde = StrictSerializer()

    serde.loads_typed(lc2("pathlib", "Path", method="touch", args=[mark]))
    with pytest.raises(MemoryStoreError, match=r"pathlib\.Path\.touch"):
        serde.loads_typed(ext(3, "pathlib", "Path", mark, "touch"))

    assert round_trip(Path(mark), serde) == Path(mark)
    assert not Path(mark).exists()


def test_langchain_envelope_gives_no_secret_and_no_foreign_class(monkeypatch):
    monkeypatch.setenv("COGWORK_TEST_SECRET", "hunter22")
    secret = {"lc": 1, "type": "secret", "id": ["COGWORK_TEST_SECRET"]}
    foreign = {
        "lc": 1,
        "type": "constructor",
        "id": ["subprocess", "Popen"],
        "kwargs": {"args": "id"},
    }

    assert StrictSerializer().loads_typed(("json", json.dumps(secret).encode())) is None
    with pytest.raises(MemoryStoreError, match="cannot be read"):
        StrictSerializer().loads_typed(("json", json.dumps(foreign).encode()))


def test_pickle_is_refused(tmp_path):
    mark = tmp_path / "mark"
    with pytest.raises(MemoryStoreError, match="cannot be read"):
        StrictSerializer().loads_typed(("pickle", pickle.dumps(Gadget(str(mark)))))

    assert not mark.exists()


def test_payload_in_the_file_does_not_run_when_a_graph_reads_it(tmp_path):
    file, mark = tmp_path / "c.db", tmp_path / "mark"
    with create_checkpointer(f"sqlite:///{file}") as saver:
        graph, config = build(saver), thread("1")
        graph.invoke(say("trip"), config)
        with sqlite3.connect(file) as attacker:
            attacker.execute(
                "UPDATE writes SET type=?, value=?, checksum=NULL",
                ext(1, "os", "mkdir", [str(mark)]),
            )
        attacker.close()
        with pytest.raises(MemoryStoreError, match=r"os\.mkdir"):
            graph.get_state(thread("1"))

        assert not mark.exists()


def test_damaged_bytes_and_live_objects_are_named():
    with pytest.raises(MemoryStoreError, match="cannot be read"):
        StrictSerializer().loads_typed(("msgpack", b"\xc1"))
    with pytest.raises(MemoryStoreError, match=r"cannot be saved.*function"):
        StrictSerializer().dumps_typed({"callback": lambda: None})
