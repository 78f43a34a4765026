"""How conditions are matched against a state, and what they then say about it."""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from cogwork.core.errors import ConfigurationError

__all__ = [
    "COMPARISONS",
    "Binding",
    "Blocked",
    "Condition",
    "Fact",
    "Facts",
    "Let",
    "Need",
    "Pattern",
    "State",
    "checked_state",
    "fits",
    "ground",
    "is_variable",
    "need_of",
    "negated",
    "show",
    "solutions",
    "unify",
]

Fact: TypeAlias = tuple[Any, ...]
"""A name and values, such as `("at", "ada", "home")`."""

Pattern: TypeAlias = tuple[Any, ...]
"""A fact or task in which variables may stand."""

State: TypeAlias = frozenset[Fact]
Binding: TypeAlias = Mapping[str, Any]

COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_VARIABLE = re.compile(r"\?[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Let:
    """A condition that binds a variable to what a function computes.

    Attributes:
        variable: When it is bound already, the condition holds if the values are equal.
        function: Pure; called anew each time.
        terms: Its arguments: values, and variables that are bound before.
    """

    variable: str
    function: Callable[..., Any]
    terms: Sequence[Any] = ()


Condition: TypeAlias = Pattern | Let


@dataclass(frozen=True, slots=True)
class Need:
    """What conditions say about the state: facts that are in it, patterns that match none."""

    facts: tuple[Fact, ...] = ()
    absent: tuple[Pattern, ...] = ()


class Blocked:
    """Remembers the condition at which matching got farthest and stopped."""

    def __init__(self) -> None:
        self.place = -1
        self.condition = ""

    def note(self, place: int, condition: Condition, binding: Binding) -> None:
        """Keep this condition, unless a later one has been reached already."""
        if place > self.place:
            self.place = place
            self.condition = show(condition, binding)


class Facts:
    """A state, sorted by the names of its facts, so that plans don't depend on hashing."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._named: dict[str, list[Fact]] = {}
        for fact in state:
            self._named.setdefault(fact[0], []).append(fact)

    def matches(self, pattern: Pattern, binding: Binding) -> Iterator[Binding]:
        """Yield the binding, extended by each fact that fits."""
        wanted = ground(pattern, binding)
        if not any(is_variable(term) for term in wanted):
            if wanted in self.state:
                yield binding
            return
        found = [fact for fact in self._named.get(wanted[0], ()) if fits(wanted, fact)]
        for fact in sorted(found, key=repr):
            extended = unify(pattern, fact, binding)
            if extended is not None:
                yield extended


def checked_state(state: Iterable[Fact]) -> State:
    """Return the facts as a state.

    Raises:
        ConfigurationError: Some are no facts; all of them are named.
    """
    facts = list(state)
    faults = []
    for fact in facts:
        if not isinstance(fact, tuple) or not fact or not isinstance(fact[0], str):
            faults.append(f"{fact!r} is no tuple with a name, such as ('at', 'ada', 'home')")
        elif fact[0] in {*COMPARISONS, "not"} or any(map(is_variable, fact)):
            faults.append(f"{fact!r} is a condition, no fact")
    if faults:
        raise ConfigurationError("the state has faults: " + "; ".join(faults))
    try:
        return frozenset(facts)
    except TypeError as error:
        raise ConfigurationError(f"a fact holds what cannot be hashed: {error}") from error


def is_variable(term: Any) -> bool:
    """Whether it is written `"?x"`."""
    return isinstance(term, str) and _VARIABLE.fullmatch(term) is not None


def negated(condition: Condition) -> Pattern | None:
    """Return the pattern of a condition that none may match; None of any other condition."""
    if isinstance(condition, tuple) and len(condition) == 2 and condition[0] == "not":
        pattern: Pattern = condition[1]
        return pattern
    return None


def ground(pattern: Pattern, binding: Binding) -> Pattern:
    """Return the pattern with its bound variables replaced."""
    return tuple(binding.get(term, term) if is_variable(term) else term for term in pattern)


def unify(pattern: Pattern, fact: Fact, binding: Binding) -> Binding | None:
    """Return the binding under which the pattern is the fact; None when there is none."""
    if len(pattern) != len(fact):
        return None
    extended = dict(binding)
    for term, value in zip(pattern, fact, strict=True):
        wanted = extended.setdefault(term, value) if is_variable(term) else term
        if wanted != value:
            return None
    return extended


def fits(pattern: Pattern, fact: Fact) -> bool:
    """Whether the pattern can be the fact."""
    return unify(pattern, fact, {}) is not None


def solutions(
    conditions: Sequence[Condition], facts: Facts, binding: Binding, blocked: Blocked
) -> Iterator[Binding]:
    """Yield every binding under which all conditions hold.

    Args:
        conditions: In the order in which they are tried.
        facts: The state.
        binding: What is bound before.
        blocked: Is told where it goes no farther.
    """

    def after(place: int, binding: Binding) -> Iterator[Binding]:
        if place == len(conditions):
            yield binding
            return
        holds = False
        for extended in _extensions(conditions[place], facts, binding):
            holds = True
            yield from after(place + 1, extended)
        if not holds:
            blocked.note(place, conditions[place], binding)

    return after(0, binding)


def _extensions(condition: Condition, facts: Facts, binding: Binding) -> Iterator[Binding]:
    if isinstance(condition, Let):
        value = condition.function(*ground(tuple(condition.terms), binding))
        extended = unify((condition.variable,), (value,), binding)
        if extended is not None:
            yield extended
    elif (pattern := negated(condition)) is not None:
        if next(facts.matches(pattern, binding), None) is None:
            yield binding
    elif condition[0] in COMPARISONS:
        _, left, right = ground(condition, binding)
        if COMPARISONS[condition[0]](left, right):
            yield binding
    else:
        yield from facts.matches(condition, binding)


def need_of(conditions: Sequence[Condition], binding: Binding) -> Need:
    """Return what the conditions say about the state, under a binding that fulfils them."""
    facts, absent = [], []
    for condition in conditions:
        if isinstance(condition, Let) or condition[0] in COMPARISONS:
            continue
        if (pattern := negated(condition)) is not None:
            absent.append(ground(pattern, binding))
        else:
            facts.append(ground(condition, binding))
    return Need(tuple(facts), tuple(absent))


def show(condition: Condition, binding: Binding | None = None) -> str:
    """Write a condition, fact or task for people: `at(ada, home)`, `no taxi(?t)`, `3 >= 5`."""
    bound = binding or {}
    if isinstance(condition, Let):
        name = getattr(condition.function, "__name__", "function")
        said = show((name, *condition.terms), bound)
        return f"{ground((condition.variable,), bound)[0]} = {said}"
    if (pattern := negated(condition)) is not None:
        return f"no {show(pattern, bound)}"
    name, *terms = ground(condition, bound)
    if name in COMPARISONS:
        return f" {name} ".join(str(term) for term in terms)
    return f"{name}({', '.join(str(term) for term in terms)})"
