"""Planning by hierarchical task networks: tasks are broken down until only steps are left.

Total-order forward decomposition, as SHOP does it: the first task is decomposed first, by the
first method that can be used in the state that the steps before it leave behind; when that
leads nowhere, the next binding or method is tried, from the state as it was. The steps that are
found come in one order; the plan keeps of it only what the steps' effects demand.

Nau et al. (1999), SHOP: Simple Hierarchical Ordered Planner, IJCAI;
Nau et al. (2003), SHOP2: An HTN Planning System, https://doi.org/10.1613/jair.1141
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from cogwork.core.errors import ConfigurationError, PlanningError
from cogwork.nodes.htn_domain import Domain, Method, Operator, Result
from cogwork.nodes.htn_match import (
    Binding,
    Blocked,
    Fact,
    Facts,
    Let,
    Need,
    State,
    checked_state,
    ground,
    is_variable,
    need_of,
    show,
    solutions,
    unify,
)
from cogwork.nodes.htn_order import Action, Order
from cogwork.nodes.plan import Plan, Step

__all__ = ["Domain", "Let", "Method", "Operator", "Result", "plan_htn"]

_IN_TEXT = re.compile(r"\?[A-Za-z_]\w*")
_SHOWN = 8  # alternatives in an error message
_TOLD = 200  # and in its details


def plan_htn(
    domain: Domain,
    state: Iterable[Fact],
    tasks: Sequence[Fact],
    *,
    goal: str | None = None,
    max_depth: int = 200,
    max_expansions: int = 100_000,
) -> Plan:
    """Find steps that do the tasks, one after the other.

    A step depends on those that make its preconditions true, and on those that must be through
    before it may change a fact; what a method needs must be true before any of its steps begins
    and is not made untrue before the first of them is done. Steps that don't touch each other
    run in parallel: an order that matters has to show in preconditions and effects. Where
    nothing is left to do, the plan has no steps.

    Args:
        domain: What can be done, and how tasks break down.
        state: The facts that hold at the start.
        tasks: What is to be done, such as `[("travel", "ada", "home", "park")]`.
        goal: The plan's; the tasks unless given.
        max_depth: How deep tasks may be nested. A method that ends with its own task again
            nests once a turn. A task below itself in an unchanged state is never followed.
        max_expansions: How many tasks may be looked at before the search is given up.

    Raises:
        PlanningError: There is no such plan; it says which precondition blocked which step or
            method at the deepest point that was reached, and what else was tried.
        ConfigurationError: A task is unknown, or a fact is none.

    Examples:
        >>> domain = Domain(
        ...     [Operator("walk", ("?a", "?b"), [("at", "?a")], [("at", "?b")], [("at", "?a")])],
        ...     [Method("go", ("?b",), [("at", "?a")], [("walk", "?a", "?b")])],
        ... )
        >>> [step.description for step in plan_htn(domain, [("at", "home")], [("go", "park")]).steps]
        ['walk(home, park)']
    """
    facts = checked_state(state)
    tasks = tuple(tasks)
    domain.check_tasks(tasks)
    for task in tasks:
        if any(map(is_variable, task)):
            raise ConfigurationError(f"task {show(task)} has a variable; say what it stands for")
    search = _Search(domain, max_depth, max_expansions)
    done = search.run(facts, tasks)
    said = ", ".join(show(task) for task in tasks)
    if done is None:
        raise search.error(said)
    return _plan(done, facts, said if goal is None else goal)


@dataclass(frozen=True, slots=True)
class _Item:
    """A task on the agenda.

    `above` chains the compound tasks that it came from, each with the state they met.
    """

    task: Fact
    level: int = 0
    above: "tuple[Fact, State, Any] | None" = None
    because: tuple[tuple[int, Need], ...] = ()


@dataclass(frozen=True, slots=True)
class _Done:
    """A step that has been found."""

    operator: Operator
    task: Fact
    binding: Binding
    action: Action


_Agenda: TypeAlias = "tuple[_Item, _Agenda] | None"
_Chain: TypeAlias = "tuple[_Done, _Chain] | None"


@dataclass(frozen=True, slots=True)
class _Node:
    """A point of the search; it changes nothing, so going back is only forgetting."""

    facts: Facts
    agenda: _Agenda
    done: _Chain = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class _Failure:
    reached: tuple[int, int]  # steps before it, and its level
    said: str


class _Search:
    """Depth first, with a stack of its own: nesting is bounded by `max_depth` alone."""

    def __init__(self, domain: Domain, max_depth: int, max_expansions: int) -> None:
        self.operators = {operator.name: operator for operator in domain.operators}
        self.methods: dict[str, list[Method]] = {}
        for method in domain.methods:
            self.methods.setdefault(method.task, []).append(method)
        self.max_depth = max_depth
        self.max_expansions = max_expansions
        self.failures: dict[str, _Failure] = {}

    def run(self, state: State, tasks: Sequence[Fact]) -> list[_Done] | None:
        agenda: _Agenda = None
        for task in reversed(tasks):
            agenda = (_Item(task), agenda)
        stack = [iter([_Node(Facts(state), agenda)])]
        expansions = 0
        while stack:
            node = next(stack[-1], None)
            if node is None:
                stack.pop()
            elif node.agenda is None:
                return _listed(node.done)
            else:
                expansions += 1
                if expansions > self.max_expansions:
                    raise self.error(
                        ", ".join(map(show, tasks)),
                        f"the search was given up after max_expansions={self.max_expansions}; ",
                    )
                stack.append(self._expand(node, *node.agenda))
        return None

    def _expand(self, node: _Node, item: _Item, rest: _Agenda) -> Iterator[_Node]:
        operator = self.operators.get(item.task[0])
        if operator is not None:
            yield from self._apply(node, item, rest, operator)
        elif _repeats(item, node.facts.state):
            self._failed(node, item, "goes round in a circle: it is below itself, nothing changed")
        elif item.level >= self.max_depth:
            self._failed(node, item, f"is nested deeper than max_depth={self.max_depth}")
        else:
            for method in self.methods[item.task[0]]:
                yield from self._decompose(node, item, rest, method)

    def _apply(
        self, node: _Node, item: _Item, rest: _Agenda, operator: Operator
    ) -> Iterator[_Node]:
        for binding in self._bindings(node, item, operator):
            add = frozenset(ground(each, binding) for each in operator.add)
            delete = frozenset(ground(each, binding) for each in operator.delete) - add
            action = Action(need_of(operator.preconditions, binding), add, delete, item.because)
            yield _Node(
                Facts((node.facts.state - delete) | add),
                rest,
                (_Done(operator, item.task, binding, action), node.done),
                node.count + 1,
            )

    def _decompose(
        self, node: _Node, item: _Item, rest: _Agenda, method: Method
    ) -> Iterator[_Node]:
        above = (item.task, node.facts.state, item.above)
        for binding in self._bindings(node, item, method):
            need = need_of(method.preconditions, binding)
            because = (*item.because, (node.count, need)) if need != Need() else item.because
            agenda = rest
            for task in reversed(method.subtasks):
                agenda = (_Item(ground(task, binding), item.level + 1, above, because), agenda)
            yield _Node(node.facts, agenda, node.done, node.count)

    def _bindings(self, node: _Node, item: _Item, way: Operator | Method) -> Iterator[Binding]:
        name = f" ({way.name})" if isinstance(way, Method) and way.name else ""
        binding = unify(tuple(way.parameters), item.task[1:], {})
        if binding is None:
            self._failed(node, item, f"{name} is for {show((item.task[0], *way.parameters))}")
            return
        blocked = Blocked()
        found = False
        try:
            for found_binding in solutions(way.preconditions, node.facts, binding, blocked):
                found = True
                yield found_binding
        except Exception as error:
            raise PlanningError(
                f"{show(item.task)}{name}: a precondition cannot be computed: "
                f"{type(error).__name__}: {error}"
            ) from error
        if not found:
            self._failed(node, item, f"{name} needs {blocked.condition}")

    def _failed(self, node: _Node, item: _Item, why: str) -> None:
        said = f"{show(item.task)} {why}".replace("  ", " ")
        reached = (node.count, item.level)
        known = self.failures.get(said)
        if known is None or known.reached < reached:
            after = ", ".join(show(done.task) for done in _listed(node.done)[-3:])
            place = f"after {'… ' if node.count > 3 else ''}{after}" if after else "at the start"
            self.failures[said] = _Failure(reached, f"{place}, {said}")

    def error(self, tasks: str, why: str = "") -> PlanningError:
        """The farthest point first, then what else was tried."""
        found = sorted(self.failures.values(), key=lambda each: each.reached, reverse=True)
        lines = [each.said for each in found]
        message = f"there is no plan for {tasks}: {why}{lines[0] if lines else 'nothing to try'}"
        if lines[1:]:
            shown = [*lines[1 : _SHOWN + 1]]
            if len(lines) > _SHOWN + 1:
                shown.append(f"and {len(lines) - _SHOWN - 1} more")
            message += "\nAlso tried:\n- " + "\n- ".join(shown)
        return PlanningError(message, details={"tried": lines[:_TOLD]})


def _repeats(item: _Item, state: State) -> bool:
    above = item.above
    while above is not None:
        task, met, above = above
        if task == item.task and met == state:
            return True
    return False


def _listed(chain: _Chain) -> list[_Done]:
    found = []
    while chain is not None:
        done, chain = chain
        found.append(done)
    return found[::-1]


def _plan(done: Sequence[_Done], initial: State, goal: str) -> Plan:
    order = Order([each.action for each in done], initial)
    ids = [f"{each.operator.name}-{place}" for place, each in enumerate(done, 1)]

    def reference(fact: Fact, place: int, path: str) -> str:
        giver = order.giver(fact, place)
        if giver is None:
            raise PlanningError(
                f"'{ids[place]}' refers to the result of the step that made {show(fact)} true; "
                "it was true from the start"
            )
        return f"{{{ids[giver]}.result{path}}}"

    def filled(value: Any, place: int) -> Any:
        if isinstance(value, Result):
            return reference(ground(value.fact, done[place].binding), place, value.path)
        if isinstance(value, Mapping):
            return {key: filled(each, place) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [filled(each, place) for each in value]
        return _text(value, done[place].binding) if isinstance(value, str) else value

    steps = [
        Step(
            id=ids[place],
            description=str(_text(each.operator.description, each.binding)) or show(each.task),
            depends_on=tuple(ids[other] for other in order.dependencies[place]),
            tool=each.operator.tool,
            args=filled(each.operator.args, place),
            estimated_cost=_cost(each, ids[place]),
        )
        for place, each in enumerate(done)
    ]
    return Plan(goal=goal, steps=tuple(steps))


def _text(template: str, binding: Binding) -> Any:
    """A variable alone becomes its value, within a text its text."""
    if is_variable(template):
        return binding.get(template, template)
    return _IN_TEXT.sub(lambda match: str(binding.get(match[0], match[0])), template)


def _cost(done: _Done, key: str) -> float:
    cost = done.operator.cost
    value = done.binding[cost] if isinstance(cost, str) else cost
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e300:
        raise PlanningError(f"'{key}' is estimated to cost {value!r}; a cost is a number from 0 on")
    return float(value)
