"""What answering a query takes: searching, calculating, data, code, memory and the like."""

import re
from collections.abc import Sequence

from cogwork.nodes.entities import Entity

__all__ = ["CAPABILITIES", "needed_capabilities"]

CAPABILITIES = {
    "search": "look things up in the web or a corpus",
    "calculation": "compute exactly",
    "data_analysis": "read and evaluate tables and measurements",
    "code": "write, change or run programs",
    "documents": "read files and texts that are given",
    "memory": "recall what was said or done before",
    "writing": "compose or translate a text",
    "communication": "send, book, remind or change something outside",
}
"""Names of capabilities, and what each lets one do."""

_BY_INTENT = {
    "comparison": ("search",),
    "analysis": ("data_analysis",),
    "prediction": ("search", "data_analysis"),
    "lookup": ("search",),
    "calculation": ("calculation",),
}
_WORDS = {
    "search": r"latest|current(?:ly)?|today|news|recent(?:ly)?|find (?:out|papers|sources|articles)"
    r"|look up|search|papers|according to",
    "calculation": r"calculate|compute|percent(?:age)?|sum|total|average|convert"
    r"|interest rate|per (?:year|month|hour|person)",
    "data_analysis": r"data(?:set)?s?|table|spreadsheet|csv|statistics|correlat\w+|trends?|outliers?"
    r"|measurements?|records|figures|chart|plot|survey|logs?|diary|ledger",
    "code": r"code|scripts?|functions?|program|class|regex|sql|unit tests?|bug|refactor|compile"
    r"|repository|pull request|api|deploy\w*|cron|python|javascript|rust",
    "documents": r"attached|enclosed|below|contract|report|document|pdf|paper|lease|statements?"
    r"|rulings?|transcript|files?|folder|filings?|clauses?",
    "memory": r"(?:as|like|what) (?:i|we) (?:said|told|discussed|agreed|mentioned)|last time|again"
    r"|remember|earlier|previous(?:ly)?|my usual|as (?:always|before)|you (?:said|told)",
    "writing": r"write|draft|letter|essay|translate|summar(?:y|ise|ize)|rewrite|story|poem|abstract"
    r"|toast|e-?mail|article",
    "communication": r"send|book|reserve|remind|notify|invite|order|cancel|schedule|call|transfer"
    r"|pay|appointment|tell (?:the|my|our|them)|assign|post|mail",
}
_PATTERNS = {name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for name, words in _WORDS.items()}
_ONLY_FOR = {"communication": ("action",), "writing": ("action",)}
_TABLES = re.compile(r"\.(?:csv|tsv|xlsx?|parquet)$", re.IGNORECASE)
_SOURCES = re.compile(r"\.(?:py|js|ts|sql|ipynb)$", re.IGNORECASE)
_AMOUNTS = ("money", "percent", "quantity", "number")


def needed_capabilities(text: str, intent: str, entities: Sequence[Entity]) -> tuple[str, ...]:
    """Return what answering takes, of `CAPABILITIES` and in their order.

    Args:
        text: The query.
        intent: What it wants; one of the default intents, or any other name.
        entities: What it names, as `find_entities` says.

    Example:
        >>> needed_capabilities("What is 15% of 2,300?", "calculation", ())
        ('calculation',)
    """
    found = set(_BY_INTENT.get(intent, ())) | _by_entities(intent, entities)
    for name, pattern in _PATTERNS.items():
        if intent in _ONLY_FOR.get(name, (intent,)) and pattern.search(text):
            found.add(name)
    if intent == "calculation":
        found -= {"search", "data_analysis"}
    return tuple(name for name in CAPABILITIES if name in found)


def _by_entities(intent: str, entities: Sequence[Entity]) -> set[str]:
    found: set[str] = set()
    for each in entities:
        if each.kind == "url":
            found.add("search")
        if each.kind == "file":
            found.add("documents")
            if _TABLES.search(each.text):
                found.add("data_analysis")
            if _SOURCES.search(each.text):
                found.add("code")
        if each.kind == "email" and intent == "action":
            found.add("communication")
    amounts = sum(each.kind in _AMOUNTS for each in entities)
    if amounts >= 2 and intent not in ("action", "explanation"):
        found.add("calculation")
    return found
