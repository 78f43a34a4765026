"""Conditions and values in definitions: CEL, and CEL in the `${…}` of texts.

CEL (https://cel.dev) has no loops, no assignments and no way to Python: what an expression sees
are JSON values, under the names that it is given, and `now`. `"${expression}"` stands for its value.

The library bounds how deep an expression is nested and how often its macros (`all`, `exists`, …)
go round, and matches patterns in linear time. What a macro does to large values it does not bound,
and it holds Python's lock meanwhile: expressions with a macro run in a process of their own.
"""

import json
import re
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.nodes.process import cel

__all__ = ["RESERVED", "evaluate", "expressions_in", "fault_of", "fill", "holds"]

RESERVED: Final = frozenset(
    [
        "in",
        "true",
        "false",
        "null",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
        "bool",
        "bytes",
        "double",
        "duration",
        "dyn",
        "int",
        "list",
        "map",
        "null_type",
        "size",
        "string",
        "timestamp",
        "type",
        "uint",
        "has",
        "all",
        "exists",
        "exists_one",
        "filter",
        "now",
        "input",
        "google",
    ]
)
"""Names that no step may have, because expressions mean something else by them."""

_LONGEST: Final = 1_000  # characters of an expression
_LARGEST: Final = 1_000_000  # characters of the values that one sees, as JSON
_PATIENCE: Final = 60.0  # seconds until a process that gets no processor time is given up
_HOLE: Final = re.compile(r"\$\{([^{}]*)\}")
_MACRO: Final = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter)\s*\(")
_NAME: Final = re.compile(r"(?<![\w.])[a-z_]\w*")
_WHERE: Final = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")


def fault_of(text: str, names: Collection[str]) -> str:
    """Return what is wrong with an expression; empty when nothing is.

    Args:
        text: The expression.
        names: What it may refer to, besides `now`.
    """
    if len(text) > _LONGEST:
        return f"'{text:.40}…' has {len(text):,} characters, more than {_LONGEST:,}; divide it"
    try:
        cel.compiled(text, frozenset(names))
    except RuntimeError as error:
        return _explained(text, names, str(error))
    except (TypeError, UnicodeError):
        return f"{text!r:.80} is no text that CEL can read; remove what is not Unicode"
    return ""


def evaluate(text: str, values: Mapping[str, Any]) -> Any:
    """Return the value of an expression, as JSON: times are ISO 8601, durations seconds.

    Args:
        text: The expression.
        values: JSON values by name.

    Raises:
        ConfigurationError: It is no expression.
        ToolError: It has no value, or takes too long or too much memory.
    """
    named = set(_NAME.findall(text))
    given = {name: value for name, value in values.items() if name in named}
    if fault_of(text, given):
        raise ConfigurationError(fault_of(text, values))
    written = json.dumps(given)
    if "\\u0000" in written:
        raise ToolError(f"'{text}' would see data with the character NUL; let a tool remove it")
    if len(written) > _LARGEST:
        raise ToolError(
            f"'{text}' would see more than {_LARGEST:,} characters of data; let a tool pick out "
            "what is needed"
        )
    try:
        return _in_process(text, given) if _MACRO.search(text) else cel.value_of(text, given)
    except ValueError as error:
        raise ToolError(f"'{text}' has no value: {error}") from None


def holds(text: str, values: Mapping[str, Any]) -> bool:
    """Return whether a condition holds; arguments and errors as in `evaluate`.

    Raises:
        ToolError: It is neither true nor false.
    """
    found = evaluate(text, values)
    if not isinstance(found, bool):
        raise ToolError(f"the condition '{text}' gave {found!r:.80}, which is not true or false")
    return found


def expressions_in(value: Any) -> list[str]:
    """Return the expressions in the texts of a value, however deep."""
    if isinstance(value, str):
        return _HOLE.findall(value)
    parts: Any = value.values() if isinstance(value, Mapping) else value
    if not isinstance(parts, Collection):
        return []
    return [each for part in parts for each in expressions_in(part)]


def fill(value: Any, values: Mapping[str, Any]) -> Any:
    """Return a value with the expressions in its texts replaced by their values.

    A text that is one expression becomes its value, of whatever type.

    Raises:
        ToolError: An expression has no value.
    """
    if isinstance(value, Mapping):
        return {key: fill(each, values) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [fill(each, values) for each in value]
    if not isinstance(value, str):
        return value
    if whole := _HOLE.fullmatch(value):
        return evaluate(whole[1], values)
    return _HOLE.sub(lambda hole: _text(evaluate(hole[1], values)), value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _explained(text: str, names: Collection[str], error: str) -> str:
    found = _WHERE.search(error)
    what = found[3] if found else error.splitlines()[0].rpartition(" [")[0]
    what = what.removesuffix(" (in container '')")
    where = f", column {found[2]}" if found and int(found[2]) > 0 else ""
    known = f"; known are {', '.join(sorted({*names, 'now'}))}" if "undeclared" in what else ""
    return f"'{text:.80}'{where}: {what}{known}"


def _in_process(text: str, values: Mapping[str, Any]) -> Any:
    try:
        ran = subprocess.run(  # noqa: S603 - our own code, on this interpreter
            [sys.executable, "-I", str(Path(cel.__file__))],
            input=json.dumps([text, values]),
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        told = json.loads(ran.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        raise ToolError(
            f"'{text}' took more than {cel.SECONDS} seconds or {cel.BYTES >> 30} GiB and was given "
            "up; let a tool prepare what it looks at"
        ) from None
    if "error" in told:
        raise ValueError(told["error"])
    return told["value"]
