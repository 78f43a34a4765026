"""One kind of step a file: a function from the state to an update, or a `make_…` that returns one."""

from cogwork.nodes.action import make_act
from cogwork.nodes.analysis import QueryAnalysis, analyze_query, make_analyze_query
from cogwork.nodes.approval import make_approve
from cogwork.nodes.contracts import Contract, Contractor, Terms
from cogwork.nodes.decision import Decision, make_decide, route_after_decide
from cogwork.nodes.evaluation import Evaluation, make_evaluate
from cogwork.nodes.execution import make_execute
from cogwork.nodes.handoff import create_handoff_tool
from cogwork.nodes.history import bound_history
from cogwork.nodes.htn import Domain, Let, Method, Operator, Result, plan_htn
from cogwork.nodes.memories import memory_tools
from cogwork.nodes.memorize import make_memorize
from cogwork.nodes.observation import make_observe
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.plan_check import check_plan
from cogwork.nodes.plan_pictures import plan_to_gantt, plan_to_svg
from cogwork.nodes.planning import Planner, PlanRequest, make_plan, make_review
from cogwork.nodes.query_classes import QueryClass
from cogwork.nodes.ranking import Criterion, Ranked, expected_utility, topsis, weighted_sum
from cogwork.nodes.recall import Recalled, make_recall, recalled_prompt
from cogwork.nodes.recovery import DEFAULT_LADDER, FULL_LADDER, Rung
from cogwork.nodes.reflection import Reflection, make_reflect
from cogwork.nodes.response import make_respond
from cogwork.nodes.roles import ROLES, Requirement, Role, assign_roles
from cogwork.nodes.synthesis import make_synthesize
from cogwork.nodes.thought import make_think
from cogwork.nodes.trace import TraceStep, trace
from cogwork.nodes.trial import Lesson, Trial, make_attempt

__all__ = [
    "DEFAULT_LADDER",
    "FULL_LADDER",
    "ROLES",
    "Contract",
    "Contractor",
    "Criterion",
    "Decision",
    "Domain",
    "Evaluation",
    "Lesson",
    "Let",
    "Method",
    "Operator",
    "Plan",
    "PlanRequest",
    "Planner",
    "QueryAnalysis",
    "QueryClass",
    "Ranked",
    "Recalled",
    "Reflection",
    "Requirement",
    "Result",
    "Role",
    "Rung",
    "Step",
    "StepResult",
    "Terms",
    "TraceStep",
    "Trial",
    "analyze_query",
    "assign_roles",
    "bound_history",
    "check_plan",
    "create_handoff_tool",
    "expected_utility",
    "make_act",
    "make_analyze_query",
    "make_approve",
    "make_attempt",
    "make_decide",
    "make_evaluate",
    "make_execute",
    "make_memorize",
    "make_observe",
    "make_plan",
    "make_recall",
    "make_reflect",
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
