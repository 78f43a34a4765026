"""One kind of step a file: a function from the state to an update, or a `make_…` that returns one."""

from cogwork.nodes.action import make_act
from cogwork.nodes.approval import make_approve
from cogwork.nodes.decision import Decision, make_decide, route_after_decide
from cogwork.nodes.execution import make_execute
from cogwork.nodes.history import bound_history
from cogwork.nodes.htn import Domain, Let, Method, Operator, Result, plan_htn
from cogwork.nodes.memories import memory_tools
from cogwork.nodes.memorize import make_memorize
from cogwork.nodes.observation import make_observe
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.plan_check import check_plan
from cogwork.nodes.plan_pictures import plan_to_gantt, plan_to_svg
from cogwork.nodes.planning import Planner, PlanRequest, make_plan, make_review
from cogwork.nodes.ranking import Criterion, Ranked, expected_utility, topsis, weighted_sum
from cogwork.nodes.recall import Recalled, make_recall, recalled_prompt
from cogwork.nodes.recovery import DEFAULT_LADDER, FULL_LADDER, Rung
from cogwork.nodes.response import make_respond
from cogwork.nodes.synthesis import make_synthesize
from cogwork.nodes.thought import make_think
from cogwork.nodes.trace import TraceStep, trace

__all__ = [
    "DEFAULT_LADDER",
    "FULL_LADDER",
    "Criterion",
    "Decision",
    "Domain",
    "Let",
    "Method",
    "Operator",
    "Plan",
    "PlanRequest",
    "Planner",
    "Ranked",
    "Recalled",
    "Result",
    "Rung",
    "Step",
    "StepResult",
    "TraceStep",
    "bound_history",
    "check_plan",
    "expected_utility",
    "make_act",
    "make_approve",
    "make_decide",
    "make_execute",
    "make_memorize",
    "make_observe",
    "make_plan",
    "make_recall",
    "make_respond",
    "make_review",
    "make_synthesize",
    "make_think",
    "memory_tools",
    "plan_htn",
    "plan_to_gantt",
    "plan_to_svg",
    "recalled_prompt",
    "route_after_decide",
    "topsis",
    "trace",
    "weighted_sum",
]
