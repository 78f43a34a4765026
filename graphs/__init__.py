"""One architecture a file; each factory returns a compiled LangGraph graph.

`graphs` names them all. Importing this package inside a notebook makes compiled graphs
show themselves as SVG, drawn here rather than by a web service.
"""

from cogwork.core.display import enable_notebook_pictures
from cogwork.graphs.assistant import AssistantInput, AssistantState, create_assistant
from cogwork.graphs.ensemble import (
    EnsembleInput,
    EnsembleState,
    create_debate,
    create_ensemble,
)
from cogwork.graphs.hierarchical import (
    HierarchicalInput,
    HierarchicalState,
    Ladders,
    create_hierarchical_agent,
)
from cogwork.graphs.negotiation import NegotiationInput, NegotiationState, create_negotiation
from cogwork.graphs.orchestrator import (
    OrchestratorInput,
    OrchestratorState,
    create_orchestrator,
    task_results,
)
from cogwork.graphs.plan_execute import (
    PlanExecuteInput,
    PlanExecuteState,
    create_plan_execute_agent,
)
from cogwork.graphs.process import Process, create_process
from cogwork.graphs.react import ReactInput, ReactState, create_react_agent
from cogwork.graphs.reflexion import (
    ReflexionInput,
    ReflexionState,
    create_reflexion_agent,
)
from cogwork.graphs.registry import graphs
from cogwork.graphs.research import ResearchInput, ResearchState, create_research_agent
from cogwork.graphs.state_machine import MachineState, create_state_machine
from cogwork.graphs.supervisor import SupervisorInput, SupervisorState, create_supervisor
from cogwork.graphs.team import TeamInput, TeamState, create_team
from cogwork.nodes.machine import Machine, Transition

__all__ = [
    "AssistantInput",
    "AssistantState",
    "EnsembleInput",
    "EnsembleState",
    "HierarchicalInput",
    "HierarchicalState",
    "Ladders",
    "Machine",
    "MachineState",
    "NegotiationInput",
    "NegotiationState",
    "OrchestratorInput",
    "OrchestratorState",
    "PlanExecuteInput",
    "PlanExecuteState",
    "Process",
    "ReactInput",
    "ReactState",
    "ReflexionInput",
    "ReflexionState",
    "ResearchInput",
    "ResearchState",
    "SupervisorInput",
    "SupervisorState",
    "TeamInput",
    "TeamState",
    "Transition",
    "create_assistant",
    "create_debate",
    "create_ensemble",
    "create_hierarchical_agent",
    "create_negotiation",
    "create_orchestrator",
    "create_plan_execute_agent",
    "create_process",
    "create_react_agent",
    "create_reflexion_agent",
    "create_research_agent",
    "create_state_machine",
    "create_supervisor",
    "create_team",
    "graphs",
    "task_results",
]

enable_notebook_pictures()
