"""Mentions: which columns of a table a question names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cogwork.core.offline.words import STOPWORDS, stem, tokens

__all__ = ["Mention", "mentions"]


@dataclass(frozen=True, slots=True)
class Mention:
    """A column that a question names: where it stands there, and how surely it is meant."""

    column: int
    position: int
    score: float


def mentions(question: str, header: Sequence[str]) -> list[Mention]:
    """Return the columns that `question` names, best first.

    A word counts for the column with the longest name it is part of: "renewable twh"
    names no column "twh" as well.
    """
    said = [stem(word) for word in tokens(question)]
    raw = " ".join(["", *re.findall(r"[\w-]+", question.lower()), ""])
    taken: set[int] = set()
    found: list[Mention] = []
    wanted = [
        ([stem(word) for word in tokens(name) if word not in STOPWORDS] or [name.lower()], column)
        for column, name in enumerate(header)
    ]
    for words, column in sorted(wanted, key=lambda item: -len(item[0])):
        place = _place(words, said, taken)
        if place:
            exact = f" {header[column].lower()} " in raw
            found.append(Mention(column, min(place), 5 + 2 * len(words) + 3 * exact))
            taken |= set(place)
    sure = {mention.column for mention in found}
    for words, column in wanted:
        hits = [said.index(word) for word in words if word in said]
        if column not in sure and hits and len(hits) < len(words) and not taken & set(hits):
            found.append(Mention(column, min(hits), 2 * len(hits) / len(words)))
        elif column not in sure and not hits and (begun := _begun(words, said)):
            found.append(Mention(column, said.index(begun), 1.0))
    return sorted(found, key=lambda mention: (-mention.score, mention.position))


def _begun(words: list[str], said: list[str]) -> str:
    """Return a word that one of the column's abbreviates or begins: temp, temperature."""
    pairs = [(one, other) for one in words for other in said if min(len(one), len(other)) >= 4]
    return next(
        (other for one, other in pairs if one.startswith(other) or other.startswith(one)), ""
    )


def _place(words: list[str], said: list[str], taken: set[int]) -> list[int]:
    """Return where all `words` stand in what was said: side by side, else anywhere."""
    size = len(words)
    for start in range(len(said) - size + 1):
        span = list(range(start, start + size))
        if said[start : start + size] == words and not taken & set(span):
            return span
    spread = [
        next((i for i, w in enumerate(said) if w == word and i not in taken), -1) for word in words
    ]
    return spread if size > 1 and -1 not in spread else []
