"""Goals: what a person asks, split into ordered steps."""

import re
from dataclasses import dataclass
from functools import lru_cache

from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.words import word_set

__all__ = [
    "CHANGES",
    "LONGEST",
    "Step",
    "intent",
    "is_question",
    "is_request",
    "lowered",
    "opens",
    "phrase",
    "split_goal",
    "starts_with_verb",
]

LONGEST = 4_000
"""Characters of a goal; a longer one is refused, for its steps are not to be told apart."""
_VERBS = word_set(
    """add analyse analyze answer append ask book browse buy calculate call cancel change check
    choose cite classify close combine compare compute confirm convert copy count create
    decrease define delete describe determine disable display divide double download draft
    draw edit email enable enumerate erase estimate evaluate execute explain export extract
    fetch filter find forecast generate get give google group halve identify import increase
    insert label list load ls look mail make merge move multiply name note notify open order
    pick plan plot post predict print put query quote rank rate raise read recall record
    remember remove rename repeat replace report research restart return review rewrite
    round run save say schedule score search select send set show simulate solve sort square
    start state stop store subtract sum summarise summarize switch take tell test total
    translate turn update upload use verify view visit work write"""
)
_LOOK = re.compile(
    r"(?i)^(?:take|use|consider|look\s+(?:at|into|in)|have\s+a\s+look\s+at)\s+"
    r"(?:the\s+)?(?:file\s+|data\s+(?:in|from)\s+)?\x01+\W*$"
)
_EMPTY_CLAUSE = re.compile(r"(?i)^what\s+(?:is|are|was|were)\s+(?:it|that|this|they|those)\W*$")
_ALONE = word_set("compare summarise summarize delete")  # orders also with nothing behind them
_ASKS = word_set("what what's which who who's when where why how whats")
_AUXILIARIES = word_set(
    """is are was were does do did can could will would should has have am isn't aren't doesn't"""
)
_ASKED = re.compile(
    r"""(?ix)^(?:(?:can|could|would|will)\ you(?:\ please)?|i(?:'d|\ would)?\ (?:want|need|like|love)
    (?:\ you)?\ to(?:\ know)?|i\ wonder|let's|let\ us|we\ (?:need|have|want)\ to|help\ me(?:\ to)?
    |you\ (?:should|must|need\ to)|(?:be|make)\ sure\ (?:to|you)|don't\ forget\ to|go\ ahead\ and
    |try\ to|your\ task\ is\ to)\b[\s,:]*"""
)
_POLITE = re.compile(
    r"""(?ix)^(?:please|kindly|now|then|next|finally|lastly|also|and|but|so|okay|ok|hi|hello|hey|well
    |afterwards|after\ that|thanks|thank\ you)\b[\s,:!]*"""
)
_PLANNING = re.compile(
    r"(?i)^\s*(?:please\s+)?(?:(?:make|create|write|draft)\s+(?:me\s+)?(?:a|the)\s+"
    r"(?:\w+\s+)?)?plan\s+"
    r"(?:how\s+to|for\s+how\s+to|to|for)\b[\s:]*"
)
_ORDINAL = re.compile(r"(?i)^(?:first(?:ly)?|second(?:ly)?|third(?:ly)?|step\s+\d+)\b[\s,:.]*")
_BULLET = re.compile(r"(?:^|\n)\s*[-*•]\s+")
_NUMBERED = re.compile(r"(?<!\S)\(?(\d{1,2})[.)]\s+(?=\S)")
_HARD = re.compile(r"\s*;\s*|\s*\n\s*\n\s*|(?<=[.!?:])[ \t]*\n\s*|(?<=[.!?])\s+")
_SOFT = re.compile(
    r"(?i)\s*,\s*(?:(?:and|but)\s+)?(?:then\s+|finally\s+|also\s+|next\s+|afterwards\s+)*"
    r"|\s+(?:and|but)\s+(?:then\s+|finally\s+|also\s+|after\s+that,?\s+|afterwards\s+)*"
    r"|\s+then\s+|:\s+|\s*\n\s*|\s+→\s+|\s+-+>\s+"
)
_OPENER = re.compile(
    r"(?i)^(?:in|from|using|given|for|based on|according to|with|looking at|see)\b"
)
_IF = re.compile(r"(?i)^(?:and\s+|but\s+)?(?:if|otherwise|in that case|when)\b")
_IF_EXISTS = re.compile(
    r"(?i)^if\s+(?:there\s+is\s+(?P<no>no|not)?\s*)?(?P<what>.+?)"
    r"(?:\s+(?P<not>doesn't\s+exist|does\s+not\s+exist|is\s+missing)|\s+exists?)?,\s*(?:then\s+)?"
    r"(?P<do>.+)$"
)
_IF_SO = re.compile(
    r"(?i)^(?:if\s+(?:so|yes|it\s+(?:does|is|exists))|in\s+that\s+case)\s*,?\s*(?:then\s+)?"
    r"(?P<do>.+)$"
)
_IF_NOT = re.compile(
    r"(?i)^(?:if\s+(?:not|no|it\s+(?:does\s?n[o']t|doesn't|is\s?n[o']t|is\s+not)(?:\s+exist)?)"
    r"|otherwise|else)\s*,?\s*(?:then\s+)?(?P<do>.+)$"
)


CHANGES = re.compile(
    r"(?i)\b(?:write|save|store|put|create|delete|remove|erase|send|append|copy|move|rename|set"
    r"|update|export|record|overwrite)\b"
)
_SEQUENCE = re.compile(
    r"(?i)\b(?:then|after|afterwards|next|(?:final|last|second|third)(?:ly)?|step\s+\d)\b|→|->"
    r"|(?<!\S)\(?\d{1,2}[.)]\s"
)
_GERUNDS = {
    stem + "ing": verb for verb in sorted(_VERBS) for stem in (verb + verb[-1], verb[:-1], verb)
}
_PART = r"(?:[^,.;!?\n]|\.\d)+"
_GERUND = rf"(?i:(?P<when>before|after)\s+(?P<verb>{'|'.join(_GERUNDS)})\b)(?P<rest>{_PART})"
_IT = re.compile(r"(?i)(?<!\w)(?:it|them)(?!\w)")
_TIMED = (
    re.compile(rf"(?:^|(?<=[.!?;]\s)|(?<=\n)){_GERUND},\s*(?P<main>{_PART})"),
    re.compile(rf"(?P<main>{_PART}?),?\s+{_GERUND}"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do.

    `number` counts from 0. `context` is what was said before it without asking for
    anything. `condition` says that it is to be done only if the step before it was
    answered with yes (`True`) or no (`False`). `stage` counts the words like "then" up to
    it: what has a higher one comes after.
    """

    number: int
    text: str
    context: str = ""
    condition: bool | None = None
    stage: int = 0


@lru_cache(maxsize=256)
def split_goal(goal: str, verbs: frozenset[str] = frozenset()) -> tuple[Step, ...]:
    """Split a goal at sentences, list items and clauses that ask for something of their own.

    Args:
        goal: The goal in plain words.
        verbs: Further verbs, such as the ones that tools are named by.
    """
    if len(goal) > LONGEST:
        return ()
    goal = _in_order(_PLANNING.sub("", goal, count=1))
    clauses = [clause for part in _cut_hard(goal) for clause in _cut_soft(part, verbs)]
    steps: list[Step] = []
    context: list[str] = []
    stage = end = 0
    for text, condition in (item for clause in clauses for item in _conditional(clause)):
        plain = _plain(text, verbs)
        if steps and _EMPTY_CLAUSE.match(plain):
            continue  # "and what is it?" asks for what is answered anyway
        looks = _LOOK.match(read_literals(plain).masked)
        if condition is not None or (is_request(text, verbs) and not looks):
            if (start := goal.find(plain, end)) >= 0:  # else it is a check that was put in
                stage += bool(_SEQUENCE.search(goal[end:start]))
                end = start + len(plain)
            steps.append(Step(len(steps), plain, " ".join(context), condition, stage))
        elif any(letter.isalnum() for letter in plain):
            context.append(text)
    whole = _plain(goal.strip(), verbs)
    return tuple(steps) or ((Step(0, whole),) if whole else ())


def _in_order(goal: str) -> str:
    """Say "after reading x, write y" in the order in which it is to be done."""
    for pattern in _TIMED:
        while found := pattern.search(read_literals(goal).masked):
            main, rest = (goal[slice(*found.span(name))].strip() for name in ("main", "rest"))
            timed = f"{_GERUNDS[found['verb'].lower()]} {rest}"
            parts = (timed, main)
            if found["when"].lower() == "before":  # "before deleting a.txt, read it"
                named = rest.join(_IT.split(main, maxsplit=1)) if rest else main
                parts = (named, timed)
            goal = f"{goal[: found.start()]}{parts[0]}, then {parts[1]}{goal[found.end() :]}"
    return goal


def is_question(text: str) -> bool:
    """Tell whether `text` asks rather than orders."""
    first = _first(text)
    return text.rstrip().endswith("?") or first in _ASKS or first in _AUXILIARIES


def is_request(text: str, verbs: frozenset[str] = frozenset()) -> bool:
    """Tell whether `text` asks for something or only states something."""
    plain = _plain(text, verbs)
    if plain.endswith(":") or not plain.strip(" .,;:-!?"):
        return False
    asked = _ASKED.match(_POLITE.sub("", text.strip()))
    alone = plain.strip(" .!").lower() in _ALONE
    return bool(asked) or alone or is_question(plain) or starts_with_verb(plain, verbs)


def _first(text: str) -> str:
    found = re.match(r"\W*([^\W\d_]+(?:'\w+)?)", text)
    return found.group(1).lower() if found else ""


def _bare(text: str) -> str:
    return text.strip().rstrip(",").strip()


def _plain(text: str, verbs: frozenset[str]) -> str:
    """Drop what is only polite or only counts."""
    text = _bare(text)
    while True:
        shorter = _ASKED.sub("", _POLITE.sub("", text, count=1), count=1)
        without = _ORDINAL.sub("", text, count=1)
        if without != text and starts_with_verb(without, verbs):
            shorter = without
        if shorter == text or not shorter:
            return text
        text = shorter


def starts_with_verb(text: str, verbs: frozenset[str] = frozenset()) -> bool:
    """Tell whether `text` begins with an order: a verb that something follows."""
    found = re.match(r"\W*([^\W\d_]+)(\W*)(\w*)", text)
    if not found or found[1].lower() not in _VERBS | verbs:
        return False
    # "the sum and count of x", "read and write": a noun or a list of verbs, no clause
    return found[3].lower() not in {"of", "is", "are", "was", "and", "or", ""} or "\x01" in found[2]


def _cut_hard(text: str) -> list[str]:
    masked = read_literals(text).masked
    marks = [*_BULLET.finditer(masked), *_numbers(masked)]
    items = _pieces(text, sorted((mark.start(), mark.end()) for mark in marks))
    return [part for item in items for part in _cut_sentences(item)]


def _numbers(masked: str) -> list[re.Match[str]]:
    """Find the marks of a numbered list: 1, 2, and so on, at least two of them."""
    found: list[re.Match[str]] = []
    for mark in _NUMBERED.finditer(masked):
        if int(mark[1]) == len(found) + 1:
            found.append(mark)
    return found if len(found) > 1 else []


def _cut_sentences(text: str) -> list[str]:
    gaps = _HARD.finditer(read_literals(text).masked)
    return _pieces(text, [(gap.start(), gap.end()) for gap in gaps])


def _cut_soft(text: str, verbs: frozenset[str]) -> list[str]:
    masked = read_literals(text).masked
    cuts: list[tuple[int, int]] = []
    start = 0
    for gap in _SOFT.finditer(masked):
        left = masked[start : gap.start()].strip()
        if _ends_clause(left, gap.group().lower(), masked[gap.end() :], verbs):
            cuts.append((gap.start(), gap.end()))
            start = gap.end()
    return _pieces(text, cuts)


def _ends_clause(left: str, gap: str, right: str, verbs: frozenset[str]) -> bool:
    if _IF.match(left) or len(left.split()) < 2:
        return False
    first = _first(right)
    joined = "and" in gap or "but" in gap
    if starts_with_verb(_POLITE.sub("", right), verbs) or (joined and _IF.match(right)):
        return True
    if right.strip(" .!").lower() in _ALONE and "\x01" in left:
        return True
    if first in {"what", "what's", "how", "why"}:
        return True
    if first in _ASKS:
        return bool(_OPENER.match(left)) or (joined and first not in {"where", "when"})
    return False


def _pieces(text: str, cuts: list[tuple[int, int]]) -> list[str]:
    starts = [0, *(end for _, end in cuts)]
    ends = [*(start for start, _ in cuts), len(text)]
    found = (text[start:end].strip() for start, end in zip(starts, ends, strict=True))
    return [piece for piece in found if piece.strip(" .,;:-!?")]


def _conditional(clause: str) -> list[tuple[str, bool | None]]:
    """Turn "if report.txt exists, read it" into a check and a step that hangs on it."""
    text = _bare(clause)
    if found := _IF_NOT.match(text):
        return [(found["do"], False)]
    if found := _IF_SO.match(text):
        return [(found["do"], True)]
    found = _IF_EXISTS.match(text)
    if found and ("exist" in text.lower() or "missing" in text.lower() or found["no"]):
        return [
            (f"Does {found['what']} exist?", None),
            (found["do"], not (found["no"] or found["not"])),
        ]
    return [(clause, None)]


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
