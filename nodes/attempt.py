"""One attempt at a step of a plan: a tool is called, or an agent is given the task."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.errors import GraphBubbleUp, GraphInterrupt
from langgraph.pregel import Pregel

from cogwork.core.errors import AgentError, PlanningError, ToolError
from cogwork.core.isolation import place_of
from cogwork.nodes.history import is_question
from cogwork.nodes.plan import Step, StepResult
from cogwork.nodes.references import fill
from cogwork.nodes.transcript import transcript
from cogwork.tools.audit import AuditLog
from cogwork.tools.calling import ReadyTool
from cogwork.tools.guard import Guard
from cogwork.tools.policy import Policy, digest_of
from cogwork.tools.quick import inside_run

__all__ = [
    "Answers",
    "Before",
    "Gate",
    "Question",
    "ToInput",
    "Waiting",
    "Way",
    "attempt",
    "task_messages",
]

_BRIEF = 200  # characters

Before: TypeAlias = Sequence[tuple[Step, StepResult]]
"""The steps that a step depends on, and how they went."""

Way: TypeAlias = ReadyTool | Runnable[Any, Any]
"""What can do a step: a tool, or a graph or another runnable."""

ToInput: TypeAlias = Callable[[Step, Before], Any]
"""From a step, and those it depends on with how they went, to the input of its graph."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a step asks a person.

    Args:
        step: The step's id.
        place: Which part of it asks: an attempt, or the recovery of a failure.
        id: Names the question within its place.
        value: What is asked, as it was given to `interrupt`.
    """

    step: str
    place: str
    id: str
    value: Any


class Waiting(GraphBubbleUp):
    """A step cannot go on without a person."""

    def __init__(self, *questions: Question) -> None:
        super().__init__()
        self.questions = questions


class Answers:
    """What persons have answered to the questions of a plan's steps."""

    def __init__(self) -> None:
        self._at: dict[str, dict[str, Any]] = {}

    def add(self, place: str, question: str, answer: Any) -> None:
        """Note an answer; those of one place keep their order."""
        self._at.setdefault(place, {})[question] = answer

    def at(self, place: str) -> dict[str, Any]:
        """Return the answers given at a place, by the ids of the questions."""
        return self._at.get(place, {})


class Gate:
    """What stands before the calls of one step: a policy, and where it says so, a person.

    Args:
        policy: Which calls are made, ask first, or are refused.
        audit: Where decisions are noted.
        taint: The untrusted sources that the step draws on.
    """

    def __init__(self, policy: Policy, taint: Sequence[str], audit: AuditLog | None = None) -> None:
        self.policy = policy
        self._audit = audit
        self.taint = taint
        self._admitted: dict[str, Mapping[str, Any]] = {}

    async def admit(
        self, tool: ReadyTool, step: Step, args: Any, config: RunnableConfig, place: str
    ) -> Any:
        """Return the arguments to call a tool with, or a person's answer in its place.

        Raises:
            GraphInterrupt: A person is asked, and has not answered yet.
            ToolError: The policy or a person refuses the call.
        """
        name = tool.tool.name
        digest = digest_of(name, args, self.taint)
        if digest in self._admitted:  # an earlier attempt at this step
            return self._admitted[digest]
        call = {"name": name, "args": args, "id": step.id, "type": "tool_call"}
        guard = Guard(self.policy, {name: tool.spec}, self._audit)
        with inside_run(config):
            admitted = await guard.admit(call, self.taint, config, place=place)
        if not isinstance(admitted, ToolMessage):
            return self._admitted.setdefault(digest, admitted["args"])
        if admitted.status == "error":
            raise ToolError(str(admitted.text).removeprefix("Error: "))
        return admitted


async def attempt(
    step: Step,
    way: Way,
    before: Before,
    config: RunnableConfig,
    *,
    place: str,
    answers: Answers,
    seconds: float | None = None,
    to_input: ToInput | None = None,
    gate: Gate | None = None,
) -> Any:
    """Return what a step gave.

    Args:
        step: What to do.
        way: What does it.
        before: The steps it depends on.
        config: Of the node.
        place: Names the attempt; a graph that was cut off goes on under the same name.
        answers: Of persons, so far.
        seconds: How long a graph may take; a tool has a limit of its own.
        to_input: Makes the input of a graph; `task_messages` unless given.
        gate: Says whether the call of a tool is made.

    Raises:
        Waiting: It asks a person, or a person is to approve it.
        AgentError: Its agent gave up.
        PlanningError: Its arguments refer to what is not there.
        ToolError: The policy or a person refuses the call.
    """
    given = answers.at(place)
    try:
        if isinstance(way, ReadyTool):
            inside = place_of(config, place, list(given.values()))
            args = arguments(step, before)
            admitted = await gate.admit(way, step, args, inside, place) if gate else args
            if isinstance(admitted, ToolMessage):
                return str(admitted.text)
            return await _call(way, step, admitted, inside)
        resume = await _open(way, place_of(config, place), given)
        task = (to_input or task_messages)(step, before)
        inside = place_of(config, place, resume=resume)
        return _answer(await _within(seconds, way.ainvoke(task, inside)))
    except GraphInterrupt as interrupted:
        asked = interrupted.args[0] if interrupted.args else ()
        raise Waiting(*(Question(step.id, place, each.id, each.value) for each in asked)) from None


def arguments(step: Step, before: Before) -> dict[str, Any]:
    """Return what a step's tool is called with.

    Raises:
        PlanningError: It refers to what is not there.
    """
    results = {each.id: gave.result for each, gave in before if gave.status == "completed"}
    filled: dict[str, Any] = fill(step.args, results)
    return filled


def task_messages(step: Step, before: Before) -> dict[str, list[AnyMessage]]:
    """Return a step as a question to an agent; each step it depends on is a turn before."""
    done = [(each, gave) for each, gave in before if gave.status == "completed"]
    said = [message for each, gave in done for message in _turn(each, gave)]
    task = fill(step.description, {each.id: gave.result for each, gave in done})
    return {"messages": [*said, HumanMessage(task)]}


def _turn(step: Step, gave: StepResult) -> list[AnyMessage]:
    asked = HumanMessage(step.description or str(step.tool))
    if step.tool is None and isinstance(gave.result, str):
        return [asked, AIMessage(gave.result)]
    told = transcript([step], {step.id: gave})
    brief = [AIMessage(told[-1].text)] if len(told[-1].text) <= _BRIEF else []
    return [asked, *told, *brief]  # a short result is said too, for what "it" refers to


async def _call(tool: ReadyTool, step: Step, args: Any, config: RunnableConfig) -> Any:
    if tool.reaches_in is None:
        return await tool.run(args, config)
    call = {"name": tool.tool.name, "args": args, "id": step.id, "type": "tool_call"}
    message = await tool.run(call, config)
    if not isinstance(message, ToolMessage):
        raise PlanningError(
            f"step '{step.id}': '{tool.tool.name}' steers its graph by a Command, which no "
            "plan can follow; give the step to an agent"
        )
    if message.status == "error":
        raise ToolError(str(message.text))
    return message.content


async def _within(seconds: float | None, answer: Awaitable[Any]) -> Any:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await answer
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TimeoutError(f"there was no answer within {seconds:g} seconds") from error


async def _open(
    way: Runnable[Any, Any], place: RunnableConfig, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Those answers whose questions the graph still asks; another would be given to the next."""
    if not given or not isinstance(way, Pregel):
        return dict(given)
    state = await way.aget_state(place)
    asked = {interrupt.id for task in state.tasks for interrupt in task.interrupts}
    return {key: answer for key, answer in given.items() if key in asked}


def _answer(output: Any) -> Any:
    """What a graph found: its structured response, else its last message, else all of it.

    Raises:
        AgentError: It added no message, or gave up: its `stop_reason` is none but `answered`, or its last message is
            marked as a refusal, as OpenAI's and the offline model mark theirs.
    """
    if not isinstance(output, Mapping):
        return output
    messages: Sequence[Any] = output.get("messages") or ()
    said = str(messages[-1].text) if messages else ""
    stopped = output.get("stop_reason")
    if stopped not in (None, "answered"):
        raise AgentError(f"the agent stopped with '{stopped}': {said}")
    if output.get("structured_response") is not None:
        return output["structured_response"]
    if messages and messages[-1].additional_kwargs.get("refusal"):
        raise AgentError(f"the agent gave no answer: {said}")
    if "messages" in output and (not messages or is_question(messages[-1])):
        raise AgentError("the agent gave no answer: it added no message to the question")
    return said if messages else dict(output)
