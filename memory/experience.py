"""What is learned from an experience, and how important it is."""

from collections.abc import Sequence
from dataclasses import dataclass

from cogwork.memory.ranking import check_share

__all__ = ["Experience", "Outcome", "draw_lessons", "importance_of"]


@dataclass(frozen=True, slots=True)
class Experience:
    """What was met and done.

    Args:
        situation: What was the case.
        action: What was done.
        lessons: What to know from it; drawn from the outcome when there are none.
        tags: Labels of the episode.
        complexity: How hard it was, between 0 and 1.
    """

    situation: str
    action: str
    lessons: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    complexity: float = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended.

    Args:
        success: 1 or True for success, 0 or False for failure, or between.
        reward: What it was worth, between -1 and 1.
        description: What came of it.
    """

    success: float
    reward: float = 0.0
    description: str = ""


def importance_of(success: float, reward: float = 0.0, complexity: float = 0.5) -> float:
    """Return how important an experience is, between 0 and 1.

    0.2, and 0.3 for success, 0.3 for the size of the reward (a punishment teaches as much),
    0.2 for complexity.

    Raises:
        ConfigurationError: A value is impossible.
    """
    check_share("success", success)
    check_share("reward", reward, -1)
    check_share("complexity", complexity)
    return min(0.2 + 0.3 * success + 0.3 * abs(reward) + 0.2 * complexity, 1.0)


def draw_lessons(experience: Experience, outcome: Outcome) -> Sequence[str]:
    """Return the experience's own lessons, or one sentence that says what came of it."""
    if experience.lessons:
        return experience.lessons
    how = "succeeded" if outcome.success >= 0.5 else "failed"
    came = f": {outcome.description.strip()}" if outcome.description.strip() else ""
    return [f"{experience.situation.strip()} → {experience.action.strip()} {how}{came}"]
