"""ReAct: think, act, observe, until the model answers.

                    no call          ┌─────────┐
    START ─▶ think ─────────────────▶│   END   │
               ▲ ╲ one Send a call   └─────────┘
               │  ▼
        observe ◀─ act

Each call of a turn is a task of its own: calls run in parallel, a finished one is not run
again when the run is resumed, and each may interrupt. `observe` says when to stop; then `think`
answers one last time, with no tools bound, from what was found.

Yao et al. (2022), ReAct: Synergizing Reasoning and Acting in Language Models,
https://arxiv.org/abs/2210.03629
"""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, Literal, NotRequired

from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool
from langgraph.cache.base import BaseCache
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Checkpointer, RetryPolicy, Send
from typing_extensions import TypedDict

from cogwork.core.errors import ConfigurationError
from cogwork.core.messages import Messages
from cogwork.core.models import ChatModel, broke_off, create_chat_model
from cogwork.core.structured import Schema
from cogwork.memory import with_state_types
from cogwork.nodes.action import make_act
from cogwork.nodes.history import tool_calls_of
from cogwork.nodes.observation import make_observe
from cogwork.nodes.response import make_respond
from cogwork.nodes.thought import Prompt, make_think
from cogwork.tools.audit import AuditLog
from cogwork.tools.base import as_tools
from cogwork.tools.discovery import ToolRegistry, as_needed
from cogwork.tools.effects import OnDoubt
from cogwork.tools.policy import Policy, check_trifecta
from cogwork.tools.taint import with_taint

__all__ = ["ReactInput", "ReactState", "StructuredReactState", "create_react_agent"]

StopReason = Literal["answered", "step_limit", "no_progress"]


class ReactInput(TypedDict):
    """What a run is given."""

    messages: Messages


class ReactState(TypedDict):
    """What a thread remembers."""

    messages: Messages
    stop_reason: NotRequired[StopReason | None]


class StructuredReactState(ReactState):
    """What it remembers besides when there is a `response_format`."""

    structured_response: NotRequired[Any]


def route_after_think(answer: AIMessage, done: str) -> list[Send] | str:
    """Send each call to `act`; without calls the thought is the answer."""
    return [Send("act", call) for call in tool_calls_of(answer)] or done


def route_after_observe(state: ReactState) -> Literal["on", "answered"]:
    """Go on, unless the result of a `return_direct` tool is the answer."""
    return "answered" if state.get("stop_reason") == "answered" else "on"


def create_react_agent(
    model: str | ChatModel | None = None,
    tools: Sequence[BaseTool | Callable[..., Any]] | ToolRegistry = (),
    *,
    prompt: Prompt | None = None,
    response_format: Schema | None = None,
    max_steps: int = 10,
    max_repeats: int = 3,
    max_history_tokens: int = 100_000,
    tool_timeout: float | None = None,
    max_tool_output: int = 20_000,
    policy: Policy | None = None,
    on_doubt: OnDoubt = "ask",
    audit: AuditLog | None = None,
    state_schema: type[Any] | None = None,
    context_schema: type[Any] | None = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    cache: BaseCache[Any] | None = None,
    interrupt_before: list[str] | None = None,
    interrupt_after: list[str] | None = None,
    debug: bool = False,
    name: str | None = "react",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create an agent that reasons and acts in turns until it can answer.

    The result's `messages` hold the whole thread, `stop_reason` says why the loop ended
    (`answered`, `step_limit` or `no_progress`), and `cogwork.nodes.trace` reads the steps.

    Args:
        model: A chat model, a name such as `"openai:gpt-5.5"`, or `None` for the one that
            the settings name. (Limits do not come from the settings here; the command
            line and the server pass them on.)
        tools: LangChain tools, or functions with a docstring. The result of a tool with
            `return_direct` is the answer.
        prompt: A system prompt, or a function from the state to the messages to send.
        response_format: A schema; the answer is then also given in `structured_response`.
        max_steps: Steps (one thought with its calls) that one question may take.
        max_repeats: How often one question may meet the same call with the same result.
        max_history_tokens: How much history the model is shown, in estimated tokens.
        tool_timeout: Seconds for one attempt at a tool that declares none itself; `None`
            for no limit.
        max_tool_output: Characters of a tool's result that are kept.
        policy: Which calls of tools are made, ask a person first, or are refused. The state
            then has a key `taint` that names the untrusted sources which the thread has
            read. `None` makes every call.
        on_doubt: What to do with a call that changes something and was cut off when its
            process died: `ask` a person, `retry`, or `fail`.
        audit: Where calls of tools, and decisions about them, are noted.
        state_schema: A `TypedDict` with the keys of `ReactState` (of `StructuredReactState`
            with a `response_format`) and more for your tools.
        context_schema: The type of the run's `context`, for tools and prompts.
        checkpointer: Makes threads durable; see `cogwork.memory.create_checkpointer`.
        store: Long-term memory for the tools.
        cache: Cache for nodes that have a cache policy.
        interrupt_before: Nodes before which a run stops for a person.
        interrupt_after: Nodes after which a run stops for a person.
        debug: Whether LangGraph prints each super-step.
        name: Name of the graph, also as a node of another one.

    Raises:
        ConfigurationError: The model is unknown, its key is missing, or it cannot call
            tools; what is given as a tool is none, or two have one name; or a limit is
            not positive.
        ModelError: From a run: the model cannot be reached or answers nothing usable.

    Examples:
        >>> from cogwork.tools import load_tools
        >>> agent = create_react_agent("offline", load_tools(["calculator"]))
        >>> agent.invoke({"messages": "What is 6 * 7?"})["messages"][-1].text
        '6 * 7 is 42.'
    """
    _check(
        max_steps=max_steps,
        max_repeats=max_repeats,
        max_history_tokens=max_history_tokens,
        tool_timeout=tool_timeout,
        max_tool_output=max_tool_output,
    )
    chat = create_chat_model(model)
    ready = tools if isinstance(tools, ToolRegistry) else as_tools(tools)
    state, takes = _schemas(state_schema, response_format, policy)
    if policy is not None and not isinstance(ready, ToolRegistry):
        check_trifecta(ready, policy)
    done = "respond" if response_format else END
    # A client retries a call that did not begin, and nothing that broke off.
    retry = RetryPolicy(retry_on=broke_off, max_attempts=2)

    builder = StateGraph(state, context_schema, input_schema=takes)
    think = make_think(
        chat,
        as_needed(ready) if isinstance(ready, ToolRegistry) else ready,
        prompt=prompt,
        max_history_tokens=max_history_tokens,
        route=partial(route_after_think, done=done),
    )
    ends = {"act": "calls", done: "answer"} if ready else {done: "answer"}
    builder.add_node("think", think, retry_policy=retry, destinations=ends)
    builder.add_edge(START, "think")
    if ready:
        direct = _direct(ready)
        act = make_act(
            ready,
            timeout=tool_timeout,
            max_output=max_tool_output,
            policy=policy,
            on_doubt=on_doubt,
            audit=audit,
        )
        builder.add_node("act", act)
        builder.add_node(
            "observe",
            make_observe(max_steps=max_steps, max_repeats=max_repeats, return_direct=direct),
        )
        builder.add_edge("act", "observe")
        if direct:
            ways: dict[Hashable, str] = {"on": "think", "answered": done}
            builder.add_conditional_edges("observe", route_after_observe, ways)
        else:
            builder.add_edge("observe", "think")
    if response_format:
        respond = make_respond(
            chat, response_format, prompt=prompt, max_history_tokens=max_history_tokens
        )
        builder.add_node("respond", respond, retry_policy=retry)
        builder.add_edge("respond", END)
    graph = builder.compile(
        with_state_types(checkpointer, builder, response_format),
        store=store,
        cache=cache,
        interrupt_before=interrupt_before,
        interrupt_after=interrupt_after,
        debug=debug,
        name=name,
    )
    # LangGraph's limit counts super-steps, three a step here; ours counts steps.
    return graph.with_config(recursion_limit=3 * max_steps + 10)


def _direct(tools: Sequence[BaseTool] | ToolRegistry) -> set[str]:
    """Names of the tools whose result is the answer."""
    if isinstance(tools, ToolRegistry):
        return {entry.name for entry in tools if entry.metadata.get("return_direct")}
    return {each.name for each in tools if each.return_direct}


def _schemas(
    given: type[Any] | None, response_format: Schema | None, policy: Policy | None
) -> tuple[type[Any], type[Any]]:
    """Those of the state and of the input."""
    state = given or (StructuredReactState if response_format else ReactState)
    takes = given or ReactInput
    return (state, takes) if policy is None else (with_taint(state), with_taint(takes))


def _check(**limits: float | None) -> None:
    for name, value in limits.items():
        if value is not None and value <= 0:
            raise ConfigurationError(f"{name} is {value}; it must be more than 0")
