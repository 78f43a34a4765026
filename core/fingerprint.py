"""What tells values apart that have no other name: their content, hashed."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, timedelta, timezone
from datetime import time as time_of_day
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, SecretBytes, SecretStr

__all__ = ["fingerprint"]

_FAITHFUL: Final = (  # whose repr tells all that they are
    *(type(None), bool, int, float, str, bytes, Enum, date, time_of_day, timedelta, timezone),
    *(Decimal, Fraction, UUID, PurePath),
)


def fingerprint(value: Any) -> bytes | None:
    """Return what two values share only if they are the same; None if that cannot be told.

    Types count: 1, 1.0 and True differ, and so do a list and a tuple.

    Examples:
        >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
        True
        >>> fingerprint(object()) is None
        True
    """
    try:
        told = repr(_told(value)).encode("utf-8", "surrogatepass")
    except (TypeError, RecursionError):
        return None
    return hashlib.sha256(told).digest()


def _told(value: Any) -> tuple[str, Any]:
    """A value as texts and tuples of them, of which no two values have the same."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, _FAITHFUL):
        return kind, repr(value)
    if isinstance(value, SecretStr | SecretBytes):  # whose repr hides what they hold
        return kind, repr(value.get_secret_value())
    if isinstance(value, Mapping):
        return kind, sorted((_told(name), _told(each)) for name, each in value.items())
    if isinstance(value, list | tuple):
        return kind, [_told(each) for each in value]
    if isinstance(value, set | frozenset):
        return kind, sorted(_told(each) for each in value)
    if isinstance(value, BaseModel):
        return kind, [(name, _told(each)) for name, each in value]
    if is_dataclass(value) and not isinstance(value, type):
        return kind, [(each.name, _told(getattr(value, each.name))) for each in fields(value)]
    raise TypeError(f"values of {kind} cannot be told apart")
