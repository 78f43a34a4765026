"""Schemas: reading JSON schemas and checking that a value fits one."""

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["Schema", "fits", "kind", "options", "plain"]

Schema = Mapping[str, Any]


def plain(schema: Schema, root: Schema | None = None) -> dict[str, Any]:
    """Return the schema that a given value has to fit: references and `null` resolved.

    Args:
        schema: A JSON schema.
        root: The schema that holds `$defs`; the schema itself by default.
    """
    found = dict(schema)
    root = root if root is not None else schema
    for _ in range(16):  # references may go through others
        if "$ref" in found:
            rest = {key: value for key, value in found.items() if key != "$ref"}
            found = {**_target(found["$ref"], root), **rest}
        elif branches := found.get("anyOf") or found.get("oneOf") or found.get("allOf"):
            rest = {k: v for k, v in found.items() if k not in {"anyOf", "oneOf", "allOf"}}
            given = [branch for branch in branches if branch.get("type") != "null"]
            found = {**(given[0] if given else {}), **rest, "nullable": len(given) < len(branches)}
        else:
            break
    if isinstance(found.get("type"), list):
        found["nullable"] = "null" in found["type"]
        found["type"] = next((name for name in found["type"] if name != "null"), "null")
    return found


def _target(reference: str, root: Schema) -> dict[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return dict(found)


def kind(schema: Schema) -> str:
    """Return the JSON type that a plain schema asks for, or "any"."""
    if "type" in schema:
        return str(schema["type"])
    if "properties" in schema:
        return "object"
    values = options(schema)
    if values:
        return "string" if all(isinstance(value, str) for value in values) else "enum"
    return "array" if "items" in schema else "any"


def options(schema: Schema) -> list[Any]:
    """Return the only values that a plain schema allows, if it lists them."""
    if "const" in schema:
        return [schema["const"]]
    return list(schema.get("enum", ()))


def fits(value: Any, schema: Schema) -> bool:
    """Tell whether `value` keeps the bounds of a plain schema."""
    allowed = options(schema)
    if allowed:
        return value in allowed
    if isinstance(value, bool):
        return kind(schema) in {"boolean", "any"}
    if isinstance(value, (int, float)):
        return _number_fits(value, schema)
    if isinstance(value, str):
        return _text_fits(value, schema)
    return True


def _number_fits(value: float, schema: Schema) -> bool:
    if kind(schema) == "integer" and value != int(value):
        return False
    return (
        value >= schema.get("minimum", value)
        and value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
    )


def _text_fits(value: str, schema: Schema) -> bool:
    size = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
    pattern = schema.get("pattern")
    try:
        return bool(size) and (pattern is None or re.search(pattern, value) is not None)
    except re.error:  # a pattern in another dialect says nothing here
        return bool(size)
