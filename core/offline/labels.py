"""Labels: values that a text gives under a field's own name, as in "age: 36"."""

import re
from collections.abc import Iterable, Sequence

from cogwork.core.offline.literals import FILLER, read_literals
from cogwork.core.offline.source import Field
from cogwork.core.offline.tables import figure
from cogwork.core.offline.words import STOPWORDS, stem, tokens

__all__ = ["labelled_number", "labelled_text", "only_number", "stated_number"]

_END = r"(?=\s*(?:[,;\n]|\.(?:\s|$)|$|\s+(?:and|but|with|who|which)\s))"
_BEING = r"(?:is|was|are|were|named|called)"
_BETWEEN = rf"[^\d\n.;{FILLER}]{{0,60}}(?:{FILLER}+[^\d\n;{FILLER}]{{0,30}})?"
_NUMBER = r"[$€£]?\s*(?P<n>[-+]?\d[\d,]*(?:\.\d+)?)(?![\w]*\d)"
_AGE = (
    r"(?P<n>\d{1,3})[\s-]*(?:years?|yrs?)[\s-]+old"
    r"|\b(?:aged|is|am|'m|was|turned|turns)\s+(?P<m>\d{1,3})(?=\s*(?:[.,;)]|$|and\b))"
)
_PRICE = (
    r"[$€£]\s*(?P<n>\d[\d,]*(?:\.\d+)?)"
    r"|(?P<m>\d[\d,]*(?:\.\d+)?)\s*(?:dollars|euros?|USD|EUR|€|pounds)"
)
_WRITTEN = {
    "age": _AGE,
    "year": r"\b(?P<n>(?:1[5-9]|20)\d{2})\b",
    "percentage": r"(?P<n>\d+(?:\.\d+)?)\s*(?:%|percent)",
    "price": _PRICE,
}
_ALSO = {
    "cost": "price", "amount": "price", "salary": "price", "budget": "price",
    "percent": "percentage", "share": "percentage",
}  # fmt: skip


def _labels(field: Field) -> list[str]:
    """Return patterns for a field's name, the whole of it first."""
    whole = r"[\s_-]+".join(map(re.escape, field.words))
    last = [word for word in field.words[-1:] if len(field.words) > 1 and len(word) > 3]
    return [whole, *(re.escape(word) for word in last)]


def labelled_text(field: Field, texts: Iterable[str]) -> str:
    """Return the words that stand after the field's name: "city: Oslo", "the city is Oslo"."""
    for text in texts:
        for label in _labels(field):
            for pattern in (
                rf"(?im)\b{label}s?\b[\"'*`]*\s*[:=]\s*[*]*\s*(?P<v>[^\n;]+?){_END}",
                rf"(?i)\b{label}\b(?:\s+of\s+[^.,;\n]{{1,40}}?)?\s+{_BEING}\s+(?P<v>[^\n;]+?){_END}",
            ):
                found = re.search(pattern, text)
                value = found["v"].strip(" \"'*`") if found else ""
                if value and value.lower() not in STOPWORDS:
                    return value.rstrip(".")
    return ""


def labelled_number(field: Field, texts: Iterable[str]) -> str:
    """Return the number that stands by the field's name, or in the form usual for it."""
    texts = list(texts)
    key = next((w for w in reversed(field.words) if w in _WRITTEN or w in _ALSO), "")
    for text in texts:
        masked = read_literals(text).masked
        for label in _labels(field):
            for pattern in (
                rf"(?i)\b{label}s?\b{_BETWEEN}{_NUMBER}",
                rf"(?i){_NUMBER}\s*-?\s*{label}s?\b",
            ):
                if found := re.search(pattern, masked):
                    return figure(found["n"]) or ""
        written = _WRITTEN.get(_ALSO.get(key, key))
        if written and (found := re.search(written, masked)):
            return figure(found["n"] or found.groupdict().get("m") or "") or ""
    return _by_description(field, texts)


def _by_description(field: Field, texts: Sequence[str]) -> str:
    """Return the number beside a word of the field's description: "how many children"."""
    said = [w for w in tokens(field.description) if w not in STOPWORDS and len(w) > 3]
    wanted = {stem(word) for word in said} | field.stems
    for text in texts:
        masked = read_literals(text).masked
        for found in re.finditer(rf"{_NUMBER}\s*%?\s*(?:[a-z]+\s+)?(?P<after>[a-zA-Z]+)", masked):
            if stem(found["after"]) in wanted:
                return figure(found["n"]) or ""
    return ""


def only_number(texts: Iterable[str]) -> str:
    """Return the one number of the first text that has any, if it has but one."""
    for text in texts:
        numbers = read_literals(text).numbers
        if numbers:
            return (figure(numbers[0]) or "") if len(set(numbers)) == 1 else ""
    return ""


def stated_number(answer: str) -> str:
    """Return the number that an answer ends in: "2 + 3 is 5."."""
    found = re.search(r"(?:\bis|\bare|=|:)\s*[$€£]?\s*(-?\d[\d,]*(?:\.\d+)?)\s*%?[.\s]*$", answer)
    return (figure(found[1]) or "") if found else ""
