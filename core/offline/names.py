"""Names: capitalised words that stand for somebody or something."""

import re

from cogwork.core.offline.words import STOPWORDS, stems

__all__ = ["NAME", "names_in"]

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
