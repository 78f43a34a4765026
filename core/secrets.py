"""Whether a text tells a secret, so that it is not kept for later."""

import re

from cogwork.core.errors import redact

__all__ = ["holds_secret"]

_SECRET = re.compile(
    r"(?i)\b(?:pass(?:word|phrase|code|wd)|pwd|pin|cv[cv]|tan|token|credentials?|(?:login|security"
    r"|recovery|backup|access) (?:code|key|phrase)|seed phrase|(?:api|private|secret|ssh)[ -]?key"
    r"|social security(?: number)?)s?\b.{0,40}?(?:[:=]|\b(?:is|are|was|to)\b).*\w|\b\d{3}-\d\d-\d{4}\b"
)
_CARD = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")


def holds_secret(text: str) -> bool:
    """Whether a text tells a password, a key, a PIN, or the number of a card."""
    cards = (re.sub(r"\D", "", found) for found in _CARD.findall(text))
    return bool(_SECRET.search(text)) or redact(text) != text or any(map(_checks, cards))


def _checks(digits: str) -> bool:
    """Luhn's check of a card's number."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
