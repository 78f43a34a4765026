"""The thought of a ReAct loop: the model looks at what is known and decides what to do."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
)
from langchain_core.runnables import RunnableBinding, RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.types import Command, Send

from cogwork.core.bridge import Node, node
from cogwork.core.errors import ConfigurationError, ModelError
from cogwork.core.json_text import unkeepable
from cogwork.core.models import ChatModel, ask_model
from cogwork.nodes.history import FROM_TOOL, UNKEPT, bound_history, tool_calls_of
from cogwork.tools.taint import labelled

__all__ = ["Goto", "Prompt", "ToolsFor", "make_think", "with_prompt"]

Prompt: TypeAlias = str | SystemMessage | Callable[[Any], str | Sequence[AnyMessage]]
"""A system prompt, or a function from the state to one, or to all the messages to send."""

ToolsFor: TypeAlias = Callable[[Sequence[AnyMessage]], Sequence[BaseTool]]
"""From a history to the tools that the model is shown."""

Goto: TypeAlias = Sequence[Send | str] | Send | str
"""Where a graph goes on: node names, or `Send`s to them."""

_CONCLUDE = {
    "step_limit": "The step limit is reached and no tool can be called any more.",
    "no_progress": "The same call gave the same result again and again, so no tool can be "
    "called any more.",
}
_ANSWER_NOW = (
    "Answer the question now, only from what was found above; say what is missing, if anything."
)
_EMPTY = "Your last message was empty. Answer the question, or call a tool."
_NO_TOOLS = "Your last message was empty, and there are no tools. Answer the question."


def make_think(
    model: ChatModel,
    tools: Sequence[BaseTool] | ToolsFor = (),
    *,
    prompt: Prompt | None = None,
    max_history_tokens: int = 100_000,
    route: Callable[[AIMessage], Goto] | None = None,
) -> Node:
    """Make the node that asks the model what to do next.

    When the state has a `stop_reason`, the model is asked one last time, with no tools
    bound, to answer from what was found. An empty message is asked about once. Where there are
    no tools, a call of one is no answer.

    Args:
        model: Any LangChain chat model.
        tools: What the model may call, or a function from the history to it.
        prompt: A system prompt, or a function from the state to the messages to send.
        max_history_tokens: How much history the model is shown, in estimated tokens.
        route: Says from the answer where the graph goes on; without it, the graph's edges do.

    Raises:
        ConfigurationError: The model cannot call tools.
        ModelError: From the node: the model cannot be reached, or answers nothing twice.
    """
    bound = _binding(model, tools)
    # A model that is bound already has tools of its own, which whoever bound it calls.
    has_tools = callable(tools) or bool(tools) or isinstance(model, RunnableBinding)

    @node
    async def think(state: Any, config: RunnableConfig) -> dict[str, Any] | Command[Any]:
        """Ask the model for a tool call or an answer.

        Reads: messages, stop_reason, taint
        Writes: messages, stop_reason
        """
        stopped = _stop_reason(state)
        history = bound_history(state["messages"], max_history_tokens)
        sent = with_prompt(prompt, state, history)
        if stopped:
            sent.append(HumanMessage(f"{_CONCLUDE.get(stopped, stopped)} {_ANSWER_NOW}"))
        asked = model if stopped else bound(state["messages"])
        answer = await _ask(asked, sent, config, has_tools=has_tools)
        if stopped:
            answer = _without_calls(answer, stopped)
        answer = labelled(answer, state)
        update: dict[str, Any] = {"messages": [answer]}
        if not tool_calls_of(answer):
            update["stop_reason"] = stopped or "answered"
        return Command(update=update, goto=route(answer)) if route else update

    return think


async def _ask(
    model: ChatModel, sent: list[AnyMessage], config: RunnableConfig, *, has_tools: bool
) -> AIMessage:
    again = _EMPTY if has_tools else _NO_TOOLS
    for messages in (sent, [*sent, HumanMessage(again)]):
        answer = await ask_model(model, messages, config)
        if not isinstance(answer, AIMessage):
            raise ModelError(
                f"the model answered with {type(answer).__name__} in place of an AIMessage; "
                "pass a chat model"
            )
        if not has_tools and tool_calls_of(answer):  # nobody would answer these calls
            answer = AIMessage(answer.text, id=answer.id, usage_metadata=answer.usage_metadata)
        if answer.text.strip() or tool_calls_of(answer):
            return _with_call_ids(_keepable(answer))
    raise ModelError(
        "the model answered with an empty message, twice; try another model, "
        "or a smaller max_history_tokens"
    )


def _keepable(answer: AIMessage) -> AIMessage:
    """What no checkpointer can hold of the arguments is left out, and the call is invalid."""
    faults = [unkeepable(call["args"]) for call in answer.tool_calls]
    if not any(faults):
        return answer
    calls = list(zip(answer.tool_calls, faults, strict=True))
    lost = [
        InvalidToolCall(
            name=call["name"],
            args="",
            id=call["id"],
            error=f"{UNKEPT}{fault}",
            type="invalid_tool_call",
        )
        for call, fault in calls
        if fault
    ]
    update: dict[str, Any] = {
        "tool_calls": [call for call, fault in calls if not fault],
        "invalid_tool_calls": [*answer.invalid_tool_calls, *lost],
    }
    if unkeepable(answer.content):  # some providers repeat the calls there
        update["content"] = answer.text
    return answer.model_copy(update=update)


def _with_call_ids(answer: AIMessage) -> AIMessage:
    """Every call with an id of its own; some servers give none, or the same to all."""
    ids = [call["id"] for call in tool_calls_of(answer)]
    if all(ids) and len(set(ids)) == len(ids):
        return answer
    named = [
        {**call, "id": f"{call['id'] or 'call'}-{place}"}
        for place, call in enumerate(tool_calls_of(answer))
    ]
    valid = len(answer.tool_calls)
    return answer.model_copy(
        update={"tool_calls": named[:valid], "invalid_tool_calls": named[valid:]}
    )


def _stop_reason(state: Any) -> str | None:
    """Why this turn must conclude; what an earlier turn left behind does not count."""
    messages = state["messages"]
    if not messages or not (
        messages[-1].type == "tool" or FROM_TOOL in messages[-1].response_metadata
    ):
        return None
    reason: str | None = state.get("stop_reason")
    return reason


def with_prompt(prompt: Prompt | None, state: Any, history: list[AnyMessage]) -> list[AnyMessage]:
    """The messages to send: the history behind the prompt, or what the prompt makes of both."""
    if prompt is None:
        return history
    if isinstance(prompt, str):
        return [SystemMessage(prompt), *history]
    if isinstance(prompt, BaseMessage):
        return [prompt, *history]
    made = prompt({**state, "messages": history})
    return [SystemMessage(made), *history] if isinstance(made, str) else list(made)


def _without_calls(answer: AIMessage, stopped: str) -> AIMessage:
    """The last answer calls nothing; a model that tries to has not really answered."""
    if not tool_calls_of(answer):
        return answer
    said = f"{answer.text.strip()}\n{_CONCLUDE.get(stopped, stopped)} There is no answer."
    return AIMessage(said.strip(), id=answer.id, usage_metadata=answer.usage_metadata)


def _binding(
    model: ChatModel, tools: Sequence[BaseTool] | ToolsFor
) -> Callable[[Sequence[AnyMessage]], ChatModel]:
    """The model with the tools for a history."""
    if not callable(tools):
        always = _bind(model, tools) if tools else model
        return lambda _: always
    kept: dict[tuple[str, ...], ChatModel] = {}

    def bound(messages: Sequence[AnyMessage]) -> ChatModel:
        chosen = tools(messages)
        names = tuple(each.name for each in chosen)
        if names not in kept:
            kept.clear()  # the next thought mostly has the same
            kept[names] = _bind(model, chosen)
        return kept[names]

    return bound


def _bind(model: ChatModel, tools: Sequence[BaseTool]) -> ChatModel:
    try:
        bound: ChatModel = model.bind_tools(tools)  # type: ignore[attr-defined]  # fallbacks forward it
    except (AttributeError, NotImplementedError) as error:
        raise ConfigurationError(
            f"{type(model).__name__} cannot call tools (it has no bind_tools); "
            "choose a model that can, or pass no tools"
        ) from error
    return bound
