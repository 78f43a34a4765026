"""One step of a plan, from its first attempt to its end on the recovery ladder."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.errors import GraphBubbleUp

from cogwork.core.errors import InDoubtError, PlanningError, redact
from cogwork.core.journal import Journal
from cogwork.core.registry import nearest
from cogwork.nodes.attempt import (
    Answers,
    Before,
    Gate,
    Question,
    ToInput,
    Waiting,
    Way,
    arguments,
    attempt,
)
from cogwork.nodes.plan import Plan, Status, Step, StepResult
from cogwork.nodes.recovery import DEFAULT_LADDER, Action, Rung, next_rung
from cogwork.tools.audit import AuditLog
from cogwork.tools.calling import ReadyTool, delay_before, reason_of
from cogwork.tools.effects import OnDoubt, perform
from cogwork.tools.policy import Policy
from cogwork.tools.taint import reading

__all__ = ["Climb", "OnDoubt", "Place", "Recompose", "Ways"]

Recompose: TypeAlias = Callable[[Step, str], Awaitable[Plan]]
"""From a step that failed, and why, to smaller ones that do the same."""
RunPlan: TypeAlias = Callable[[Plan, str, Sequence[str]], Awaitable[dict[str, StepResult]]]


@dataclass(frozen=True, slots=True)
class Ways:
    """What steps can be done by, and what is done when they fail.

    Args:
        tools: What steps may call, by name.
        agent: Does steps that name no tool.
        alternatives: What to fall back to, by the name of a tool or the id of a step.
        ladder: What to do about failures.
        recompose: Splits a step that failed.
        timeout: Seconds for one attempt of the agent.
        to_input: Makes the agent's input.
        on_doubt: What to do with a call whose process died in the middle of it.
        policy: Which calls of tools are made, ask a person first, or are refused.
        audit: Where decisions about calls are noted.
    """

    tools: Mapping[str, ReadyTool] = field(default_factory=dict)
    agent: Runnable[Any, Any] | None = None
    alternatives: Mapping[str, Sequence[Way]] = field(default_factory=dict)
    ladder: Sequence[Rung] = DEFAULT_LADDER
    recompose: Recompose | None = None
    timeout: float | None = None
    to_input: ToInput | None = None
    on_doubt: OnDoubt = "ask"
    policy: Policy | None = None
    audit: AuditLog | None = None

    def of(self, step: Step) -> list[Way]:
        """Return what can do a step, first choice first.

        Raises:
            PlanningError: Nothing can.
        """
        if step.tool is None and self.agent is None:
            raise PlanningError(f"step '{step.id}' names no tool, and there is no agent to do it")
        if step.tool is not None and step.tool not in self.tools:
            raise PlanningError(
                f"step '{step.id}' calls '{step.tool}', which is no tool; "
                f"{nearest(step.tool, list(self.tools))}"
            )
        first = self.agent if step.tool is None else self.tools[step.tool]
        more = self.alternatives.get(step.id) or self.alternatives.get(step.tool or "") or ()
        return [*([first] if first else []), *more]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step runs: in which node, with which answers of persons, after which sources."""

    config: RunnableConfig
    journal: Journal
    answers: Answers
    run_plan: RunPlan
    taint: Sequence[str] = ()


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
        self._attempts = 0
        self._way = 0
        self._escalations = 0
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
            ways = self._ways.of(self._step)
        except PlanningError as error:
            return self._ended("failed", error=str(error))
        known = await self._place.journal.finished()
        while True:
            if escalated := known.get(f"escalated:{self._key}:{self._escalations}"):
                self._restore(escalated)
                ended = await self._decide(escalated["reason"])
            else:
                ended = await self._try(ways)
            if ended is not None:
                return ended

    def _restore(self, escalated: Mapping[str, Any]) -> None:
        self._attempts, self._way = escalated["attempts"], escalated["way"]
        self._rung = next(rung for rung in self._ways.ladder if rung.action == "escalate")
        self._used[self._rung] = self._escalations + 1

    async def _try(self, ways: Sequence[Way]) -> StepResult | None:
        self._attempts += 1
        try:
            return self._ended("completed", result=await self._attempt(ways[self._way]))
        except GraphBubbleUp:
            raise
        except InDoubtError as error:
            return await self._resolve_doubt(error)
        except Exception as error:  # noqa: BLE001 - the ladder judges it
            return await self._climb(error, len(ways))

    async def _attempt(self, way: Way, *, again: bool = False) -> Any:
        run = self._place
        place = f"{self._key}#{self._attempts}"

        async def once() -> Any:
            with reading(self._gate.taint if self._gate else ()) as found:
                try:
                    return await attempt(
                        self._step,
                        way,
                        self._before,
                        run.config,
                        place=place,
                        answers=run.answers,
                        seconds=self._ways.timeout,
                        to_input=self._ways.to_input,
                        gate=self._gate,
                    )
                finally:
                    self._taint |= found

        if isinstance(way, ReadyTool) and way.spec.is_untrusted:
            self._taint.add(way.tool.name)

        if not isinstance(way, ReadyTool) or way.spec.effect == "read":
            return await once()

        def to_record(result: Any) -> dict[str, Any]:
            return {"result": result, "taint": sorted(self._taint)}

        async def recordable() -> dict[str, Any]:
            return to_record(await once())

        done = await perform(
            run.journal,
            f"call:{self._key}",
            way,
            arguments(self._step, self._before),
            recordable,
            again=again or self._ways.on_doubt == "retry",
            to_record=to_record,
        )
        self._taint |= set(done["taint"])
        return done["result"]

    async def _climb(self, error: Exception, ways: int) -> StepResult | None:
        """Take the next rung; None means to try again."""
        possible: set[Action] = {"retry", "escalate"}
        possible |= {"fallback"} if self._way + 1 < ways else set()
        possible |= {"skip"} if self._step.optional else set()
        possible |= {"recompose"} if self._ways.recompose else set()
        rung = next_rung(self._ways.ladder, error, self._used, possible)
        reason = redact(reason_of(error, self._step.tool or self._step.id))
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
            return await self._recomposed(reason)
        else:
            return await self._escalate(reason)
        return None

    async def _recomposed(self, reason: str) -> StepResult:
        recompose = self._ways.recompose
        if recompose is None:
            return self._ended("failed", error=reason)

        async def split() -> dict[str, Any]:
            return (await recompose(self._step, reason)).model_dump()

        parts = Plan(**await self._place.journal.step(f"parts:{self._key}", split))
        results = await self._place.run_plan(parts, f"{self._key}/", sorted(self._taint))
        self._taint.update(*(one.taint or () for one in results.values()))
        lost = [one for one in results.values() if one.status in ("failed", "blocked")]
        if lost or not parts.steps:
            why = "; ".join(f"{one.id}: {one.error}" for one in lost) or "it has no parts"
            return self._ended("failed", error=f"{reason}; recomposed, and {why}")
        sinks = [key for key in parts.order if not parts.dependents[key]]
        found = {key: results[key].result for key in sinks}
        return self._ended("completed", result=found if len(found) > 1 else found[sinks[0]])

    async def _escalate(self, reason: str) -> StepResult | None:
        """Note the failure, so that the attempt is not made again before the answer."""
        note = {"attempts": self._attempts, "way": self._way, "reason": reason}

        async def noted() -> dict[str, Any]:
            return note

        await self._place.journal.step(f"escalated:{self._key}:{self._escalations}", noted)
        return await self._decide(reason)

    async def _decide(self, reason: str) -> StepResult | None:
        options = ["retry", *(["skip"] if self._step.optional else []), "fail", "result"]
        place = f"{self._key}!{self._escalations}"
        answer = self._ask(place, "step_failed", options, reason)
        self._escalations += 1
        return self._obeyed(answer, options, reason)

    async def _resolve_doubt(self, error: InDoubtError) -> StepResult | None:
        reason = (
            f"the call of '{self._step.tool}' was cut off, and nobody knows whether its effect "
            "happened"
        )
        if self._ways.on_doubt == "fail":
            return self._ended("failed", error=f"{reason}; it was not repeated")
        options = ["retry", "fail", "result"]
        answer = self._ask(f"{self._key}?{error.details['times']}", "in_doubt", options, reason)
        ended = self._obeyed(answer, options, reason)
        if ended is not None:
            return ended
        try:
            way = self._ways.of(self._step)[self._way]
            return self._ended("completed", result=await self._attempt(way, again=True))
        except GraphBubbleUp:
            raise
        except Exception as raised:  # noqa: BLE001 - the ladder judges it
            return await self._climb(raised, len(self._ways.of(self._step)))

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

    def _obeyed(self, answer: Any, options: Sequence[str], reason: str) -> StepResult | None:
        """Do what a person decided; None means to try again."""
        decided = answer if isinstance(answer, Mapping) else {"action": answer}
        action = decided.get("action")
        if action not in options:
            return self._ended(
                "failed",
                error=f"{reason}; the answer {answer!r:.100} is none of {', '.join(options)}",
            )
        if action == "result":
            return self._ended("completed", result=decided.get("result"))
        if action == "retry":
            return None
        return self._ended("skipped" if action == "skip" else "failed", error=reason)

    def _ended(self, status: Status, *, result: Any = None, error: str | None = None) -> StepResult:
        return StepResult(
            id=self._step.id,
            status=status,
            result=result,
            error=error,
            attempts=self._attempts,
            rung=self._rung.action if self._rung else None,
            started_at=self._begun,
            finished_at=time.time(),
            taint=tuple(sorted(self._taint)) if self._gate else None,
        )
