"""What LangGraph's server serves; `langgraph.json` names these functions.

The server brings its own checkpointer and store, so none is passed here. The model, the
tools' root, the limits, the policy and the audit log come from the settings.
"""

import asyncio
from functools import cache
from typing import Any

from langgraph.graph.state import CompiledStateGraph

from cogwork.core.settings import load_settings
from cogwork.runtime.building import build_graph

__all__ = ["plan", "react"]


async def react() -> CompiledStateGraph[Any, Any, Any, Any]:
    """The ReAct agent with every tool that is not optional."""
    return await _built("react")


async def plan() -> CompiledStateGraph[Any, Any, Any, Any]:
    """The planning agent with every tool that is not optional."""
    return await _built("plan")


async def _built(name: str) -> CompiledStateGraph[Any, Any, Any, Any]:
    # Settings are read from a file and providers are imported: not on the server's loop.
    return await asyncio.to_thread(_build, name)


@cache
def _build(name: str) -> CompiledStateGraph[Any, Any, Any, Any]:
    return build_graph(name, load_settings())
