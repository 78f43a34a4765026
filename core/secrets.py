"""Whether a text tells a secret, so that it is not kept for later."""

import re

from cogwork.core.errors import redact

__all__ = ["holds_secret"]

_WORD = (
    r"(?:pass(?:word|phrase|code|wd)|pwd|pin|cv[cv]|tan|token|credentials?|(?:login|security"
    r"|recovery|backup|access) (?:code|key|phrase)|seed phrase|(?:api|private|secret|ssh)[ -]?key"
    r"|social security(?: number)?)s?\b"
)
_LOCK = r"(?:door|gate|garage|entry|entrance|alarm|safe|vault|lock|padlock|locker|keypad)"
_CODE = (
    rf"(?:{_LOCK}(?:'s)? (?:code|combination|combo)|(?:code|combination|combo) (?:of|to|for|on|at)"
    rf" (?:[\w']+ ){{0,3}}?{_LOCK})\b"
)
_TELLS = r"(?:[:=]|'s\b|\b(?:is|are|was|to)\b)"
_SECRET = re.compile(
    rf"(?i)\b{_WORD}.{{0,40}}?{_TELLS}.*\w"
    rf"|\b{_WORD} (?=[^\s]{{4}})[^\s\d]*\d"  # the password tea4two
    # tea4two is my password; but not "my password manager"
    rf"|(?:\b(?:is|are|was|as)|\d\S{{0,20}} for) (?:my|our|the|his|her|their) (?:[\w']+ ){{0,3}}?{_WORD}"
    r"(?! (?!for|of|to|on|at|in|and|but)\w)"
    rf"|\b{_WORD},? (?:i|we) (?:use|chose|took)\b"
    # a code that opens a door has three characters and a number at least
    rf"|\b{_CODE}.{{0,40}}?{_TELLS} ?(?:now )?(?=\w?\d)\w(?:[ -]?\w){{2}}"
    rf"|\b{_CODE} (?=\w?\d)\w{{4}}"
    rf"|\d\w{{0,20}} (?:is|was|as) (?:\w+ ){{1,3}}?{_CODE}"
    rf"|\d\w{{0,20}} (?:opens|unlocks) (?:\w+ ){{1,3}}?(?:{_LOCK}|phone|laptop)\b"
    rf"|\b(?:{_LOCK}|phone|laptop) (?:opens|unlocks) (?:with|by) \d(?:[ -]?\w){{2}}"
    r"|\b(?:log-?in|account)\b.{0,40}?(?:[:=]|\b(?:is|are|was)\b) [^\s/:]+ ?[/:] ?[^\s/]"
    r"|\b\d{3}-\d\d-\d{4}\b"
)
_CARD = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")


def holds_secret(text: str) -> bool:
    """Whether a text tells a password, a key, a PIN, a door's code, or the number of a card."""
    cards = (re.sub(r"\D", "", found) for found in _CARD.findall(text))
    plain = re.sub(r"[^\S\n]+", " ", text).replace("’", "'")  # noqa: RUF001 - the one that is set
    return bool(_SECRET.search(plain)) or redact(text) != text or any(map(_checks, cards))


def _checks(digits: str) -> bool:
    """Luhn's check of a card's number."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
