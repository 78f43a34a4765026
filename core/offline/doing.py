"""Doing: the ways of doing a step, in the order in which they are tried."""

from collections.abc import Callable

from cogwork.core.offline.calculating import calculating
from cogwork.core.offline.combining import combining
from cogwork.core.offline.consulting import consulting, consulting_past, summarizing
from cogwork.core.offline.desk import Attempt, Desk, Found
from cogwork.core.offline.goals import Step, is_question
from cogwork.core.offline.recalling import noting, recalling, remembering
from cogwork.core.offline.results import CannotError, Result
from cogwork.core.offline.using import lacking, naming, searching, using
from cogwork.core.offline.writing import copying, writing

__all__ = ["do"]

_WAYS: tuple[Callable[[Step, Desk], Attempt], ...] = (
    naming,
    recalling,
    writing,
    calculating,
    using,
    copying,
    combining,
    consulting,
    summarizing,
    consulting_past,
    searching,
    remembering,
    lacking,
    noting,
)


def do(step: Step, desk: Desk) -> Found[Result]:
    """Do a step in the first way that applies.

    Raises:
        CannotError: It cannot be done; the message says why.
    """
    for way in _WAYS:
        result = yield from way(step, desk)
        if result is not None:
            return result
    if is_question(step.text) and not desk.tools.specs:
        raise CannotError("nothing in this conversation says it, and there is no tool to call")
    raise CannotError("no tool for it is bound, and nothing seen so far says it")
