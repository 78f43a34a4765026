"""Agents are run on tasks: each attempt in a folder of its own, bounded, checked by program."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from langgraph.pregel import Pregel

from cogwork.core.bridge import run_blocking
from cogwork.core.budget import NO_LIMITS, Budget, Spent
from cogwork.core.budget_runs import open_budget
from cogwork.core.errors import BudgetError, ConfigurationError, redact
from cogwork.runtime.evaluation.checks import Verdict
from cogwork.runtime.evaluation.results import Ended, Results, TaskRun
from cogwork.runtime.evaluation.tasks import EvalTask, check_ids

if TYPE_CHECKING:
    from cogwork.core.settings import Settings

__all__ = ["Maker", "aevaluate", "evaluate", "graph_maker"]

Graph: TypeAlias = Pregel[Any, Any, Any, Any]
Maker: TypeAlias = Callable[[Path], Graph]
"""Makes a graph whose tools work in a folder."""

_LONGEST_REASON = 300  # characters


def evaluate(
    graph: Graph | Maker,
    tasks: Sequence[EvalTask],
    *,
    name: str | None = None,
    model: str = "",
    repeats: int = 1,
    concurrency: int = 4,
    timeout: float = 120,
    budget: Budget = NO_LIMITS,
    instruction: str = "",
    to_input: Callable[[str], Any] | None = None,
    to_answer: Callable[[Any], str] | None = None,
    on_run: Callable[[TaskRun], None] | None = None,
) -> Results:
    """Run a graph on tasks and check what it answers.

    Each attempt has an empty folder with copies of the task's files, which is removed
    afterwards. Whatever goes wrong in it is the result of that attempt, and no exception:
    errors, time, budgets, a question to a person. To bound all attempts together, call this
    inside of `open_budget`.

    Args:
        graph: A function of the task's folder that makes a graph, such as `graph_maker` gives;
            or a compiled graph, for tasks whose files its tools find by themselves.
        tasks: Such as `builtin_tasks()` or `load_tasks(…)`.
        name: In the results; else the graph's own.
        model: In the results.
        repeats: Attempts at each task, for `pass_at` and `pass_all`.
        concurrency: Attempts at once.
        timeout: Seconds for an attempt. What blocks the event loop cannot be stopped, and a
            synchronous node goes on in its thread.
        budget: Of each attempt.
        instruction: Added to each question, such as `FINAL_ANSWER`.
        to_input: Makes the graph's input of a question; else it is a user's message.
        to_answer: Makes the answer of the graph's output; else it is the last message's text.
        on_run: Called after each attempt, in the order in which they end.

    Raises:
        ConfigurationError: A number is out of range, or two tasks have one id.

    Examples:
        >>> from cogwork.core.settings import load_settings
        >>> from cogwork.runtime.evaluation import builtin_tasks
        >>> settings = load_settings(model="offline")
        >>> results = evaluate(graph_maker("react", settings), builtin_tasks()[:2])
        >>> results.success
        1.0
    """
    return run_blocking(
        partial(
            aevaluate,
            graph,
            tasks,
            name=name,
            model=model,
            repeats=repeats,
            concurrency=concurrency,
            timeout=timeout,
            budget=budget,
            instruction=instruction,
            to_input=to_input,
            to_answer=to_answer,
            on_run=on_run,
        )
    )


async def aevaluate(
    graph: Graph | Maker,
    tasks: Sequence[EvalTask],
    *,
    name: str | None = None,
    model: str = "",
    repeats: int = 1,
    concurrency: int = 4,
    timeout: float = 120,  # noqa: ASYNC109 - of each attempt
    budget: Budget = NO_LIMITS,
    instruction: str = "",
    to_input: Callable[[str], Any] | None = None,
    to_answer: Callable[[Any], str] | None = None,
    on_run: Callable[[TaskRun], None] | None = None,
) -> Results:
    """Do what `evaluate` does, on the caller's loop."""
    for said, value in (("repeats", repeats), ("concurrency", concurrency)):
        if value < 1:
            raise ConfigurationError(f"{said} is {value}; it must be 1 or more")
    if not timeout > 0:
        raise ConfigurationError(f"timeout is {timeout}; it must be more than 0 seconds")
    check_ids(tasks)
    trial = _Trial(
        cast("Maker", (lambda _: graph) if isinstance(graph, Pregel) else graph),
        timeout,
        budget,
        instruction,
        to_input or _as_message,
        to_answer or _last_text,
    )
    free = asyncio.Semaphore(concurrency)

    async def attempt(task: EvalTask, number: int) -> TaskRun:
        async with free:
            run = await trial.run(task, number)
        if on_run is not None:
            on_run(run)
        return run

    wanted = [(task, number) for task in tasks for number in range(1, repeats + 1)]
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(attempt(*each)) for each in wanted]
    named = name or getattr(graph, "name", None) or getattr(graph, "__name__", "graph")
    return Results(graph=named, model=model, runs=tuple(each.result() for each in running))


def graph_maker(name: str, settings: "Settings", tools: Sequence[str] | None = None) -> Maker:
    """Return a function that builds a registered graph for a folder.

    Each graph that it makes has a memory of its own, if it works on one, and its audit log
    lies beside the folder.

    Args:
        name: A registered graph's.
        settings: The model, limits and policy; their `root` is replaced by the folder.
        tools: Names of tools; those that are not optional unless given.

    Raises:
        UnknownNameError: There is no such graph.
    """
    import inspect

    from cogwork.graphs.registry import graphs

    remembers = "user" in inspect.signature(graphs.get(name)).parameters

    def make(folder: Path) -> Graph:
        from langgraph.store.memory import InMemoryStore

        from cogwork.runtime.building import build_graph

        log = folder.parent / "audit.jsonl"
        places = {"root": folder, "corpus": folder, "audit_log": log}
        own = settings.model_copy(update=places)
        return build_graph(name, own, tools, store=InMemoryStore() if remembers else None)

    make.__name__ = name
    return make


@dataclass(frozen=True, slots=True)
class _Trial:
    """How attempts are made."""

    make: Maker
    timeout: float
    budget: Budget
    instruction: str
    to_input: Callable[[str], Any]
    to_answer: Callable[[Any], str]

    async def run(self, task: EvalTask, number: int) -> TaskRun:
        """Make one attempt; its result says what went wrong."""
        began = time.monotonic()
        place = Path(tempfile.mkdtemp(prefix="cogwork-bench-"))
        with open_budget(self.budget, name="attempt") as ledger:
            try:
                outcome = await self._outcome(task, place)
            finally:
                shutil.rmtree(place, ignore_errors=True)
        return _told(task, number, outcome, ledger.spent, time.monotonic() - began)

    async def _outcome(self, task: EvalTask, place: Path) -> "_Outcome":
        try:
            folder = place / "files"
            folder.mkdir()
            task.put_into(folder)
            async with asyncio.timeout(self.timeout):
                output = await self.make(folder).ainvoke(self._question(task))
            if isinstance(output, Mapping) and output.get("__interrupt__"):
                return _Outcome("asks", Verdict.of(False, "waits for a person's answer"))
            answer = self.to_answer(output)
            return _Outcome("answered", task.check.judge(answer, folder), answer)
        except TimeoutError as error:
            told = str(error) or f"no answer within {self.timeout:g} seconds"
            return _Outcome("timeout", Verdict.of(False, told))
        except BudgetError as error:
            return _Outcome("budget", Verdict.of(False, error.safe_message()))
        except Exception as error:  # noqa: BLE001 - a result like any other
            told = f"{type(error).__name__}: {redact(str(error))}"
            return _Outcome("failed", Verdict.of(False, told))

    def _question(self, task: EvalTask) -> Any:
        added = [self.instruction] if self.instruction else []
        return self.to_input("\n\n".join([task.question, *added]))


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How an attempt ended."""

    ended: Ended
    verdict: Verdict
    answer: str = ""


def _told(task: EvalTask, number: int, outcome: _Outcome, spent: Spent, seconds: float) -> TaskRun:
    return TaskRun(
        task=task.id,
        kind=task.kind,
        group=task.group,
        attempt=number,
        passed=outcome.verdict.passed,
        score=outcome.verdict.score,
        ended=outcome.ended,
        reason=outcome.verdict.reason[:_LONGEST_REASON],
        answer=outcome.answer,
        model_calls=spent.model_calls,
        tool_calls=spent.tool_calls,
        tokens=spent.tokens,
        cost=spent.cost,
        seconds=seconds,
    )


def _as_message(question: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}]}


def _last_text(output: Any) -> str:
    return str(output["messages"][-1].text)
