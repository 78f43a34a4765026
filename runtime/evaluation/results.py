"""What agents came to on tasks: rates with their uncertainty, and what they spent.

A rate's interval is Wilson's (1927), which holds for few tasks and near 0 and 1. `pass@k`
(Chen et al. 2021, arXiv:2107.03374) is the chance that one of k attempts passes, `pass^k`
(Yao et al. 2024, arXiv:2406.12045) the chance that all k do; both are estimated without bias
from the attempts made.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from statistics import fmean
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, computed_field

from cogwork.core.errors import ConfigurationError

__all__ = ["Results", "TaskRun", "wilson"]

_Z: Final = 1.959964  # of the normal distribution, for 95 %
_SHOWN: Final = 5  # failures that a repr names

Ended = Literal["answered", "failed", "timeout", "budget", "asks"]


def wilson(rate: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate over so many tasks; (0, 1) for none.

    Examples:
        >>> [round(bound, 3) for bound in wilson(0.8, 10)]
        [0.49, 0.943]
    """
    if not count:
        return 0.0, 1.0
    square = _Z * _Z / count
    middle = (rate + square / 2) / (1 + square)
    half = _Z * math.sqrt(rate * (1 - rate) / count + square / count / 4) / (1 + square)
    return max(0.0, min(rate, middle - half)), min(1.0, max(rate, middle + half))


class TaskRun(BaseModel):
    """One attempt at one task.

    Attributes:
        task: The task's id.
        kind: The task's.
        group: The task's; empty for none.
        attempt: From 1.
        passed: Whether the check passed.
        score: 0 to 1.
        ended: How: `answered`, right or wrong; `failed` with an error; `timeout`; `budget`, of
            which a call did not fit; `asks`, since a person's answer is waited for.
        reason: Why it did not pass; empty where it did.
        answer: What was answered; empty for none.
        model_calls: Calls of models.
        tool_calls: Calls of tools.
        tokens: Of input and output.
        cost: Dollars, of models whose price is known; others count 0.
        seconds: On the clock, the building of the graph included.
    """

    model_config = ConfigDict(frozen=True)

    task: str
    kind: str = "task"
    group: str = ""
    attempt: int = 1
    passed: bool
    score: float
    ended: Ended = "answered"
    reason: str = ""
    answer: str = ""
    model_calls: int = 0
    tool_calls: int = 0
    tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def steps(self) -> int:
        """Calls of models and tools."""
        return self.model_calls + self.tool_calls


class Results(BaseModel):
    """What one graph came to on a set of tasks.

    Examples:
        >>> runs = (TaskRun(task="a", passed=True, score=1), TaskRun(task="b", passed=False, score=0))
        >>> Results(graph="react", runs=runs).success
        0.5
    """

    model_config = ConfigDict(frozen=True)

    graph: str
    model: str = ""
    runs: tuple[TaskRun, ...] = ()

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def success(self) -> float:
        """The part of the runs that passed, 0 to 1."""
        return self._mean(lambda run: run.passed)

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of `success`; attempts at one task count as one, as they are alike."""
        return wilson(self.success, len(self._by_task()))

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def score(self) -> float:
        """The mean score, which counts parts where a check knows them."""
        return self._mean(lambda run: run.score)

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def attempts(self) -> int:
        """Attempts at each task; the fewest, where they differ."""
        return min((len(runs) for runs in self._by_task().values()), default=0)

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def consistent(self) -> float | None:
        """The part of the groups of tasks of which every run passed; None without groups."""
        groups = defaultdict(list)
        for run in self.runs:
            if run.group:
                groups[run.group].append(run.passed)
        return fmean(all(each) for each in groups.values()) if groups else None

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def by_kind(self) -> dict[str, float]:
        """`success` of the tasks of each kind."""
        kinds: dict[str, list[bool]] = defaultdict(list)
        for run in self.runs:
            kinds[run.kind].append(run.passed)
        return {kind: fmean(passed) for kind, passed in kinds.items()}

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def mean(self) -> dict[str, float]:
        """Per run: steps, model_calls, tool_calls, tokens, cost and seconds."""
        names = ("steps", "model_calls", "tool_calls", "tokens", "cost", "seconds")
        return {name: self._mean(lambda run, of=name: getattr(run, of)) for name in names}  # type: ignore[misc]  # a default binds the name

    @property
    def failures(self) -> tuple[TaskRun, ...]:
        """The runs that did not pass."""
        return tuple(run for run in self.runs if not run.passed)

    @property
    def cost(self) -> float:
        """Dollars of all runs."""
        return sum(run.cost for run in self.runs)

    def pass_at(self, k: int) -> float:
        """Return pass@k: the chance that at least one of `k` attempts at a task passes.

        Raises:
            ConfigurationError: `k` is less than 1, or more than the attempts made.
        """
        return self._over_tasks(k, lambda n, passed: 1 - math.comb(n - passed, k) / math.comb(n, k))

    def pass_all(self, k: int) -> float:
        """Return pass^k: the chance that all of `k` attempts at a task pass.

        Raises:
            ConfigurationError: `k` is less than 1, or more than the attempts made.
        """
        return self._over_tasks(k, lambda n, passed: math.comb(passed, k) / math.comb(n, k))

    def _over_tasks(self, k: int, chance: Callable[[int, int], float]) -> float:
        if not 1 <= k <= self.attempts:
            raise ConfigurationError(
                f"k is {k}, with {self.attempts} attempts at each task; choose 1 to that, or "
                "evaluate with more repeats"
            )
        tasks = self._by_task().values()
        return fmean(chance(len(runs), sum(run.passed for run in runs)) for runs in tasks)

    def _by_task(self) -> dict[str, list[TaskRun]]:
        tasks: dict[str, list[TaskRun]] = defaultdict(list)
        for run in self.runs:
            tasks[run.task].append(run)
        return tasks

    def _mean(self, of: Callable[[TaskRun], float]) -> float:
        return fmean(map(of, self.runs)) if self.runs else 0.0

    def __repr__(self) -> str:
        """Short, since pytest shows it when an assertion fails."""
        passed = len(self.runs) - len(self.failures)
        named = [f"{run.task} ({run.reason})" for run in self.failures[:_SHOWN]]
        more = ["…"] if len(self.failures) > _SHOWN else []
        failed = f"; failed: {', '.join([*named, *more])}" if named else ""
        return f"<{self.graph}: {passed} of {len(self.runs)}{failed}>"

    __str__ = __repr__
