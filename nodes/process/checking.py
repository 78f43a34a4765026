"""Whether a definition can run: its ways lead on, its names are known, its conditions can be read."""

import graphlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from cogwork.core.registry import nearest
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
    WorkStep,
)
from cogwork.nodes.process.expressions import expressions_in, fault_of
from cogwork.nodes.process.flow import ways_of
from cogwork.nodes.process.parts import Deadline, Remedy

__all__ = ["faults_in"]

Place: TypeAlias = tuple[str | int, ...]
Fault: TypeAlias = tuple[Place, str]


def faults_in(definition: Definition) -> Iterator[Fault]:
    """Yield what is wrong with a definition, each with its place in the file.

    Args:
        definition: One whose single values are right.
    """
    yield from _doubles(definition.steps, ("steps",), {})
    for name in definition.input:
        if not name.isidentifier():
            yield ("input", name), f"'{name}' is no name; use letters, digits and _"
    ways = [*_faults_of_ways(definition.steps, ("steps",))]
    yield from ways
    yield from _faults_of_parts(definition, definition.steps, ("steps",))
    if not ways:  # else what comes before a step cannot be told
        yield from _faults_of_expressions(definition.steps, ("steps",), frozenset({"input"}))


def _doubles(steps: Sequence[Step], path: Place, seen: dict[str, Place]) -> Iterator[Fault]:
    for number, step in enumerate(steps):
        here = (*path, number)
        if step.id in seen:
            key = "end" if isinstance(step, EndStep) else "id"
            first = ".".join(map(str, seen[step.id]))
            yield (*here, key), f"'{step.id}' is the id of {first} too; choose another"
        seen.setdefault(step.id, here)
        if isinstance(step, ParallelStep):
            for name, branch in step.parallel.items():
                yield from _doubles(branch, (*here, "parallel", name), seen)


def _faults_of_ways(steps: Sequence[Step], path: Place) -> Iterator[Fault]:
    ids = [step.id for step in steps]
    leads: dict[str, set[str]] = {key: set() for key in ids}
    is_whole = True
    for number, step in enumerate(steps):
        for way in ways_of(steps, number):
            if way.target is not None and way.target not in leads:
                is_whole = False
                yield (
                    (*path, number, *way.place),
                    f"no step here is called '{way.target}'; {nearest(way.target, ids)}",
                )
            elif way.target is not None:
                leads[step.id].add(way.target)
        if isinstance(step, ParallelStep):
            yield from _faults_of_branches(step, (*path, number))
    if is_whole:
        yield from _faults_of_order(ids, leads, path)


def _faults_of_branches(step: ParallelStep, path: Place) -> Iterator[Fault]:
    for name, branch in step.parallel.items():
        inside = (*path, "parallel", name)
        yield from _faults_of_ways(branch, inside)
        for number, each in enumerate(branch):
            if isinstance(each, EndStep):
                yield (*inside, number), "a branch cannot end the process; decide after the join"


def _faults_of_order(ids: list[str], leads: Mapping[str, set[str]], path: Place) -> Iterator[Fault]:
    reached, open_ = set[str](), [ids[0]]
    while open_:
        key = open_.pop()
        if key not in reached:
            reached.add(key)
            open_.extend(leads[key])
    for number, key in enumerate(ids):
        if key not in reached:
            yield (*path, number), f"nothing leads to '{key}'; lead to it, or remove it"
    try:
        graphlib.TopologicalSorter(leads).prepare()
    except graphlib.CycleError as error:
        circle = list(reversed(error.args[1]))
        way = " → ".join(circle)
        out = "lead on to a later step, and let persons correct things by 'edit'"
        yield (*path, ids.index(circle[0])), f"the steps go in a circle, {way}; {out}"


def _faults_of_parts(definition: Definition, steps: Sequence[Step], path: Place) -> Iterator[Fault]:
    roles = list(definition.roles)
    for number, step in enumerate(steps):
        here = (*path, number)
        for place, role in _roles_of(step):
            if role not in roles and not expressions_in(role):
                yield (*here, *place), f"no role is called '{role}'; {nearest(role, roles)}"
        for place, what in _faults_of_step(step):
            yield (*here, *place), what
        if isinstance(step, ParallelStep):
            for name, branch in step.parallel.items():
                yield from _faults_of_parts(definition, branch, (*here, "parallel", name))


def _roles_of(step: Step) -> Iterator[tuple[Place, str]]:
    named: list[tuple[Place, str | None]] = []
    if isinstance(step, ApprovalStep):
        named.append((("approval", "role"), step.approval.role))
    if isinstance(step, WaitStep):
        named.append((("wait", "by"), step.wait.by))
    if isinstance(step, ApprovalStep | WaitStep):
        named += [(("deadlines", n, "role"), each.role) for n, each in enumerate(step.deadlines)]
    if isinstance(step, WorkStep):
        named += [
            (("recovery", n, "escalate"), each.escalate) for n, each in enumerate(step.recovery)
        ]
    yield from ((place, role) for place, role in named if role)


def _faults_of_step(step: Step) -> Iterator[Fault]:
    if isinstance(step, WorkStep):
        yield from _faults_of_recovery(step.recovery)
    if isinstance(step, ApprovalStep | WaitStep):
        yield from _faults_of_deadlines(step.deadlines)
    if isinstance(step, ApprovalStep):
        yield from _faults_of_edits(step)
    if isinstance(step, RuleStep):
        for number, case in enumerate(step.rule[:-1]):
            if case.when is None:
                yield ("rule", number), "no case behind this one can hold; give it a 'when'"
    if isinstance(step, WaitStep):
        yield from _faults_of_wait(step)


def _faults_of_edits(step: ApprovalStep) -> Iterator[Fault]:
    shown = list(step.approval.show)
    for name in step.approval.edit:
        if name not in shown:
            offer = nearest(name, shown) if shown else "add it to 'show'"
            yield ("approval", "edit"), f"'{name}' is not shown; {offer}"


def _faults_of_wait(step: WaitStep) -> Iterator[Fault]:
    wait = step.wait
    if sum(each is not None for each in (wait.event, wait.until, wait.duration)) != 1:
        yield ("wait",), "what is waited for is not one thing; give 'event', 'until' or 'for'"
    elif wait.event is None and (wait.by or step.deadlines):
        yield ("wait",), "a time comes by itself; 'by' and 'deadlines' are for events"


def _faults_of_recovery(recovery: Sequence[Remedy]) -> Iterator[Fault]:
    for number, one in enumerate(recovery):
        given = (one.retry, one.fallback, one.skip, one.escalate)
        if sum(each is not None for each in given) != 1:
            rungs = "'retry', 'fallback', 'skip' or 'escalate'"
            yield ("recovery", number), f"this is not one thing to do; give {rungs}"
        elif one.wait is not None and one.retry is None:
            yield ("recovery", number, "wait"), "'wait' is the time before a 'retry'; remove it"


def _faults_of_deadlines(deadlines: Sequence[Deadline]) -> Iterator[Fault]:
    before = 0.0
    for number, one in enumerate(deadlines):
        if (one.role is None) == (one.go is None):
            yield ("deadlines", number), "this is not one thing to do; give 'role' or 'go'"
        if one.after <= before:
            yield (
                ("deadlines", number, "after"),
                "this is not later than the one before; order them",
            )
        if one.go and number + 1 < len(deadlines):
            yield ("deadlines", number), "nothing comes behind 'go'; make it the last deadline"
        before = one.after


def _faults_of_expressions(
    steps: Sequence[Step], path: Place, known: frozenset[str]
) -> Iterator[Fault]:
    """What is wrong with the expressions, which may refer to what comes before their step."""
    before = {step.id: set(known) for step in steps}
    for number in _in_order(steps):
        step, here = steps[number], (*path, number)
        names = before[step.id]
        for place, text in _expressions_of(step):
            if fault := fault_of(text, names):
                yield (*here, *place), fault
        given = {*names, step.id}
        if isinstance(step, ParallelStep):
            for name, branch in step.parallel.items():
                inside = (*here, "parallel", name)
                yield from _faults_of_expressions(branch, inside, frozenset(names))
                given |= {each.id for each in _nested(branch)}
        for way in ways_of(steps, number):
            if way.target is not None:
                before[way.target] |= given


def _in_order(steps: Sequence[Step]) -> list[int]:
    place = {step.id: number for number, step in enumerate(steps)}
    sorter: graphlib.TopologicalSorter[int] = graphlib.TopologicalSorter()
    for number in range(len(steps)):
        sorter.add(number)
        for way in ways_of(steps, number):
            if way.target is not None:
                sorter.add(place[way.target], number)
    return list(sorter.static_order())


def _nested(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        if isinstance(step, ParallelStep):
            for branch in step.parallel.values():
                yield from _nested(branch)


def _expressions_of(step: Step) -> Iterator[tuple[Place, str]]:
    if isinstance(step, EndStep):
        return
    if step.when:
        yield ("when",), step.when
    for place, value in _values_of(step):
        for text in expressions_in(value):
            yield place, text
    if isinstance(step, RuleStep):
        for number, case in enumerate(step.rule):
            if case.when:
                yield ("rule", number, "when"), case.when


def _values_of(step: Step) -> Iterator[tuple[Place, Any]]:
    if isinstance(step, ToolStep):
        yield from ((("args", key), value) for key, value in step.args.items())
    elif isinstance(step, AgentStep):
        yield ("task",), step.task
    elif isinstance(step, SubprocessStep):
        yield from ((("input", key), value) for key, value in step.input.items())
    elif isinstance(step, RuleStep):
        for number, case in enumerate(step.rule):
            yield from ((("rule", number, "set", key), value) for key, value in case.set.items())
    elif isinstance(step, ApprovalStep):
        asked = step.approval
        yield from (
            (("approval", key), getattr(asked, key)) for key in ("role", "question", "unlike")
        )
        yield from ((("approval", "show", key), value) for key, value in asked.show.items())
    elif isinstance(step, WaitStep):
        yield ("wait", "until"), step.wait.until
