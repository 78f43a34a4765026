"""Teamwork: who does what, the work itself, and one answer from what each member gave."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from pydantic import BaseModel, ConfigDict

from cogwork.core.bridge import Node, in_thread, node
from cogwork.core.errors import PlanningError
from cogwork.core.models import ChatModel
from cogwork.core.registry import nearest
from cogwork.nodes.attempt import Before, task_messages
from cogwork.nodes.execution import make_execute
from cogwork.nodes.history import bound_history, tool_calls_of
from cogwork.nodes.plan import Plan, Status, Step, StepResult
from cogwork.nodes.plan_check import check_plan
from cogwork.nodes.requirements import goal_of
from cogwork.nodes.roles import (
    Assignment,
    Gap,
    Role,
    assign_roles,
    requirements_plan,
)
from cogwork.nodes.synthesis import answer_now
from cogwork.nodes.thought import Prompt, with_prompt
from cogwork.nodes.transcript import transcript
from cogwork.tools.taint import labelled

__all__ = [
    "Contribution",
    "contributions_of",
    "make_assign",
    "make_delegate",
    "make_integrate",
    "shared_results",
]

_BRIEF = 200  # characters of a result that is also said


class Contribution(BaseModel):
    """What a member gave to the goal.

    Attributes:
        requirement: The part's id.
        member: Who did it, or tried last; None where nobody began.
        description: What was to be done.
        status: How it went.
        result: What it gave.
        error: Why it gave nothing.
        note: Why this member was to do it, where no role fits.
    """

    model_config = ConfigDict(frozen=True)

    requirement: str
    member: str | None
    description: str
    status: Status
    result: Any = None
    error: str | None = None
    note: str = ""


def make_assign(
    roles: Sequence[Role],
    *,
    embeddings: Embeddings | str = "static",
    threshold: float = 0.4,
    allow_gaps: bool = False,
    tools: Mapping[str, Sequence[str]] | None = None,
) -> Node:
    """Make the node that says who does what, and makes a plan of it.

    Args:
        roles: Of the team.
        embeddings: By which capabilities are compared; see `assign_roles`.
        threshold: Least cosine by which a role fits.
        allow_gaps: Whether to go on without what nobody can do.
        tools: What the tools of each role are for, in words, by its name; with them, what fits
            no role goes to a generalist, as `assign_roles` says.

    Raises:
        PlanningError: From the node: nobody can do a requirement, or the requirements cannot
            be executed; every one is named.
    """

    @node
    async def assign(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Assign what is required to roles.

        Reads: needs, messages
        Writes: plan, assignments, gaps, results
        """
        needs = state["needs"]
        if faults := check_plan(requirements_plan(needs)):
            raise PlanningError(f"the requirements cannot be executed: {'; '.join(faults)}")
        match = partial(assign_roles, embeddings=embeddings, threshold=threshold, tools=tools)
        found, gaps = await in_thread(None, match, needs, roles)
        if gaps and not allow_gaps:
            raise PlanningError(
                "; ".join(map(str, gaps)), details={"gaps": [gap.model_dump() for gap in gaps]}
            )
        goal, _ = goal_of(state.get("messages") or ())
        plan = requirements_plan(needs, goal=goal, without=[gap.requirement for gap in gaps])
        return {
            "plan": plan,
            "assignments": {each.requirement: each for each in found},
            "gaps": gaps,
            "results": {},
        }

    return assign


def make_delegate(members: Mapping[str, Runnable[Any, Any]], **options: Any) -> Node:
    """Make the node that has each step of a plan done by the members it is assigned to.

    When one fails, the ladder's `fallback` goes on to the next member of the assignment. A step
    that is a gap fails, and says who is missing.

    Args:
        members: Compiled graphs, or other runnables, by the names of their roles.
        **options: As `make_execute` has them: `ladder`, `max_concurrency`, `step_timeout`,
            `to_input`, `policy`, ….

    Raises:
        ConfigurationError: An option is impossible.
    """
    make_execute((), **options)  # refuses now what it would refuse in every run

    @node(loop=True)
    async def delegate(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Run the plan's steps as their dependencies allow.

        Reads: plan, assignments, gaps, results, messages, taint
        Writes: results, taint
        """
        ways = {
            key: [_member(name, members) for name in each.members]
            for key, each in state["assignments"].items()
        }
        ways |= {gap.requirement: [_nobody(gap)] for gap in state.get("gaps") or ()}
        done: dict[str, Any] = await make_execute((), alternatives=ways, **options).ainvoke(
            state, config
        )
        return done

    return delegate


def _member(name: str, members: Mapping[str, Runnable[Any, Any]]) -> Runnable[Any, Any]:
    if name not in members:  # the thread is older than the team
        raise PlanningError(f"no member of the team is '{name}'; {nearest(name, list(members))}")
    return members[name]


def shared_results(step: Step, before: Before) -> dict[str, list[AnyMessage]]:
    """Return a step as a question to a member with tools, after what others found.

    What they found is told as results of calls: that is what it is to the member, data, and
    not words of its own. Models take such a history where tools are bound.

    Args:
        step: What to do.
        before: The steps it depends on, and how they went.
    """
    *_, asked = task_messages(step, before)["messages"]
    said: list[AnyMessage] = []
    for each, gave in before:
        if gave.status == "completed":
            told = transcript([each], {each.id: gave})
            is_brief = len(told[-1].text) <= _BRIEF
            said += [HumanMessage(each.description), *told]
            said += [AIMessage(told[-1].text)] if is_brief else []  # for what "it" refers to
    return {"messages": [*said, asked]}


def _nobody(gap: Gap) -> Runnable[Any, Any]:
    async def refuse(_: Any) -> Any:
        raise PlanningError(str(gap))

    return RunnableLambda(refuse)


def contributions_of(
    plan: Plan, results: Mapping[str, StepResult], assignments: Mapping[str, Assignment]
) -> list[Contribution]:
    """Return who contributed what, in the order of the plan.

    Args:
        plan: What was executed.
        results: How its steps went, by id.
        assignments: Who was to do them, by id.
    """
    found = []
    for key in plan.order:
        gave = results.get(key) or StepResult(id=key, status="pending")
        given = assignments.get(key)
        members = given.members if given else ()
        began = gave.attempts > 0 and gave.way < len(members)
        found.append(
            Contribution(
                requirement=key,
                member=members[gave.way] if began else None,
                description=plan[key].description,
                status=gave.status,
                result=gave.result,
                error=gave.error,
                note=given.note if given else "",
            )
        )
    return found


def make_integrate(
    model: ChatModel, *, prompt: Prompt | None = None, max_history_tokens: int = 100_000
) -> Node:
    """Make the node that answers from what the members contributed.

    The model is shown who found what, who failed and why, and what nobody could do. Where
    one member did everything, its answer is the answer, word for word.

    Args:
        model: Any LangChain chat model.
        prompt: A system prompt, or a function from the state to the messages to send.
        max_history_tokens: How much history the model is shown, in estimated tokens.

    Raises:
        ModelError: From the node: the model cannot be reached.
    """

    @node
    async def integrate(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Answer from what each member gave.

        Reads: messages, plan, results, assignments, gaps, taint
        Writes: messages, contributions, stop_reason
        """
        plan, gaps = state["plan"], state.get("gaps") or []
        given = contributions_of(plan, state.get("results") or {}, state["assignments"])
        lost = gaps or any(each.status in ("failed", "blocked") for each in given)
        told = {"contributions": given, "stop_reason": "incomplete" if lost else "answered"}
        only = given[0].result if len(given) == 1 and not lost else None
        if isinstance(only, str):
            return {"messages": [labelled(AIMessage(only), state)], **told}
        history = bound_history(
            [*state.get("messages", ()), *_shown(given, gaps)], max_history_tokens
        )
        said, is_answer = await answer_now(model, with_prompt(prompt, state, history), config)
        if not is_answer:
            told["stop_reason"] = "incomplete"
        return {"messages": [labelled(said, state)], **told}

    return integrate


def _shown(given: Sequence[Contribution], gaps: Sequence[Gap]) -> list[AnyMessage]:
    """The contributions as calls of the members and their results, which every model knows."""
    told = {each.requirement for each in given}
    nobody = [
        Contribution(
            requirement=gap.requirement,
            member=None,
            description=gap.description,
            status="failed",
            error="nobody in the team can do this",
        )
        for gap in gaps
        if gap.requirement not in told
    ]
    parts = [*given, *nobody]
    steps = [Step(id=each.requirement, description=each.description) for each in parts]
    results = {
        each.requirement: StepResult(
            id=each.requirement, status=each.status, result=each.result, error=each.error
        )
        for each in parts
    }
    shown = transcript(steps, results)
    for part, call in zip(parts, tool_calls_of(shown[0]) if shown else (), strict=True):
        call["args"]["member"] = part.member or "nobody"
    return shown
