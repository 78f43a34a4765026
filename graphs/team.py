"""Team: a goal is divided among roles, done as dependencies allow, and made into one answer.

```
START ─▶ analyze ─▶ assign ─▶ execute ─▶ synthesize ─▶ END
         (what)     (who)    (members)   (coordinator)
```

It pays where parts can be done at the same time or need different tools. Work whose parts
hang on each other is better done by one agent: see docs/team.md.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NotRequired, TypeGuard

from langchain_core.embeddings import Embeddings
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Checkpointer
from typing_extensions import TypedDict

from cogwork.core.embeddings import create_embeddings
from cogwork.core.errors import ConfigurationError
from cogwork.core.messages import Messages
from cogwork.core.models import ChatModel, create_chat_model
from cogwork.core.registry import nearest
from cogwork.graphs.react import create_react_agent
from cogwork.memory import with_state_types
from cogwork.nodes.attempt import ToInput
from cogwork.nodes.plan import Plan, StepResult
from cogwork.nodes.recovery import DEFAULT_LADDER, Rung
from cogwork.nodes.requirements import make_analyze
from cogwork.nodes.roles import ROLES, Assignment, Gap, Requirement, Role, check_roles
from cogwork.nodes.step import OnDoubt
from cogwork.nodes.teamwork import (
    Contribution,
    make_assign,
    make_delegate,
    make_integrate,
    shared_results,
)
from cogwork.nodes.thought import Prompt
from cogwork.tools.audit import AuditLog
from cogwork.tools.base import as_tools
from cogwork.tools.policy import Policy
from cogwork.tools.taint import with_taint

__all__ = ["TeamInput", "TeamState", "create_team", "team_members", "tools_in_words", "usual_input"]


class TeamInput(TypedDict):
    """What the graph takes: a question, requirements as data, or both."""

    messages: NotRequired[Messages]
    requirements: NotRequired[list[Requirement]]


class TeamState(TeamInput):
    """What the graph remembers.

    `needs` is what the last goal requires, `assignments` who does it, by id, and `gaps` what
    nobody can do. `plan` and `results` are as in Plan-and-Solve; `contributions` says who gave
    what. `stop_reason` is `answered` or `incomplete`.
    """

    needs: NotRequired[list[Requirement]]
    plan: NotRequired[Plan]
    assignments: NotRequired[dict[str, Assignment]]
    gaps: NotRequired[list[Gap]]
    results: NotRequired[dict[str, StepResult]]
    contributions: NotRequired[list[Contribution]]
    stop_reason: NotRequired[str | None]


def create_team(
    model: str | ChatModel | None = None,
    tools: Sequence[BaseTool | Callable[..., Any]] = (),
    *,
    roles: Sequence[Role] = ROLES,
    members: Mapping[str, str | Runnable[Any, Any]] | None = None,
    embeddings: Embeddings | str = "static",
    threshold: float = 0.4,
    allow_gaps: bool = False,
    prompt: Prompt | None = None,
    ladder: Sequence[Rung] = DEFAULT_LADDER,
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
    name: str | None = "team",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create a team that divides a goal, works on it together, and answers.

    The result's `contributions` tell who gave what, and how each part went. A run that was
    killed goes on with `invoke(None)`: no finished part is done again. A member sees its
    task and what the parts that it depends on gave; its own history stays its own.

    Args:
        model: The coordinator's, who divides and integrates, and that of members that are
            not given: a chat model, a name such as `"openai:gpt-5.5"`, or `None` for the one
            that the settings name.
        tools: Of the members that are not given.
        roles: What members can do; those of `cogwork.nodes.roles.ROLES` unless given.
        members: Who fills a role, by its name: any compiled graph that takes `messages`, a
            runnable together with `to_input`, or a chat model or its name. A role without a
            member is filled by a ReAct agent with `model`, `tools` and the role's prompt.
        embeddings: By which capabilities are compared where names do not decide.
        threshold: Least cosine by which a role fits a requirement.
        allow_gaps: Whether to go on without what nobody can do; `gaps` then names it.
        prompt: A system prompt for the answer, or a function from the state to messages.
        ladder: What is done about a part that fails; `fallback` goes to the next member that
            can do it.
        max_concurrency: How many parts are done at the same time, where the run's config
            says nothing else.
        step_timeout: Seconds for one attempt at a part.
        to_input: From a step, and those it depends on with how they went, to the input of
            its member.
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
        ConfigurationError: A member has no role, the roles make no team, the model is unknown
            or its key missing, or a limit is impossible.
        PlanningError: From a run: nobody has a capability that is demanded as data, or the parts
            cannot be executed.
        ModelError: From a run: the model cannot be reached.

    Examples:
        >>> from cogwork.tools import load_tools
        >>> team = create_team("offline", load_tools(["calculator"]))
        >>> done = team.invoke({"messages": "Compute 6 * 7"})
        >>> [(each.member, each.result) for each in done["contributions"]]
        [('analyst', '6 * 7 is 42.')]
    """
    chat = create_chat_model(model)
    filled = team_members(
        chat,
        tools,
        roles,
        members,
        max_steps=max_steps,
        tool_timeout=tool_timeout,
        context_schema=context_schema,
        policy=policy,
        on_doubt=on_doubt,
        audit=audit,
    )
    space = create_embeddings(embeddings)
    assign = make_assign(
        roles,
        embeddings=space,
        threshold=threshold,
        allow_gaps=allow_gaps,
        tools=tools_in_words(tools, roles, members),
    )
    execute = make_delegate(
        filled,
        ladder=ladder,
        max_concurrency=max_concurrency,
        step_timeout=step_timeout,
        to_input=to_input or usual_input(tools, members),
        on_doubt=on_doubt,
        policy=policy,
        audit=audit,
    )
    state: type[Any] = TeamState if policy is None else with_taint(TeamState)
    takes: type[Any] = TeamInput if policy is None else with_taint(TeamInput)
    builder = StateGraph(state, context_schema, input_schema=takes)
    builder.add_node("analyze", make_analyze(chat, roles))
    builder.add_node("assign", assign)
    builder.add_node("execute", execute)
    builder.add_node("synthesize", make_integrate(chat, prompt=prompt))
    builder.add_edge(START, "analyze")
    builder.add_edge("analyze", "assign")
    builder.add_edge("assign", "execute")
    builder.add_edge("execute", "synthesize")
    builder.add_edge("synthesize", END)
    return builder.compile(with_state_types(checkpointer, builder), store=store, name=name)


def usual_input(
    tools: Sequence[Any], members: Mapping[str, str | Runnable[Any, Any]] | None
) -> ToInput | None:
    """Return how members are told what others found, where nobody says otherwise.

    Args:
        tools: Of the members that are not given.
        members: Those that are; they may be anything, so they are told in plain turns.
    """
    return shared_results if tools and not members else None


def tools_in_words(
    tools: Sequence[BaseTool | Callable[..., Any]],
    roles: Sequence[Role],
    members: Mapping[str, str | Runnable[Any, Any]] | None = None,
) -> dict[str, list[str]]:
    """Return what the tools of each role are for; nobody can say it of a graph that is given.

    Args:
        tools: Of the members that are not given, and of chat models.
        roles: To be filled.
        members: As `create_team` takes them.
    """
    about = [f"{tool.name}: {tool.description}" for tool in as_tools(tools)]
    given = members or {}
    return {role.name: about for role in roles if not _is_graph(given.get(role.name))}


def _is_graph(member: Any) -> TypeGuard[Runnable[Any, Any]]:
    """Whether a member is ready as it is given, and no chat model nor the name of one."""
    return isinstance(member, Runnable) and not hasattr(member, "bind_tools")


def team_members(
    model: ChatModel,
    tools: Sequence[BaseTool | Callable[..., Any]],
    roles: Sequence[Role],
    members: Mapping[str, str | Runnable[Any, Any]] | None = None,
    **options: Any,
) -> dict[str, Runnable[Any, Any]]:
    """Return who fills each role: the members that are given, and ReAct agents for the rest.

    Args:
        model: Of the members that are not given.
        tools: Of those.
        roles: To be filled.
        members: As `create_team` takes them.
        **options: Of `create_react_agent`, for the members made here.

    Raises:
        ConfigurationError: A member has no role, or the roles make no team.
    """
    check_roles(roles)
    given = dict(members or {})
    known = {role.name: role for role in roles}
    for name in given:
        if name not in known:
            raise ConfigurationError(
                f"the member '{name}' has no role; {nearest(name, list(known))}; "
                f"add Role(name='{name}', capabilities=(…,)) to roles"
            )
    ready = as_tools(tools)

    def filled(role: Role) -> Runnable[Any, Any]:
        by = given.get(role.name)
        if _is_graph(by):
            return by
        chat = create_chat_model(model if by is None else by)
        return create_react_agent(chat, ready, prompt=role.instructions, name=role.name, **options)

    return {name: filled(role) for name, role in known.items()}
