"""Approval: a person decides about a call before it is made.

The question is a LangGraph interrupt in the schema of LangChain's human-in-the-loop
middleware, with one action, so existing inboxes show it. Beside the schema it tells the
`digest` that the answer is bound to, until when an approval is good (`expires_at`, seconds
since the epoch), and the `taint` of the run. It is answered by
`Command(resume={"decisions": [{"type": "approve"}]})`, by the single decision, or by the
bare word.

An answer counts for the question that was asked and no other. That the question was asked
is recorded with the checkpoint, so an answer that was meant for another call, or came
before this one was asked about, is not taken. A decision may repeat the `digest`; then it
counts for exactly that call, whatever else happens to the thread.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphInterrupt
from langgraph.types import interrupt

from cogwork.core.errors import ToolError
from cogwork.core.journal import Journal
from cogwork.tools.policy import digest_of

__all__ = ["DECISIONS", "ask_person", "decision_in"]

DECISIONS: Final = ("approve", "edit", "reject", "respond")

Check = Callable[[Mapping[str, Any]], str]
"""Why an edited action (`name` and `args`) cannot be made; empty when it can."""


async def ask_person(
    action: Mapping[str, Any],
    config: RunnableConfig,
    *,
    place: str,
    reason: str = "",
    taint: Iterable[str] = (),
    seconds: float,
    check: Check,
    allowed: Sequence[str] = DECISIONS,
) -> Mapping[str, Any]:
    """Return what a person decides about a call; in a node, which is run again for it.

    What decides nothing, comes too late or belongs to another call is asked about again.

    Args:
        action: The call: `name` and `args`.
        config: Of the node.
        place: Names the call within its node.
        reason: Why it is asked about.
        taint: The untrusted sources that the run has read.
        seconds: How long an approval is good for.
        check: Judges an edited action.
        allowed: What may be decided.

    Raises:
        GraphInterrupt: There is no decision yet.
    """
    journal = Journal(config)
    known = await journal.finished()
    digest = digest_of(action["name"], action["args"], taint)
    trouble = ""
    for number in itertools.count():
        key = f"approval:{place}:{number}"
        question = known.get(key)
        if question is None:
            new = {"digest": digest, "expires_at": time.time() + seconds}
            question = await journal.step(key, _noted, new)
        told = {"reason": reason, "taint": sorted(taint), "trouble": trouble, "allowed": allowed}
        try:
            answer = interrupt(_request(action, {**question, "digest": digest}, told))
        except GraphInterrupt:
            await journal.drop_answer()  # of an earlier question, which would answer this one
            raise
        if key not in known and not _repeats(answer, digest):
            await journal.step(f"{key}:early", _noted, True)
        is_early = key not in known or f"{key}:early" in known
        try:
            decision = _judged(answer, question, digest, check, is_early=is_early)
            if decision["type"] in allowed:
                return decision
            trouble = f"'{decision['type']}' is no answer here"
        except ToolError as error:
            trouble = str(error)
    raise AssertionError("somebody decides, or the run waits")


def decision_in(answer: Any) -> Mapping[str, Any]:
    """Return the decision that an answer to one action holds.

    Raises:
        ToolError: It holds none.
    """
    given = answer
    if isinstance(given, Mapping) and isinstance(given.get("decisions"), list | tuple):
        given = given["decisions"][0] if len(given["decisions"]) == 1 else None
    if isinstance(given, str):
        given = {"type": given}
    if not isinstance(given, Mapping) or given.get("type") not in DECISIONS:
        raise ToolError(
            f"the answer {answer!r:.100} decides nothing; answer {', '.join(DECISIONS)}"
        )
    return given


def _judged(
    answer: Any, question: Mapping[str, Any], digest: str, check: Check, *, is_early: bool
) -> Mapping[str, Any]:
    """The decision, if it counts for this call and now."""
    decision = decision_in(answer)
    repeated = decision.get("digest")
    if question["digest"] != digest or repeated not in (None, digest):
        raise ToolError("the answer was for another call; this one has not been decided about")
    if is_early and repeated is None:
        raise ToolError("the answer came before this call was asked about")
    if decision["type"] in ("reject", "respond"):
        return decision
    if time.time() > question["expires_at"]:
        raise ToolError("the approval came too late, or the call was not made in time")
    if decision["type"] == "edit":
        trouble = check(decision.get("edited_action") or {})
        if trouble:
            raise ToolError(trouble)
    return decision


def _repeats(answer: Any, digest: str) -> bool:
    try:
        return bool(decision_in(answer).get("digest") == digest)
    except ToolError:
        return False


def _request(
    action: Mapping[str, Any], question: Mapping[str, Any], told: Mapping[str, Any]
) -> dict[str, Any]:
    name, taint = action["name"], told["taint"]
    lines = (
        f"{told['trouble']}." if told["trouble"] else "",
        f"{name} needs approval{': ' + told['reason'] if told['reason'] else ''}.",
        f"Untrusted text was read from: {', '.join(taint)}." if taint else "",
    )
    return {
        "action_requests": [
            {
                "name": name,
                "args": dict(action["args"]),
                "description": "\n".join(filter(None, lines)),
            }
        ],
        "review_configs": [{"action_name": name, "allowed_decisions": list(told["allowed"])}],
        "digest": question["digest"],
        "expires_at": question["expires_at"],
        "taint": taint,
    }


async def _noted(value: Any) -> Any:
    return value
