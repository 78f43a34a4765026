"""A calculator for agents: it reads arithmetic itself and never asks Python to run any.

One pass over the tokens by operator precedence, the same as Python's. `N% of X` binds
tighter than `*`. Lengths and depths are bounded here, sizes of numbers in `arithmetic`.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cogwork.core.errors import ToolError
from cogwork.core.registry import nearest
from cogwork.tools.arithmetic import CONSTANTS, FUNCTIONS, MAX_BITS, Number, binary, call, shown
from cogwork.tools.base import tool

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "MAX_TOKENS", "calculator", "evaluate"]

MAX_LENGTH = 10_000
"""Characters of an expression."""
MAX_TOKENS = 4_000
"""Numbers, names and signs of an expression."""
MAX_DEPTH = 40
"""Parentheses, calls, signs and powers within one another."""

_MAX_DIGITS = int(MAX_BITS * 0.30103)

# What each sign binds, weakest first. A prefix sign stands between `% of` and `**`.
_BINDS = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "% of": 3, "**": 5}
_PREFIX = 4

_TOKEN = re.compile(
    r"""(?P<number>(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<percent>%\s*of\b)
    |(?P<sign>\*\*|//|[-+*/%()\[\],])
    |(?P<blank>\s+)""",
    re.VERBOSE | re.ASCII,
)
_TYPOGRAPHY = str.maketrans("×·⋅÷−–", "***/--")  # noqa: RUF001 - what people paste
_HINTS = {
    "^": "for a power write **",
    "!": "for a factorial write factorial(n)",
    "√": "for a root write sqrt(x)",
    "=": "write only what is to be computed",
    "<": "comparisons are not arithmetic; subtract and look at the sign",
    ">": "comparisons are not arithmetic; subtract and look at the sign",
    "$": "leave currencies out",
    "€": "leave currencies out",
}
_GROUPED = re.compile(r"\d,\d{3}(?!\d)", re.ASCII)
_SPACED = re.compile(r",\s")


@tool(effect="read", network=False, timeout=10, parse_docstring=True)
def calculator(expression: str) -> str:
    """Compute an arithmetic expression; integers are exact.

    Knows + - * / // % ** and parentheses, "15% of 80", pi, e, tau, and abs round floor ceil
    sqrt exp ln log(x, base) log10 log2 pow sin cos tan asin acos atan (radians) degrees
    radians factorial comb gcd lcm hypot; on lists such as [1, 2, 3]: min max sum mean
    median stdev. Write 1234, not 1,234: a comma separates numbers.

    Args:
        expression: What to compute, for example "(19.99 * 3 + 5) / 2" or "mean([3, 4, 8])".
    """
    return shown(evaluate(expression))


def evaluate(expression: str) -> Number:
    """Compute an arithmetic expression as Python would.

    Args:
        expression: See `calculator`. Between brackets a comma separates, as in
            `mean(100,200)`; where some commas look like digit groups and others are
            followed by a blank, as in `sum(1,234, 5)`, the expression is refused as
            ambiguous, and so is a comma outside of brackets.

    Raises:
        ToolError: It is no arithmetic, is undefined, or exceeds a limit.
    """
    try:
        return _Reader(expression).result()
    except ToolError as error:
        brief = expression if len(expression) <= 80 else f"{expression[:77]}…"
        raise ToolError(f"cannot compute {brief!r}: {error}") from None


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


_END = "end"


class _Reader:
    """Reads tokens from left to right and computes as it goes."""

    def __init__(self, expression: str) -> None:
        _check_text(expression)
        self._tokens = list(_tokens(expression.translate(_TYPOGRAPHY)))
        if len(self._tokens) > MAX_TOKENS:
            raise ToolError(
                f"it has {len(self._tokens):,} numbers, names and signs; "
                f"the limit is {MAX_TOKENS:,}, so compute it in parts"
            )
        self._tokens.append(_Token(_END, "", len(expression)))
        self._next = 0
        self._depth = 0

    def result(self) -> Number:
        value = self._expression(0)
        if self._token.kind != _END:
            raise self._unexpected("an operator or the end")
        return value

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, text: str) -> bool:
        """Step over the next token if it is the sign `text`."""
        if self._token.kind != "sign" or self._token.text != text:
            return False
        self._next += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected(f"'{text}'")

    def _expression(self, floor: int) -> Number:
        """Read operands joined by signs that bind tighter than `floor`."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ToolError(f"it is nested deeper than {MAX_DEPTH}; compute the inner parts first")
        value = self._operand()
        while (bind := self._bind()) > floor:
            symbol = self._token.text
            self._next += 1
            right = self._expression(_PREFIX if symbol == "**" else bind)
            value = binary(symbol, value, right)
        self._depth -= 1
        return value

    def _bind(self) -> int:
        return _BINDS.get(self._token.text, 0) if self._token.kind == "sign" else 0

    def _operand(self) -> Number:
        if self._take("-"):
            return -self._expression(_PREFIX)
        if self._take("+"):
            return self._expression(_PREFIX)
        if self._take("("):
            value = self._expression(0)
            self._expect(")")
            return value
        token = self._token
        if token.kind == "number":
            self._next += 1
            return _number(token.text)
        if token.kind == "name":
            self._next += 1
            return self._named(token)
        raise self._unexpected("a number")

    def _named(self, token: _Token) -> Number:
        name = token.text.lower()
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name not in FUNCTIONS:
            known = nearest(name, [*FUNCTIONS, *CONSTANTS])
            raise ToolError(f"the calculator has no '{token.text}'; {known}")
        self._expect("(")
        values = self._values(name) if not self._take(")") else []
        return call(name, values)

    def _values(self, name: str) -> list[Number]:
        """Read arguments up to `)`; a list among them is spread."""
        values: list[Number] = []
        while True:
            if self._token.text == "[" and FUNCTIONS[name].most is None:
                values += self._list()
            else:
                values.append(self._expression(0))
            if self._take(")"):
                return values
            if not self._take(","):
                raise self._unexpected("',' or ')'")

    def _list(self) -> list[Number]:
        self._expect("[")
        values = [self._expression(0)]
        while not self._take("]"):
            if not self._take(","):
                raise self._unexpected("',' or ']'")
            values.append(self._expression(0))
        return values

    def _unexpected(self, expected: str) -> ToolError:
        token = self._token
        found = "the end" if token.kind == _END else f"'{token.text}'"
        hint = ""
        if token.text == ",":
            hint = "; write 1234 without commas"
        elif token.text == "[":
            hint = "; a list stands inside sum(...), mean(...) and the like"
        elif self._next and self._tokens[self._next - 1].text == "%":
            hint = "; for a percentage write '15% of 80' or 15/100"
        elif token.kind in {"number", "name"} or token.text == "(":
            hint = "; write * for a product"
        return ToolError(
            f"expected {expected} at position {token.position + 1}, found {found}{hint}"
        )


def _check_text(expression: str) -> None:
    if len(expression) > MAX_LENGTH:
        raise ToolError(
            f"it has {len(expression):,} characters; the limit is {MAX_LENGTH:,}, "
            "so compute it in parts"
        )
    if _GROUPED.search(expression) and _SPACED.search(expression):
        raise ToolError(
            "its commas are ambiguous; write 1234 instead of 1,234, "
            "and a blank after each comma that separates numbers"
        )


def _tokens(expression: str) -> Iterator[_Token]:
    position = 0
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if match is None:
            sign = expression[position]
            hint = _HINTS.get(sign, "use numbers, + - * / // % **, parentheses and function names")
            raise ToolError(f"{sign!r} at position {position + 1} is no arithmetic; {hint}")
        kind = str(match.lastgroup)
        if kind == "percent":
            yield _Token("sign", "% of", position)
        elif kind != "blank":
            yield _Token(kind, match[0], position)
        position = match.end()


def _number(text: str) -> Number:
    digits = text.replace("_", "")
    if not digits.isdigit():
        value = float(digits)
        if math.isinf(value):
            raise ToolError(f"{text} is too large; numbers with a point lie below 1.8e308")
        return value
    if len(digits) > _MAX_DIGITS:
        raise ToolError(f"an integer of {len(digits):,} digits; the limit is {_MAX_DIGITS:,}")
    return int(digits)
