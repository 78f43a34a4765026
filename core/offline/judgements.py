"""Judgements: how well an answer covers what was asked, and decisions between given values."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cogwork.core.offline.answers import asked_stems, extract
from cogwork.core.offline.goals import is_question, split_goal, starts_with_verb
from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.matching import match_tool
from cogwork.core.offline.measures import measures
from cogwork.core.offline.source import Field, Source
from cogwork.core.offline.words import (
    STOPWORDS,
    actions,
    coverage,
    sentences,
    stem,
    stems,
    tokens,
    word_set,
)

__all__ = ["Judgement", "best_option", "choice_for", "choices_for", "decision_for", "judge"]

_REFUSES = re.compile(
    r"(?i)\b(?:can(?:no|')t|could\s?n[o']t|could not|unable|failed|error|don't know|do not know"
    r"|no idea"
    r"|not found|impossible|I did not)\b"
)
_FIGURE = re.compile(
    r"(?i)\b(?:how (?:many|much|old|long|far)|total|sum|mean|average|median|percent\w*|number of"
    r"|calculate|compute)\b"
)
_MEANS = word_set(  # words for how, which an answer need not repeat
    """read open load compute calculate write save store column columns answer result results file
    files find use determine then list check value values row rows given please question work
    out put print return"""
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """How much of what was asked an answer covers.

    Attributes:
        score: In [0, 1].
        feedback: What it covers and what it lacks, in a sentence or two.
        missing: Words and names of the question that the answer does not touch.
        faults: Sentences of the answer that report a failure.
    """

    score: float
    feedback: str
    missing: tuple[str, ...]
    faults: tuple[str, ...]

    def reflections(self) -> list[str]:
        """What went wrong and what to do about it, one thing each."""
        found = [f"The answer reports a failure: {fault}" for fault in self.faults]
        found += [f"The answer does not mention {word}." for word in self.missing[:3]]
        if self.score == 0 and not found:
            found.append("There is no answer yet.")
        return found or ["The answer covers what was asked."]

    def improvements(self) -> list[str]:
        """What the next trial is to do."""
        found = [f"Address {word} in the answer." for word in self.missing[:3]]
        found += ["Resolve this first: " + fault for fault in self.faults]
        return found or ["Keep the answer as it is."]


@lru_cache(maxsize=64)
def judge(goal: str, answer: str, criteria: str = "") -> Judgement:
    """Judge an answer by the overlap of what was asked with what it contains.

    Args:
        goal: What was asked.
        answer: What was answered.
        criteria: What else the answer has to contain.
    """
    if not answer.strip():
        return Judgement(0.0, "There is no answer to judge.", (), ())
    wanted = _wanted(f"{goal}\n{criteria}")
    given = {_key(word) for word in tokens(answer)}
    paths = " ".join(tokens(answer))
    missing = tuple(
        word
        for key, word in wanted.items()
        if key not in given and " ".join(tokens(word)) not in paths
    )
    score = 1 - len(missing) / len(wanted) if wanted else 1.0
    faults = tuple(part for part in sentences(answer) if _REFUSES.search(part))
    notes = []
    if faults:
        score *= 0.3
        notes.append(f"It reports a failure: {faults[0]}")
    if _FIGURE.search(goal) and not re.search(r"\d", answer):
        score *= 0.5
        notes.append("A figure is asked for and none is given.")
    notes.append(_coverage(missing, wanted))
    return Judgement(round(score, 2), " ".join(notes), missing, faults)


def _coverage(missing: tuple[str, ...], wanted: dict[str, str]) -> str:
    if not missing:
        return "The answer covers what was asked."
    listed = ", ".join(missing[:6])
    if len(missing) == len(wanted):
        return f"The answer touches nothing of what was asked: {listed}."
    return f"The answer covers a part of what was asked; it does not mention {listed}."


def _key(word: str) -> str:
    """Return what a word is compared by: its stem, or the measure it means (largest: max)."""
    return next(iter(measures(word)), stem(word))


def _wanted(goal: str) -> dict[str, str]:
    """Return the stems an answer should touch, with the words they come from."""
    found: dict[str, str] = {}
    for step in split_goal(goal):
        text = step.text.partition(" ")[2] if starts_with_verb(step.text) else step.text
        asked = asked_stems(text)
        masked = read_literals(text)
        for word in tokens(masked.masked):
            if stem(word) in asked and word not in _MEANS:
                found.setdefault(_key(word), word)
        targets = [
            path
            for path in masked.paths
            if re.search(rf"(?i)\b(?:to|into)\s+\S*{re.escape(path)}", step.text)
        ]
        found |= {path: path for path in targets}
        found |= {quoted.lower(): quoted for quoted in masked.quoted}
    return found


# Words that speak for a value without naming it.
_SPEAKS_FOR = {
    "comparison": "compare versus vs difference better worse than both between",
    "compare": "versus vs difference better worse than between",
    "analysis": "analyse analyze analysis examine trend impact evaluate assess why",
    "explanation": "explain how why what mean describe",
    "prediction": "predict forecast will future expect next tomorrow outlook",
    "positive": "good great excellent love like happy wonderful best amazing perfect pleased enjoy",
    "negative": "bad terrible awful hate poor worst angry disappoint broken sad problem fail",
    "financial": "price revenue stock sales cost budget profit invest market money bank",
    "technical": "software code api server algorithm system bug network database program",
    "scientific": "experiment theory study physics chemistry biology research hypothesis",
    "medical": "patient disease drug clinical treatment symptom health doctor",
    "legal": "law court contract liability statute legal attorney regulation",
    "high": "urgent critical immediately asap important severe soon emergency",
    "urgent": "immediately asap now emergency critical",
    "low": "whenever minor trivial eventually someday",
    "easy": "simple trivial", "hard": "complex difficult", "simple": "easy trivial",
    "complex": "difficult several multiple compare", "math": "calculate compute sum total",
    "calculator": "calculate compute sum total percent", "approve": "yes accept okay agree",
    "reject": "no deny refuse decline",
}  # fmt: skip
_OTHERWISE = word_set("other none unknown neutral general default unclear unspecified")
_GOOD = word_set(
    """success successful complete completed done finished passed pass correct valid sufficient
    satisfied satisfactory approved approve accept accepted acceptable ok good adequate solved
    achieved answered"""
)
_BAD = word_set(
    """revise revision retry replan continue missing incomplete fail failed failure improve
    improvement more redo"""
)
_SINGLE = word_set("atomic simple primitive trivial")
_SEVERAL = word_set("complex compound multi multistep decompose split composite")
_YES_NO = word_set("answer decision yes result value verdict holds true supported entailed")
_NOT = word_set(
    """not no never without isn't aren't doesn't don't didn't wasn't won't can't cannot none
    neither nor"""
)


def choice_for(field: Field, allowed: list[Any], source: Source) -> Any:
    """Return the allowed value that the text speaks for, or `None`."""
    if {"yes", "no"} <= {str(value).lower() for value in allowed}:
        verdict = decision_for(field, source)
        said = {True: "yes", False: "no"}.get(verdict) if verdict is not None else None
        return next((value for value in allowed if str(value).lower() == said), None)
    for text in (source.goal, source.answer, source.material, source.said):
        scored = [(_speaks(str(value), text), -index) for index, value in enumerate(allowed)]
        best = max(scored, default=(0.0, 0))
        if best[0] > 0:
            return allowed[-best[1]]
    match = match_tool(source.goal, source.tools)
    if match and match.spec.name in allowed:
        return match.spec.name
    return next((value for value in allowed if str(value).lower() in _OTHERWISE), None)


def choices_for(allowed: list[Any], source: Source) -> list[Any]:
    """Return all allowed values that the text speaks for."""
    said = "\n".join(dict.fromkeys((source.goal, *source.texts)))
    found = [value for value in allowed if _speaks(str(value), said) > 0]
    return found or [value for value in allowed if str(value).lower() in _OTHERWISE][:1]


def _speaks(value: str, text: str) -> float:
    """Return how strongly a text speaks for a value: naming it counts most."""
    said = [stem(word) for word in tokens(text)]
    words = [stem(word) for word in tokens(value) if word not in STOPWORDS] or [stem(value)]
    named = [said.index(word) for word in words if word in said]
    if named and not _denied(tokens(text), min(named)):
        return 10 * len(named) / len(words)
    kin = {stem(word) for word in _SPEAKS_FOR.get(value.lower(), "").split()}
    return float(len(kin & set(said)))


def _denied(said: list[str], position: int) -> bool:
    return not _NOT.isdisjoint(said[max(0, position - 3) : position])


def best_option(goal: str, text: str) -> int | None:
    """Return the number of the listed option that speaks to the goal most, if one does."""
    listed = re.findall(r"(?m)^\s*\(?(\d{1,2})[.):]\s+(.+)$", text)
    wanted = actions(asked_stems(re.sub(r"(?m)^\s*\(?\d{1,2}[.):].*$", "", goal)))
    scored = [(len(wanted & actions(stems(option))), -int(number)) for number, option in listed]
    best = max(scored, default=(0, 0))
    return -best[1] if best[0] else None


def decision_for(field: Field, source: Source) -> bool | None:
    """Return yes or no for a field, or `None` if nothing speaks for either."""
    judged = {_GOOD: True, _BAD: False}
    for kind, good in judged.items():
        if field.is_a(kind) and source.answer:
            enough = judge(source.goal, source.answer, source.criteria).score >= 0.8
            return enough is good
    if field.is_a(_SINGLE) or field.is_a(_SEVERAL):
        return (len(source.steps) <= 1) is field.is_a(_SINGLE)
    if field.is_a(_YES_NO) or is_question(field.description):
        question = field.description if is_question(field.description) else source.goal
        return _yes_or_no(question, source)
    return _shows(field, source)


def _yes_or_no(question: str, source: Source) -> bool | None:
    """Answer a yes-or-no question from the one sentence that speaks of it."""
    stated = re.match(r"(?i)\s*(yes|no|true|false)\b", source.answer)
    if stated:
        return stated[1].lower() in {"yes", "true"}
    found = extract(
        question, [text for text in (source.material, source.answer) if text], limit=1, least=0.6
    )
    if not found or coverage(asked_stems(question), stems(found[0])) < 0.6:
        return None
    asked_negated = not _NOT.isdisjoint(tokens(question))
    return _NOT.isdisjoint(tokens(found[0])) is not asked_negated


def _shows(field: Field, source: Source) -> bool | None:
    """Tell whether the text shows what the field is called by: `is_urgent` and "urgent"."""
    asking = word_set(
        "is has have needs need should can was are does contains mentions requires wants"
    )
    wanted = [stem(word) for word in field.words if word not in asking | STOPWORDS]
    said = [word for text in source.texts or (source.goal,) for word in tokens(text)]
    known = [stem(word) for word in said]
    hits = [known.index(word) for word in wanted if word in known]
    if wanted and len(hits) == len(wanted):
        return not _denied(said, min(hits))
    if set(field.words[:1]) & asking and said:
        return False  # the text gives no sign of it
    return None
