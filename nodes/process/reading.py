"""Definitions from YAML, with every fault named by its file, line, key and way out."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError

from cogwork.core.errors import ConfigurationError
from cogwork.core.registry import nearest
from cogwork.nodes.process.checking import faults_in
from cogwork.nodes.process.definition import KINDS, Definition
from cogwork.nodes.process.source import Source, read_source

__all__ = ["parse_definition", "read_definition", "read_definitions", "version_order"]

Path_: TypeAlias = tuple[str | int, ...]
Fault: TypeAlias = tuple[Path_, str]


def read_definition(path: str | Path) -> Definition:
    """Read a definition from a file.

    Raises:
        ConfigurationError: The file cannot be read or has faults; all of them are named.
    """
    return _definition(read_source(path))


def parse_definition(text: str, name: str = "<text>") -> Definition:
    """Read a definition from a text.

    Args:
        text: The YAML.
        name: What messages call it.

    Raises:
        ConfigurationError: It has faults; all of them are named.
    """
    return _definition(Source(text, name))


def read_definitions(
    given: str | Path | Definition | Sequence[str | Path | Definition],
) -> list[Definition]:
    """Read definitions from files, and from the `.yaml` and `.yml` files of folders.

    Raises:
        ConfigurationError: There is none, two have one name and version, or one has faults.
    """
    many = [given] if isinstance(given, str | Path | Definition) else list(given)
    found = [each for one in many for each in _expanded(one)]
    if not found:
        places = ", ".join(f"'{each}'" for each in many)
        raise ConfigurationError(f"there is no definition in {places}; name a YAML file")
    seen: dict[str, Definition] = {}
    for each in found:
        if each.key in seen:
            raise ConfigurationError(
                f"'{each.key}' is defined in {seen[each.key].file} and in {each.file}; give the "
                "newer one another version"
            )
        seen[each.key] = each
    return found


def version_order(version: str) -> list[tuple[int, str]]:
    """Return what versions are sorted by: numbers in them count as numbers."""
    parts = re.findall(r"\d+|\D+", version)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _expanded(given: str | Path | Definition) -> list[Definition]:
    if isinstance(given, Definition):
        return [given]
    if not Path(given).is_dir():
        return [read_definition(given)]
    files = [file for file in Path(given).iterdir() if file.suffix in (".yaml", ".yml")]
    return [read_definition(file) for file in sorted(files)]


def _definition(source: Source) -> Definition:
    value: Any = source.value
    faults = [*_faults_of_schema(value)]
    if not faults:
        made = Definition.model_validate({**value, "text": source.text, "file": source.name})
        faults = [*faults_in(made)]
        if not faults:
            return made
    lines = [
        f"{source.name}, line {source.line(*path)}, {_shown(path)}: {what}" for path, what in faults
    ]
    raise ConfigurationError("\n".join(dict.fromkeys(lines)))


def _faults_of_schema(value: Mapping[str, Any]) -> Iterator[Fault]:
    steps = value.get("steps")
    fields = {**value, "steps": [{"end": "x"}]} if isinstance(steps, list) and steps else value
    for key in {"text", "file"} & value.keys():
        yield (key,), f"unknown key '{key}'; remove it"
    yield from _faults_of(Definition, fields, ())
    if isinstance(steps, list):
        yield from _faults_of_steps(steps, ("steps",))


def _faults_of_steps(steps: Sequence[Any], path: Path_) -> Iterator[Fault]:
    for number, step in enumerate(steps):
        yield from _faults_of_step(step, (*path, number))


def _faults_of_step(step: Any, path: Path_) -> Iterator[Fault]:
    known = ", ".join(KINDS)
    if not isinstance(step, Mapping):
        yield path, f"{step!r:.60} is no step; write 'id: …' and one of {known}"
        return
    kinds = [kind for kind in KINDS if kind in step]
    if len(kinds) != 1:
        has = f"{' and '.join(kinds)} at once" if kinds else "no kind"
        yield path, f"the step has {has}; give it exactly one of {known}"
        return
    branches = step.get("parallel")
    if not isinstance(branches, Mapping):
        yield from _faults_of(KINDS[kinds[0]], step, path)
        return
    bare: dict[str, Any] = {"parallel": {name: [] for name in branches}}
    yield from _faults_of(KINDS["parallel"], {**step, **bare}, path)
    for name, steps in branches.items():
        inside = (*path, "parallel", name)
        if isinstance(steps, list) and steps:
            yield from _faults_of_steps(steps, inside)
        else:
            yield inside, "a branch is a list of steps; write at least one"


def _faults_of(model: type[BaseModel], value: Mapping[str, Any], path: Path_) -> Iterator[Fault]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            yield (*path, *each["loc"]), _told(model, each)


def _told(model: type[BaseModel], error: Any) -> str:
    kind, key = error["type"], str(error["loc"][-1]) if error["loc"] else ""
    if kind == "extra_forbidden":
        return f"unknown key '{key}'; {nearest(key, _keys_at(model, error['loc'][:-1]))}"
    if kind == "missing":
        return f"'{key}' is missing; add it"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    return f"{error['msg']}; it is {error['input']!r:.60}"


def _keys_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The keys that there could be at a path of a model."""
    for part in path:
        if isinstance(part, int) or part == "[key]":
            continue
        field = next(
            (one for name, one in model.model_fields.items() if part in (name, one.alias)), None
        )
        inner = list(_models(field.annotation)) if field else []
        if not inner:
            break
        model = inner[0]
    hidden = ("text", "file") if model is Definition else ()
    return [one.alias or name for name, one in model.model_fields.items() if name not in hidden]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in getattr(annotation, "__args__", ()):
        yield from _models(each)


def _shown(path: Path_) -> str:
    """A path as a reader would write it: `steps[2].approval.role`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text or "the file"
