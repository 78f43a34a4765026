"""Orchestrator: tasks are queued to agents by what they require; status and result by id.

```
START ─▶ enqueue ─▶ execute ─▶ synthesize ─▶ END
```

A thread is a queue: each run adds tasks, which may wait for those of earlier runs, and does
what is due. Where a goal is to be reached once, a team does it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NotRequired

from langchain_core.embeddings import Embeddings
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Checkpointer
from typing_extensions import TypedDict

from cogwork.core.embeddings import create_embeddings
from cogwork.core.errors import ConfigurationError
from cogwork.core.journal_records import read_records
from cogwork.core.messages import Messages
from cogwork.core.models import ChatModel, create_chat_model
from cogwork.graphs.team import team_members, tools_in_words, usual_input
from cogwork.memory import with_state_types
from cogwork.nodes.attempt import ToInput
from cogwork.nodes.plan import Plan, StepResult
from cogwork.nodes.queueing import make_enqueue, merge_by_id
from cogwork.nodes.recovery import DEFAULT_LADDER, Rung
from cogwork.nodes.roles import ROLES, Assignment, Gap, Requirement, Role
from cogwork.nodes.step import OnDoubt
from cogwork.nodes.teamwork import Contribution, make_delegate, make_integrate
from cogwork.nodes.thought import Prompt
from cogwork.tools.audit import AuditLog
from cogwork.tools.policy import Policy
from cogwork.tools.taint import with_taint

__all__ = ["OrchestratorInput", "OrchestratorState", "create_orchestrator", "task_results"]


class OrchestratorInput(TypedDict):
    """What the graph takes: a question, tasks as data, or both."""

    messages: NotRequired[Messages]
    requirements: NotRequired[list[Requirement]]


class OrchestratorState(OrchestratorInput):
    """What the graph remembers.

    `tasks`, `assignments` and `results` hold every task of the thread, by id. `plan` is what was
    due in the last run, `gaps` what of it nobody can do, and `contributions` who gave what.
    `stop_reason` is `answered` or `incomplete`.
    """

    tasks: NotRequired[Annotated[dict[str, Requirement], merge_by_id]]
    assignments: NotRequired[Annotated[dict[str, Assignment], merge_by_id]]
    results: NotRequired[Annotated[dict[str, StepResult], merge_by_id]]
    plan: NotRequired[Plan]
    gaps: NotRequired[list[Gap]]
    contributions: NotRequired[list[Contribution]]
    stop_reason: NotRequired[str | None]


def create_orchestrator(
    model: str | ChatModel | None = None,
    tools: Sequence[BaseTool | Callable[..., Any]] = (),
    *,
    roles: Sequence[Role] = ROLES,
    members: Mapping[str, str | Runnable[Any, Any]] | None = None,
    embeddings: Embeddings | str = "static",
    threshold: float = 0.4,
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
    name: str | None = "orchestrator",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create an orchestrator that queues tasks to agents, and integrates what they give.

    With a checkpointer, the tasks of a thread stay: later ones may depend on them, the same
    task again is tried again if it failed, and a run that was killed goes on with
    `invoke(None)` without doing a finished task twice. `task_results` tells how they stand,
    also while they run. What fits no role goes to a generalist; a task given as data whose
    capability nobody has fails, and says who is missing.

    Args:
        model: Says what a question requires where no tasks are given, and integrates; also
            that of agents which are not given.
        tools: Of the agents that are not given.
        roles: What agents can do; those of `cogwork.nodes.roles.ROLES` unless given.
        members: Who fills a role, by its name, as `create_team` takes them.
        embeddings: By which capabilities are compared where names do not decide.
        threshold: Least cosine by which a role fits a task.
        prompt: A system prompt for the answer, or a function from the state to messages.
        ladder: What is done about a task that fails; `fallback` goes to the next agent.
        max_concurrency: How many tasks run at the same time, where the run's config says
            nothing else.
        step_timeout: Seconds for one attempt at a task.
        to_input: From a step, and those it depends on with how they went, to the input of
            its agent.
        policy: Which calls of tools are made, ask a person first, or are refused; agents
            that are given have their own. The state then has a key `taint`.
        on_doubt: What to do with a call whose process died in the middle of it.
        audit: Where calls of tools, and decisions about them, are noted.
        max_steps: Steps that a ReAct agent may take for its task.
        tool_timeout: Seconds for one call of a tool that declares none itself.
        context_schema: The type of the run's `context`, for tools and prompts.
        checkpointer: Makes threads durable; see `cogwork.memory.create_checkpointer`.
        store: Long-term memory for the tools.
        name: Name of the graph, also as a node of another one.

    Raises:
        ConfigurationError: An agent has no role, the model is unknown or its key missing, or
            a limit is impossible.
        PlanningError: From a run: there are no tasks, or they cannot be executed.
        ModelError: From a run: the model cannot be reached.

    Examples:
        >>> from cogwork.tools import load_tools
        >>> desk = create_orchestrator("offline", load_tools(["calculator"]))
        >>> done = desk.invoke({"messages": "Compute 6 * 7"})
        >>> done["results"]["1"].status, done["results"]["1"].result
        ('completed', '6 * 7 is 42.')
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
    state: type[Any] = OrchestratorState if policy is None else with_taint(OrchestratorState)
    takes: type[Any] = OrchestratorInput if policy is None else with_taint(OrchestratorInput)
    builder = StateGraph(state, context_schema, input_schema=takes)
    enqueue = make_enqueue(
        chat,
        roles,
        embeddings=space,
        threshold=threshold,
        tools=tools_in_words(tools, roles, members),
    )
    builder.add_node("enqueue", enqueue)
    builder.add_node("execute", execute)
    builder.add_node("synthesize", make_integrate(chat, prompt=prompt))
    builder.add_edge(START, "enqueue")
    builder.add_edge("enqueue", "execute")
    builder.add_edge("execute", "synthesize")
    builder.add_edge("synthesize", END)
    return builder.compile(with_state_types(checkpointer, builder), store=store, name=name)


async def task_results(
    graph: CompiledStateGraph[Any, Any, Any, Any], config: RunnableConfig
) -> dict[str, StepResult]:
    """Return how every task of a thread stands, by id, also while others still run.

    A task is `pending` until it has ended. Another process may ask, over the same database.

    Args:
        graph: The orchestrator, with a checkpointer.
        config: Names the thread.

    Raises:
        ConfigurationError: The graph has no checkpointer.
    """
    saver = graph.checkpointer
    if not isinstance(saver, BaseCheckpointSaver):
        raise ConfigurationError("the orchestrator has no checkpointer; pass checkpointer=…")
    snapshot = await graph.aget_state(config)
    found: dict[str, StepResult] = dict(snapshot.values.get("results") or {})
    saved = await saver.aget_tuple(snapshot.config)
    for each in snapshot.tasks:
        for key, record in (read_records(saved, each.id).results if saved else {}).items():
            name = key.removeprefix("step:")
            if key != name and name in found:  # not a part of a task
                found[name] = StepResult(**record)
    return found
