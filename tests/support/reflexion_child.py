"""Runs of Reflexion with lessons, to be killed at any moment (see `forks`).

A run goes on from its thread's checkpoint, or begins. What it does is appended to a log: `try
<trial>` when a trial begins, `judge <trial>` when its judgement does.
"""

import asyncio
import random
from typing import Any

from forks import say, serve
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda

from cogwork.core.bridge import run_blocking
from cogwork.graphs import create_reflexion_agent
from cogwork.memory import ChromaStore, create_checkpointer

QUESTION = "How tall is the tower of Pisa?"
NAMESPACE = ("ada",)


class Reflecting(BaseChatModel):
    """Reflects in the same words, whichever process asks it."""

    @property
    def _llm_type(self) -> str:
        return "reflecting"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        said = (
            '{"reflections": ["No unit."], "improvements": ["Name it."], '
            '"lessons": ["Give lengths in metres."]}'
        )
        return ChatResult(generations=[ChatGeneration(message=AIMessage(said))])


def run(job: dict[str, Any]) -> None:
    random.seed()

    async def work(trial: int) -> str:
        say(job["log"], "try", str(trial))
        await asyncio.sleep(random.uniform(0.0, 0.01))
        return "55.86 metres" if trial > 1 else "55.86"

    def judge(task: str, answer: str) -> float:
        trial = 2 if "metres" in answer else 1
        say(job["log"], "judge", str(trial))
        return 1.0 if trial > 1 else 0.4

    with ChromaStore(job["store"]) as store:
        graph = create_reflexion_agent(
            Reflecting(),
            actor=RunnableLambda(lambda trial: run_blocking(work, trial), afunc=work),
            to_input=lambda state: len(state["trials"]) + 1,
            evaluator=judge,
            checkpointer=create_checkpointer(job["url"]),
            store=store,
            lessons=NAMESPACE,
        )
        config: Any = {"configurable": {"thread_id": "1"}}
        given = None if graph.get_state(config).created_at else {"messages": QUESTION}
        if job["how"] == "sync":
            graph.invoke(given, config, durability="sync")
        else:
            asyncio.run(graph.ainvoke(given, config, durability="sync"))
        assert graph.get_state(config).values["stop_reason"] == "answered"


if __name__ == "__main__":
    serve(run)
