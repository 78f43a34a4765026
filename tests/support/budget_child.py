"""Branches that call a model under a budget, to be killed at any moment (see `forks`).

A call is `begun` and `ended` in a log that no checkpoint knows; a run says what it recovered.
"""

import asyncio
import operator
import random
import time
from contextlib import suppress
from typing import Annotated, Any

from forks import say, serve
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.graph import START, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict

from cogwork.core.budget import Budget, Ledger
from cogwork.core.budget_keeping import Keeping
from cogwork.core.budget_runs import with_budget
from cogwork.core.errors import BudgetError
from cogwork.memory import create_checkpointer

BRANCHES, LIMIT = 40, 25


class State(TypedDict):
    out: Annotated[list[int], operator.add]


class Logged(BaseChatModel):
    """Says in a log when it is called, and when it has answered."""

    log: str

    @property
    def _llm_type(self) -> str:
        return "logged"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        say(self.log, "begun")
        time.sleep(random.uniform(0.0, 0.02))
        say(self.log, "ended")
        return ChatResult(generations=[ChatGeneration(message=AIMessage("yes"))])

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        say(self.log, "begun")
        await asyncio.sleep(random.uniform(0.0, 0.02))
        say(self.log, "ended")
        return ChatResult(generations=[ChatGeneration(message=AIMessage("yes"))])


def build(job: dict[str, Any], saver: Any) -> Any:
    model = Logged(log=job["log"])

    def branch(state: State) -> dict[str, Any]:
        with suppress(BudgetError):
            model.invoke("?")
            return {"out": [1]}
        return {"out": []}

    async def abranch(state: State) -> dict[str, Any]:
        with suppress(BudgetError):
            await model.ainvoke("?")
            return {"out": [1]}
        return {"out": []}

    builder = StateGraph(State)
    builder.add_node("branch", branch if job["how"] == "sync" else abranch)
    builder.add_conditional_edges(START, lambda _: [Send("branch", {"out": []})] * BRANCHES)
    return with_budget(builder.compile(checkpointer=saver), Budget(max_model_calls=LIMIT))


def run(job: dict[str, Any]) -> None:
    random.seed()
    config = {"configurable": {"thread_id": job["thread"]}, "max_concurrency": 6}
    with create_checkpointer(job["url"]) as saver:
        graph = build(job, saver)
        ledger = Ledger(Budget())
        Keeping.of(graph, config, ledger).start(resumed=True)
        say(job["log"], "recovered", str(ledger.spent.model_calls))
        given = None if graph.get_state(config).created_at else {"out": []}
        if job["how"] == "sync":
            graph.invoke(given, config)
        else:
            asyncio.run(graph.ainvoke(given, config))
    say(job["log"], "done")


if __name__ == "__main__":
    serve(run)
