"""Planners: ways to make a plan, all behind the one signature `cogwork.nodes.planning.Planner`.

`planners` names them. `model`, `hierarchical`, `mece` and `dependency` ask a chat model,
`templates` and `htn` none; `examples` remembers plans that worked. `asking` tells a model what
is asked, `draft` reads what it answers.
"""

from cogwork.nodes.planners.dependency import make_dependency_planner
from cogwork.nodes.planners.examples import recall_plans, remember_plan, with_examples
from cogwork.nodes.planners.hierarchical import make_hierarchical_planner
from cogwork.nodes.planners.htn import make_htn_planner
from cogwork.nodes.planners.mece import make_mece_planner
from cogwork.nodes.planners.model import make_model_planner
from cogwork.nodes.planners.registry import planners
from cogwork.nodes.planners.templates import TEMPLATES, Template, make_template_planner

__all__ = [
    "TEMPLATES",
    "Template",
    "make_dependency_planner",
    "make_hierarchical_planner",
    "make_htn_planner",
    "make_mece_planner",
    "make_model_planner",
    "make_template_planner",
    "planners",
    "recall_plans",
    "remember_plan",
    "with_examples",
]
