"""Plans: a goal's steps in the form that a schema gives to the steps of a plan."""

from collections.abc import Callable
from typing import Any

from cogwork.core.offline.desk import refers
from cogwork.core.offline.goals import Step
from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.matching import Match, main_verb, match_tool
from cogwork.core.offline.schemas import Schema, fits, kind, options, plain
from cogwork.core.offline.source import Field, Source
from cogwork.core.offline.words import tokens, word_set

__all__ = ["is_plan", "plan_steps", "step_texts"]

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
