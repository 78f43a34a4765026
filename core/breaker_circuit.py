"""How a circuit breaker goes from state to state; its state is plain data, kept by others."""

import uuid
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

__all__ = ["Circuit", "Outcome", "Permit", "State"]

State: TypeAlias = Literal["closed", "open", "half_open"]
Outcome: TypeAlias = Literal["success", "failure", "cancelled", "refused"]

_COUNTS: Final = {"success": 0, "failure": 0, "cancelled": 0, "refused": 0, "opened": 0}
_NEW: Final = {"state": "closed", "epoch": 0, "streak": 0, "since": 0.0, "probe": None}


class Permit(NamedTuple):
    """Leave to make a call, in which state's time, and whether as its probe."""

    epoch: int
    probe: str | None


@dataclass(frozen=True, slots=True)
class Circuit:
    """The rules; each method changes a state in place, given the time in seconds.

    Args:
        failures: How many in a row open it.
        successes: How many probes in a row close it.
        seconds: How long it stays open before a probe.
        probe_seconds: After which a probe is given up for lost.
    """

    failures: int
    successes: int
    seconds: float
    probe_seconds: float

    def admit(self, value: dict[str, Any], now: float) -> "Permit | float":
        """A permit, or the seconds until there may be one."""
        self.refresh(value, now)
        if value["state"] == "closed":
            return Permit(value["epoch"], None)
        if value["state"] == "half_open" and value["probe"] is None:
            token = uuid.uuid4().hex
            value["probe"] = [token, now + self.probe_seconds]
            return Permit(value["epoch"], token)
        value["counts"]["refused"] += 1
        return max(0.0, value["since"] + self.seconds - now) if value["state"] == "open" else 0.0

    def end(self, value: dict[str, Any], now: float, permit: Permit, outcome: Outcome) -> None:
        """Note how a call ended that had this permit."""
        self.refresh(value, now)
        value["counts"][outcome] += 1
        if permit.epoch != value["epoch"]:  # it began in another state, and tells nothing
            return
        if permit.probe is not None:
            if value["probe"] is None or value["probe"][0] != permit.probe:
                return
            value["probe"] = None
        self._judge(value, outcome, now)

    def refresh(self, value: dict[str, Any], now: float) -> None:
        """Begin where there is nothing yet, and do what time does."""
        if not value:
            value.update(_NEW, counts=dict(_COUNTS))
        value["since"] = min(value["since"], now)  # the clock may have been set back
        if value["probe"] is not None:
            value["probe"][1] = min(value["probe"][1], now + self.probe_seconds)
        if value["state"] == "open" and now >= value["since"] + self.seconds:
            self.turn(value, "half_open", now)
        if value["probe"] is not None and now >= value["probe"][1]:
            value["probe"] = None

    def turn(self, value: dict[str, Any], state: State, now: float) -> None:
        """Go to a state; what began before tells nothing about it."""
        value.update(state=state, since=now, streak=0, probe=None, epoch=value["epoch"] + 1)
        value["counts"]["opened"] += state == "open"

    def _judge(self, value: dict[str, Any], outcome: Outcome, now: float) -> None:
        """Go to another state, when this outcome was the one that it takes."""
        is_closed = value["state"] == "closed"
        if outcome == ("failure" if is_closed else "success"):
            value["streak"] += 1
            if value["streak"] >= (self.failures if is_closed else self.successes):
                self.turn(value, "open" if is_closed else "closed", now)
        elif outcome == "success":
            value["streak"] = 0
        elif outcome == "failure":
            self.turn(value, "open", now)
