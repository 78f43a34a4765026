"""What a cache answers, how quickly, and how many calls it lets through.

Identical calls: 20 at once of a model that takes 20 ms, cold, against LangChain's cache.
Hits: the CPU of a whole `invoke` that is answered from a cache, and of reading what a node
wrote, against LangChain's InMemoryCache and LangGraph's SqliteCache in the same run. They
keep all that they are ever given; ours are full while they are measured.

    python benchmarks/caching.py [--quick] [--json]
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.caches import BaseCache, InMemoryCache
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.cache.sqlite import SqliteCache
from measure import Figure, interleaved, interleaved_async, options, report
from pydantic import Field

from cogwork.core.batching import Batcher
from cogwork.core.model_cache import ModelCache
from cogwork.memory.node_cache import NodeCache
from cogwork.tools import tool
from cogwork.tools.caching import ToolCache

ASKERS = 20
HITS = 50  # of one measurement
ROOM = 500  # entries, all taken
QUESTION = [HumanMessage("What is the population density of the Netherlands?")]
WRITES = [("messages", [AIMessage("About 520 inhabitants per square kilometre. " * 5)])]


class Model(BaseChatModel):
    """Answers after a while, and counts."""

    seconds: float = 0.0
    made: list[str] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "measured"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": "measured"}

    def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        self.made.append("call")
        time.sleep(self.seconds)
        return ChatResult(generations=[ChatGeneration(message=WRITES[0][1][0].model_copy())])

    async def _agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        self.made.append("call")
        await asyncio.sleep(self.seconds)
        return ChatResult(generations=[ChatGeneration(message=WRITES[0][1][0].model_copy())])


def full(cache: BaseCache) -> Any:
    """A cache that has no room left."""
    for number in range(ROOM):
        cache.update(str(number), "", [ChatGeneration(message=WRITES[0][1][0])])
    return cache


async def identical(cache: ModelCache | InMemoryCache) -> int:
    """How often a model is called for 20 who ask the same at once."""
    model = Model(seconds=0.02)
    asked = cache.wrap(model) if isinstance(cache, ModelCache) else model
    if asked is model:
        model.cache = cache
    await asyncio.gather(*(asked.ainvoke(QUESTION) for _ in range(ASKERS)))
    return len(model.made)


async def identical_tools() -> int:
    made: list[str] = []

    @tool(effect="read")
    async def look(what: str) -> str:
        """Look something up."""
        made.append(what)
        await asyncio.sleep(0.02)
        return what

    cached = ToolCache().wrap(look)
    await asyncio.gather(*(cached.ainvoke({"what": "a"}) for _ in range(ASKERS)))
    return len(made)


async def batches() -> int:
    batcher = Batcher(lambda texts: texts, max_size=50)
    await asyncio.gather(*(batcher.acall(number) for number in range(1_000)))
    return batcher.info().batches


def many(call: Callable[..., Any], *args: Any) -> Callable[[], None]:
    def run() -> None:
        for _ in range(HITS):
            call(*args)

    return run


def cached_tool(cache: ToolCache) -> Any:
    @tool(effect="read")
    def look(what: str, size: int = 1) -> list[str]:
        """Look something up."""
        return [what] * 20

    return cache.wrap(look, name="bench")


def hits(folder: Path, rounds: int) -> list[Figure]:
    where = f"sqlite:///{folder}/ours.sqlite"
    models = {
        "memory": full(ModelCache(max_entries=ROOM)).wrap(Model()),
        "file": full(ModelCache(max_entries=ROOM, url=where)).wrap(Model()),
        "LangChain": Model(cache=full(InMemoryCache())),
    }
    tools = {
        "memory": cached_tool(ToolCache(max_entries=ROOM)),
        "file": cached_tool(ToolCache(max_entries=ROOM, url=where)),
    }
    nodes: dict[str, Any] = {
        "memory": NodeCache(max_entries=ROOM),
        "file": NodeCache(max_entries=ROOM, url=where),
        "LangGraph": SqliteCache(path=str(folder / "theirs.sqlite")),
    }
    keys = [(("node",), str(number)) for number in range(ROOM)]
    for each in nodes.values():
        each.set(dict.fromkeys(keys, (WRITES, None)))
    cpu = interleaved(
        {
            **{f"model {name}": many(each.invoke, QUESTION) for name, each in models.items()},
            **{f"tool {name}": many(each.invoke, {"what": "a"}) for name, each in tools.items()},
            **{f"node {name}": many(each.get, keys[-1:]) for name, each in nodes.items()},
        },
        rounds,
    )
    ms = {name: seconds / HITS * 1e3 for name, seconds in cpu.items()}
    theirs = "LangChain InMemoryCache"
    return [
        Figure("CPU of a hit: model, memory", ms["model memory"], 0.3, "-", "ms"),
        Figure("  the same", ms["model memory"] / ms["model LangChain"], None, theirs),
        Figure("CPU of a hit: model, SQLite", ms["model file"], 0.3, "-", "ms"),
        Figure("  the same", ms["model file"] / ms["model LangChain"], None, theirs),
        Figure("CPU of a hit: tool, memory", ms["tool memory"], 0.3, "-", "ms"),
        Figure("CPU of a hit: tool, SQLite", ms["tool file"], 0.3, "-", "ms"),
        Figure("CPU of a hit: node, memory", ms["node memory"], 0.3, "-", "ms"),
        Figure("CPU of a hit: node, SQLite", ms["node file"], 0.3, "-", "ms"),
        Figure("  the same", ms["node file"] / ms["node LangGraph"], None, "LangGraph SqliteCache"),
    ]


async def async_hits(folder: Path, rounds: int) -> list[Figure]:
    """A file is read in a thread, so that it does not hold up the loop; that is most of it."""

    def many_async(model: Any) -> Callable[[], Any]:
        async def run() -> None:
            for _ in range(HITS):
                await model.ainvoke(QUESTION)

        return run

    file = ModelCache(url=f"sqlite:///{folder}/async.sqlite")
    cpu = await interleaved_async(
        {
            "memory": many_async(ModelCache().wrap(Model())),
            "file": many_async(file.wrap(Model())),
            "LangChain": many_async(Model(cache=InMemoryCache())),
        },
        rounds,
    )
    ms = {name: seconds / HITS * 1e3 for name, seconds in cpu.items()}
    theirs = "LangChain InMemoryCache"
    return [
        Figure("CPU of an async hit: model, memory", ms["memory"], 0.3, "-", "ms"),
        Figure("  the same", ms["memory"] / ms["LangChain"], None, theirs),
        Figure("CPU of an async hit: model, SQLite", ms["file"], None, "-", "ms"),
    ]


def calls() -> list[Figure]:
    rival = asyncio.run(identical(InMemoryCache()))
    return [
        Figure(
            f"calls for {ASKERS} identical ones at once: model",
            asyncio.run(identical(ModelCache())),
            1,
            f"{rival} with LangChain's",
            "calls",
        ),
        Figure(
            f"calls for {ASKERS} identical ones at once: tool",
            asyncio.run(identical_tools()),
            1,
            "-",
            "calls",
        ),
        Figure("batches of 50 for 1,000 items at once", asyncio.run(batches()), None, "-", "calls"),
    ]


def main() -> None:
    chosen = options(__doc__ or "")
    rounds = 20 if chosen.quick else 100
    with tempfile.TemporaryDirectory() as folder:
        figures = [
            *calls(),
            *hits(Path(folder), rounds),
            *asyncio.run(async_hits(Path(folder), rounds)),
        ]
    report(figures, as_json=chosen.json)


if __name__ == "__main__":
    main()
