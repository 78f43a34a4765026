"""Plans: the steps of a goal with their tools, and which has to wait for which."""

import json
import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from cogwork.core.offline.desk import leans, refers
from cogwork.core.offline.goals import CHANGES, Step, is_question
from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.matching import Match
from cogwork.core.offline.source import Field, Source
from cogwork.core.offline.toolbox import Schema, fits, kind, options, plain
from cogwork.core.offline.using import single_call
from cogwork.core.offline.words import tokens, word_set

__all__ = ["dependencies", "is_plan", "plan_steps", "step_texts"]

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
_SEVERAL = word_set("both all them results answers everything")
_FAILED = re.compile(r"(?m)^\| (\{.*\}) failed, because ")
_LISTED = re.compile(r"(?i)\b(?:list|files?|folders?|director(?:y|ies))\b")
_ONLY_READ = re.compile(
    r"(?i)^(?:read|open|load|show|delete|remove)\s+(?:\x01+(?:[\s,]|and\b)*)+\W*$"
)
_DELETES = re.compile(r"(?i)^(?:delete|remove|erase)\b")
_PARTS = re.compile(r"(?i)→|->|=>|\bthen\b|\bif\s+(?:so|not)\b")
_STATES = re.compile(  # a sentence, or "according to …"; else it is about the plan: "in steps:"
    r"(?i)[.!?](?:\s|$)|^(?:from|using|given|based on|according to|with|looking at|see)\b|^in (?!.*steps?$)"
)
_INTO = re.compile(r"\b(?:to|into)\s+(?:the\s+)?(?:file\s+)?\x01")


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
    return [_text(step) for step in _parted(source.steps)]


def _text(step: Step) -> str:
    """Return a step as it is understood without the goal: with what was said before it.

    Orders after the first lean on steps instead.
    """
    text, before = step.text.strip(" ."), step.context.strip()
    if _STATES.search(before) and (step.number == 0 or is_question(text)):
        text = f"{before}{'' if before[-1] in '.!?:' else ','} {text}"
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
    steps = _parted(source.steps)
    ids = _ids(items, field.root, len(steps))
    needs = dependencies(steps)
    failed = _failed(source)
    found = []
    for place, step in enumerate(steps):
        match = None if _has_parts(step) else single_call(step, source.tools)
        if match and (match.spec.name, match.filling.args) in failed:
            match = None  # not the same again: an agent may find another way
        made: dict[str, Any] = {}
        for name, schema in (items.get("properties") or {}).items():
            part = Field.of(name, schema, field.root, required=name in items.get("required", ()))
            value = _part(part, step, match, ids, (place, needs[place]))
            if value is None and part.required and not part.schema.get("nullable"):
                value = rest(part, source.about(step.text))
            if value is not None and fits(value, part.schema):
                made[name] = value
            elif part.required and part.schema.get("nullable"):
                made[name] = None
        found.append(made)
    return found


def _has_parts(step: Step) -> bool:
    """Whether a step has several parts, of which a call would do only one."""
    return _PARTS.search(read_literals(step.text).masked) is not None


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


def _part(
    part: Field, step: Step, match: Match | None, ids: list[Any], at: tuple[int, list[int]]
) -> Any:
    """Return the value of a step's field; `at` is its place, and the places of what it needs."""
    name, (place, needs) = part.name, at
    if _is(name, _DEPENDS) and part.kind == "array":
        whole = kind(plain(part.schema.get("items") or {}, part.root)) == "integer"
        return [int(ids[need]) if whole else str(ids[need]) for need in needs]
    if _is(name, _ARGS) and part.kind == "object":
        return dict(match.filling.args) if match else {}
    if _is(name, _TOOL) and part.kind in {"string", "any"}:
        return match.spec.name if match else None
    if _is(name, _ID) and part.kind in {"string", "integer", "any"}:
        return ids[place]
    if _is(name, _TEXT | _NAME) and part.kind in {"string", "any"} and not options(part.schema):
        return _text(step)
    if "priority" in part.words and part.kind == "integer" and part.required:
        return place + 1
    if "default" not in part.schema and "pending" in options(part.schema):
        return "pending"
    return None


def _failed(source: Source) -> list[tuple[str, dict[str, Any]]]:
    """Return the calls that failed in an earlier plan, as the prompt tells of them."""
    found = []
    for line in _FAILED.findall(source.material):
        try:
            said = json.loads(line)
        except ValueError:
            continue  # it was cut off
        found.append((said.get("tool"), said.get("args")))
    return found


def _parted(steps: Iterable[Step]) -> list[Step]:
    """Return steps that can be done one by one.

    What hangs on a check becomes one step with it. "Read a.txt and b.txt" becomes two.
    """
    found: list[Step] = []
    for step in steps:
        paths = read_literals(step.text).paths
        if found and step.condition is not None:
            told = _text(found[-1])
            told = told if told.endswith("?") else f"{told}."
            said = f"{told} {'If so' if step.condition else 'If not'}, {step.text}"
            found[-1] = replace(found[-1], text=said, context="")
        elif len(paths) > 1 and _ONLY_READ.match(read_literals(step.text).masked):
            verb = step.text.split(" ", 1)[0]
            found += [replace(step, text=f"{verb} {path}") for path in paths]
        else:
            found.append(step)
    return found


def dependencies(steps: Sequence[Step]) -> list[list[int]]:
    """Return the places of the steps that each one has to wait for.

    That is what it speaks of, what stands before a "then", and what changes a file that
    it touches, or touches one that it changes.
    """
    found: list[list[int]] = []
    touched: list[set[PurePosixPath]] = []
    for place, step in enumerate(steps):
        needs = set(_needs(place, steps))
        paths = _paths(step.text) or {path for need in needs for path in touched[need]}
        stage = max((s.stage for s in steps[:place] if s.stage < step.stage), default=-1)
        for other in range(place):
            clash = _changes(step.text) or _changes(steps[other].text)
            if steps[other].stage == stage or (clash and _overlap(paths, touched[other])):
                needs.add(other)
        found.append(sorted(needs))
        touched.append(paths)
    return found


def _needs(place: int, steps: Sequence[Step]) -> list[int]:
    """Return the places of the steps whose results one speaks of."""
    text = steps[place].text
    if not place or not leans(text) or (_DELETES.match(text) and not refers(text)):
        return []
    if not _SEVERAL.isdisjoint(tokens(text)):
        return [other for other in range(place) if not CHANGES.match(steps[other].text)]
    return [other for other in range(place) if steps[other].number == steps[place - 1].number]


def _changes(text: str) -> bool:
    masked = read_literals(text).masked
    return bool(CHANGES.search(masked) or _INTO.search(masked))


def _paths(text: str) -> set[PurePosixPath]:
    """Return the paths that a step names; the root folder where it lists without a name."""
    found = read_literals(text)
    listed = found.globs or (not found.paths and _LISTED.search(found.masked))
    return {
        PurePosixPath(posixpath.normpath(path)) for path in (*found.paths, *["."] * bool(listed))
    }


def _overlap(some: set[PurePosixPath], others: set[PurePosixPath]) -> bool:
    return any(
        one == other
        or one in other.parents
        or other in one.parents
        or (one.is_absolute() != other.is_absolute() and one.name == other.name)
        for one in some
        for other in others
    )
