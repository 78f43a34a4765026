"""One step of a plan, from its first attempt to its end on the recovery ladder."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.errors import GraphBubbleUp

from cogwork.core.errors import BudgetError, InDoubtError, PlanningError, redact
from cogwork.nodes.attempt import Before, Gate, Question, Waiting, Way
from cogwork.nodes.doing import Place, do_step, has_effect
from cogwork.nodes.plan import Plan, Status, Step, StepResult
from cogwork.nodes.recovery import MAX_DEPTH, Action, Rung, next_rung
from cogwork.nodes.ways import Recompose, Ways
from cogwork.tools.calling import ReadyTool, delay_before, reason_of
from cogwork.tools.effects import OnDoubt

__all__ = ["Climb", "OnDoubt", "Place", "Recompose", "Ways"]


class Climb:
    """Tries a step, and climbs the ladder as long as it fails.

    Args:
        step: What to do.
        key: Names it within the whole plan, also where it is a part of another step.
        before: The steps it depends on, and how they went.
        ways: What it can be done by.
        place: Where it runs.
    """

    def __init__(self, step: Step, key: str, before: Before, ways: Ways, place: Place) -> None:
        self._step = step
        self._key = key
        self._before = before
        self._ways = ways
        self._place = place
        self._begun = time.time()
        self._choice: Sequence[Way] = ()
        self._way = 0
        self._attempts = 0
        self._escalations = 0
        self._recompositions = 0
        self._doubts = 0
        self._lost = 0  # attempts of which nobody knows how they ended
        self._allowed = 0  # so often it may have begun to be made again unasked
        self._is_uncertain = False
        self._rung: Rung | None = None
        self._used: Counter[Rung] = Counter()
        self._taint = set(place.taint).union(*(gave.taint or () for _, gave in before))
        policy = ways.policy
        self._gate = Gate(policy, sorted(self._taint), ways.audit) if policy is not None else None

    async def run(self) -> StepResult:
        """Return how the step ended.

        Raises:
            Waiting: It needs a person.
        """
        try:
            self._choice = self._ways.of(self._step)
        except PlanningError as error:
            return self._ended("failed", error=str(error))
        known = await self._place.journal.finished()
        await self._find_way(known)
        ended = None
        while ended is None:
            if note := known.get(f"escalated:{self._key}:{self._escalations}"):
                self._restore(note, "escalate")
                ended = await self._decide(note)
            elif note := known.get(f"parts:{self._key}:{self._recompositions}"):
                self._restore(note, "recompose")
                ended = await self._run_parts(note)
            else:
                ended = await self._try()
        return ended

    @property
    def _call(self) -> str:
        """What the call of a tool with an effect is recorded as; each way has its own."""
        return self._call_by(self._way)

    def _call_by(self, way: int) -> str:
        return f"call:{self._key}{f'~{way}' if way else ''}"

    async def _find_way(self, known: Mapping[str, Any]) -> None:
        """Go on with the way whose call was made, or may have been, before the node ran again."""
        for way in range(1, len(self._choice)):
            key = self._call_by(way)
            if key in known or await self._place.journal.doubts(key):
                self._way = self._attempts = way
        if self._way:
            self._rung = next((r for r in self._ways.ladder if r.action == "fallback"), None)
            self._used.update({self._rung: self._way} if self._rung else {})

    def _noted(self, reason: str) -> dict[str, Any]:
        """Where it stands, so that no attempt is made again when the node runs again."""
        return {
            "reason": reason,
            "attempts": self._attempts,
            "way": self._way,
            "escalations": self._escalations,
            "recompositions": self._recompositions,
            "uncertain": self._is_uncertain,
            "used": [self._used[rung] for rung in self._ways.ladder],
        }

    def _restore(self, note: Mapping[str, Any], action: Action) -> None:
        self._attempts, self._way = note["attempts"], note["way"]
        self._escalations, self._recompositions = note["escalations"], note["recompositions"]
        self._is_uncertain = note["uncertain"]
        self._used = Counter(dict(zip(self._ways.ladder, note["used"], strict=False)))
        self._rung = next((rung for rung in self._ways.ladder if rung.action == action), None)

    async def _try(self) -> StepResult | None:
        journal = self._place.journal
        changes = has_effect(self._choice[self._way])
        times = await journal.doubts(self._call) if changes else 0
        asked = (await journal.finished()).get(f"doubt:{self._call}:{times}") if times else None
        if asked and times != self._allowed:  # the person is heard before a probe is asked
            return self._settle(asked["times"], asked["reason"])
        self._attempts += 1
        try:
            again = self._ways.on_doubt == "retry" or 0 < times == self._allowed
            return self._ended("completed", result=await self._attempt(again=again))
        except GraphBubbleUp:
            raise
        except InDoubtError as error:
            way = self._choice[self._way]
            if isinstance(way, ReadyTool) and way.spec.effect == "read":
                return await self._climb(error)
            return await self._doubt(error)
        except Exception as error:  # noqa: BLE001 - the ladder judges it
            return await self._climb(error)

    async def _attempt(self, *, again: bool) -> Any:
        return await do_step(
            self._step,
            self._choice[self._way],
            self._before,
            self._ways,
            self._place,
            name=f"{self._key}#{self._attempts}",
            call=self._call,
            again=again,
            gate=self._gate,
            taint=self._taint,
        )

    async def _climb(self, error: Exception, reason: str = "") -> StepResult | None:
        """Take the next rung; None means to try again."""
        possible: set[Action] = {"retry", "escalate"}
        if not self._is_uncertain:  # what may have happened is not done in another way
            possible |= {"fallback"} if self._way + 1 < len(self._choice) else set()
            possible |= {"skip"} if self._step.optional else set()
            can_split = self._ways.recompose and self._place.depth < MAX_DEPTH
            possible |= {"recompose"} if can_split else set()
        rung = next_rung(self._ways.ladder, error, self._used, possible)
        reason = reason or redact(reason_of(error, self._step.tool or self._step.id))
        if rung is None:
            return self._ended("failed", error=reason)
        self._rung = rung
        self._used[rung] += 1
        if rung.action == "retry":
            await asyncio.sleep(delay_before(rung.policy, self._used[rung], error))
        elif rung.action == "fallback":
            self._way += 1
        elif rung.action == "skip":
            return self._ended("skipped", error=reason)
        elif rung.action == "recompose":
            return await self._recompose(reason)
        else:
            return await self._escalate(reason)
        return None

    async def _recompose(self, reason: str) -> StepResult | None:
        async def split() -> dict[str, Any]:
            parts = (await self._ways.parts_of(self._step, reason)).model_dump()
            if not self._place.journal.holds(parts):
                raise PlanningError("the arguments of its parts cannot be recorded")
            return {**self._noted(reason), "parts": parts}

        key = f"parts:{self._key}:{self._recompositions}"
        try:
            note = await self._place.journal.step(key, split)
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - the next rung may help
            why = redact(reason_of(error, "recompose"))
            return await self._climb_on(error, f"{reason}; it cannot be recomposed: {why}")
        return await self._run_parts(note)

    async def _run_parts(self, note: Mapping[str, Any]) -> StepResult | None:
        parts, number = Plan(**note["parts"]), self._recompositions
        prefix = f"{self._key}{f'~{number}' if number else ''}/"
        results = await self._place.run_plan(parts, prefix, sorted(self._taint))
        self._taint.update(*(one.taint or () for one in results.values()))
        lost = [one for one in results.values() if one.status in ("failed", "blocked")]
        if lost:
            self._is_uncertain |= any(one.uncertain for one in results.values())
            why = "; ".join(f"{one.id}: {one.error}" for one in lost)
            return await self._climb_on(
                PlanningError(why), f"{note['reason']}; recomposed, and {why}"
            )
        sinks = [key for key in parts.order if not parts.dependents[key]]
        found = {key: results[key].result for key in sinks}
        return self._ended("completed", result=found if len(found) > 1 else found[sinks[0]])

    async def _climb_on(self, error: Exception, reason: str) -> StepResult | None:
        """Take the rung after a recomposition that did not help."""
        self._recompositions += 1
        judged = error if isinstance(error, BudgetError) else PlanningError(reason)
        return await self._climb(judged, reason)

    async def _escalate(self, reason: str) -> StepResult | None:
        """Note the failure, so that the attempt is not made again before the answer."""
        times = await self._place.journal.doubts(self._call)
        note = {**self._noted(reason), "times": times}
        key = f"escalated:{self._key}:{self._escalations}"
        return await self._decide(await self._place.journal.step(key, _given, note))

    async def _decide(self, note: Mapping[str, Any]) -> StepResult | None:
        options = ["retry", *(["skip"] if self._step.optional else []), "fail", "result"]
        place = f"{self._key}!{self._escalations}"
        answer = self._ask(place, "step_failed", options, note["reason"])
        self._escalations += 1
        self._allowed = note["times"]
        return self._obeyed(answer, note["reason"])

    async def _doubt(self, error: InDoubtError) -> StepResult | None:
        """Do what `on_doubt` says about a call that may have happened."""
        self._is_uncertain = True
        name = self._step.tool or self._step.id
        reason = f"the call of '{name}' was cut off, and nobody knows whether its effect happened"
        if error.details.get("failed"):
            reason = redact(reason_of(error, name))
        if self._ways.on_doubt == "fail":
            return self._ended("failed", error=f"{reason}; it was not repeated")
        if self._ways.on_doubt == "retry":
            return await self._climb(error, reason)
        self._doubts += 1  # of a graph, which has no record here
        times = await self._place.journal.doubts(self._call) or self._doubts
        note = {"times": times, "reason": reason}
        key = f"doubt:{self._call}:{times}"
        note = await self._place.journal.step(key, _given, note)
        return self._settle(note["times"], note["reason"])

    def _settle(self, times: int, reason: str) -> StepResult | None:
        self._is_uncertain = True
        place = f"{self._key}?{times}{f'~{self._way}' if self._way else ''}"
        ended = self._obeyed(
            self._ask(place, "in_doubt", ["retry", "fail", "result"], reason), reason
        )
        self._allowed = times
        self._lost += 1
        return ended

    def _ask(self, place: str, kind: str, options: Sequence[str], reason: str) -> Any:
        given = self._place.answers.at(place)
        if kind in given:
            return given[kind]
        value = {
            "type": kind,
            "step": self._step.id,
            "description": self._step.description or self._step.tool,
            "error": reason,
            "options": list(options),
        }
        raise Waiting(Question(self._step.id, place, kind, value))

    def _obeyed(self, decided: Mapping[str, Any], reason: str) -> StepResult | None:
        """Do what a person decided; None means to try again."""
        action = decided["action"]
        if action == "result":
            return self._ended("completed", result=decided["result"])
        if action == "retry":
            return None
        return self._ended("skipped" if action == "skip" else "failed", error=reason)

    def _ended(self, status: Status, *, result: Any = None, error: str | None = None) -> StepResult:
        return StepResult(
            id=self._step.id,
            status=status,
            result=result,
            error=error,
            attempts=self._attempts + self._lost,
            rung=self._rung.action if self._rung else None,
            started_at=self._begun,
            finished_at=time.time(),
            taint=tuple(sorted(self._taint)) if self._gate else None,
            uncertain=self._is_uncertain and status != "completed",
            way=self._way,
        )


async def _given(value: Any) -> Any:
    return value
