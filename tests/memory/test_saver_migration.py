"""A file that LangGraph's own saver wrote, now or before it had task paths, is taken over."""

import sqlite3
from pathlib import Path

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from review_graph import State, answer, build, say, texts, thread

from cogwork.core.errors import MemoryStoreError
from cogwork.memory import create_checkpointer, with_state_types
from cogwork.memory.strict_serializer import StrictSerializer

FINISHED = ["trip", "left of trip", "right of trip", "reviewed: yes"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Of a thread that waits for a person, and one that is over."""
    path = tmp_path / "stock.db"
    with SqliteSaver.from_conn_string(str(path)) as stock:
        stock.serde = StrictSerializer()
        graph = build(stock)
        graph.invoke(say("trip"), thread("1"))
        graph.invoke(say("sail"), thread("2"))
        graph.invoke(answer("fine"), thread("2"))
    return path


def test_threads_go_on_where_they_were(file):
    with create_checkpointer(f"sqlite:///{file}") as saver:
        graph = build(saver)

        assert texts(graph.get_state(thread("2")).values)[-1] == "reviewed: fine"
        assert graph.get_state(thread("1")).next == ("review",)
        assert texts(graph.invoke(answer("yes"), thread("1"))) == FINISHED
    with create_checkpointer(f"sqlite:///{file}") as saver:
        assert texts(build(saver).get_state(thread("1")).values) == FINISHED


def test_every_checkpoint_is_the_same_as_before(file):
    with SqliteSaver.from_conn_string(str(file)) as stock:
        stock.serde = StrictSerializer()
        before = [*with_state_types(stock, State).list(None)]
    with create_checkpointer(f"sqlite:///{file}") as saver:
        after = [*with_state_types(saver, State).list(None)]

    assert len(before) > 6
    assert after == before


def test_file_without_task_paths_is_taken_over(file):
    with sqlite3.connect(file) as old:
        old.execute("ALTER TABLE writes DROP COLUMN task_path")
    old.close()

    with create_checkpointer(f"sqlite:///{file}") as saver:
        found = texts(build(saver).invoke(answer("yes"), thread("1")))
        assert sorted(found) == sorted(FINISHED)  # parallel parts in the order of their names


def test_taking_over_that_fails_changes_nothing(file):
    with sqlite3.connect(file) as old:
        old.execute("ALTER TABLE checkpoints DROP COLUMN metadata")
        before = old.execute("SELECT * FROM writes").fetchall()
    old.close()

    with pytest.raises(MemoryStoreError, match="metadata"):
        create_checkpointer(f"sqlite:///{file}")
    with sqlite3.connect(file) as old:
        assert old.execute("SELECT * FROM writes").fetchall() == before
    old.close()


def test_langgraphs_saver_does_not_take_our_file_for_its_own(tmp_path):
    path = tmp_path / "ours.db"
    with create_checkpointer(f"sqlite:///{path}") as saver:
        build(saver).invoke(say("trip"), thread("1"))

    with (
        SqliteSaver.from_conn_string(str(path)) as stock,
        pytest.raises(sqlite3.OperationalError, match="no such column"),
    ):
        stock.get_tuple(thread("1"))
