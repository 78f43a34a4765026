"""Calculating: arithmetic by a bound calculator, or by tools for single operations."""

import ast
import re
from collections.abc import Sequence

from cogwork.core.offline.arithmetic import expressions, put_value
from cogwork.core.offline.desk import (
    Attempt,
    Call,
    CannotError,
    Desk,
    Found,
    Result,
    Seen,
    ask,
    refers,
)
from cogwork.core.offline.goals import Step, intent, opens, phrase, starts_with_verb
from cogwork.core.offline.literals import number
from cogwork.core.offline.matching import main_verb
from cogwork.core.offline.toolbox import KnownTool, kind, plain
from cogwork.core.offline.words import actions, stem, stems, word_set

__all__ = ["calculating", "compute", "worth"]

_VERBS = word_set(
    """calculate compute evaluate solve add subtract multiply divide sum total round double triple
    halve square increase decrease reduce raise determine average work"""
)
_OPERATIONS: dict[type[ast.operator], frozenset[str]] = {
    ast.Add: word_set("add sum addition"),
    ast.Sub: word_set("subtract difference subtraction"),
    ast.Mult: word_set("multiply multiplication"),
    ast.Div: word_set("divide division"),
    ast.Pow: word_set("power exponentiate pow exponent"),
    ast.Mod: word_set("modulo mod remainder"),
}


def calculating(step: Step, desk: Desk) -> Attempt:
    """Work out the sums that a step writes or says."""
    verb = main_verb(step.text)
    found = () if verb and verb not in _VERBS else expressions(_complete(step.text, desk))
    if not found:
        return None
    values = yield from compute(desk, found, thought=intent(step.text))
    if len(found) > 1:
        pairs = zip(found, values, strict=True)
        sentence = "; ".join(f"{expression} is {value}" for expression, value in pairs) + "."
    elif opens(step.text) or not starts_with_verb(step.text):
        sentence = f"{phrase(step.text)} is {values[0]}."
    else:
        sentence = f"The result is {values[0]}."
    return Result(sentence, values[-1], frozenset(stems(step.text)))


def _complete(text: str, desk: Desk) -> str:
    """Put the earlier result in the place of "it", or before "add 3"."""
    last = [result for result in desk.results if worth(result.value)]
    if not last:
        return text
    referred = [r for r in desk.referred(text) if worth(r.value)]
    value = worth((referred or last)[-1].value)
    if not refers(text) and not referred:
        return put_value(text, value)
    shown = f"({value})" if value.startswith("-") else value
    names = "|".join(sorted(map(re.escape, _names(referred)), key=len, reverse=True)) or "result"
    pattern = r"(?i)\b(?:the\s+)?(?:last\s+|previous\s+)?"
    pattern += rf"(?:it|that|this|results?|answers?|values?|figures?|{names})\b"
    return re.sub(
        pattern + r"(?:\s+(?:of|in)\s+[^\d,;]+?(?=\s+(?:by|to|and|times|plus|minus)\b|$))?",
        shown,
        text,
        count=1,
    )


def _names(results: Sequence[Result]) -> set[str]:
    words = {"sum": "sum", "total": "total", "mean": "mean", "averag": "average", "count": "count"}
    return {words[name] for result in results for name in result.names if name in words}


def worth(text: str) -> str:
    """Return the number that a calculator's output or a sentence ends with, or nothing."""
    plain_text = text.strip().rpartition("=")[2].strip()
    if re.fullmatch(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", plain_text):
        return plain_text
    found = re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w]|\.\d)", plain_text)
    return found[-1] if found and "\n" not in plain_text else ""


def compute(
    desk: Desk, found: Sequence[str], *, simple: Sequence[str] = (), thought: str = ""
) -> Found[list[str]]:
    """Let the bound tools find the values of expressions.

    Args:
        desk: Where the tools are.
        found: The expressions.
        simple: The same without functions, for a calculator that refuses them.
        thought: What is said beside the calls.

    Raises:
        CannotError: No tool does arithmetic, or it fails.
    """
    calculator = desk.tools.calculator
    if calculator is None:
        values = []
        for expression in found:
            tree = ast.parse(expression, mode="eval").body
            values.append((yield from _value(desk, tree)))
        return values
    argument = calculator.expression
    calls = [Call(calculator.name, {argument: expression}, thought) for expression in found]
    instead = {i: Call(calculator.name, {argument: e}) for i, e in enumerate(simple) if e}
    seen = yield from ask(*calls, instead=instead)
    return [worth(observation.text) or observation.text for observation in seen]


def _value(desk: Desk, node: ast.expr) -> Found[str]:
    if isinstance(node, ast.Call):
        return (yield from _of_call(desk, node))
    if not isinstance(node, ast.BinOp):
        return ast.unparse(node)
    left = yield from _value(desk, node.left)
    right = yield from _value(desk, node.right)
    spec = _operation(desk, _OPERATIONS.get(type(node.op), frozenset()))
    seen = yield from _apply(spec, left, right)
    return worth(seen[0].text) or seen[0].text


def _of_call(desk: Desk, node: ast.Call) -> Found[str]:
    """Sum by repeated addition; other functions need a calculator."""
    if getattr(node.func, "id", "") != "sum" or not node.args:
        raise CannotError("no tool that is bound does this arithmetic")
    total = yield from _value(desk, node.args[0])
    for argument in node.args[1:]:
        spec = _operation(desk, _OPERATIONS[ast.Add])
        seen = yield from _apply(spec, total, (yield from _value(desk, argument)))
        total = worth(seen[0].text) or seen[0].text
    return total


def _operation(desk: Desk, names: frozenset[str]) -> KnownTool:
    wanted = actions(stem(name) for name in names)
    for spec in desk.tools.specs:
        kinds = [kind(plain(spec.properties[name])) for name in spec.required]
        if (
            len(kinds) == 2
            and set(kinds) <= {"integer", "number"}
            and not wanted.isdisjoint(spec.named)
        ):
            return spec
    raise CannotError("no tool that is bound does this arithmetic")


def _apply(spec: KnownTool, left: str, right: str) -> Seen:
    args: dict[str, int | float] = {}
    for name, raw in zip(spec.required, (left, right), strict=True):
        if not re.fullmatch(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", raw):
            raise CannotError(f"“{raw}” is no number")
        value = number(raw)
        if kind(plain(spec.properties[name])) == "integer":
            if value != int(value):
                raise CannotError(f"{spec.name} takes whole numbers only")
            value = int(value)
        args[name] = value
    return (yield from ask(Call(spec.name, args, f"I use {spec.name} for that.")))
