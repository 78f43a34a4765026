"""Checks of answers by program: frozen models, so that tasks can be lines of a JSONL file.

A check judges what an agent answered, or what it left in its folder. It sees the answer after
the last `FINAL ANSWER:` where there is one, else the whole of it.
"""

import json
import math
import re
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, Union

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cogwork.core.json_text import json_objects
from cogwork.runtime.evaluation.scoring import (
    exact_match,
    f1,
    final_answer,
    last_number,
    normalize,
    quasi_exact_match,
)

__all__ = [
    "AllOf",
    "Check",
    "Contains",
    "Exact",
    "FileIs",
    "Function",
    "JsonIs",
    "Matches",
    "NumberIs",
    "OrderIs",
    "Overlaps",
    "QuasiExact",
    "SetIs",
    "Verdict",
]

_LARGEST_FILE = 1_000_000  # characters of a file that is checked
_DIVIDES = re.compile(r"[,;\n]|\band\b")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says.

    Attributes:
        passed: Whether the answer is right.
        score: 0 to 1; only `Overlaps` and functions know parts.
        reason: What is wrong; empty for what passed.
    """

    passed: bool
    score: float
    reason: str = ""

    @classmethod
    def of(cls, passed: bool, reason: str) -> "Verdict":
        """Return all or nothing."""
        return cls(passed, float(passed), "" if passed else reason)


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text


def inside(path: str) -> str:
    """Return a relative path that stays in its folder; raise `ValueError` for another."""
    parts = Path(path).parts
    if not parts or Path(path).is_absolute() or ".." in parts:
        raise ValueError(f"{path!r} leaves the folder; name a file in it")
    return path


InsidePath = Annotated[str, AfterValidator(inside)]
Words: TypeAlias = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class _Check(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _AnswerCheck(_Check):
    """Of the final answer alone."""

    def judge(self, answer: str, folder: Path) -> Verdict:  # noqa: ARG002 - as all checks
        """Judge the answer; the folder is not looked at."""
        return self._judged(final_answer(answer))

    @abstractmethod
    def _judged(self, said: str) -> Verdict: ...


class Exact(_AnswerCheck):
    """One of these, after HotpotQA's normalisation (see `scoring.exact_match`)."""

    check: Literal["exact"] = "exact"
    answers: Words

    def _judged(self, said: str) -> Verdict:
        right = any(exact_match(said, each) for each in self.answers)
        return Verdict.of(right, f"expected {self.answers[0]!r}")


class Overlaps(_AnswerCheck):
    """Enough of the words of `answer`, by HotpotQA's F1 (see `scoring.f1`)."""

    check: Literal["overlaps"] = "overlaps"
    answer: str
    at_least: float = Field(0.8, gt=0, le=1)

    def _judged(self, said: str) -> Verdict:
        score = f1(said, self.answer)
        passed = score >= self.at_least
        reason = "" if passed else f"F1 {score:.2f}, expected {self.answer!r}"
        return Verdict(passed, score, reason)


class QuasiExact(_AnswerCheck):
    """GAIA's quasi exact match (see `scoring.quasi_exact_match`)."""

    check: Literal["quasi_exact"] = "quasi_exact"
    answer: str

    def _judged(self, said: str) -> Verdict:
        right = quasi_exact_match(said, self.answer)
        return Verdict.of(right, f"expected {self.answer!r}")


class NumberIs(_AnswerCheck):
    """The last number of the answer is `value`, give or take `tolerance`."""

    check: Literal["number"] = "number"
    value: float = Field(allow_inf_nan=False)
    tolerance: float = Field(1e-6, ge=0, allow_inf_nan=False)

    def _judged(self, said: str) -> Verdict:
        found = last_number(said)
        if found is None:
            return Verdict.of(False, f"no number, expected {self.value:g}")
        slack = self.tolerance + 1e-12 * abs(self.value)  # of binary fractions
        right = math.isclose(found, self.value, rel_tol=0, abs_tol=slack)
        return Verdict.of(right, f"the last number is {found:g}, expected {self.value:g}")


class Contains(_AnswerCheck):
    """The answer has all of these words or phrases, and none of those.

    Both are normalized, and compared by whole words: "art" is not in "start".
    """

    check: Literal["contains"] = "contains"
    all: Words
    none: tuple[str, ...] = ()

    def _judged(self, said: str) -> Verdict:
        absent = [each for each in self.all if not _says(said, each)]
        extra = [each for each in self.none if _says(said, each)]
        faults = [f"lacks {each!r}" for each in absent] + [f"says {each!r}" for each in extra]
        return Verdict.of(not faults, ", ".join(faults))


class Matches(_AnswerCheck):
    """A regular expression is found in the answer."""

    check: Literal["matches"] = "matches"
    pattern: Annotated[str, AfterValidator(_pattern)]

    def _judged(self, said: str) -> Verdict:
        found = re.search(self.pattern, said)
        return Verdict.of(found is not None, f"nothing matches {self.pattern!r}")


class SetIs(_AnswerCheck):
    """The answer names these and nothing else, in any order.

    It is divided at commas, semicolons, ends of lines and "and"; what stands before a colon
    introduces it. Parts are normalized.
    """

    check: Literal["set"] = "set"
    items: Words

    def _judged(self, said: str) -> Verdict:
        listed = said.rpartition(":")[2]
        given = {normalize(part) for part in _DIVIDES.split(listed)} - {""}
        wanted = {normalize(each) for each in self.items}
        faults = [f"lacks {each!r}" for each in sorted(wanted - given)]
        faults += [f"says {each!r}" for each in sorted(given - wanted)]
        return Verdict.of(not faults, ", ".join(faults))


class OrderIs(_AnswerCheck):
    """The answer names all items, and each before those that it must precede.

    Where an item is named several times, the last time counts: explanations come before the
    answer. Any order that keeps to the pairs is right.
    """

    check: Literal["order"] = "order"
    items: Words
    before: tuple[tuple[str, str], ...] = ()

    def _judged(self, said: str) -> Verdict:
        said = f" {normalize(said)} "
        places = {each: said.rfind(f" {normalize(each)} ") for each in self.items}
        faults = [f"lacks {each!r}" for each, place in places.items() if place < 0]
        if not faults:
            wrong = [pair for pair in self.before if places[pair[0]] > places[pair[1]]]
            faults = [f"{first!r} must come before {second!r}" for first, second in wrong]
        return Verdict.of(not faults, ", ".join(faults))


class JsonIs(_AnswerCheck):
    """The first JSON value of the answer equals `value`, whatever order its keys have."""

    check: Literal["json"] = "json"
    value: Any

    def _judged(self, said: str) -> Verdict:
        found = next(_json_in(said), None)
        if found is None:
            return Verdict.of(False, "no JSON")
        right = _same(found[0], self.value)
        return Verdict.of(right, f"the JSON is {found[0]!r}, expected {self.value!r}")


class FileIs(_Check):
    """A file in the task's folder, whose text passes another check."""

    check: Literal["file"] = "file"
    path: InsidePath
    content: "Check"

    def judge(self, answer: str, folder: Path) -> Verdict:  # noqa: ARG002 - as all checks
        """Read the file and judge its text."""
        file = folder / self.path
        # What an agent can write may be a link to somewhere else.
        if not file.is_file() or not file.resolve().is_relative_to(folder.resolve()):
            return Verdict.of(False, f"there is no file {self.path}")
        with file.open(encoding="utf-8", errors="replace") as opened:
            text = opened.read(_LARGEST_FILE)
        found = self.content.judge(text, folder)
        return Verdict(found.passed, found.score, found.reason and f"{self.path}: {found.reason}")


class AllOf(_Check):
    """Several checks, all of which have to pass."""

    check: Literal["all"] = "all"
    checks: Annotated[tuple["Check", ...], Field(min_length=1)]

    def judge(self, answer: str, folder: Path) -> Verdict:
        """Judge by each; the score is the least."""
        found = [each.judge(answer, folder) for each in self.checks]
        reasons = "; ".join(each.reason for each in found if each.reason)
        return Verdict(
            all(each.passed for each in found), min(each.score for each in found), reasons
        )


class Function(_Check):
    """A function of yours, for tasks that are written in Python.

    Attributes:
        function: Takes the answer and the task's folder; returns whether it is right, a score
            of which 1 passes, or a verdict.
    """

    check: Literal["function"] = "function"
    function: Callable[[str, Path], "bool | float | Verdict"] = Field(exclude=True)

    def judge(self, answer: str, folder: Path) -> Verdict:
        """Ask the function."""
        found = self.function(answer, folder)
        if isinstance(found, Verdict):
            return found
        score = min(1.0, max(0.0, float(found)))
        name = getattr(self.function, "__name__", "the function")
        return Verdict(score == 1, score, "" if score == 1 else f"{name} says {found}")


Check: TypeAlias = Annotated[
    Union[  # noqa: UP007 - the classes are not defined yet where this is read
        Exact, Overlaps, QuasiExact, NumberIs, Contains, Matches, SetIs, OrderIs, JsonIs, FileIs,
        AllOf, Function,
    ],
    Field(discriminator="check"),
]  # fmt: skip
"""Any of them; the field `check` says which."""

FileIs.model_rebuild()
AllOf.model_rebuild()


def _says(text: str, phrase: str) -> bool:
    return f" {normalize(phrase)} " in f" {normalize(text)} "


def _json_in(text: str) -> Iterator[tuple[Any]]:
    try:
        yield (json.loads(text),)
    except (ValueError, RecursionError):
        yield from ((each,) for each in json_objects(text))


def _same(given: Any, wanted: Any) -> bool:
    """As JSON compares: true is not 1, but 1.0 is."""
    if isinstance(wanted, dict):
        return (
            isinstance(given, dict)
            and given.keys() == wanted.keys()
            and all(_same(given[key], wanted[key]) for key in wanted)
        )
    if isinstance(wanted, list):
        return (
            isinstance(given, list) and len(given) == len(wanted) and all(map(_same, given, wanted))
        )
    if isinstance(wanted, bool) or isinstance(given, bool):
        return given is wanted
    return bool(given == wanted)
