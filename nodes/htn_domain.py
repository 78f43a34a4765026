"""What a hierarchical planner knows, as data: facts, operators, methods.

A fact is a tuple such as `("at", "ada", "home")`; a state is a set of them. A pattern is a fact
with variables, which are strings written `"?x"`. A condition is one of

    ("at", "?who", "?place")          a fact matches; its variables are bound, each way in turn
    ("not", ("at", "?who", "?place")) no fact matches, whatever its unbound variables are
    ("!=", "?a", "?b")                =, !=, <, <=, >, >= between what is bound
    Let("?rest", sub, ("?a", "?b"))   binds a variable to what a function computes

and conditions are tried in their order, so what binds a variable stands before what uses it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cogwork.core.errors import ConfigurationError
from cogwork.core.registry import nearest
from cogwork.nodes.htn_match import COMPARISONS, Condition, Let, Pattern, is_variable, negated

__all__ = ["Domain", "Method", "Operator", "Result"]

_NAME = re.compile(r"[\w-]{1,80}")


@dataclass(frozen=True, slots=True)
class Result:
    """In an operator's `args`: the result of the step that made a fact true.

    Attributes:
        fact: One of the operator's preconditions.
        path: A part of the result, such as `".hits[0].title"`.
    """

    fact: Pattern
    path: str = ""


@dataclass(frozen=True, slots=True)
class Operator:
    """A primitive task: one step of a plan.

    Attributes:
        name: Letters, digits, `_` and `-`.
        parameters: Variables, such as `("?who", "?place")`.
        preconditions: What must hold before the step.
        add: Facts that it makes true.
        delete: Facts that it makes untrue; what is in both is true afterwards.
        tool: The tool that the step calls; None for a free task.
        args: The tool's arguments. Variables in them are replaced, and `Result`s become
            references to the results of earlier steps.
        cost: What the step is estimated to cost, or the variable that says it.
        description: What the step does, with variables; its task unless given.
    """

    name: str
    parameters: Sequence[str] = ()
    preconditions: Sequence[Condition] = ()
    add: Sequence[Pattern] = ()
    delete: Sequence[Pattern] = ()
    tool: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    cost: float | str = 1.0
    description: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """One way to do a compound task.

    Attributes:
        task: The name of the compound task.
        parameters: Variables, or values that the task must have in their places.
        preconditions: When this way can be gone.
        subtasks: What is then to be done, in this order.
        name: What this way is called in explanations.
    """

    task: str
    parameters: Sequence[Any] = ()
    preconditions: Sequence[Condition] = ()
    subtasks: Sequence[Pattern] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Domain:
    """The operators and methods of a field; the methods of a task are tried in their order.

    Raises:
        ConfigurationError: Names clash, a subtask is unknown, a variable is not bound where it
            is used, … Every fault is named.
    """

    operators: Sequence[Operator]
    methods: Sequence[Method] = ()

    def __post_init__(self) -> None:
        faults = list(_faults(self))
        if faults:
            raise ConfigurationError("the domain has faults: " + "; ".join(faults))

    def check_tasks(self, tasks: Iterable[Pattern]) -> None:
        """Raise a `ConfigurationError` that names what is wrong with these tasks."""
        faults = [fault for task in tasks for fault in _faults_of_task(self, task)]
        if faults:
            raise ConfigurationError("; ".join(faults))


def _faults(domain: Domain) -> Iterator[str]:
    names = [operator.name for operator in domain.operators]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"{names.count(name)} operators are called '{name}'"
    for name in dict.fromkeys(method.task for method in domain.methods if method.task in names):
        yield f"'{name}' is an operator and has methods; a task is one or the other"
    for operator in domain.operators:
        for fault in _faults_of_operator(operator):
            yield f"operator '{operator.name}': {fault}"
    for method in domain.methods:
        for fault in _faults_of_method(domain, method):
            yield f"method '{method.name or method.task}': {fault}"


def _faults_of_operator(operator: Operator) -> Iterator[str]:
    if not _NAME.fullmatch(operator.name):
        yield "a name has letters, digits, '_' and '-', at most 80"
    for each in operator.parameters:
        if not is_variable(each):
            yield f"parameter {each!r} is no variable, such as '?{each}'"
    bound = set(operator.parameters)
    yield from _faults_of_conditions(operator.preconditions, bound)
    for effect in (*operator.add, *operator.delete):
        yield from _faults_of_pattern(effect, "effect", bound)
    yield from _faults_of_args(operator.args, operator, bound)
    cost = operator.cost
    if isinstance(cost, str):
        yield from _unbound([cost], bound, "cost")
        if not is_variable(cost):
            yield f"cost {cost!r} is neither a number nor a variable"
    elif isinstance(cost, bool) or not 0 <= cost < float("inf"):
        yield f"cost {cost!r} is no number from 0 on"


def _faults_of_method(domain: Domain, method: Method) -> Iterator[str]:
    bound = {each for each in method.parameters if is_variable(each)}
    yield from _faults_of_conditions(method.preconditions, bound)
    for task in method.subtasks:
        faults = [*_faults_of_pattern(task, "subtask", bound)]
        yield from faults or _faults_of_task(domain, task)


def _faults_of_task(domain: Domain, task: Any) -> Iterator[str]:
    if not isinstance(task, tuple) or not task:
        yield f"task {task!r} is no tuple with a name, such as ('travel', 'ada', 'park')"
        return
    name, *arguments = task
    counts = {len(each.parameters) for each in domain.operators if each.name == name}
    counts |= {len(each.parameters) for each in domain.methods if each.task == name}
    if not counts:
        known = {each.name for each in domain.operators} | {each.task for each in domain.methods}
        yield f"there is no task '{name}'; {nearest(str(name), sorted(known))}"
    elif len(arguments) not in counts:
        wanted = " or ".join(str(count) for count in sorted(counts))
        yield f"task '{name}' is given {len(arguments)} arguments; it takes {wanted}"


def _faults_of_conditions(conditions: Sequence[Condition], bound: set[str]) -> Iterator[str]:
    """Also adds to `bound` what the conditions bind."""
    existential: set[str] = set()
    for condition in conditions:
        if isinstance(condition, Let):
            yield from _unbound(condition.terms, bound, "Let")
            if not is_variable(condition.variable):
                yield f"Let binds {condition.variable!r}, which is no variable"
            binds = {condition.variable}
        elif (pattern := negated(condition)) is not None:
            yield from _faults_of_pattern(pattern, "negated condition")
            existential |= {each for each in pattern[1:] if is_variable(each)} - bound
            continue
        elif condition and condition[0] in COMPARISONS:
            if len(condition) != 3:
                yield f"comparison {condition!r} does not compare two things"
            yield from _unbound(condition[1:], bound, f"comparison {condition!r}")
            continue
        else:
            yield from _faults_of_pattern(condition, "condition")
            binds = {each for each in condition[1:] if is_variable(each)}
        for each in sorted(binds & existential):
            yield f"'{each}' stands in a negated condition before it is bound; move that behind"
        bound |= binds


def _faults_of_pattern(pattern: Any, kind: str, bound: set[str] | None = None) -> Iterator[str]:
    if not isinstance(pattern, tuple) or not pattern or not isinstance(pattern[0], str):
        yield f"{kind} {pattern!r} is no tuple with a name, such as ('at', '?who', '?place')"
    elif is_variable(pattern[0]) or pattern[0] in {*COMPARISONS, "not"}:
        yield f"{kind} {pattern!r} begins with '{pattern[0]}', which is no name of a fact or task"
    elif bound is not None:
        yield from _unbound(pattern[1:], bound, f"{kind} {pattern!r}")


def _faults_of_args(value: Any, operator: Operator, bound: set[str]) -> Iterator[str]:
    if isinstance(value, Result):
        if value.fact not in operator.preconditions:
            yield f"the args refer to the result of {value.fact!r}, which is no precondition"
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _faults_of_args(each, operator, bound)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _faults_of_args(each, operator, bound)
    else:
        yield from _unbound([value], bound, "args")


def _unbound(terms: Iterable[Any], bound: set[str], kind: str) -> Iterator[str]:
    for each in terms:
        if is_variable(each) and each not in bound:
            yield f"{kind}: nothing before binds '{each}'"
