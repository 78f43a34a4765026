"""Conditions on the arguments of a call, as plain data: what a value must be, at a path."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

__all__ = ["Condition", "as_condition", "values_at"]

_LONGEST: Final = 100_000  # characters of a value that a pattern is tried on


def _checked(pattern: str | None) -> str | None:
    try:
        re.compile(pattern or "")
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern


def as_condition(given: Any) -> Any:
    """Return what a `Condition` can be made of: a bare value or a list is what may be there."""
    if isinstance(given, Mapping | Condition) or given is None:
        return given
    return {"one_of": given if isinstance(given, list | tuple) else [given]}


class Condition(BaseModel):
    """What a value must be; a bare value or a list stands for `one_of`.

    Attributes:
        one_of: It is one of these.
        matches: All of it matches this regular expression.
        at_least: It is a number, and not less.
        at_most: It is a number, and not more.
        present: Whether there is a value at all.
        negate: Turns the condition around; written `not: {…}`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    one_of: tuple[Any, ...] | None = None
    matches: Annotated[str | None, AfterValidator(_checked)] = None
    at_least: float | None = None
    at_most: float | None = None
    present: bool | None = None
    negate: "Annotated[Condition | None, BeforeValidator(as_condition)]" = Field(
        default=None, alias="not"
    )

    def fits(self, values: list[Any], *, cautious: bool) -> bool:
        """Return whether the values at a place of the arguments are what they must be.

        Args:
            values: Every single value there; empty when there is none.
            cautious: Whether one that fits is enough, and what cannot be told fits.
        """
        if not values:
            return self.present is False or (cautious and self.negate is not None)
        told = (self._of(value, cautious) for value in values)
        if cautious:
            return any(fits is not False for fits in told)
        return all(fits is True for fits in told)

    def _of(self, value: Any, cautious: bool) -> bool | None:
        """Whether one value fits; None when it cannot be told."""
        parts = [*self._told(value, cautious)]
        return False if False in parts else None if None in parts else True

    def _told(self, value: Any, cautious: bool) -> Iterator[bool | None]:
        if self.present is not None:
            yield self.present
        if self.one_of is not None:
            yield any(_same(value, each) for each in self.one_of)
        if self.matches is not None:
            yield _matches(self.matches, value, cautious)
        if self.at_least is not None or self.at_most is not None:
            yield _between(self.at_least, self.at_most, value)
        if self.negate is not None:
            inner = self.negate._of(value, not cautious)  # noqa: SLF001 - its own kind
            yield None if inner is None else not inner


def values_at(found: Any, path: list[str]) -> Iterator[Any]:
    """Yield every single value at a path; lists are looked into, at its end mappings too."""
    if isinstance(found, list | tuple | set):
        for each in found:
            yield from values_at(each, path)
    elif isinstance(found, Mapping):
        key, *rest = path or ["*"]
        for name, value in found.items():
            if key in ("*", name):
                yield from values_at(value, rest)
    elif not [key for key in path if key != "*"]:
        yield found


def _matches(pattern: str, value: Any, cautious: bool) -> bool | None:
    text = _text(value)
    if len(text) > _LONGEST:
        return None
    # What is to be allowed must be one line, where `.` is meant to stand for no line break.
    return re.fullmatch(pattern, text, re.DOTALL if cautious else 0) is not None


def _between(low: float | None, high: float | None, value: Any) -> bool | None:
    number = _number(value)
    if number is None:
        return None
    return (low is None or low <= number) and (high is None or number <= high)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return None if math.isnan(number) else number


def _same(value: Any, other: Any) -> bool:
    if _text(value) == _text(other):
        return True
    number = _number(value)
    return number is not None and number == _number(other)
