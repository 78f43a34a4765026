"""The graphs that can be run by name, from the command line and elsewhere."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cogwork.core.registry import Registry

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

__all__ = ["graphs"]

graphs: Registry["Callable[..., CompiledStateGraph[Any, Any, Any, Any]]"] = Registry(
    "graph", group="cogwork.graphs"
)
"""Factories by name; each takes `(model, tools, *, checkpointer, store, …)`.

Another package adds one through the entry-point group `cogwork.graphs`, a program through
`@graphs.register("name", description="…")`.
"""

graphs.add(
    "react",
    "cogwork.graphs.react:create_react_agent",
    description="ReAct: think, act, observe, until the model answers",
)
graphs.add(
    "plan",
    "cogwork.graphs.plan_execute:create_plan_execute_agent",
    description="Plan-and-Solve: plan, execute as dependencies allow, recover, answer",
)
