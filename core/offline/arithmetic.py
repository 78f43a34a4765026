"""Arithmetic: spoken and written sums, as expressions that a calculator takes.

A text is a sum only if every word of it is one of the grammar's: numbers, operations,
and what stands before a question. One word more ("in binary", "apples") and it is none.
"""

import re
from functools import lru_cache
from typing import Any, TypeAlias

from cogwork.core.offline.spelling import FUNCTIONS, OPENING, NoSumError, normal

__all__ = ["expressions", "misunderstood", "put_value"]

_TIMES = {
    "halve": ("/", "2"), "double": ("*", "2"), "twice": ("*", "2"), "triple": ("*", "3"),
    "square": ("**", "2"), "cube": ("**", "3"),
}  # fmt: skip
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fifth": 5, "tenth": 10}
_TOKEN = re.compile(
    r"\s*(?P<token>\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.]*\w)|\*\*|//|[-+*/%(),!]|[a-z][a-z0-9-]*|\S)"
)
_LONGEST, _MOST, _DEEPEST = 2_000, 400, 30  # characters, tokens, and brackets within brackets

Node: TypeAlias = str | tuple[Any, ...]  # a number, or what is done with which
_BINDS = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "mod": 2, "**": 4}


@lru_cache(maxsize=512)
def expressions(text: str) -> tuple[str, ...]:
    """Return the arithmetic expressions that `text` writes or says, in order.

    >>> expressions("What is 17.5 % of 2340?")
    ('17.5 / 100 * 2340',)
    """
    try:
        return _read(text)
    except NoSumError:
        return ()


def misunderstood(text: str) -> str:
    """Return the word at which a text that looks like a sum turns out to be none, or nothing."""
    if not re.search(r"\d", text) or not re.search(
        r"[+*/^%]|\d\s*-|\b(?:plus|minus|times|divided|percent|sum|of)\b", text
    ):
        return ""
    try:
        _read(text)
    except NoSumError as error:
        return str(error)
    return ""


def _read(text: str) -> tuple[str, ...]:
    if len(text) > _LONGEST:
        raise NoSumError(text[:20])
    plain = normal(text)
    tokens = [match["token"] for match in _TOKEN.finditer(plain)]
    if len(tokens) > _MOST:
        raise NoSumError(tokens[_MOST])
    tokens = [token for token in tokens if token not in {"the", "a", "an"}]
    parser = _Parser(tokens)
    found = parser.whole()
    asks = OPENING.match(text.lower().strip()) is not None
    if not asks and re.fullmatch(r"\W*\d+(?:-\d+)+\W*", text):
        return ()  # a range, or a telephone number
    return tuple(_shown(node) for node in found if not isinstance(node, str))


class _Parser:
    """Reads tokens by operator precedence; raises at the first that is not the grammar's."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def _peek(self, ahead: int = 0) -> str:
        index = self._at + ahead
        return self._tokens[index] if index < len(self._tokens) else ""

    def _take(self, *wanted: str) -> bool:
        if self._tokens[self._at : self._at + len(wanted)] != list(wanted):
            return False
        self._at += len(wanted)
        return True

    def _need(self, *wanted: str) -> str:
        token = self._peek()
        if token not in wanted:
            raise NoSumError(token or "the end")
        self._at += 1
        return token

    def whole(self) -> list[Node]:
        """Return all the sums, which commas and "and" part."""
        found = [self._sum()]
        while self._at < len(self._tokens):
            self._take(",")
            self._take("and")
            found.append(self._sum())
        if len(found) > 1 and any(isinstance(node, str) for node in found):
            raise NoSumError("and")
        return found

    def _sum(self) -> Node:
        node = self._question() or self._order() or self._infix(1)
        while True:
            if self._peek() in {",", "then"} and self._peek(self._peek() == ",") == "then":
                self._take(",")
                self._take("then")
                sign = self._need("+", "-", "*", "/", "**")
                node = (sign, node, self._infix(1))
            elif self._take("round-to"):
                node = ("round", [node, self._primary()])
                self._need("decimals")
            elif self._peek() in {"raise-by", "lower-by"}:
                node = self._changed(node, self._need("raise-by", "lower-by"))
            else:
                return node

    def _question(self) -> Node | None:
        """Read questions for a percentage."""
        start = self._at
        if self._take("%", "change", "from"):
            old = self._infix(1)
            self._need("to")
            return ("*", ("/", ("-", self._infix(1), old), old), "100")
        if self._take("%") or self._take("what", "%"):
            if self._take("of"):
                whole = self._infix(1)
                self._need("is")
                return ("*", ("/", self._infix(1), whole), "100")
            if self._take("is"):
                part = self._infix(1)
                self._take("out")
                self._need("of")
                return ("*", ("/", part, self._infix(1)), "100")
        self._at = start
        for middle in (("is", "what", "%", "of"), ("as", "%", "of")):
            ahead = len(middle)
            if self._tokens[1 : 1 + ahead] == list(middle) and not start:
                part = self._primary()
                self._at += ahead
                return ("*", ("/", part, self._infix(1)), "100")
        return None

    def _order(self) -> Node | None:
        """Read "add 3 to 4" and its like."""
        verb = self._peek()
        joins = {
            "add": ("to", "and", "with"), "subtract": ("from",), "multiply": ("by", "and", "with"),
            "divide": ("by",),
        }  # fmt: skip
        if verb in {"increase", "raise", "decrease", "reduce", "lower"}:
            self._at += 1
            node = self._primary()
            self._need("by")
            return self._changed(node, "raise-by" if verb in {"increase", "raise"} else "lower-by")
        if verb == "round":
            self._at += 1
            node = self._primary()
            if not self._take("to"):
                return ("round", [node])
            digits = self._primary()
            self._need("decimals")
            return ("round", [node, digits])
        if verb == "add" and self._is_list(self._at + 1):
            self._at += 1
            return ("sum", self._list())
        if verb not in joins:
            return None
        self._at += 1
        left = self._infix(1)
        self._need(*joins[verb])
        right = self._infix(1)
        sign = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}[verb]
        return (sign, right, left) if verb == "subtract" else (sign, left, right)

    def _changed(self, node: Node, how: str) -> Node:
        by = self._primary()
        sign = "+" if how == "raise-by" else "-"
        return ("*", node, (sign, "1", ("/", by, "100"))) if self._take("%") else (sign, node, by)

    def _infix(self, weakest: int) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise NoSumError("(")
        node = self._prefix()
        while True:
            sign = self._peek()
            if sign == "%" and not self._ends_percent():
                sign = "mod"
            if _BINDS.get(sign, 0) < weakest:
                break
            self._at += 1
            if sign in {"+", "-"} and (by := self._percent()):
                node = ("*", node, (sign, "1", by))
                continue
            node = (sign, node, self._infix(_BINDS[sign] + (sign != "**")))
        self._depth -= 1
        return node

    def _ends_percent(self) -> bool:
        """Tell whether "%" is a percentage here and no remainder."""
        after = self._peek(1)
        return not (after == "(" or after[:1].isdigit())

    def _percent(self) -> Node | None:
        """Read "10 %" that stands alone after a sign."""
        if (
            self._peek(1) == "%"
            and self._peek(2) not in {"of", "off"}
            and self._peek()[:1].isdigit()
        ):
            after = self._peek(2)
            if after == "(" or after[:1].isdigit():
                return None
            number = self._peek()
            self._at += 2
            return ("/", number, "100")
        return None

    def _prefix(self) -> Node:
        if self._take("-"):
            return ("neg", [self._infix(3)])
        if self._take("+"):
            return self._infix(3)
        node = self._primary()
        while True:
            if self._take("!") or self._take("factorial"):
                node = ("factorial", [node])
            elif self._peek() in {"squared", "cubed"}:
                if self._at > 1 and self._tokens[self._at - 2] == "-":
                    raise NoSumError(self._peek())
                node = ("**", node, "2" if self._need("squared", "cubed") == "squared" else "3")
            else:
                return node

    def _primary(self) -> Node:
        token = self._peek()
        self._at += 1
        if token[:1].isdigit():
            return self._after_number(token)
        if token == "(":  # noqa: S105 - a sign, no password
            node = self._infix(1)
            self._need(")")
            return node
        if token in {"pi", "tau"}:
            return token
        if token in FUNCTIONS and self._take("("):
            return (token, self._arguments())
        return self._named(token)

    def _after_number(self, number: str) -> Node:
        if self._take("%", "of"):
            return ("*", ("/", number, "100"), self._prefix())
        if self._take("%", "off"):
            self._take("of")
            return ("*", self._prefix(), ("-", "1", ("/", number, "100")))
        for word, sign in (("more", "+"), ("less", "-")):
            if self._take("%", word, "than"):
                return ("*", self._prefix(), (sign, "1", ("/", number, "100")))
            if self._take(word, "than"):
                return (sign, self._prefix(), number)
        if self._peek() == "(" or self._peek()[:1].isdigit():
            raise NoSumError(self._peek())
        return number

    def _named(self, token: str) -> Node:
        """Read what has a name: "half of 90", "the mean of 3, 5 and 10"."""
        if token in _PARTS and self._take("of"):
            return ("/", self._prefix(), str(_PARTS[token]))
        if token in _TIMES:
            self._take("of")
            sign, number = _TIMES[token]
            return (sign, number, self._prefix()) if sign == "*" else (sign, self._prefix(), number)
        return self._phrase(token)

    def _phrase(self, token: str) -> Node:
        """Read what `_PHRASES` put in the place of "the square root of" and its like."""
        name, _, rest = token.rpartition("-")
        if rest == "of" and name in {"sqrt", "factorial", "absolute", "square", "cube"}:
            node = self._prefix()
            if name in {"square", "cube"}:
                return ("**", node, "2" if name == "square" else "3")
            return ("abs" if name == "absolute" else name, [node])
        if rest == "of" and name in {"difference", "quotient"}:
            left = self._infix(1)
            self._need("and", "to")
            return ("-" if name == "difference" else "/", left, self._infix(1))
        if found := re.fullmatch(r"(power|part)-(\d+)(?:-(\d))?-of", token):
            if found[1] == "power":
                return ("**", self._prefix(), found[2])
            return ("*", ("/", found[2], found[3]), self._prefix())
        if rest == "list":
            return self._of_list(name)
        raise NoSumError(token or "the end")

    def _arguments(self) -> list[Node]:
        found = [self._infix(1)]
        while self._take(","):
            found.append(self._infix(1))
        self._need(")")
        return found

    def _is_list(self, at: int) -> bool:
        """Tell whether three numbers or more stand there: "add 1, 2 and 3"."""
        rest = " ".join(self._tokens[at:])
        return re.match(r"-?\s?[\d.]+ ,(?: and)? -?\s?[\d.]+ (?:,|and)", rest) is not None

    def _of_list(self, name: str) -> Node:
        if found := re.fullmatch(r"range-(\d{1,6})-(\d{1,6})", self._peek()):
            self._at += 1
            low, high = int(found[1]), int(found[2])
            if not 0 <= high - low <= 200:
                raise NoSumError("the range")
            listed: list[Node] = [str(number) for number in range(low, high + 1)]
        else:
            listed = self._list()
        if name == "product":
            node = listed[0]
            for other in listed[1:]:
                node = ("*", node, other)
            return node
        return (name, listed)

    def _list(self) -> list[Node]:
        """Read plain numbers; an operation beside them would leave open what it is of."""
        found = [self._item()]
        while self._peek() in {",", "and"}:
            self._take(",")
            self._take("and")
            found.append(self._item())
        if len(found) < 2 or self._peek():
            raise NoSumError(self._peek() or "the list")
        return found

    def _item(self) -> Node:
        minus = self._take("-")
        token = self._peek()
        if not token[:1].isdigit():
            raise NoSumError(token or "the end")
        self._at += 1
        return ("neg", [token]) if minus else token


def _shown(node: Node, weakest: int = 0, *, right: bool = False) -> str:
    """Write a tree out, with the brackets it needs."""
    if isinstance(node, str):
        return node
    if node[0] == "neg":
        text = f"-{_shown(node[1][0], 3)}"
        return f"({text})" if weakest > 1 or right else text
    if len(node) == 2:
        return f"{node[0]}({', '.join(_shown(each) for each in node[1])})"
    sign, one, other = node
    binds = _BINDS[sign]
    left = _shown(one, binds + (sign == "**"))
    text = f"{left} {'%' if sign == 'mod' else sign} {_shown(other, binds + (sign != '**'), right=True)}"
    return f"({text})" if binds < weakest else text


_N = r"-?\d+(?:\.\d+)?"
_OPEN_ENDED = [
    (re.compile(rf"(?i)^add\s+({_N})$"), r"{} + \1"),
    (re.compile(rf"(?i)^subtract\s+({_N})$"), r"{} - \1"),
    (re.compile(rf"(?i)^(?:multiply|times)(?:\s+by)?\s+({_N})$"), r"{} * \1"),
    (re.compile(rf"(?i)^divided?(?:\s+by)?\s+({_N})$"), r"{} / \1"),
    (
        re.compile(rf"(?i)^(?:increase|decrease|reduce|raise)\s+by\s+({_N}\s*(?:%|percent))$"),
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
