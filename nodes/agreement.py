"""When two answers are the same: exactly, after normalisation, or in meaning.

Nearness of embeddings alone cannot tell. Measured with the built-in table, "… is safe" and
"… is unsafe", "rose" and "fell", "Canberra" and "Sydney" in one sentence are as near to each
other (cosine 0.83 to 0.97) as paraphrases (0.61 to 0.98). So nearness only proposes, and
words decide: one answer may say more than the other, but where it says something else in
the same place, they are kept apart unless a judge says otherwise. Agreement is understated
rather than made up.
"""

import json
import numbers
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Set
from decimal import Decimal
from fractions import Fraction
from operator import ne
from typing import Any, NamedTuple

from langchain_core.embeddings import Embeddings
from pydantic_core import to_jsonable_python

__all__ = ["cluster_texts", "normalized", "number_in"]

_NUMBER = re.compile(
    r"[-+]?(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|0|[1-9][0-9]*|(?=\.[0-9]))(?:\.[0-9]*)?"
    r"(?:[eE][-+]?[0-9]{1,3})?"
)
_LONGEST_NUMBER = 1_000  # characters of a text that is read as a number; and its exponent
_INVISIBLE = {ord("−"): "-", ord("’"): "'"} | dict.fromkeys((0xAD, 0x200B, 0x2060, 0xFEFF))  # noqa: RUF001 - a minus sign and an apostrophe
_QUOTED = re.compile(r"""(?s)(["'`])(.+)\1|“(.+)”|«(.+)»|\*\*(.+)\*\*""")
_LAYERS = 8  # of quotation marks around a text that are taken off
_WORD_END = re.compile(r"[^\W\d_]{2}")
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
        *("half", "twice", "before", "after"),
    }
)


def normalized(value: Any) -> str | None:
    """Return a key that equal answers share; None where there is no answer.

    Texts share it that differ in capitals, white space, composition, the quotation marks
    around and the punctuation after them. Numbers share it by value, as numbers or as texts
    ("1,000", "1e3", 1000.0); structures share it when their parts do, in whatever order a
    mapping has them. Not folded: leading zeros ("007"), superscripts, brackets, the capitals
    of short words beside digits ("5 mW"). NaN and infinity are no answer.

    Examples:
        >>> normalized("1,000") == normalized(1e3), normalized("Yes.") == normalized(" yes")
        (True, True)
    """
    if value is None or (isinstance(value, float | Decimal) and not Decimal(value).is_finite()):
        return None
    number = number_in(value)
    if number is not None:
        return f"n:{number.numerator:x}/{number.denominator:x}"
    if isinstance(value, bool | str):
        return f"t:{_plain(str(value))}"
    parts = sorted(value, key=repr) if isinstance(value, Set) else value
    parts = to_jsonable_python(parts, bytes_mode="base64", inf_nan_mode="constants", fallback=repr)
    if isinstance(parts, Mapping):
        return f"s:{json.dumps({key: normalized(parts[key]) for key in sorted(parts)})}"
    return (
        f"s:{json.dumps([*map(normalized, parts)])}"
        if isinstance(parts, list)
        else normalized(parts)
    )


def number_in(value: Any) -> Fraction | None:
    """Return the exact number that a value is or spells; None for what is no finite number."""
    if isinstance(value, str):
        value = value.translate(_INVISIBLE).strip().removesuffix(".")
        if len(value) > _LONGEST_NUMBER or not _NUMBER.fullmatch(value):
            return None
        return Fraction(value.replace(",", ""))
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return Fraction(int(value))
    if not isinstance(value, Decimal | numbers.Real) or isinstance(value, bool):
        return None
    if isinstance(value, Fraction):
        return value
    # As it is written, so that 0.1 is a tenth.
    exact = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    is_small = exact.is_finite() and abs(exact.adjusted()) <= _LONGEST_NUMBER
    return Fraction(exact) if is_small else None


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
        if _agree(said[one], said[other]) or (
            same is not None
            and said[one].hard == said[other].hard
            and same(order[one], order[other])
        ):
            near[one, other] = near[other, one] = cosines[one, other]
    return near


class _Said(NamedTuple):
    """Words that must agree, and the others without endings; both in their order."""

    hard: tuple[str, ...]
    soft: tuple[str, ...]
    words: frozenset[str]


def _said(text: str) -> _Said:
    words = [word.casefold() for word in _WORD.findall(text)]
    soft = [_stem(word) for word in words if word not in _FREE and not _is_hard(word)]
    return _Said(tuple(filter(_is_hard, words)), tuple(soft), frozenset(soft))


def _agree(one: _Said, other: _Said) -> bool:
    """Whether one says no more than the other, and no two words changed places."""
    if one.hard != other.hard or not (one.words <= other.words or other.words <= one.words):
        return False
    moved = sum(map(ne, one.soft, other.soft))
    return moved != 2 or len(one.soft) != len(other.soft)


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
    for _ in range(_LAYERS):
        text = _without_end(text) or text
        quoted = _QUOTED.fullmatch(text)
        if not quoted:
            break
        text = next(filter(None, quoted.groups()[1:])).strip() or text
    keeps = any(letter.isdigit() for letter in text)
    words = [w if keeps and len(w) <= _UNIT else w.casefold() for w in text.split()]
    return unicodedata.normalize("NFC", " ".join(words))


def _without_end(text: str) -> str:
    """A text without the punctuation after it.

    An exclamation mark ends a word; after a number or a letter it is a factorial.
    """
    text = text.rstrip(" .,;:")
    bare = text.rstrip("!")
    return bare if _WORD_END.search(bare[-2:]) else text
