"""An assistant: recall what is known of the user, answer by any architecture, memorize.

```
START ─▶ recall ─▶ answer ─▶ memorize ─▶ END
```
"""

from collections.abc import Callable, Sequence
from typing import Any, NotRequired

from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Checkpointer
from typing_extensions import TypedDict

from cogwork.core.errors import ConfigurationError
from cogwork.core.messages import Messages
from cogwork.core.models import ChatModel
from cogwork.graphs.react import create_react_agent
from cogwork.memory import with_state_types
from cogwork.nodes.answer import ToAgent, make_answer
from cogwork.nodes.memorize import make_memorize
from cogwork.nodes.recall import Recalled, make_recall
from cogwork.tools.audit import AuditLog
from cogwork.tools.policy import Policy
from cogwork.tools.taint import Taint

__all__ = ["AssistantInput", "AssistantState", "create_assistant"]


class AssistantInput(TypedDict):
    """What the graph takes."""

    messages: Messages
    taint: NotRequired[Taint]


class AssistantState(AssistantInput):
    """What the graph remembers: `recalled` for the last question, `memorized` from it."""

    recalled: NotRequired[Recalled]
    memorized: NotRequired[list[str]]


def create_assistant(
    model: str | ChatModel | None = None,
    tools: Sequence[BaseTool | Callable[..., Any]] = (),
    *,
    agent: Runnable[Any, Any] | None = None,
    to_input: ToAgent | None = None,
    memorize_with: ChatModel | None = None,
    k: int = 5,
    min_similarity: float = 0.3,
    user: str | None = None,
    policy: Policy | None = None,
    audit: AuditLog | None = None,
    max_steps: int = 10,
    tool_timeout: float | None = None,
    context_schema: type[Any] | None = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    name: str | None = "assistant",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create a chat agent that knows tomorrow what it was told today.

    Whose memories a run works on is said by its config, `{"configurable": {"user_id": "ada"}}`;
    see `cogwork.nodes.memories.user_of`.

    Args:
        model: Of the ReAct agent that answers where no `agent` is given; a chat model, a name,
            or `None` for the one that the settings name.
        tools: Of that agent.
        agent: What answers: any compiled graph that takes `messages`, or another runnable
            together with `to_input`.
        to_input: From the state to the agent's input.
        memorize_with: Finds what is worth knowing in what the user says; rules do, unless given.
        k: How many recollections at most.
        min_similarity: Least cosine of what shares no word with the question.
        user: Whose memories, whoever the run is for.
        policy: Which calls of tools are made, ask a person first, or are refused; an `agent`
            that is given has its own.
        audit: Where calls of tools, and decisions about them, are noted.
        max_steps: Steps that the ReAct agent may take for one question.
        tool_timeout: Seconds for one call of a tool that declares none itself.
        context_schema: The type of the run's `context`, for tools.
        checkpointer: Makes threads durable; see `cogwork.memory.create_checkpointer`.
        store: Where memories are; the server's own unless given.
        name: Name of the graph, also as a node of another one.

    Raises:
        ConfigurationError: The model is unknown or its key missing, or a limit is impossible;
            from a run: it names no user, or there is no store.
        ModelError: From a run: the model cannot be reached.

    Examples:
        >>> from langgraph.store.memory import InMemoryStore
        >>> assistant = create_assistant("offline", store=InMemoryStore(), user="ada")
        >>> _ = assistant.invoke({"messages": "I live in Turin."})
        >>> assistant.invoke({"messages": "Where do I live?"})["recalled"][0].text
        'I live in Turin.'
    """
    if agent is not None and (tools or policy is not None):
        raise ConfigurationError("an agent that is given has tools and a policy of its own")
    answers = agent or create_react_agent(
        model,
        tools,
        max_steps=max_steps,
        tool_timeout=tool_timeout,
        policy=policy,
        audit=audit,
        context_schema=context_schema,
    )
    recall = make_recall(k=k, min_similarity=min_similarity, user=user, store=store)
    builder = StateGraph(AssistantState, context_schema, input_schema=AssistantInput)
    builder.add_node("recall", recall)
    builder.add_node("answer", make_answer(answers, to_input=to_input))
    builder.add_node("memorize", make_memorize(memorize_with, user=user, store=store))
    builder.add_edge(START, "recall")
    builder.add_edge("recall", "answer")
    builder.add_edge("answer", "memorize")
    builder.add_edge("memorize", END)
    return builder.compile(with_state_types(checkpointer, builder), store=store, name=name)
