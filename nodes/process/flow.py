"""Where each step of a definition leads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cogwork.nodes.process.definition import (
    ApprovalStep,
    EndStep,
    ParallelStep,
    RuleStep,
    Step,
    SubprocessStep,
    WaitStep,
    WorkStep,
)

__all__ = ["Way", "next_of", "ways_of"]

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """One way on from a step.

    Args:
        target: The id of a step; None for the end of the definition, or of the branch.
        label: What is written at the arrow.
        place: Where in the step the way is written.
    """

    target: str | None
    label: str = ""
    place: Place = ()


def next_of(steps: Sequence[Step], number: int) -> str | None:
    """Return the id of the step that follows when nothing else is decided."""
    step = steps[number]
    if isinstance(step, EndStep):
        return None
    if step.next is not None:
        return step.next
    return steps[number + 1].id if number + 1 < len(steps) else None


def ways_of(steps: Sequence[Step], number: int) -> list[Way]:
    """Return every way on from a step among those of its definition or branch."""
    step = steps[number]
    if isinstance(step, EndStep):
        return []
    onward = Way(next_of(steps, number), place=("next",) if step.next else ())
    found = [*_decided(step, onward), *_late(step)]
    if isinstance(step, WorkStep | RuleStep | ParallelStep | SubprocessStep) and step.failed:
        found.append(Way(step.failed, "failed", ("failed",)))
    if step.when is not None and onward not in found:
        found.append(onward)
    return found


def _decided(step: Step, onward: Way) -> Iterator[Way]:
    if isinstance(step, ApprovalStep):
        approved = step.on.approve
        yield Way(approved, "approve", ("on", "approve")) if approved else onward
        yield Way(step.on.reject, "reject", ("on", "reject"))
    elif isinstance(step, RuleStep):
        for number, case in enumerate(step.rule):
            if case.go:
                yield Way(case.go, case.when or "else", ("rule", number, "go"))
        if step.rule[-1].when is not None or any(case.go is None for case in step.rule):
            yield onward
    else:
        yield onward


def _late(step: Step) -> Iterator[Way]:
    if isinstance(step, ApprovalStep | WaitStep):
        for number, deadline in enumerate(step.deadlines):
            if deadline.go:
                yield Way(deadline.go, "late", ("deadlines", number, "go"))
