"""Matching: which bound tool does a step, and what the step gives for its arguments."""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cogwork.core.offline.goals import is_question, starts_with_verb
from cogwork.core.offline.literals import number, read_literals
from cogwork.core.offline.supply import Supply, family, free_text, labelled, supply_of
from cogwork.core.offline.toolbox import KnownTool, Schema, Toolbox, fits, kind, options, plain
from cogwork.core.offline.words import STOPWORDS, actions, names_in, stem, tokens, word_set

__all__ = ["Filling", "Match", "fill", "main_verb", "match_tool", "named_tool"]

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


# Verbs that any tool may do; every other verb must be one that the tool is described by.
_NEUTRAL = word_set(
    """give tell show get find use call make do run provide determine check know look want need say
    display fetch print return answer please what which who where when how is are was were
    does did can could would will should has have verify see identify name report execute
    confirm ask state count"""
)
_EMPTY = word_set("get give tell show find use call make do run provide need want look know please")
_LISTING = re.compile(
    r"\b(?:which|what|how many|all|any|count|show|the)\s+(?:\w+\s+){0,2}(?:files|folders"
    r"|directories)\b"
    r"|\b(?:find|locate|list)\s+(?:the\s+|all\s+|any\s+|every\s+|a\s+)?(?:\w+\s+)?files?\b"
    r"|\b(?:anything|something)\s+in\b|^\W*ls\b"
    r"|\bfiles\s+(?:are\s+)?(?:in|there|under)\b|\bcontents?\s+of\s+(?:the\s+)?(?:[\w./-]+\s+)?"
    r"(?:folder|directory)\b"
)
_EXISTING = re.compile(
    r"\bis\s+there\s+(?:(?:a|an|any)\s+)?(?:\w+\s+)?(?:file|folder|directory|\x01+)|\bexists?\b"
)
_ORDERS = re.compile(
    r"(?i)^\W*[a-z]+\s+(?:the|a|an|my|all|every|this|that|it|them)\b|^\W*[a-z]+\s+['\"`“]"
)
_ENOUGH = 2.5


@dataclass(frozen=True, slots=True)
class Match:
    """A tool for a step, its arguments, and how well it fits."""

    spec: KnownTool
    filling: Filling
    score: float


def match_tool(text: str, tools: Toolbox, carried: str = "", about: str = "") -> Match | None:
    """Return the tool that fits `text` best, or `None` if none fits well enough.

    Words that the tool's name shares with the step count most, then its description's,
    each the less the more tools share it; arguments that the text gives beyond doubt
    count too. A tool whose required arguments are not given comes after one whose are.
    """
    said = _said(text)
    shared = Counter(word for spec in tools.specs for word in spec.named | spec.described)
    names = Counter(word for spec in tools.specs for word in spec.named)
    verb = main_verb(text)
    found = []
    for spec in tools.specs:
        if verb and not _does(spec, verb):
            continue
        named = sum(3 / names[word] for word in sorted(said & spec.named))
        described = sum(1 / shared[word] for word in sorted(said & spec.described - spec.named))
        known = {stem(word) for name in spec.properties for word in tokens(name)}
        told = sum(0.5 for word in said & known - spec.named - spec.described)
        score = named + min(described, 3) + told
        if score < 1:
            continue
        filling = fill(spec, text, carried, about)
        score += filling.evidence
        if score >= _ENOUGH:
            found.append(Match(spec, filling, score))
    return max(found, key=lambda m: m.score - 2 * len(m.filling.missing), default=None)


def named_tool(text: str, tools: Toolbox, carried: str = "", about: str = "") -> Match | None:
    """Return the tool that `text` calls by its very name."""
    for spec in sorted(tools.specs, key=lambda spec: -len(spec.name)):
        name = re.escape(spec.name)
        spoken = rf"(?i)\b(?:use|call|using|with|run)\s+(?:the\s+)?{name}\b|\b{name}\s+tool\b"
        pattern = rf"\b{name}\b" if "_" in spec.name else rf"{spoken}|^{name}\("
        if re.search(pattern, text):
            mention = rf"(?i)(?:\b(?:use|call|using|run)\s+)?(?:the\s+)?\b{name}\b(?:\s+tool)?"
            without = re.sub(mention + r"(?:\s+(?:to|for|with|on))?", " ", text)
            return Match(spec, fill(spec, without.strip(), carried, about), 10.0)
    return None


@lru_cache(maxsize=512)
def main_verb(text: str) -> str:
    """Return the verb that `text` orders with, or nothing for a question or a common verb.

    A word that is not known for a verb is taken for one before "the" and its like.
    """
    words = tokens(text)
    if not words or words[0] in _NEUTRAL or words[0] in STOPWORDS or is_question(text):
        return ""
    ordered = starts_with_verb(text) or _ORDERS.match(text)
    return words[0] if ordered else ""


def _does(spec: KnownTool, verb: str) -> bool:
    meant = actions([stem(verb)])
    return not meant.isdisjoint(spec.named) or not meant.isdisjoint(spec.described)


def _said(text: str) -> frozenset[str]:
    """Return the stems and actions in a step, without those of its literals."""
    masked = read_literals(text).masked
    left = (
        word for word in tokens(masked) if word not in STOPWORDS | _EMPTY and not word[0].isdigit()
    )
    words = {stem(word) for word in left}
    lower = masked.lower()
    if _LISTING.search(lower):
        words.add("list")
    if _EXISTING.search(lower):
        words.add("exist")
    return actions(words)
