"""Whose memories a run works on: its store, and the user that it runs for."""

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.runtime import Runtime, get_runtime
from langgraph.store.base import BaseStore

from cogwork.core.errors import ConfigurationError
from cogwork.memory.namespaces import user_namespace
from cogwork.memory.recall import Memories
from cogwork.tools.memory import make_memory_tools

__all__ = ["memory_tools", "open_memories", "user_of"]


def open_memories(
    config: RunnableConfig,
    *,
    user: str | None = None,
    agent: str | None = None,
    store: BaseStore | None = None,
) -> Memories:
    """Return the memories of the user that a run is for.

    Args:
        config: Of the run.
        user: Whose memories; `user_of` the run unless given.
        agent: Whose view of the user; None for what all agents share.
        store: Where they are; the graph's own unless given.

    Raises:
        ConfigurationError: The run names no user, or there is no store.
    """
    runtime = _runtime()
    kept_in = store or (runtime.store if runtime else None)
    if kept_in is None:
        raise ConfigurationError("there is no store for memories; compile the graph with store=…")
    return Memories(kept_in, user_namespace(user or user_of(config), agent))


def user_of(config: RunnableConfig) -> str:
    """Return the user that a run is for.

    The user that LangGraph's server authenticated; without one, `user_id` of the run's
    context; without that, `user_id` in the config's `configurable`.

    Raises:
        ConfigurationError: None of them names a user; memories are never shared by default.
    """
    configurable = config.get("configurable") or {}
    runtime = _runtime()
    server = runtime.server_info if runtime else None
    named = (  # a server that authenticates nobody gives an empty identity
        (server.user.identity if server and server.user else None) or None,
        configurable.get("langgraph_auth_user_id") or None,
        _field(runtime.context if runtime else None),
        configurable.get("user_id"),
    )
    user = next((name for name in named if name is not None), None)
    if user is None:
        raise ConfigurationError(
            "the run names no user to remember for; pass config={'configurable': "
            "{'user_id': …}} or context={'user_id': …}, or make the node with user=…"
        )
    return str(user)


def memory_tools(
    *, user: str | None = None, agent: str | None = None, store: BaseStore | None = None
) -> list[BaseTool]:
    """Return the tools `remember`, `recall` and `forget` on the memories of a run's user.

    Args:
        user: Whose memories; the user of the run unless given.
        agent: Whose view of the user; None for what all agents share.
        store: Where they are; the graph's own unless given.
    """
    return make_memory_tools(
        lambda config: open_memories(config, user=user, agent=agent, store=store).semantic
    )


def _runtime() -> Runtime[Any] | None:
    try:
        return get_runtime()
    except (RuntimeError, KeyError):  # not called from within a run
        return None


def _field(context: Any) -> Any:
    if isinstance(context, Mapping):
        return context.get("user_id")
    return getattr(context, "user_id", None)
