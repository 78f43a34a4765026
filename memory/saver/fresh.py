"""Checkpoints that were saved here a moment ago, and under which nothing was written yet."""

import threading
import time
from collections.abc import Callable
from typing import Final

from cogwork.memory.saver.rows import Place

__all__ = ["Fresh"]

_MOMENT: Final = 1.0  # seconds
_KEPT: Final = 10.0  # seconds; a checkpoint may be saved after what is written under it
_MANY: Final = 1_000


class Fresh:
    """Knows of checkpoints, without reading, that they have no writes.

    Another process can write under a checkpoint only when it has found it and runs the same
    thread, as after a pause of this one that was taken for its death; hence only for a moment.

    Args:
        clock: Seconds since 1970, for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._known: dict[
            Place, tuple[float, bool]
        ] = {}  # since when, and whether it is written to
        self._most = _MANY
        self._guard = threading.Lock()  # a mark that is lost would be a call made twice

    def __contains__(self, place: Place) -> bool:
        at, written = self._known.get(place, (0.0, True))
        return not written and 0 <= self._clock() - at < _MOMENT  # a clock put back proves nothing

    def saved(self, place: Place) -> None:
        """Note a checkpoint that was saved."""
        with self._guard:
            self._known.setdefault(place, (self._clock(), False))

    def written(self, place: Place) -> None:
        """Note that something is about to be written under a checkpoint, saved or not."""
        now = self._clock()
        with self._guard:
            self._known[place] = now, True
            if len(self._known) > self._most:
                self._known = {
                    each: it for each, it in self._known.items() if abs(now - it[0]) < _KEPT
                }
                self._most = max(_MANY, 2 * len(self._known))
