"""The HTN planner behind the signature of planners."""

from collections.abc import Callable, Iterable, Sequence

from langchain_core.runnables import RunnableConfig

from cogwork.core.bridge import in_thread
from cogwork.core.errors import PlanningError
from cogwork.nodes.htn import plan_htn
from cogwork.nodes.htn_domain import Domain
from cogwork.nodes.htn_match import Fact
from cogwork.nodes.plan import Plan
from cogwork.nodes.planners.draft import with_earlier
from cogwork.nodes.planning import Planner, PlanRequest

__all__ = ["make_htn_planner"]


def make_htn_planner(
    domain: Domain,
    state_of: Callable[[PlanRequest], tuple[Iterable[Fact], Sequence[Fact]]],
    *,
    max_depth: int = 200,
    max_expansions: int = 100_000,
) -> Planner:
    """Make the planner that searches a domain, without any model.

    Args:
        domain: What can be done, and how tasks break down.
        state_of: Reads a request: the facts that hold now, and the tasks to do. After a
            failure, `request.earlier` tells it which steps are done.
        max_depth: How deep tasks may be nested.
        max_expansions: How many tasks may be looked at before the search is given up.

    Raises:
        PlanningError: From the planner: there is no plan, and it says which precondition is
            in the way; or nothing is left to do.
    """

    async def plan(request: PlanRequest, config: RunnableConfig) -> Plan:  # noqa: ARG001 - the signature of planners
        facts, tasks = state_of(request)

        def search() -> Plan:
            return plan_htn(
                domain,
                facts,
                tasks,
                goal=request.goal,
                max_depth=max_depth,
                max_expansions=max_expansions,
            )

        found = await in_thread(None, search)
        if not found.steps:
            raise PlanningError(
                f"nothing is left to do for '{request.goal:.200}': it holds from the start"
            )
        return with_earlier(found, request)

    return plan
