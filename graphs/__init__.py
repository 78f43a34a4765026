"""One architecture a file; each factory returns a compiled LangGraph graph.

`graphs` names them all. Importing this package inside a notebook makes compiled graphs
show themselves as SVG, drawn here rather than by a web service.
"""

from cogwork.core.display import enable_notebook_pictures
from cogwork.graphs.plan_execute import (
    PlanExecuteInput,
    PlanExecuteState,
    create_plan_execute_agent,
)
from cogwork.graphs.react import ReactInput, ReactState, create_react_agent
from cogwork.graphs.registry import graphs
from cogwork.graphs.state_machine import MachineState, create_state_machine
from cogwork.nodes.machine import Machine, Transition

__all__ = [
    "Machine",
    "MachineState",
    "PlanExecuteInput",
    "PlanExecuteState",
    "ReactInput",
    "ReactState",
    "Transition",
    "create_plan_execute_agent",
    "create_react_agent",
    "create_state_machine",
    "graphs",
]

enable_notebook_pictures()
