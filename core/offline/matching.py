"""Matching: which bound tool does a step."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from cogwork.core.offline.arguments import Filling, fill
from cogwork.core.offline.goals import is_question, starts_with_verb
from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.toolbox import KnownTool, Toolbox
from cogwork.core.offline.words import STOPWORDS, actions, stem, tokens, word_set

__all__ = ["Match", "main_verb", "match_tool", "named_tool"]

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
    verb = main_verb(text)
    found = []
    for spec in tools.specs:
        if verb and not _does(spec, verb):
            continue
        named = sum(3 / shared[word] for word in sorted(said & spec.named))
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
