"""The policy for agents of LangChain's `create_agent` and of deepagents, as a middleware.

Needs the extra `langchain`:

    agent = create_agent(model, tools, middleware=[policy_middleware(Policy(), tools)],
                         checkpointer=…)
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NotRequired, cast

from langchain_core.messages import BaseMessage, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.types import Command

from cogwork.core.bridge import stepped
from cogwork.core.errors import ConfigurationError
from cogwork.tools.base import ToolSpec, as_tools, spec_of
from cogwork.tools.guard import EDITED, Guard
from cogwork.tools.policy import Policy, check_trifecta
from cogwork.tools.taint import (
    SOURCE,
    UNTRUSTED,
    Taint,
    has_read,
    inherited_taint,
    label_of,
    merge_taint,
    reading,
    taint_of,
    tell_taint,
)

if TYPE_CHECKING:
    from langchain.agents.middleware import AgentMiddleware, ToolCallRequest

__all__ = ["policy_middleware"]

Outcome = ToolMessage | Command[Any]


def policy_middleware(
    policy: Policy, tools: Iterable[BaseTool | Callable[..., Any]] = ()
) -> "AgentMiddleware[Any, Any]":
    """Return a middleware that admits calls as the policy says, and keeps the run's taint.

    It stands first in the list of middlewares, so that what the others do with a call is
    done after it was admitted.

    Args:
        policy: Which calls are made, ask a person first, or are refused.
        tools: The agent's; a call of another one is judged as external and untrusted,
            unless the tool that is called says what it is.

    Raises:
        ConfigurationError: The package `langchain` is not installed.
    """
    try:
        from langchain.agents.middleware import AgentMiddleware, AgentState
    except ImportError as error:
        raise ConfigurationError(
            "the middleware needs LangChain; pip install 'cogwork[langchain]'"
        ) from error

    class TaintedAgentState(AgentState[Any]):
        taint: NotRequired[Taint]

    class PolicyMiddleware(AgentMiddleware[Any, Any]):
        """Admits calls as a policy says."""

        state_schema = TaintedAgentState

        def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
            tell_taint(request.state)
            return handler(request)

        async def awrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
            tell_taint(request.state)
            return await handler(request)

        def wrap_tool_call(
            self, request: "ToolCallRequest", handler: Callable[["ToolCallRequest"], Outcome]
        ) -> Outcome:
            async def made(admitted: "ToolCallRequest") -> Outcome:
                return handler(admitted)

            return stepped(_watched(watch, request, made), "policy middleware")

        async def awrap_tool_call(
            self,
            request: "ToolCallRequest",
            handler: Callable[["ToolCallRequest"], Awaitable[Outcome]],
        ) -> Outcome:
            return await _watched(watch, request, handler)

    known = as_tools([*tools])
    check_trifecta(known, policy)
    watch = _Watch(policy, {tool.name: tool for tool in known})
    return PolicyMiddleware()


class _Watch:
    def __init__(self, policy: Policy, tools: dict[str, BaseTool]) -> None:
        self.policy = policy
        self.tools = tools
        self.specs = {name: spec_of(tool) for name, tool in tools.items()}

    def spec(self, name: str, tool: BaseTool | None) -> ToolSpec:
        """What is known of a tool; of one that is not, the worst."""
        if tool is not None:
            return spec_of(tool)
        return self.specs.get(name, ToolSpec())


async def _watched(
    watch: _Watch,
    request: "ToolCallRequest",
    handler: Callable[["ToolCallRequest"], Awaitable[Outcome]],
) -> Outcome:
    """The outcome of a call that was admitted, labelled; or what is said in its place."""
    call = request.tool_call
    specs = {**watch.specs, call["name"]: watch.spec(call["name"], request.tool)}
    guard = Guard(watch.policy, specs)
    taint = merge_taint(taint_of(request.state, guard.trusted), inherited_taint())
    admitted = await guard.admit(call, taint, request.runtime.config)
    if isinstance(admitted, ToolMessage):
        return admitted
    note = ""
    if admitted is not call:
        tool = request.tool if admitted["name"] == call["name"] else watch.tools[admitted["name"]]
        request = request.override(tool_call=cast("Any", admitted), tool=cast("Any", tool))
        note = EDITED.format(name=admitted["name"], args=admitted["args"])
    with reading(taint) as found:
        outcome = await handler(request)
    return _labelled(outcome, specs[admitted["name"]], admitted["name"], found, note)


def _labelled(
    outcome: Outcome, spec: ToolSpec, name: str, found: Iterable[str], note: str
) -> Outcome:
    """The outcome, its messages labelled, and with what it taints the state."""
    update: Any = {"messages": [outcome]} if isinstance(outcome, ToolMessage) else outcome.update
    said = update.get("messages") or () if isinstance(update, dict) else ()
    messages = [message for message in said if isinstance(message, BaseMessage)]
    labels = [message.response_metadata.get(SOURCE) for message in messages]
    sources = sorted({name, *found} if spec.is_untrusted or UNTRUSTED in labels else {*found})
    has_read(*sources)
    for message in messages:
        message.response_metadata = {**message.response_metadata, **label_of(sources)}
        if note and isinstance(message, ToolMessage) and isinstance(message.content, str):
            message.content = note + message.content
    if not sources or not isinstance(update, dict):
        return outcome
    if isinstance(outcome, ToolMessage):
        return Command(update={**update, "taint": sources})
    return outcome if outcome.graph else replace(outcome, update={**update, "taint": sources})
