"""Runs of teams, to be killed at any moment (see `forks`).

A run goes on from its thread's checkpoint, or begins. What it does is appended to a log: `run
<part>` when a member begins, `seen <part>` when the team has seen it finished, and at last
`result <json>`.
"""

import asyncio
import json
import random
from typing import Any

from forks import say, serve
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from scripted import ScriptedChatModel

from cogwork.graphs.hierarchical import create_hierarchical_agent
from cogwork.graphs.negotiation import create_negotiation
from cogwork.graphs.orchestrator import create_orchestrator
from cogwork.graphs.team import create_team
from cogwork.memory import create_checkpointer
from cogwork.nodes.contracts import Contract, Contractor
from cogwork.nodes.layers import Goal

CREW = [
    Contractor(name=name, capabilities=("work",), resources={"hands": 2}) for name in ("ada", "bob")
]
GOAL = Goal(intent="Work", outcomes=("a", "b", "c"))


def parts(seed: int) -> list[Contract]:
    """Six parts that depend on each other at random."""
    chance = random.Random(seed)
    return [
        Contract(
            id=f"p{n}",
            description=f"Do p{n}",
            capability="work",
            depends_on=tuple(f"p{k}" for k in range(n) if chance.random() < 0.3),
            resources={"hands": 1},
        )
        for n in range(6)
    ]


def member(log: str, *, fails: bool) -> Any:
    async def work(state: MessagesState) -> dict[str, Any]:
        name = state["messages"][-1].text.removeprefix("Do ")
        say(log, "run", name)
        await asyncio.sleep(random.uniform(0.0005, 0.004))
        if fails and name == "p3":
            raise ValueError("not this one")
        return {"messages": [AIMessage(f"did {name}")]}

    builder = StateGraph(MessagesState)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    return builder.compile()


def build(job: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    needs = parts(job["seed"])
    steps = [
        each.model_dump(include={"id", "description", "capability", "depends_on"}) for each in needs
    ]

    def answer(messages: Any) -> AIMessage:
        asks = "You divide a goal" in str(messages[0].text)
        return AIMessage(json.dumps({"steps": steps}) if asks else "done")

    options: dict[str, Any] = {
        "members": {each.name: member(job["log"], fails=each.name == "ada") for each in CREW},
        "checkpointer": create_checkpointer(job["url"]),
    }
    model = ScriptedChatModel(script=[answer], forever=True)
    if job["graph"] == "hierarchical":
        return create_hierarchical_agent(model, roles=CREW, **options), {"given_goal": GOAL}
    if job["graph"] == "negotiation":
        return create_negotiation(model, contractors=CREW, **options), {"requirements": needs}
    make = {"team": create_team, "orchestrator": create_orchestrator}[job["graph"]]
    plain = [each.model_dump(exclude={"capabilities", "resources", "joint"}) for each in needs]
    return make(model, roles=CREW, **options), {"requirements": plain}


def run(job: dict[str, Any]) -> None:
    graph, given = build(job)
    config = {"configurable": {"thread_id": job["thread"]}}
    random.seed()
    asyncio.run(follow(graph, given, config, job["log"]))
    state = graph.get_state(config).values
    found = {key: one.result for key, one in state["results"].items()}
    right = found == {each.id: f"did {each.id}" for each in parts(job["seed"])}
    held = state["ledger"].held if "ledger" in state else {}
    say(job["log"], "result", json.dumps({"right": right and not any(held.values())}))


async def follow(graph: Any, given: Any, config: Any, log: str) -> None:
    if (await graph.aget_state(config)).created_at:
        given = None
    events = graph.astream(given, config, stream_mode="custom", subgraphs=True, durability="sync")
    async for _, event in events:
        if event.get("event") == "finished":
            say(log, "seen", event["step"].partition("~")[0])


if __name__ == "__main__":
    serve(run)
