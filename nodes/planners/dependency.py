"""The dependency planner: a flat list of tasks; what is urgent is computed, not asked."""

from langchain_core.runnables import RunnableConfig

from cogwork.core.errors import StructuredOutputError
from cogwork.core.models import ChatModel
from cogwork.nodes.plan import Plan
from cogwork.nodes.planners.asking import ask
from cogwork.nodes.planners.draft import Draft, fallback_plan, plan_of
from cogwork.nodes.planning import Planner, PlanRequest

__all__ = ["make_dependency_planner", "prioritized"]

RULES = """
You list the tasks that a goal consists of, all at one level; others carry them out. Give each an
id, a description that is understood without the others, and an estimated_cost: how long it takes
compared with the others. In depends_on stand the ids of the tasks that must be done before it
can begin, and no others. Take care with these: what waits for nothing begins at once, and what
waits for a task that it does not need makes everything late. Do not order the tasks yourself.

A task that a single call of a tool does names that tool, with args that fit the schema in
<tools>; "{a.result}" in args stands for the result of task a. All other tasks have null as tool.

Plans in <examples> achieved similar goals. Where <earlier> shows a completed step that you need
again, repeat it as it stands, with its id. Where <feedback> names faults, the new list has none.
"""


def make_dependency_planner(model: ChatModel, *, prompt: str | None = None) -> Planner:
    """Make the planner that asks for tasks and dependencies, and computes what is urgent.

    Args:
        model: Any LangChain chat model.
        prompt: What the model is told beyond the rules.

    Raises:
        ModelError: From the planner: the model cannot be reached.
    """
    rules = f"{RULES}\n{prompt}" if prompt else RULES

    async def plan(request: PlanRequest, config: RunnableConfig) -> Plan:
        try:
            draft: Draft = await ask(model, Draft, rules, request, config)
        except StructuredOutputError:
            return fallback_plan(request)
        return prioritized(plan_of(request, draft.steps))

    return plan


def prioritized(plan: Plan) -> Plan:
    """Return a plan whose steps have the higher priority the less they may be late.

    Steps on the critical path have the highest. A plan without an order stays as it is.

    Args:
        plan: Of any origin.
    """
    if plan.faults:
        return plan
    slack = {key: round(value, 9) for key, value in plan.slack.items()}
    ranks = {value: rank for rank, value in enumerate(sorted(set(slack.values()), reverse=True))}
    steps = [step.model_copy(update={"priority": ranks[slack[step.id]]}) for step in plan.steps]
    return plan.model_copy(update={"steps": tuple(steps)})
