"""What feedback taught: how thoroughly a user wants things looked up, and in which sources."""

import re
from typing import Final

from langgraph.store.base import BaseStore
from pydantic import BaseModel, ConfigDict

from cogwork.core.errors import ConfigurationError
from cogwork.memory.namespaces import user_namespace
from cogwork.memory.patterns import Pattern, Patterns
from cogwork.nodes.analysis import QueryAnalysis
from cogwork.nodes.research.evidence import DEPTHS, Depth
from cogwork.nodes.research.report import Report

__all__ = ["Preferences", "learn_preferences", "preferences_of", "situation_of"]

_GOOD: Final = 0.6  # share of successes from which a depth is chosen again
_DEEPER: Final = re.compile(
    r"\b(?:deeper|more (?:detail|depth|sources|thorough)\w*|too (?:short|shallow|brief)|incomplete)\b",
    re.IGNORECASE,
)
_SHORTER: Final = re.compile(
    r"\b(?:shorter|briefer|too (?:long|much|detailed|slow)|less detail|just the answer)\b",
    re.IGNORECASE,
)
_ORDER: Final[tuple[Depth, ...]] = ("quick", "standard", "comprehensive")


class Preferences(BaseModel):
    """What a user wants.

    Attributes:
        depth: The one that served; None where nothing is known.
        sources: How much each source's evidence counts: 1 where nothing is known, from 0.7 to
            1.3 as the reports that cited it were rated.
    """

    model_config = ConfigDict(frozen=True)

    depth: Depth | None = None
    sources: dict[str, float] = {}


async def learn_preferences(
    store: BaseStore, user: str, report: Report, rating: int, text: str = ""
) -> None:
    """Learn from what a person thinks of a report; questions of its kind are looked up so.

    Args:
        store: Any LangGraph store; the one that the graph is given.
        user: Who.
        report: What was rated.
        rating: 1 to 5.
        text: Why; "too long", "more detail" and the like teach another depth.

    Raises:
        ConfigurationError: The rating is none from 1 to 5.
    """
    if isinstance(rating, bool) or rating not in range(1, 6):
        raise ConfigurationError(f"rating {rating!r} is none; rate from 1 to 5")
    patterns, success = _patterns(store, user), (rating - 1) / 4
    place = _ORDER.index(report.depth)
    step = bool(_DEEPER.search(text)) - bool(_SHORTER.search(text))
    wanted = _ORDER[min(max(place + step, 0), len(_ORDER) - 1)]
    if wanted != report.depth:
        await patterns.learn(report.situation, f"depth {wanted}", success=1.0, outcome=text)
        success_here = 0.0
    else:
        success_here = success
    await patterns.learn(
        report.situation, f"depth {report.depth}", success=success_here, outcome=text
    )
    for name in dict.fromkeys(each.source for each in report.sources):
        await patterns.learn(report.situation, f"source {name}", success=success, outcome=text)


async def preferences_of(store: BaseStore, user: str, situation: str) -> Preferences:
    """Return what a user wants of questions of this kind.

    Args:
        store: As in `learn_preferences`.
        user: Who.
        situation: The kind; see `situation_of`.
    """
    found = await _patterns(store, user).suggest(situation, k=50)
    depths = [each for each in found if each.action.removeprefix("depth ") in DEPTHS]
    best = max(depths, key=_rate, default=None)
    sources = [each for each in found if each.action.startswith("source ")]
    return Preferences(
        depth=_depth(best) if best is not None and _rate(best) >= _GOOD else None,
        sources={
            each.action.removeprefix("source "): round(0.7 + 0.6 * _rate(each), 3)
            for each in sources
        },
    )


def situation_of(analysis: QueryAnalysis) -> str:
    """Return the kind of a question: what it wants, and what about."""
    return f"{analysis.intent} in the domains {', '.join(sorted(analysis.domains))}"


def _depth(pattern: Pattern) -> Depth:
    named = pattern.action.removeprefix("depth ")
    return next(each for each in _ORDER if each == named)


def _rate(pattern: Pattern) -> float:
    """The share of successes, which a few trials move a little."""
    return (pattern.successes + 1) / (pattern.trials + 2)


def _patterns(store: BaseStore, user: str) -> Patterns:
    return Patterns(store, (*user_namespace(user), "research"))
