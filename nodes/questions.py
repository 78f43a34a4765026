"""What the steps of a plan ask persons: all in one interrupt, and again until it is answered."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langgraph.errors import GraphInterrupt
from langgraph.types import interrupt

from cogwork.core.errors import PlanningError
from cogwork.core.journal import Journal
from cogwork.nodes.attempt import Answers, Question

__all__ = ["ask_questions", "read_answers"]

_DECISIONS: Final = ("step_failed", "in_doubt")
"""The ids of questions that are answered by one of their options."""


async def read_answers(journal: Journal) -> tuple[Answers, dict[str, str], int]:
    """Return the answers so far, why others did not count, and how often was asked.

    What did not count is named by the place of its question.

    Raises:
        GraphInterrupt: The last questions have no answer yet.
    """
    answers, trouble, rounds = Answers(), dict[str, str](), 0
    known = await journal.finished()
    while (asked := known.get(f"asked:{rounds}")) is not None:
        rounds += 1
        trouble = _take(asked, await _answer(journal, asked), answers)
    return answers, trouble, rounds


async def ask_questions(
    journal: Journal, waiting: Sequence[Question], trouble: Mapping[str, str], rounds: int
) -> None:
    """Ask what steps wait for.

    Args:
        journal: Of the node.
        waiting: The questions, in their order.
        trouble: Why answers to the last questions did not count, by place.
        rounds: How often was asked before.

    Raises:
        GraphInterrupt: Always, for the answers come when the node is run again.
    """
    asked = await journal.step(f"asked:{rounds}", _given, _shown(waiting, trouble))
    await _answer(journal, asked)


async def _answer(journal: Journal, asked: Sequence[Mapping[str, Any]]) -> Any:
    """The answer to one round of questions; each round is one interrupt, in their order."""
    names = ("key", "step", "question", "trouble")
    shown = [{name: each[name] for name in names if name in each} for each in asked]
    try:
        return interrupt({"type": "questions", "questions": shown})
    except GraphInterrupt:
        await journal.drop_answer()
        raise


def _take(asked: Sequence[Mapping[str, Any]], given: Any, answers: Answers) -> dict[str, str]:
    """Note what answers a question; the others stay open, with why by their place."""
    try:
        named = _by_key([each["key"] for each in asked], given)
    except PlanningError as error:
        return {each["place"]: str(error) for each in asked}
    trouble = {}
    for each in asked:
        if each["key"] not in named:
            continue
        try:
            answers.add(each["place"], each["id"], _read(each, named[each["key"]]))
        except PlanningError as error:
            trouble[each["place"]] = str(error)
    return trouble


def _by_key(keys: Sequence[str], given: Any) -> Mapping[str, Any]:
    """The answers by the questions' keys; a single question takes also a bare answer."""
    named = _parsed(given)
    if isinstance(named, Mapping) and named.keys() & set(keys):
        return named
    if len(keys) == 1:
        return {keys[0]: given}
    form = ", ".join(f'"{key}": …' for key in keys)
    raise PlanningError(
        f"{given!r:.100} answers none of these {len(keys)} questions; answer them by their keys: "
        f"{{{form}}}"
    )


def _read(asked: Mapping[str, Any], answer: Any) -> Any:
    """An answer as it counts: of a decision the option, whatever its letters' case."""
    if asked["id"] not in _DECISIONS:
        return answer
    given, options = _parsed(answer), asked["question"]["options"]
    decided = dict(given) if isinstance(given, Mapping) else {"action": given}
    action = str(decided.get("action")).strip().lower()
    if action not in options:
        raise PlanningError(
            f"{answer!r:.100} is no answer here; answer {', '.join(options[:-1])}, or "
            '{"action": "result", "result": …} with what the step is to have given'
        )
    if action == "result" and "result" not in decided:
        raise PlanningError(
            'a result needs its value; answer {"action": "result", "result": …} with what the '
            "step is to have given"
        )
    return {**decided, "action": action}


def _parsed(given: Any) -> Any:
    """A mapping that came as JSON, as from a command line; anything else as it is."""
    if not isinstance(given, str):
        return given
    try:
        read = json.loads(given)
    except ValueError:
        return given
    return read if isinstance(read, dict) else given


def _shown(waiting: Sequence[Question], trouble: Mapping[str, str]) -> list[dict[str, Any]]:
    """The questions as data, each under its step's id, numbered where a step has several."""
    count = Counter(each.step for each in waiting)
    met: Counter[str] = Counter()
    shown = []
    for each in waiting:
        met[each.step] += 1
        key = each.step if count[each.step] == 1 else f"{each.step}:{met[each.step]}"
        about = {"key": key, "place": each.place, "id": each.id, "step": each.step}
        why = {"trouble": trouble[each.place]} if each.place in trouble else {}
        shown.append({**about, "question": each.value, **why})
    return shown


async def _given(value: Any) -> Any:
    return value
