"""One run of a graph from the command line: stream what happens, then the result.

Runs are async so that Ctrl-C ends a stalled call at once: a synchronous run with streaming
would wait for the thread that makes it.
"""

import json
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict
from typing import Any, cast

from langchain_core.messages import AIMessageChunk, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph

from cogwork.core.errors import ConfigurationError
from cogwork.nodes.trace import trace
from cogwork.runtime.console import Narrator

__all__ = ["new_thread", "run", "run_as_json"]

Graph = CompiledStateGraph[Any, Any, Any, Any]


def new_thread() -> str:
    """A short name for a new thread."""
    return uuid.uuid4().hex[:8]


async def run(graph: Graph, question: str | None, thread: str, narrator: Narrator) -> None:
    """Run or resume `thread`, telling each thought, action and observation as it happens.

    Raises:
        ConfigurationError: There is no question, and nothing to resume.
    """
    config = _config(thread)
    asked = await _input(graph, question, config)
    events = graph.astream(asked, config, stream_mode=["updates", "messages"])
    async for mode, event in cast("AsyncIterator[tuple[str, Any]]", events):
        if mode == "messages":
            chunk, metadata = event
            if isinstance(chunk, AIMessageChunk) and metadata["langgraph_node"] == "think":
                narrator.words(chunk.text)
        else:
            for message in _messages(event):
                narrator.message(message)
    narrator.end((await graph.aget_state(config)).values)


async def run_as_json(graph: Graph, question: str | None, thread: str) -> str:
    """Run or resume `thread` and return its result as one JSON object.

    Keys: thread, answer, stop_reason, steps (the trace of this question), tokens.
    """
    config = _config(thread)
    state = await graph.ainvoke(await _input(graph, question, config), config)
    steps = trace(state)
    steps = [step for step in steps if step.turn == steps[-1].turn]
    return json.dumps(
        {
            "thread": thread,
            "answer": state["messages"][-1].text,
            "stop_reason": state.get("stop_reason"),
            "steps": [asdict(step) for step in steps if step.tool],
            "tokens": sum(step.tokens for step in steps),
        },
        ensure_ascii=False,
        default=str,
    )


def _config(thread: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread}}


async def _input(
    graph: Graph, question: str | None, config: RunnableConfig
) -> dict[str, Any] | None:
    """A new question, or `None` to go on where the thread stopped."""
    if question is not None:
        return {"messages": [{"role": "user", "content": question}]}
    snapshot = await graph.aget_state(config)
    thread = config["configurable"]["thread_id"]
    if not snapshot.created_at:
        raise ConfigurationError(f"there is no thread '{thread}' to go on with; ask a question")
    if not snapshot.next:
        raise ConfigurationError(f"thread '{thread}' is finished; ask it another question")
    return None


def _messages(update: Mapping[str, Any]) -> Iterator[AnyMessage]:
    for written in update.values():
        if isinstance(written, Mapping):
            yield from written.get("messages", [])
