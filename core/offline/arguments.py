"""Arguments: what a step's text gives for a tool's parameters, by their JSON schema."""

import re
from dataclasses import dataclass, field
from typing import Any

from cogwork.core.offline.literals import number
from cogwork.core.offline.names import names_in
from cogwork.core.offline.schemas import Schema, fits, kind, options, plain
from cogwork.core.offline.supply import Supply, family, free_text, labelled, supply_of
from cogwork.core.offline.toolbox import KnownTool
from cogwork.core.offline.words import STOPWORDS, stem, tokens, word_set

__all__ = ["Filling", "fill"]

_LIMITS = word_set("limit k n top max count size num")
_FIGURE = r"(-?\d[\d,]*(?:\.\d+)?)"


@dataclass(slots=True)
class Filling:
    """Arguments for a tool.

    `missing` are required ones that the text does not give; `evidence` counts those
    that it gives beyond doubt, such as a path for a path.
    """

    args: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    evidence: int = 0


def fill(spec: KnownTool, text: str, carried: str = "", about: str = "") -> Filling:
    """Fill a tool's arguments from `text`.

    Args:
        spec: The tool.
        text: The step as it was asked.
        carried: What an earlier step gave, for "it" and "the result".
        about: The path that an earlier step was about.
    """
    folders = spec.does("list") and not spec.content
    supply = supply_of(text, carried, about, folders=folders, own=spec.named)
    filling = Filling()
    generic: list[str] = []
    for name in [*spec.required, *(n for n in spec.properties if n not in spec.required)]:
        schema = plain(spec.properties[name], spec.schema)
        if kind(schema) in {"string", "any"} and not options(schema) and not family(name):
            generic.append(name)
            continue
        value = _value(name, schema, supply, needed=name in spec.required)
        filling.evidence += _put(filling, name, value, schema)
    for reader in (labelled, free_text):
        for name in generic:
            if name not in filling.args and (reader is labelled or name in spec.required):
                _put(filling, name, reader(name, supply), plain(spec.properties[name], spec.schema))
    filling.missing = [name for name in spec.required if name not in filling.args]
    return filling


def _put(filling: Filling, name: str, value: Any, schema: Schema) -> bool:
    if value is None or value in ("", []) or not fits(value, schema):
        return False
    filling.args[name] = value
    return True


def _value(name: str, schema: Schema, supply: Supply, *, needed: bool) -> Any:
    if options(schema):
        return _option(options(schema), supply)
    wanted = kind(schema)
    if wanted == "boolean":
        return _yes_or_no(name, supply)
    if wanted in {"integer", "number"}:
        return _number(name, schema, supply, needed=needed)
    if wanted == "array":
        said = {stem(word) for word in tokens(supply.text)}
        asked = needed or not said.isdisjoint(stem(word) for word in tokens(name))
        return _list(name, schema, supply) if asked else []
    if wanted == "object":
        return _pairs(supply) or None
    reader = family(name)
    return reader(name, supply) if reader else ""


def _option(allowed: list[Any], supply: Supply) -> Any:
    """Return the allowed value that the text names, the longest one first."""
    said = [stem(word) for word in tokens(supply.text)]
    for value in sorted(allowed, key=lambda value: -len(str(value))):
        words = [stem(word) for word in tokens(str(value))]
        if words and all(word in said for word in words):
            return value
    return None


def _yes_or_no(name: str, supply: Supply) -> bool | None:
    text = supply.text.lower()
    told = re.search(
        rf"\b{re.escape(name.lower())}\s*(?:=|:|is|to)?\s*(true|false|yes|no|on|off)\b", text
    )
    if told:
        return told[1] in {"true", "yes", "on"}
    words = [stem(word) for word in tokens(name) if word not in STOPWORDS] or [stem(name)]
    if "on" in tokens(name) or words[-1] in {"enabl", "activ", "stat"}:
        if re.search(r"\b(?:off|disable|deactivate)\b", text):
            return False
        if re.search(r"\b(?:on|enable|activate)\b", text):
            return True
    said = tokens(supply.masked)
    hits = [i for i, word in enumerate(said) if len(word) > 3 and stem(word)[:6] == words[-1][:6]]
    if not hits:
        return None
    before = said[max(0, hits[0] - 3) : hits[0]]
    return {"not", "no", "without", "don't", "never"}.isdisjoint(before)


def _number(name: str, schema: Schema, supply: Supply, *, needed: bool) -> int | float | None:
    label = r"[\s_]*".join(map(re.escape, tokens(name))) or re.escape(name)
    said = re.search(rf"(?i)\b{label}\s*(?:=|:|is|of|to)?\s*{_FIGURE}", supply.masked)
    if not said and not _LIMITS.isdisjoint(tokens(name)):
        said = re.search(
            rf"(?i)\b(?:top|first|at\s+most|up\s+to)\s+{_FIGURE}|\b{_FIGURE}\s+results?\b",
            supply.masked,
        )
    said = said or re.search(rf"(?i)\b{_FIGURE}\s+{label}", supply.masked)
    raw = next((group for group in said.groups() if group), "") if said else ""
    if raw in supply.numbers:
        supply.numbers.remove(raw)
    if not raw and needed:
        raw = supply.numbers.pop(0) if supply.numbers else _as_number(supply.carried)
    if not raw:
        return None
    value = number(raw)
    return int(value) if kind(schema) == "integer" and value == int(value) else value


def _as_number(carried: str) -> str:
    return carried if re.fullmatch(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", carried) else ""


def _list(name: str, schema: Schema, supply: Supply) -> list[Any]:
    items = plain(schema.get("items") or {}, schema)
    if kind(items) in {"integer", "number"}:
        found: list[Any] = [number(raw) for raw in supply.numbers]
        supply.numbers.clear()
    elif kind(items) == "object":
        found = []
    elif set(tokens(name)) & {"path", "paths", "file", "files"}:
        found = list(supply.paths)
    else:
        found = list(supply.quoted) if len(supply.quoted) > 1 else _enumerated(supply)
    return [value for value in found if fits(value, items)]


def _enumerated(supply: Supply) -> list[str]:
    """Return the items of "for a, b and c" or "…: a, b, c"."""
    after = re.split(r":\s+|\b(?:of|for|about|with|to|between)\s+", supply.text)[-1].strip(" .?!")
    parts = re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+|\s+or\s+", after)
    if len(parts) > 1:
        return [part for part in parts if part]
    return supply.quoted or names_in(supply.text)


def _pairs(supply: Supply) -> dict[str, Any]:
    found = re.findall(r"\b([A-Za-z_]\w*)\s*=\s*(\"[^\"]*\"|'[^']*'|[\w./-]+)", supply.text)
    return {key: raw.strip("\"'") for key, raw in found}
