"""Replay: the steps of a goal, done again over what was seen, up to what is still to be called.

The model keeps no state. At each call it goes through its steps from the start; a call
that was made before is answered from its observation, the first that was not is what
has to be made next. So it goes on wherever a conversation stands, also after a restart.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cogwork.core.offline.arithmetic import misunderstood
from cogwork.core.offline.calculating import calculating
from cogwork.core.offline.consulting import combining, consulting, consulting_past, summarizing
from cogwork.core.offline.conversation import Conversation, Observation
from cogwork.core.offline.desk import Attempt, Call, CannotError, Desk, Found, Result, leans
from cogwork.core.offline.goals import CHANGES, Step, is_question
from cogwork.core.offline.recalling import noting, recalling, remembering, reporting
from cogwork.core.offline.toolbox import Toolbox
from cogwork.core.offline.using import lacking, naming, searching, using
from cogwork.core.offline.words import STOPWORDS, stem, tokens
from cogwork.core.offline.writing import copying, writing

__all__ = ["Outcome", "Pending", "do", "replay"]

_WAYS: tuple[Callable[[Step, Desk], Attempt], ...] = (
    naming,
    reporting,
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
    raise CannotError(_reason(step, desk))


def _reason(step: Step, desk: Desk) -> str:
    """Say what of a step was not understood."""
    if not desk.tools.specs:
        return "nothing in this conversation says it, and there is no tool to call"
    if desk.tools.calculator and (word := misunderstood(step.text)):
        return f"I don't understand “{word}” in this sum"
    said = list(dict.fromkeys(w for w in tokens(step.text) if w not in STOPWORDS))[:5]
    listed = ", ".join(f"“{word}”" for word in said) or f"“{step.text}”"
    seen = "nothing seen so far says it, and " if is_question(step.text) else ""
    return f"{seen}I know no tool or rule for {listed}"


_KEY = re.compile(r"^call_[0-9a-f]+_(\d+_\d+)$")


@dataclass(frozen=True, slots=True)
class Pending:
    """A call that is to be made now; `key` tells the calls of one goal apart."""

    call: Call
    key: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far the steps are: a result for each that is done, and the calls to be made."""

    steps: tuple[Step, ...]
    results: tuple[Result | None, ...]
    pending: tuple[Pending, ...]


class _Made:
    """The calls that were made since the goal was set."""

    def __init__(self, observations: Iterable[Observation]) -> None:
        self._keyed: dict[str, Observation] = {}
        self._left: list[Observation] = []
        for observation in observations:
            key = _KEY.match(observation.call_id)
            if key:
                self._keyed[key[1]] = observation
            else:
                self._left.append(observation)

    def find(self, call: Call, key: str) -> Observation | None:
        """Return what a call gave, by its key, else by its name and arguments."""
        keyed = self._keyed.get(key)
        if keyed is not None and keyed.tool in {call.tool, ""}:
            return keyed
        same = (o for o in self._left if o.tool == call.tool and dict(o.args) == dict(call.args))
        return next(same, None)


def replay(
    steps: tuple[Step, ...], talk: Conversation, tools: Toolbox, memory: tuple[Result, ...] = ()
) -> Outcome:
    """Do the steps as far as what was seen allows.

    Args:
        steps: In their order.
        talk: The conversation, with the observations since the goal.
        tools: The bound tools.
        memory: Results from before, which "it" may mean in the first step.
    """
    made = _Made(talk.turn.observations)
    results: list[Result | None] = []
    pending: list[Pending] = []
    for step in steps:
        waits = None in results and not _stands_alone(step, steps[: step.number], results)
        if waits:
            results.append(None)
            continue
        known = tuple(result for result in results if result is not None)
        if _is_blocked(step, known):
            results.append(Result("", kind="failure", value="blocked"))
            continue
        if step.condition is not None and _verdict(steps, step, results) != step.condition:
            results.append(Result("", kind="skipped"))
            continue
        earlier = steps[step.number - 1].text if step.number else ""
        desk = Desk(tools, talk, (*memory, *known), earlier, remembered=len(memory))
        result, missing = _run(step, desk, made)
        results.append(result)
        pending += missing
    return Outcome(steps, tuple(results), tuple(pending))


def _run(step: Step, desk: Desk, made: _Made) -> tuple[Result | None, list[Pending]]:
    """Do one step until it is done or needs a call that was not made yet."""
    count = 0
    work = do(step, desk)
    try:
        calls = next(work)
        while True:
            keys = [f"{step.number}_{count + index}" for index in range(len(calls))]
            count += len(calls)
            seen = [made.find(call, key) for call, key in zip(calls, keys, strict=True)]
            known = tuple(observation for observation in seen if observation is not None)
            if len(known) < len(calls):
                return None, [
                    Pending(call, key)
                    for call, key, observation in zip(calls, keys, seen, strict=True)
                    if observation is None
                ]
            calls = work.send(known)
    except StopIteration as done:
        result: Result = done.value
        return result, []
    except CannotError as error:
        return Result(str(error), kind="failure", names=frozenset(map(stem, tokens(step.text)))), []


def _verdict(steps: tuple[Step, ...], step: Step, results: list[Result | None]) -> bool | None:
    """Return what the check that a step hangs on came to, if it came to yes or no."""
    before = [index for index in range(step.number) if steps[index].condition is None]
    result = results[before[-1]] if before else None
    if result is None or result.kind != "verdict":
        return None
    return result.value == "yes"


def _stands_alone(step: Step, before: tuple[Step, ...], results: list[Result | None]) -> bool:
    """Tell whether a step can be done while others before it are still open."""
    if step.condition is not None or CHANGES.match(step.text) or leans(step.text):
        return False
    open_steps = [s for s, result in zip(before, results, strict=True) if result is None]
    return not any(CHANGES.match(other.text) for other in open_steps)


def _is_blocked(step: Step, done: tuple[Result, ...]) -> bool:
    """Tell whether a step needs what a failed one should have given."""
    if not done or done[-1].kind != "failure" or step.condition is not None:
        return False
    return leans(step.text)
