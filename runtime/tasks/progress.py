"""How far a run is, from what it streams."""

from collections.abc import Mapping
from typing import Any, Final

from cogwork.runtime.tasks.task import Phase

__all__ = ["Progress"]

_PLANNING: Final = frozenset({"plan", "approve", "strategic", "tactical"})
_EXECUTING: Final = frozenset({"execute", "act", "operational"})
_DONE: Final = frozenset({"finished", "failed", "skipped"})
_AFTER: Final = 0.95  # of the way, when the last step of a plan is done
_GUESS: Final = 4  # nodes after which a graph that tells nothing is taken to be half done


class Progress:
    """Counts steps where a graph tells them, believes what it tells, and else guesses.

    It never goes back, and is 1 only at the end.
    """

    def __init__(self, share: float = 0.0) -> None:
        self.share = share
        self.phase: Phase | None = None
        self._steps: dict[str, bool] = {}
        self._nodes = 0

    def node(self, name: str) -> None:
        """Note that a node has ended."""
        self._nodes += 1
        self.phase = _phase(name)
        if not self._steps:
            self._reach(_AFTER * self._nodes / (self._nodes + _GUESS))

    def custom(self, event: Any) -> None:
        """Note what a node told: `{"type": "step", …}` or `{"type": "progress", "value": 0.4}`."""
        if not isinstance(event, Mapping):
            return
        if event.get("type") == "step":
            key = str(event.get("step"))
            self._steps[key] = self._steps.get(key, False) or str(event.get("event")) in _DONE
            self.phase = "executing"
            self._reach(_AFTER * sum(self._steps.values()) / len(self._steps))
        elif event.get("type") == "progress" and isinstance(event.get("value"), int | float):
            self._reach(float(max(0, min(event["value"], _AFTER))))

    def _reach(self, share: float) -> None:
        self.share = max(self.share, share)


def _phase(name: str) -> Phase:
    if name in _PLANNING:
        return "planning"
    return "executing" if name in _EXECUTING else "reasoning"
