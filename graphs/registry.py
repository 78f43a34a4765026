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
graphs.add(
    "assistant",
    "cogwork.graphs.assistant:create_assistant",
    description="Assistant: recall what is known of you, answer, memorize",
)
graphs.add(
    "reflexion",
    "cogwork.graphs.reflexion:create_reflexion_agent",
    description="Reflexion: attempt, evaluate, reflect, and try again, up to three times",
)
graphs.add(
    "team",
    "cogwork.graphs.team:create_team",
    description="Team: divide a goal among roles, work at the same time, integrate",
)
graphs.add(
    "negotiation",
    "cogwork.graphs.negotiation:create_negotiation",
    description="Contract net: announce, bid, award, carry out, settle, round by round",
)
graphs.add(
    "orchestrator",
    "cogwork.graphs.orchestrator:create_orchestrator",
    description="Orchestrator: queue tasks to agents by what they require",
)
graphs.add(
    "hierarchical",
    "cogwork.graphs.hierarchical:create_hierarchical_agent",
    description="Layers: strategy, tactics, operation; errors travel up",
)
graphs.add(
    "research",
    "cogwork.graphs.research:create_research_agent",
    description="Research: search many sources at once, and tell what the evidence supports",
)
graphs.add(
    "ensemble",
    "cogwork.graphs.ensemble:create_ensemble",
    description="Ensemble: agents answer at the same time, and their answers are counted",
)
graphs.add(
    "debate",
    "cogwork.graphs.ensemble:create_debate",
    description="Debate: agents answer, see each other's answers, and may revise theirs",
)
