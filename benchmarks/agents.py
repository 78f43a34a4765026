"""How close a team comes to its critical path, what an agent in it costs, what consensus costs.

Makespan: four subtasks that wait 200 ms each, in a diamond, as a whole run of the team. CPU:
100 agents with a model that answers at once, as a team and as a fan-out with `Send` in bare
LangGraph, the same agents on the same SQLite checkpointer at full durability. Consensus: 200
different answers whose embeddings are known.

    python benchmarks/agents.py [--quick] [--json]
"""

import asyncio
import itertools
import operator
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from measure import Figure, interleaved_async, options, report
from typing_extensions import TypedDict

from cogwork.core.embeddings import create_embeddings
from cogwork.graphs import create_react_agent, create_team
from cogwork.memory import create_checkpointer
from cogwork.nodes import Requirement, Role
from cogwork.nodes.aggregation import Answer, consensus

AGENTS, ANSWERS = 100, 200
SECONDS = 0.2  # that a subtask of the diamond waits
BARE = "Send in bare LangGraph"
ROLES = [Role(name="worker", capabilities=("work",))]


class Instant(BaseChatModel):
    """A model that answers at once."""

    @property
    def _llm_type(self) -> str:
        return "instant"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("It is done."))])

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return self._generate(messages)


class Known(Embeddings):
    """Embeddings that were asked for before."""

    def __init__(self, texts: list[str]) -> None:
        vectors = create_embeddings("static").embed_documents(texts)
        self._kept = dict(zip(texts, vectors, strict=True))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self._kept[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self._kept[text]


class Fan(TypedDict, total=False):
    """Of the fan-out in bare LangGraph."""

    tasks: list[str]
    found: Annotated[list[str], operator.add]
    answer: str


class Sent(TypedDict):
    """What one agent of it is sent."""

    task: str


def part(key: str, *before: str) -> Requirement:
    return Requirement(id=key, description=f"Do {key}", capability="work", depends_on=before)


async def diamond(saver: Any, runs: int) -> list[Figure]:
    async def wait(_: Any) -> str:
        await asyncio.sleep(SECONDS)
        return "waited"

    team = create_team(
        Instant(), roles=ROLES, members={"worker": RunnableLambda(wait)}, checkpointer=saver
    )
    parts = [part("a"), part("b", "a"), part("c", "a"), part("d", "b", "c")]
    spent = []
    for number in range(runs + 1):
        thread: RunnableConfig = {"configurable": {"thread_id": f"diamond {number}"}}
        started = time.perf_counter()
        await team.ainvoke({"requirements": parts}, thread, durability="sync")
        spent.append(time.perf_counter() - started)
    ratio = statistics.median(spent[1:]) / (3 * SECONDS)
    return [Figure(f"makespan of a diamond, median of {runs}", ratio, 1.1, "critical path")]


def as_team(saver: Any) -> Callable[[], Any]:
    agent = create_react_agent(Instant())
    team = create_team(
        Instant(),
        roles=ROLES,
        members={"worker": agent},
        max_concurrency=AGENTS,
        checkpointer=saver,
    )
    parts, thread = [part(f"t{n}") for n in range(AGENTS)], iter(range(10**9))

    async def run() -> None:
        where: RunnableConfig = {"configurable": {"thread_id": f"team {next(thread)}"}}
        done = await team.ainvoke({"requirements": parts}, where, durability="sync")
        assert len(done["results"]) == AGENTS

    return run


def as_fan(saver: Any) -> Callable[[], Any]:
    agent, model = create_react_agent(Instant()), Instant()

    async def work(sent: Sent) -> dict[str, Any]:
        done = await agent.ainvoke({"messages": sent["task"]})
        return {"found": [done["messages"][-1].text]}

    async def answer(state: Fan) -> dict[str, Any]:
        return {"answer": (await model.ainvoke("\n".join(state["found"]))).text}

    builder = StateGraph(Fan)
    builder.add_node("work", work)
    builder.add_node("answer", answer)
    builder.add_conditional_edges(
        START, lambda state: [Send("work", {"task": task}) for task in state["tasks"]], ["work"]
    )
    builder.add_edge("work", "answer")
    builder.add_edge("answer", END)
    graph = builder.compile(checkpointer=saver)
    tasks, thread = [f"Do t{n}" for n in range(AGENTS)], iter(range(10**9))

    async def run() -> None:
        where: RunnableConfig = {"configurable": {"thread_id": f"fan {next(thread)}"}}
        done = await graph.ainvoke({"tasks": tasks}, where, durability="sync")
        assert len(done["found"]) == AGENTS

    return run


async def fan_out(saver: Any, rounds: int) -> list[Figure]:
    spent = await interleaved_async({"ours": as_team(saver), BARE: as_fan(saver)}, rounds)
    each = {name: seconds / AGENTS for name, seconds in spent.items()}
    return [
        Figure(f"CPU an agent, {AGENTS} agents", each["ours"] / each[BARE], 1.5, BARE),
        Figure("  ms CPU an agent", each["ours"] * 1e3, None, "-", "ms"),
        Figure(f"  the same, {BARE}", each[BARE] * 1e3, None, "-", "ms"),
    ]


def agreeing(runs: int) -> list[Figure]:
    causes = ("a race in the cache", "a leak of memory", "an open file", "a bad index", "a typo")
    words = itertools.product(
        causes,
        ("The", "This", "That", "Our", "My"),
        ("is", "was"),
        ("", "also ", "just ", "really "),
    )
    said = [f"{the} job {was} {just}failing because of {cause}" for cause, the, was, just in words]
    known = Known([*said, *map(str.lower, said)])
    answers = [Answer(f"agent {n}", text) for n, text in enumerate(said)]
    spent = []
    for _ in range(runs + 1):
        started = time.process_time()
        found = consensus(answers, embeddings=known)
        spent.append(time.process_time() - started)
    assert len(answers) == ANSWERS
    assert len(found.views) == len(causes)
    name = f"ms CPU for a consensus of {ANSWERS} answers, median of {runs}"
    return [Figure(name, statistics.median(spent[1:]) * 1e3, 50, "-", "ms")]


async def measured(folder: str, *, quick: bool) -> list[Figure]:
    with create_checkpointer(f"sqlite:///{Path(folder) / 'agents.sqlite'}") as saver:
        return [
            *await diamond(saver, runs=3 if quick else 9),
            *await fan_out(saver, rounds=3 if quick else 9),
            *agreeing(runs=5 if quick else 15),
        ]


def main() -> None:
    chosen = options(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        report(asyncio.run(measured(folder, quick=chosen.quick)), as_json=chosen.json)


if __name__ == "__main__":
    main()
