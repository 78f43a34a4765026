"""Layers: what is wanted, who does what when, and doing it, each in a subgraph of its own.

```
START ─▶ receive ─▶ strategic ─▶ tactical ─▶ operational ─▶ synthesize ─▶ END
                        ▲ │         ▲ │           │             ▲
                        │ └─────────┼─┼───────────┼─────────────┘  nothing is left to try
                        └───────────┼─┘           │                the tactical layer gave up
                                    └─────────────┘                a step failed for good
```

What goes down is a `Directive`, then `Orders`; what comes up is a `Report`, or a `Setback` about
which the layer above decides by its ladder.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, NotRequired

from langchain_core.embeddings import Embeddings
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Checkpointer
from typing_extensions import TypedDict

from cogwork.core.bridge import Node, call, node
from cogwork.core.embeddings import create_embeddings
from cogwork.core.messages import Messages
from cogwork.core.models import ChatModel, create_chat_model
from cogwork.graphs.layers import (
    OperationalOutput,
    StrategicOutput,
    create_operational_layer,
    create_strategic_layer,
    create_tactical_layer,
)
from cogwork.graphs.team import team_members, usual_input
from cogwork.memory import with_state_types
from cogwork.nodes.attempt import ToInput
from cogwork.nodes.layers import Goal, Setback
from cogwork.nodes.operations import Transform
from cogwork.nodes.plan import Plan
from cogwork.nodes.ranking import Options, Ranked, expected_utility
from cogwork.nodes.recovery import DEFAULT_LADDER, Rung
from cogwork.nodes.roles import ROLES, Role
from cogwork.nodes.step import OnDoubt
from cogwork.nodes.teamwork import Contribution, make_integrate
from cogwork.nodes.thought import Prompt
from cogwork.tools.audit import AuditLog
from cogwork.tools.base import as_tools
from cogwork.tools.policy import Policy
from cogwork.tools.taint import with_taint

__all__ = ["HierarchicalInput", "HierarchicalState", "Ladders", "create_hierarchical_agent"]


class HierarchicalInput(TypedDict):
    """What the graph takes: a question, a goal as data, or both."""

    messages: NotRequired[Messages]
    given_goal: NotRequired[Goal | None]


class HierarchicalState(HierarchicalInput, StrategicOutput, OperationalOutput):
    """What the graph remembers: what the layers hand each other.

    `tried` are the strategies so far; `contributions` say who gave what. `stop_reason` is
    `answered` or `incomplete`, and `failure` says why it is.
    """

    contributions: NotRequired[list[Contribution]]
    failure: NotRequired[str | None]
    stop_reason: NotRequired[str | None]


class Ladders(NamedTuple):
    """What each layer does about failures.

    Attributes:
        operational: About a step: the rungs of a plan.
        tactical: About steps that failed for good: `recompose` breaks the goal down anew.
        strategic: About a tactical layer that gave up: `fallback` to another strategy, or
            `escalate` to a person, who names one or says `stop`.
    """

    operational: Sequence[Rung] = DEFAULT_LADDER
    tactical: Sequence[Rung] = (Rung("recompose"),)
    strategic: Sequence[Rung] = (Rung("fallback", limit=2),)


def create_hierarchical_agent(
    model: str | ChatModel | None = None,
    tools: Sequence[BaseTool | Callable[..., Any]] = (),
    *,
    roles: Sequence[Role] = ROLES,
    members: Mapping[str, str | Runnable[Any, Any]] | None = None,
    method: Callable[[Options], Sequence[Ranked]] = expected_utility,
    budget: float | Mapping[str, float] = 100.0,
    ladders: Ladders | None = None,
    embeddings: Embeddings | str = "static",
    threshold: float = 0.4,
    max_seconds: float | None = None,
    to_input: ToInput | None = None,
    transform: Transform | None = None,
    prompt: Prompt | None = None,
    max_concurrency: int = 8,
    step_timeout: float | None = None,
    policy: Policy | None = None,
    on_doubt: OnDoubt = "ask",
    audit: AuditLog | None = None,
    max_steps: int = 10,
    tool_timeout: float | None = None,
    context_schema: type[Any] | None = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    name: str | None = "hierarchical",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create an agent of three layers: strategic, tactical, operational.

    Args:
        model: Clarifies, breaks down and integrates; also that of members which are not given.
        tools: Of the members that are not given; each step gets those it needs.
        roles: What members can do; those of `cogwork.nodes.roles.ROLES` unless given.
        members: Who fills a role, by its name, as `create_team` takes them.
        method: Chooses the strategy, from `cogwork.nodes.layers.strategy_options`.
        budget: For one goal, in the unit of `estimated_cost`: all of it, or what each layer may
            spend. Parts that are estimated to cost more than the operational layer may spend
            are not begun.
        ladders: What each layer does about failures; the usual `Ladders()` unless given.
        embeddings: By which capabilities and tools are compared where names do not decide.
        threshold: Least cosine by which a role fits.
        max_seconds: For a step, before the report has a word about it.
        to_input: Prepares the input of a step's member, from the step and those it depends on.
        transform: Makes of what a step gave what is handed on; what it raises fails the step.
        prompt: A system prompt for the answer, or a function from the state to messages; what
            the answer must keep to, and by what one sees that it worked, unless given.
        max_concurrency: How many steps run at the same time, where the run's config says
            nothing else.
        step_timeout: Seconds for one attempt at a step.
        policy: Which calls of tools are made, ask a person first, or are refused; members
            that are given have their own. The state then has a key `taint`.
        on_doubt: What to do with a call whose process died in the middle of it.
        audit: Where calls of tools, and decisions about them, are noted.
        max_steps: Steps that a ReAct member may take for its part.
        tool_timeout: Seconds for one call of a tool that declares none itself.
        context_schema: The type of the run's `context`, for tools and prompts.
        checkpointer: Makes threads durable; see `cogwork.memory.create_checkpointer`.
        store: Long-term memory for the tools.
        name: Name of the graph, also as a node of another one.

    Raises:
        ConfigurationError: A member has no role, the budget cannot be split, the model is
            unknown or its key missing, or a limit is impossible.
        PlanningError: From a run: there is neither a question nor a goal.
        ModelError: From a run: the model cannot be reached.

    Examples:
        >>> from cogwork.tools import load_tools
        >>> agent = create_hierarchical_agent("offline", load_tools(["calculator"]))
        >>> done = agent.invoke({"messages": "Compute 6 * 7"})
        >>> done["directive"].strategy, done["messages"][-1].text
        ('direct', '6 * 7 is 42.')
    """
    chat, ready, rungs = create_chat_model(model), as_tools(tools), ladders or Ladders()
    space = create_embeddings(embeddings)
    options = {
        "max_steps": max_steps,
        "tool_timeout": tool_timeout,
        "context_schema": context_schema,
        "policy": policy,
        "on_doubt": on_doubt,
        "audit": audit,
    }
    team_members(chat, ready, roles, members, **options)  # refuses what cannot be filled
    by_name = {role.name: role for role in roles}

    @lru_cache(maxsize=64)
    def member(role: str, names: tuple[str, ...]) -> Runnable[Any, Any]:
        chosen = [tool for tool in ready if tool.name in names]
        given = {role: members[role]} if members and role in members else {}
        return team_members(chat, chosen, [by_name[role]], given, **options)[role]

    strategic = create_strategic_layer(chat, method=method, budget=budget, ladder=rungs.strategic)
    tactical = create_tactical_layer(
        chat,
        roles,
        embeddings=space,
        threshold=threshold,
        max_seconds=max_seconds,
        ladder=rungs.tactical,
    )
    operational = create_operational_layer(
        member,
        ready,
        embeddings=space,
        transform=transform,
        policy=policy,
        ladder=rungs.operational,
        max_concurrency=max_concurrency,
        step_timeout=step_timeout,
        to_input=to_input or usual_input(tools, members),
        on_doubt=on_doubt,
        audit=audit,
    )
    state: type[Any] = HierarchicalState if policy is None else with_taint(HierarchicalState)
    takes: type[Any] = HierarchicalInput if policy is None else with_taint(HierarchicalInput)
    builder = StateGraph(state, context_schema, input_schema=takes)
    builder.add_node("receive", _receive())
    builder.add_node("strategic", strategic)
    builder.add_node("tactical", tactical)
    builder.add_node("operational", operational)
    builder.add_node("synthesize", _conclude(make_integrate(chat, prompt=prompt or _told_goal)))
    builder.add_edge(START, "receive")
    builder.add_edge("receive", "strategic")
    builder.add_conditional_edges("strategic", route_after_strategic, ["tactical", "synthesize"])
    builder.add_conditional_edges("tactical", route_after_tactical, ["operational", "strategic"])
    builder.add_conditional_edges(
        "operational", route_after_operational, ["tactical", "synthesize"]
    )
    builder.add_edge("synthesize", END)
    return builder.compile(with_state_types(checkpointer, builder), store=store, name=name)


def route_after_strategic(state: HierarchicalState) -> str:
    """Go down with a directive; without one nothing is left to try."""
    return "tactical" if state.get("directive") else "synthesize"


def route_after_tactical(state: HierarchicalState) -> str:
    """Go down with orders, or up with a setback."""
    return "operational" if state.get("orders") else "strategic"


def route_after_operational(state: HierarchicalState) -> str:
    """Answer when all is done; else the layer above decides."""
    report = state.get("report")
    return "tactical" if report and report.setback else "synthesize"


def _told_goal(state: Any) -> Any:
    """What the answer must keep to, where something was said."""
    goal: Goal = state["goal"]
    kept = [f"It must keep to: {each}" for each in goal.constraints]
    seen = [f"It worked if: {each}" for each in goal.success]
    return (
        "\n".join([f"What is wanted: {goal.intent}", *kept, *seen])
        if kept or seen
        else state["messages"]
    )


def _receive() -> Node:
    """The node that forgets the last goal."""

    @node
    def receive(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Begin anew.

        Writes: goal, directive, orders, report, setback, plan, results, assignments, tried,
            strategic_used
        """
        nothing = ("goal", "directive", "orders", "report", "setback")
        lists: dict[str, Any] = {"tried": [], "strategic_used": []}
        return {
            **dict.fromkeys(nothing),
            **lists,
            "plan": Plan(),
            "results": {},
            "assignments": {},
        }

    return receive


def _conclude(integrate: Node) -> Node:
    """The node that answers from what was done, or says why nothing was."""

    @node
    async def synthesize(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Answer.

        Reads: plan, setback and what `integrate` reads
        Writes: messages, contributions, failure, stop_reason
        """
        setback: Setback | None = state.get("setback")
        failure = setback.reason if setback else None
        if not state["plan"].steps:
            said = AIMessage(f"Nothing could be done: {failure}")
            return {
                "messages": [said],
                "contributions": [],
                "failure": failure,
                "stop_reason": "incomplete",
            }
        told: dict[str, Any] = await call(integrate, state, config)
        return {**told, "failure": failure}

    return synthesize
