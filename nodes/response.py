"""The answer once more, in the form that a program asked for."""

from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig

from cogwork.core.bridge import Node, node
from cogwork.core.models import ChatModel
from cogwork.core.structured import Schema, structured_output
from cogwork.nodes.history import bound_history
from cogwork.nodes.thought import Prompt, with_prompt

__all__ = ["make_respond"]

_FORM = "Give your answer to the question above in the required form. Add nothing to it."


def make_respond(
    model: ChatModel,
    schema: Schema,
    *,
    prompt: Prompt | None = None,
    max_history_tokens: int = 100_000,
) -> Node:
    """Make the node that puts the answer into a schema.

    Args:
        model: Any LangChain chat model.
        schema: A pydantic model, a `TypedDict` or a JSON schema.
        prompt: A system prompt, or a function from the state to the messages to send.
        max_history_tokens: How much history the model is shown, in estimated tokens.

    Raises:
        StructuredOutputError: From the node: the model's answer does not fit, even repaired.
    """

    @node
    async def respond(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Put the answer into the schema.

        Reads: messages
        Writes: structured_response
        """
        history = bound_history(state["messages"], max_history_tokens)
        asked = [*with_prompt(prompt, state, history), HumanMessage(_FORM)]
        return {"structured_response": await structured_output(model, schema, asked, config)}

    return respond
