"""The answer to a question from what the steps of a plan gave."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig

from cogwork.core.bridge import Node, node
from cogwork.core.models import ChatModel, ask_model
from cogwork.nodes.history import bound_history
from cogwork.nodes.plan import Plan, StepResult
from cogwork.nodes.thought import Prompt, with_prompt
from cogwork.nodes.transcript import transcript
from cogwork.tools.taint import labelled

__all__ = ["answer_now", "make_synthesize"]

_NOW = (
    "No tool can be called any more. Answer the question now, only from what was found above; "
    "say what is missing, if anything."
)


def make_synthesize(
    model: ChatModel, *, prompt: Prompt | None = None, max_history_tokens: int = 100_000
) -> Node:
    """Make the node that answers from the results of a plan.

    The model is shown each step as a tool call with its result, a form that every model
    knows, and the failed ones with why they failed.

    Args:
        model: Any LangChain chat model.
        prompt: A system prompt, or a function from the state to the messages to send.
        max_history_tokens: How much history the model is shown, in estimated tokens.

    Raises:
        ModelError: From the node: the model cannot be reached.
    """

    @node
    async def synthesize(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Answer from what the steps gave.

        Reads: messages, plan, results, taint
        Writes: messages, stop_reason, earlier
        """
        plan, results = state["plan"], state.get("results") or {}
        done = _done_by_agent(plan, results)
        if done is not None:
            said = labelled(AIMessage(done), state)
            return {"messages": [said], "stop_reason": "answered", "earlier": []}
        shown = [*state["messages"], *transcript([plan[key] for key in plan.order], results)]
        history = bound_history(shown, max_history_tokens)
        told, is_answer = await answer_now(model, with_prompt(prompt, state, history), config)
        lost = any(one.status in ("failed", "blocked") for one in results.values())
        return {
            "messages": [labelled(told, state)],
            "stop_reason": "answered" if is_answer and not lost else "incomplete",
            "earlier": [],
        }

    return synthesize


async def answer_now(
    model: ChatModel, shown: Sequence[AnyMessage], config: RunnableConfig
) -> tuple[AIMessage, bool]:
    """Return what a model answers from what was found, and whether it is an answer.

    A model that says nothing, calls a tool or refuses is asked once more; then the message
    says that there is no answer, and why.

    Args:
        model: Any LangChain chat model.
        shown: The question, and what was found.
        config: Of the node.

    Raises:
        ModelError: The model cannot be reached.
    """
    for _ in range(2):
        answer = await ask_model(model, [*shown, HumanMessage(_NOW)], config)
        if answer.text.strip():
            return AIMessage(answer.text, usage_metadata=answer.usage_metadata), True
    why = answer.additional_kwargs.get("refusal") or "the model answered with an empty message"
    return AIMessage(f"There is no answer: {why}", usage_metadata=answer.usage_metadata), False


def _done_by_agent(plan: Plan, results: Mapping[str, StepResult]) -> str | None:
    """The answer of a plan that is nothing but the question, given to an agent."""
    only = plan.steps[0] if len(plan.steps) == 1 else None
    if only is None or only.tool is not None or only.id not in results:
        return None
    found = results[only.id].result
    return found if isinstance(found, str) else None
