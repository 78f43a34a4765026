"""The model planner: a chat model is asked for the whole plan at once."""

from langchain_core.runnables import RunnableConfig

from cogwork.core.errors import StructuredOutputError
from cogwork.core.models import ChatModel
from cogwork.nodes.plan import Plan
from cogwork.nodes.planners.asking import ask
from cogwork.nodes.planners.draft import Draft, fallback_plan, plan_of
from cogwork.nodes.planning import Planner, PlanRequest

__all__ = ["make_model_planner"]

RULES = """
You make plans; others carry them out. Break the goal into as few steps as achieve it.

Give each step an id (letters, digits, - and _), a description that is understood without
the others, and in depends_on the ids of the steps whose results it needs, and no others:
steps that need nothing of each other run at the same time.

A step calls the tool it names, with args that fit the schema in <tools>. A step whose tool is
null is done by an agent, who is told its description and the results of depends_on; that is
for thinking, writing, deciding, and for calls whose arguments nobody knows yet.

"{a.result}" in args stands for the result of step a, and "{a.result.hits[0].title}" for a part
of it. Mark as optional what the goal can do without. Give steps that take longer a higher
estimated_cost, and those that are urgent a higher priority.

Plans in <examples> achieved similar goals. Where <earlier> shows a completed step that you need
again, repeat it as it stands, with its id: it is not run again. Go another way than the one
that failed. Where <feedback> names faults, the new plan has none of them.
"""


def make_model_planner(model: ChatModel, *, prompt: str | None = None) -> Planner:
    """Make the planner that asks a model for a plan.

    An answer that is no plan is sent back once with the reasons; if the second is none
    either, the plan is one free step, which is the goal. A plan with faults is returned as
    it is, for `check_plan` to name them.

    Args:
        model: Any LangChain chat model.
        prompt: What the model is told beyond the rules of a plan.

    Raises:
        ModelError: From the planner: the model cannot be reached.
    """
    rules = f"{RULES}\n{prompt}" if prompt else RULES

    async def plan(request: PlanRequest, config: RunnableConfig) -> Plan:
        try:
            draft: Draft = await ask(model, Draft, rules, request, config)
        except StructuredOutputError:
            return fallback_plan(request)
        return plan_of(request, draft.steps)

    return plan
