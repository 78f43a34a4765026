"""How near an answer is to the right one, as published sets score it.

`exact_match` and `f1` are HotpotQA's (Yang et al. 2018, arXiv:1809.09600, hotpot_evaluate_v1),
which took the normalisation from SQuAD (Rajpurkar et al. 2016, arXiv:1606.05250).
`quasi_exact_match` is GAIA's (Mialon et al. 2023, arXiv:2311.12983, scorer.py of its
leaderboard). `last_number` is what GSM8K's results are usually read with (Cobbe et al. 2021,
arXiv:2110.14168).
"""

import re
import string
from collections import Counter
from typing import Final

__all__ = [
    "FINAL_ANSWER",
    "exact_match",
    "f1",
    "final_answer",
    "last_number",
    "normalize",
    "quasi_exact_match",
]

FINAL_ANSWER: Final = (
    "End with a line that begins with FINAL ANSWER: and holds nothing but the answer."
)
"""An instruction to add to questions whose answers are compared as a whole."""

_MARK = re.compile(r"FINAL ANSWER\s*:", re.IGNORECASE)
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_CLOSED: Final = frozenset({"yes", "no", "noanswer"})  # half of one of them is worth nothing
# Not the digits of names, versions, dates, times and ranges.
_NUMBER = re.compile(
    r"(?<![\w./:-])(?<!\d,)([-+−]?)[$€£]?(\d{1,3}(?:,\d{3})+(?!\d)|\d+)(\.\d+)?"  # noqa: RUF001 - a minus
    r"(?![\d:/]|[-.,]\w)"
)


def final_answer(text: str) -> str:
    r"""Return what stands after the last `FINAL ANSWER:`; the whole text where it does not stand.

    Examples:
        >>> final_answer("6 times 7 makes 42.\nFINAL ANSWER: 42")
        '42'
    """
    return _MARK.split(text)[-1].strip().strip("*`").strip()


def normalize(text: str) -> str:
    """Return a text without capitals, punctuation, English articles and surplus white space."""
    bare = text.lower().translate(_NO_PUNCTUATION)
    return " ".join(_ARTICLE.sub(" ", bare).split())


def exact_match(answer: str, expected: str) -> bool:
    """Whether two texts are the same when both are normalized.

    Examples:
        >>> exact_match("The Eiffel Tower.", "eiffel tower")
        True
    """
    return normalize(answer) == normalize(expected)


def f1(answer: str, expected: str) -> float:
    """Return the harmonic mean of precision and recall of the words of an answer, 0 to 1.

    Where one of them is yes, no or noanswer, only the same word counts.

    Examples:
        >>> f1("Paris in France", "Paris")
        0.5
    """
    given, wanted = normalize(answer), normalize(expected)
    if given != wanted and {given, wanted} & _CLOSED:
        return 0.0
    shared = sum((Counter(given.split()) & Counter(wanted.split())).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(given.split()), shared / len(wanted.split())
    return 2 * precision * recall / (precision + recall)


def quasi_exact_match(answer: str, expected: str) -> bool:
    """Whether GAIA would take the answer for the expected one.

    A number is compared by value, without `$`, `%` and commas; a list that `,` or `;` divides
    by its parts in their order; any other text without white space, capitals and punctuation.

    Examples:
        >>> quasi_exact_match("$1,000", "1000"), quasi_exact_match("sea gull", "Seagull")
        (True, True)
    """
    number = _float(expected)
    if number is not None:
        return _float(answer.translate(str.maketrans("", "", "$%,"))) == number
    if not re.search("[,;]", expected):
        return _bare(answer) == _bare(expected)
    given, wanted = re.split("[,;]", answer), re.split("[,;]", expected)
    return len(given) == len(wanted) and all(map(_same_part, given, wanted))


def last_number(text: str) -> float | None:
    """Return the last number of a text; None where there is none.

    Digits within words, file names, dates, times and ranges are not numbers.

    Examples:
        >>> last_number("The total of q3.csv on 2024-05-01 is $1,250.50.")
        1250.5
    """
    found = _NUMBER.findall(text)
    if not found:
        return None
    sign, whole, rest = found[-1]
    number = float(whole.replace(",", "") + rest)
    return number if sign in ("", "+") else -number


def _same_part(given: str, wanted: str) -> bool:
    number = _float(wanted)
    if number is not None:
        return _float(given.translate(str.maketrans("", "", "$%,"))) == number
    return "".join(given.lower().split()) == "".join(wanted.lower().split())


def _bare(text: str) -> str:
    return "".join(text.lower().translate(_NO_PUNCTUATION).split())


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
