"""Negotiation: contracts are announced, bid for, awarded, carried out, and settled.

```
START ─▶ analyze ─▶ announce ─▶ bid ─▶ award ─▶ carry_out ─▶ settle ─┬▶ synthesize ─▶ END
                                 ▲                                   │
                                 └──────── what is still open ───────┘
```

Source: Smith, "The Contract Net Protocol: High-Level Communication and Control in a
Distributed Problem Solver" (1980).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NotRequired

from langchain_core.embeddings import Embeddings
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Checkpointer
from typing_extensions import TypedDict

from cogwork.core.embeddings import create_embeddings
from cogwork.core.messages import Messages
from cogwork.core.models import ChatModel, create_chat_model
from cogwork.graphs.team import team_members, tools_in_words, usual_input
from cogwork.memory import with_state_types
from cogwork.nodes.aggregation import Aggregate, Answer, vote
from cogwork.nodes.attempt import ToInput
from cogwork.nodes.contracts import Award, Bid, Contract, Contractor, Ledger, Terms
from cogwork.nodes.negotiation import Estimate, make_announce, make_award, make_bid
from cogwork.nodes.plan import Plan, StepResult
from cogwork.nodes.recovery import Rung
from cogwork.nodes.requirements import make_analyze
from cogwork.nodes.roles import ROLES, Assignment
from cogwork.nodes.settlement import make_carry_out, make_settle, route_after_settle
from cogwork.nodes.step import OnDoubt
from cogwork.nodes.teamwork import Contribution, make_integrate
from cogwork.nodes.thought import Prompt
from cogwork.tools.audit import AuditLog
from cogwork.tools.policy import Policy
from cogwork.tools.taint import with_taint

__all__ = ["NegotiationInput", "NegotiationState", "create_negotiation"]

_RETRY = (Rung("retry", limit=2),)


class NegotiationInput(TypedDict):
    """What the graph takes: a question, contracts as data, or both."""

    messages: NotRequired[Messages]
    requirements: NotRequired[list[Contract]]


class NegotiationState(NegotiationInput):
    """What the graph remembers.

    `needs` are the contracts, `met` says who has which of their capabilities, `bids` are those
    of this round, `awards` all that were made, and `ledger` says who holds what. `outcomes` are
    how the steps of a round went, `results` how contracts ended, by id. `assignments` and
    `contributions` say who carried out what. `stop_reason` is `answered` or `incomplete`.
    """

    needs: NotRequired[list[Contract]]
    plan: NotRequired[Plan]
    met: NotRequired[dict[str, dict[str, tuple[str, ...]]]]
    bids: NotRequired[list[Bid]]
    awards: NotRequired[list[Award]]
    ledger: NotRequired[Ledger]
    outcomes: NotRequired[dict[str, StepResult]]
    results: NotRequired[dict[str, StepResult]]
    assignments: NotRequired[dict[str, Assignment]]
    contributions: NotRequired[list[Contribution]]
    stop_reason: NotRequired[str | None]


def create_negotiation(
    model: str | ChatModel | None = None,
    tools: Sequence[BaseTool | Callable[..., Any]] = (),
    *,
    contractors: Sequence[Contractor] | None = None,
    members: Mapping[str, str | Runnable[Any, Any]] | None = None,
    terms: Terms | None = None,
    estimate: Estimate | None = None,
    least: float = 0.7,
    method: Callable[[Sequence[Answer]], Aggregate] = vote,
    embeddings: Embeddings | str = "static",
    threshold: float = 0.4,
    prompt: Prompt | None = None,
    ladder: Sequence[Rung] = _RETRY,
    max_concurrency: int = 8,
    step_timeout: float | None = None,
    to_input: ToInput | None = None,
    policy: Policy | None = None,
    on_doubt: OnDoubt = "ask",
    audit: AuditLog | None = None,
    max_steps: int = 10,
    tool_timeout: float | None = None,
    context_schema: type[Any] | None = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    name: str | None = "negotiation",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create a contract net: who does what is settled by bids, round by round.

    A round awards what can begin, has it carried out at the same time, and gives its
    resources back, also those of what failed. What failed is announced again to all who have
    not tried it; what found no resources left waits for the next round.

    Args:
        model: Says what a goal requires and makes one answer of the results; also that of
            members which are not given.
        tools: Of the members that are not given.
        contractors: Who may bid: roles with resources; those of `ROLES` unless given.
        members: Who they are, by name, as `create_team` takes them.
        terms: What bids are worth, and what breaks ties.
        estimate: Asks a contractor how long it will take, and whether it wants to at all.
        least: Share of the results of a joint contract that must agree.
        method: Counts them: `vote`, or for longer texts `consensus`.
        embeddings: By which capabilities are compared where names do not decide.
        threshold: Least cosine by which a capability is had.
        prompt: A system prompt for the answer, or a function from the state to messages.
        ladder: What is done about a failure before the contract goes to another.
        max_concurrency: How many contracts are carried out at the same time, where the run's
            config says nothing else.
        step_timeout: Seconds for one attempt at a contract.
        to_input: From a step, and those it depends on with how they went, to the input of
            its member.
        policy: Which calls of tools are made, ask a person first, or are refused; members
            that are given have their own. The state then has a key `taint`.
        on_doubt: What to do with a call whose process died in the middle of it.
        audit: Where calls of tools, and decisions about them, are noted.
        max_steps: Steps that a ReAct member may take for a contract.
        tool_timeout: Seconds for one call of a tool that declares none itself.
        context_schema: The type of the run's `context`, for tools and prompts.
        checkpointer: Makes threads durable; see `cogwork.memory.create_checkpointer`.
        store: Long-term memory for the tools.
        name: Name of the graph, also as a node of another one.

    Raises:
        ConfigurationError: A member is no contractor, the model is unknown or its key
            missing, or a limit is impossible.
        PlanningError: From a run: nobody bids for a contract given as data, or the contracts cannot be
            carried out.
        ModelError: From a run: the model cannot be reached.

    Examples:
        >>> from cogwork.tools import load_tools
        >>> net = create_negotiation("offline", load_tools(["calculator"]))
        >>> done = net.invoke({"messages": "Compute 6 * 7"})
        >>> [(each.contract, each.contractor, each.score) for each in done["awards"]]
        [('1', 'analyst', 18.0)]
    """
    chat = create_chat_model(model)
    usual = [Contractor(**role.model_dump()) for role in ROLES]
    bidders = usual if contractors is None else contractors
    filled = team_members(
        chat,
        tools,
        bidders,
        members,
        max_steps=max_steps,
        tool_timeout=tool_timeout,
        context_schema=context_schema,
        policy=policy,
        on_doubt=on_doubt,
        audit=audit,
    )
    space = create_embeddings(embeddings)
    carry_out = make_carry_out(
        filled,
        ladder=ladder,
        max_concurrency=max_concurrency,
        step_timeout=step_timeout,
        to_input=to_input or usual_input(tools, members),
        on_doubt=on_doubt,
        policy=policy,
        audit=audit,
    )
    state: type[Any] = NegotiationState if policy is None else with_taint(NegotiationState)
    takes: type[Any] = NegotiationInput if policy is None else with_taint(NegotiationInput)
    builder = StateGraph(state, context_schema, input_schema=takes)
    builder.add_node("analyze", make_analyze(chat, bidders, kind=Contract))
    announce = make_announce(
        bidders,
        terms=terms,
        embeddings=space,
        threshold=threshold,
        tools=tools_in_words(tools, bidders, members),
    )
    builder.add_node("announce", announce)
    builder.add_node("bid", make_bid(bidders, terms=terms, estimate=estimate))
    builder.add_node("award", make_award(terms))
    builder.add_node("carry_out", carry_out)
    builder.add_node("settle", make_settle(least=least, method=method))
    builder.add_node("synthesize", make_integrate(chat, prompt=prompt))
    builder.add_edge(START, "analyze")
    builder.add_edge("analyze", "announce")
    builder.add_edge("announce", "bid")
    builder.add_edge("bid", "award")
    builder.add_edge("award", "carry_out")
    builder.add_edge("carry_out", "settle")
    builder.add_conditional_edges(
        "settle", route_after_settle, {"bid": "bid", "done": "synthesize"}
    )
    builder.add_edge("synthesize", END)
    return builder.compile(with_state_types(checkpointer, builder), store=store, name=name)
