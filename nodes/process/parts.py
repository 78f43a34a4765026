"""The parts of which steps are made, and the values in them."""

import re
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from cogwork.nodes.process.expressions import RESERVED

__all__ = [
    "Approval",
    "Case",
    "Choice",
    "Deadline",
    "Name",
    "Part",
    "Remedy",
    "Seconds",
    "Text",
    "Version",
    "Wait",
    "seconds_of",
]

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(
    r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w|(?:second|minute|hour|day|week)s?)", re.ASCII
)
_LONGEST: Final = 100 * 366 * 86_400  # seconds


def seconds_of(text: Any) -> float:
    """Return the seconds of a duration such as `30s`, `2 hours` or `1.5 days`.

    Raises:
        ValueError: It is none.
    """
    found = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    seconds = float(found[1]) * _UNITS[found[2][0]] if found else 0
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"{text!r:.40} is no duration; write '30s', '2 hours' or '3 days'")
    return seconds


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", text):
        raise ValueError(
            f"{text!r:.80} is no name; use small letters, digits and _, as in 'ask_ana'"
        )
    if text in RESERVED:
        raise ValueError(f"'{text}' means something else in expressions; choose another name")
    return text


def _version(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
        raise ValueError(f"{value!r} is no version; write a whole number, or a text in quotes")
    return str(value)


Name: TypeAlias = Annotated[str, AfterValidator(_name)]
Text: TypeAlias = Annotated[str, Field(min_length=1)]
Seconds: TypeAlias = Annotated[float, BeforeValidator(seconds_of)]
Version: TypeAlias = Annotated[str, BeforeValidator(_version)]


class Part(BaseModel):
    """Something that a definition says; nothing else may stand in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Remedy(Part):
    """One rung of a step's recovery: exactly one of `retry`, `fallback`, `skip`, `escalate`.

    Attributes:
        retry: How often a transient failure is tried again.
        wait: Seconds before the first retry.
        fallback: The tool, or for an agent step the agent, to use instead.
        skip: Whether the process goes on without a result.
        escalate: The role that is asked: `retry`, `skip`, `fail`, or what the result is.
    """

    retry: Annotated[int, Field(ge=1, le=100)] | None = None
    wait: Seconds | None = None
    fallback: Text | None = None
    skip: Literal[True] | None = None
    escalate: Text | None = None


class Deadline(Part):
    """What happens when nobody has answered, or nothing came: one of `role` and `go`.

    Attributes:
        after: Seconds since the step asked.
        role: Who is asked from then on.
        go: The step that the process goes on with.
    """

    after: Seconds
    role: Text | None = None
    go: Text | None = None


class Case(Part):
    """One case of a rule.

    Attributes:
        when: The condition; without one the case holds always.
        set: What the step gives, by name.
        go: The step that the process goes on with; the next one unless given.
    """

    when: Text | None = None
    set: dict[str, Any] = {}
    go: Text | None = None


class Approval(Part):
    """What a person is asked.

    Attributes:
        role: Who may decide.
        question: What is to be decided.
        show: Values that are shown, by name.
        edit: The names of those that may be changed.
        unlike: Persons who may not decide, such as whoever asked.
    """

    role: Text
    question: Text
    show: dict[str, Any] = {}
    edit: tuple[str, ...] = ()
    unlike: tuple[Text, ...] = ()


class Wait(Part):
    """What is waited for: an event, or a time.

    Attributes:
        event: The name of an event.
        by: The role that may deliver it; anyone unless given.
        until: A time in ISO 8601.
        duration: Seconds; written `for`.
    """

    event: Text | None = None
    by: Text | None = None
    until: Text | None = None
    duration: Annotated[float | None, BeforeValidator(seconds_of), Field(alias="for")] = None


class Choice(Part):
    """Where an approval leads.

    Attributes:
        approve: The step after an approval; the next one unless given.
        reject: The step after a rejection.
    """

    approve: Text | None = None
    reject: Text
