"""Structured output: a schema filled from a conversation, field by field.

Nothing is made up: what the text does not give is left out where the schema allows it,
and reported as missing where it does not.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from cogwork.core.offline.fields import number_for, text_for
from cogwork.core.offline.judgements import choice_for, choices_for, decision_for
from cogwork.core.offline.listing import texts_for
from cogwork.core.offline.plans import is_plan, plan_steps, step_texts
from cogwork.core.offline.source import Field, Source
from cogwork.core.offline.tables import Table, figure, read_table
from cogwork.core.offline.toolbox import Schema, fits, kind, options, plain
from cogwork.core.offline.words import sentences

__all__ = ["Filled", "fill_schema"]

_DEPTH = 8  # schemas may refer to themselves


@dataclass(slots=True)
class Filled:
    """A filled schema; `missing` names required fields that the text does not give."""

    value: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    found: int = 0


def fill_schema(schema: Schema, source: Source) -> Filled:
    """Fill an object's schema from `source`."""
    return _object(plain(schema), schema, source, 0)


def _object(schema: Schema, root: Schema, source: Source, depth: int) -> Filled:
    filled = Filled()
    required = set(schema.get("required") or ())
    alias = source.goal if list(schema.get("properties") or ()) == ["value"] else ""
    for name, described in (schema.get("properties") or {}).items():
        part = Field.of(name, described, root, required=name in required, alias=alias)
        value = _value(part, source, depth)
        if value is not None and _keeps(value, part):
            filled.value[name] = value
            filled.found += bool(value) or isinstance(value, bool)
        elif part.required and part.schema.get("nullable"):
            filled.value[name] = None
        elif part.required and "default" not in part.schema:
            filled.missing.append(name)
    return filled


def _keeps(value: Any, part: Field) -> bool:
    if isinstance(value, list):
        return bool(len(value) >= part.schema.get("minItems", 0))
    return not isinstance(value, (str, int, float)) or fits(value, part.schema)


def _value(part: Field, source: Source, depth: int) -> Any:
    """Return the value of a field, or `None` if the text does not give it."""
    allowed = options(part.schema)
    if len(allowed) == 1:
        return allowed[0]
    if allowed:
        return choice_for(part, allowed, source)
    if part.kind == "boolean":
        return decision_for(part, source)
    if part.kind in {"integer", "number"}:
        value = number_for(part, source)
        return (
            int(value)
            if value is not None and part.kind == "integer" and value == int(value)
            else value
        )
    if part.kind == "array":
        return _array(part, source, depth)
    if part.kind == "object":
        return _nested(part, source, depth)
    return text_for(part, source) or None


def _nested(part: Field, source: Source, depth: int) -> dict[str, Any] | None:
    if depth >= _DEPTH:
        return None
    if not part.schema.get("properties"):
        return _pairs(part, source)
    filled = _object(part.schema, part.root, source, depth + 1)
    given = filled.found or part.required
    return filled.value if given and not filled.missing else None


def _pairs(part: Field, source: Source) -> dict[str, Any] | None:
    """Return a free-form object from lines such as "oslo: 709000"."""
    values = plain(part.schema.get("additionalProperties") or {}, part.root)
    numbers = kind(values) in {"integer", "number"}
    found: dict[str, Any] = {}
    for text in source.texts:
        for key, raw in re.findall(
            r"(?m)^\s*[-*]?\s*[\"']?([\w .-]{1,40}?)[\"']?\s*[:=][ \t]*(\S[^\n]*?)[,;]?\s*$", text
        ):
            digits = figure(raw)
            if numbers and digits is None:
                continue
            found.setdefault(key, float(digits) if numbers and digits else raw)
    return found if found or part.required else None


def _array(part: Field, source: Source, depth: int) -> list[Any] | None:
    items = plain(part.schema.get("items") or {}, part.root)
    most = part.schema.get("maxItems")
    if is_plan(part):
        found: list[Any] | None = (
            step_texts(source)
            if kind(items) == "string"
            else plan_steps(part, source, lambda field_, about: _value(field_, about, depth + 1))
        )
    elif kind(items) == "object":
        found = _objects(items, part, source, depth) if depth < _DEPTH else []
    elif kind(items) in {"integer", "number"}:
        found = [float(digits) for raw in source.literals.numbers if (digits := figure(raw))]
        found = [int(value) if value == int(value) else value for value in found]
    elif options(items):
        found = choices_for(options(items), source)
    else:
        found = list(texts_for(part, source))
    if not found and not part.required:
        return None
    return (found or [])[:most]


def _objects(items: Schema, part: Field, source: Source, depth: int) -> list[dict[str, Any]]:
    """Return one object for each row or sentence that gives all it requires."""
    found: list[dict[str, Any]] = []
    for text in (source.material,) if source.material else source.texts:
        table = read_table(text)
        parts = _rows(table) if table else sentences(text)
        for unit in parts:
            filled = _object(items, part.root, source.about(unit), depth + 1)
            if filled.found and not filled.missing and filled.value not in found:
                found.append(filled.value)
    return found


def _rows(table: Table) -> list[str]:
    """Write each row as "header: cell" lines, which fields are found in."""
    return [
        "\n".join(f"{name}: {cell}" for name, cell in zip(table.header, row, strict=True))
        for row in table.rows
    ]
