"""What a goal requires: asked of a model, or given as data."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel, BeforeValidator, Field

from cogwork.core.bridge import Node, node
from cogwork.core.errors import PlanningError, StructuredOutputError
from cogwork.core.models import ChatModel
from cogwork.nodes.history import is_question
from cogwork.nodes.plan_check import check_plan
from cogwork.nodes.planners.asking import ask
from cogwork.nodes.planners.draft import DraftStep, ids, inert, plan_of
from cogwork.nodes.planning import PlanRequest
from cogwork.nodes.roles import Requirement, Role, requirements_plan

__all__ = ["analyze_goal", "goal_of", "make_analyze"]

_RULES = """
You divide a goal among the members of a team. Break it into as few parts as achieve it, each
for one member. A part has an id (letters, digits, - and _) and a description that is understood
without the other parts. In depends_on stand the ids of the parts whose results it needs, and no
others: parts that need nothing of each other are done at the same time. In capability stands
what the part takes: word for word one of the capabilities below, or, where none of them will
do, what is missing, in a few words. The team:
"""
_CONTEXT = 4_000  # characters of what was said before


def _name(value: Any) -> Any:
    return "" if value is None else str(value) if isinstance(value, str | int) else value


class _Part(BaseModel, title="Part"):
    """A part of the goal, as a model says it."""

    id: Annotated[str, BeforeValidator(_name)] = ""
    description: Annotated[str, BeforeValidator(_name)] = ""
    capability: Annotated[str, BeforeValidator(_name)] = ""
    depends_on: Annotated[tuple[str, ...], BeforeValidator(ids)] = ()


class _Analysis(BaseModel, title="Analysis"):
    """The parts of a goal."""

    steps: list[_Part] = Field(min_length=1)


async def analyze_goal(
    model: ChatModel,
    goal: str,
    roles: Sequence[Role],
    *,
    context: str = "",
    config: RunnableConfig | None = None,
) -> list[Requirement]:
    """Ask a model what a goal requires.

    Parts that wait for each other in a circle, and the like, are sent back once. Where the
    model says nothing usable, the goal is one requirement.

    Args:
        model: Any LangChain chat model.
        goal: What is to be achieved.
        roles: Of the team.
        context: What is known besides.
        config: Of the run.

    Raises:
        PlanningError: The second answer cannot be executed either; the faults are named.
        ModelError: The model cannot be reached.
    """
    team = "\n".join(f"- {role.name}: {'; '.join(role.capabilities)}" for role in roles)
    request = PlanRequest(goal=goal, context=context)
    faults: list[str] = []
    for _ in range(2):
        request = replace(request, faults=faults)
        try:
            said: _Analysis = await ask(model, _Analysis, _RULES + team, request, config or {})
        except StructuredOutputError:
            return [Requirement(id="goal", description=inert(goal), proposed=True)]
        found = _requirements(request, said.steps)
        faults = check_plan(requirements_plan(found))
        if not faults:
            return found
    raise PlanningError(f"the parts of '{goal:.200}' cannot be executed: {'; '.join(faults)}")


def make_analyze(
    model: ChatModel, roles: Sequence[Role], *, kind: type[Requirement] = Requirement
) -> Node:
    """Make the node that says what a goal requires; requirements that are given are taken.

    Args:
        model: Asked where none are given.
        roles: Of the team.
        kind: What the requirements are made of, such as `Contract`.

    Raises:
        PlanningError: From the node: there is no goal, or its parts cannot be executed.
        ModelError: From the node: the model cannot be reached.
    """

    @node
    async def analyze(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Say what the last question requires.

        Reads: messages, requirements
        Writes: needs, requirements
        """
        if given := state.get("requirements"):
            return {
                "needs": [_as_kind(kind, each) for each in given],
                "requirements": [],
            }
        goal, context = goal_of(state.get("messages") or ())
        if not goal.strip():
            raise PlanningError("the team has no goal; send a message, or give requirements")
        needs = await analyze_goal(model, goal, roles, context=context, config=config)
        return {"needs": [_as_kind(kind, each) for each in needs], "requirements": []}

    return analyze


def _as_kind(kind: type[Requirement], given: Any) -> Requirement:
    return kind.model_validate(given.model_dump() if isinstance(given, Requirement) else given)


def goal_of(messages: Sequence[AnyMessage]) -> tuple[str, str]:
    """Return the last question, and what was said before it; both empty where there is none.

    Args:
        messages: A history.
    """
    place = next((n for n in range(len(messages) - 1, -1, -1) if is_question(messages[n])), None)
    if place is None:
        return "", ""
    said = [f"{each.type}: {each.text}" for each in messages[:place] if each.text.strip()]
    return str(messages[place].text), "\n".join(said)[-_CONTEXT:]


def _requirements(request: PlanRequest, parts: Sequence[_Part]) -> list[Requirement]:
    drafts = [DraftStep(**part.model_dump(exclude={"capability"})) for part in parts]
    return [
        Requirement(
            id=step.id,
            description=step.description or inert(request.goal),
            capability=part.capability.strip(),
            depends_on=step.depends_on,
            proposed=True,
        )
        for step, part in zip(plan_of(request, drafts).steps, parts, strict=True)
    ]
