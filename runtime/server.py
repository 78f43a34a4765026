"""What LangGraph's server serves; `langgraph.json` names these functions.

The model, the tools' root, the limits, the policy, the audit log, and where threads and
memories are kept come from the settings. What an assistant may say of itself is the
`context` of its graph: its model, its tools, its prompt and its steps, and never more than the
settings allow.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any, TypeAlias

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph_sdk.runtime import ServerRuntime

from cogwork.core.settings import Settings, load_settings
from cogwork.graphs.registry import graphs
from cogwork.runtime.building import build_graph
from cogwork.runtime.serving import AssistantContext, context_schema, read_context

__all__ = [
    "assistant",
    "checkpointer",
    "debate",
    "ensemble",
    "hierarchical",
    "negotiation",
    "orchestrator",
    "plan",
    "react",
    "reflexion",
    "research",
    "store",
    "team",
]

Graph: TypeAlias = CompiledStateGraph[Any, Any, Any, Any]
_ASSISTANTS = 64  # whose graphs are kept


def _serving(name: str) -> Callable[[ServerRuntime[Any]], Awaitable[Graph]]:
    """The function by which the server gets a graph."""

    async def serve(runtime: ServerRuntime[Any]) -> Graph:
        running = runtime.execution_runtime
        context = read_context(name, running and running.context, _settings())
        # Settings are read from a file and providers are imported: not on the server's loop.
        return await asyncio.to_thread(_build, name, context)

    return serve


@cache
def _settings() -> Settings:
    return load_settings()


@lru_cache(maxsize=_ASSISTANTS)
def _build(name: str, context: AssistantContext) -> Graph:
    given = context.model_dump(exclude_none=True)
    settings = _settings().model_copy(
        update={key: given[key] for key in ("model", "max_steps") if key in given}
    )
    return build_graph(
        name,
        settings,
        given.get("tools"),
        prompt=given.get("prompt"),
        depth=given.get("depth"),
        context_schema=context_schema(name),
    )


def checkpointer() -> BaseCheckpointSaver[Any]:
    """Return the checkpointer of the settings, for `checkpointer.path` in `langgraph.json`.

    The server puts it into every graph, so it allows the types of all their states.
    """
    from cogwork.memory import create_checkpointer, with_state_types

    settings = _settings()
    made = create_checkpointer(settings.checkpointer)
    return with_state_types(
        made, *[_build(name, context_schema(name)()) for name in graphs.names()]
    )


@contextmanager
def store() -> Iterator[BaseStore]:
    """Lend the memories of the settings, for `store.path` in `langgraph.json`."""
    from cogwork.core.embeddings import create_embeddings
    from cogwork.memory import ChromaStore

    settings = _settings()
    embeddings = create_embeddings(settings=settings)
    with ChromaStore(settings.store, embeddings=embeddings, chroma=settings.chroma) as opened:
        yield opened


assistant = _serving("assistant")
debate = _serving("debate")
ensemble = _serving("ensemble")
hierarchical = _serving("hierarchical")
negotiation = _serving("negotiation")
orchestrator = _serving("orchestrator")
plan = _serving("plan")
react = _serving("react")
reflexion = _serving("reflexion")
research = _serving("research")
team = _serving("team")
