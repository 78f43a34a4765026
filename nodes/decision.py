"""A decision in a graph: `make_decide` chooses among options, `route_after_decide` goes on there.

How options are compared is a function of `cogwork.nodes.ranking`, or one of your own.
"""

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from typing_extensions import TypedDict

from cogwork.core.bridge import Node, node
from cogwork.core.errors import ConfigurationError
from cogwork.nodes.ranking import Options, Ranked

__all__ = ["Decision", "make_decide", "route_after_decide"]


class Decision(TypedDict):
    """What a decision left in the state.

    `choice` is where to go on, `scores` has every option's score, the best first, and `tied`
    the other options whose score is the best one's too.
    """

    choice: str
    scores: dict[str, float]
    tied: list[str]


def make_decide(
    method: Callable[[Options], Sequence[Ranked]],
    *,
    options: Options | Callable[[Any], Options] | None = None,
    min_score: float | None = None,
    otherwise: str | None = None,
) -> Node:
    """Make the node that chooses among options.

    The state needs a key `decision: Decision`; `route_after_decide` reads it.

    Args:
        method: Ranks the options, such as `expected_utility` or
            `functools.partial(topsis, criteria=…)`.
        options: What there is to choose from, or a function from the state to it; the state's
            `options` unless given.
        min_score: Least score that is good enough.
        otherwise: The choice where no option is good enough, or there is none.

    Raises:
        ConfigurationError: `min_score` is given without `otherwise`; from the node: there are
            no options and no `otherwise`, or the method refuses them.
    """
    if min_score is not None and otherwise is None:
        raise ConfigurationError(
            f"min_score is {min_score}, but nothing says what to choose below it; set otherwise"
        )

    @node
    def decide(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Choose the best option.

        Reads: options
        Writes: decision
        """
        given = state.get("options") if options is None else options
        found: Options = (given(state) if callable(given) else given) or {}
        if not found and otherwise is None:
            raise ConfigurationError(
                "there is nothing to decide about: no options; write them into the state's "
                "'options', or give make_decide options or an otherwise"
            )
        ranking = method(found) if found else []
        decision = _decision(ranking, min_score, otherwise)
        return {"decision": decision}

    return decide


def route_after_decide(state: Any) -> str:
    """Return the choice: for `add_conditional_edges("decide", route_after_decide, [...])`."""
    choice: str = state["decision"]["choice"]
    return choice


def _decision(
    ranking: Sequence[Ranked], min_score: float | None, otherwise: str | None
) -> Decision:
    scores = {each.option: each.score for each in ranking}
    tied = [each.option for each in ranking if each.rank == 1]
    good = bool(tied) and (min_score is None or scores[tied[0]] >= min_score)
    choice = tied[0] if good else str(otherwise)
    return {"choice": choice, "scores": scores, "tied": [each for each in tied if each != choice]}
