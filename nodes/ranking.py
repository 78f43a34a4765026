"""Which of several options is best, by utility or by several criteria: pure functions.

An option is a name with numbers, such as `{"train": {"price": 40, "hours": 3}}`; a ranking is
a list, the best first.

Hwang & Yoon (1981), Multiple Attribute Decision Making, Springer (weighted sum and TOPSIS).
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from cogwork.core.errors import ConfigurationError
from cogwork.core.registry import nearest

__all__ = ["Criterion", "Options", "Ranked", "expected_utility", "topsis", "weighted_sum"]

Options: TypeAlias = Mapping[str, Mapping[str, float]]
"""What there is to choose from: numbers by name, for each option by name."""

_SAME = 1e-12  # scores are of the order of 1 after scaling; less is rounding


@dataclass(frozen=True, slots=True)
class Criterion:
    """Something by which options are compared.

    Attributes:
        name: Under which each option has a number.
        weight: How much it counts beside the others; only the ratio matters.
        kind: Whether more of it is better (`benefit`) or worse (`cost`).
    """

    name: str
    weight: float = 1.0
    kind: Literal["benefit", "cost"] = "benefit"


@dataclass(frozen=True, slots=True)
class Ranked:
    """An option in its place.

    Attributes:
        option: Its name.
        score: Higher is better; what it means is said by the function that gave it.
        rank: From 1 on. Options with the same score share the best of their ranks and stand
            in the order in which they were given.
    """

    option: str
    score: float
    rank: int


def expected_utility(
    options: Options, *, cost_weight: float = 1.0, time_weight: float = 1.0
) -> list[Ranked]:
    """Rank options by probability * value - cost_weight * cost - time_weight * time.

    Args:
        options: Each with `value` and, unless it is sure, a `probability` from 0 to 1; with
            `cost` and `time` where there are any.
        cost_weight: Value that one unit of cost is worth.
        time_weight: Value that one unit of time is worth.

    Raises:
        ConfigurationError: A number is missing or impossible; all faults are named.

    Examples:
        >>> expected_utility({"bet": {"probability": 0.5, "value": 10, "cost": 2}})[0].score
        3.0
    """
    _check_form(options)
    faults = [*_faults_of_weights([("cost_weight", cost_weight), ("time_weight", time_weight)])]
    faults += _faults_of_options(options, {"value"})
    faults += _faults_of_prospects(options)
    _refuse(faults)
    return _ranked(
        {
            name: has.get("probability", 1.0) * has["value"]
            - cost_weight * has.get("cost", 0.0)
            - time_weight * has.get("time", 0.0)
            for name, has in options.items()
        }
    )


def weighted_sum(
    options: Options,
    criteria: Sequence[Criterion],
    *,
    scale: Literal["range", "max", "none"] = "range",
) -> list[Ranked]:
    """Rank options by the sum of their scaled numbers, each times its weight.

    Args:
        options: Each with a number for every criterion.
        criteria: Weights are divided by their sum.
        scale: `range` puts the worst at 0 and the best at 1 (all at 1 where there is no
            difference); `max` divides by the largest number, and the smallest by a cost, so
            numbers have to be positive; `none` takes them as they are, costs negative.

    Raises:
        ConfigurationError: A number is missing or impossible, or cannot be scaled so.

    Examples:
        >>> criteria = [Criterion("speed"), Criterion("price", kind="cost")]
        >>> cars = {"slow": {"speed": 100, "price": 10}, "fast": {"speed": 200, "price": 40}}
        >>> [(each.option, each.score) for each in weighted_sum(cars, criteria, scale="max")]
        [('slow', 0.75), ('fast', 0.625)]
    """
    weights = _weights(options, criteria)
    if scale not in ("range", "max", "none"):
        raise ConfigurationError(f"scale is {scale!r}; choose 'range', 'max' or 'none'")
    if scale == "max":
        _refuse(_faults_of_ratios(options, criteria))
    columns = {each.name: _scaled(_column(options, each), each.kind, scale) for each in criteria}
    return _ranked(
        {
            name: math.fsum(weights[key] * column[place] for key, column in columns.items())
            for place, name in enumerate(options)
        }
    )


def topsis(options: Options, criteria: Sequence[Criterion]) -> list[Ranked]:
    """Rank options by how near they are to the ideal and how far from its opposite.

    The ideal has the best number of each criterion, its opposite the worst; numbers are divided
    by the length of their column and weighted. A score is the share of the distance to the
    opposite in both distances: 1 for the ideal, 0 for its opposite, and 0.5 where all options
    are alike.

    Args:
        options: Each with a number for every criterion.
        criteria: Weights are divided by their sum.

    Raises:
        ConfigurationError: A number is missing or impossible, or a criterion is 0 for all.
    """
    weights = _weights(options, criteria)
    columns = {each.name: _column(options, each) for each in criteria}
    _refuse(
        f"criterion '{name}' is 0 for every option, so it has no direction; leave it out"
        for name, column in columns.items()
        if not any(column)
    )
    to_best, to_worst = [0.0] * len(options), [0.0] * len(options)
    for each in criteria:
        # dividing by the largest first keeps the squares within what floats can hold
        largest = max(map(abs, columns[each.name]))
        column = [number / largest for number in columns[each.name]]
        length = math.hypot(*column)
        ends = (max(column), min(column))
        best, worst = ends if each.kind == "benefit" else ends[::-1]
        for place, number in enumerate(column):
            share = weights[each.name] / length
            to_best[place] = math.hypot(to_best[place], share * (number - best))
            to_worst[place] = math.hypot(to_worst[place], share * (number - worst))
    return _ranked(
        {
            name: far / (near + far) if near + far else 0.5
            for name, near, far in zip(options, to_best, to_worst, strict=True)
        }
    )


def _ranked(scores: Mapping[str, float]) -> list[Ranked]:
    found: list[Ranked] = []
    ordered = sorted(scores.items(), key=lambda each: each[1], reverse=True)
    for place, (name, score) in enumerate(ordered, 1):
        last = found[-1] if found else None
        same = last is not None and math.isclose(last.score, score, rel_tol=_SAME, abs_tol=_SAME)
        found.append(Ranked(name, score, last.rank if last is not None and same else place))
    given = {name: place for place, name in enumerate(scores)}
    return sorted(found, key=lambda each: (each.rank, given[each.option]))


def _weights(options: Options, criteria: Sequence[Criterion]) -> dict[str, float]:
    """The weights by name, with the sum 1."""
    _check_form(options)
    names = [each.name for each in criteria]
    faults = [
        f"{names.count(name)} criteria are called '{name}'"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    faults += [
        f"criterion '{each.name}' is of kind {each.kind!r}; choose 'benefit' or 'cost'"
        for each in criteria
        if each.kind not in ("benefit", "cost")
    ]
    faults += _faults_of_weights((f"weight of '{each.name}'", each.weight) for each in criteria)
    if not criteria:
        faults.append("there are no criteria")
    elif not faults and not any(each.weight for each in criteria):
        faults.append("every criterion has the weight 0; at least one must count")
    faults += _faults_of_options(options, set(names))
    _refuse(faults)
    largest = max(each.weight for each in criteria)
    whole = math.fsum(each.weight / largest for each in criteria)
    return {each.name: each.weight / largest / whole for each in criteria}


def _column(options: Options, criterion: Criterion) -> list[float]:
    return [float(has[criterion.name]) for has in options.values()]


def _scaled(column: list[float], kind: str, scale: str) -> list[float]:
    high, low = max(column), min(column)
    if scale == "none":
        return [number if kind == "benefit" else -number for number in column]
    if scale == "max":
        return [number / high if kind == "benefit" else low / number for number in column]
    if high == low:
        return [1.0] * len(column)
    # halves keep the difference within what floats can hold
    whole = high / 2 - low / 2
    best = [(number / 2 - low / 2) / whole for number in column]
    return best if kind == "benefit" else [1.0 - number for number in best]


def _refuse(faults: Iterable[str]) -> None:
    found = list(faults)
    if found:
        raise ConfigurationError("the decision cannot be made: " + "; ".join(found))


def _check_form(options: Any) -> None:
    if not isinstance(options, Mapping):
        raise ConfigurationError(
            f"the options are {options!r:.100}; give a mapping from each option to its numbers"
        )
    _refuse(
        f"option '{name}' is {has!r:.100}; give its numbers by name, such as {{'value': 1}}"
        for name, has in options.items()
        if not isinstance(has, Mapping)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _faults_of_weights(weights: Iterable[tuple[str, Any]]) -> Iterator[str]:
    for name, weight in weights:
        if not _is_number(weight) or weight < 0:
            yield f"{name} is {weight!r}; it must be a number from 0 on"


def _faults_of_options(options: Options, wanted: set[str]) -> Iterator[str]:
    if not options:
        yield "there are no options"
    for name, has in options.items():
        for key in sorted(wanted - set(has)):
            yield f"option '{name}' has no '{key}'; {nearest(key, list(has))}"
        for key in sorted(wanted & set(has)):
            if not _is_number(has[key]):
                yield f"option '{name}': '{key}' is {has[key]!r}, which is no finite number"


def _faults_of_prospects(options: Options) -> Iterator[str]:
    for name, has in options.items():
        for key in ("probability", "cost", "time"):
            value = has.get(key, 0.0)
            if not _is_number(value) or value < 0 or (key == "probability" and value > 1):
                limits = "from 0 to 1" if key == "probability" else "from 0 on"
                yield f"option '{name}': '{key}' is {value!r}; it must be a number {limits}"


def _faults_of_ratios(options: Options, criteria: Sequence[Criterion]) -> Iterator[str]:
    for each in criteria:
        column = _column(options, each)
        if min(column) < 0 or max(column) == 0 or (each.kind == "cost" and min(column) == 0):
            yield (
                f"criterion '{each.name}' ({each.kind}) goes from {min(column):g} to "
                f"{max(column):g}, which has no ratio; use scale='range'"
            )
