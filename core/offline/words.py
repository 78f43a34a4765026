"""Words and names: the light reading of English that the offline model stands on."""

import re
from collections.abc import Iterable
from functools import lru_cache

__all__ = [
    "NAME",
    "STOPWORDS",
    "actions",
    "coverage",
    "names_in",
    "sentences",
    "singular",
    "stem",
    "stems",
    "tokens",
    "word_set",
]

_WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?|\d+(?:[.,]\d+)*")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def word_set(text: str) -> frozenset[str]:
    """Return the words that `text` lists, parted by white space."""
    return frozenset(text.split())


STOPWORDS = word_set(
    """a an and any are as at be been being but by can could did do does for from had has have
    how i if in into is it its me my no not of on or our please shall should so some than
    that the their them then there these they this those to us was we were what when where
    which while who whom whose why will with would you your also just let all each every
    about across am per via over last i'm it's what's i'd i'll let's who's there's don't doesn't
    didn't isn't aren't"""
)

# What people call an action, by the name it goes by here.
_ACTIONS = {
    "read": "read open load view cat import parse",
    "write": "write save store put export dump persist create record",
    "list": "list enumerate ls dir",
    "exist": "exist",
    "calculate": "calculate compute evaluate calculator calculation arithmetic math solve maths",
    "search": "search lookup query google research retrieve browse",
    "delete": "delete remove erase unlink",
    "send": "send mail email post notify",
    "add": "add plus adder",
    "multiply": "multiply times product multiplier",
    "subtract": "subtract minus subtraction",
    "divide": "divide quotient division",
    "turn": "turn switch",
    "remember": "remember memorize memorise",
    "summarize": "summarize summarise summary condense",
}


@lru_cache(maxsize=8192)
def singular(word: str) -> str:
    """Return `word` in lower case and without the ending of a plural: Cities → city."""
    word = word.lower().removesuffix("'s")
    if len(word) <= 3:
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Return `word` in lower case without the usual endings: files, file → fil."""
    word = singular(word)
    return _without_ending(word) if len(word) > 3 else word


def _without_ending(word: str) -> str:
    for ending in ("ations", "ation", "ator", "ating", "ated", "ate", "ous"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    for ending in ("ing", "ed", "er"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if word[-1] == word[-2] and word[-1] not in "aeiouslz":
                word = word[:-1]
            break
    return word.removesuffix("e") if len(word) > 3 else word


_BY_STEM = {stem(word): action for action, said in _ACTIONS.items() for word in said.split()}


def tokens(text: str) -> list[str]:
    """Return the words and numbers of `text` in lower case; names are split at `_` and case."""
    return [word.lower() for word in _WORD.findall(_CAMEL.sub(" ", text))]


@lru_cache(maxsize=4096)
def stems(text: str) -> tuple[str, ...]:
    """Return the stems of what carries meaning in `text`, in order."""
    return tuple(stem(word) for word in tokens(text) if word not in STOPWORDS)


def actions(words: Iterable[str]) -> frozenset[str]:
    """Return stems together with the action each one names: {"sav"} → {"sav", "write"}."""
    found = frozenset(words)
    return found | {_BY_STEM[word] for word in found if word in _BY_STEM}


_ABBREVIATED = re.compile(r"\b(?:e\.g|i\.e|etc|approx|ca|vs|Dr|Mr|Mrs|Ms|Prof|No|Nr|St|Fig)\.$")
_BREAK = re.compile(r"(?<=[.!?])[\"”')\]]*\s+(?=[\"“'(\[]?[A-Z0-9])|(?<!\s)[^\S\n]*\n\s*|^\s*\n\s*")


def sentences(text: str) -> list[str]:
    """Split prose at ends of sentences and lines; list marks are dropped."""
    found: list[str] = []
    start = 0
    for gap in _BREAK.finditer(text):
        if "\n" not in gap.group() and _ABBREVIATED.search(text[start : gap.start()]):
            continue
        found.append(text[start : gap.start()] + gap.group().rstrip().split("\n")[0].strip())
        start = gap.end()
    found.append(text[start:])
    cleaned = (re.sub(r"^(?:[-*•]|\d+[.)]|#+)\s+", "", part.strip()) for part in found)
    return [part for part in cleaned if part]


def coverage(asked: Iterable[str], given: Iterable[str]) -> float:
    """Return which share of the stems `asked` for stands in `given`, in [0, 1]."""
    wanted = set(asked)
    return len(wanted & set(given)) / len(wanted) if wanted else 1.0


NAME = re.compile(
    r"[A-Z][\w'’.-]*[\w'’](?:\s+(?:(?:of|de|da|van|von|the)\s+)?[A-Z][\w'’-]*)*|[A-Z]\b"
)
# What follows a name, not a plain word, at the start of a sentence.
_ACTS = re.compile(r"\s*(?:\(|,\s*\d|\s(?:is|was|has|had|met|said|and\s+[A-Z]|[a-z]+(?:ed|es))\b)")


def names_in(text: str) -> list[str]:
    """Return the capitalised names in a text, without a plain word that opens a sentence."""
    if NAME.fullmatch(text.strip(" .?!")):
        return [text.strip(" .?!")]
    found = []
    for match in NAME.finditer(text):
        before = text[: match.start()].rstrip()
        name = match.group()
        if not before or before[-1] in ".?!:\n":
            first, _, rest = name.partition(" ")
            name = rest if not stems(first) or (rest and first.lower() in STOPWORDS) else name
            after = text[match.end() : match.end() + 20]
            name = name if " " in match.group() or _ACTS.match(after) else ""
        if name and name not in {"I", "I'm"} and name.lower() not in STOPWORDS:
            found.append(name)
    return list(dict.fromkeys(found))
