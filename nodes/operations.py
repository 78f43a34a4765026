"""The operational layer: tools are chosen, inputs prepared, steps done, outputs transformed."""

import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from langchain_core.embeddings import Embeddings
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool

from cogwork.core.bridge import Node, in_thread, node
from cogwork.core.errors import redact
from cogwork.nodes.execution import make_execute
from cogwork.nodes.fitting import text_cosines
from cogwork.nodes.layers import Orders, report_of
from cogwork.nodes.plan import Plan, Step, StepResult
from cogwork.tools.calling import reason_of

__all__ = ["MakeMember", "Transform", "choose_tools", "make_operate", "make_prepare", "make_report"]

MakeMember: TypeAlias = Callable[[str, tuple[str, ...]], Runnable[Any, Any]]
"""From the name of a role, and of tools, to who does a step."""

Transform: TypeAlias = Callable[[Step, Any], Any]
"""From a step and what it gave to what is handed on; it may refuse by raising."""


def choose_tools(
    plan: Plan, tools: Sequence[BaseTool], *, most: int = 8, embeddings: Embeddings | str = "static"
) -> dict[str, tuple[str, ...]]:
    """Return the names of the tools that come nearest to what each step is to do.

    Args:
        plan: Whose steps they are for.
        tools: To choose from.
        most: How many a step gets; where there are no more, all.
        embeddings: LangChain's, or a name as in `create_embeddings`.

    Raises:
        ModelError: The embeddings cannot be had.
    """
    names = sorted(tool.name for tool in tools)
    if len(names) <= most:
        return {step.id: tuple(names) for step in plan.steps}
    about = {tool.name: f"{tool.name}: {tool.description}" for tool in tools}
    asked = [step.description for step in plan.steps]
    near = text_cosines(asked, [about[name] for name in names], embeddings)
    best = [heapq.nlargest(most, range(len(names)), key=row.__getitem__) for row in near]
    return {
        step.id: tuple(sorted(names[place] for place in places))
        for step, places in zip(plan.steps, best, strict=True)
    }


def make_prepare(
    tools: Sequence[BaseTool], *, most: int = 8, embeddings: Embeddings | str = "static"
) -> Node:
    """Make the node that chooses the tools for each step.

    Args:
        tools: To choose from.
        most: How many a step gets.
        embeddings: By which tools are compared with what a step is to do.

    Raises:
        ModelError: From the node: the embeddings cannot be had.
    """

    @node
    async def prepare(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Choose the tools for each step.

        Reads: orders
        Writes: chosen, plan, assignments, results
        """
        orders: Orders = state["orders"]

        def choose() -> dict[str, tuple[str, ...]]:
            return choose_tools(orders.plan, tools, most=most, embeddings=embeddings)

        return {
            "chosen": await in_thread(None, choose),
            "plan": orders.plan,
            "assignments": orders.assignments,
            "results": orders.results,
        }

    return prepare


def make_operate(make_member: MakeMember, **options: Any) -> Node:
    """Make the node that has each step done by its members, with the tools chosen for it.

    Args:
        make_member: Gives who does a step; asked again and again, it should remember.
        **options: As `make_execute` has them; `to_input` prepares the inputs.

    Raises:
        ConfigurationError: An option is impossible.
    """
    make_execute((), **options)  # refuses now what it would refuse in every run

    @node(loop=True)
    async def operate(state: Any, config: RunnableConfig) -> dict[str, Any]:
        """Do the steps as their dependencies allow.

        Reads: plan, assignments, chosen, results, messages, taint
        Writes: results, taint
        """
        ways = {
            # A checkpoint gives tuples back as lists.
            key: [make_member(name, tuple(state["chosen"][key])) for name in each.members]
            for key, each in state["assignments"].items()
        }
        execute = make_execute((), alternatives=ways, **options)
        done: dict[str, Any] = await execute.ainvoke(state, config)
        return done

    return operate


def make_report(transform: Transform | None = None) -> Node:
    """Make the node that transforms what steps gave, and reports.

    Args:
        transform: What it raises makes its step a failed one.
    """

    @node
    async def report(state: Any, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001 - a node's signature
        """Report to the layer above.

        Reads: orders, results
        Writes: report, results
        """
        orders: Orders = state["orders"]
        given: Mapping[str, StepResult] = state["results"]

        def hand_on() -> dict[str, StepResult]:
            return {
                key: one  # what was done before is transformed already
                if key in orders.results
                else _transformed(orders.plan[key], one, transform)
                for key, one in given.items()
            }

        results = await in_thread(None, hand_on)
        outputs = {key: one.result for key, one in results.items() if one.status == "completed"}
        return {"report": report_of(orders, results, outputs), "results": results}

    return report


def _transformed(step: Step, gave: StepResult, transform: Transform | None) -> StepResult:
    if transform is None or gave.status != "completed":
        return gave
    try:
        return gave.model_copy(update={"result": transform(step, gave.result)})
    except Exception as error:  # noqa: BLE001 - the layer above judges it
        reason = redact(reason_of(error, f"the output of {step.id}"))
        return gave.model_copy(update={"status": "failed", "result": None, "error": reason})
