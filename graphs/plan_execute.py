"""Plan-and-Solve: plan, check, execute as dependencies allow, recover, replan, answer.

Source: Wang et al., "Plan-and-Solve Prompting" (2023), with execution as a graph of
dependencies instead of a list, as in Kim et al., "An LLM Compiler for Parallel Function
Calling" (2024).
"""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NotRequired

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
from cogwork.graphs.react import create_react_agent
from cogwork.memory import with_state_types
from cogwork.nodes.approval import make_approve
from cogwork.nodes.execution import make_execute
from cogwork.nodes.plan import Plan, StepResult
from cogwork.nodes.planners import make_model_planner, remember_plan, with_examples
from cogwork.nodes.planning import Planner, make_plan, make_review
from cogwork.nodes.recovery import DEFAULT_LADDER, Rung
from cogwork.nodes.step import OnDoubt, Recompose
from cogwork.nodes.synthesis import make_synthesize
from cogwork.nodes.thought import Prompt
from cogwork.tools.audit import AuditLog
from cogwork.tools.base import as_tools
from cogwork.tools.policy import Policy, check_trifecta
from cogwork.tools.taint import with_taint

__all__ = ["PlanExecuteInput", "PlanExecuteState", "create_plan_execute_agent"]


class PlanExecuteInput(TypedDict):
    """What the graph takes."""

    messages: Messages


class PlanExecuteState(PlanExecuteInput):
    """What the graph remembers.

    `plan` is the last plan and `results` how its steps went, by id; `earlier` holds plans
    of this question that failed. `plan_taint` names the untrusted sources that had been read
    when the plan was made. `stop_reason` is `answered`, `incomplete` (steps failed),
    `planned` (with `plan_only`) or `rejected`.
    """

    plan: NotRequired[Plan]
    results: NotRequired[dict[str, StepResult]]
    plan_taint: NotRequired[list[str]]
    earlier: NotRequired[list[tuple[Plan, dict[str, StepResult]]]]
    feedback: NotRequired[str | None]
    stop_reason: NotRequired[str | None]


def create_plan_execute_agent(
    model: str | ChatModel | None = None,
    tools: Sequence[BaseTool | Callable[..., Any]] = (),
    *,
    planner: Planner | None = None,
    agent: Runnable[Any, Any] | None = None,
    prompt: Prompt | None = None,
    plan_only: bool = False,
    approve: bool = False,
    max_replans: int = 1,
    max_cost: float | None = None,
    ladder: Sequence[Rung] = DEFAULT_LADDER,
    alternatives: Mapping[str, Sequence[str | BaseTool | Runnable[Any, Any]]] | None = None,
    recompose: Recompose | None = None,
    on_doubt: OnDoubt = "ask",
    policy: Policy | None = None,
    audit: AuditLog | None = None,
    max_steps: int = 10,
    tool_timeout: float | None = None,
    step_timeout: float | None = None,
    context_schema: type[Any] | None = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    examples: tuple[str, ...] | None = None,
    name: str | None = "plan",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create an agent that plans, executes the plan, and answers from the results.

    The result's `plan` and `results` tell every step's status, result, error, attempts and
    times. A run that was killed goes on with `invoke(None)`: no finished step runs again.
    Eight steps run at the same time, or as many as `max_concurrency` of the run's config.

    Args:
        model: A chat model, a name such as `"openai:gpt-5.5"`, or `None` for the one that
            the settings name.
        tools: LangChain tools, or functions with a docstring.
        planner: Makes the plans; the model does unless given (see `cogwork.nodes.planners`).
        agent: Does steps that name no tool; a ReAct agent with the same model and tools
            unless given.
        prompt: A system prompt for the answer, or a function from the state to messages.
        plan_only: Whether to stop when there is a plan.
        approve: Whether a person is asked before a plan runs.
        max_replans: How often a new plan is made when steps have failed for good, unless the
            effect of one may have happened all the same.
        max_cost: What all steps of a plan may be estimated to cost.
        ladder: What is done about a step that fails.
        alternatives: What to fall back to, by the name of a tool or the id of a step.
        recompose: Splits a step that failed.
        on_doubt: What to do with a call whose process died in the middle of it.
        policy: Which calls of tools are made, ask a person first, or are refused; an `agent`
            that is given has its own. The state then has a key `taint`.
        audit: Where calls of tools, and decisions about them, are noted.
        max_steps: Steps that the ReAct agent may take for one free task.
        tool_timeout: Seconds for one call of a tool that declares none itself.
        step_timeout: Seconds for one attempt at a free task.
        context_schema: The type of the run's `context`, for tools and prompts.
        checkpointer: Makes threads durable; see `cogwork.memory.create_checkpointer`.
        store: Long-term memory for the tools, and for `examples`.
        examples: The namespace in the store under which plans that worked are remembered,
            and looked up for similar goals. Their goals are shown to whoever asks next, so
            give each user a namespace; None for no memory of plans. Plans that were made in
            a tainted run are not remembered.
        name: Name of the graph, also as a node of another one.

    Raises:
        ConfigurationError: The model is unknown or its key missing, what is given as a tool
            is none, or a limit is impossible.
        PlanningError: From a run: there is no valid plan; every fault is named.
        ModelError: From a run: the model cannot be reached.
    """
    if max_replans < 0:
        raise ConfigurationError(f"max_replans is {max_replans}; it must be 0 or more")
    chat = create_chat_model(model)
    ready = as_tools(tools)
    if policy is not None and agent is not None:  # else the agent made below is checked
        check_trifecta(ready, policy)
    doer = agent or create_react_agent(
        chat,
        ready,
        max_steps=max_steps,
        tool_timeout=tool_timeout,
        context_schema=context_schema,
        policy=policy,
        on_doubt=on_doubt,
        audit=audit,
    )
    execute = make_execute(
        ready,
        doer,
        ladder=ladder,
        alternatives=alternatives,
        recompose=recompose,
        tool_timeout=tool_timeout,
        step_timeout=step_timeout,
        on_doubt=on_doubt,
        policy=policy,
        audit=audit,
    )
    state: type[Any] = PlanExecuteState if policy is None else with_taint(PlanExecuteState)
    takes: type[Any] = PlanExecuteInput if policy is None else with_taint(PlanExecuteInput)
    builder = StateGraph(state, context_schema, input_schema=takes)
    plans, remember = _with_memory(planner or make_model_planner(chat), store, examples)
    after_plan, planned = (END, "planned") if plan_only else ("execute", None)
    builder.add_node(
        "plan",
        make_plan(plans, ready, max_cost=max_cost, stop_reason=None if approve else planned),
    )
    builder.add_edge(START, "plan")
    ways: dict[Hashable, str] = {"run": "approve" if approve else after_plan}
    if approve:
        builder.add_node("approve", make_approve(ready, max_cost=max_cost, stop_reason=planned))
        builder.add_conditional_edges(
            "approve",
            route_after_approve,
            {"run": after_plan, "respond": "plan", "reject": END},
        )
    if not plan_only:
        builder.add_node("execute", execute)
        builder.add_node("review", make_review(max_replans, remember=remember))
        builder.add_node("synthesize", make_synthesize(chat, prompt=prompt))
        builder.add_edge("execute", "review")
        builder.add_conditional_edges(
            "review", route_after_review, {"replan": "plan", "answer": "synthesize"}
        )
        builder.add_edge("synthesize", END)
        ways["answer"] = "synthesize"
    builder.add_conditional_edges("plan", route_after_plan, ways)
    return builder.compile(
        with_state_types(checkpointer, builder),
        store=store,
        name=name,
    )


def _with_memory(
    planner: Planner, store: BaseStore | None, examples: tuple[str, ...] | None
) -> tuple[Planner, Callable[..., Awaitable[Any]] | None]:
    """The planner with plans that worked as examples, and what remembers them."""
    if examples is None:
        return planner, None
    if store is None:
        raise ConfigurationError("examples need a store to be remembered in; pass store=…")
    return with_examples(planner, store, examples), partial(remember_plan, store, examples)


def route_after_plan(state: PlanExecuteState) -> Literal["run", "answer"]:
    """Answer from what there is when no better plan was found."""
    return "answer" if state.get("stop_reason") == "incomplete" else "run"


def route_after_approve(state: PlanExecuteState) -> Literal["run", "respond", "reject"]:
    """Go on as the person decided."""
    if state.get("stop_reason") == "rejected":
        return "reject"
    return "respond" if state.get("feedback") else "run"


def route_after_review(state: PlanExecuteState) -> Literal["replan", "answer"]:
    """Plan again, or answer from what there is."""
    return "replan" if state.get("stop_reason") == "replan" else "answer"
