"""JSON as models write it: found in their text, and held against a schema and what can be kept."""

import json
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["json_objects", "misfits", "unkeepable", "without_root_reference"]

_DEEPEST = 100  # levels; checkpointers hold about 250, with what the state puts around them
_NESTED_TRIES = 16  # a bound, because objects within objects could make reading quadratic

# Also a string without an end, or the search would start anew at each quote within it.
_STRING = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
_BRACE_OR_STRING = re.compile(rf"{_STRING}|[{{}}]", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])", re.DOTALL)


_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def json_objects(text: str) -> Iterator[dict[str, Any]]:
    """Find the JSON objects in a text: among prose, in fences, with trailing commas.

    The outermost ones come first, in their order, then some of those within them. What a
    reasoning model thinks aloud, before `</think>`, is skipped. The time is linear in the
    length of the text, whatever it holds.

    Examples:
        >>> list(json_objects('Here: {"a": [1, 2,]} as {asked}.'))
        [{'a': [1, 2]}]
    """
    text = text.rpartition("</think>")[2]
    outermost, nested = _braces(text)
    for start, end in [*outermost, *nested[:_NESTED_TRIES]]:
        for attempt in (text[start:end], _TRAILING_COMMA.sub(r"\1", text[start:end])):
            try:
                found = json.loads(attempt, strict=False)
            except (ValueError, RecursionError):
                continue
            yield found
            break


def _braces(text: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Where pairs of braces start and end: the outermost ones, and those within them."""
    opened: list[int] = []
    outermost: list[tuple[int, int]] = []
    nested: list[tuple[int, int]] = []
    position = text.find("{")
    while position >= 0 and (token := _BRACE_OR_STRING.search(text, position)):
        position = token.end()
        if token[0] == "{":
            opened.append(token.start())
        elif token[0] == "}":
            start = opened.pop()
            while outermost and outermost[-1][0] > start:
                nested.append(outermost.pop())
            outermost.append((start, position))
        if not opened:  # quotes in prose mean nothing
            position = text.find("{", position)
    return outermost, sorted(nested)


def misfits(value: Any, schema: dict[str, Any]) -> Iterator[str]:
    """Say what keeps a value from fitting a JSON schema.

    Looks at `type`, `enum`, `required`, `properties`, `items` and references to `$defs`;
    other keywords are guidance for the model.

    Examples:
        >>> list(misfits({"n": "x"}, {"required": ["n", "m"], "properties": {"n": {"type": "integer"}}}))
        ['m: is missing', 'n: should be integer']
    """
    return _misfits(value, schema, "", schema.get("$defs", {}))


def unkeepable(value: Any) -> str:
    """Say why no checkpointer can hold a value; nothing when its size is no hindrance.

    Data may be nested 100 levels deep, and integers have 64 bits. The time is linear in the
    size of the value, however deep it is and whether or not it holds itself.

    Examples:
        >>> unkeepable({"n": [1, 10**20]})
        'n: holds an integer of 67 bits; at most 64 can be kept'
    """
    left = [("", value, 0)]
    deepest: dict[int, int] = {}  # at which level a container was met
    while left:
        name, each, depth = left.pop()
        if isinstance(each, int) and not -(2**63) <= each < 2**64:
            return f"{name}: holds an integer of {each.bit_length()} bits; at most 64 can be kept"
        if not isinstance(each, dict | list | tuple) or deepest.get(id(each), -1) >= depth:
            continue
        if depth >= _DEEPEST:
            return f"{name}: is nested more than {_DEEPEST} levels deep"
        deepest[id(each)] = depth
        inner = each.items() if isinstance(each, dict) else enumerate(each)
        left += [(name or str(key), one, depth + 1) for key, one in inner]
    return ""


def without_root_reference(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema with no reference at its root, where a recursive model has one."""
    definitions = schema.get("$defs", {})
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    return {**definitions[name], "$defs": definitions} if name in definitions else schema


def _misfits(
    value: Any, schema: dict[str, Any], path: str, definitions: dict[str, Any]
) -> Iterator[str]:
    schema = without_root_reference({**schema, "$defs": definitions})
    where = path or "answer"
    allowed = schema.get("type", [])
    kinds = [allowed] if isinstance(allowed, str) else allowed
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f"{where}: should be {' or '.join(kinds)}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{where}: should be one of {json.dumps(schema['enum'])}"
    else:
        for inner_path, inner, inner_schema in _parts(value, schema, path):
            if inner is _MISSING:
                yield f"{inner_path}: is missing"
            elif isinstance(inner_schema, dict):
                yield from _misfits(inner, inner_schema, inner_path, definitions)


_MISSING = object()


def _parts(value: Any, schema: dict[str, Any], path: str) -> Iterator[tuple[str, Any, Any]]:
    """Path, value and schema of what a value consists of; first what it lacks."""
    if isinstance(value, dict):
        prefix = f"{path}." if path else ""
        for name in schema.get("required", []):
            if name not in value:
                yield f"{prefix}{name}", _MISSING, None
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                yield f"{prefix}{name}", value[name], inner
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield f"{path}[{place}]", item, schema.get("items")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES.get(kind, (object,)))
