"""Combining: arithmetic on a figure that has to be looked up first."""

import re
from dataclasses import replace

from cogwork.core.offline.arithmetic import expressions
from cogwork.core.offline.calculating import compute, worth
from cogwork.core.offline.consulting import consulting, consulting_past
from cogwork.core.offline.desk import Attempt, Desk
from cogwork.core.offline.goals import Step
from cogwork.core.offline.literals import read_literals
from cogwork.core.offline.phrases import intent
from cogwork.core.offline.results import Result
from cogwork.core.offline.words import stems

__all__ = ["combining"]

_FIGURE = re.compile(
    r"(?i)\b(?:the\s+)?(?:(?:total|sum|mean|average|median|maximum|minimum|highest|lowest"
    r"|largest|smallest|number)\b"
    r"|(?<=the\s)[a-z_]\w*\s+of\s).*?"
    r"(?=\s*,?\s*\b(?:plus|minus|times|divided|multiplied|increased|reduced)\b|\s+(?:by|to|from"
    r"|and)\s+\d|\s*[-+*/]\s*\d|[\s?.!]*$)"
)


def combining(step: Step, desk: Desk) -> Attempt:
    """Look a figure up and go on with it: "double the total", "20% of the mean of x"."""
    found = _FIGURE.search(step.text)
    if not found or not expressions(_with("7", step.text, found)):
        return None
    places = [p for p in read_literals(step.text).paths if p not in found.group()]
    inner = found.group() + (f" in {places[0]}" if places else "")
    wanted = Step(step.number, f"what is {inner}?", step.context)
    looked_up: Result | None = None
    for way in (consulting, consulting_past):
        looked_up = looked_up or (yield from way(wanted, desk))
    value = worth(looked_up.value) if looked_up else ""
    sums = expressions(_with(value, step.text, found)) if value else ()
    if not looked_up or len(sums) != 1:
        return None
    values = yield from compute(desk, sums, thought=intent(step.text))
    sentence = f"{looked_up.sentence} The result is {values[0]}."
    names = looked_up.names | frozenset(stems(step.text))
    return replace(looked_up, sentence=sentence, value=values[0], names=names)


def _with(value: str, text: str, found: re.Match[str]) -> str:
    """Put a value in the place of the figure, and take the name of the file out."""
    shown = f"({value})" if value.startswith("-") else value
    rest = f"{text[: found.start()]}{shown}{text[found.end() :]}"
    for path in read_literals(text).paths:
        rest = re.sub(rf"\s*(?:\b(?:in|of|from|using|with)\s+)?{re.escape(path)}", "", rest)
    return rest
