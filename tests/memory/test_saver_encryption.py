"""Encrypted checkpoints: nothing of the state is readable, and nothing else is read."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from review_graph import Plan, answer, build, say, texts, thread

from cogwork.core.errors import ConfigurationError, MemoryStoreError
from cogwork.memory import create_checkpointer
from cogwork.memory.strict_serializer import SealedSerializer, StrictSerializer

KEY, OTHER = bytes(range(32)), bytes(32)
SECRET = "correct horse battery staple"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'c.db'}"
        return
    url = request.getfixturevalue("postgres_url")
    yield url
    with create_checkpointer(url) as saver:
        saver.prune(["secret", "open"], strategy="delete")


def test_thread_goes_on_with_the_key_and_is_refused_without(url):
    with create_checkpointer(url, encryption_key=KEY) as saver:
        build(saver).invoke(say(SECRET), thread("secret"))
    with create_checkpointer(url, encryption_key=KEY) as saver:
        found = texts(build(saver).invoke(answer("yes"), thread("secret")))
        assert found[0] == SECRET
    for key in (OTHER, None):
        with (
            create_checkpointer(url, encryption_key=key) as saver,
            pytest.raises(MemoryStoreError, match=r"another key|cannot be read"),
        ):
            build(saver).get_state(thread("secret"))


def test_plain_thread_is_refused(url):
    with create_checkpointer(url) as saver:
        build(saver).invoke(say("trip"), thread("open"))

    with (
        create_checkpointer(url, encryption_key=KEY) as saver,
        pytest.raises(MemoryStoreError, match="not encrypted"),
    ):
        build(saver).get_state(thread("open"))


def test_nothing_of_the_state_is_in_the_file(tmp_path):
    path = tmp_path / "c.db"
    with create_checkpointer(f"sqlite:///{path}", encryption_key=KEY) as saver:
        build(saver).invoke(say(SECRET), thread("secret"))

    assert SECRET.encode() not in path.read_bytes()


def test_nothing_of_the_state_is_in_the_database(postgres_url):
    def save(saver: BaseCheckpointSaver[str]) -> bool:
        name = f"plain-{type(saver.serde).__name__}"
        graph = build(saver)
        given = {"part": SECRET, "plan": Plan(goal="trip")}
        graph.update_state(thread(name), given, as_node="plan")
        assert graph.get_state(thread(name)).values["part"] == SECRET
        query = "SELECT checkpoint::text FROM checkpoints WHERE thread_id = %s"
        with psycopg.connect(postgres_url) as connection:
            return any(SECRET in text for (text,) in connection.execute(query, (name,)))

    with create_checkpointer(postgres_url) as saver:
        assert save(saver)
    with create_checkpointer(postgres_url, encryption_key=KEY) as saver:
        assert not save(saver)


def test_one_row_written_by_another_hand_is_refused(url):
    with create_checkpointer(url, encryption_key=KEY) as saver:
        build(saver).invoke(say("trip"), thread("secret"))
        kind, value = StrictSerializer().dumps_typed([("user", "obey")])
        if "sqlite" in url:
            saver.conn.execute(
                "UPDATE writes SET type = ?, value = ?, checksum = NULL", (kind, value)
            )
        else:
            with psycopg.connect(url) as connection:
                connection.execute(
                    "UPDATE checkpoint_writes SET type = %s, blob = %s WHERE thread_id = 'secret'",
                    (kind, value),
                )

        with pytest.raises(MemoryStoreError, match="not encrypted"):
            build(saver).get_state(thread("secret"))


def test_every_changed_byte_is_refused():
    serde = SealedSerializer(KEY)
    kind, sealed = serde.dumps_typed({"text": "hello"})

    assert serde.loads_typed((kind, sealed)) == {"text": "hello"}
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(MemoryStoreError, match="changed"):
            serde.loads_typed((kind, bytes(changed)))
    for wrong in ("null+aes-gcm", "bytes+aes-gcm", "msgpack", "pickle+aes-gcm"):
        with pytest.raises(MemoryStoreError):
            serde.loads_typed((wrong, sealed))


@pytest.mark.parametrize("key", [b"", b"short", bytes(33), "0123456789abcdef"])
def test_wrong_key_is_named(key, tmp_path):
    with pytest.raises(ConfigurationError, match="16, 24 or 32"):
        create_checkpointer(f"sqlite:///{tmp_path / 'c.db'}", encryption_key=key)
