"""Judgements: how well an answer covers what was asked, and what to do better."""

import re
from dataclasses import dataclass
from functools import lru_cache

from cogwork.core.offline.answers import asked_stems
from cogwork.core.offline.goals import split_goal, starts_with_verb
from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.measures import measures
from cogwork.core.offline.words import sentences, stem, tokens, word_set

__all__ = ["Judgement", "judge"]

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
