"""A registered graph, built as the settings say, for the command line and the server."""

import inspect
from collections.abc import Sequence
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from cogwork.core.models import create_chat_model
from cogwork.core.settings import Settings
from cogwork.graphs.registry import graphs
from cogwork.tools.audit import AuditLog
from cogwork.tools.policy import load_policy
from cogwork.tools.registry import default_tools, load_tools

__all__ = ["build_graph"]


def build_graph(
    name: str,
    settings: Settings,
    tools: Sequence[str] | None = None,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Build a graph by name.

    Of the settings a factory is given those that it has a parameter for.

    Args:
        name: A registered graph's.
        settings: The model, the tools' root, limits, policy and audit log.
        tools: Names of tools; those that are not optional unless given.
        checkpointer: Keeps the threads.

    Raises:
        UnknownNameError: There is no such graph or tool.
        ConfigurationError: The model or the policy is wrong.
    """
    factory = graphs.get(name)
    key = settings.audit_key
    options: dict[str, Any] = {
        "max_steps": settings.max_steps,
        "tool_timeout": settings.tool_timeout,
        "policy": load_policy(settings.policy),
        "audit": AuditLog(settings.audit_log, key=key.get_secret_value() if key else None),
        "checkpointer": checkpointer,
    }
    taken = inspect.signature(factory).parameters
    takes_all = any(each.kind is each.VAR_KEYWORD for each in taken.values())
    return factory(
        create_chat_model(settings=settings),
        load_tools(tools or default_tools(), root=settings.root),
        **{name: value for name, value in options.items() if takes_all or name in taken},
    )
