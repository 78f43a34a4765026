"""A supervisor whose agents have effects, to be killed at any moment (see `forks`).

The effect of a call is a line `effect <name>` in a log that no checkpoint knows. A call that is
in doubt is looked up there, as a person would, and answered.
"""

import asyncio
import random
from pathlib import Path
from typing import Any

from forks import say, serve
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.types import Command

from cogwork.graphs import create_react_agent, create_supervisor
from cogwork.memory import create_checkpointer
from cogwork.tools.base import tool


class Following(BaseChatModel):
    """Makes the calls of its turns, whichever process asks it, then says that it is done."""

    turns: list[list[tuple[str, dict[str, Any]]]]

    @property
    def _llm_type(self) -> str:
        return "following"

    def bind_tools(self, tools: Any, **_: Any) -> "Following":
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        turn = sum(isinstance(each, AIMessage) for each in messages)
        wanted = self.turns[turn] if turn < len(self.turns) else []
        calls = [
            ToolCall(name=name, args=args, id=f"{turn}-{place}")
            for place, (name, args) in enumerate(wanted)
        ]
        said = AIMessage("" if calls else "done", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=said)])


def build(job: dict[str, Any]) -> Any:
    async def act(name: str) -> str:
        await asyncio.sleep(random.uniform(0.0, 0.01))
        say(job["log"], "effect", name)
        await asyncio.sleep(random.uniform(0.0, 0.01))
        return name

    @tool(effect="external", network=False, untrusted=False)
    async def send(name: str) -> str:
        """Send."""
        return await act(name)

    def agent(name: str) -> Any:
        turns = [[("send", {"name": f"{name}{turn}"})] for turn in range(2)]
        return create_react_agent(Following(turns=turns), [send], name=name)

    asks = [[("ask_ada", {"task": "x"}), ("ask_bob", {"task": "y"})], [("transfer_to_cy", {})]]
    return create_supervisor(
        [agent("ada"), agent("bob"), agent("cy")],
        Following(turns=asks),
        mode="both",
        checkpointer=create_checkpointer(job["url"]),
    )


def run(job: dict[str, Any]) -> None:
    random.seed()
    graph = build(job)
    config: Any = {"configurable": {"thread_id": "1"}}
    given: Any = None if graph.get_state(config).created_at else {"messages": "go"}
    while True:
        if job["how"] == "sync":
            graph.invoke(given, config, durability="sync")
        else:
            asyncio.run(graph.ainvoke(given, config, durability="sync"))
        asked = graph.get_state(config).interrupts
        if not asked:
            break
        given = Command(resume={each.id: answer(each.value, job["log"]) for each in asked})
    done = graph.get_state(config).values
    assert (done["active_agent"], done["stop_reason"]) == ("cy", "answered")


def answer(question: dict[str, Any], log: str) -> dict[str, Any]:
    name = question["action_requests"][0]["args"]["name"]
    happened = f"effect {name}" in Path(log).read_text().splitlines()
    decided = {"type": "respond", "message": name} if happened else {"type": "approve"}
    return {**decided, "digest": question["digest"]}


if __name__ == "__main__":
    serve(run)
