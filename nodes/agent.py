"""An agent of a supervisor at work: on a task that it was given, or in the conversation."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.errors import GraphBubbleUp, ParentCommand

from cogwork.core.bridge import Node, call, node
from cogwork.core.errors import BudgetError, redact
from cogwork.core.registry import nearest
from cogwork.nodes.handoff import ACTIVE, SUPERVISOR, Visit, conversation, handoff_in, result_of
from cogwork.nodes.trial import answer_of
from cogwork.tools.calling import reason_of
from cogwork.tools.taint import label_of, merge_taint, reading, taint_in

__all__ = ["make_agent"]

_WANTS = "{} did not do the task, but wants '{}' to have it; ask that agent, or answer"


def make_agent(
    name: str, agent: Runnable[Any, Any], agents: Collection[str], *, max_handoffs: int = 5
) -> Node:
    """Make the node in which an agent does a task, or has the conversation.

    Sent a call, it gives the agent the call's task and nothing else, and the last answer is
    the observation. Else the agent sees what was asked and answered, and its last answer goes
    to the user; or it hands over. Its own history stays in its own namespace. A failure is an
    observation of the supervisor in both cases.

    Args:
        name: The agent's.
        agent: Any graph that takes `messages`.
        agents: Names of all, to whom it may hand over.
        max_handoffs: After so many agents in one question the supervisor goes on.
    """

    @node
    async def work(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Do the task of a call, or answer the conversation.

        Reads: the call it is sent, messages, path, taint
        Writes: messages, active_agent, path, stop_reason, taint
        """
        has_conversation = "messages" in state
        before = taint_in(config)
        with reading(before) as found:
            if has_conversation:
                update = await _conversed(name, agent, state, config)
            else:
                update = {"messages": [await _delegated(name, agent, state, config)]}
        label = label_of(merge_taint(before if has_conversation else (), found))
        for message in update.get("messages", ()):
            message.response_metadata = {**message.response_metadata, **label}
        if has_conversation and update["active_agent"] not in (name, None):
            update |= _handed_over(name, update, agents, max_handoffs)
        return {**update, **({"taint": sorted(found)} if found else {})}

    return work


async def _delegated(
    name: str, agent: Runnable[Any, Any], made: Mapping[str, Any], config: RunnableConfig
) -> ToolMessage:
    """The answer to a task, or why there is none, as the result of its call."""
    task = made["args"].get("task") if isinstance(made["args"], Mapping) else None
    if not isinstance(task, str) or not task.strip():
        return result_of(made, f"give the task as a text; got {made['args']!r:.200}", is_error=True)
    try:
        output = await call(agent, {"messages": [HumanMessage(task)]}, config)
    except ParentCommand as moved:  # a handoff of another package's; the call would stay open
        return result_of(made, _WANTS.format(name, moved.args[0].goto), is_error=True)
    except (GraphBubbleUp, BudgetError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever an agent raises, the supervisor sees it
        return result_of(made, reason_of(error, name), is_error=True)
    messages = _messages(output)
    target = handoff_in(messages)
    if target is not None and isinstance(messages[-1], ToolMessage):
        return result_of(made, _WANTS.format(name, target), is_error=True)
    answer = answer_of(output)
    if not answer.strip():
        return result_of(made, f"{name} gave no answer", is_error=True)
    return result_of(made, answer)


async def _conversed(
    name: str, agent: Runnable[Any, Any], state: Mapping[str, Any], config: RunnableConfig
) -> dict[str, Any]:
    """What an agent made of the conversation."""
    path = list(state.get("path") or ())
    given = {"messages": conversation(state["messages"])}
    try:
        output = await call(agent, given, config)
    except (GraphBubbleUp, BudgetError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever an agent raises, the supervisor sees it
        return _failed(name, path, redact(reason_of(error, name)))
    target = handoff_in(_messages(output))
    if target is not None:
        visit = Visit(agent=name, outcome="handed over", detail=target)
        return {"active_agent": target, "path": [*path, visit]}
    answer = answer_of(output)
    if not answer.strip():
        return _failed(name, path, "it gave no answer")
    return {
        "messages": [AIMessage(answer, name=name, response_metadata={ACTIVE: name})],
        "active_agent": name,
        "path": [*path, Visit(agent=name, outcome="answered")],
        "stop_reason": "answered",
    }


def _handed_over(
    name: str, update: Mapping[str, Any], agents: Collection[str], max_handoffs: int
) -> dict[str, Any]:
    """Where a handoff leads: to the agent it names, or back to the supervisor."""
    target, path = update["active_agent"], update["path"]
    if target == SUPERVISOR or len(path) >= max_handoffs:
        return {"active_agent": None}
    if target not in agents:
        why = f"it handed over to '{target}', whom nobody knows; {nearest(target, [*agents])}"
        return _failed(name, path[:-1], why)
    return {}


def _failed(name: str, path: Sequence[Visit], why: str) -> dict[str, Any]:
    visit = Visit(agent=name, outcome="failed", detail=why)
    return {"active_agent": None, "path": [*path, visit]}


def _messages(output: Any) -> Sequence[Any]:
    """The messages of an agent's output; none of what has no such form."""
    found = output.get("messages") if isinstance(output, Mapping) else None
    return (
        [each for each in found if isinstance(each, BaseMessage)]
        if isinstance(found, list | tuple)
        else []
    )
