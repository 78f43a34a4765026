"""Sections: the labelled parts of a prompt, such as `Question:` and `Observations:`."""

import re
from dataclasses import dataclass, field

from cogwork.core.offline.goals import starts_with_verb
from cogwork.core.offline.words import word_set

__all__ = ["Prompt", "read_prompt"]

_KINDS = {
    "goal": word_set("goal task question query objective problem request instruction instructions"),
    "material": word_set(
        """observation observations context result results finding findings evidence note notes text
        document documents source sources information memory memories passage history fact facts
        background article transcript content input conversation abstract report
        answers opinions contributions outputs dependencies previous earlier"""
    ),
    "answer": word_set("answer response output attempt draft solution candidate"),
    "lessons": word_set("reflection reflections lesson lessons feedback critique improvements"),
    "tools": word_set("tools tool"),
    "criteria": word_set("criteria criterion rubric expected requirements reference"),
    "format": word_set("format schema example examples"),
}
_LABEL = re.compile(
    r"(?:^[ \t]*(?:#{1,6}[ \t]*|\*\*|__)?|(?<=[.?!][ ])(?=[A-Z]))(?P<label>[A-Za-z][\w '-]{0,40}?)"
    r"(?:\*\*|__)?[ \t]*:(?:\*\*|__)?(?=\s|$)|^[ \t]*#{1,6}[ \t]+"
    r"(?P<heading>[A-Za-z][\w '-]{0,40}?)[ \t]*$"
    r"|^[ \t]*<(?P<tag>[a-zA-Z_][\w-]*)>",
    re.MULTILINE,
)
_FENCE = re.compile(
    r'^(?P<head>[^\n]*?)[:\n]\s*(?:```\w*\n|"""|\'\'\')(?P<body>.*?)(?:```|"""|\'\'\')\s*(?P<tail>.*)$',
    re.DOTALL,
)
_HEADED = re.compile(r"^(?P<head>[^\n]{4,300}?):[ \t]*\n+(?P<body>.+)$", re.DOTALL)
_ABOUT_TEXT = re.compile(
    r"(?i)\b(?:summari[sz]e|summary|extract|following|below|this (?:text|passage|article"
    r"|document|message)"
    r"|classify|rewrite|translate|shorten|condense|analy[sz]e|key points|main points)\b"
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt by what its parts are for; each kind's text is empty if there is none.

    `goal` is what is asked, `material` what it is to be answered from, `answer` an answer
    to be judged, `lessons` what was learned before, `tools` and `criteria` as they say.
    """

    goal: str
    material: str = ""
    answer: str = ""
    lessons: str = ""
    tools: str = ""
    criteria: str = ""
    labels: frozenset[str] = field(default=frozenset())


def read_prompt(text: str) -> Prompt:
    """Read the sections of a prompt; a text without any is all goal."""
    parts: dict[str, list[str]] = {}
    labels: set[str] = set()
    kind, start = "", 0
    for match in _LABEL.finditer(text):
        label = (match["label"] or match["heading"] or match["tag"]).lower()
        found = _kind(label)
        if not found:
            continue
        parts.setdefault(kind, []).append(text[start : match.start()])
        labels.add(label)
        kind, start = found, match.end()
    parts.setdefault(kind, []).append(text[start:])
    joined = {name: _clean("\n".join(texts)) for name, texts in parts.items()}
    head = joined.get("", "")
    if "goal" not in joined and not labels:
        return _unlabelled(head)
    goal = joined.get("goal", "")
    return Prompt(
        goal=goal or head,
        material=joined.get("material", ""),
        answer=joined.get("answer", ""),
        lessons=joined.get("lessons", ""),
        tools=joined.get("tools", ""),
        criteria=joined.get("criteria", ""),
        labels=frozenset(labels),
    )


def _kind(label: str) -> str:
    """Return what a label is for, by its last known word: "Available tools" → tools."""
    words = re.findall(r"[a-z]+", label)
    if len(words) > 4 or (len(words) > 1 and starts_with_verb(label)):
        return ""
    for word in reversed(words):
        for kind, known in _KINDS.items():
            if word in known:
                return kind
    return ""


def _clean(text: str) -> str:
    return re.sub(r"</[\w-]+>", "", text).strip().strip("`").strip()


def _unlabelled(text: str) -> Prompt:
    """Part an instruction from the text that it is about."""
    if fenced := _FENCE.match(text):
        return Prompt(f"{fenced['head']} {fenced['tail']}".strip(), fenced["body"].strip())
    headed = _HEADED.match(text)
    if (
        headed
        and _ABOUT_TEXT.search(headed["head"])
        and not re.match(r"\s*(?:[-*•]|\d+[.)])", headed["body"])
    ):
        return Prompt(headed["head"].strip(), headed["body"].strip())
    inline = re.match(r"(?s)^(?P<head>[^:\n]{4,120}):\s+(?P<body>.{40,})$", text)
    if inline and _ABOUT_TEXT.search(inline["head"]):
        return Prompt(inline["head"].strip(), inline["body"].strip())
    return Prompt(text.strip())
