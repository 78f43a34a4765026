"""Choices: fields that take one of a few values, or yes or no."""

import re
from typing import Any

from cogwork.core.offline.answers import asked_stems, extract
from cogwork.core.offline.goals import is_question
from cogwork.core.offline.judgements import judge
from cogwork.core.offline.matching import match_tool
from cogwork.core.offline.source import Field, Source
from cogwork.core.offline.words import STOPWORDS, actions, coverage, stem, stems, tokens, word_set

__all__ = ["best_option", "choice_for", "choices_for", "decision_for"]

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
    found = extract(question, [text for text in (source.material, source.answer) if text], limit=1)
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
