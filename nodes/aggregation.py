"""One result from the answers of several agents: pure functions.

An answer without a value (None, NaN, infinity) abstains. Confidences are finite and not
negative, which `Answer` sees to; only their ratios matter, and where all are zero each
answer counts the same. No result depends on the order of the answers, and a tie is said,
not broken: the value is then None and `tied` has the candidates.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from operator import mul
from typing import Any, NamedTuple

from langchain_core.embeddings import Embeddings
from pydantic.dataclasses import dataclass as checked

from cogwork.core.embeddings import create_embeddings
from cogwork.core.errors import ConfigurationError
from cogwork.nodes.agreement import cluster_texts, normalized, number_in

__all__ = [
    "Aggregate",
    "Answer",
    "Consensus",
    "Mean",
    "View",
    "Vote",
    "consensus",
    "vote",
    "weighted_mean",
]

_DIGITS = 9  # of a weight beside the greatest confidence; what is beyond is rounding
_SHORT = 4  # words: an answer of no more means what it says, and nothing near it


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent answered.

    Attributes:
        agent: Who answered; one agent may answer more than once.
        value: A text, a number, or a structure; None abstains.
        confidence: How much the answer counts beside the others, from 0 on.
        metadata: Whatever else is known of it.

    Raises:
        ConfigurationError: The confidence is no finite number from 0 on.
    """

    agent: str
    value: Any
    confidence: float = 1.0
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = self.confidence
        if not (isinstance(given, int | float) and 0 <= given <= sys.float_info.max):
            raise ConfigurationError(
                f"the confidence of agent '{self.agent}' is {given!r}; "
                "give a finite number from 0 on, or the value None where it abstains"
            )


@checked(frozen=True, slots=True)
class View:
    """Answers that are the same.

    Attributes:
        value: As most of their weight has it.
        agents: Who gave them, sorted; an agent as often as it did.
        share: Of the weight of all that did not abstain, from 0 to 1.
    """

    value: Any
    agents: tuple[str, ...]
    share: float


@checked(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """What every aggregation tells.

    Attributes:
        value: The result; None where there is none, or a tie.
        agreement: Share of the weight that is behind the leading view, from 0 to 1.
        headcount: The same where every answer counts one.
        dissent: The other views, the weightiest first.
        tied: The values that share the lead; empty unless there are two or more.
        abstained: Agents that gave no value, sorted.
    """

    value: Any = None
    agreement: float = 0.0
    headcount: float = 0.0
    dissent: tuple[View, ...] = ()
    tied: tuple[Any, ...] = ()
    abstained: tuple[str, ...] = ()


@checked(frozen=True, slots=True, kw_only=True)
class Vote(Aggregate):
    """The result of `vote`.

    Attributes:
        views: All of them, the weightiest first.
        is_quorate: Whether enough did not abstain; else there is no value.
    """

    views: tuple[View, ...] = ()
    is_quorate: bool = True


@checked(frozen=True, slots=True, kw_only=True)
class Consensus(Aggregate):
    """The result of `consensus`; `views` are its clusters, the weightiest first."""

    views: tuple[View, ...] = ()


@checked(frozen=True, slots=True, kw_only=True)
class Mean(Aggregate):
    """The result of `weighted_mean`; `variance` is None for fewer than two answers that count."""

    variance: float | None = None


def vote(answers: Sequence[Answer], *, weighted: bool = True, quorum: float = 0.0) -> Vote:
    """Choose what most are for: the plurality of the confidences, or of the answers.

    Args:
        answers: Those that are `normalized` alike are votes for the same.
        weighted: Whether confidences are added up; else each answer is one vote.
        quorum: Share of the answers, from 0 to 1, that must not abstain.

    Raises:
        ConfigurationError: The quorum is not from 0 to 1.

    Source: Wang et al. (2022), Self-Consistency Improves Chain of Thought Reasoning in
    Language Models; Condorcet (1785), Essai sur l'application de l'analyse, on why many
    independent judges that are more often right than wrong are right together.

    Examples:
        >>> said = [Answer("a", "Paris"), Answer("b", "paris."), Answer("c", "Rome", 0.5)]
        >>> vote(said).value, vote(said).agreement
        ('Paris', 0.8)
    """
    if not 0 <= quorum <= 1:
        raise ConfigurationError(f"the quorum is {quorum}; give a share from 0 to 1")
    ballots, abstained = _ballots(answers, weighted)
    told = _told(_grouped(ballots), abstained)
    is_quorate = len(ballots) >= quorum * len(answers) - 1e-9
    if not is_quorate:
        told["value"] = None
    return Vote(**told, is_quorate=is_quorate)


def consensus(
    answers: Sequence[Answer],
    *,
    weighted: bool = True,
    threshold: float = 0.8,
    embeddings: Embeddings | str = "static",
    same: Callable[[str, str], bool] | None = None,
) -> Consensus:
    """Cluster answers by meaning; the value is the leading cluster's most usual answer.

    Numbers, structures and texts of up to four words are the same when they are
    `normalized` alike. Longer texts also are when their embeddings are near, their numbers,
    negations and signs agree, and neither says something else in the other's place
    (`cogwork.nodes.agreement` says why).

    Args:
        answers: What was answered.
        weighted: Whether confidences are added up; else each answer counts one.
        threshold: Least cosine of two texts that say the same.
        embeddings: Of long texts; LangChain's, or a name as in `create_embeddings`.
        same: Decides about two long texts that are near but word a part differently; they
            come in normalised form, and the order of its arguments must not matter to it.
            `lambda one, other: True` trusts the embeddings.

    Raises:
        ConfigurationError: The threshold is not above 0 and up to 1, or there are no such
            embeddings.
        ModelError: The embeddings cannot be had.
    """
    if not 0 < threshold <= 1:
        raise ConfigurationError(f"the threshold is {threshold}; give a cosine above 0, up to 1")
    ballots, abstained = _ballots(answers, weighted)
    texts = {key[2:] for _, key, _ in ballots if key[0] == "t" and len(key.split()) > _SHORT}
    place: dict[str, str] = {}
    if len(texts) > 1:
        space = _static() if embeddings == "static" else create_embeddings(embeddings)
        for cluster in cluster_texts(texts, space, threshold, same):
            place |= dict.fromkeys((f"t:{text}" for text in cluster), f"t:{min(cluster)}")
    return Consensus(**_told(_grouped(ballots, place), abstained))


def weighted_mean(answers: Sequence[Answer], *, tolerance: float | None = None) -> Mean:
    """Average numbers by their confidences, which are taken for reliability weights.

    The sums are exact: neither order nor size matters. The variance is the unbiased one of
    the answers for reliability weights, which does not change when all are scaled.

    Args:
        answers: Numbers, also spelled as texts such as "1,000".
        tolerance: How far from the mean an answer still agrees with it, in the unit of the
            values; a twentieth of the mean unless given.

    Raises:
        ConfigurationError: A value is no number, or greater than any float.

    Source: Galassi et al., GNU Scientific Library, "Weighted Samples".

    Examples:
        >>> weighted_mean([Answer("a", 10, 0.75), Answer("b", 14, 0.25)]).value
        11.0
    """
    ballots, abstained = _ballots(answers, True)
    if not ballots:
        return Mean(abstained=abstained)
    values = [_number(each.answer) for each in ballots]
    weights = [Fraction(each.weight) for each in ballots]
    total = sum(weights, Fraction())
    mean = sum(map(mul, weights, values), Fraction()) / total
    within = abs(mean) / 20 if tolerance is None else Fraction(tolerance)
    near = [abs(value - mean) <= within + abs(mean) / 10**_DIGITS for value in values]
    far = [each for each, agrees in zip(ballots, near, strict=True) if not agrees]
    return Mean(
        value=float(mean),
        variance=_variance(weights, values, mean),
        agreement=float(sum(w for w, agrees in zip(weights, near, strict=True) if agrees) / total),
        headcount=sum(near) / len(near),
        dissent=tuple(_view(group, float(total)) for group in _grouped(far)),
        abstained=abstained,
    )


@cache
def _static() -> Embeddings:
    """The built-in table, read once; it never changes."""
    return create_embeddings("static")


class _Ballot(NamedTuple):
    """An answer that does not abstain, with what it is compared by and how much it counts."""

    answer: Answer
    key: str
    weight: float


def _ballots(answers: Sequence[Answer], weighted: bool) -> tuple[list[_Ballot], tuple[str, ...]]:
    """Who votes for what, and who abstains."""
    keyed = [(each, normalized(each.value)) for each in answers]
    most = max((each.confidence for each, key in keyed if key is not None), default=0)
    scale = most if weighted and most else None
    abstained = sorted(each.agent for each, key in keyed if key is None)
    return [
        _Ballot(each, key, each.confidence / scale if scale else 1.0)
        for each, key in keyed
        if key is not None
    ], tuple(abstained)


def _grouped(
    ballots: Sequence[_Ballot], place: Mapping[str, str] | None = None
) -> list[list[_Ballot]]:
    """Ballots for the same, the weightiest first; `place` says under which key others count."""
    groups: dict[str, list[_Ballot]] = defaultdict(list)
    for ballot in ballots:
        groups[(place or {}).get(ballot.key, ballot.key)].append(ballot)
    return [groups[key] for key in sorted(groups, key=lambda key: (-_rank(groups[key]), key))]


def _told(groups: Sequence[Sequence[_Ballot]], abstained: tuple[str, ...]) -> dict[str, Any]:
    """The fields of a result whose value is the leading view's."""
    total = math.fsum(ballot.weight for group in groups for ballot in group)
    views = tuple(_view(group, total) for group in groups)
    told: dict[str, Any] = {"views": views, "abstained": abstained}
    if not views:
        return told
    lead = sum(_rank(group) == _rank(groups[0]) for group in groups)
    return told | {
        "value": views[0].value if lead == 1 else None,
        "agreement": views[0].share,
        "headcount": len(groups[0]) / sum(map(len, groups)),
        "dissent": views[lead:],
        "tied": tuple(view.value for view in views[:lead]) if lead > 1 else (),
    }


def _view(group: Sequence[_Ballot], total: float) -> View:
    forms: dict[str, list[_Ballot]] = defaultdict(list)
    for ballot in group:
        forms[repr(ballot.answer.value)].append(ballot)
    best = min(forms, key=lambda form: (-_rank(forms[form]), form))
    agents = sorted(ballot.answer.agent for ballot in group)
    return View(forms[best][0].answer.value, tuple(agents), min(1.0, _weight(group) / total))


def _weight(ballots: Sequence[_Ballot]) -> float:
    return math.fsum(ballot.weight for ballot in ballots)


def _rank(ballots: Sequence[_Ballot]) -> float:
    return round(_weight(ballots), _DIGITS)


def _number(answer: Answer) -> Fraction:
    number = number_in(answer.value)
    try:
        if number is not None and math.isfinite(float(number)):
            return number
    except OverflowError:
        pass
    raise ConfigurationError(
        f"agent '{answer.agent}' answered {str(answer.value)[:80]!r}, which is no number that can "
        "be averaged; use vote or consensus, or give None where it abstains"
    )


def _variance(
    weights: Sequence[Fraction], values: Sequence[Fraction], mean: Fraction
) -> float | None:
    total = sum(weights, Fraction())
    freedom = total - sum(weight**2 for weight in weights) / total
    if not freedom:
        return None
    squares = sum(w * (x - mean) ** 2 for w, x in zip(weights, values, strict=True))
    try:
        return float(squares / freedom)
    except OverflowError:
        return math.inf
