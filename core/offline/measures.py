"""Measures: which figures a question asks for, such as the total or the largest."""

import re
from functools import lru_cache

from cogwork.core.offline.literals import read_literals

__all__ = ["BY_NAME", "SUPERLATIVES", "measures", "spoken"]

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
BY_NAME = dict(_PATTERNS)


def spoken(question: str) -> str:
    """Return the question without paths and URLs, whose words name no column."""
    literals = read_literals(question)
    for part in (*literals.paths, *literals.urls, *literals.globs):
        question = question.replace(part, " ")
    return re.sub(r"\b(?:in|of|from|file|column)\s*(?=[,?.!]|$)", "", question).strip()


@lru_cache(maxsize=512)
def measures(question: str) -> tuple[str, ...]:
    """Return which figures `question` asks for, in its order."""
    text = re.sub(r"\w*_\w*", " ", question.lower())
    found: list[tuple[int, str]] = []
    for name, pattern in _PATTERNS:
        match = pattern.search(text)
        if match:
            found.append((match.start(), name))
            text = pattern.sub(lambda hit: " " * len(hit.group()), text)
    return tuple(name for _, name in sorted(found))
