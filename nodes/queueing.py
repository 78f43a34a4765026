"""Queueing: tasks are added to those of a thread, and say what runs next."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from langchain_core.embeddings import Embeddings
from langchain_core.runnables import RunnableConfig

from cogwork.core.bridge import Node, in_thread, node
from cogwork.core.errors import PlanningError
from cogwork.core.models import ChatModel
from cogwork.nodes.plan import StepResult
from cogwork.nodes.plan_check import check_plan
from cogwork.nodes.planners.draft import renamed
from cogwork.nodes.requirements import analyze_goal, goal_of
from cogwork.nodes.roles import Requirement, Role, assign_roles, requirements_plan

__all__ = ["due_tasks", "make_enqueue", "merge_by_id"]

V = TypeVar("V")


def merge_by_id(current: Mapping[str, V] | None, new: Mapping[str, V] | None) -> dict[str, V]:
    """Return both together, the newer of one id; a reducer for what a thread keeps by id."""
    return {**(current or {}), **(new or {})}


def due_tasks(
    added: Sequence[Requirement],
    tasks: Mapping[str, Requirement],
    results: Mapping[str, StepResult],
) -> list[Requirement]:
    """Return what has to run for the added tasks, in the order in which it was queued.

    These are the added tasks themselves and, as far as they have no result, those that they
    wait for; what these wait for is there too when it is done, for its result.

    Args:
        added: Tasks.
        tasks: All of the thread, the added ones included, by id.
        results: How those went that have ended.
    """
    due: dict[str, Requirement] = {}
    waiting = [each.id for each in added]
    while waiting:
        key = waiting.pop()
        if key in due or key not in tasks:  # `check_plan` names what is no task
            continue
        due[key] = tasks[key]
        if not (key in results and results[key].status == "completed"):
            waiting += tasks[key].depends_on
    done = {k for k in due if k in results and results[k].status == "completed"}
    return [
        each.model_copy(update={"depends_on": ()}) if key in done else each
        for key, each in tasks.items()
        if key in due
    ]


def make_enqueue(
    model: ChatModel,
    roles: Sequence[Role],
    *,
    embeddings: Embeddings | str = "static",
    threshold: float = 0.4,
    tools: Mapping[str, Sequence[str]] | None = None,
) -> Node:
    """Make the node that adds tasks to those of the thread, and assigns what is due.

    Args:
        model: Says what a question requires where no tasks are given.
        roles: Of the agents.
        embeddings: By which capabilities are compared; see `assign_roles`.
        threshold: Least cosine by which a role fits.
        tools: What the tools of each role are for, in words, by its name; with them, what fits
            no role goes to a generalist, as `assign_roles` says.

    Raises:
        PlanningError: From the node: there are no tasks, one has the id of another, or they
            cannot be executed.
        ModelError: From the node: the model cannot be reached.
    """

    @node
    async def enqueue(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Add tasks.

        Reads: messages, requirements, tasks, results
        Writes: requirements, tasks, plan, assignments, gaps, results
        """
        known = state.get("tasks") or {}
        results = state.get("results") or {}
        goal, context = goal_of(state.get("messages") or ())
        if given := state.get("requirements"):
            added = [Requirement.model_validate(each) for each in given]
            _refuse_others(added, known)
        elif goal.strip():
            found = await analyze_goal(model, goal, roles, context=context, config=config)
            added = _fresh(found, known)
        else:
            raise PlanningError("there is nothing to do; send a message, or give requirements")
        tasks = {**known, **{each.id: each for each in added}}
        if faults := check_plan(requirements_plan([*known.values(), *_new(added, known)])):
            raise PlanningError(f"the tasks cannot be executed: {'; '.join(faults)}")
        due = due_tasks(added, tasks, results)
        match = partial(assign_roles, embeddings=embeddings, threshold=threshold, tools=tools)
        undone = [each for each in due if not _is_done(results.get(each.id))]
        assigned, gaps = await in_thread(None, match, undone, roles)
        return {
            "requirements": [],
            "tasks": {each.id: each for each in added},
            "plan": requirements_plan(due, goal=goal),
            "assignments": {each.requirement: each for each in assigned},
            "gaps": gaps,
            "results": {each.id: StepResult(id=each.id, status="pending") for each in undone},
        }

    return enqueue


def _refuse_others(added: Sequence[Requirement], known: Mapping[str, Requirement]) -> None:
    """Refuse tasks under an id that is another's; the same again is what is tried again."""
    for each in added:
        if each.id in known and known[each.id] != each:
            raise PlanningError(
                f"task '{each.id}' is another one in this thread ('{known[each.id].description:.80}'); "
                "give the new one an id of its own"
            )


def _new(added: Sequence[Requirement], known: Mapping[str, Requirement]) -> list[Requirement]:
    return [each for each in added if each.id not in known]


def _fresh(found: Sequence[Requirement], known: Mapping[str, Requirement]) -> list[Requirement]:
    """Tasks under ids that the thread does not have yet."""
    taken = {*known, *(each.id for each in found)}
    names: dict[str, str] = {}
    for each in found:
        number, name = 2, each.id
        while each.id in known and name in taken:
            name, number = f"{each.id}-{number}", number + 1
        taken.add(name)
        names[each.id] = name
    steps = [renamed(step, names) for step in requirements_plan(found).steps]
    return [
        each.model_copy(
            update={
                "id": names[each.id],
                "description": step.description,
                "depends_on": step.depends_on,
            }
        )
        for each, step in zip(found, steps, strict=True)
    ]


def _is_done(result: StepResult | None) -> bool:
    return result is not None and result.status == "completed"
