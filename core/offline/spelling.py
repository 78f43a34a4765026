"""Spelling: spoken sums rewritten with digits and signs."""

import re

from cogwork.core.offline.words import word_set

__all__ = ["FUNCTIONS", "OPENING", "NoSumError", "normal"]

FUNCTIONS = word_set(
    """sqrt round min max sum mean median abs log log2 log10 ln exp sin cos tan floor ceil pow
    factorial stdev variance"""
)
_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
    fifteen sixteen seventeen eighteen nineteen"""
_ONES = _SMALL.split()
_TENS = [f"{ten}ty" for ten in ("twen", "thir", "for", "fif", "six", "seven", "eigh", "nine")]
_WORTH = {
    **{word: value for value, word in enumerate(_ONES)},
    **{word: 10 * value for value, word in enumerate(_TENS, 2)},
}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 10**9, "dozen": 12}
_PHRASES = [  # what is said → signs and names; longer ones first
    (re.compile(rf"\b(?:{said})\b"), put)
    for said, put in (
        (r"multiplied (?:by|with)|times", "*"),
        (r"divided by|over", "/"),
        (r"plus|added to", "+"),
        (r"minus", "-"),
        (r"modulo|mod", "mod"),
        (r"(?:raised )?to the power(?: of)?", "**"),
        (r"square root(?: of)?", "sqrt-of"),
        (r"(?:factorial|absolute value|square|cube) of", lambda m: m[0].split()[0] + "-of"),
        (r"per ?cent(?:age)?s?", "%"),
        (r"(\d+)(?:st|nd|rd|th)? power of", r"power-\1-of"),
        (r"to the (\d+)(?:st|nd|rd|th) power", r"** \1"),
        (
            r"(?:all )?(?:the )?(?:numbers|integers) (?:from|between) (\d+) (?:to|through|and) (\d+)",
            r"range-\1-\2",
        ),
        (r"(?:decimals?|digits?)(?: places?)?|places", "decimals"),
        (r"(?:the )?(?:average|mean)(?: value)?(?: of)?(?: the numbers)?", "mean-list"),
        (r"(?:the )?(?:sum|total)(?: of)?(?: the numbers)?|add up", "sum-list"),
        (r"(?:the )?median(?: of)?", "median-list"),
        (r"(?:the )?(?:minimum|smallest|lowest)(?: of| among)", "min-list"),
        (r"(?:the )?(?:maximum|largest|biggest|highest)(?: of| among)", "max-list"),
        (r"(?:the )?product of", "product-list"),
        (r"(?:the )?difference (?:between|of)", "difference-of"),
        (r"(?:the )?(?:quotient|ratio) of", "quotient-of"),
        (r"increased by", "raise-by"),
        (r"(?:decreased|reduced|lowered) by", "lower-by"),
        (r"rounded to", "round-to"),
        (r"as much as|as many as", ""),
    )
]
OPENING = re.compile(
    r"^(?:(?:please|now|and|then|so|(?:what|how much)(?: is| are| will be)?|what's|calculate|compute|evaluate|solve|work out|find"
    r"|determine|tell me|give me|the|result|value|answer|expression|of|to|equals?)\s+|[:=]\s*)+"
)
_CLOSING = re.compile(
    r"(?:\s*(?:in total|altogether|please|equals?|=|\?|\.|!(?=\s*$)(?<=\s!)|:|;|,))+\s*$"
)
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "²": " squared "})


class NoSumError(Exception):
    """The text is no sum; its argument is the word at which that shows."""


def normal(text: str) -> str:
    """Lower case, one sign for each operation, digits for numbers."""
    plain = re.sub(r"[\"'`“”](?![a-z])", " ", text.lower().strip()).translate(_SIGNS)
    plain = re.sub(r"(?<=\d)\s*x\s*(?=\d)", " * ", plain).replace("^", " ** ")
    plain = re.sub(r"\b(?:three|3)[ -]quarters of\b", "part-3-4-of", plain)
    plain = re.sub(r"\b(?:two|2)[ -]thirds of\b", "part-2-3-of", plain)
    plain = _numbers(plain)
    plain = _CLOSING.sub("", plain.strip())
    if re.search(r"\d\s*!\?*$", text.strip()):
        plain = plain.rstrip(" ?") + ("" if plain.rstrip(" ?").endswith("!") else " !")
    for pattern, put in _PHRASES:
        plain = pattern.sub(put, plain)
    return OPENING.sub("", plain.strip() + " ").strip()


def _numbers(text: str) -> str:
    """Write numbers in one way: "twenty-five" → 25, "1.200,50" → 1200.50, "2 million"."""
    text = re.sub(rf"\b({'|'.join(_TENS)})[ -]({'|'.join(_ONES[1:10])})\b", _sum_of_words, text)
    text = re.sub(rf"\b(?:{'|'.join([*_ONES, *_TENS])})\b", lambda m: str(_WORTH[m[0]]), text)
    text = re.sub(
        r"(?<![\d.,])\d{1,3}(?:\.\d{3})+,\d+\b",
        lambda m: m[0].replace(".", "").replace(",", "."),
        text,
    )
    if not re.search(rf"\b(?:{'|'.join(FUNCTIONS)})\(", text):
        text = re.sub(
            r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])", lambda m: m[0].replace(",", ""), text
        )
        if re.search(r"(?<![\d.,])\d+,\d+(?![\d,])", text) and re.search(
            r"\b(?:of|and|add)\b", text
        ):
            raise NoSumError("the comma")  # of a list, or of a decimal
        text = re.sub(r"(?<![\d.,])(\d+),(\d+)(?![\d,])", r"\1.\2", text)
    text = re.sub(
        r"(?<![\d.])(\d{1,3})((?: \d{3})+)(?![\d.])", lambda m: m[1] + m[2].replace(" ", ""), text
    )
    scale = rf"(\d+(?:\.\d+)?) ({'|'.join(_SCALES)})\b(?: and (\d{{1,2}})\b| (\d{{1,2}})\b)?"
    while (scaled := re.sub(scale, _scaled, text)) != text:
        text = scaled
    return text


def _sum_of_words(match: re.Match[str]) -> str:
    return str(_WORTH[match[1]] + _WORTH[match[2]])


def _scaled(match: re.Match[str]) -> str:
    if match[2] != "hundred" and (match[3] or match[4]):
        return f"{_times(match[1], match[2])} {'and ' if match[3] else ''}{match[3] or match[4]}"
    value = _times(match[1], match[2])
    return str(int(value) + int(match[3] or match[4])) if match[3] or match[4] else value


def _times(number: str, scale: str) -> str:
    value = float(number) * _SCALES[scale] if "." in number else int(number) * _SCALES[scale]
    return str(int(value) if value == int(value) else value)
