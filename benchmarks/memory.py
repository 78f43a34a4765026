"""What memory costs: against Chroma alone and LangGraph's own stores, in one run.

Random vectors of 384 dimensions in 100 namespaces, given by embeddings that look them up, so
that only the stores are measured. Wall time, medians, all stores in turns. LangGraph's
SqliteStore needs an SQLite that loads extensions: `pysqlite3-binary` is lent to it alone.

    python benchmarks/memory.py [--quick] [--json]

A full run measures 1,000, 10,000 and 50,000 items and takes some minutes, most of them to
fill Chroma; `--quick` measures 10,000. Puts are measured over a whole cycle of Chroma's index,
in which its own grow slower and slower.
"""

import asyncio
import csv
import gc
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pysqlite3
from langchain_core.embeddings import Embeddings
from langgraph.store.base import PutOp
from langgraph.store.memory import InMemoryStore
from measure import Figure, options, report

from cogwork.memory import ChromaStore, SemanticMemory

with_extensions = {"sqlite3": pysqlite3, "sqlite3.dbapi2": pysqlite3}
_own = {name: sys.modules.get(name) for name in with_extensions}
sys.modules.update(with_extensions)
from langgraph.store.sqlite import SqliteStore  # noqa: E402 - it keeps the SQLite it is lent

sys.modules.update({name: module for name, module in _own.items() if module is not None})

DIMS, NAMESPACES, QUERIES = 384, 100, 20
TURN = 3  # calls of a store before the next one's, which find its caches as its own calls left them
CYCLE = 1_000  # puts between which Chroma rebuilds its index; the last ones take twice the first
SQLITE, MEMORY, CHROMA = "LangGraph SqliteStore", "LangGraph InMemoryStore", "Chroma alone"
FLOOR = "one page and fsync"
DUPLICATES = Path(__file__).parent / "data" / "duplicates.tsv"


class Given(Embeddings):
    """Looks vectors up: the text `… 7` has the seventh, as a new list, as a model answers it."""

    identity = "given"

    def __init__(self, vectors: "np.ndarray[Any, Any]") -> None:
        self.vectors = vectors

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        found: list[float] = self.vectors[int(text.rpartition(" ")[2])].tolist()
        return found


def uniform(count: int) -> "np.ndarray[Any, Any]":
    return np.random.default_rng(0).standard_normal((count, DIMS)).astype(np.float32)


def clustered(count: int) -> "np.ndarray[Any, Any]":
    chance = np.random.default_rng(1)
    centres = chance.standard_normal((200, DIMS))
    noise = 0.3 * chance.standard_normal((count, DIMS))
    return (centres[chance.integers(0, 200, count)] + noise).astype(np.float32)


def walls(runs: Mapping[str, Callable[[int], Any]], rounds: int) -> dict[str, float]:
    """Median wall seconds of each run, taken in turns of `TURN` calls."""
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            for call in range(TURN * number, TURN * (number + 1)):
                started = time.perf_counter()
                run(call)
                if number:  # the first warms caches up
                    spent[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in spent.items()}


def operations(count: int) -> Iterator[list[PutOp]]:
    """Writes of all items, a thousand at a time."""
    for start in range(0, count, 1_000):
        yield [
            PutOp(("u", str(n % NAMESPACES)), f"k{n}", {"text": f"item {n}", "n": n})
            for n in range(start, min(start + 1_000, count))
        ]


class Stores:
    """The same items in all stores."""

    def __init__(self, folder: Path, count: int) -> None:
        self.count, self.folder = count, folder
        self.vectors = uniform(count + QUERIES + 1)
        self.given = given = Given(self.vectors)
        gc.freeze()  # or each store pays for millions of numbers that the collector walks
        self.ours = ChromaStore(folder / "ours", embeddings=given, fields=["text"])
        connection = pysqlite3.connect(
            str(folder / "theirs.db"), check_same_thread=False, isolation_level=None
        )
        self.sqlite = SqliteStore(
            connection, index={"embed": given, "dims": DIMS, "text_fields": ["text"]}
        )
        self.sqlite.setup()
        self.memory = InMemoryStore(index={"embed": given, "dims": DIMS, "fields": ["text"]})
        self.chroma = chroma_collection(folder / "chroma")
        self.rates = self.fill()

    def fill(self) -> float:
        """Fill them; return our time for a batch by SqliteStore's."""
        spent: dict[str, list[float]] = {"ours": [], "sqlite": []}
        for batch in operations(self.count):
            for name, times in spent.items():
                started = time.perf_counter()
                getattr(self, name).batch(batch)
                times.append(time.perf_counter() - started)
            self.memory.batch(batch)
            numbers = [op.value["n"] for op in batch if op.value]
            self.chroma.upsert(
                [f"k{n}" for n in numbers],
                self.vectors[numbers],
                metadatas=[{"ns": str(n % NAMESPACES)} for n in numbers],
            )
        return statistics.median(spent["ours"]) / statistics.median(spent["sqlite"])

    def searches(self, rounds: int) -> list[Figure]:
        """One namespace, and the whole store."""
        is_full = self.count >= 50_000
        question = [f"q {self.count + n}" for n in range(QUERIES)]

        def store(which: Any, prefix: Callable[[int], tuple[str, ...]]) -> Callable[[int], Any]:
            return lambda n: which.search(prefix(n), query=question[n % QUERIES], limit=10)

        def chroma(n: int) -> Any:
            vector = self.vectors[[self.count + n % QUERIES]]
            return self.chroma.query(vector, n_results=10, where={"ns": str(n % NAMESPACES)})

        def one(n: int) -> tuple[str, ...]:
            return ("u", str(n % NAMESPACES))

        for n in range(NAMESPACES):
            self.ours.search(one(n), query=question[0])
        narrow = walls(
            {"ours": store(self.ours, one), SQLITE: store(self.sqlite, one), CHROMA: chroma}, rounds
        )
        wide = walls(
            {
                "ours": store(self.ours, lambda _: ()),
                SQLITE: store(self.sqlite, lambda _: ()),
                MEMORY: store(self.memory, lambda _: ()),
            },
            max(rounds // 2, 5),
        )
        goals = {(0, SQLITE): 1 / 2, (0, CHROMA): 1 / 50, (1, SQLITE): 1 / 20, (1, MEMORY): 1 / 100}
        figures = []
        for kind, (title, taken) in enumerate((("one namespace", narrow), ("all", wide))):
            name = f"search {title} of {self.count:,}"
            figures.append(Figure(name, taken["ours"] * 1e3, None, "-", "ms"))
            figures += [
                Figure(
                    name,
                    taken["ours"] / taken[rival],
                    goals[kind, rival] if is_full else None,
                    rival,
                )
                for rival in taken
                if rival != "ours"
            ]
        return figures

    def puts(self, rounds: int) -> list[Figure]:
        """One durable put; the floor is one page written and synchronised."""

        def ours(n: int) -> None:
            self.ours.put(("new",), f"n{n}", {"text": f"new {n % self.count}"})

        def chroma(n: int) -> None:
            self.chroma.upsert(
                [f"n{n}"], self.vectors[[n]], metadatas=[{"ns": "new"}], documents=[f"new {n}"]
            )

        with (self.folder / "floor").open("wb", buffering=0) as file:

            def floor(_: int) -> None:
                file.write(bytes(4096))
                os.fsync(file.fileno())

            taken = walls({"ours": ours, CHROMA: chroma, FLOOR: floor}, rounds)
        name = f"durable put into {self.count:,}"
        return [
            Figure(name, taken["ours"] * 1e3, None, "-", "ms"),
            Figure(f"{name}, Chroma's", taken[CHROMA] * 1e3, None, "-", "ms"),
            Figure(f"{name}, {FLOOR}", taken[FLOOR] * 1e3, None, "-", "ms"),
            Figure(f"{name}, {FLOOR}", taken[FLOOR] / taken[CHROMA], None, CHROMA),
            Figure(name, taken["ours"] / taken[CHROMA], 1 / 25, CHROMA),
        ]

    def lag(self) -> Figure:
        """How long the event loop stood still at most, the median of five times."""
        worst = statistics.median(asyncio.run(stalled(self.ours, self.count)) for _ in range(5))
        return Figure(f"loop lag, 200 puts and 100 searches, {self.count:,}", worst, 50, "-", "ms")

    def reopening(self) -> Figure:
        """Close it, open it, and ask it a question."""
        self.ours.close()
        started = time.perf_counter()
        self.ours = ChromaStore(self.folder / "ours", embeddings=self.given, fields=["text"])
        self.ours.search((), query="q 1", limit=10)
        spent = time.perf_counter() - started
        goal = 1.5 if self.count >= 50_000 else None
        return Figure(f"reopening {self.count:,} to the first answer", spent, goal, "-", "s")

    def close(self) -> None:
        self.ours.close()


async def stalled(store: ChromaStore, count: int) -> float:
    worst, done = 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal worst
        while not done.is_set():
            started = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, (time.perf_counter() - started - 0.001) * 1e3)

    watching = asyncio.create_task(watch())
    puts = (store.aput(("lag",), f"l{n}", {"text": f"lag {n % count}"}) for n in range(200))
    searches = (store.asearch(("u", str(n)), query=f"q {n}") for n in range(100))
    await asyncio.gather(*puts, *searches)
    done.set()
    await watching
    return worst


def chroma_collection(folder: Path) -> Any:
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
    return client.get_or_create_collection(
        "items", embedding_function=None, metadata={"hnsw:space": "cosine"}
    )


def recalls(folder: Path, count: int) -> list[Figure]:
    """How many of the ten nearest are missed, in a namespace and in the whole store."""
    figures = []
    for name, make in (("uniform", uniform), ("clustered", clustered)):
        vectors = make(count + QUERIES)
        with ChromaStore(folder / name, embeddings=Given(vectors), fields=["text"]) as store:
            for batch in operations(count):
                store.batch(batch)
            for title, prefix in (("one namespace", ("u", "7")), ("all", ())):
                missed = statistics.fmean(
                    missing(store, prefix, vectors, count, n) for n in range(QUERIES)
                )
                figure = f"missed of the nearest 10, {name}, {title} of {count:,}"
                figures.append(Figure(figure, missed, 0.01, "exact search"))
    return figures


def proposed(folder: Path, count: int) -> list[Figure]:
    """The same of what Chroma proposes, where there is more than is scored exactly."""
    figures = []
    for name, make in (("uniform", uniform), ("clustered", clustered)):
        vectors = make(count + QUERIES)
        given = Given(vectors)
        place = folder / f"{name} by Chroma"
        with ChromaStore(place, embeddings=given, fields=["text"], exact_limit=count // 3) as store:
            for batch in operations(count):
                store.batch(batch)
            store.flush()
            missed = statistics.fmean(missing(store, (), vectors, count, n) for n in range(QUERIES))
        figure = f"missed of the nearest 10, {name}, all of {count:,}, by Chroma"
        figures.append(Figure(figure, missed, 0.01, "exact search"))
    return figures


def missing(
    store: ChromaStore, prefix: tuple[str, ...], vectors: Any, count: int, number: int
) -> float:
    candidates = [n for n in range(count) if not prefix or str(n % NAMESPACES) == prefix[1]]
    known = vectors[candidates]
    query = vectors[count + number]
    scores = known @ query / np.linalg.norm(known, axis=1)
    right = {f"k{candidates[place]}" for place in np.argsort(-scores)[:10]}
    found = store.search(prefix, query=f"q {count + number}", limit=10)
    return 1 - len(right & {item.key for item in found}) / 10


async def merging(folder: Path) -> list[Figure]:
    """Repeats, planted near-duplicates, and pairs that must stay apart."""
    with ChromaStore(folder / "merging") as store:
        repeated = SemanticMemory(store, ("repeated",))
        for _ in range(1_000):
            await repeated.remember("Backups run every night at two")
        left = len(await repeated.everything())
        kept = {"yes": [], "no": []}
        with DUPLICATES.open(newline="") as file:
            for number, row in enumerate(
                csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            ):
                memory = SemanticMemory(store, ("pair", str(number)))
                await memory.remember(row["one"])
                await memory.remember(row["other"])
                await memory.consolidate()
                kept[row["same"]].append(len(await memory.everything()) - 1)
    return [
        Figure("records left of 1,000 repeats", left, 1, "-", "count"),
        Figure("near-duplicates not merged", statistics.fmean(kept["yes"]), 0.05, "-"),
        Figure("different facts merged", 1 - statistics.fmean(kept["no"]), 0, "-"),
    ]


def measured(folder: Path, *, quick: bool) -> list[Figure]:
    figures = asyncio.run(merging(folder))
    sizes = (10_000,) if quick else (1_000, 10_000, 50_000)
    for size in sizes:
        place = folder / str(size)
        place.mkdir()
        stores = Stores(place, size)
        figures += stores.searches(10 if quick else 30)
        figures += stores.puts(CYCLE // TURN)
        figures += [
            Figure(f"batched writes of {size:,}, time", stores.rates, 2.0, SQLITE),
            stores.lag(),
            stores.reopening(),
        ]
        stores.close()
        figures += recalls(place, size)
        if size == 10_000:  # to fill Chroma with more takes minutes
            figures += proposed(place, size)
        shutil.rmtree(place)
    return figures


def main() -> None:
    chosen = options(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        report(measured(Path(folder), quick=chosen.quick), as_json=chosen.json)


if __name__ == "__main__":
    main()
