"""What runs in Chroma's own process: this file alone, so that it starts quickly.

It serves one collection over its standard streams, in frames of a JSON header and raw
float32, until standard input ends.
"""

import json
import os
import struct
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np

__all__ = ["all_ids", "collection_settings", "receive", "send"]

_LENGTHS = struct.Struct("<II")
_PAGE = 5000


def collection_settings() -> dict[str, Any]:
    """Return how a collection is created; unit vectors, compared by angle."""
    hnsw = {"space": "cosine", "ef_construction": 200, "ef_search": 2000, "max_neighbors": 32}
    return {"embedding_function": None, "configuration": {"hnsw": hnsw}}


def all_ids(collection: Any) -> list[int]:
    """Return the numbers of all vectors of a collection."""
    found: list[int] = []
    while page := collection.get(include=[], limit=_PAGE, offset=len(found))["ids"]:
        found.extend(map(int, page))
    return found


def send(sink: IO[bytes], header: dict[str, Any], payload: bytes = b"") -> None:
    """Write one frame."""
    text = json.dumps(header).encode()
    sink.write(_LENGTHS.pack(len(text), len(payload)) + text + payload)
    sink.flush()


def receive(source: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Read one frame; None when there is no more."""
    lengths = source.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    header, payload = _LENGTHS.unpack(lengths)
    text = source.read(header)
    return json.loads(text), source.read(payload)


def main(folder: Path, name: str) -> None:
    """Serve the collection."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    collection: Any = None
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        _wait_for(lock)
        while (message := receive(source)) is not None:
            try:
                collection = collection or _open(folder / "index", name)
                reply = {"result": _answer(collection, *message)}
            except Exception as error:  # noqa: BLE001 - the parent raises it
                reply = {"error": str(error) or repr(error)}
            send(sink, reply)


def _wait_for(lock: IO[str]) -> None:
    """Wait for the child of a process that was killed to end too."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]  # exists on Windows only
    else:
        fcntl.flock(lock, fcntl.LOCK_EX)


def _open(folder: Path, name: str) -> Any:
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(folder, settings=Settings(anonymized_telemetry=False))
    return client.get_or_create_collection(name, **collection_settings())


def _answer(collection: Any, header: dict[str, Any], payload: bytes) -> Any:
    what, ids = header["do"], [str(each) for each in header.get("ids", ())]
    if what == "add":
        collection.upsert(ids, np.frombuffer(payload, "<f4").reshape(len(ids), -1))
    elif what == "remove":
        collection.delete(ids)
    elif what == "nearest":
        query = np.frombuffer(payload, "<f4")[None, :]
        found = collection.query(query, n_results=header["count"], include=[])
        return [int(each) for each in found["ids"][0]]
    elif what == "ids":
        return all_ids(collection)
    return None


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
