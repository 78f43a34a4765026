"""Ensemble: several agents answer at the same time, and their answers are made into one.

```
START ─▶ pose ─▶ propose, propose, … ─▶ compare ─┬▶ merge ─▶ conclude ─▶ END
                        ▲                        │
                        └──── another round ─────┘  with rounds, while they differ
```

Sources: Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models"
(2022), https://arxiv.org/abs/2203.11171; Du et al., "Improving Factuality and Reasoning in
Language Models through Multiagent Debate" (2023), https://arxiv.org/abs/2305.14325
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, NotRequired

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Checkpointer
from typing_extensions import TypedDict

from cogwork.core.errors import ConfigurationError
from cogwork.core.messages import Messages
from cogwork.core.models import ChatModel, create_chat_model
from cogwork.core.registry import nearest
from cogwork.core.structured import Schema
from cogwork.graphs.react import create_react_agent
from cogwork.memory import with_state_types
from cogwork.nodes.aggregate import Hierarchy, Method, Synthesis, make_aggregate
from cogwork.nodes.aggregation import Aggregate, Answer, Consensus, Mean, Vote, consensus, vote
from cogwork.nodes.debate import (
    Read,
    last_answers,
    make_compare,
    make_conclude,
    make_pose,
    make_propose,
    route_after_compare,
    route_to_agents,
)
from cogwork.nodes.handoff import check_agents
from cogwork.tools.audit import AuditLog
from cogwork.tools.effects import OnDoubt
from cogwork.tools.policy import Policy
from cogwork.tools.taint import Taint

__all__ = ["EnsembleInput", "EnsembleState", "create_debate", "create_ensemble"]


class EnsembleInput(TypedDict):
    """What the graph takes."""

    messages: Messages
    taint: NotRequired[Taint]


class EnsembleState(EnsembleInput):
    """What the graph remembers.

    `answers` are all of the last question, round by round (`metadata["round"]`, from 0), and
    `aggregate` is what the method made of the last ones. `failures` says by name why an agent
    has none. `stop_reason` is `answered`, `tied`, `no_quorum` or `no_answer`.
    """

    answers: NotRequired[Annotated[list[Answer], operator.add]]
    round: NotRequired[int]
    aggregate: NotRequired[Vote | Consensus | Mean | Hierarchy | Synthesis | Aggregate | None]
    failures: NotRequired[dict[str, str]]
    stop_reason: NotRequired[str | None]


def create_ensemble(
    model: str | ChatModel | None = None,
    tools: Sequence[BaseTool | Callable[..., Any]] = (),
    *,
    agents: Sequence[Runnable[Any, Any]] | Mapping[str, str | Runnable[Any, Any]] | None = None,
    size: int = 3,
    rounds: int = 0,
    method: Method | ChatModel = vote,
    weights: Mapping[str, float] | None = None,
    read: Read | None = None,
    response_format: Schema | None = None,
    policy: Policy | None = None,
    on_doubt: OnDoubt = "ask",
    audit: AuditLog | None = None,
    max_steps: int = 10,
    tool_timeout: float | None = None,
    context_schema: type[Any] | None = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    name: str | None = "ensemble",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create an ensemble: agents answer at the same time and are counted.

    With `rounds`, agents that differ see each other's answers and may revise theirs; it ends
    when they agree. An agent that fails abstains, and `failures` names it. A run that was
    killed or broken off asks no agent again that had answered.

    Args:
        model: Of agents that are not given: a chat model, a name such as `"openai:gpt-5.5"`,
            or `None` for the one that the settings name. Equal agents need a temperature
            above 0 to differ.
        tools: Of those agents.
        agents: Who answers: graphs that take `messages`, with names of their own, or by name
            graphs, chat models or their names. `size` ReAct agents with `model` and `tools`
            unless given.
        size: How many agents there are where none are given.
        rounds: In how many rounds at most agents see each other's answers; 0 only counts.
        method: Makes one result of the answers: `vote` for short answers, `consensus` for
            longer ones, any other of `cogwork.nodes.aggregation`, or a chat model that merges.
        weights: How much agents count, by name; 1 unless given.
        read: From an agent's output to the value that is counted; None abstains. Its
            structured response or its last message's text unless given.
        response_format: What agents that are made here are to answer.
        policy: Which calls of their tools are made, ask a person first, or are refused.
        on_doubt: What to do with a call whose process died in the middle of it.
        audit: Where calls of tools, and decisions about them, are noted.
        max_steps: Steps that a ReAct agent may take for an answer.
        tool_timeout: Seconds for one call of a tool that declares none itself.
        context_schema: The type of the run's `context`, for tools and prompts.
        checkpointer: Makes threads durable; see `cogwork.memory.create_checkpointer`.
        store: Long-term memory for the tools.
        name: Name of the graph, also as a node of another one.

    Raises:
        ConfigurationError: An agent has no name or one that is taken, the model is unknown or
            its key missing, or a limit is impossible; from a run: there is no question, or
            the method refuses an answer.
        AgentError: From a run: every agent failed; each is named with why.

    Examples:
        >>> from cogwork.tools import load_tools
        >>> ensemble = create_ensemble("offline", load_tools(["calculator"]))
        >>> done = ensemble.invoke({"messages": "What is 6 * 7?"})
        >>> done["aggregate"].value, done["aggregate"].agreement
        ('6 * 7 is 42.', 1.0)
    """
    _check(size, rounds)

    def react(by: str | ChatModel | None, key: str) -> Runnable[Any, Any]:
        return create_react_agent(
            create_chat_model(by),
            tools,
            response_format=response_format,
            max_steps=max_steps,
            tool_timeout=tool_timeout,
            context_schema=context_schema,
            policy=policy,
            on_doubt=on_doubt,
            audit=audit,
            name=key,
        )

    asked = _agents(agents, model, size, react)
    _check_weights(weights or {}, asked)
    names = tuple(asked)
    builder = StateGraph(EnsembleState, context_schema, input_schema=EnsembleInput)
    builder.add_node("pose", make_pose())
    builder.add_node("propose", make_propose(asked, read=read, weights=weights))
    builder.add_node("merge", make_aggregate(method, answers=last_answers))
    builder.add_node("conclude", make_conclude())
    builder.add_edge(START, "pose")
    builder.add_conditional_edges("pose", partial(route_to_agents, agents=names), ["propose"])
    if rounds:
        # Whether they agree is counted; a model that merges is asked at the end only.
        counted = consensus if isinstance(method, Runnable) else method
        builder.add_node("compare", make_compare(counted, rounds))
        builder.add_edge("propose", "compare")
        builder.add_conditional_edges(
            "compare", partial(route_after_compare, agents=names), ["propose", "merge"]
        )
    else:
        builder.add_edge("propose", "merge")
    builder.add_edge("merge", "conclude")
    builder.add_edge("conclude", END)
    return builder.compile(with_state_types(checkpointer, EnsembleState), store=store, name=name)


def _agents(
    given: Sequence[Runnable[Any, Any]] | Mapping[str, str | Runnable[Any, Any]] | None,
    model: str | ChatModel | None,
    size: int,
    react: Callable[[str | ChatModel | None, str], Runnable[Any, Any]],
) -> dict[str, Runnable[Any, Any]]:
    """The agents by name; models become ReAct agents."""
    if given is not None and not isinstance(given, Mapping):
        return check_agents(given, ())
    own = {f"agent-{number}": model for number in range(1, size + 1)}
    team: Mapping[str, Any] = own if given is None else given
    made = {
        key: react(each, key) if each is None or isinstance(each, str | BaseChatModel) else each
        for key, each in team.items()
    }
    return check_agents(made, ())


def _check(size: int, rounds: int) -> None:
    if size < 1:
        raise ConfigurationError(f"size is {size}; it must be 1 or more")
    if rounds < 0:
        raise ConfigurationError(f"rounds is {rounds}; it must be 0 or more")


def _check_weights(weights: Mapping[str, float], agents: Mapping[str, Any]) -> None:
    for name, weight in weights.items():
        if name not in agents:
            raise ConfigurationError(
                f"there is a weight of '{name}', but no such agent; {nearest(name, [*agents])}"
            )
        Answer(name, None, weight)  # refuses what can be no weight


def create_debate(
    model: str | ChatModel | None = None,
    tools: Sequence[BaseTool | Callable[..., Any]] = (),
    *,
    rounds: int = 2,
    name: str | None = "debate",
    **options: Any,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create an ensemble whose agents see each other's answers, and may revise theirs.

    Args:
        model: Of agents that are not given.
        tools: Of those agents.
        rounds: In how many rounds at most; it ends when they agree.
        name: Name of the graph, also as a node of another one.
        **options: As in `create_ensemble`.

    Raises:
        ConfigurationError: As from `create_ensemble`.
    """
    return create_ensemble(model, tools, rounds=rounds, name=name, **options)
