"""Limits: conditions on figures, such as "over 100" and "between 2010 and 2015"."""

import re
from collections.abc import Sequence

from cogwork.core.offline.mentions import Mention, mentions
from cogwork.core.offline.results import CannotError
from cogwork.core.offline.tables import Table, figure
from cogwork.core.offline.words import STOPWORDS, tokens

__all__ = ["SPOKEN", "holds", "limits_in"]

_OPERATORS = {
    ">=": r">=|≥|at\s+least|no\s+less\s+than|not\s+less\s+than|since|from",
    "<=": r"<=|≤|at\s+most|no\s+more\s+than|not\s+more\s+than|up\s+to|until",
    ">": r">|(?:more|greater|larger|higher|bigger|older|later|longer)\s+than|over|above|after"
    r"|exceed(?:s|ing)?",
    "<": r"<|(?:less|fewer|smaller|lower|younger|earlier|shorter)\s+than|under|below|before",
    "!=": r"!=|<>|(?:is\s+)?not(?:\s+equal\s+to)?|other\s+than|except",
    "=": r"==?|equals?(?:\s+to)?|is|was|of|in",
}
_SAID = "|".join(f"(?P<o{index}>{said})" for index, said in enumerate(_OPERATORS.values()))
_FIGURE = r"\s*[$€£]?\s*(-?\d[\d,]*(?:\.\d+)?)\b"
_COMPARED = re.compile(rf"(?<!\w)(?:{_SAID}){_FIGURE.replace('(-', '(?P<bound>-')}")
_LIMITED = re.compile(r"([a-z_]\w*)\s+(?:is|was|are|were)\s*$")
_YEAR = re.compile(r"[12]\d{3}")
_BETWEEN = re.compile(rf"\b(?:between|from){_FIGURE}\s+(?:and|to|until)\b{_FIGURE}")
SPOKEN = {
    ">": "is over",
    "<": "is under",
    ">=": "is at least",
    "<=": "is at most",
    "=": "is",
    "!=": "is not",
}


def limits_in(question: str, table: Table, named: Sequence[Mention]) -> list[tuple[int, str, str]]:
    """Return (column, operator, number) for limits such as "year after 2015".

    Raises:
        CannotError: A limit is on nothing that the table has.
    """
    text = question.lower()
    listed = ", ".join(table.header)
    found: list[tuple[int, str, str]] = []
    for match in _BETWEEN.finditer(text):
        column = _compared(text[: match.start()], text[match.end() :], match[1], table, named)
        if column is not None:
            found += [(column, ">=", match[1]), (column, "<=", match[2])]
    text = _BETWEEN.sub(lambda match: " " * len(match.group()), text)
    for match in _COMPARED.finditer(text):
        operator = next(op for index, op in enumerate(_OPERATORS) if match[f"o{index}"])
        bound = match["bound"].replace(",", "")
        column = _compared(text[: match.start()], text[match.end() :], bound, table, named)
        if column is not None:
            found.append((column, operator, bound))
        elif _YEAR.fullmatch(bound) and not any(bound in name for name in table.header):
            raise CannotError(f"{bound} does not stand in the table, which has {listed}")
        elif operator in {">", "<"}:
            raise CannotError(
                f"I don't see which column {SPOKEN[operator]} {bound}; there are {listed}"
            )
    return found


def _compared(
    before: str, after: str, bound: str, table: Table, named: Sequence[Mention]
) -> int | None:
    """Return the numeric column that a comparison with `bound` is about."""
    numeric = {mention.column for mention in named} & table.numeric
    close = mentions(" ".join(tokens(before)[-4:]), table.header)
    close.sort(key=lambda mention: -mention.position)  # the nearest one
    beside = [mention.column for mention in close if mention.column in numeric]
    limited = _LIMITED.search(before)
    if limited and not mentions(limited[1], table.header) and limited[1] not in STOPWORDS:
        listed = ", ".join(table.header)
        raise CannotError(f"“{limited[1]}” is no column; there are {listed}")
    years = [c for c in sorted(table.numeric) if "year" in tokens(table.header[c])]
    if years and _YEAR.fullmatch(bound) and years[0] not in beside:
        return years[0]
    next_to = mentions(" ".join(tokens(after)[:2]), table.header)
    return next(iter([*beside, *(m.column for m in next_to if m.column in numeric)]), None)


def holds(cell: str, operator: str, bound: str) -> bool:
    """Tell whether a cell is a figure that keeps a limit."""
    digits = figure(cell)
    if digits is None:
        return False
    left, right = float(digits), float(bound.replace(",", ""))
    return {
        ">": left > right,
        "<": left < right,
        ">=": left >= right,
        "<=": left <= right,
        "=": left == right,
        "!=": left != right,
    }[operator]
