"""As-ready execution: a step starts the moment that those it depends on are done.

LangGraph's super-steps are barriers, so a plan is run inside of one node: ordered by the
standard library's `graphlib`, run by asyncio, and recorded step by step in a journal. A
run that was killed and is resumed runs no finished step again.
"""

import asyncio
import graphlib
import heapq
import time
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.config import get_stream_writer

from cogwork.core.bridge import Node, node
from cogwork.core.errors import ConfigurationError
from cogwork.core.journal import Journal
from cogwork.nodes.attempt import Answers, Question, ToInput, Waiting, Way
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.nodes.questions import ask_questions, read_answers
from cogwork.nodes.recovery import DEFAULT_LADDER, Rung
from cogwork.nodes.references import references
from cogwork.nodes.step import Climb, OnDoubt, Place, Recompose, Ways
from cogwork.tools.audit import AuditLog
from cogwork.tools.calling import ReadyTool
from cogwork.tools.policy import Policy
from cogwork.tools.taint import has_read, inherited_taint, merge_taint, taint_of

__all__ = ["make_execute"]

_DONE = ("completed", "failed", "blocked", "skipped")


def make_execute(
    tools: Sequence[BaseTool] = (),
    agent: Runnable[Any, Any] | None = None,
    *,
    ladder: Sequence[Rung] = DEFAULT_LADDER,
    alternatives: Mapping[str, Sequence[str | BaseTool | Runnable[Any, Any]]] | None = None,
    recompose: Recompose | None = None,
    max_concurrency: int = 8,
    tool_timeout: float | None = None,
    step_timeout: float | None = None,
    to_input: ToInput | None = None,
    on_doubt: OnDoubt = "ask",
    policy: Policy | None = None,
    audit: AuditLog | None = None,
) -> Node:
    """Make the node that executes a plan.

    Of the steps that are ready, the one with the higher priority goes first, then the one
    with the longer way to the end. A step that fails blocks what depends on it and nothing
    else. What steps ask is asked in one interrupt, when nothing else is left to do; it is
    answered by a mapping from each question's `key` to its answer, also as JSON (a single
    question also by the bare answer). What answers nothing is asked again, and the
    question's `trouble` says why. Each change of a step is a custom stream event
    `{"type": "step", "step", "event", "at", …}`.

    Args:
        tools: What steps may call.
        agent: Does steps that name no tool: a compiled graph that takes `messages`, or
            another runnable together with `to_input`.
        ladder: What is done about failures.
        alternatives: What to fall back to, by the name of a tool or the id of a step:
            names of tools, tools, or graphs. Without an `agent`, they are what does a step
            that names no tool, the first of them first.
        recompose: Splits a step that failed, for a ladder with that rung; parts that fail
            are split in turn, three levels deep.
        max_concurrency: How many steps run at the same time, where the run's config says
            nothing else by its own `max_concurrency`.
        tool_timeout: Seconds for one call of a tool that declares none itself.
        step_timeout: Seconds for one attempt of the agent.
        to_input: From a step, and those it depends on with how they went, to the agent's input.
        on_doubt: What to do with a call with an effect that was cut off by a crash, or
            whose answer was lost: ask a person, repeat it, or let the step fail.
        policy: Which calls of tools are made, ask a person first, or are refused; the state
            then needs a key `taint` (see `cogwork.tools.taint`). A step is tainted when the
            plan is, or a step that it depends on. The agent has a policy of its own.
        audit: Where calls of tools, and decisions about them, are noted.

    Raises:
        ConfigurationError: A limit is impossible or an alternative unknown.
    """
    for name, value in {
        "max_concurrency": max_concurrency,
        "tool_timeout": tool_timeout,
        "step_timeout": step_timeout,
    }.items():
        if value is not None and value <= 0:
            raise ConfigurationError(f"{name} is {value}; it must be more than 0")
    ready = {tool.name: ReadyTool(tool, tool_timeout, audit) for tool in tools}
    ways = Ways(
        tools=ready,
        agent=agent,
        alternatives=_resolved(alternatives or {}, ready, tool_timeout, audit),
        ladder=tuple(ladder),
        recompose=recompose,
        timeout=step_timeout,
        to_input=to_input,
        on_doubt=on_doubt,
        policy=policy,
        audit=audit,
    )
    trusted = frozenset(name for name, each in ready.items() if not each.spec.is_untrusted)

    @node(loop=True)
    async def execute(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Run the plan's steps as their dependencies allow.

        Reads: plan, results, messages, taint
        Writes: results, taint
        """
        journal = Journal(config)
        answers, trouble, rounds = await read_answers(journal)
        kept = {
            key: result
            for key, result in (state.get("results") or {}).items()
            if result.status == "completed"
        }
        limit = config.get("max_concurrency") or max_concurrency
        execution = _Execution(state["plan"], kept, ways, limit)
        taint = [] if policy is None else merge_taint(taint_of(state, trusted), inherited_taint())
        execution.enter(config, journal, answers, taint)
        waiting = await execution.run()
        if waiting:
            await ask_questions(journal, waiting, trouble, rounds)
        results = {step.id: execution.results[step.id] for step in state["plan"].steps}
        if policy is None:
            return {"results": results}
        read = {source for one in results.values() for source in one.taint or ()}
        has_read(*taint, *read)
        return {"results": results, "taint": merge_taint(taint, read)}

    return execute


class _Execution:
    """One plan on its way."""

    def __init__(
        self,
        plan: Plan,
        results: Mapping[str, StepResult],
        ways: Ways,
        limit: int,
        prefix: str = "",
    ) -> None:
        self.results = {key: one for key, one in results.items() if key in plan.order}
        self._plan = plan
        self._ways = ways
        self._limit = limit
        self._prefix = prefix
        self._ready: list[tuple[int, float, int, str]] = []
        self._running: dict[asyncio.Task[StepResult], str] = {}
        self._waiting: dict[str, Waiting] = {}
        self._sorter = graphlib.TopologicalSorter({s.id: s.depends_on for s in plan.steps})
        self._sorter.prepare()
        self._place_of = {step.id: place for place, step in enumerate(plan.steps)}
        self._write = get_stream_writer()

    def enter(
        self,
        config: RunnableConfig,
        journal: Journal,
        answers: Answers,
        taint: Sequence[str],
        depth: int = 0,
    ) -> None:
        """Say where it runs."""
        self._at = Place(config, journal, answers, self._run_parts, taint, depth)

    async def run(self) -> list[Question]:
        """Run all that can run; return the questions of the steps that wait."""
        try:
            self._advance()
            while self._running:
                done, _ = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    self._take(self._running.pop(task), task)
                self._advance()
        finally:
            await _stop(self._running)
        order = sorted(self._waiting, key=self._place_of.__getitem__)
        return [question for key in order for question in self._waiting[key].questions]

    def _advance(self) -> None:
        """Queue what has become ready, settle what cannot run, start what may."""
        while keys := self._sorter.get_ready() if self._sorter.is_active() else ():
            for key in keys:
                self._queue(self._plan[key])
        while self._ready and len(self._running) < self._limit:
            step = self._plan[heapq.heappop(self._ready)[-1]]
            self._say(step.id, "started")
            task = asyncio.create_task(self._run_step(step), name=f"step {step.id}")
            self._running[task] = step.id

    def _queue(self, step: Step) -> None:
        if step.id in self.results:  # of an earlier plan
            self._sorter.done(step.id)
        elif reason := self._obstacle(step):
            status = "skipped" if step.optional else "blocked"
            self._end(StepResult(id=step.id, status=status, error=reason))
        else:
            self._say(step.id, "queued")
            longest = self._plan.remaining[step.id]
            heapq.heappush(
                self._ready, (-step.priority, -longest, self._place_of[step.id], step.id)
            )

    def _obstacle(self, step: Step) -> str | None:
        """Why a step cannot run now that everything before it has ended."""
        needed = references([step.args, step.description])
        for key in step.depends_on:
            before = self.results[key]
            if before.status in ("failed", "blocked"):
                return f"it depends on '{key}', which is {before.status}"
            if before.status == "skipped" and key in needed:
                return f"it needs the result of '{key}', which was skipped"
        return None

    async def _run_step(self, step: Step) -> StepResult:
        """The step's end: from the journal, or by running it."""
        key = f"{self._prefix}{step.id}"
        before = [(self._plan[each], self.results[each]) for each in step.depends_on]

        ended: StepResult | None = None

        async def climb() -> dict[str, Any]:
            nonlocal ended
            ended = await Climb(step, key, before, self._ways, self._at).run()
            return ended.model_dump()

        record = await self._at.journal.step(f"step:{key}", climb)
        return ended or StepResult(**record)

    def _take(self, key: str, task: asyncio.Task[StepResult]) -> None:
        try:
            self._end(task.result())
        except Waiting as waiting:
            self._waiting[key] = waiting
            self._say(key, "waiting")

    def _end(self, result: StepResult) -> None:
        self.results[result.id] = result
        self._sorter.done(result.id)
        event = "finished" if result.status == "completed" else result.status
        self._say(
            result.id,
            event,
            error=result.error,
            attempts=result.attempts,
            done=len(self.results),
            total=len(self._plan.steps),
        )

    def _say(self, key: str, event: str, **more: Any) -> None:
        self._write(
            {
                "type": "step",
                "step": f"{self._prefix}{key}",
                "event": event,
                "at": time.time(),
                **{name: value for name, value in more.items() if value is not None},
            }
        )

    async def _run_parts(
        self, parts: Plan, prefix: str, taint: Sequence[str]
    ) -> dict[str, StepResult]:
        """Run the parts of a step; a part that needs a person makes the whole step wait."""
        inner = _Execution(parts, {}, self._ways, self._limit, prefix)
        at = self._at
        inner.enter(at.config, at.journal, at.answers, taint, at.depth + 1)
        if waiting := await inner.run():
            raise Waiting(*waiting)
        return inner.results


async def _stop(running: Mapping[asyncio.Task[StepResult], str]) -> None:
    """Cancel what still runs and wait for it, so that nothing goes on behind the node."""
    for task in running:
        task.cancel()
    if running:
        await asyncio.gather(*running, return_exceptions=True)


def _resolved(
    alternatives: Mapping[str, Sequence[str | BaseTool | Runnable[Any, Any]]],
    ready: Mapping[str, ReadyTool],
    timeout: float | None,
    audit: AuditLog | None,
) -> dict[str, list[Way]]:
    found: dict[str, list[Way]] = {}
    for name, others in alternatives.items():
        for other in others:
            if isinstance(other, str):
                if other not in ready:
                    raise ConfigurationError(
                        f"the alternative '{other}' of '{name}' is no tool of this plan"
                    )
                found.setdefault(name, []).append(ready[other])
            elif isinstance(other, BaseTool):
                found.setdefault(name, []).append(ReadyTool(other, timeout, audit))
            else:
                found.setdefault(name, []).append(other)
    return found
