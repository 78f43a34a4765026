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
from langgraph.types import Command

from cogwork.core.budget import NO_LIMITS, Budget
from cogwork.core.budget_runs import spent_by, with_budget
from cogwork.core.errors import ConfigurationError
from cogwork.nodes.plan import Plan
from cogwork.nodes.research.report import Report
from cogwork.nodes.trace import trace
from cogwork.runtime.answers import answer_to
from cogwork.runtime.console import Narrator

__all__ = ["new_thread", "run", "run_as_json"]

Graph = CompiledStateGraph[Any, Any, Any, Any]

_TALKING = frozenset({"think", "synthesize"})  # nodes whose words are an answer's


def new_thread() -> str:
    """A short name for a new thread."""
    return uuid.uuid4().hex[:8]


async def run(
    graph: Graph,
    question: str | None,
    thread: str,
    narrator: Narrator,
    answer: str | None = None,
    *,
    budget: Budget = NO_LIMITS,
) -> list[Any]:
    """Run or resume `thread`, telling each thought, action and observation as it happens.

    `answer` is a person's, to what the thread waits with (see `cogwork.runtime.answers`). What
    a question has spent counts on when its thread is resumed, against the budget given then.

    Returns:
        The questions that the run now waits for a person to answer.

    Raises:
        ConfigurationError: There is no question, and nothing to resume.
        BudgetError: A call does not fit the budget; the thread can go on with a larger one.
    """
    graph, config = with_budget(graph, budget), _config(thread)
    asked = await _input(graph, question, answer, config)
    events = graph.astream(
        asked,
        config,
        stream_mode=["updates", "messages", "custom"],
        subgraphs=True,
        durability="sync",
    )
    async for place, mode, event in cast("AsyncIterator[tuple[Any, str, Any]]", events):
        if mode == "custom":
            if isinstance(event, Mapping) and event.get("type") == "step":
                narrator.step(event)
        elif not place:  # what graphs inside this one say is their own
            _tell(narrator, mode, event)
    snapshot = await graph.aget_state(config)
    questions = [interrupt.value for interrupt in snapshot.interrupts]
    narrator.end(snapshot.values, questions)
    return questions


async def run_as_json(
    graph: Graph,
    question: str | None,
    thread: str,
    answer: str | None = None,
    *,
    budget: Budget = NO_LIMITS,
) -> tuple[str, list[Any]]:
    """Run or resume `thread` and return its result as one JSON object, and open questions.

    Keys: thread, answer (null while the run waits for a person), stop_reason, interrupts,
    steps (the trace of this question), tokens and cost (of all models that were called for
    it); plan and results where there is a plan; report where there is one of research. Raises as
    `run` does.
    """
    graph, config = with_budget(graph, budget), _config(thread)
    asked = await _input(graph, question, answer, config)
    state = await graph.ainvoke(asked, config, durability="sync")
    questions = [interrupt.value for interrupt in state.get("__interrupt__", ())]
    steps = trace(state)
    steps = [step for step in steps if step.turn == steps[-1].turn]
    spent = await spent_by(graph, config)
    result = {
        "thread": thread,
        "answer": None if questions else state["messages"][-1].text,
        "stop_reason": state.get("stop_reason"),
        "interrupts": questions,
        "steps": [asdict(step) for step in steps if step.tool],
        "tokens": spent.tokens,
        "cost": round(spent.cost, 6),
    }
    if "plan" in state:
        result["plan"] = state["plan"].model_dump()
        result["results"] = {key: one.model_dump() for key, one in state["results"].items()}
    if isinstance(state.get("report"), Report):
        result["report"] = state["report"].model_dump()
    return json.dumps(result, ensure_ascii=False, default=str), questions


def _tell(narrator: Narrator, mode: str, event: Any) -> None:
    if mode == "messages":
        chunk, metadata = event
        if isinstance(chunk, AIMessageChunk) and metadata["langgraph_node"] in _TALKING:
            narrator.words(chunk.text)
        return
    for plan in _plans(event):
        narrator.plan(plan)
    for message in _messages(event):
        narrator.message(message)


def _config(thread: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread}}


async def _input(
    graph: Graph, question: str | None, answer: str | None, config: RunnableConfig
) -> dict[str, Any] | Command[Any] | None:
    """A new question, a person's answer, or `None` to go on where the thread stopped."""
    if question is not None:
        return {"messages": [{"role": "user", "content": question}]}
    snapshot = await graph.aget_state(config)
    thread = config["configurable"]["thread_id"]
    if not snapshot.created_at:
        raise ConfigurationError(f"there is no thread '{thread}' to go on with; ask a question")
    # Tasks that have finished but are not yet in a checkpoint stand here, and not in `next`.
    if not snapshot.tasks:
        raise ConfigurationError(f"thread '{thread}' is finished; ask it another question")
    if answer is None:
        return None
    if not snapshot.interrupts:
        raise ConfigurationError(f"thread '{thread}' asks nothing; leave --resume out to go on")
    return answer_to(answer, snapshot.interrupts)


def _plans(update: Mapping[str, Any]) -> Iterator[Plan]:
    for written in update.values():
        if isinstance(written, Mapping) and isinstance(written.get("plan"), Plan):
            yield written["plan"]


def _messages(update: Mapping[str, Any]) -> Iterator[AnyMessage]:
    for written in update.values():
        if isinstance(written, Mapping):
            yield from written.get("messages", [])
