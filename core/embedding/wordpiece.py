"""Text to word pieces, as the uncased BERT models cut it.

Control characters go, accents go, letters become small, punctuation and Chinese
characters stand alone; then each word is cut into the longest pieces that the vocabulary
has, those after the first marked by `##`.

Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers" (2019), and
Wu et al., "Google's Neural Machine Translation System" (2016) for the pieces.
"""

import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain

__all__ = ["WordPieces"]

_LONGEST_WORD = 100  # characters; the teacher knows no longer ones
_REMEMBERED_WORDS = 50_000
_REMEMBERED_CHARACTERS = 20_000
_HASHED_CHARACTERS = 64  # of an unknown word
_CONTROL = frozenset({"Cc", "Cf", "Co"})
_CHINESE = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class WordPieces:
    """Cuts text into the numbers of its pieces; safe to share between threads.

    A word without pieces, such as an emoji, is given numbers from `len(vocabulary)`
    upwards, chosen by the hash of its parts, so that equal words stay equal.

    Args:
        vocabulary: The pieces; each one's place is its number.
        buckets: How many numbers there are for unknown words.
    """

    def __init__(self, vocabulary: Sequence[str], *, buckets: int) -> None:
        self._numbers = {piece: number for number, piece in enumerate(vocabulary)}
        self._longest = max(map(len, vocabulary))
        self._first_bucket = len(vocabulary)
        self._buckets = buckets
        self._characters = _Characters()
        self._remembered = lru_cache(_REMEMBERED_WORDS)(self._cut)

    def __call__(self, text: str) -> list[int]:
        """The numbers of the pieces of `text`; at least one, also for an empty text."""
        words = text.translate(self._characters).split()
        if len(text) > _LONGEST_WORD:
            pieces = chain.from_iterable(map(self._of_any_length, words))
        else:
            pieces = chain.from_iterable(map(self._remembered, words))
        return list(pieces) or [self._bucket(text.strip() and "?")]

    def _of_any_length(self, word: str) -> tuple[int, ...]:
        return (self._remembered if len(word) <= _LONGEST_WORD else self._hashed)(word)

    def _cut(self, word: str) -> tuple[int, ...]:
        pieces = self._known(word)
        if pieces is None:
            parts = re.findall(r"\w+|[^\w]", word)  # an emoji may stick to a known word
            known = [self._known(part) or self._hashed(part) for part in parts]
            return tuple(chain.from_iterable(known))
        return pieces

    def _known(self, word: str) -> tuple[int, ...] | None:
        """The longest pieces from left to right, or nothing when a part is in none."""
        pieces: list[int] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            for end in range(min(len(word), start + self._longest), start, -1):
                number = self._numbers.get(mark + word[start:end])
                if number is not None:
                    pieces.append(number)
                    start = end
                    break
            else:
                return None
        return tuple(pieces)

    def _hashed(self, word: str) -> tuple[int, ...]:
        """Buckets of the word and, for similar words to be similar, of its trigrams."""
        start = word[:_HASHED_CHARACTERS]
        trigrams = {start[place : place + 3] for place in range(len(start) - 2)}
        return tuple(self._bucket(part) for part in (word, *sorted(trigrams - {word})))

    def _bucket(self, part: str) -> int:
        hashed = zlib.crc32(part.encode("utf-8", "surrogatepass"))
        return self._first_bucket + hashed % self._buckets


class _Characters(dict[int, str]):
    """What becomes of each character, for `str.translate`; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        becomes = "".join(_become(chr(code)))
        if len(self) < _REMEMBERED_CHARACTERS:
            self[code] = becomes
        return becomes


def _become(character: str) -> Iterator[str]:
    if character in "\t\n\r":
        yield " "
        return
    if unicodedata.category(character) in _CONTROL or character == "\ufffd":
        return
    if any(first <= ord(character) <= last for first, last in _CHINESE):
        character = f" {character} "
    for part in unicodedata.normalize("NFD", character):
        if unicodedata.category(part) == "Mn":
            continue
        small = (
            "\N{GREEK SMALL LETTER SIGMA}"
            if part == "\N{GREEK CAPITAL LETTER SIGMA}"
            else part.lower()
        )
        yield f" {small} " if _is_punctuation(part) else small


def _is_punctuation(character: str) -> bool:
    if character.isascii():
        return character.isprintable() and not character.isalnum() and character != " "
    return unicodedata.category(character).startswith("P")
