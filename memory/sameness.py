"""Whether two texts say the same, so that one of them can go.

Embeddings alone cannot tell: "call 555-0142" and "call 555-0143", "before" and "after",
"Ada manages Bob" and "Bob manages Ada" are near neighbours, and merging them destroys
knowledge. So nearness only proposes, and this decides, by words: a merge is refused
whenever in doubt, since a duplicate that stays costs less than a fact that is lost.
"""

import hashlib
import itertools
import re
import unicodedata
from collections import Counter

__all__ = ["digest", "says_the_same"]

_WORD = re.compile(
    r"""(?<!\w)[-+−]?\w+(?:[.,:/'’-]\w+)*  # a word, or a number with its sign
    |[^\w\s.,;:!"'’“”()\[\]…–—-]""",  # noqa: RUF001 - a sign that means something
    re.VERBOSE,
)
_FREE = frozenset(
    {
        *("a", "an", "the", "is", "are", "am", "be", "has", "have", "do", "does", "this", "that"),
        *("these", "those", "it", "its", "and", "please", "also", "just", "really", "actually"),
        *("basically", "currently", "very", "quite", "note", "remember"),
    }
)
_ENDINGS = ("ing", "s")
# Words whose meaning is what they stand before: "only managers" is not "managers only".
_SCOPES = frozenset({"all", "every", "even", "never", "no", "not", "only", "some"})
_QUOTES = str.maketrans({"’": "'", "‘": "'"} | dict.fromkeys('"“”„«»'))  # noqa: RUF001
_BORDER = " .,;:!…–—-"  # noqa: RUF001 - dashes of any length


def digest(text: str) -> str:
    """Return a key for a text.

    Texts share it that differ in white space, composition, quotation marks, and punctuation
    before and after, but for a question mark.
    """
    plain = unicodedata.normalize("NFC", text)
    bare = " ".join(plain.translate(_QUOTES).split()).strip(_BORDER)
    plain = bare or " ".join(plain.split())
    return hashlib.blake2b(plain.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def says_the_same(one: str, other: str) -> bool:
    """Whether two texts differ only in how they say it.

    Free to differ are capitals, punctuation, word order, the endings -s and -ing, articles
    and fillers. Names, numbers and the order they come in must agree, and so must every
    other word: a negation, a tense, a preposition or a synonym makes two texts different.
    """
    first, second = _words(one), _words(other)
    soft = _FREE.union(word for word in [*first, *second] if not _is_hard(word))
    return (
        _content(first) == _content(second)
        and _hard(first, soft) == _hard(second, soft)
        and _scopes(first) == _scopes(second)
    )


def _words(text: str) -> list[str]:
    return _WORD.findall(text.translate(_QUOTES))


def _scopes(words: list[str]) -> Counter[tuple[str, str]]:
    """What words such as "only" and "not" stand before."""
    plain = [word.casefold() for word in words]
    meant = [_stem(word) for word in plain if word not in _FREE] + [""]
    return Counter(pair for pair in itertools.pairwise(meant) if pair[0] in _SCOPES)


def _content(words: list[str]) -> Counter[str]:
    """How often each word that means something occurs, its ending left out."""
    plain = (word.casefold() for word in words)
    return Counter(_stem(word) for word in plain if word not in _FREE)


def _hard(words: list[str], soft: frozenset[str]) -> list[str]:
    """Names and numbers in their order; what is somewhere written small is no name."""
    return [word.casefold() for word in words if _is_hard(word) and word.casefold() not in soft]


def _is_hard(word: str) -> bool:
    return word != word.lower() or any(letter.isdigit() for letter in word)


def _stem(word: str) -> str:
    """The word without the ending that persons of a verb differ in, but not its tenses."""
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and stem.isalpha() and len(stem) >= (3 if ending == "s" else 4):
            doubled = ending == "ing" and stem[-1] == stem[-2]
            return stem[:-1] if doubled else stem
    return word
