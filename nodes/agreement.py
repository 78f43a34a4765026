"""When two answers are the same: exactly, after normalisation, or in meaning.

Nearness of embeddings alone cannot tell. Measured with the built-in table, "… is safe" and
"… is unsafe", "rose" and "fell", "Canberra" and "Sydney" in one sentence are as near to each
other (cosine 0.83 to 0.97) as paraphrases (0.61 to 0.98). So nearness only proposes, and
words decide: one answer may say more than the other, but where it says something else in
the same place, they are kept apart unless a judge says otherwise. Agreement is understated
rather than made up.
"""

import json
import math
import numbers
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

from langchain_core.embeddings import Embeddings
from pydantic import BaseModel

__all__ = ["cluster_texts", "normalized", "number_in"]

_NUMBER = re.compile(
    r"[-+]?(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|0|[1-9][0-9]*|(?=\.[0-9]))(?:\.[0-9]*)?"
    r"(?:[eE][-+]?[0-9]{1,3})?"
)
_LONGEST_NUMBER = 1_000  # characters of a text that is read as a number; and its exponent
_INVISIBLE = {ord("−"): "-", ord("’"): "'"} | dict.fromkeys((0xAD, 0x200B, 0x2060, 0xFEFF))  # noqa: RUF001 - a minus sign and an apostrophe
_QUOTED = re.compile(r"""(?s)(["'`])(.+)\1|“(.+)”|«(.+)»|\*\*(.+)\*\*""")
# An exclamation mark that ends a word; after a number or a letter it is a factorial.
_END = re.compile(r"(?:[\s.,;:]|(?<=[^\W\d_]{2})!+)+$")
_WORD = re.compile(r"(?<!\w)[-+]?\w+(?:[.,:/'-]\w+)*|[^\w\s.,;:!\"'()\[\]…–—-]")  # noqa: RUF001 - dashes
_UNIT = 3  # letters: "mW" is not "MW"
_FREE = frozenset(
    {
        *("a", "an", "the", "is", "are", "was", "were", "be", "been", "am", "it", "its", "this"),
        *("that", "these", "those", "there", "and", "so", "of", "by", "with", "as", "at", "has"),
        *("have", "had", "do", "does", "did", "will", "would", "can", "may", "should", "we"),
        *("you", "i", "they", "my", "our", "your", "very", "also", "just", "really"),
    }
)
# Words that turn a statement, or count; where they differ, nothing else matters.
_HARD = frozenset(
    {
        *("no", "not", "never", "none", "neither", "nor", "nobody", "nothing", "without"),
        *("cannot", "hardly", "barely", "rarely", "seldom", "except", "unless", "only", "if"),
        *("fail", "fails", "failed", "lack", "lacks", "yes", "off", "out", "against", "two"),
        *("three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
        *("twenty", "thirty", "forty", "fifty", "hundred", "thousand", "million", "billion"),
        *("half", "twice", "before", "after", "from", "to"),
    }
)


def normalized(value: Any) -> str | None:
    """Return a key that equal answers share; None where there is no answer.

    Texts share it that differ in capitals, white space, composition, the quotation marks
    around and the punctuation after them. Numbers share it by value, as numbers or as texts
    ("1,000", "1e3", 1000.0); structures share it when their parts do, in whatever order a
    mapping has them. Not folded: leading zeros ("007"), superscripts, brackets, the capitals
    of short words beside digits ("5 mW"). NaN and infinity are no answer.

    Example:
        >>> normalized("1,000") == normalized(1e3), normalized("Yes.") == normalized(" yes")
        (True, True)
    """
    if value is None or (isinstance(value, float | Decimal) and not math.isfinite(value)):
        return None
    number = number_in(value)
    if number is not None:
        return f"n:{number}"
    if isinstance(value, bool | str):
        return f"t:{_plain(str(value))}"
    if isinstance(value, Enum):
        return normalized(value.value)
    return f"s:{json.dumps(_structure(value))}"


def number_in(value: Any) -> Fraction | None:
    """Return the exact number that a value is or spells; None for what is no finite number."""
    if isinstance(value, str):
        text = value.translate(_INVISIBLE).strip().removesuffix(".")
        is_number = len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text)
        return Fraction(text.replace(",", "")) if is_number else None
    if isinstance(value, bool) or not isinstance(value, numbers.Real | Decimal):
        return None
    if isinstance(value, numbers.Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if not math.isfinite(value) or abs(Decimal(value).adjusted()) > _LONGEST_NUMBER:
        return None
    # As it is written, so that 0.1 is a tenth.
    return Fraction(value if isinstance(value, Decimal) else repr(float(value)))


def cluster_texts(
    texts: Collection[str],
    embeddings: Embeddings,
    threshold: float,
    same: Callable[[str, str], bool] | None = None,
) -> list[set[str]]:
    """Partition texts into clusters in which all say the same.

    Complete linkage: the nearest two clusters are merged for as long as each text of the one
    says the same as each of the other, so no chain of small steps joins opposites. Texts are
    taken in sorted order and once each, so neither their order nor their number matters.

    Args:
        texts: What to compare; long ones, since a short one has no meaning but itself.
        embeddings: Of the texts.
        threshold: Least cosine of two texts that say the same.
        same: Decides where texts are near and their words leave doubt; else they differ.

    Source: Sørensen (1948), A method of establishing groups of equal amplitude.
    """
    import numpy as np

    order = sorted(set(texts))
    near = _similarities(order, embeddings, threshold, same)
    clusters = [{text} for text in order]
    while near.size and near.max() > 0:
        one, other = sorted(map(int, np.unravel_index(near.argmax(), near.shape)))
        clusters[one] |= clusters[other]
        clusters[other] = set()
        near[one] = near[:, one] = np.minimum(near[one], near[other])
        near[other] = near[:, other] = near[one, one] = 0
    return [cluster for cluster in clusters if cluster]


def _similarities(
    order: list[str],
    embeddings: Embeddings,
    threshold: float,
    same: Callable[[str, str], bool] | None,
) -> Any:
    """The cosine of each two texts that say the same; else 0."""
    import numpy as np

    if len(order) < 2:
        return np.zeros((len(order), len(order)))
    vectors = np.array(embeddings.embed_documents(order))
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosines = vectors @ vectors.T
    said = [_said(text) for text in order]
    near = np.zeros(cosines.shape)
    for one, other in np.argwhere(np.triu(cosines >= threshold, 1)).tolist():
        (hard, words), (other_hard, other_words) = said[one], said[other]
        if hard == other_hard and (
            words <= other_words
            or other_words <= words
            or (same is not None and same(order[one], order[other]))
        ):
            near[one, other] = near[other, one] = cosines[one, other]
    return near


def _said(text: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """The words that must agree, in their order; and the others, without endings."""
    words = [word.casefold() for word in _WORD.findall(text)]
    hard = tuple(word for word in words if _is_hard(word))
    rest = (word for word in words if word not in _FREE and not _is_hard(word))
    return hard, frozenset(_stem(word) for word in rest)


def _is_hard(word: str) -> bool:
    """Whether it turns a statement or counts: a negation, a number, a sign."""
    is_word = word.replace("-", "").replace("'", "").isalpha()
    return not is_word or word in _HARD or word.endswith("n't")


def _stem(word: str) -> str:
    word = word.removesuffix("'s")
    for ending in ("ing", "es", "s", "ed", "ly", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
    return word


def _plain(text: str) -> str:
    text = " ".join(unicodedata.normalize("NFC", text.translate(_INVISIBLE)).split())
    before = None
    while text != before:
        before = text
        text = _END.sub("", text) or text
        if quoted := _QUOTED.fullmatch(text):
            text = next(filter(None, quoted.groups()[1:])).strip() or text
    keeps = any(letter.isdigit() for letter in text)
    words = [w if keeps and len(w) <= _UNIT else w.casefold() for w in text.split()]
    return unicodedata.normalize("NFC", " ".join(words))


def _structure(value: Any) -> Any:
    if isinstance(value, BaseModel):
        value = dict(value)
    elif is_dataclass(value) and not isinstance(value, type):
        value = {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, Mapping):
        return {"map": sorted([str(key), normalized(part)] for key, part in value.items())}
    if isinstance(value, Set):
        return {"set": sorted(str(normalized(part)) for part in value)}
    if isinstance(value, list | tuple):
        return [normalized(part) for part in value]
    return {type(value).__name__: repr(value)}
