"""The desk: what lies before the model while it does a step."""

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, TypeAlias, TypeVar

from cogwork.core.errors import AgentError
from cogwork.core.offline.answers import join, shorten
from cogwork.core.offline.conversation import Conversation, Observation
from cogwork.core.offline.goals import CHANGES
from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.toolbox import Toolbox
from cogwork.core.offline.words import stems

__all__ = [
    "REFUSAL",
    "Attempt",
    "Call",
    "CannotError",
    "Desk",
    "Found",
    "Result",
    "Seen",
    "ask",
    "leans",
    "refers",
]

REFUSAL = re.compile(
    r"(?i)^(?:I can't|I did not|So I did not|There is no|Noted:|You asked|You're welcome)"
)  # how an answer begins that gives none


class CannotError(AgentError):
    """A step cannot be done; the message says why, for the answer."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a step came to.

    Attributes:
        sentence: What an answer says of it.
        value: What "it" means to later steps: a figure, a text, or one entry per line.
        names: Stems by which later steps may call it ("total", "twh").
        kind: "value", "document" (a text that was read), "list", "effect" (something was
            changed), "verdict" (yes or no), or "failure".
        subject: The path or name that it is about.
        sources: Names and texts of the documents that were read for it.
    """

    sentence: str
    value: str = ""
    names: frozenset[str] = field(default=frozenset())
    kind: str = "value"
    subject: str = ""
    sources: tuple[tuple[str, str], ...] = ()


X = TypeVar("X")

_REFERENCE = re.compile(
    r"(?i)\b(?:it|its|that|this|them|they|their|his|her|those|these|both|results?|answers?"
    r"|outputs?|outcome|findings?"
    r"|values?|figures?|numbers?|sentences?|above|previous|everything)\b"
)
_SEVERAL = re.compile(
    r"(?i)\b(?:both|them|they|those|these|results|answers|findings|figures|values|numbers"
    r"|everything|all)\b"
)


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that a step needs, and the thought that goes with it."""

    tool: str
    args: Mapping[str, Any]
    thought: str = ""


# What is done is written as generators: they yield the calls they need, side by side,
# and are sent what these gave. `Found[X]` comes to an X, an `Attempt` to a result if
# it is the right way to do the step.
Found: TypeAlias = Generator[tuple[Call, ...], tuple[Observation, ...], X]
Seen: TypeAlias = Found[tuple[Observation, ...]]
Attempt: TypeAlias = Found[Result | None]


@dataclass(frozen=True, slots=True)
class Desk:
    """The tools, the conversation, what the steps before came to, and the text of the last one.

    The first `remembered` results are of turns before this one.
    """

    tools: Toolbox
    talk: Conversation
    results: tuple[Result, ...] = field(default=())
    earlier: str = ""
    remembered: int = 0

    def referred(self, text: str) -> list[Result]:
        """Return the results that `text` speaks of, in their order.

        A result is meant by its own words ("the total"), the last one by "it" or "the
        result", all of them by "both" or "the results".
        """
        done = [result for result in self.results if result.kind not in {"failure", "skipped"}]
        said = {word for word in stems(read_literals(text).masked) if not word[0].isdigit()}
        named = [result for result in done if result.names & said]
        if named and not _SEVERAL.search(text):
            return named
        if not refers(text) or not done:
            return named
        if _SEVERAL.search(text):
            told = [result for result in done if result.kind in {"value", "list", "verdict"}]
            return told or done[-1:]
        told = [result for result in done if result.kind != "effect"]
        return (told or done)[-1:]

    @property
    def questions(self) -> tuple[str, ...]:
        """What was asked before, the last first."""
        return (self.earlier, *(turn.said for turn in reversed(self.talk.past)))

    def content(self, text: str) -> str:
        """Return what is to be written for `text` when it speaks of earlier results."""
        found = self.referred(text)
        bare = re.search(r"(?i)\b(?:only|just)\b|^\s*the\s+(?:number|figure|value)\s*$", text)
        if bare and found:
            return "\n".join(result.value for result in found)
        whole = [r.value for r in found if r.kind in {"document", "list"}]
        if whole and len(whole) == len(found):
            return "\n".join(whole)
        return join([result.sentence for result in found])

    def carried(self, text: str) -> str:
        """Return the value that "it" stands for in `text`, or nothing."""
        found = self.referred(text)
        return found[-1].value if found else ""

    def subject(self, text: str) -> str:
        """Return the path that "it" stands for in `text`, or nothing."""
        known = [result.subject for result in self.results if result.subject]
        return known[-1] if known and refers(text) else ""


def refers(text: str) -> bool:
    """Tell whether `text` speaks of something that came before."""
    return bool(_REFERENCE.search(read_literals(text).masked))


def leans(text: str) -> bool:
    """Tell whether `text` needs what came before: it speaks of it, or has nothing of its own."""
    found = read_literals(text)
    own = found.urls or found.numbers or found.quoted
    return refers(text) or not (own or (found.paths and not CHANGES.match(text)))


def _corrected(call: Call, error: str) -> Call | None:
    """The call with what its error offers; nothing is changed but what was named."""
    return None if CHANGES.search(call.tool.replace("_", " ")) else corrected(call, error)


def ask(*calls: Call, instead: Mapping[int, Call] | None = None) -> Seen:
    """Make calls; one that fails is made once more, corrected by what its error offers.

    Args:
        calls: What is to be called, side by side.
        instead: For the call of an index, what to try should it fail.

    Raises:
        CannotError: A call failed and could not be corrected.
    """
    seen = list((yield calls))
    again: dict[int, Call] = {}
    for index, (call, observation) in enumerate(zip(calls, seen, strict=True)):
        if observation.error:
            other = (instead or {}).get(index) or _corrected(call, observation.text)
            if other is None:
                raise CannotError(_failure(call, observation))
            again[index] = other
    if again:
        for index, observation in zip(again, (yield tuple(again.values())), strict=True):
            if observation.error:
                raise CannotError(_failure(again[index], observation))
            seen[index] = observation
    return tuple(seen)


def corrected(call: Call, error: str) -> Call | None:
    """Return the call with the nearest name that its error offers, if it offers one."""
    found = read_literals(error)
    offered = list(dict.fromkeys([*found.quoted, *found.paths]))
    for name, value in call.args.items():
        if not isinstance(value, str) or not re.fullmatch(r"[\w ./~-]*[A-Za-z][\w ./~-]*", value):
            continue
        near = [offer for offer in offered if offer != value and not value.endswith(offer)]
        best = max(near, key=lambda offer: _likeness(offer, value), default="")
        if best and _likeness(best, value) >= 0.7:
            folder = value.rpartition("/")[0]
            other = f"{folder}/{best}" if folder and "/" not in best else best
            return Call(
                call.tool, {**call.args, name: other}, f"There is no {value}; I try {other}."
            )
    return None


def _likeness(one: str, other: str) -> float:
    """Compare names without their folders and endings."""
    names = [re.sub(r"\.\w+$", "", name.rpartition("/")[2].lower()) for name in (one, other)]
    return SequenceMatcher(None, names[0], names[1]).ratio()


def _failure(call: Call, observation: Observation) -> str:
    text = re.sub(r"(?i)^\s*(?:error\s*:?\s*)+", "", observation.text)
    return f"{call.tool} failed: {shorten(text)}"
