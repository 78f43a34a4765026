"""One attempt at a step whose effect happens once: recorded before its result is seen."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from langchain_core.runnables import RunnableConfig

from cogwork.core.journal import Journal
from cogwork.nodes.attempt import Answers, Before, Gate, Way, arguments, attempt
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.ways import Ways
from cogwork.tools.calling import ReadyTool
from cogwork.tools.effects import holdable, perform
from cogwork.tools.taint import reading

__all__ = ["Place", "RunPlan", "do_step", "has_effect"]

RunPlan: TypeAlias = Callable[[Plan, str, Sequence[str]], Awaitable[dict[str, StepResult]]]
"""Runs the parts of a step: a plan, what their names begin with, and what they draw on."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step runs: in which node, with which answers of persons, after which sources.

    Args:
        config: Of the node.
        journal: Of the node.
        answers: Of persons, so far.
        run_plan: Runs the parts of a step.
        taint: The untrusted sources that have been read.
        depth: How often a step was split to come to this one.
    """

    config: RunnableConfig
    journal: Journal
    answers: Answers
    run_plan: RunPlan
    taint: Sequence[str] = ()
    depth: int = 0


def has_effect(way: Way) -> bool:
    """Whether it is a tool that changes something; a graph notes the calls that it makes."""
    return isinstance(way, ReadyTool) and way.spec.effect != "read"


async def do_step(
    step: Step,
    way: Way,
    before: Before,
    ways: Ways,
    at: Place,
    *,
    name: str,
    call: str,
    again: bool,
    gate: Gate | None,
    taint: set[str],
) -> Any:
    """Return what an attempt at a step gave, in a form that can be recorded.

    Args:
        step: What to do.
        way: What does it.
        before: The steps it depends on.
        ways: What goes for all steps.
        at: Where it runs.
        name: Of the attempt; a graph that was cut off goes on under the same name.
        call: What the call of a tool with an effect is recorded as.
        again: Whether to make a call that is in doubt.
        gate: Says whether the call of a tool is made.
        taint: The untrusted sources that the step draws on; is added to.

    Raises:
        InDoubtError: Nobody knows whether the call happened.
        Exception: Whatever went wrong.
    """

    async def once() -> Any:
        with reading(gate.taint if gate else ()) as found:
            try:
                result = await attempt(
                    step,
                    way,
                    before,
                    at.config,
                    place=name,
                    answers=at.answers,
                    seconds=ways.timeout,
                    to_input=ways.to_input,
                    gate=gate,
                )
            finally:
                taint.update(found)
        return holdable(at.journal, result)

    def to_record(result: Any) -> dict[str, Any]:
        return {"result": result, "taint": sorted(taint)}

    async def recordable() -> dict[str, Any]:
        return to_record(await once())

    if isinstance(way, ReadyTool) and way.spec.is_untrusted:
        taint.add(way.tool.name)
    if not isinstance(way, ReadyTool) or not has_effect(way):
        return await once()
    args = arguments(step, before)
    done = await perform(at.journal, call, way, args, recordable, again=again, to_record=to_record)
    taint.update(done["taint"])
    return done["result"]
