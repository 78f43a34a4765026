"""Steps that wait: approvals by persons, events, and times."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cogwork.core.errors import ToolError
from cogwork.nodes.process.asking import TICK, Late, Question, ask
from cogwork.nodes.process.definition import ApprovalStep, WaitStep
from cogwork.nodes.process.expressions import fill
from cogwork.nodes.process.parts import Wait
from cogwork.nodes.process.visit import Outcome, Visit, time_text
from cogwork.tools.approval import decision_in
from cogwork.tools.policy import digest_of

__all__ = ["approve", "wait"]


async def approve(visit: Visit, step: ApprovalStep, following: str | None) -> Outcome:
    """Ask a person of a role to approve, reject or edit."""

    def prepared() -> dict[str, Any]:
        filled = fill(step.approval.model_dump(), visit.values)
        return {**filled, "edit": list(filled["edit"])}

    asked = await visit.once("prepared", prepared)
    digest = digest_of(step.id, asked["show"], ())
    question = Question(
        "approval",
        {**_request(step.id, asked), "digest": digest},
        lambda given: _decided(given, asked, digest),
        role=str(asked["role"]),
        deadlines=step.deadlines,
        unlike=asked["unlike"],
    )
    answer = await ask(visit, question)
    if isinstance(answer, Late):
        return Outcome(answer.go, {"decision": "late"}, note="nobody decided in time")
    decided = {**answer.meaning, "by": answer.by, "role": answer.role, "at": time_text(answer.at)}
    await visit.note(
        "decided",
        "decided",
        at=answer.at,
        by=answer.by,
        role=answer.role,
        input=asked["show"],
        result=decided,
        note=decided["message"],
    )
    is_approved = decided["decision"] == "approve"
    target = (step.on.approve or following) if is_approved else step.on.reject
    return Outcome(target, decided, by=answer.by, role=answer.role)


def _request(name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The question in the schema of LangChain's human-in-the-loop middleware."""
    allowed = ["approve", *(["edit"] if asked["edit"] else []), "reject"]
    action = {"name": name, "args": asked["show"], "description": asked["question"]}
    return {
        "action_requests": [action],
        "review_configs": [{"action_name": name, "allowed_decisions": allowed}],
    }


def _decided(given: Any, asked: Mapping[str, Any], digest: str) -> dict[str, Any]:
    decision = decision_in(given)
    kind = decision["type"]
    if decision.get("digest") not in (None, digest):
        raise ToolError("the answer was for another question; this one has not been decided")
    if kind == "respond":
        raise ToolError("'respond' is no answer here; approve, reject, or edit what may be edited")
    edits = _edits(decision, asked) if kind == "edit" else {}
    return {
        "decision": "reject" if kind == "reject" else "approve",
        "message": str(decision.get("message") or ""),
        "edited": sorted(edits),
        "values": {**asked["show"], **edits},
    }


def _edits(decision: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    action = decision.get("edited_action")
    args = action.get("args") if isinstance(action, Mapping) else None
    if not isinstance(args, Mapping):
        raise ToolError("the edit brings no values; give them as edited_action.args")
    shown = asked["show"]
    edits = {name: value for name, value in args.items() if shown.get(name) != value}
    for name, value in edits.items():
        if name not in asked["edit"]:
            may = ", ".join(asked["edit"]) or "nothing"
            raise ToolError(f"'{name}' cannot be edited here; what can is {may}")
        if _kind(shown[name]) is not _kind(value):
            raise ToolError(
                f"'{name}' was {shown[name]!r:.40}, and {value!r:.40} is of another type"
            )
    return edits


def _kind(value: Any) -> type:
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


async def wait(visit: Visit, step: WaitStep, following: str | None) -> Outcome:
    """Wait for an event or a time, by an interrupt that is resumed."""
    if step.wait.event is not None:
        return await _event(visit, step, step.wait.event, following)
    due = await visit.once("due", lambda: _due(visit, step.wait))
    question = Question(
        "time",
        {"type": "time", "until": time_text(due)},
        lambda given: _on_time(given, due),
        due=due,
    )
    if await visit.now("first look") < due:
        await ask(visit, question)
    return Outcome(following, {"until": time_text(due)})


def _on_time(given: Any, due: float) -> None:
    if given != TICK:
        raise ToolError(f"this waits for {time_text(due)}; answer '{TICK}' then")


def _due(visit: Visit, wait: Wait) -> float:
    if wait.duration is not None:
        return visit.means.clock() + wait.duration
    text = fill(wait.until, visit.values)
    try:
        when = datetime.fromisoformat(str(text))
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise ToolError(
            f"{text!r:.60} is no time; write ISO 8601, '2026-05-04T09:00:00Z'"
        ) from error


async def _event(visit: Visit, step: WaitStep, name: str, following: str | None) -> Outcome:
    question = Question(
        "event",
        {"type": "event", "event": name},
        lambda given: _delivered(given, name),
        role=step.wait.by,
        deadlines=step.deadlines,
    )
    answer = await ask(visit, question)
    if isinstance(answer, Late):
        return Outcome(answer.go, {"event": None}, note=f"'{name}' did not come in time")
    told = {"event": name, "by": answer.by, "at": time_text(answer.at), "data": answer.meaning}
    return Outcome(following, told, by=answer.by or "event", role=answer.role)


def _delivered(given: Any, name: str) -> Any:
    event = given.get("event") if isinstance(given, Mapping) else given
    if event != name:
        raise ToolError(
            f"{given!r:.60} is not the event '{name}'; answer "
            f'{{"event": "{name}", "by": …, "data": …}}'
        )
    return given.get("data") if isinstance(given, Mapping) else None
