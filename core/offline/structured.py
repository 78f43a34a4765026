"""Structured output: a schema filled from a conversation, field by field.

Nothing is made up: what the text does not give is left out where the schema allows it,
and reported as missing where it does not.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cogwork.core.offline.desk import refers
from cogwork.core.offline.fields import number_for, text_for
from cogwork.core.offline.goals import Step
from cogwork.core.offline.judgements import choice_for, choices_for, decision_for
from cogwork.core.offline.listing import texts_for
from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.matching import Match, main_verb, match_tool
from cogwork.core.offline.source import Field, Source
from cogwork.core.offline.tables import Table, figure, read_table
from cogwork.core.offline.toolbox import Schema, fits, kind, options, plain
from cogwork.core.offline.words import sentences, tokens, word_set

__all__ = ["Filled", "fill_schema", "is_plan", "plan_steps", "step_texts"]

_STEPS = word_set(
    """steps plan tasks subtasks subgoals actions milestones todos todo stages phases components
    children workflow queries subqueries subquestions"""
)
_TEXT = word_set("description task action step instruction goal objective what query question")
_NAME = word_set("name title label summary")
_ID = word_set("id number index order key step_id position")
_DEPENDS = word_set(
    "depends dependencies dependency requires after prerequisites predecessors needs inputs"
)
_TOOL = word_set("tool tool_name function")
_ARGS = word_set("args arguments parameters params inputs input kwargs")
_CHANGING = word_set("write save store put create delete remove send copy move append")


def is_plan(field: Field) -> bool:
    """Tell whether a list is one of steps: by its name, or by what its items have."""
    items = plain(field.schema.get("items") or {}, field.root)
    if kind(items) == "string":
        return not _STEPS.isdisjoint(field.words)
    properties = items.get("properties") or {}
    names = {word for name in properties for word in (name.lower(), *tokens(name))}
    has_text = not (_TEXT | _NAME).isdisjoint(names)
    ordered = not (_DEPENDS | _TOOL).isdisjoint(names)
    return has_text and (ordered or not _STEPS.isdisjoint(field.words))


def step_texts(source: Source) -> list[str]:
    """Return the goal's steps as texts."""
    return [_text(step) for step in source.steps]


def _text(step: Step) -> str:
    text = step.text.strip(" .")
    if step.condition is not None:
        text = f"{'if so' if step.condition else 'if not'}, {text}"
    return text[:1].upper() + text[1:]


def plan_steps(
    field: Field, source: Source, rest: Callable[[Field, Source], Any]
) -> list[dict[str, Any]]:
    """Return the goal's steps as objects.

    Args:
        field: The list of steps.
        source: Where the goal is.
        rest: Fills a field of a step that is of no kind known here; `None` leaves it out.
    """
    items = plain(field.schema.get("items") or {}, field.root)
    ids = _ids(items, field.root, len(source.steps))
    found = []
    for step in source.steps:
        match = match_tool(step.text, source.tools)
        made: dict[str, Any] = {}
        for name, schema in (items.get("properties") or {}).items():
            part = Field.of(name, schema, field.root, required=name in items.get("required", ()))
            value = _part(part, step, source, match, ids)
            if value is None and part.required and not part.schema.get("nullable"):
                value = rest(part, source.about(step.text))
            if value is not None and fits(value, part.schema):
                made[name] = value
            elif part.required and part.schema.get("nullable"):
                made[name] = None
        found.append(made)
    return found


def _ids(items: Schema, root: Schema, count: int) -> list[Any]:
    """Return the steps' ids: "1", "2" and so on, or numbers where these are wanted."""
    for name, schema in (items.get("properties") or {}).items():
        if _is(name, _ID):
            numbers = kind(plain(schema, root)) == "integer"
            return [index + 1 if numbers else str(index + 1) for index in range(count)]
    return [str(index + 1) for index in range(count)]


def _is(name: str, known: frozenset[str]) -> bool:
    words = tokens(name)
    return (
        name.lower() in known
        or (words[-1:] == ["id"] and "id" in known)
        or not known.isdisjoint(words[:1])
    )


def _part(part: Field, step: Step, source: Source, match: Match | None, ids: list[Any]) -> Any:
    name = part.name
    if _is(name, _DEPENDS) and part.kind == "array":
        return _dependencies(part, step, source, ids)
    if _is(name, _ARGS) and part.kind == "object":
        return dict(match.filling.args) if match and not match.filling.missing else {}
    if _is(name, _TOOL) and part.kind in {"string", "any"}:
        return match.spec.name if match and not match.filling.missing else None
    if _is(name, _ID) and part.kind in {"string", "integer", "any"}:
        return ids[step.number]
    if _is(name, _TEXT | _NAME) and part.kind in {"string", "any"} and not options(part.schema):
        return _text(step)
    if "priority" in part.words and part.kind == "integer" and part.required:
        return step.number + 1
    if "default" not in part.schema and "pending" in options(part.schema):
        return "pending"
    return None


def _dependencies(part: Field, step: Step, source: Source, ids: list[Any]) -> list[Any]:
    items = plain(part.schema.get("items") or {}, part.root)
    found = [ids[number] for number in _needs(step, source.steps)]
    return (
        [int(value) for value in found]
        if kind(items) == "integer"
        else [str(value) for value in found]
    )


def _needs(step: Step, steps: tuple[Step, ...]) -> list[int]:
    """Return the steps whose results a step needs: the one before, if it speaks of it."""
    if not step.number:
        return []
    if step.condition is not None:
        return [max(other.number for other in steps[: step.number] if other.condition is None)]
    own = read_literals(step.text)
    changes = main_verb(step.text) in _CHANGING
    sourced = own.numbers or own.quoted or own.urls or (own.paths and not changes)
    if sourced and not refers(step.text):
        return []
    words = set(tokens(step.text))
    if words & {"both", "all", "them", "results", "answers", "everything"}:
        return [
            other.number for other in steps[: step.number] if main_verb(other.text) not in _CHANGING
        ]
    return [step.number - 1]


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
