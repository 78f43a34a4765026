"""Plans that worked are remembered, and offered as examples for similar goals.

They lie under `(*namespace, "plans")` of any LangGraph store, one for each goal: the last.
The plan-execute graph remembers none that was made in a tainted run.
"""

import time
from collections.abc import Mapping
from dataclasses import replace

from langchain_core.runnables import RunnableConfig
from langgraph.store.base import BaseStore
from pydantic import ValidationError

from cogwork.memory.retrieval import Namespace, search_hybrid
from cogwork.memory.sameness import digest
from cogwork.nodes.plan import Plan, StepResult
from cogwork.nodes.planning import Planner, PlanRequest

__all__ = ["recall_plans", "remember_plan", "with_examples"]


async def remember_plan(
    store: BaseStore, namespace: Namespace, plan: Plan, results: Mapping[str, StepResult]
) -> bool:
    """Remember a plan that worked: all its steps are completed, but for optional ones.

    One free step is not remembered: it shows a planner nothing.

    Args:
        store: Any LangGraph store.
        namespace: Whose plans these are.
        plan: What was executed.
        results: How its steps went, by id.

    Returns:
        Whether it is remembered.
    """
    ended = {key: result.status for key, result in results.items()}
    worked = all(step.optional or ended.get(step.id) == "completed" for step in plan.steps)
    shows = len(plan.steps) > 1 or any(step.tool for step in plan.steps)
    if not (shows and worked and plan.goal.strip()):
        return False
    value = {"text": plan.goal, "plan": plan.model_dump(mode="json"), "at": time.time()}
    await store.aput((*namespace, "plans"), digest(plan.goal.casefold()), value, ["text"])
    return True


async def recall_plans(
    store: BaseStore,
    namespace: Namespace,
    goal: str,
    k: int = 3,
    *,
    min_similarity: float = 0.3,
) -> list[Plan]:
    """Return plans that achieved similar goals, the most similar first.

    Args:
        store: Any LangGraph store.
        namespace: Whose plans.
        goal: What is to be achieved now.
        k: How many at most.
        min_similarity: Least cosine of the goals, in stores with vectors.
    """
    found: list[Plan] = []
    for hit in await search_hybrid(store, (*namespace, "plans"), goal):
        if len(found) >= k:
            break
        if hit.similarity is not None and hit.similarity < min_similarity:
            continue
        try:
            found.append(Plan.model_validate(hit.item.value["plan"]))
        except (ValidationError, KeyError):
            continue  # of another version, or not ours
    return found


def with_examples(
    planner: Planner,
    store: BaseStore,
    namespace: Namespace,
    k: int = 3,
    *,
    min_similarity: float = 0.3,
) -> Planner:
    """Return a planner that is shown plans that achieved similar goals.

    Args:
        planner: Makes the plans.
        store: Any LangGraph store.
        namespace: Whose plans.
        k: How many at most.
        min_similarity: Least cosine of the goals, in stores with vectors.
    """

    async def plan(request: PlanRequest, config: RunnableConfig) -> Plan:
        known = await recall_plans(store, namespace, request.goal, k, min_similarity=min_similarity)
        return await planner(replace(request, examples=[*request.examples, *known]), config)

    return plan
