"""LangGraph's filters, evaluated on values.

A missing field is null, `$ne` is the opposite of `$eq`, a comparison between things that
have no order is false, and nothing a value holds makes a filter raise.
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from cogwork.core.errors import ConfigurationError

__all__ = ["Plain", "check_filter", "passes", "plain_equalities"]

Plain = str | int | float

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_ -]+")
_EXACT = 2**53  # beyond, a float is no exact integer
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_OPERATORS = ("$eq", "$ne", *_ORDER)


def check_filter(wanted: Any) -> None:
    """Refuse a filter that is not one.

    Raises:
        ConfigurationError: It is no mapping, or names an operator that does not exist.
    """
    if wanted is not None and not isinstance(wanted, Mapping):
        raise ConfigurationError(f"filter {wanted!r} is no mapping; write {{'field': value}}")
    for condition in (wanted or {}).values():
        _check_condition(condition)


def passes(value: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> bool:
    """Whether the value meets every condition of the filter."""
    return all(_meets(value.get(field), condition) for field, condition in (wanted or {}).items())


def plain_equalities(wanted: Mapping[str, Any] | None) -> dict[str, Plain]:
    """Return the demands of a filter that any database understands alike.

    They may let more pass than the filter does, never less.
    """
    found = {}
    for field, condition in (wanted or {}).items():
        demanded = condition.get("$eq") if isinstance(condition, Mapping) else condition
        if _PLAIN_NAME.fullmatch(field) and _is_plain(demanded):
            found[field] = demanded
    return found


def _is_plain(demanded: Any) -> TypeGuard[Plain]:
    if isinstance(demanded, str):
        return demanded.isprintable()
    return isinstance(demanded, (int, float)) and abs(demanded) < _EXACT


def _check_condition(condition: Any) -> None:
    if isinstance(condition, (list, tuple)):
        for part in condition:
            _check_condition(part)
    if not isinstance(condition, Mapping):
        return
    if _has_operators(condition):
        unknown = [name for name in condition if name not in _OPERATORS]
        if unknown:
            raise ConfigurationError(
                f"filter operator '{unknown[0]}' is unknown; there are {', '.join(_OPERATORS)}"
            )
        return
    for part in condition.values():
        _check_condition(part)


def _has_operators(condition: Mapping[str, Any]) -> bool:
    return any(str(name).startswith("$") for name in condition)


def _meets(found: Any, condition: Any) -> bool:
    if isinstance(condition, Mapping):
        if _has_operators(condition):
            return all(_applies(found, name, bound) for name, bound in condition.items())
        return isinstance(found, Mapping) and all(
            _meets(found.get(field), part) for field, part in condition.items()
        )
    if isinstance(condition, (list, tuple)):
        return (
            isinstance(found, (list, tuple))
            and len(found) == len(condition)
            and all(_meets(one, part) for one, part in zip(found, condition, strict=True))
        )
    return _equal(found, condition)


def _applies(found: Any, name: str, bound: Any) -> bool:
    if name == "$eq":
        return _equal(found, bound)
    if name == "$ne":
        return not _equal(found, bound)
    pair = _comparable(found, bound)
    return pair is not None and _ORDER[name](*pair)


def _equal(one: Any, other: Any) -> bool:
    """Equality of JSON: true is not 1, 1 is 1.0, tuples are lists."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def _comparable(one: Any, other: Any) -> tuple[Any, Any] | None:
    """Return both as numbers if both are, else as texts if both are, else None."""
    numbers = _number(one), _number(other)
    if None not in numbers:
        return numbers
    return (one, other) if isinstance(one, str) and isinstance(other, str) else None


def _number(thing: Any) -> int | float | None:
    if isinstance(thing, (int, float)) and not isinstance(thing, bool):
        return thing
    if isinstance(thing, str):
        try:
            return float(thing)
        except ValueError:
            return None
    return None
