"""Recalling: answers from what was said and seen earlier in the conversation."""

import re

from cogwork.core.offline.answers import asked_stems, extract, join
from cogwork.core.offline.conversation import Turn
from cogwork.core.offline.desk import REFUSAL, Attempt, Desk, Result
from cogwork.core.offline.goals import Step, is_question, is_request, split_goal
from cogwork.core.offline.matching import main_verb
from cogwork.core.offline.tables import read_table
from cogwork.core.offline.words import coverage, sentences, stems, word_set

__all__ = ["noting", "recalling", "remembering", "reporting"]

_BACK = re.compile(
    r"(?i)\b(?:again|earlier|before|previous(?:ly)?|remind|recall|repeat|remember|so far|last "
    r"(?:time|answer|result|question)"
    r"|(?:did|have|had) (?:you|i|we)|(?:you|i|we) (?:said|told|found|wrote|answered|asked"
    r"|computed|read|mentioned)"
    r"|was (?:that|it|the|my)|were (?:the|my|those)|my name)\b"
)
_ASKED = re.compile(
    r"(?i)\b(?:i|we) (?:ask|asked|say|said|want|wanted|tell|told)\b|\bmy (?:\w+ )?(?:question"
    r"|request|goal)\b"
)
_REPEAT = re.compile(
    r"(?i)\b(?:(?:first|last|previous|earlier) )?(?:result|answer)s?\b|\b(?:again|repeat (?:it|that))\b|\bsay\b"
)
_WHEN = word_set("first last previou befor earli just previous before earlier")
_DID = re.compile(r"(?i)\b(?:did|have) (?:you|we)\b")
_NOTE = re.compile(r"(?m)^[-*] (.+)$")  # what a system message says is known
_TELLING = word_set("remind recall repeat remember say tell state")


def reporting(step: Step, desk: Desk) -> Attempt:
    """Answer with what came of the step where it was given to somebody else as a task."""
    yield from ()
    for seen in desk.talk.turn.observations:
        told = seen.tool == "task" and not seen.error
        if told and _is_task(str(seen.args.get("description", "")), step):
            return None if REFUSAL.match(seen.text) else Result(seen.text, seen.text)
    return None


def _is_task(description: str, step: Step) -> bool:
    """Tell whether a task is the step, with what was said before it, or with what hangs on it.

    These are "According to a.txt, who came?" and "Does a.txt exist? If so, read it".
    """
    if _same(description, step.text):
        return True
    first, *others = split_goal(description) or (Step(0, description),)
    alone = all(other.condition is not None for other in others)
    return alone and _same(first.text, step.text) and first.context in {"", step.context}


def _same(one: str, other: str) -> bool:
    return one.strip(" .!?").casefold() == other.strip(" .!?").casefold()


def recalling(step: Step, desk: Desk) -> Attempt:
    """Answer a question that points back, from earlier turns, without any tool."""
    yield from ()
    asks = is_question(step.text) or main_verb(step.text) in _TELLING or not main_verb(step.text)
    if not desk.talk.past or not asks or not _BACK.search(step.text):
        return None
    if _ASKED.search(step.text) and not asked_stems(_ASKED.sub("", step.text)) - _WHEN:
        turn = desk.talk.past[0 if "first" in step.text.lower() else -1]
        return Result(f"You asked: “{turn.said}”", turn.said)
    return _from_past(step.text, desk)


def remembering(step: Step, desk: Desk) -> Attempt:
    """Answer from earlier turns as the last resort."""
    yield from ()
    return _from_past(step.text, desk) if is_question(step.text) else None


def _from_past(text: str, desk: Desk) -> Result | None:
    """Return the best of what was answered, stated, noted, done and seen, in this order."""
    question = _BACK.sub(" ", text) if asked_stems(_BACK.sub(" ", text)) else text
    turns = tuple(reversed(desk.talk.past))
    answers = [part for turn in turns for part in sentences(turn.answer)]
    said = [part for turn in turns for part in sentences(turn.said) if not is_request(part)]
    seen = [
        observation.text
        for turn in turns
        for observation in turn.observations
        if not observation.error and read_table(observation.text) is None
    ]
    told = [part for part in answers if not REFUSAL.match(part)]
    told += [_you(part) for part in [*said, *_NOTE.findall(desk.talk.system)]]
    deeds = [_deed(turn) for turn in turns]
    for texts in (deeds, told, seen) if _DID.search(text) else (told, deeds, seen):
        found = _best(question, texts)
        if found:
            return Result(join(found), join(found), frozenset(stems(text)))
    only = [turn.answer for turn in turns if turn.answer and not REFUSAL.match(turn.answer)]
    if only and _REPEAT.search(text) and not asked_stems(_REPEAT.sub("", question)):
        last = only[-1] if "first" in text.lower() else only[0]
        return Result(last, last)
    return None


def _best(question: str, texts: list[str]) -> list[str]:
    """Return the newest of the texts that answer best."""
    wanted = asked_stems(question)
    found = extract(question, texts, limit=1)
    same = [text for text in found if coverage(wanted, stems(text)) >= 0.5]
    return same[:1]


def _you(text: str) -> str:
    """Say a person's own statement back: "My name is Ada" → "Your name is Ada"."""
    changed = re.sub(r"\b[Mm]y\b", lambda m: "Your" if m.group() == "My" else "your", text)
    changed = re.sub(r"\bI am\b|\bI'm\b", "You are", changed)
    return re.sub(r"\bI\b", "You", changed)


def _deed(turn: Turn) -> str:
    """Say which tools were called."""
    lines = []
    for observation in turn.observations:
        if not observation.error:
            args = ", ".join(f"{key}: {value}" for key, value in observation.args.items())
            lines.append(f"I used {observation.tool} ({args}).")
    return "\n".join(lines)


def noting(step: Step, _desk: Desk) -> Attempt:
    """Take note of a statement that asks for nothing."""
    yield from ()
    if is_request(step.text) or not re.search(
        r"(?i)\b(?:is|are|am|was|were|have|has|likes?|lives?|works?|prefers?)\b", step.text
    ):
        return None
    return Result(f"Noted: {step.text.strip()}", step.text)
