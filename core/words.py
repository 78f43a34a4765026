"""Which words of a text say what it is about."""

import re

__all__ = ["content_words"]

_WORD = re.compile(r"\w+")
_CONTRACTION = re.compile(r"\b\w+n['’]t\b|['’](?:s|d|m|ll|re|ve)\b")  # noqa: RUF001 - as typed
# English words that say how others belong together. They are in most texts, so that sharing
# one says nothing; in few texts their rarity would be chance.
_FUNCTION_WORDS = frozenset(
    {
        *("a", "an", "the", "this", "that", "these", "those", "some", "any", "each", "every"),
        *("i", "me", "my", "mine", "you", "your", "yours", "he", "him", "his", "she", "her"),
        *("hers", "it", "its", "we", "us", "our", "ours", "they", "them", "their", "theirs"),
        *("who", "whom", "whose", "what", "which", "when", "where", "why", "how", "much", "many"),
        *("often", "there", "here", "am", "is", "are", "was", "were", "be", "been", "being"),
        *("do", "does", "did", "done", "doing", "has", "have", "had", "having", "can", "could"),
        *("shall", "should", "will", "would", "must", "might", "let", "and", "or", "but", "nor"),
        *("if", "then", "than", "so", "as", "because", "while", "until", "not", "no", "about"),
        *("after", "again", "also", "at", "before", "between", "by", "during", "for", "from"),
        *("in", "into", "of", "off", "on", "onto", "out", "over", "per", "since", "through"),
        *("to", "too", "under", "up", "upon", "via", "with", "within", "without", "please"),
    }
)


def content_words(text: str) -> dict[str, int]:
    """Return the distinct words of a text but English function words, and what they weigh.

    Names and what has digits weigh 2, other words 1; all are without case. A word with a
    capital letter inside the text is taken for a name, also Will or IT. A text of function
    words alone keeps them.
    """
    weights: dict[str, int] = {}
    for match in _WORD.finditer(_CONTRACTION.sub(" ", text)):
        word, is_name = match.group().casefold(), _is_name(match)
        if is_name or word not in _FUNCTION_WORDS:
            is_hard = is_name or any(map(str.isdigit, word))
            weights[word] = max(weights.get(word, 1), 1 + is_hard)
    return weights or dict.fromkeys(_WORD.findall(text.casefold()), 1)


def _is_name(word: re.Match[str]) -> bool:
    said = word.group()
    return word.start() > 0 and len(said) > 1 and said[0].isupper()
