"""Questions to persons, and waits for events and times: interrupts that are asked until answered.

No process sleeps meanwhile. An answer says who gives it (`by`), unless the LangGraph server has
signed somebody in. Whoever lacks the role is refused, the refusal is noted, and the question is
asked again. `"tick"` answers nothing: it only makes the step look at the clock. Each question and
answer is recorded with its time, so a step that is run again after a crash sees the same ones.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphInterrupt
from langgraph.types import interrupt

from cogwork.core.errors import ToolError
from cogwork.nodes.process.parts import Deadline
from cogwork.nodes.process.visit import Visit, time_text

__all__ = ["TICK", "Answer", "Judge", "Late", "Question", "ask", "person_in"]

TICK: Final = "tick"
"""An answer that only makes a step look at the clock."""

Judge: TypeAlias = Callable[[Any], Any]
"""Returns what an answer means, or raises a `ToolError` that says why it counts for nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Args:
        place: Names the question within its step.
        shown: What the interrupt holds, besides who is asked, until when, and why again.
        judge: Says what an answer means.
        role: Who may answer; None for anyone.
        deadlines: What happens when nobody does.
        unlike: Persons who may not answer.
        due: When a tick is an answer too, in seconds since the epoch.
    """

    place: str
    shown: Mapping[str, Any]
    judge: Judge
    role: str | None = None
    deadlines: Sequence[Deadline] = ()
    unlike: Sequence[str] = ()
    due: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answered: its meaning, who and in which role, and when."""

    meaning: Any
    by: str
    role: str
    at: float


@dataclass(frozen=True, slots=True)
class Late:
    """Nobody answered in time; `go` is the step to go on with."""

    go: str


async def ask(visit: Visit, question: Question) -> Answer | Late:
    """Return the answer of somebody who may give it.

    Raises:
        GraphInterrupt: There is none yet.
        ToolError: Nobody can be in the role.
    """
    _check_role(visit, question.role)
    begun = await visit.now(f"asked:{question.place}")
    role, trouble = question.role, ""
    for number in itertools.count():
        given = await _heard(visit, question, number, (begun, role, trouble))
        passed = [each for each in question.deadlines if begun + each.after <= given["at"]]
        if passed and passed[-1].go:
            note = f"nobody answered until {time_text(begun + passed[-1].after)}"
            await visit.note(f"late:{question.place}", "escalated", at=given["at"], note=note)
            return Late(passed[-1].go)
        if passed and passed[-1].role != role:
            role = passed[-1].role
            note = f"it is past the deadline of {time_text(begun + passed[-1].after)}"
            key = f"escalated:{question.place}:{number}"
            await visit.note(key, "escalated", at=given["at"], role=role, note=note)
        if given["is_early"]:
            trouble = "the answer came before this was asked"
            continue
        if given["answer"] == TICK and (question.due is None or given["at"] < question.due):
            trouble = ""
            continue
        try:
            _admit(visit, question, role, given)
            meaning = question.judge(given["answer"])
        except ToolError as error:
            trouble = str(error)
            told = {"by": given["by"], "role": role, "note": trouble, "result": given["answer"]}
            await visit.note(
                f"refused:{question.place}:{number}", "refused", at=given["at"], **told
            )
            continue
        return Answer(meaning, given["by"], role or "", given["at"])
    raise AssertionError("somebody answers, or the step waits")


async def _heard(
    visit: Visit, question: Question, number: int, asked: tuple[float, str | None, str]
) -> Mapping[str, Any]:
    """One answer, recorded with its time and with who gave it."""
    begun, role, trouble = asked
    key = f"{question.place}:{number}"
    known = await visit.journal.finished()
    is_new = f"question:{key}" not in known
    await visit.once(f"question:{key}", lambda: True)
    if not number:
        await visit.note(
            f"asked:{question.place}", "asked", at=begun, role=role, input=dict(question.shown)
        )
    left = [begun + each.after for each in question.deadlines]
    until = next((each for each in left if each > visit.means.clock()), question.due)
    try:
        answer = interrupt(_shown(visit, question, role, trouble, until))
    except GraphInterrupt:
        await visit.journal.drop_answer()  # of an earlier question, which would answer this one
        raise

    def recorded() -> dict[str, Any]:
        return {
            "answer": TICK if _is_tick(answer) else answer,
            "by": person_in(answer, visit.config),
            "at": visit.means.clock(),
            "is_early": is_new,
        }

    found: Mapping[str, Any] = await visit.once(f"answer:{key}", recorded)
    return found


def _shown(
    visit: Visit, question: Question, role: str | None, trouble: str, until: float | None
) -> dict[str, Any]:
    return {
        **question.shown,
        "process": visit.definition.process,
        "version": visit.definition.version,
        "step": visit.step.id,
        "role": role,
        "expires_at": until,
        "trouble": trouble,
    }


def _is_tick(answer: Any) -> bool:
    return answer == TICK or (isinstance(answer, Mapping) and answer.get("type") == TICK)


def person_in(answer: Any, config: RunnableConfig) -> str:
    """Return who answers: whom the LangGraph server signed in, else the answer's `by`; or ''."""
    user = (config.get("configurable") or {}).get("langgraph_auth_user")
    if user is not None:
        identity = user.get("identity") if isinstance(user, Mapping) else user.identity
        return str(identity or "")
    if not isinstance(answer, Mapping):
        return ""
    decisions = answer.get("decisions")
    first = decisions[0] if isinstance(decisions, list | tuple) and decisions else {}
    found = answer.get("by") or (first.get("by") if isinstance(first, Mapping) else None)
    return found if isinstance(found, str) else ""


def _check_role(visit: Visit, role: str | None) -> None:
    if role is not None and not visit.means.persons(visit.definition, role):
        raise ToolError(
            f"nobody is in the role '{role}'; name persons in the definition's roles, or by "
            "create_process(roles=…)"
        )


def _admit(visit: Visit, question: Question, role: str | None, given: Mapping[str, Any]) -> None:
    """Refuse whoever may not answer."""
    by = given["by"]
    if role is None or given["answer"] == TICK:
        return
    if not by:
        raise ToolError(
            f"the answer does not say who gives it; add 'by', a person of role '{role}'"
        )
    if by not in visit.means.persons(visit.definition, role):
        raise ToolError(f"{by} is not in the role '{role}' and cannot decide this")
    if by in question.unlike:
        raise ToolError(f"{by} has had a part in this and cannot decide it")
