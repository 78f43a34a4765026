"""The steps of a supervisor: who has the conversation, and what a turn of it comes to."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END
from langgraph.types import Send

from cogwork.core.bridge import Node, call, node
from cogwork.core.errors import redact
from cogwork.nodes.handoff import (
    Visit,
    active_in,
    last_answer,
    result_of,
    since_question,
)
from cogwork.nodes.history import tool_calls_of
from cogwork.nodes.observation import make_observe
from cogwork.nodes.thought import Goto, Prompt, with_prompt
from cogwork.tools.taint import label_of

__all__ = [
    "make_move",
    "make_receive",
    "route_after_agent",
    "route_after_move",
    "route_after_receive",
    "route_calls",
    "supervisor_prompt",
]

_PROMPT = (
    "You are a supervisor. Have your agents do what they can do better than you; give independent "
    "tasks in one turn, so that they are done at the same time. Then answer."
)
_TRANSFER, _FORWARD = "transfer_to_", "forward"


def make_receive(agents: Collection[str]) -> Node:
    """Make the node that gives a question to who has the conversation.

    Args:
        agents: Names of those who can have it.
    """

    @node
    def receive(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Begin a question with who had the conversation last.

        Reads: messages, active_agent
        Writes: active_agent, path, stop_reason
        """
        active = active_in(state)
        known = active if active in agents else None
        return {"active_agent": known, "path": [], "stop_reason": None}

    return receive


def make_move(
    moves: Collection[str],
    *,
    max_steps: int = 10,
    max_repeats: int = 3,
    max_handoffs: int = 5,
    add_handoff_messages: bool = True,
) -> Node:
    """Make the node that settles what the supervisor's turn asked for besides tasks and tools.

    When all of these have their results, the first handoff or forwarding of the turn is made,
    and every other is answered with why it is not: no call stays without a result.

    Args:
        moves: Names of the tools that move the conversation.
        max_steps: Steps (one thought with its calls) that one question may take.
        max_repeats: How often one question may meet the same call with the same result.
        max_handoffs: How many agents may have the conversation in one question.
        add_handoff_messages: Whether calls of handoffs stay in the history.
    """
    observe = make_observe(max_steps=max_steps, max_repeats=max_repeats)

    @node
    async def move(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Hand over, forward, or let the supervisor go on.

        Reads: messages, path, taint
        Writes: messages, active_agent, stop_reason
        """
        recent = since_question(state["messages"])
        thought, asked = _open_turn(recent)
        turn = _Turn(recent, may_hand_over=len(state.get("path") or ()) < max_handoffs)
        told = [turn.settle(each) for each in asked if each["name"] in moves]
        if turn.target:
            if thought and not add_handoff_messages:
                return {
                    "messages": _without(moves, thought),
                    "active_agent": turn.target,
                    "stop_reason": None,
                }
            return {"messages": told, "active_agent": turn.target, "stop_reason": None}
        shown = {"messages": [*state["messages"], *told], "taint": state.get("taint") or []}
        stopped = await call(observe, shown, config)
        if turn.answer:
            return {"messages": [*told, turn.answer], "stop_reason": "answered"}
        return {"messages": told, **stopped}

    return move


class _Turn:
    """What a turn of the supervisor comes to: at most one handoff or one forwarding."""

    def __init__(self, recent: Sequence[AnyMessage], *, may_hand_over: bool) -> None:
        self.recent = recent
        self.may_hand_over = may_hand_over
        self.target: str | None = None
        self.answer: AIMessage | None = None

    def settle(self, made: Mapping[str, Any]) -> ToolMessage:
        """Return the result of a call that moves the conversation."""
        refused = self._refused(made)
        told = result_of(made, refused or "Done.", is_error=bool(refused))
        told.response_metadata = label_of(())
        return told

    def _refused(self, made: Mapping[str, Any]) -> str:
        """Why a call is not followed; nothing when it is."""
        if self.target or self.answer:
            return "one turn can hand over or forward once, and it did"
        if made["name"] == _FORWARD:
            return self._forward(made["args"])
        if not self.may_hand_over:
            return "enough agents had this question; answer it, with ask_… where you need help"
        self.target = made["name"].removeprefix(_TRANSFER)
        return ""

    def _forward(self, args: Any) -> str:
        agent = str(args.get("agent")) if isinstance(args, Mapping) else ""
        found = last_answer(self.recent, agent)
        if found is None:
            return f"'{redact(agent):.80}' has not answered this question; ask it first"
        self.answer = AIMessage(
            found.content, name=agent, response_metadata=dict(found.response_metadata)
        )
        return ""


def _open_turn(
    recent: Sequence[AnyMessage],
) -> tuple[AIMessage | None, list[Mapping[str, Any]]]:
    """The supervisor's last thought, and its calls that have no result."""
    place = next((n for n in range(len(recent) - 1, -1, -1) if recent[n].type == "ai"), None)
    thought = recent[place] if place is not None else None
    if place is None or not isinstance(thought, AIMessage):
        return None, []
    known = {one.tool_call_id for one in recent[place:] if isinstance(one, ToolMessage)}
    return thought, [each for each in tool_calls_of(thought) if each["id"] not in known]


def route_after_receive(state: Mapping[str, Any]) -> str:
    """Give the question to who has the conversation."""
    return str(state.get("active_agent") or "think")


def route_after_agent(state: Mapping[str, Any]) -> str:
    """End with an agent's answer, go to whom it handed over, or back to the supervisor."""
    active = state.get("active_agent")
    if active is None:
        return "move"
    return END if state.get("stop_reason") == "answered" else str(active)


def route_after_move(state: Mapping[str, Any]) -> str:
    """Go to who takes over, end with what was forwarded, or think on."""
    if state.get("stop_reason") == "answered":
        return END
    return str(state.get("active_agent") or "think")


def route_calls(answer: AIMessage, workers: Mapping[str, str], moves: Collection[str]) -> Goto:
    """Send each task to its agent and each call of a tool to `act`; then the turn is settled.

    Args:
        answer: The supervisor's.
        workers: The agents by the names of the tools that give them tasks.
        moves: Names of the tools that move the conversation.
    """
    calls = tool_calls_of(answer)
    if not calls:
        return END
    sent = [each for each in calls if each["name"] not in moves]
    return [Send(workers.get(each["name"], "act"), each) for each in sent] or "move"


def supervisor_prompt(
    prompt: Prompt | None, agents: Mapping[str, str]
) -> Callable[[Any], Sequence[AnyMessage]]:
    """Make the prompt of a supervisor: who its agents are, and who had the question already.

    Args:
        prompt: What stands before it.
        agents: What each can do, by name.
    """
    listed = "\n".join(f"- {name}: {about}" for name, about in agents.items())

    def told(state: Any) -> Sequence[AnyMessage]:
        lead = f"{prompt if isinstance(prompt, str) else _PROMPT}\n\nYour agents:\n{listed}"
        visits = [_visited(each) for each in state.get("path") or ()]
        if visits:
            seen = "\n".join(visits)
            lead = f"{lead}\n\nWho had the conversation for this question already:\n{seen}"
        rest = None if isinstance(prompt, str) else prompt
        return [SystemMessage(lead), *with_prompt(rest, state, list(state["messages"]))]

    return told


def _visited(visit: Visit) -> str:
    detail = f" to {visit.detail}" if visit.outcome == "handed over" else f": {visit.detail}"
    return f"- {visit.agent} {visit.outcome}{detail if visit.detail else ''}"


def _without(moves: Collection[str], thought: AIMessage) -> list[BaseMessage]:
    """What makes the history one in which the supervisor never called for a handoff."""
    kept = [each for each in thought.tool_calls if each["name"] not in moves]
    gone = {each["id"] for each in thought.tool_calls} - {each["id"] for each in kept}
    if not kept and not thought.invalid_tool_calls:
        return [RemoveMessage(str(thought.id))]
    content = thought.content
    if isinstance(content, list):
        content = [
            block for block in content if not (isinstance(block, dict) and block.get("id") in gone)
        ]
    return [thought.model_copy(update={"tool_calls": kept, "content": content})]
