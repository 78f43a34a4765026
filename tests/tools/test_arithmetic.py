import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.errors import ToolError
from cogwork.tools.arithmetic import MAX_BITS, call, shown
from cogwork.tools.calculator import evaluate


@pytest.mark.parametrize("base", [2, -2, 3, 10, 12345, 2**31, 10**50])
def test_largest_power_is_exact_and_the_next_is_refused(base: int) -> None:
    exponent = 1
    while (base ** (exponent + 1)).bit_length() <= MAX_BITS:
        exponent += 1
    assert evaluate(f"({base}) ** {exponent}") == base**exponent
    with pytest.raises(ToolError, match="too large"):
        evaluate(f"({base}) ** {exponent + 1}")


@pytest.mark.parametrize(
    ("name", "exact", "least"), [("factorial", math.factorial, 1000), ("comb", math.comb, 9900)]
)
def test_largest_integer_functions_are_exact_and_the_next_refused(
    name: str, exact: Any, least: int
) -> None:
    def arguments(n: int) -> list[int]:
        return [n] if name == "factorial" else [n, n // 2]

    n = least
    while exact(*arguments(n + 1)).bit_length() <= MAX_BITS:
        n += 1
    assert call(name, arguments(n)) == exact(*arguments(n))
    with pytest.raises(ToolError, match="too large"):
        call(name, arguments(n + 1))


def test_size_is_judged_by_the_result_not_by_the_operands() -> None:
    assert evaluate("comb(10**50, 10**50 - 2)") == math.comb(10**50, 2)
    assert evaluate("(-1) ** 10**3000") == 1
    assert evaluate("0 ** 10**3000 + 1 ** 10**3000") == 1
    assert evaluate("10**3000 // 10**2999") == 10
    assert evaluate("7 ** -(9**9)") == 0


@given(st.floats(-1e308, 1e308))
def test_shown_float_keeps_fifteen_digits(value: float) -> None:
    assert math.isclose(float(shown(value)), value, rel_tol=1e-14, abs_tol=1e-320)
