"""The table of a state machine: states, transitions, handlers; and what is wrong with one."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, TypeAlias

from langchain_core.runnables import Runnable
from langgraph.graph import END, START
from langgraph.types import Command
from typing_extensions import TypedDict

from cogwork.core.registry import nearest

__all__ = [
    "DISPATCH",
    "Cursor",
    "Event",
    "Guard",
    "Handler",
    "Machine",
    "MachineState",
    "Transition",
    "faults_of",
]

DISPATCH = "dispatch"
"""The node that finds the state in which a machine is; no state can be called so."""

Event: TypeAlias = str | dict[str, Any]
"""A name, or a mapping with the name under `type` and whatever else handlers need."""

Guard: TypeAlias = Callable[[Any], bool | Awaitable[bool]]
"""Says from the state, with `event` in it, whether a transition may be taken."""

_Update: TypeAlias = Mapping[str, Any] | Command[Any] | None

Handler: TypeAlias = Callable[[Any], _Update | Awaitable[_Update]] | Runnable[Any, Any]
"""A function from the state to an update, plain or async, or any runnable or compiled graph."""

_RESERVED = {DISPATCH, START, END}
_SIGNS = set(":|/")


class Cursor(TypedDict, total=False):
    """Where a machine stands, for itself.

    `at` is the state as it was left; `phase` what is due there: to `enter` it, to let the
    machine `inside` run, or to `leave`; `chosen` the target that the entry handler named;
    `inner` the cursor of the machine inside; `asleep` the cursor of a machine whose inner one
    is passed by.
    """

    at: str
    phase: Literal["enter", "inside", "leave"]
    chosen: str
    inner: dict[str, Any] | None
    asleep: dict[str, Any]


class MachineState(TypedDict):
    """What a machine remembers; your own keys go into a subclass.

    `state` is where it is, with `/` before a state inside another; `events` are those to come;
    `event` is the one that brought it here, None when it went by itself.
    """

    state: NotRequired[str]
    events: NotRequired[list[Event]]
    event: NotRequired[Event | None]
    cursor: NotRequired[Cursor | None]


@dataclass(frozen=True, slots=True)
class Transition:
    """A way from one state to another, or back to the same, which is then entered anew.

    Attributes:
        source: The state it leaves.
        target: The state it enters.
        on: The event that it answers; None takes it by itself, as soon as its guard holds
            (out of a state with a machine of its own: as soon as that has ended).
        guard: Whether it may be taken.
        action: What is done on the way; returns an update.
    """

    source: str
    target: str
    on: str | None = None
    guard: Guard | None = None
    action: Handler | None = None

    @property
    def label(self) -> str:
        """What is written at its arrow: the event, and the name of the guard."""
        parts = [self.on or ""]
        if self.guard is not None:
            name = getattr(self.guard, "__name__", "<lambda>")
            parts.append("if …" if name == "<lambda>" else f"if {name}")
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Machine:
    """States, and the ways between them. Of several ways the first that is open is taken.

    Attributes:
        initial: Where it begins.
        states: The names of all states.
        transitions: In the order in which they are tried.
        final: States in which it ends.
        entry: What is done when a state is entered. A handler that returns `Command(goto=…)`
            chooses one of the state's transitions by its target.
        nested: Machines inside states: they begin when the state is entered, get the events
            first, and are left when they end or when the state answers an event itself.
    """

    initial: str
    states: Sequence[str]
    transitions: Sequence[Transition] = ()
    final: Collection[str] = ()
    entry: Mapping[str, Handler] = field(default_factory=dict)
    nested: Mapping[str, "Machine"] = field(default_factory=dict)

    def ways(self, source: str) -> list[Transition]:
        """Return the transitions that leave a state."""
        return [each for each in self.transitions if each.source == source]


def faults_of(machine: Machine, keys: Collection[str] = ()) -> Iterator[str]:
    """Yield everything that is wrong with a machine, those inside it included.

    Args:
        machine: The table.
        keys: The keys of the graph's state, which no node can be called by.
    """
    yield from _faults_of_names(machine, keys)
    yield from _faults_of_references(machine)
    yield from _faults_of_ends(machine)
    yield from _unreachable(machine)
    yield from _shadowed(machine)
    for name, inner in machine.nested.items():
        for fault in faults_of(inner, keys):
            yield f"inside '{name}': {fault}"


def _faults_of_names(machine: Machine, keys: Collection[str]) -> Iterator[str]:
    names = list(machine.states)
    if not names:
        yield "there are no states"
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"{names.count(name)} states are called '{name}'"
        if not name or name in _RESERVED or _SIGNS & set(name):
            yield f"a state cannot be called '{name}': that name or one of ':|/' is reserved"
        if name in keys:
            yield f"a state cannot be called '{name}', because a key of the graph's state is"
    for each in machine.transitions:
        if each.on == "":
            yield f"the transition from '{each.source}' to '{each.target}' is on an unnamed event"


def _faults_of_references(machine: Machine) -> Iterator[str]:
    uses = [("the initial state", machine.initial)]
    for each in machine.transitions:
        uses.append((f"the source of a transition to '{each.target}'", each.source))
        uses.append((f"the target of a transition from '{each.source}'", each.target))
    uses += [("a final state", name) for name in machine.final]
    uses += [("a state with an entry handler", name) for name in machine.entry]
    uses += [("a state with a machine inside", name) for name in machine.nested]
    for use, name in dict.fromkeys(uses):
        if name not in machine.states:
            yield f"{use} is '{name}', which is no state; {nearest(name, list(machine.states))}"


def _faults_of_ends(machine: Machine) -> Iterator[str]:
    for name in dict.fromkeys(machine.states):
        targets = ", ".join(f"'{each.target}'" for each in machine.ways(name))
        if name in machine.final and targets:
            yield f"'{name}' is final, but leads to {targets}"
        if name in machine.final and name in machine.nested:
            yield f"'{name}' is final, but has a machine inside"
        if name not in machine.final and not targets:
            yield f"nothing leads out of '{name}'; add a transition, or make it final"


def _unreachable(machine: Machine) -> Iterator[str]:
    if machine.initial not in machine.states:
        return
    found, waiting = {machine.initial}, [machine.initial]
    while waiting:
        for each in machine.ways(waiting.pop()):
            if each.target not in found:
                found.add(each.target)
                waiting.append(each.target)
    for name in dict.fromkeys(machine.states):
        if name not in found:
            yield f"nothing leads from '{machine.initial}' to '{name}'"


def _shadowed(machine: Machine) -> Iterator[str]:
    """Ways that are never taken, because one before them is always open."""
    for name in dict.fromkeys(machine.states):
        always: dict[str | None, str] = {}
        for each in machine.ways(name):
            chosen = each.on is None and name in machine.entry  # its handler may choose it
            if each.on in always and not chosen:
                yield (
                    f"'{name}' never goes to '{each.target}' on {each.on or 'its own'}, because "
                    f"the way to '{always[each.on]}' before it has no guard"
                )
            if each.guard is None:
                always.setdefault(each.on, each.target)
