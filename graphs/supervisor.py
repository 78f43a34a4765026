"""Supervisor: a model gives tasks to agents, hands the conversation over, and answers.

```
                        ┌──────────── answers ────────────┐
START ─▶ receive ─▶ think ─┬▶ agent, agent … ─┬▶ move     │
             │        ▲    └▶ act ────────────┘   │       ▼
             │        └───────── think on ────────┤      END
             └──────────▶ agent ◀── takes over ───┘       ▲
                            └───────── answers ───────────┘
```
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NotRequired, TypeAlias, get_args

from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Checkpointer, RetryPolicy
from typing_extensions import TypedDict

from cogwork.core.errors import ConfigurationError
from cogwork.core.messages import Messages
from cogwork.core.models import ChatModel, broke_off, create_chat_model
from cogwork.core.registry import nearest
from cogwork.memory import with_state_types
from cogwork.nodes.action import make_act
from cogwork.nodes.agent import make_agent
from cogwork.nodes.handoff import (
    SUPERVISOR,
    Visit,
    check_agents,
    create_delegation_tool,
    create_forward_tool,
    create_handoff_tool,
)
from cogwork.nodes.supervision import (
    make_move,
    make_receive,
    route_after_agent,
    route_after_move,
    route_after_receive,
    route_calls,
    supervisor_prompt,
)
from cogwork.nodes.thought import Prompt, make_think
from cogwork.tools.audit import AuditLog
from cogwork.tools.base import as_tools
from cogwork.tools.effects import OnDoubt
from cogwork.tools.policy import Policy, check_trifecta
from cogwork.tools.taint import Taint

__all__ = ["SupervisorInput", "SupervisorState", "create_supervisor"]

Mode: TypeAlias = Literal["delegate", "handoff", "both"]

_NODES = ("receive", "think", "act", "move", SUPERVISOR)


class SupervisorInput(TypedDict):
    """What the graph takes; `active_agent` only to say who is to have the conversation."""

    messages: Messages
    active_agent: NotRequired[str | None]
    taint: NotRequired[Taint]


class SupervisorState(SupervisorInput):
    """What the graph remembers.

    `active_agent` has the conversation, also in the next turn; None for the supervisor. `path`
    tells who had it for the last question. `stop_reason` is that of a ReAct agent.
    """

    path: NotRequired[list[Visit]]
    stop_reason: NotRequired[str | None]


def create_supervisor(
    agents: Sequence[Runnable[Any, Any]] | Mapping[str, Runnable[Any, Any]],
    model: str | ChatModel | None = None,
    *,
    tools: Sequence[BaseTool | Callable[..., Any]] = (),
    descriptions: Mapping[str, str] | None = None,
    mode: Mode = "delegate",
    forward: bool = False,
    add_handoff_messages: bool = True,
    max_handoffs: int = 5,
    prompt: Prompt | None = None,
    max_steps: int = 10,
    max_repeats: int = 3,
    max_history_tokens: int = 100_000,
    tool_timeout: float | None = None,
    policy: Policy | None = None,
    on_doubt: OnDoubt = "ask",
    audit: AuditLog | None = None,
    context_schema: type[Any] | None = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    name: str | None = SUPERVISOR,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create a supervisor of agents.

    It delegates by the tools `ask_<agent>`: tasks of one turn are done at the same time, an
    agent sees its task and nothing else, and only its last answer comes back. It hands over by
    the tools `transfer_to_<agent>`: then the agent sees the conversation and answers the user,
    in the next turns too, until it hands over itself (see `create_handoff_tool`). An agent that
    fails is an observation, and its questions to a person come up and are answered one by one.

    Args:
        agents: Graphs that take `messages`, with names of their own, or by name.
        model: The supervisor's: a chat model, a name such as `"openai:gpt-5.5"`, or `None` for
            the one that the settings name.
        tools: Of the supervisor itself.
        descriptions: What agents can do, by name, for the supervisor to go by.
        mode: Whether it delegates, hands over, or may do both.
        forward: Whether it has a tool `forward`, that gives the answer of an agent it asked to
            the user word for word, without another call of the model.
        add_handoff_messages: Whether its calls of `transfer_to_…` stay in the history. Who had
            the conversation for a question it is told in any case.
        max_handoffs: How many agents may have the conversation in one question.
        prompt: A system prompt, or a function from the state to the messages to send; who the
            agents are is added.
        max_steps: Steps (one thought with its calls) that one question may take.
        max_repeats: How often one question may meet the same call with the same result.
        max_history_tokens: How much history the model is shown, in estimated tokens.
        tool_timeout: Seconds for one attempt at a tool that declares none itself; not for agents.
        policy: Which calls of its own tools are made, ask a person first, or are refused.
        on_doubt: What to do with a call whose process died in the middle of it.
        audit: Where calls of tools, and decisions about them, are noted.
        context_schema: The type of the run's `context`, for tools and prompts.
        checkpointer: Makes threads durable; see `cogwork.memory.create_checkpointer`.
        store: Long-term memory for the tools.
        name: Name of the graph, also as a node of another one.

    Raises:
        ConfigurationError: There are no agents, one has no name or one that is taken, the
            model is unknown or cannot call tools, or a limit is impossible.
        ModelError: From a run: the supervisor's model cannot be reached.

    Examples:
        >>> from cogwork.graphs import create_react_agent
        >>> from cogwork.tools import load_tools
        >>> clerk = create_react_agent("offline", load_tools(["calculator"]), name="clerk")
        >>> boss = create_supervisor([clerk], "offline", mode="handoff")
        >>> asked = {"messages": "What is 6 * 7?", "active_agent": "clerk"}
        >>> boss.invoke(asked)["messages"][-1].text
        '6 * 7 is 42.'
    """
    _check(mode, max_handoffs=max_handoffs, max_steps=max_steps, max_repeats=max_repeats)
    chat = create_chat_model(model)
    team = check_agents(agents, _NODES)
    own = as_tools(tools)
    if policy is not None:
        check_trifecta(own, policy)
    about = _about(team, descriptions or {})
    asks = {} if mode == "handoff" else {f"ask_{key}": key for key in team}
    talks = () if mode == "delegate" else tuple(team)
    given = [create_delegation_tool(key, description=about[key]) for key in asks.values()]
    moves = [create_handoff_tool(key, description=_takes_over(key, about)) for key in talks]
    moves += [create_forward_tool()] if forward and asks else []
    moving = frozenset(each.name for each in moves)

    builder = StateGraph(SupervisorState, context_schema, input_schema=SupervisorInput)
    builder.add_node("receive", make_receive(talks))
    think = make_think(
        chat,
        as_tools([*own, *given, *moves]),
        prompt=supervisor_prompt(prompt, about),
        max_history_tokens=max_history_tokens,
        route=partial(route_calls, workers=asks, moves=moving),
    )
    builder.add_node(
        "think",
        think,
        # A client retries a call that did not begin, and nothing that broke off.
        retry_policy=RetryPolicy(retry_on=broke_off, max_attempts=2),
        destinations=_destinations(asks, moving),
    )
    act = make_act(own, timeout=tool_timeout, policy=policy, on_doubt=on_doubt, audit=audit)
    builder.add_node("act", act)
    move = make_move(
        moving,
        max_steps=max_steps,
        max_repeats=max_repeats,
        max_handoffs=max_handoffs,
        add_handoff_messages=add_handoff_messages,
    )
    builder.add_node("move", move)
    for key, agent in team.items():
        builder.add_node(key, make_agent(key, agent, talks, max_handoffs=max_handoffs))
    _connect(builder, team, talks, can_forward="forward" in moving)
    return builder.compile(with_state_types(checkpointer, SupervisorState), store=store, name=name)


def _connect(
    builder: StateGraph[Any, Any, Any, Any],
    team: Mapping[str, Any],
    talks: Sequence[str],
    *,
    can_forward: bool,
) -> None:
    """Draw the edges; those that no run can take are left out."""
    taken_over: dict[Hashable, str] = {key: key for key in talks}
    builder.add_edge(START, "receive")
    builder.add_edge("act", "move")
    ways: dict[Hashable, str] = {"think": "think", **taken_over}
    if talks:
        builder.add_conditional_edges("receive", route_after_receive, ways)
    else:
        builder.add_edge("receive", "think")
    for key in team:
        if talks:
            after: dict[Hashable, str] = {"move": "move", END: END, **taken_over}
            del after[key]
            builder.add_conditional_edges(key, route_after_agent, after)
        else:
            builder.add_edge(key, "move")
    if talks or can_forward:
        end: dict[Hashable, str] = {END: END} if can_forward else {}
        builder.add_conditional_edges("move", route_after_move, {**ways, **end})
    else:
        builder.add_edge("move", "think")


def _destinations(asks: Mapping[str, str], moves: Collection[str]) -> dict[str, str]:
    """Where a thought goes, for drawings."""
    tasks = dict.fromkeys(asks.values(), "task")
    return {**tasks, "act": "call", **({"move": "handoff"} if moves else {}), END: "answer"}


def _about(team: Collection[str], descriptions: Mapping[str, str]) -> dict[str, str]:
    """What each agent can do."""
    for name in descriptions:
        if name not in team:
            raise ConfigurationError(
                f"there is a description of '{name}', but no such agent; {nearest(name, [*team])}"
            )
    return {key: descriptions.get(key) or f"The agent '{key}'." for key in team}


def _takes_over(key: str, about: Mapping[str, str]) -> str:
    return f"Hand the conversation over to '{key}', who then answers the user. {about[key]}"


def _check(mode: str, **limits: int) -> None:
    if mode not in get_args(Mode):
        raise ConfigurationError(f"mode is {mode!r}; choose one of {', '.join(get_args(Mode))}")
    for name, value in limits.items():
        if value < 1:
            raise ConfigurationError(f"{name} is {value}; it must be 1 or more")
