"""Measures: which figures a question asks for, such as the total or the largest."""

import re
from functools import lru_cache

from cogwork.core.offline.literals import FILLER, read_literals
from cogwork.core.offline.words import STOPWORDS, tokens, word_set

__all__ = ["SHOWING", "added", "measures", "spoken"]

SUPERLATIVES = {
    "max": r"maximum|max|highest|largest|biggest|greatest|(?<!at )most(?! recent)|tallest|longest"
    r"|oldest|latest|newest|heaviest|fastest|richest|hottest|warmest|strongest|top|most recent|best"
    r"|(?:more|higher|larger|bigger|greater|older)(?! than)",
    "min": r"minimum|min|lowest|smallest|(?<!at )least|fewest|shortest|youngest|earliest|lightest"
    r"|slowest|poorest|coldest|cheapest|weakest"
    r"|(?:fewer|less|lower|smaller|younger)(?! than)",
}
_MEASURES = {
    "stdev": r"standard deviation|stdev|std",
    "share": r"percentages?|percent|shares?|proportion|fraction|what part",
    "ratio": r"ratio|how many times",
    "difference": r"difference|how (?:much|many) "
    r"(?:more|less|fewer|larger|higher|bigger|lower|smaller|older)",
    "mean": r"mean|averages?|avg",
    "median": r"median",
    "sum": r"totals?|sum(?:med)?|altogether|combined|overall|add(?:ed|ing)? up|all together|in all",
    **SUPERLATIVES,
    "count": r"how many|number of|count",
}
_PATTERNS = [(name, re.compile(rf"\b(?:{said})\b")) for name, said in _MEASURES.items()]


SHOWING = word_set(
    "read open load show view display print cat fetch get give import visit browse download return"
)
_SHOWS = re.compile(
    r"(?i)^\W*(?:please\s+)?(?:read|open|load|show|view|display|print|cat|fetch|get|give|import|visit|browse"
    r"|download|return)\b(?:\s+(?:me|all|the|whole|entire|contents?|text|data|file|files|table|of|in|from|and|both|again"
    r"|out|at|please|it))*\W*$"
)


def spoken(question: str, *, verb: bool = False) -> str:
    """Return the question without paths and URLs, whose words name no column.

    With `verb`, what only says that a text is to be shown comes to nothing.
    """
    literals = read_literals(question)
    for part in sorted((*literals.paths, *literals.urls, *literals.globs), key=len, reverse=True):
        named = rf"['\"`]?{re.escape(part)}['\"`]?(?:'s\b)?"
        said = r"(?:\b(?:in|of|from|inside|within|according to|using|the|file|table)\s+)*"
        question = re.sub(rf"(?i:{said})(?<![\w/.-]){named}", " ", question)
    question = re.sub(r"\b\w+\s*\(([^()]*(?:\btimes\b|\*|\bmultiplied\b)[^()]*)\)", r"\1", question)
    question = re.sub(r"\b(?:in|of|from|file|column)\s*(?=[,?.!]|$)", "", question).strip()
    return _SHOWS.sub("", question) if verb else question


@lru_cache(maxsize=512)
def measures(question: str) -> tuple[str, ...]:
    """Return which figures `question` asks for, in its order."""
    text = re.sub(r"\w*_\w*", " ", question[:4000].lower())
    found: list[tuple[int, str]] = []
    for name, pattern in _PATTERNS:
        match = pattern.search(text)
        if match:
            found.append((match.start(), name))
            text = pattern.sub(lambda hit: " " * len(hit.group()), text)
    return tuple(name for _, name in sorted(found))


_SAID_OF_A_FILE = word_set(
    "please both file files content contents text whole again out completely here now"
)


def added(text: str) -> list[str]:
    """Return words that ask for more than to show a file: "Read a.txt and sing a song"."""
    _, _, behind = read_literals(text).masked.partition(FILLER)
    for clause in re.split(r"(?i)[,;]|\b(?:and|but|then)\b", behind)[1:]:
        told = re.match(r"(?i)\s*(?:which|that|where|who|it|this|in|from)\b", clause)
        words = [word for word in tokens(clause) if word not in STOPWORDS | _SAID_OF_A_FILE]
        if words and not told:
            return words
    return []
