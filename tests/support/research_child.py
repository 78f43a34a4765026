"""A research run that dies when one source has answered and another is at work (see its test).

    python research_child.py <folder>

Each search is appended to `log`. The source `fatal` kills the process the first time, once
what `steady` gave stands in the checkpoint.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from cogwork.graphs.research import ResearchState, create_research_agent
from cogwork.memory import create_checkpointer, with_state_types
from cogwork.tools.search import Hit

FOLDER = Path(sys.argv[1])
URL = f"sqlite:///{FOLDER}/threads.db"
RUN = {"configurable": {"thread_id": "1"}}


def note(line: str) -> None:
    with (FOLDER / "log").open("a") as log:
        log.write(f"{line}\n")


async def steady(query: str, k: int) -> list[Hit]:
    note(f"steady {query}")
    return [Hit("Pumps", "pumps.md#L1", "The pump delivers 40 litres a minute.", 0.9, "x")][:k]


async def fatal(query: str, k: int) -> list[Hit]:
    note(f"fatal {query}")
    if not (FOLDER / "died").exists():
        with create_checkpointer(URL) as saver:
            while "searches" not in written(with_state_types(saver, ResearchState)):
                await asyncio.sleep(0.01)
        (FOLDER / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return [Hit("Pump test", "test.md#L1", "The pump delivers 40 litres a minute.", 0.8, "y")][:k]


def written(saver) -> set[str]:
    """The channels that tasks of the unfinished super-step have written to."""
    held = saver.get_tuple(RUN)
    return {channel for _, channel, _ in held.pending_writes or ()}


def main() -> None:
    with create_checkpointer(URL) as saver:
        agent = create_research_agent(
            "offline", sources=[steady, fatal], depth="quick", checkpointer=saver
        )
        begun = bool(agent.get_state(RUN).created_at)
        ask = None if begun else {"messages": "How much does the pump deliver?"}
        done = asyncio.run(agent.ainvoke(ask, RUN, durability="sync"))
        note(f"answer {done['report'].answer}")


if __name__ == "__main__":
    main()
