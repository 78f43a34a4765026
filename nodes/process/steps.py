"""The nodes of a process: one for each step, and those around branches.

begin ─▶ step ─▶ step ─▶ fork ─┬▶ branch ─┬▶ join ─▶ end
                               └▶ branch ─┘
"""

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp
from langgraph.graph import END
from langgraph.types import Command

from cogwork.core.bridge import Node, node
from cogwork.core.errors import (
    CogworkError,
    ConfigurationError,
    InDoubtError,
    MemoryStoreError,
    redact,
)
from cogwork.nodes.process.beginning import node_name
from cogwork.nodes.process.definition import (
    AgentStep,
    ApprovalStep,
    Definition,
    EndStep,
    ParallelStep,
    RuleStep,
    Step,
    SubprocessStep,
    ToolStep,
    WaitStep,
)
from cogwork.nodes.process.expressions import fill, holds
from cogwork.nodes.process.flow import next_of
from cogwork.nodes.process.persons import approve, wait
from cogwork.nodes.process.trail import Entry
from cogwork.nodes.process.visit import Means, Outcome, Visit
from cogwork.nodes.process.work import work
from cogwork.tools.calling import reason_of

__all__ = ["check_kept", "make_fork", "make_join", "make_step"]


def make_step(
    definition: Definition, steps: Sequence[Step], number: int, means: Means, *, inside: bool
) -> Node:
    """Make the node of a step.

    Args:
        definition: The step's.
        steps: Those of its definition, or of its branch.
        number: Which of them it is.
        means: What it works with.
        inside: Whether they are those of a branch.
    """
    step, following = steps[number], next_of(steps, number)

    @node(loop=True)
    async def visit(state: Any, config: RunnableConfig) -> Command[Any]:
        """Do what the step says, note it in the trail, and go on.

        Reads: input, results, definitions
        Writes: results, failed, trail, status
        """
        check_kept(definition, state)
        here = Visit(definition, step, means, state, config)
        outcome = await _outcome(here, following)
        return await _gone_on(here, outcome, inside=inside)

    return visit


def make_fork(
    definition: Definition, steps: Sequence[Step], number: int, means: Means, *, inside: bool
) -> Node:
    """Make the node before the branches of a parallel step; arguments as in `make_step`."""
    step, following = steps[number], next_of(steps, number)
    branches = [node_name(definition, step.id, name) for name in getattr(step, "parallel", ())]

    @node(loop=True)
    async def fork(state: Any, config: RunnableConfig) -> Command[Any]:
        """Begin the branches, unless the step's condition says no.

        Reads: input, results, definitions
        Writes: results, failed, trail, status
        """
        check_kept(definition, state)
        here = Visit(definition, step, means, state, config)
        skipped = await _guarded(here, _skipped(here, following))
        if skipped is not None:
            return await _gone_on(here, skipped, inside=inside)
        await here.note("began", "began")
        return Command(update={"trail": here.trail}, goto=branches)

    return fork


def make_join(
    definition: Definition, steps: Sequence[Step], number: int, means: Means, *, inside: bool
) -> Node:
    """Make the node behind the branches of a parallel step; arguments as in `make_step`."""
    step, following = steps[number], next_of(steps, number)

    @node(loop=True)
    async def join(state: Any, config: RunnableConfig) -> Command[Any]:
        """Go on when all branches have ended; fail when a step of one has.

        Reads: failed, definitions
        Writes: results, failed, trail, status
        """
        check_kept(definition, state)
        here = Visit(definition, step, means, state, config)
        own = {each.id for each in _inside(step)}
        lost = {key: why for key, why in (state.get("failed") or {}).items() if key in own}
        if lost:
            why = "; ".join(f"{key}: {reason}" for key, reason in lost.items())
            outcome = Outcome(getattr(step, "failed", None), None, "failed", note=why)
        else:
            outcome = Outcome(following)
        return await _gone_on(here, outcome, inside=inside)

    return join


def check_kept(definition: Definition, state: Mapping[str, Any]) -> None:
    """Refuse to run a step of a definition that was changed since its instance began.

    Raises:
        ConfigurationError: It was.
    """
    if (state.get("definitions") or {}).get(definition.key) != definition.digest:
        raise ConfigurationError(
            f"'{definition.key}' ({definition.file}) says something else than when this instance "
            "began; put it back, and give what is new another version"
        )


async def _outcome(visit: Visit, following: str | None) -> Outcome:
    step = visit.step

    async def done() -> Outcome:
        skipped = await _skipped(visit, following)
        if skipped is not None:
            return skipped
        if isinstance(step, ToolStep | AgentStep):
            return await work(visit, step, following)
        if isinstance(step, ApprovalStep):
            return await approve(visit, step, following)
        if isinstance(step, WaitStep):
            return await wait(visit, step, following)
        if isinstance(step, SubprocessStep):
            return await _subprocess(visit, step, following)
        assert isinstance(step, RuleStep)  # noqa: S101 - the one kind that is left
        ruled = await visit.once("rule", lambda: _rule(visit, step, following))
        return Outcome(ruled["target"], ruled["result"], note=ruled["note"])

    if isinstance(step, EndStep):
        return Outcome(None, None, "ended")
    return await _guarded(visit, done()) or Outcome(following)


async def _guarded(visit: Visit, outcome: Awaitable[Outcome | None]) -> Outcome | None:
    """The outcome, or a failure where an expression has no value or a result cannot be read."""
    try:
        return await outcome
    except (GraphBubbleUp, ConfigurationError, MemoryStoreError, InDoubtError):
        raise
    except CogworkError as error:
        target = getattr(visit.step, "failed", None)
        return Outcome(target, None, "failed", note=redact(reason_of(error, visit.step.id)))


async def _skipped(visit: Visit, following: str | None) -> Outcome | None:
    condition = getattr(visit.step, "when", None)
    if condition is None or await visit.once("when", lambda: holds(condition, visit.values)):
        return None
    return Outcome(following, None, "skipped", note=f"not {condition}")


def _rule(visit: Visit, step: RuleStep, following: str | None) -> dict[str, Any]:
    values = visit.values
    for case in step.rule:
        if case.when is None or holds(case.when, values):
            given = fill(case.set, values)
            return {"target": case.go or following, "result": given, "note": case.when or "else"}
    return {"target": following, "result": {}, "note": "no case holds"}


async def _subprocess(visit: Visit, step: SubprocessStep, following: str | None) -> Outcome:
    given = await visit.once("given", lambda: fill(step.input, visit.values))
    await visit.note("began", "began", by=step.subprocess, input=given)
    graph = visit.means.subprocesses[step.subprocess]
    asked = {"input": given, "definitions": visit.state["definitions"]}
    ended = await graph.ainvoke(asked, visit.config)
    visit.trail.extend(_within(visit, entry) for entry in ended["trail"])
    result = {"status": ended["status"], "results": ended["results"]}
    if ended["status"] == "failed":
        why = "; ".join(f"{key}: {reason}" for key, reason in ended["failed"].items())
        return Outcome(step.failed, result, "failed", by=step.subprocess, note=why)
    return Outcome(following, result, by=step.subprocess)


def _within(visit: Visit, entry: Entry) -> Entry:
    before = f"{visit.definition.key}/{visit.step.id}"
    return {**entry, "id": f"{before}/{entry['id']}", "step": f"{visit.step.id}/{entry['step']}"}


async def _gone_on(visit: Visit, outcome: Outcome, *, inside: bool) -> Command[Any]:
    """The update of the state, and where the process goes."""
    step, result = visit.step, outcome.result
    is_lost = outcome.event == "failed"
    if is_lost and result is None:
        result = {"error": outcome.note}
    told = {"by": outcome.by, "role": outcome.role, "result": result, "note": outcome.note}
    await visit.note("ended", outcome.event, **told)
    update: dict[str, Any] = {"trail": visit.trail}
    if result is not None:
        update["results"] = {step.id: result}
    if is_lost and outcome.target is None:
        update["failed"] = {step.id: outcome.note}
    if outcome.target is not None:
        return Command(update=update, goto=node_name(visit.definition, outcome.target))
    if not inside:
        ended = step.id if outcome.event == "ended" else "completed"
        update["status"] = "failed" if is_lost else ended
    return Command(update=update, goto=END)


def _inside(step: Step) -> Iterator[Step]:
    """The steps in the branches of a step, however deep."""
    if isinstance(step, ParallelStep):
        for branch in step.parallel.values():
            for each in branch:
                yield each
                yield from _inside(each)
