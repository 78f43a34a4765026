"""Steps that do something: tools and agents, on the recovery ladder of plans.

A call with an effect is a keyed step, so it happens once, also when the process dies in the middle
of it (see `cogwork.nodes.step`).
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import HumanMessage

from cogwork.core.errors import PlanningError, ToolError
from cogwork.nodes.attempt import Answers, Waiting, Way
from cogwork.nodes.attempt import Question as Asked
from cogwork.nodes.plan import Plan, StepResult
from cogwork.nodes.plan import Step as PlanStep
from cogwork.nodes.process.asking import Answer, Question, ask
from cogwork.nodes.process.definition import AgentStep, ToolStep
from cogwork.nodes.process.expressions import fill
from cogwork.nodes.process.parts import Remedy
from cogwork.nodes.process.visit import Outcome, Visit
from cogwork.nodes.recovery import Rung
from cogwork.nodes.step import Climb, Place, Ways
from cogwork.tools.calling import ReadyTool

__all__ = ["work"]

_TRIES = 3  # escalations to the one role that is named
_GIVEN = "given"
_FREE = ("step_failed", "in_doubt")


async def work(visit: Visit, step: ToolStep | AgentStep, following: str | None) -> Outcome:
    """Call a tool or give a task to an agent; climb the step's recovery when that fails."""
    given = await visit.once("given", lambda: _given(visit, step))
    await visit.note("began", "began", by=_doer(step), input=given)
    result = await _climb(visit, step, given)
    by = _doer(step)
    if result.status == "completed":
        found = await visit.once("result", lambda: _read(result.result, step))
        return Outcome(following, found, by=by, note=_tried(result))
    if result.status == "skipped":
        return Outcome(following, None, "skipped", by=by, note=result.error or "")
    return Outcome(step.failed, None, "failed", by=by, note=result.error or "")


def _given(visit: Visit, step: ToolStep | AgentStep) -> dict[str, Any]:
    if isinstance(step, AgentStep):
        return {"task": str(fill(step.task, visit.values))}
    found: dict[str, Any] = fill(step.args, visit.values)
    return found


def _doer(step: ToolStep | AgentStep) -> str:
    return step.tool if isinstance(step, ToolStep) else step.agent


def _tried(result: StepResult) -> str:
    return f"by '{result.rung}', at attempt {result.attempts}" if result.rung else ""


async def _climb(visit: Visit, step: ToolStep | AgentStep, given: dict[str, Any]) -> StepResult:
    """How the step went; what it asks persons is asked one by one, and replayed in that order."""
    answers = Answers()
    roles = _escalations(step.recovery)
    number = 0
    place = Place(visit.config, visit.journal, answers, _no_parts)
    ways = _ways(visit, step, given)
    before = [(PlanStep(id=_GIVEN), StepResult(id=_GIVEN, status="completed", result=given))]
    while True:
        known = (await visit.journal.finished()).get(f"wants:{number}")
        if known is None:
            try:
                return await Climb(_plan_step(step, given), step.id, before, ways, place).run()
            except Waiting as waiting:
                first = waiting.questions[0]
                wants = {"place": first.place, "id": first.id, "value": first.value}
                known = await visit.once(f"wants:{number}", wants.copy)
        asked = Asked(step.id, known["place"], known["id"], known["value"])
        answers.add(asked.place, asked.id, await _answer(visit, asked, roles, number))
        number += 1


def _plan_step(step: ToolStep | AgentStep, given: Mapping[str, Any]) -> PlanStep:
    # Values are looked up in what is given, so that nothing in them is taken for a reference.
    args = {name: f"{{{_GIVEN}.result['{name}']}}" for name in given}
    is_tool = isinstance(step, ToolStep)
    return PlanStep(
        id=step.id,
        description=step.description or _doer(step),
        tool=step.tool if isinstance(step, ToolStep) else None,
        args=args if is_tool else {},
        optional=any(each.skip for each in step.recovery),
    )


def _ways(visit: Visit, step: ToolStep | AgentStep, given: Mapping[str, Any]) -> Ways:
    means = visit.means
    others = [each.fallback for each in step.recovery if each.fallback]
    more: list[Way]
    if isinstance(step, ToolStep):
        limited = {name: _limited(means.tools[name], step.within) for name in {step.tool, *others}}
        more = [limited[name] for name in others]
        return Ways(
            tools={step.tool: limited[step.tool]},
            alternatives={step.id: more},
            ladder=_ladder(step.recovery),
            on_doubt=means.on_doubt,
            audit=means.log,
        )
    more = [means.agents[name] for name in others]
    return Ways(
        agent=means.agents[step.agent],
        alternatives={step.id: more},
        ladder=_ladder(step.recovery),
        timeout=step.within,
        to_input=lambda *_: {"messages": [HumanMessage(given["task"])]},
        on_doubt=means.on_doubt,
    )


def _limited(tool: ReadyTool, within: float | None) -> ReadyTool:
    """The tool, with the step's own time for one attempt."""
    if within is None:
        return tool
    limited = ReadyTool(tool.tool, within, tool.audit)
    limited.timeout = within
    return limited


def _ladder(recovery: Sequence[Remedy]) -> list[Rung]:
    """The rungs of plans that a definition names; what it names twice is one rung."""
    found: list[Rung] = []
    for one in recovery:
        if one.retry:
            seconds = 0.5 if one.wait is None else one.wait
            found.append(Rung("retry", limit=one.retry, wait=seconds, max_wait=max(30.0, seconds)))
        elif one.skip:
            found.append(Rung("skip"))
        elif one.fallback and not any(rung.action == "fallback" for rung in found):
            found.append(Rung("fallback", limit=sum(bool(each.fallback) for each in recovery)))
        elif one.escalate and not any(rung.action == "escalate" for rung in found):
            found.append(Rung("escalate", limit=len(_escalations(recovery))))
    return found


def _escalations(recovery: Sequence[Remedy]) -> list[str]:
    """The roles that are asked, one escalation after the other."""
    roles = [each.escalate for each in recovery if each.escalate]
    return roles * _TRIES if len(roles) == 1 else roles


async def _answer(visit: Visit, asked: Asked, roles: Sequence[str], number: int) -> Any:
    """What a person answers to the failure of a step, to a doubt, or to an agent's question."""
    role = roles[min(number, len(roles) - 1)] if roles else None
    is_free = asked.id not in _FREE
    shown = {"type": "question", "question": asked.value} if is_free else dict(asked.value)
    question = Question(
        f"recovery:{number}",
        shown,
        (lambda given: given) if is_free else (lambda given: _chosen(given, shown["options"])),
        role=role,
    )
    answer = await ask(visit, question)
    assert isinstance(answer, Answer)  # noqa: S101 - it has no deadlines
    result = answer.meaning if isinstance(answer.meaning, Mapping) else {"answer": answer.meaning}
    told = {"by": answer.by, "role": answer.role, "result": dict(result), "at": answer.at}
    await visit.note(f"decided:{number}", "decided", input=shown, **told)
    return answer.meaning


def _chosen(given: Any, options: Sequence[str]) -> dict[str, Any]:
    decided = dict(given) if isinstance(given, Mapping) else {"action": given}
    action = str(decided.get("action") or decided.get("type")).strip().lower()
    if action not in options or (action == "result" and "result" not in decided):
        raise ToolError(
            f"{given!r:.80} decides nothing; answer {', '.join(options[:-1])}, or "
            '{"action": "result", "result": …} with what the step is to have given'
        )
    return {"action": action, "result": decided.get("result")}


async def _no_parts(plan: Plan, prefix: str, taint: Sequence[str]) -> dict[str, StepResult]:  # noqa: ARG001 - the signature of what runs parts
    raise PlanningError("a step of a process has no parts")


def _read(result: Any, step: ToolStep | AgentStep) -> Any:
    """A result as JSON, read from text where the step says so."""
    parse = step.parse if isinstance(step, ToolStep) else None
    try:
        if parse == "csv":
            return list(csv.DictReader(io.StringIO(str(result)), strict=True))
        if parse == "json":
            return json.loads(result) if isinstance(result, str) else result
        return json.loads(json.dumps(result))
    except (ValueError, csv.Error) as error:
        if parse is None:
            return str(result)
        raise ToolError(f"what '{_doer(step)}' returned is no {parse.upper()}: {error}") from error
    except TypeError:
        return str(result)
