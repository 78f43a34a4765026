"""Which of a chain of actions really have to wait for each other.

Every fact is a switch that actions set, unset and look at. An action that looks waits for the
one that brought the switch into the position it needs; an action that moves the switch waits
for those that moved it the other way before, and for those that looked at it before. All orders
that keep to this let every action find what it needs, and end in the same state.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cogwork.nodes.htn_match import Fact, Need, State, fits

__all__ = ["Action", "Order"]


@dataclass(frozen=True, slots=True)
class Action:
    """A step in its place.

    Attributes:
        need: What its own preconditions say.
        add: What it makes true.
        delete: What it makes untrue, and does not make true.
        because: What the methods that led to it needed, each with the number of actions that
            stood before the method was chosen.
    """

    need: Need
    add: frozenset[Fact] = frozenset()
    delete: frozenset[Fact] = frozenset()
    because: tuple[tuple[int, Need], ...] = ()


@dataclass(slots=True)
class _Switch:
    """Who moved a fact, and who looked at it, in order."""

    at_first: bool
    moves: list[tuple[int, bool]] = field(default_factory=list)
    looks: list[tuple[int, bool]] = field(default_factory=list)

    def brought_by(self, wanted: bool, place: int) -> int | None:
        """The action before `place` that brought it into this position, to stay there."""
        first: int | None = None
        position = self.at_first
        for mover, moved_to in self.moves:
            if mover >= place:
                break
            if moved_to != position:
                position, first = moved_to, mover
        return first if position == wanted else None

    def others(self, place: int, moved_to: bool) -> Iterator[int]:
        """Those before `place` that moved it to the other position, or needed it there."""
        for other, position in (*self.moves, *self.looks):
            if other < place and position != moved_to:
                yield other


class Order:
    """The dependencies in a chain of actions that is executable in its order.

    Args:
        actions: What is to be done.
        initial: The state before the first.
    """

    def __init__(self, actions: Sequence[Action], initial: State) -> None:
        self.initial = initial
        self._switches: dict[Fact, _Switch] = {}
        self._by_name: dict[Any, list[Fact]] = {}
        for place, action in enumerate(actions):
            for fact in action.add:
                self._switch(fact).moves.append((place, True))
            for fact in action.delete:
                self._switch(fact).moves.append((place, False))
        for fact in self._switches:
            self._by_name.setdefault(fact[0], []).append(fact)
        self.dependencies = self._reduced([self._waits(*each) for each in enumerate(actions)])

    def giver(self, fact: Fact, place: int) -> int | None:
        """Return the action that made a fact true for the action at `place`.

        None means that it was true from the start.
        """
        switch = self._switches.get(fact)
        return switch.brought_by(True, place) if switch else None

    def _switch(self, fact: Fact) -> _Switch:
        return self._switches.setdefault(fact, _Switch(fact in self.initial))

    def _looks(self, need: Need) -> Iterator[tuple[_Switch, bool]]:
        """The switches that matter to a need, and how they have to stand; others never move."""
        for fact in need.facts:
            if fact in self._switches:
                yield self._switches[fact], True
        for pattern in need.absent:
            for fact in self._by_name.get(pattern[0], ()):
                if fits(pattern, fact):
                    yield self._switches[fact], False

    def _waits(self, place: int, action: Action) -> set[int]:
        found: set[int | None] = set()
        for chosen_at, need in (*action.because, (place, action.need)):
            for switch, wanted in self._looks(need):
                found.add(switch.brought_by(wanted, chosen_at))
                if chosen_at == place:  # the first step of a method is where it begins
                    switch.looks.append((place, wanted))
        for fact in action.add:
            found.update(self._switches[fact].others(place, True))
        for fact in action.delete:
            found.update(self._switches[fact].others(place, False))
        return {each for each in found if each is not None}

    @staticmethod
    def _reduced(waits: Sequence[set[int]]) -> tuple[tuple[int, ...], ...]:
        """Only the direct ones: who is waited for anyway need not be named."""
        behind: list[int] = []  # per action, a bit for each that is done before it
        kept = []
        for found in waits:
            covered = 0
            direct = []
            for other in sorted(found, reverse=True):
                if not covered >> other & 1:
                    direct.append(other)
                    covered |= behind[other] | 1 << other
            behind.append(covered)
            kept.append(tuple(sorted(direct)))
        return tuple(kept)
