"""Listing: lists of texts for the fields of a schema, by what the fields are called."""

import re
from collections import Counter
from collections.abc import Callable

from cogwork.core.offline.answers import extract, summarize, units
from cogwork.core.offline.judgements import judge
from cogwork.core.offline.matching import match_tool
from cogwork.core.offline.source import Field, Source, labelled_text
from cogwork.core.offline.words import STOPWORDS, names_in, sentences, stem, tokens, word_set

__all__ = ["texts_for"]

_LESSONS = word_set("reflections lessons insights learnings takeaways reflection")
_IMPROVE = word_set("improvements suggestions recommendations fixes changes advice actions")
_FAULTS = word_set("issues problems errors faults weaknesses missing gaps failures flaws")
_POINTS = word_set(
    """facts points findings claims evidence sentences highlights observations conclusions
    key_points results statements details notes strengths quotes"""
)
_KEYWORDS = word_set("keywords topics concepts tags terms themes words subjects")
_NAMES = word_set(
    "names people persons entities organizations organisations companies locations places cities "
    "countries participants authors"
)
_OUTCOMES = word_set("outcomes deliverables goals objectives aims results_expected")
_LIMITS = word_set("constraints limits restrictions conditions limitations")
_SOURCES = word_set("sources references citations")
_LIMITING = re.compile(
    r"(?i)\b(?:must|only|at\s+most|at\s+least|no\s+more|within|without|budget|limit(?:ed)?"
    r"|by\s+\w+day|until|before|not|never)\b"
)
_QUESTIONS = word_set("questions queries")
_TOOLS = word_set("tools functions")


def texts_for(field: Field, source: Source) -> list[str]:
    """Return the texts that `source` gives for a list, in their order; none if none."""
    words = field.words
    for kind, reader in _READERS.items():
        if not kind.isdisjoint(words):
            return reader(source)
    for name in ("emails", "urls", "paths", "dates", "quoted"):
        if stem(name) in {stem(word) for word in words} or (
            {"files"} & set(words) and name == "paths"
        ):
            return list(dict.fromkeys(getattr(source.literals, name)))
    if found := _enumerated(labelled_text(field, source.texts) or _after_name(field, source)):
        return found
    bullets = [
        m for text in source.texts for m in re.findall(r"(?m)^\s*(?:[-*•]|\d+[.)])\s+(.+)$", text)
    ]
    return [bullet.strip() for bullet in bullets]


def _enumerated(text: str) -> list[str]:
    """Part "a, b and c"."""
    parts = re.split(r"\s*[,;]\s*(?:and\s+|or\s+)?|\s+(?:and|or|&)\s+", text.strip(" ."))
    return [part for part in parts if part]


def _after_name(field: Field, source: Source) -> str:
    """Return what follows the field's word up to the end of the sentence: "likes tea and jam"."""
    wanted = stem(field.words[-1]) if field.words else ""
    for text in source.texts:
        for sentence in sentences(text):
            for word in re.finditer(r"[A-Za-z]+", sentence):
                if stem(word.group()) == wanted:
                    rest = sentence[word.end() :].strip(" .:")
                    rest = re.sub(
                        r"(?i)^(?:in|are|is|include[s]?|such as|like|to|of|:)\s+", "", rest
                    )
                    return rest if len(rest) < 200 else ""
    return ""


def _judged(pick: Callable[..., list[str]]) -> Callable[[Source], list[str]]:
    return lambda source: pick(
        judge(source.goal, source.answer or source.material, source.criteria)
    )


def _points(source: Source) -> list[str]:
    text = source.material or source.answer or source.said
    found = units(text)
    if len(found) <= 6:
        return found
    return extract(source.goal, [text], limit=5, least=0.3) or summarize(
        text, limit=5, about=source.goal
    )


def _keywords(source: Source) -> list[str]:
    text = source.material or source.said or source.goal
    said = [
        word
        for word in tokens(text)
        if word not in STOPWORDS and len(word) > 2 and not word[0].isdigit()
    ]
    count = Counter(stem(word) for word in said)
    first = {stem(word): word for word in reversed(said)}
    ordered = sorted(count, key=lambda key: (-count[key], said.index(first[key])))
    return [first[key] for key in ordered[:8]]


def _names(source: Source) -> list[str]:
    return list(
        dict.fromkeys(name for text in source.texts or (source.goal,) for name in names_in(text))
    )


def _questions(source: Source) -> list[str]:
    asked = [part for text in source.texts for part in sentences(text) if part.endswith("?")]
    return list(dict.fromkeys(asked))


def _tools(source: Source) -> list[str]:
    matches = [match_tool(step.text, source.tools) for step in source.steps]
    return list(dict.fromkeys(match.spec.name for match in matches if match))


_READERS: dict[frozenset[str], Callable[[Source], list[str]]] = {
    _LESSONS: _judged(lambda found: found.reflections()),
    _IMPROVE: _judged(lambda found: found.improvements()),
    _FAULTS: _judged(
        lambda found: [*found.faults, *(f"{word} is not mentioned." for word in found.missing)]
    ),
    _POINTS: _points,
    _KEYWORDS: _keywords,
    _NAMES: _names,
    _QUESTIONS: _questions,
    _OUTCOMES: lambda source: [step.text.strip(" .") for step in source.steps],
    _LIMITS: lambda source: [part for part in sentences(source.said) if _LIMITING.search(part)],
    _SOURCES: lambda source: [*source.literals.urls, *source.literals.paths],
    _TOOLS: _tools,
}
