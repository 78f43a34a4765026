"""A runner to be killed: it runs the task `held`, whose node waits, and may fork a process that lives on.

Arguments: the URL, and `forks`, `spends` or `waits`. It says when the node has begun.
"""

import asyncio
import os
import sys
import time
from typing import Any

from scripted import ScriptedChatModel, calls
from task_graphs import State, graph_of

from cogwork.graphs import create_react_agent
from cogwork.runtime.tasks import Runner
from cogwork.tools import tool


def say(word: str) -> None:
    os.write(1, f"{word}\n".encode())


async def waits(state: State) -> State:
    say("begun")
    await asyncio.sleep(3600)
    return {}


async def forks(state: State) -> State:
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    say(str(child))
    await asyncio.sleep(3600)
    return {}


@tool(effect="read")
async def look() -> str:
    """Look."""
    await asyncio.sleep(0.3)  # the model's call is written down meanwhile
    say("begun")
    await asyncio.sleep(3600)
    return "seen"


def spends() -> Any:
    return create_react_agent(ScriptedChatModel(script=[calls(("look", {}))]), [look])


if __name__ == "__main__":
    url, kind = sys.argv[1:]
    graphs = {"waits": lambda: graph_of(waits), "forks": lambda: graph_of(forks), "spends": spends}
    with Runner(url, {"work": graphs[kind]}) as runner:
        runner.submit("work", {"messages": "look"} if kind == "spends" else {"x": 1}, id="held")
        time.sleep(3600)
