"""Runs of the example processes, to be killed at any moment (see `forks`).

A run goes on with its instance, or begins it, and plays every person. The process kills itself
before the checkpointer's write number `kill`, or behind it, if the job says so; what the
processes do to the world is in files of the folder. At last the trail is written to `trail.json`.
"""

import itertools
import json
import os
import signal
from pathlib import Path
from typing import Any

from cel_expr_python import cel  # noqa: F401 - else every run would begin with its import
from forks import serve
from langgraph.checkpoint.base import BaseCheckpointSaver
from processes import CONFIG, DAY, EXAMPLES, example_tools
from scripted import ScriptedChatModel

from cogwork.graphs.process import create_process
from cogwork.memory import create_checkpointer
from cogwork.nodes.process.answering import Item, due, inbox, reply

START = 1_777_000_000.0
INPUTS: dict[str, Any] = {
    "invoices": {"invoice": "2041", "by": "sue"},
    "onboarding": {"name": "Zoe", "job": "engineer", "start": "2026-05-04"},
}
PERSONS = {"clerk": "ana", "hr": "eva", "it": "kim", "candidate": "zoe", "treasury": "tom"}


def die_at(saver: BaseCheckpointSaver[Any], kill: int, where: str) -> None:
    """Let the process be killed at one of the saver's writes."""
    count = itertools.count(1)

    def counted(write: Any) -> Any:
        async def later(*args: Any, **options: Any) -> Any:
            number = next(count)
            if number == kill and where == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            done = await write(*args, **options)
            if number == kill:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return later

    for name in ("aput", "aput_writes", "anote_writes"):
        setattr(saver, name, counted(getattr(saver, name)))


def build(job: dict[str, Any], clock: Any) -> Any:
    folder, example = Path(job["folder"]), job["example"]
    tools = getattr(example_tools(example), f"{example.rstrip('s')}_tools")(folder)
    saver = create_checkpointer(f"sqlite:///{folder}/instances.db")
    if job["kill"]:
        die_at(saver, job["kill"], job["where"])
    return create_process(
        EXAMPLES / example,
        tools,
        model=ScriptedChatModel(script=["Welcome!"], forever=True),
        roles={"candidate": ["zoe"]},
        clock=clock,
        checkpointer=saver,
    )


def answer(item: Item, folder: Path) -> Any:
    """What the person says who is asked."""
    by = {"by": PERSONS[item.role]} if item.role else {}
    if item.kind == "approval":
        return {"type": "approve", **by}
    if item.kind == "event":
        return {"event": item.value["event"], **by}
    assert item.value["type"] == "in_doubt", item
    did = (folder / "systems.jsonl").read_text() if (folder / "systems.jsonl").exists() else ""
    tool = item.value["description"]
    happened = f'"did": "{tool}"' in did
    if tool == "create_account":
        happened = f'"system": "{item.step}"' in did
    return {"action": "result", "result": {}, **by} if happened else {"action": "retry", **by}


async def play(job: dict[str, Any]) -> None:
    folder = Path(job["folder"])
    days = folder / "days"
    graph = build(job, lambda: START + DAY * len(days.read_text()))
    while True:
        snapshot = await graph.aget_state(CONFIG)
        items = inbox(snapshot)
        given: Any = None
        if not snapshot.values:
            given = {"input": INPUTS[job["example"]]}
        elif snapshot.values.get("status"):
            break
        elif answered := [item for item in items if item.kind != "time"]:
            given = reply(snapshot, answered[0].step, answer(answered[0], folder))
        elif items:
            with days.open("a") as file:
                file.write("d")
            given = due(snapshot, START + DAY * len(days.read_text()))
            if given is None:
                continue
        await graph.ainvoke(given, CONFIG, durability="sync")
    trail = snapshot.values["trail"]
    told = {"status": snapshot.values["status"], "trail": trail}
    (folder / "trail.json").write_text(json.dumps(told))


def run(job: dict[str, Any]) -> None:
    import asyncio

    asyncio.run(play(job))


if __name__ == "__main__":
    serve(run)
