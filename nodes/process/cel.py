"""CEL as Google's implementation runs it: an expression and JSON values, to a JSON value.

Run as a script, it reads `[expression, values]` and writes `{"value": …}` or `{"error": …}`, in
limited processor time and memory. It imports nothing of cogwork, so that it starts quickly.
"""

import datetime as dt
import json
import resource
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

__all__ = ["BYTES", "SECONDS", "compiled", "value_of"]

SECONDS: Final = 2
"""Processor time that the script may take."""

BYTES: Final = 1 << 30
"""Memory that the script may take."""


@lru_cache(maxsize=1_000)
def compiled(text: str, names: frozenset[str]) -> Any:
    """Return an expression, checked.

    Args:
        text: The expression.
        names: What it may refer to, besides `now`.

    Raises:
        RuntimeError: It is no expression, or refers to something else.
    """
    from cel_expr_python import cel  # type: ignore[import-untyped]  # it has stubs, unmarked

    variables = dict.fromkeys(names, cel.Type.DYN) | {"now": cel.Type.TIMESTAMP}
    return cel.NewEnv(variables=variables).compile(text)


def value_of(text: str, values: Mapping[str, Any]) -> Any:
    """Return the value of an expression.

    Args:
        text: The expression.
        values: JSON values by name.

    Raises:
        ValueError: It has none.
    """
    from cel_expr_python import cel

    data = {**values, "now": dt.datetime.now(dt.UTC)}
    try:
        found = compiled(text, frozenset(values)).eval(data=data)
        value = found.plain_value()
    except (RuntimeError, TypeError, OverflowError, MemoryError) as error:
        raise ValueError(str(error)) from None
    if found.type() == cel.Type.ERROR:
        raise ValueError(value)
    return _plain(value)


def _plain(value: Any) -> Any:
    """A value of CEL as JSON: times as ISO 8601, durations as seconds."""
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"it gave {type(value).__name__}, which is no JSON")


def _main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    text, values = json.load(sys.stdin)
    try:
        told = {"value": value_of(text, values)}
    except ValueError as error:
        told = {"error": str(error)}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    _main()
