"""Arithmetic whose results are bounded before they are computed.

Integers are exact up to `MAX_BITS` bits. Before a power, product, factorial or binomial is
computed, its size is estimated from below; what cannot fit is refused, so no step works on
more than a few times that. Floats are IEEE doubles; what would be infinite, not a number
or complex is refused too.
"""

import math
import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from cogwork.core.errors import ToolError

__all__ = [
    "CONSTANTS",
    "FUNCTIONS",
    "MAX_BITS",
    "Function",
    "Number",
    "binary",
    "call",
    "shown",
]

Number = int | float

MAX_BITS = 10_000
"""Bits of the largest integer, which has about 3,010 digits."""

_DOUBLE_DIGITS = 15  # decimal digits that a double always keeps
_MAX_PLACES = 400  # more than any double has on either side of its point


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the calculator.

    Args:
        compute: Takes the numbers one by one, or as one list where `takes_list`.
        least: Numbers it needs.
        most: Numbers it takes; None for any count.
        takes_list: Whether it works on a list, given as `[1, 2]` or as arguments.
        integers: Whether it is defined on integers only.
    """

    compute: Callable[..., Number]
    least: int = 1
    most: int | None = 1
    takes_list: bool = False
    integers: bool = False


def binary(symbol: str, left: Number, right: Number) -> Number:
    """Compute `left symbol right` as Python does, for `+ - * / // % **` and `% of`.

    Raises:
        ToolError: The result is undefined or too large.
    """
    return _bounded(f"{_brief(left)} {symbol} {_brief(right)}", _BINARY[symbol], left, right)


def call(name: str, values: Sequence[Number]) -> Number:
    """Apply the function called `name`, which must be one of `FUNCTIONS`.

    Raises:
        ToolError: The count or kind of values is wrong, or the result is undefined or too
            large.
    """
    function = FUNCTIONS[name]
    _check_count(name, function, len(values))
    if function.integers:
        values = [_integer(name, value) for value in values]
    arguments = (values,) if function.takes_list else values
    return _bounded(f"{name}({_briefs(values)})", function.compute, *arguments)


def shown(value: Number) -> str:
    """Write a result for people: integers whole, floats with 15 significant digits.

    A double keeps 15 decimal digits of anything and its arithmetic spoils what comes
    after, so 0.1 + 0.2 reads 0.3. Whole floats are written as integers while each integer
    has a float of its own, below 2**53.
    """
    if isinstance(value, int):
        return str(value)
    if value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return format(value, f".{_DOUBLE_DIGITS}g")


def _bounded(what: str, compute: Callable[..., Any], *arguments: Any) -> Number:
    try:
        result = compute(*arguments)
    except ZeroDivisionError:
        raise ToolError(f"{what} divides by zero") from None
    except OverflowError:
        raise ToolError(f"{what} is too large: {_LIMITS}") from None
    except ValueError:
        raise ToolError(f"{what} is not defined for real numbers") from None
    if isinstance(result, complex):
        raise ToolError(f"{what} is not defined for real numbers")
    if not (_fits(result) if isinstance(result, int) else math.isfinite(result)):
        raise ToolError(f"{what} is too large: {_LIMITS}")
    return cast("Number", result)


_LIMITS = (
    f"integers have at most {MAX_BITS:,} bits ({int(MAX_BITS * math.log10(2)):,} digits), "
    "other numbers lie below 1.8e308"
)


def _fits(value: int) -> bool:
    return value.bit_length() <= MAX_BITS


def _require(at_least_bits: float) -> None:
    """Refuse a result that has at least so many bits before it is computed."""
    if at_least_bits > MAX_BITS + 1:
        raise OverflowError


def _multiply(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        _require(left.bit_length() + right.bit_length() - 1)
    return left * right


def _power(base: Number, exponent: Number) -> Any:
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0:
        _require((base.bit_length() - 1) * exponent)
    return base**exponent


def _percent_of(percent: Number, whole: Number) -> Number:
    return _multiply(percent, whole) / 100


def _factorial(n: int) -> int:
    if n > 1:
        _require(math.lgamma(n + 1) / math.log(2))
    return math.factorial(n)


def _comb(n: int, k: int) -> int:
    if 0 <= k <= n:
        k = min(k, n - k)
        if k:  # comb(n, k) >= (n / k)**k, which is also more than half of its bits
            _require(k * (math.log2(n) - math.log2(k)))
    return math.comb(n, k)


def _lcm(values: Sequence[int]) -> int:
    result = 1
    for value in values:
        result = math.lcm(result, value)
        _require(result.bit_length())
    return result


def _round(value: Number, places: Number = 0) -> Number:
    digits = _integer("round", places)
    if abs(digits) > _MAX_PLACES:
        raise ToolError(f"round to {_brief(digits)} places; at most {_MAX_PLACES} make sense")
    return round(value, digits) if digits else round(value)


def _sum(values: Sequence[Number]) -> Number:
    """Exact for integers; for floats, one rounding in all."""
    return sum(values) if all(isinstance(value, int) for value in values) else math.fsum(values)


def _integer(name: str, value: Number) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ToolError(f"{name} takes whole numbers, not {_brief(value)}")
    return int(value)


def _check_count(name: str, function: Function, count: int) -> None:
    if count >= function.least and (function.most is None or count <= function.most):
        return
    if function.most is None:
        takes = f"at least {function.least}"
    elif function.least == function.most:
        takes = str(function.least)
    else:
        takes = f"{function.least} to {function.most}"
    raise ToolError(
        f"{name} takes {takes} {'number' if takes == '1' else 'numbers'}, not {count}; a comma separates arguments, "
        "it does not group digits"
    )


def _brief(value: Number) -> str:
    if isinstance(value, int) and value.bit_length() > 64:
        return f"(an integer of {value.bit_length():,} bits)"
    return shown(value)


def _briefs(values: Sequence[Number]) -> str:
    listed = ", ".join(map(_brief, values[:5]))
    return listed if len(values) <= 5 else f"{listed}, … {len(values)} numbers"


def _of_list(compute: Callable[[Any], Number], *, least: int = 1) -> Function:
    return Function(compute, least=least, most=None, takes_list=True)


_BINARY: Mapping[str, Callable[[Number, Number], Any]] = MappingProxyType(
    {
        "+": operator.add,
        "-": operator.sub,
        "*": _multiply,
        "/": operator.truediv,
        "//": operator.floordiv,
        "%": operator.mod,
        "**": _power,
        "% of": _percent_of,
    }
)

CONSTANTS: Mapping[str, float] = MappingProxyType({"pi": math.pi, "e": math.e, "tau": math.tau})

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "abs": Function(abs),
        "round": Function(_round, most=2),
        "floor": Function(math.floor),
        "ceil": Function(math.ceil),
        "sqrt": Function(math.sqrt),
        "exp": Function(math.exp),
        "ln": Function(math.log),
        "log": Function(math.log, most=2),
        "log10": Function(math.log10),
        "log2": Function(math.log2),
        "pow": Function(_power, least=2, most=2),
        "sin": Function(math.sin),
        "cos": Function(math.cos),
        "tan": Function(math.tan),
        "asin": Function(math.asin),
        "acos": Function(math.acos),
        "atan": Function(math.atan),
        "degrees": Function(math.degrees),
        "radians": Function(math.radians),
        "factorial": Function(_factorial, integers=True),
        "comb": Function(_comb, least=2, most=2, integers=True),
        "gcd": Function(math.gcd, most=None, integers=True),
        "lcm": Function(_lcm, most=None, takes_list=True, integers=True),
        "hypot": Function(math.hypot, most=None),
        "min": _of_list(min),
        "max": _of_list(max),
        "sum": _of_list(_sum),
        "mean": _of_list(statistics.mean),
        "median": _of_list(statistics.median),
        "stdev": _of_list(statistics.stdev, least=2),
    }
)
