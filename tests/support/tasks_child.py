"""A runner that works until nothing is left, to be killed at any moment (see `forks`).

Of tasks whose number ends in 3 the graph fails; each node that begins is noted in a log.
"""

import asyncio
import os
import random
import time
from typing import Any

from forks import say, serve
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from cogwork.runtime.tasks import Runner

NODES = 3


class State(TypedDict, total=False):
    number: int
    log: str
    sum: int


def graph() -> Any:
    def node(place: int) -> Any:
        async def work(state: State) -> State:
            say(state["log"], str(state["number"]), str(place))
            await asyncio.sleep(random.uniform(0, 0.004))
            if place == NODES - 1 and state["number"] % 10 == 3:
                raise ValueError("as it was to be")
            return {"sum": state.get("sum", 0) + state["number"]}

        return work

    builder = StateGraph(State)
    builder.add_sequence([(f"n{place}", node(place)) for place in range(NODES)])
    builder.add_edge(START, "n0")
    return builder.compile()


def run(job: dict[str, Any]) -> None:
    random.seed(os.getpid())
    with Runner(job["url"], {"work": graph}, max_concurrency=8) as runner:
        while runner.counts().keys() & {"pending", "running"}:
            time.sleep(0.01)


if __name__ == "__main__":
    serve(run)
