"""The answer of an assistant: any architecture is asked, told what was recalled."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import Runnable, RunnableConfig

from cogwork.core.bridge import Node, call, node
from cogwork.core.errors import AgentError
from cogwork.nodes.recall import recalled_prompt
from cogwork.nodes.trial import answer_of
from cogwork.tools.taint import reading, taint_of

__all__ = ["ToAgent", "make_answer"]

ToAgent: TypeAlias = Callable[[Any], Any]
"""From the state to the input of the agent."""


def make_answer(agent: Runnable[Any, Any], *, to_input: ToAgent | None = None) -> Node:
    """Make the node that lets an agent answer the conversation so far.

    What was recalled is shown to the agent before the conversation and does not become part
    of it. What the agent adds to the messages does, so that the next question can refer to
    it; of an agent that gives no messages it is the answer alone.

    Args:
        agent: Any graph that takes `messages`, or another runnable together with `to_input`.
        to_input: From the state to the agent's input.

    Raises:
        AgentError: From the node: the agent said nothing.
    """
    told = recalled_prompt()

    @node
    async def answer(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Let the agent answer.

        Reads: messages, recalled, taint
        Writes: messages, taint
        """
        given = to_input(state) if to_input else {"messages": list(told(state))}
        with reading(taint_of(state)) as found:
            output = await call(agent, given, config)
        new = _new(output, state["messages"])
        if not new:
            raise AgentError("the agent gave no answer: it added no message to the conversation")
        return {"messages": new, **({"taint": sorted(found)} if found else {})}

    return answer


def _new(output: Any, before: Sequence[AnyMessage]) -> list[AnyMessage]:
    """The messages that an agent added; what it was given is not said again."""
    if not isinstance(output, Mapping) or not output.get("messages"):
        return [AIMessage(answer_of(output))]
    known = {message.id for message in before}
    return [
        message
        for message in output["messages"]
        if message.id not in known and message.type != "system"
    ]
