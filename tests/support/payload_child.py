"""Feeds crafted and damaged checkpoints to a checkpointer, and counts what happens.

Prints how many were tried, how many refused by `MemoryStoreError`, and how many forbidden
events there were; any other error ends it.
"""

import itertools
import json
import logging
import pickle
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ormsgpack
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.types import Interrupt, Send
from review_graph import build, say, thread

from cogwork.core.errors import MemoryStoreError
from cogwork.memory import create_checkpointer
from cogwork.memory.sqlite_saver import SqliteCheckpointer
from cogwork.memory.strict_serializer import StrictSerializer

FORBIDDEN = {
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "os.mkdir",
    "os.remove", "os.rename", "shutil.rmtree", "socket.connect", "pickle.find_class", "exec",
}  # fmt: skip
KEY = bytes(range(32))
events: list[str] = []
watching = False


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if watching and event in FORBIDDEN:
        events.append(event)


def refused(read: Callable[[], Any]) -> bool:
    global watching
    watching = True
    try:
        read()
    except MemoryStoreError:
        return True
    finally:
        watching = False
    return False


class Gadget:
    def __reduce__(self) -> Any:
        import os

        return os.mkdir, ("ran",)


def gadgets() -> Iterator[tuple[str, bytes]]:
    """Every way to name a callable, bare and within what a checkpoint holds."""
    calls = [
        ("os", "system", "mkdir ran"), ("os", "mkdir", "ran"), ("builtins", "eval", "1"),
        ("builtins", "exec", "import os"), ("subprocess", "getoutput", "id"),
        ("pickle", "loads", pickle.dumps(Gadget())), ("importlib", "import_module", "antigravity"),
        ("runpy", "run_path", "x.py"), ("code", "interact", ""), ("shutil", "rmtree", "x"),
        ("cogwork.core.registry", "nearest", "x"), ("langchain_core.load", "loads", "{}"),
    ]  # fmt: skip
    for module, name, arg in calls:
        parts = {
            0: (module, name, arg),
            1: (module, name, [arg]),
            2: (module, name, {"a": arg}),
            3: (module, name, arg, "__call__"),
            4: (module, name, {"a": arg}),
            5: (module, name, {"a": arg}, "model_validate_json"),
        }
        for code, inner in parts.items():
            bad = ormsgpack.Ext(code, ormsgpack.packb(inner))
            for holder in (bad, [bad], {"messages": [bad]}, {"channel_values": {"x": bad}}):
                yield "msgpack", ormsgpack.packb(holder)
        yield (
            "json",
            json.dumps(
                {"lc": 2, "type": "constructor", "id": [module, name], "args": ["ran"]}
            ).encode(),
        )
    yield "pickle", pickle.dumps(Gadget())
    yield "pickle", b"cos\nsystem\n(S'mkdir ran'\ntR."


def changed(data: bytes, chance: random.Random) -> bytes:
    """Bytes turned, cut, doubled or mixed."""
    result = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        kind, place = chance.randrange(4), chance.randrange(len(result) + 1)
        if kind == 0 and result:
            result[place % len(result)] = chance.randrange(256)
        elif kind == 1:
            del result[place:]
        elif kind == 2:
            result[place:place] = result[: chance.randrange(20)]
        else:
            result[place:place] = chance.randbytes(chance.randrange(6))
    return bytes(result)


def over_serializer(_: Path) -> Iterator[bool]:
    serde, chance = StrictSerializer(), random.Random(1)
    values = [
        {"messages": [HumanMessage("hi", id="1"), AIMessage("ho")]},
        [ToolMessage("3", tool_call_id="c")], Send("work", {"part": 1}), Interrupt("why", id="i"),
        {"a": Path("x"), "b": {1, 2}},
    ]  # fmt: skip
    for value in itertools.islice(itertools.cycle(values), 5_000):
        kind, data = serde.dumps_typed(value)
        bad = changed(data, chance)
        yield refused(lambda k=kind, d=bad: serde.loads_typed((k, d)))


def over_gadgets(_: Path) -> Iterator[bool]:
    serde = StrictSerializer()
    for typed in gadgets():
        yield refused(lambda t=typed: serde.loads_typed(t))


def over_rows(folder: Path, key: bytes | None) -> Iterator[bool]:
    """Damage one value in the file at a time, and read the thread's state and history."""
    chance = random.Random(2)
    with create_checkpointer(f"sqlite:///{folder / 'c.db'}", encryption_key=key) as saver:
        assert isinstance(saver, SqliteCheckpointer)
        graph = build(saver)
        graph.invoke(say("trip"), thread("1"))
        conn = saver.conn
        places = [
            (table, column, n)
            for table, column in (("checkpoints", "checkpoint"), ("writes", "value"))
            for n, size in conn.execute(f"SELECT rowid, length({column}) FROM {table}")
            if size
        ]
        for table, column, n in itertools.islice(itertools.cycle(places), 1_000):
            query = f"UPDATE {table} SET {column} = ? WHERE rowid = ?"
            (good,) = conn.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (n,)).fetchone()
            bad = changed(good, chance)
            while bad == good:
                bad = changed(good, chance)
            conn.execute(query, (bad, n))
            yield refused(lambda: look(graph))
            conn.execute(query, (good, n))


def look(graph: Any) -> None:
    graph.get_state(thread("1"))
    [*graph.checkpointer.list(thread("1"))]


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    logging.disable(logging.CRITICAL)
    sys.addaudithook(_audit)
    runs: dict[str, Callable[[], Iterator[bool]]] = {
        "gadgets": lambda: over_gadgets(folder),
        "serializer": lambda: over_serializer(folder),
        "rows": lambda: over_rows(folder, None),
        "encrypted rows": lambda: over_rows(folder, KEY),
    }
    results = list(runs[what]())
    sys.stdout.write(f"{len(results)} {sum(results)} {len(events)}\n")


if __name__ == "__main__":
    main()
