"""The planning, memory, coordination and resilience layer for LangGraph.

`graphs` holds one architecture a file, `nodes` the kinds of steps they are made of,
`memory` checkpointers and stores, `tools` what agents may use, `core` what every floor
stands on, `runtime` what runs graphs for people. The names below are the ones most
programs need; they are imported on first use, so that `import cogwork` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cogwork.core.embeddings import create_embeddings
    from cogwork.core.errors import CogworkError
    from cogwork.core.journal import Journal
    from cogwork.core.models import create_chat_model
    from cogwork.core.settings import Settings, load_settings
    from cogwork.graphs.plan_execute import create_plan_execute_agent
    from cogwork.graphs.react import create_react_agent
    from cogwork.memory import ChromaStore, create_checkpointer
    from cogwork.nodes.trace import TraceStep, trace
    from cogwork.tools import load_tools, tool

__all__ = [
    "ChromaStore",
    "CogworkError",
    "Journal",
    "Settings",
    "TraceStep",
    "create_chat_model",
    "create_checkpointer",
    "create_embeddings",
    "create_plan_execute_agent",
    "create_react_agent",
    "load_settings",
    "load_tools",
    "tool",
    "trace",
]

_HOMES = {
    "ChromaStore": "cogwork.memory",
    "CogworkError": "cogwork.core.errors",
    "Journal": "cogwork.core.journal",
    "Settings": "cogwork.core.settings",
    "TraceStep": "cogwork.nodes.trace",
    "create_chat_model": "cogwork.core.models",
    "create_checkpointer": "cogwork.memory",
    "create_embeddings": "cogwork.core.embeddings",
    "create_plan_execute_agent": "cogwork.graphs.plan_execute",
    "create_react_agent": "cogwork.graphs.react",
    "load_settings": "cogwork.core.settings",
    "load_tools": "cogwork.tools",
    "tool": "cogwork.tools",
    "trace": "cogwork.nodes.trace",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cogwork' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
