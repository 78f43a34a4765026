"""A registered graph, built as the settings say, for the command line and the server."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore

from cogwork.core.errors import ConfigurationError
from cogwork.core.models import create_chat_model
from cogwork.core.settings import Settings
from cogwork.graphs.registry import graphs
from cogwork.tools.audit import AuditLog
from cogwork.tools.policy import load_policy
from cogwork.tools.registry import default_tools, load_tools

__all__ = ["LOCAL_USER", "build_graph", "open_memories_of", "require_options"]

LOCAL_USER: Final = "local"
"""Whose memories the command line works on, unless told otherwise."""

_OF_FEW: Final = ("corpus", "depth")  # options that most graphs have no use for


@contextmanager
def open_memories_of(name: str, settings: Settings) -> Iterator[BaseStore | None]:
    """Open the memories that the settings name, if a graph works on a user's; else None.

    Raises:
        UnknownNameError: There is no such graph.
        MemoryStoreError: Another process owns the memories, or they are damaged.
    """
    if "user" not in inspect.signature(graphs.get(name)).parameters:
        yield None
        return
    from cogwork.core.embeddings import create_embeddings
    from cogwork.memory.store import ChromaStore

    embeddings = create_embeddings(settings=settings)
    with ChromaStore(settings.store, embeddings=embeddings, chroma=settings.chroma) as store:
        yield store


def build_graph(
    name: str,
    settings: Settings,
    tools: Sequence[str] | None = None,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
    store: BaseStore | None = None,
    *,
    prompt: str | None = None,
    depth: str | None = None,
    context_schema: type[Any] | None = None,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Build a graph by name.

    Of the settings a factory is given those that it has a parameter for.

    Args:
        name: A registered graph's.
        settings: The model, the tools' root, the corpus, limits, policy and audit log.
        tools: Names of tools; those that are not optional unless given.
        checkpointer: Keeps the threads.
        store: Keeps the memories of the user `local` (see `open_memories_of`).
        prompt: A system prompt, for graphs that take one.
        depth: How thoroughly, for graphs that look things up.
        context_schema: The type of the run's `context`.

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
        "prompt": prompt,
        "context_schema": context_schema,
    }
    if store is not None:
        options |= {"store": store, "user": LOCAL_USER}
    options |= {"corpus": settings.corpus, "depth": depth}
    named = inspect.signature(factory).parameters
    return factory(
        create_chat_model(settings=settings),
        load_tools(tools or default_tools(), root=settings.root, settings=settings),
        **{
            option: value
            for option, value in options.items()
            if option in named or (value is not None and _takes(factory, option))
        },
    )


def require_options(name: str, given: Mapping[str, Any]) -> None:
    """Refuse options of the command line that a graph would ignore.

    Args:
        name: A registered graph's.
        given: What was chosen, by parameter of graph factories; None for what was not.

    Raises:
        UnknownNameError: There is no such graph.
        ConfigurationError: It does not take one of these; the graphs that do are named.
    """
    for option, value in given.items():
        if value is None or _takes(graphs.get(name), option):
            continue
        others = [each for each in graphs.names() if _takes(graphs.get(each), option)]
        raise ConfigurationError(
            f"graph '{name}' has no use for --{option.replace('_', '-')}; leave it out, or run "
            f"one that has: {', '.join(others)}"
        )


def _takes(factory: Callable[..., Any], option: str) -> bool:
    """Whether a graph has the option; one that takes all for another is not taken at its word."""
    named = inspect.signature(factory).parameters
    takes_all = any(each.kind is each.VAR_KEYWORD for each in named.values())
    return option in named or (takes_all and option not in _OF_FEW)
