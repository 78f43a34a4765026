"""Directives: messages that steer a turn rather than open one, such as "continue"."""

import re
from functools import lru_cache

from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.words import sentences

__all__ = ["directive", "forbids_tools"]

_NO_TOOLS = re.compile(
    r"""(?ix)
    \btools?\s+(?:calls?\s+)?(?:are|is|were|have|has)\s+(?:no\s+longer|not|now\s+un|un)\s*
        (?:been\s+)?(?:available|allowed|bound|possible)
    |\bno\s+(?:more\s+|further\s+)?tools?\b(?:\s+calls?)?\s*
        (?:are|is|can|may|will|left|remain|available|any\s*more|$|[.,;!])
    |\b(?:do\s+not|don't|must\s+not|mustn't|cannot|can't|(?:can|may)\s+no\s+longer|may\s+not|never
        |without|stop)\s+(?:us(?:e|ing)|call(?:ing)?)\s+
        (?:(?:any|the|more|further|other)\s+)*tools?(?:\s+calls?)?
        (?:\s+(?:any\s*more|now|again|from\s+now))?\s*(?:$|[.,;:!])
    |\bwithout\s+(?:(?:any|the|further|more)\s+)*(?:tools?|calling\b)
    |\b(?:answer|reply|respond|conclude)\s+(?:now\s+|it\s+|the\s+\w+\s+|only\s+)*
        (?:from|with|using|based\s+on)\s+(?:only\s+)?what\s+
        (?:(?:you|was|has|have|been|is|already)\s+)*
        (?:found|gathered|seen|observed|collected|learned|known?)
    |\b(?:step|tool|call|turn)s?\s+(?:limit|budget)\s+(?:is|was|has\s+been)\s+
        (?:reached|exhausted|used)
    |\bno\s+(?:more\s+)?steps?\s+(?:are\s+)?(?:left|remain)|\bout\s+of\s+steps
    """
)
_CONDITIONAL = re.compile(r"(?i)\b(?:if|when|unless|until|once|in case|whenever)\b")
_CLOSING = re.compile(
    r"(?i)^(?:please\s+)?(?:now\s+)?(?:give|write|state|provide|answer)\b.{0,80}\b(?:answer|now"
    r"|question|found)\b.{0,80}$"
)
_FORM = re.compile(
    r"(?i)\b(?:does|did)\s+not\s+fit\b|\bfield\s+required\b|\bvalidation\s+errors?\b"
    r"|^add\s+nothing\b"
    r"|^(?:please\s+)?(?:give|answer|respond|reply|return|output|put|fix|correct|make)\b.*"
    r"\b(?:required\s+form|format|json|schema|structured?|nothing\s+else|no\s+other\s+text)\b"
)
_SCHEMA = re.compile(
    r"(?is)(?:^|(?<=[.!?\n]))\s*[^.!?\n]{0,120}\b(?:json|schema)\b[^\n]{0,120}:?\s*(?:```"
    r"(?:json)?\s*)?\{.*\}\s*(?:```)?\s*$"
)
_GO_ON = re.compile(
    r"(?i)^\W*(?:please\s+)?(?:continue|go on|proceed|carry on|keep going|and\??)\W*$"
)
_AGAIN = re.compile(
    r"(?i)^\W*(?:please\s+)?(?:try (?:it |that )?again|retry|once more|do it again)\W*$"
)


@lru_cache(maxsize=1024)
def directive(text: str) -> tuple[str, str]:
    """Return what a person's message is, and its text without a JSON schema.

    It is a "request", or one of "go on", "again" (the last request), "close" (answer now,
    without tools), or "form" (the same answer, in another form).
    """
    if _GO_ON.match(text):
        return "go on", text
    plain = _SCHEMA.sub("", text).strip()
    parts = sentences(plain)
    if all(_FORM.search(part) for part in parts) and not read_literals(plain).paths:
        return "form", plain
    if _AGAIN.match(plain):
        return "again", plain
    closing = [part for part in parts if _NO_TOOLS.search(part) or _CLOSING.match(part)]
    if len(closing) == len(parts) and forbids_tools(plain):
        return "close", plain
    return "request", plain


@lru_cache(maxsize=256)
def forbids_tools(text: str) -> bool:
    """Tell whether `text` says, without an "if", that no tool may be called any more."""
    return any(_NO_TOOLS.search(part) and not _CONDITIONAL.search(part) for part in sentences(text))
