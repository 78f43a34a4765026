"""Phrases: a step's own words, turned for thoughts and answers."""

import re

from cogwork.core.offline.goals import is_question, starts_with_verb

__all__ = ["intent", "lowered", "opens", "phrase"]

_OPENING = re.compile(
    r"(?i)^(?:what(?:'s| is| are| was| were)|how much (?:is|are)|calculate|compute|evaluate"
    r"|determine|work out|solve"
    r"|find|tell me|give me|show me)\s+(?:me\s+)?(?:what\s+(?:is\s+)?|the (?:result|value) of\s+)?"
    r"|^the (?:result|value) of\s+"
)
_AUXILIARY = re.compile(
    r"(?i)^(?:is|are|was|were|do|does|did|can|could|will|would|has|have|should)\b"
)


def phrase(text: str) -> str:
    """Return what a question asks for, as the subject of its answer."""
    bare = _OPENING.sub("", text.strip()).strip(" ?.!:")
    said = re.sub(r"(?i)[,\s]+(?:in total|please)$", "", bare)
    return said[:1].upper() + said[1:] if re.match(r"[a-z]+\s", said) else said


def opens(text: str) -> bool:
    """Tell whether `phrase` finds a subject in `text`."""
    return _OPENING.match(text.strip()) is not None


def intent(text: str) -> str:
    """Return the thought that goes with doing a step: "I need to read sales.csv."."""
    bare = re.sub(r"(?i)^(?:tell|give|show) me\s+", "find ", text.strip(" ?.!:"))
    if starts_with_verb(text):
        return f"I need to {lowered(bare)}."
    if _AUXILIARY.match(bare):
        return f"I need to check: {lowered(bare)}?"
    if opens(text) or not is_question(text):
        return f"I need to find {lowered(phrase(text))}."
    return f"I need to find out {lowered(bare)}."


def lowered(text: str) -> str:
    """Begin a text with a small letter, unless it begins with a name in capitals."""
    return text if text[:2].isupper() or text[:2] == "I " else text[:1].lower() + text[1:]
