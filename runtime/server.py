"""What LangGraph's server serves; `langgraph.json` names these functions.

The server brings its own checkpointer and store, so none is passed here. The model, the
tools' root and the limits come from the settings.
"""

import asyncio
from functools import cache
from typing import Any

from langgraph.graph.state import CompiledStateGraph

from cogwork.core.models import create_chat_model
from cogwork.core.settings import load_settings
from cogwork.graphs.react import create_react_agent
from cogwork.tools import load_tools
from cogwork.tools.registry import tools

__all__ = ["react"]


async def react() -> CompiledStateGraph[Any, Any, Any, Any]:
    """The ReAct agent with every registered tool."""
    # Settings are read from a file and providers are imported: not on the server's loop.
    return await asyncio.to_thread(_react)


@cache
def _react() -> CompiledStateGraph[Any, Any, Any, Any]:
    settings = load_settings()
    return create_react_agent(
        create_chat_model(settings=settings),
        load_tools(tools.names(), root=settings.root),
        max_steps=settings.max_steps,
        tool_timeout=settings.tool_timeout,
    )
