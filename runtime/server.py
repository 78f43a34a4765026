"""What LangGraph's server serves; `langgraph.json` names these functions.

The server brings its own checkpointer and store, so none is passed here. The model, the
tools' root, the limits, the policy and the audit log come from the settings.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, TypeAlias

from langgraph.graph.state import CompiledStateGraph

from cogwork.core.settings import load_settings
from cogwork.runtime.building import build_graph

__all__ = [
    "assistant",
    "debate",
    "ensemble",
    "hierarchical",
    "negotiation",
    "orchestrator",
    "plan",
    "react",
    "reflexion",
    "team",
]

Graph: TypeAlias = CompiledStateGraph[Any, Any, Any, Any]


def _serving(name: str) -> Callable[[], Awaitable[Graph]]:
    """The function by which the server gets a graph, with every tool that is not optional."""

    async def serve() -> Graph:
        # Settings are read from a file and providers are imported: not on the server's loop.
        return await asyncio.to_thread(_build, name)

    return serve


@cache
def _build(name: str) -> Graph:
    return build_graph(name, load_settings())


assistant = _serving("assistant")
debate = _serving("debate")
ensemble = _serving("ensemble")
hierarchical = _serving("hierarchical")
negotiation = _serving("negotiation")
orchestrator = _serving("orchestrator")
plan = _serving("plan")
react = _serving("react")
reflexion = _serving("reflexion")
team = _serving("team")
