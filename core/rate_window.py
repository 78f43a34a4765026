"""How many requests and tokens there are in a window of time that slides.

What was let through is counted in slots of a hundredth of the window. A slot leaves the count a
hundredth later than it would have to, so that a call which is late to begin still finds its
place in the count; together that costs about a sixtieth of the rate.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Window"]

_SLOTS: Final = 100


@dataclass(frozen=True, slots=True)
class Window:
    """The limits; each method changes what was counted in place, given the time in seconds.

    What was counted is `log`, for each slot its requests, its tokens and its number, oldest
    first; `counted`, the sums of both; and `next`, when an evenly paced request would be due.

    Args:
        requests: How many in any `seconds`; None for no limit.
        tokens: How many in any `seconds`; None for no limit.
        burst: How many requests may follow each other at once.
        seconds: How long the window is.
    """

    requests: int | None
    tokens: int | None
    burst: int | None
    seconds: float

    def wait(self, value: dict[str, Any], now: float, tokens: int) -> tuple[float, int]:
        """Return the seconds until a request may be made; it is counted when there are none.

        Returns:
            The seconds, and the slot in which it is counted.
        """
        counted = self.counted(value, now)
        free_at = max(
            self._free_at(value["log"], 0, self.requests, 1, counted),
            self._free_at(value["log"], 1, self.tokens, tokens, counted),
            self._paced_at(value),
        )
        if free_at > now:
            return free_at - now, 0
        return 0.0, self._count(value, now, tokens)

    def counted(self, value: dict[str, Any], now: float) -> list[int]:
        """Return the requests and the tokens that still count; forget the others."""
        if not value:
            value.update(log=[], counted=[0, 0])
        log, counted = value["log"], value["counted"]
        self._forget_the_future(value, now)
        while log and self._leaves_at(log[0][2]) <= now:
            requests, tokens, _ = log.pop(0)
            counted[0] -= requests
            counted[1] -= tokens
        return list(counted)

    def correct(self, value: dict[str, Any], now: float, slot: int, tokens: int) -> None:
        """Add tokens to what was counted in a slot, or take them away."""
        self.counted(value, now)
        for each in reversed(value["log"]):
            if each[2] == slot:
                more = max(tokens, -each[1])
                each[1] += more
                value["counted"][1] += more
                return

    def _forget_the_future(self, value: dict[str, Any], now: float) -> None:
        """Count as made now what cannot have been yet: the clock was set back, or the window changed."""
        slot = self._slot(now)
        for each in reversed(value["log"]):
            if each[2] <= slot:
                break
            each[2] = slot
        if "next" in value:
            value["next"] = min(value["next"], now + self.seconds)

    def _slot(self, now: float) -> int:
        return math.floor(now / self.seconds * _SLOTS)

    def _leaves_at(self, slot: int) -> float:
        return (slot + 2 + _SLOTS) * self.seconds / _SLOTS

    def _free_at(
        self, log: list[list[int]], kind: int, limit: int | None, asked: int, counted: list[int]
    ) -> float:
        """When enough has left that what is asked fits."""
        if limit is None:
            return 0.0
        over = counted[kind] + min(asked, limit) - limit
        if over <= 0:
            return 0.0
        for slot in log:
            over -= slot[kind]
            if over <= 0:
                return self._leaves_at(slot[2])
        return 0.0

    def _paced_at(self, value: dict[str, Any]) -> float:
        """When the burst has a place: one comes free in each even share of the window."""
        if self.burst is None or self.requests is None:
            return 0.0
        earliest: float = value.get("next", 0.0) - (self.burst - 1) * self.seconds / self.requests
        return earliest

    def _count(self, value: dict[str, Any], now: float, tokens: int) -> int:
        log, counted, slot = value["log"], value["counted"], self._slot(now)
        if not log or log[-1][2] < slot:
            log.append([0, 0, slot])
        log[-1][0] += 1
        log[-1][1] += tokens
        counted[0] += 1
        counted[1] += tokens
        if self.requests is not None:
            value["next"] = max(value.get("next", 0.0), now) + self.seconds / self.requests
        return slot
