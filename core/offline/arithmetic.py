"""Arithmetic: spoken and written sums, as expressions that a calculator takes."""

import ast
import re
from functools import lru_cache

from cogwork.core.offline.literals import FILLER, read_literals
from cogwork.core.offline.words import word_set

__all__ = ["FUNCTIONS", "expressions", "put_value"]

FUNCTIONS = word_set(
    """sqrt round min max sum mean median abs log log2 log10 ln exp sin cos tan floor ceil pow
    factorial stdev variance"""
)
_N = r"(-?\d+(?:\.\d+)?|\([^()]*\))"
_LIST = (
    r"((?:-?\d+(?:\.\d+)?)(?:\s*,\s*(?:and\s+)?-?\d+(?:\.\d+)?|\s+(?:and|&)\s+-?\d+(?:\.\d+)?)+)"
)
_PERCENT = r"\s*(?:%|percent|per\s+cent)"
_MEASURES = {
    "sum": r"sum|total|add\s+up|add",
    "mean": r"mean|average",
    "median": r"median",
    "min": r"min(?:imum)?|smallest|lowest|least",
    "max": r"max(?:imum)?|largest|biggest|greatest|highest",
}
_WORDS = dict(
    re.findall(
        r"(\w+)=(\d+)",
        """zero=0 one=1 two=2 three=3 four=4 five=5 six=6 seven=7 eight=8 nine=9 ten=10 eleven=11
        twelve=12 thirteen=13 fourteen=14 fifteen=15 sixteen=16 seventeen=17 eighteen=18
        nineteen=19 twenty=20 thirty=30 forty=40 fifty=50 hundred=100 thousand=1000""",
    )
)

# What is said → the expression for it, in the order in which they are tried.
# N is a number or something in brackets, P is "%" or its words, a space is any space.
_SAID = r"""
what ?P(?:age)? of N is N → (\2 / \1 * 100)
(?:what ?P(?:age)?|percentage|percent) is N (?:out )?of N → (\1 / \2 * 100)
N (?:is what|as a) ?P(?:age)? of N → (\1 / \2 * 100)
N ?P of N → (\1 / 100 * \2)
N ?P off(?: of)? N → (\2 * (1 - \1 / 100))
N ?/ ?N of N → (\1 / \2 * \3)
N factorial → factorial(\1)
(?:increased?|raised?) N by N ?P → (\1 * (1 + \2 / 100))
N ?(?:increased by|raised by|plus|\+) ?N ?P(?! ?[\d(]) → (\1 * (1 + \2 / 100))
(?:decreased?|reduced?|lowere?d?) N by N ?P → (\1 * (1 - \2 / 100))
N ?(?:(?:de|re)\w+ by|minus|less|-) ?N ?P(?! ?[\d(]) → (\1 * (1 - \2 / 100))
round(?:ed)? N to N (?:decimals?|digits?|places)(?: places)? → round(\1, \2)
N ?,? rounded to N (?:decimals?|digits?|places)(?: places)? → round(\1, \2)
round N → round(\1)
square root of N → sqrt(\1)
(?:(?<=compute )|(?<=calculate )|(?<=is )|(?<=of ))N!|factorial of N → factorial(\1\2)
absolute value of N → abs(\1)
(?:the )?square of N|N squared|square N → (\1\2\3 ** 2)
(?:the )?cube of N|N cubed → (\1\2 ** 3)
N (?:raised )?to the (?:power (?:of )?N|N(?:st|nd|rd|th) power) → (\1 ** \2\3)
(?:a |one )?half of N|halve N → (\1\2 / 2)
(?:a |one )?third of N → (\1 / 3)
(?:a |one )?quarter of N → (\1 / 4)
(?:double|twice) (?:of )?N → (2 * \1)
triple N → (3 * \1)
add N (?:to|and|with) N(?! ?(?:,|and)) → (\1 + \2)
subtract N from N → (\2 - \1)
difference (?:between|of) N and N → (\1 - \2)
multiply N (?:by|and|with) N|product of N and N → (\1\3 * \2\4)
divide N by N|(?:quotient|ratio) of N (?:and|to) N → (\1\3 / \2\4)
 (?:plus|added to)  → +
 minus  → -
 (?:times|multiplied by|multiplied with)  → *
 (?:divided by|over)  → /
 (?:modulo|mod)  → %
"""


def _rules() -> list[tuple[re.Pattern[str], str]]:
    found = []
    for line in _SAID.strip("\n").split("\n"):
        said, put = line.split(" → ")
        pattern = (
            said.replace(" ?", r"\s*").replace(" )", "\0)").replace(" ", r"\s+").replace("\0", " ")
        )
        pattern = pattern.replace("N", _N).replace("P", r"(?:%|percent|per\s+cent)")
        found.append((re.compile(pattern), f" {put} "))
    return found


_RULES = _rules()
_OF_LIST = [
    (re.compile(rf"(?:{said})(?: value)?(?: of| among)?(?: the numbers?)?:?\s+{_LIST}"), name)
    for name, said in _MEASURES.items()
]
_RANGE = re.compile(
    r"\b(?:all\s+)?(?:the\s+)?(?:numbers|integers)\s+(?:from\s+|between\s+)?(\d{1,6})\s+(?:to"
    r"|through|and)\s+(\d{1,6})\b"
)
_AND = re.compile(r"\s*(?:,\s*(?:and\s)?|\band\b|&)\s*")
_LONGEST = 4_000  # characters of an expression
_CANDIDATE = re.compile(
    rf"(?:\b(?:{'|'.join(sorted(FUNCTIONS, key=len, reverse=True))})\s*\(|\*\*|//|[-+*/%(),]"
    r"|(?<![\w.])\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])|\b(?:pi|tau)\b|\s)+"
)
_MEANT = re.compile(
    r"\b(?:what(?:'s|s)?|how\s+much|calculate|compute|evaluate|solve|work\s+out|result|equals?"
    r"|value"
    r"|determine|find|expression|answer)\b"
)
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "^": "\x02", "²": "\x03"})


@lru_cache(maxsize=512)
def expressions(text: str) -> tuple[str, ...]:
    """Return the arithmetic expressions that `text` writes or says, in order.

    >>> expressions("What is 17.5 % of 2340, and what is 2^10?")
    ('17.5 / 100 * 2340', '2 ** 10')
    """
    plain = _normal(text)
    said = plain
    for rule, put in _RULES:
        said = rule.sub(put, said)
    for rule, name in _OF_LIST:
        said = _call(rule, name, said)
    found = [part for match in _CANDIDATE.finditer(said) for part in _valid(match.group())]
    kept = [_outer(expression) for expression in found]
    if not _uses_all(kept, read_literals(text).masked):
        return ()
    if said == plain and not _MEANT.search(plain):
        # only digits and signs may be a range or a code, unless they are all there is
        kept = [expression for expression in kept if _is_plain_sum(expression, plain)]
    return tuple(_spaced(expression) for expression in kept)


def _counted(found: re.Match[str]) -> str:
    """Write out "the numbers from 1 to 10", unless that gets long."""
    low, high = int(found[1]), int(found[2])
    return ", ".join(map(str, range(low, high + 1))) if 0 <= high - low <= 200 else found.group()


def _call(rule: re.Pattern[str], name: str, text: str) -> str:
    return rule.sub(lambda found: f"{name}({_AND.sub(', ', found[1])})", text)


def _normal(text: str) -> str:
    """Lower case, one sign per operation, digits for numbers; literals stay masked."""
    quoted = read_literals(text)
    masked = quoted.masked
    for part in quoted.quoted:  # an expression may stand in quotes
        if re.fullmatch(r"[\d\s.()+*/%^×÷-]{3,}", part) and any(map(str.isdigit, part)):
            masked = masked.replace(FILLER * (len(part) + 2), part, 1)
    plain = masked.lower().translate(_SIGNS).replace("\x02", " ** ").replace("\x03", " ** 2")
    plain = re.sub(r"(?<=\d),(?=\d{3}(?!\d))(?<!\d{4},)", "", plain)
    plain = re.sub(r"(?<=\d)\s*x\s*(?=\d)", " * ", plain)
    plain = re.sub(r"\b[a-z]+\b", lambda word: _WORDS.get(word.group(), word.group()), plain)
    plain = _RANGE.sub(_counted, plain)
    return re.sub(r"\b(sum|add|average|mean)\s+up\b", r"\1", plain)


def _valid(candidate: str) -> list[str]:
    """Return the operations in the candidate, without loose ends; often there is none."""
    text = candidate.strip(" ,+*/%")
    while text and len(text) <= _LONGEST:
        try:
            tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            shorter = _without_loose_bracket(text)
            if shorter == text:
                return []
            text = shorter
            continue
        parts = tree.elts if isinstance(tree, ast.Tuple) else [tree]
        kept = [part for part in parts if isinstance(part, (ast.BinOp, ast.Call))]
        if len(kept) == 1 == len(parts):
            return [text]  # with the brackets that the tree does not show
        return [ast.get_source_segment(text, part) or "" for part in kept]
    return []


def _without_loose_bracket(text: str) -> str:
    """Drop a bracket that has no partner at either end, as of "(see 3 + 4)"."""
    if text.startswith("(") and text.count("(") > text.count(")"):
        return text[1:].strip(" ,+*/%")
    if text.endswith(")") and text.count(")") > text.count("("):
        return text[:-1].strip(" ,+-*/%")
    if text[-1] in "-(":
        return text[:-1].strip(" ,+*/%")
    return text


def _outer(text: str) -> str:
    """Drop brackets around the whole."""
    tree = ast.parse(text, mode="eval").body
    while text.startswith("(") and text.endswith(")"):
        try:
            inner = ast.parse(text[1:-1].strip(), mode="eval").body
        except SyntaxError:
            return text
        if ast.dump(inner) != ast.dump(tree):
            return text
        text = text[1:-1].strip()
    return text


def _uses_all(kept: list[str], plain: str) -> bool:
    """Tell whether no number is left over, which would mean that more is asked than a sum."""
    used = re.findall(r"\d+(?:\.\d+)?", " ".join(kept))
    said = [
        digits.replace(",", "") for digits in re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?", plain)
    ]
    said = [digits for part in said for digits in re.findall(r"\d+(?:\.\d+)?", part)]
    return all(used.count(digits) >= said.count(digits) for digits in set(said))


def _is_plain_sum(expression: str, plain: str) -> bool:
    if re.fullmatch(r"[\W_]*", plain.replace(expression, "", 1)):
        return True
    return bool(re.search(r"[*+/%]|\s-\s|[a-z]\(", expression)) and "\x01" not in plain


def _spaced(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"\s*,\s*", ", ", text)).strip()


_OPEN_ENDED = [
    (re.compile(rf"(?i)^add\s+{_N}$"), r"{} + \1"),
    (re.compile(rf"(?i)^subtract\s+{_N}$"), r"{} - \1"),
    (re.compile(rf"(?i)^(?:multiply|times)(?:\s+by)?\s+{_N}$"), r"{} * \1"),
    (re.compile(rf"(?i)^divided?(?:\s+by)?\s+{_N}$"), r"{} / \1"),
    (
        re.compile(rf"(?i)^(?:increase|decrease|reduce|raise)\s+by\s+({_N}{_PERCENT})$"),
        r"increase {} by \1",
    ),
    (re.compile(r"(?i)^(double|triple|halve|square|round)(.*)$"), r"\1 {}\2"),
]


def put_value(text: str, value: str) -> str:
    """Complete a sum that goes on from an earlier result: "add 3" → "42 + 3"."""
    plain = text.strip(" .!?")
    shown = f"({value})" if value.startswith("-") else value
    for rule, put in _OPEN_ENDED:
        if rule.match(plain):
            return rule.sub(put, plain).replace("{}", shown)
    return text
