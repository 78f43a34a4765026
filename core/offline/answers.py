"""Answers: sentences quoted from what was seen, ranked by what was asked."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from cogwork.core.offline.tables import as_json
from cogwork.core.offline.words import STOPWORDS, coverage, sentences, stem, stems, tokens, word_set

__all__ = ["asked_stems", "extract", "join", "shorten", "summarize", "units"]

_INSTRUCTION = re.compile(
    r"(?i)^(?:please\s+)?(?:answer|reply|respond|use|write|give|return|be|do\s+not|don't|only"
    r"|base|cite|keep|make)\b"
    r".*\b(?:only|question|answers?|observations?|above|below|following|json|sentences?|words"
    r"|concise|brief|short)\b"
)
_ASKING = word_set(
    """tell say state explain describe give show find know answer question observation observations
    only according text document file following below above summarize summarise summary read
    please base based context mention mentioned list many much long often there about stand
    note notes again"""
)
_TELLING = word_set("last over per every each")  # common words that limit what is asked
_WEEKDAY = r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b"
_KINDS = {  # what a question word asks for shows in the sentence that answers it
    r"\bhow (?:many|much|long|old|far|often|big|large|tall)|what (?:number|percentage)\b": (
        r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve)\b"
    ),
    r"\bwhen|what (?:year|date|day|time)\b": rf"\d{{4}}|\d:\d{{2}}|{_WEEKDAY}|\b[A-Z][a-z]+ \d",
    r"\bwho(?:m|se)?\b": r"\b[A-Z][a-z]+",
    r"\bwhere\b": r"\b(?:in|at|near|from) (?:the )?[A-Z]",
    r"\bwhy\b": r"\b(?:because|since|due|so that|therefore)\b",
}


def asked_stems(question: str) -> frozenset[str]:
    """Return the stems that an answer to `question` has to touch."""
    said = (word for word in tokens(question) if word not in _ASKING)
    return frozenset(stem(word) for word in said if word not in STOPWORDS or word in _TELLING)


def units(text: str) -> list[str]:
    """Return what can be quoted from `text`: its sentences, lines or JSON entries."""
    data = as_json(text)
    found = _entries(data) if data is not None else sentences(text)
    return [unit for unit in found if re.search(r"\w", unit) and not _INSTRUCTION.match(unit)]


def _entries(data: object, name: str = "") -> list[str]:
    if isinstance(data, dict):
        return [
            line
            for key, value in data.items()
            for line in _entries(value, f"{name}.{key}" if name else str(key))
        ]
    if isinstance(data, list):
        return [line for value in data for line in _entries(value, name)]
    text = "" if data is None else str(data)
    return [f"{name}: {text}" if name else text]


def extract(
    question: str, texts: Sequence[str], limit: int = 2, *, least: float = 1.0
) -> list[str]:
    """Return the units of `texts` that answer `question`, in their order; none if none does.

    Args:
        question: What is asked.
        texts: What to quote from.
        limit: How many units at most.
        least: Which share of the asked stems a unit has to touch. At 1 it also has to show
            what is asked for (a date for "when") and to be negated as the question is.
    """
    wanted = asked_stems(question)
    found = list(dict.fromkeys(unit for text in texts for unit in units(text)))
    if not wanted:  # "where is it?" asks for no more than a place
        return [unit for unit in found if _shows(question, unit) == 1][:1]
    scored: list[tuple[float, int]] = []
    for index, unit in enumerate(found):
        score = coverage(wanted, stems(unit))
        if least == 1 and (_is_negated(unit) is not _is_negated(question)):
            continue
        if score >= least and (least < 1 or _shows(question, unit) >= 0):
            scored.append((score + _shows(question, unit) / 4, index))
    scored.sort(key=lambda item: (-item[0], item[1]))
    return [found[index] for index in sorted(index for _, index in scored[:limit])]


def _is_negated(text: str) -> bool:
    return (
        re.search(r"(?i)\b(?:not|no|never|none|nobody|neither|nor|without|except)\b|n't\b", text)
        is not None
    )


def _shows(question: str, unit: str) -> int:
    """Return 1 if a unit shows what is asked for, -1 if it does not, 0 if nothing special is."""
    asked = question.lower()
    shown = [re.search(shown, unit) for kind, shown in _KINDS.items() if re.search(kind, asked)]
    return 0 if not shown else 1 if all(shown) else -1


def summarize(text: str, limit: int = 3, about: str = "") -> list[str]:
    """Return the sentences of `text` that carry its most frequent words, in their order."""
    found = list(dict.fromkeys(units(text)))
    if len(found) <= limit:
        return found
    known = [stems(unit) for unit in found]
    count = Counter(word for words in known for word in set(words))
    for word in asked_stems(about):
        count[word] *= 3
    weights = []
    for index, words in enumerate(known):
        score = sum(count[word] - 1 for word in sorted(set(words))) / (len(words) + 4)
        weights.append((score * (1.2 if index == 0 else 1.0), index))
    best = sorted(weights, key=lambda item: (-item[0], item[1]))[:limit]
    return [found[index] for _, index in sorted(best, key=lambda item: item[1])]


def join(parts: Iterable[str]) -> str:
    """Join sentences; each ends with a mark."""
    ended = (
        part if re.search(r"[.!?:;)\]\"”'`|>]\s*$", part) else f"{part}." for part in parts if part
    )
    return " ".join(dict.fromkeys(ended))


def shorten(text: str, size: int = 300) -> str:
    """Cut a text at a word, with an ellipsis."""
    text = text.strip()
    if len(text) <= size:
        return text
    return text[:size].rsplit(None, 1)[0] + " …"
