"""Handoffs: the tools by which a model delegates, hands over and forwards, and how they are read."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import BaseModel, ConfigDict

from cogwork.core.errors import ConfigurationError, redact
from cogwork.nodes.history import is_question
from cogwork.tools.base import tool

__all__ = [
    "ACTIVE",
    "SUPERVISOR",
    "Visit",
    "active_in",
    "check_agents",
    "conversation",
    "create_delegation_tool",
    "create_forward_tool",
    "create_handoff_tool",
    "handoff_in",
    "last_answer",
    "result_of",
    "since_question",
]

SUPERVISOR: Final = "supervisor"
"""Whom agents hand back to."""

ACTIVE: Final = "active_agent"
"""Names, in an answer's `response_metadata`, the agent that has the conversation."""

_HANDOFF: Final = "handoff"  # the key of the artifact of a handoff's result
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


class Visit(BaseModel):
    """An agent had the conversation for a while.

    Attributes:
        agent: Which.
        outcome: `answered`, `handed over` or `failed`.
        detail: To whom it handed over, or why it failed.
    """

    model_config = ConfigDict(frozen=True)

    agent: str
    outcome: str
    detail: str = ""


def create_handoff_tool(
    agent_name: str, *, name: str | None = None, description: str | None = None
) -> BaseTool:
    """Return a tool by which an agent hands the conversation over to another.

    Give it to agents of a supervisor; the supervisor has its own. It works in any agent that
    keeps its tools' messages in `messages`. The move is made when the agent has ended, so
    that what else it called in the same turn is done, and no call stays without a result.

    Args:
        agent_name: To whom; `supervisor` for the supervisor.
        name: Of the tool; `transfer_to_<agent_name>` unless given.
        description: When to use it.

    Raises:
        ConfigurationError: The name cannot be one of an agent.
    """
    _check_name(agent_name)

    @tool(
        name or f"transfer_to_{agent_name}",
        effect="read",
        network=False,
        retry=None,
        return_direct=True,
        response_format="content_and_artifact",
        description=description or f"Hand the conversation over to '{agent_name}'.",
    )
    def hand_over() -> tuple[str, dict[str, str]]:
        return f"'{agent_name}' is asked to take over.", {_HANDOFF: agent_name}

    return hand_over


def create_delegation_tool(agent_name: str, *, description: str | None = None) -> BaseTool:
    """Return the tool by which a supervisor gives an agent a task; its node does it.

    Args:
        agent_name: To whom.
        description: What the agent can do.

    Raises:
        ConfigurationError: The name cannot be one of an agent.
    """
    _check_name(agent_name)
    about = description or f"Give a task to the agent '{agent_name}'."

    @tool(
        f"ask_{agent_name}",
        effect="read",
        network=False,
        retry=None,
        description=f"{about} It knows nothing but the task: say all that it needs to know.",
    )
    def delegate(task: str) -> str:
        raise ConfigurationError(
            f"'ask_{agent_name}' is done by the node of '{agent_name}' in a supervisor's graph, "
            f"which was asked: {task:.80}"
        )

    return delegate


def create_forward_tool() -> BaseTool:
    """Return the tool by which a supervisor forwards an agent's answer unchanged."""

    @tool(
        "forward",
        effect="read",
        network=False,
        retry=None,
        description="Give the last answer of an agent to the user, word for word, and end. Use it "
        "where that answer is all that was asked for.",
    )
    def forward(agent: str) -> str:
        raise ConfigurationError(f"'forward' is done by a supervisor's graph; it got {agent!r:.80}")

    return forward


def handoff_in(messages: Sequence[AnyMessage]) -> str | None:
    """Return to whom an agent handed over in these messages, the first time that it did."""
    for message in since_question(messages):
        if isinstance(message, ToolMessage) and isinstance(message.artifact, Mapping):
            target = message.artifact.get(_HANDOFF)
            if isinstance(target, str) and message.status == "success":
                return target
    return None


def active_in(state: Mapping[str, Any]) -> str | None:
    """Return which agent has the conversation, None for the supervisor.

    The state's `active_agent` says so. Where there is none, as in a supervisor that is a
    subgraph, the last answer does.
    """
    if ACTIVE in state:
        named = state[ACTIVE]
    else:
        answers = (one for one in reversed(state["messages"]) if isinstance(one, AIMessage))
        last = next(answers, None)
        named = last.response_metadata.get(ACTIVE) if last else None
    return named if isinstance(named, str) else None


def conversation(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """Return what was asked and answered, without how: no calls, and nothing of their results."""
    return [
        one
        for one in messages
        if is_question(one)
        or (isinstance(one, AIMessage) and not (one.tool_calls or one.invalid_tool_calls))
    ]


def since_question(messages: Sequence[AnyMessage]) -> Sequence[AnyMessage]:
    """Return what came after the last question."""
    places = (n for n in range(len(messages) - 1, -1, -1) if is_question(messages[n]))
    return messages[next(places, -1) + 1 :]


def check_agents(
    agents: Sequence[Runnable[Any, Any]] | Mapping[str, Runnable[Any, Any]], taken: Sequence[str]
) -> dict[str, Runnable[Any, Any]]:
    """Return the agents by name.

    Raises:
        ConfigurationError: There is none, or one has no name, one that cannot be one, or one
            that is taken.
    """
    if isinstance(agents, Mapping):
        named = list(agents.items())
    else:
        named = [(str(getattr(each, "name", None) or ""), each) for each in agents]
    if not named:
        raise ConfigurationError("there are no agents; give at least one")
    found: dict[str, Runnable[Any, Any]] = {}
    for name, agent in named:
        _check_name(name)
        if name in taken or name in found or name == "LangGraph":
            why = "is LangGraph's default" if name == "LangGraph" else "is taken"
            raise ConfigurationError(
                f"the name '{name}' {why}; compile the agent with name=…, or pass a dict of agents"
            )
        found[name] = agent
    return found


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"'{name}' cannot name an agent, for tools are called by it; take a letter and up to "
            "39 letters, digits, - or _"
        )


def last_answer(messages: Sequence[AnyMessage], agent: str) -> ToolMessage | None:
    """Return the last answer to a task that an agent was given for this question."""
    given = (
        one
        for one in reversed(since_question(messages))
        if isinstance(one, ToolMessage) and one.name == f"ask_{agent}" and one.status == "success"
    )
    return next(given, None)


def result_of(made: Mapping[str, Any], said: str, *, is_error: bool = False) -> ToolMessage:
    """Return the message that answers a call."""
    return ToolMessage(
        f"Error: {redact(said)}" if is_error else said,
        name=made["name"],
        tool_call_id=made["id"],
        status="error" if is_error else "success",
    )
