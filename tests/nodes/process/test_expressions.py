"""Expressions: what they can say, and what hostile ones cannot do."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.errors import CogworkError, ConfigurationError, ToolError
from cogwork.nodes.process.expressions import evaluate, expressions_in, fault_of, fill, holds

VALUES = {
    "invoice": {"total": 1200.5, "lines": [{"sku": "a", "n": 2}, {"sku": "b", "n": 3}]},
    "name": "Zoe",
    "none": None,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("invoice.total > 1000", True),
        ("name + '!'", "Zoe!"),
        ("invoice.lines.all(line, line.n > 2)", False),
        ("invoice.lines.filter(line, line.n > 2)[0].sku", "b"),
        ("has(invoice.paid)", False),
        ("none == null", True),
        ("{'a': [1, 2.5, null]}", {"a": [1, 2.5, None]}),
        ("duration('2h')", 7200.0),
        ("timestamp('2026-05-04T08:00:00Z')", "2026-05-04T08:00:00+00:00"),
        ("now > timestamp('2020-01-01T00:00:00Z')", True),
    ],
)
def test_an_expression_has_a_value(text, value):
    assert evaluate(text, VALUES) == value


@pytest.mark.parametrize(
    "text",
    ["1 / 0", "invoice.missing", "9223372036854775807 + 1", "name + 1", "b'x'", "type(1)"],
)
def test_what_has_no_value_is_an_error_that_names_the_expression(text):
    with pytest.raises(CogworkError) as raised:
        evaluate(text, VALUES)
    assert text in str(raised.value)


def test_a_condition_is_true_or_false():
    assert holds("invoice.total > 1000", VALUES)
    with pytest.raises(ToolError, match="not true or false"):
        holds("invoice.total", VALUES)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("invoice.total >", "column 16: Syntax error"),
        ("invioce.total", "undeclared reference to 'invioce.*known are invoice, name, none, now"),
        ("open('/etc/passwd')", "undeclared reference to 'open'"),
        ("__import__('os')", "undeclared reference"),
        ("1 + 'a'", "no matching overload"),
        ("1+" * 600 + "1", "more than 1,000"),
        ("(" * 200 + "1" + ")" * 200, "recursion"),
        ("'\ud800'", "."),
        ("", "Syntax error"),
        ("invoice.total\0", "."),
    ],
)
def test_what_is_no_expression_is_told_before_it_runs(text, fault):
    with pytest.raises(ConfigurationError, match=fault):
        evaluate(text, VALUES)
    assert fault_of(text, ["invoice"])


@pytest.mark.parametrize("name", ["__class__", "__dict__", "items", "get", "__init__"])
def test_attributes_of_python_are_no_members(name):
    for text in (f"invoice.{name}", f"name.{name}", f"invoice['{name}']"):
        with pytest.raises(CogworkError):
            evaluate(text, VALUES)


@pytest.mark.parametrize(
    "text",
    [
        "big.all(a, big.all(b, big.all(c, a + b + c >= 0)))",
        pytest.param("big.all(a, big == big)", marks=pytest.mark.slow),
        pytest.param("size(big.map(a, s + s + s + s + s + s + s + s)) > 0", marks=pytest.mark.slow),
        "[s]" + ".map(a, a+a+a+a+a+a+a+a)" * 5 + "[0] == s",
    ],
)
def test_what_would_take_for_ever_or_all_memory_is_given_up(text):
    values = {"big": list(range(9_900)), "s": "a" * 200_000}
    with pytest.raises(ToolError, match=r"budget exceeded|given up|memory|alloc"):
        evaluate(text, values)


def test_patterns_take_linear_time():
    assert evaluate("s.matches('^(a+)+$')", {"s": "a" * 50_000 + "b"}) is False


def test_an_expression_sees_no_more_than_a_million_characters():
    with pytest.raises(ToolError, match="let a tool pick out"):
        evaluate("size(s) > 1", {"s": "a" * 1_000_001})
    assert evaluate("name", {"s": "a" * 1_000_001, "name": "Zoe"}) == "Zoe"


def test_a_text_that_is_one_expression_becomes_its_value():
    filled = fill({"a": "${invoice.total}", "b": ["${name} of ${invoice.total}"], "c": 1}, VALUES)
    assert filled == {"a": 1200.5, "b": ["Zoe of 1200.5"], "c": 1}
    assert expressions_in({"a": ["${x} ${y}"], "b": 1}) == ["x", "y"]


def test_what_is_filled_in_is_not_filled_again():
    assert fill("${name}", {"name": "${secret}", "secret": 1}) == "${secret}"


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


@given(JSON)
def test_a_value_comes_out_as_it_went_in(value):
    assert evaluate("x", {"x": value}) == value


@given(st.text(alphabet="ax1.()[]{}'\"+-*!&|<>=? \\", max_size=30))
def test_any_text_has_a_value_or_an_error_of_ours(text):
    with contextlib.suppress(CogworkError):
        evaluate(text, {"x": {"a": [1, "a"]}})


def test_data_that_cel_would_garble_is_refused():
    with pytest.raises(ToolError, match="the character NUL"):
        evaluate("x", {"x": {"a\0b": 1}})
    with pytest.raises(ToolError):
        evaluate("x", {"x": "\ud800"})
