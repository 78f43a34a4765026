"""Agents whose tools have effects, to be killed at any moment (see `forks`).

The effect of a call is a line `effect <name>` in a log that no checkpoint knows. A call that is
in doubt is looked up there, as a person would, and answered: `doubt <name>`.
"""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

from forks import say, serve
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.types import Command

from cogwork.core.bridge import run_blocking
from cogwork.graphs.react import create_react_agent
from cogwork.memory import create_checkpointer
from cogwork.tools.base import tool

SHAPES = {
    "chain": [["s0"], ["s1"], ["r2"], ["s3"], ["s4"]],
    "fan": [["s0", "s1", "r2", "s3", "s4"]],
    "loop": [["s0", "s1"], ["r2", "s3"], ["s4", "s5"]],
}
"""Calls by turn; what begins with `s` has an effect, what begins with `r` only reads."""


class Following(BaseChatModel):
    """Makes the calls of a shape, turn by turn, whichever process asks it."""

    turns: list[list[str]]

    @property
    def _llm_type(self) -> str:
        return "following"

    def bind_tools(self, tools: Any, **_: Any) -> "Following":
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        turn = sum(isinstance(each, AIMessage) for each in messages)
        names = self.turns[turn] if turn < len(self.turns) else []
        calls = [
            ToolCall(name="send" if name[0] == "s" else "look", args={"name": name}, id=name)
            for name in names
        ]
        said = AIMessage("" if calls else "done", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=said)])


def build(job: dict[str, Any]) -> Any:
    async def act(name: str) -> str:
        await asyncio.sleep(random.uniform(0.0, 0.01))
        if name[0] == "s":
            say(job["log"], "effect", name)
        await asyncio.sleep(random.uniform(0.0, 0.01))
        return f"did {name}"

    def act_sync(name: str) -> str:
        return run_blocking(act, name)

    @tool(effect="external")
    async def send(name: str) -> str:
        """Send."""
        return await act(name)

    @tool(effect="write")
    def send_sync(name: str) -> str:
        """Send."""
        return act_sync(name)

    @tool(effect="read")
    async def look(name: str) -> str:
        """Look."""
        return await act(name)

    sending = send if job["how"] == "async" else send_sync.model_copy(update={"name": "send"})
    return create_react_agent(
        Following(turns=SHAPES[job["shape"]]),
        [sending, look],
        checkpointer=create_checkpointer(job["url"]),
    )


def run(job: dict[str, Any]) -> None:
    graph = build(job)
    config: Any = {"configurable": {"thread_id": job["thread"]}}
    random.seed()
    is_begun = bool(graph.get_state(config).created_at)
    given: Any = None if is_begun else {"messages": "go"}
    while True:
        options = {"durability": job["durability"]}
        if job["how"] == "async":
            asyncio.run(graph.ainvoke(given, config, **options))
        else:
            graph.invoke(given, config, **options)
        asked = graph.get_state(config).interrupts
        if not asked:
            break
        given = Command(resume={each.id: answer(job, each.value) for each in asked})
    messages = graph.get_state(config).values["messages"]
    results = {each.tool_call_id: each.text for each in messages if each.type == "tool"}
    names = [name for turn in SHAPES[job["shape"]] for name in turn]
    right = results == {name: f"did {name}" for name in names}
    say(job["log"], "result", json.dumps({"right": right, "results": results}))


def answer(job: dict[str, Any], question: Any) -> dict[str, Any]:
    """What a person says who looks whether it has happened."""
    (request,) = question["action_requests"]
    name = request["args"]["name"]
    say(job["log"], "doubt", name)
    if f"effect {name}" in Path(job["log"]).read_text().splitlines():
        return {"decisions": [{"type": "respond", "message": f"did {name}"}]}
    return {"decisions": [{"type": "approve"}]}


if __name__ == "__main__":
    serve(run)
