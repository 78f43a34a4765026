"""Small graphs for tasks."""

import asyncio
import threading
from typing import Any

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    x: int
    said: Any


def graph_of(*nodes: Any) -> Any:
    builder = StateGraph(State)
    builder.add_sequence([(f"n{place}", node) for place, node in enumerate(nodes)])
    builder.add_edge(START, "n0")
    return builder.compile()


async def add(state: State) -> State:
    return {"x": state["x"] + 1}


async def fail(state: State) -> State:
    raise ValueError("as it was to be")


class Gate:
    """A node that waits until it is opened, and counts who came."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.came = threading.Semaphore(0)
        self.seen: list[Any] = []
        self.inside = self.most = 0

    async def __call__(self, state: State) -> State:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.seen.append(state.get("x"))
        self.came.release()
        try:
            while not self.open.is_set():
                await asyncio.sleep(0.002)
        finally:
            self.inside -= 1
        return {"said": "through"}
