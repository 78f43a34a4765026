"""The three layers as graphs, each with its own typed input and output.

```
strategic:   START ┬▶ clarify ──▶ decide ─▶ direct ─▶ END
                   └▶ reconsider ─┘
tactical:    START ┬▶ break_down ─▶ order ─▶ END
                   └▶ review ─┘
operational: START ─▶ prepare ─▶ execute ─▶ report ─▶ END
```
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NotRequired

from langchain_core.embeddings import Embeddings
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from typing_extensions import TypedDict

from cogwork.core.messages import Messages
from cogwork.core.models import ChatModel
from cogwork.nodes.decision import Decision, make_decide
from cogwork.nodes.layers import Directive, Goal, Orders, Report, Setback
from cogwork.nodes.operations import MakeMember, Transform, make_operate, make_prepare, make_report
from cogwork.nodes.plan import Plan, StepResult
from cogwork.nodes.ranking import Options, Ranked, expected_utility
from cogwork.nodes.recovery import Rung
from cogwork.nodes.roles import Assignment, Requirement, Role
from cogwork.nodes.strategy import (
    NONE_LEFT,
    make_clarify,
    make_direct,
    make_reconsider,
    options_left,
    route_after_reconsider,
)
from cogwork.nodes.tactics import (
    make_break_down,
    make_order,
    make_review_report,
    route_after_review_report,
)
from cogwork.tools.policy import Policy
from cogwork.tools.taint import with_taint

__all__ = [
    "OperationalInput",
    "OperationalOutput",
    "StrategicInput",
    "StrategicOutput",
    "TacticalInput",
    "TacticalOutput",
    "create_operational_layer",
    "create_strategic_layer",
    "create_tactical_layer",
]


class StrategicInput(TypedDict):
    """What the strategic layer takes: a question or a goal; later, a setback."""

    messages: NotRequired[Messages]
    given_goal: NotRequired[Goal | None]
    goal: NotRequired[Goal | None]
    setback: NotRequired[Setback | None]
    tried: NotRequired[list[str]]
    strategic_used: NotRequired[list[int]]


class StrategicOutput(TypedDict):
    """What it gives: the goal and a directive, or None when nothing is left to try."""

    goal: NotRequired[Goal | None]
    given_goal: NotRequired[Goal | None]
    directive: NotRequired[Directive | None]
    tried: NotRequired[list[str]]
    strategic_used: NotRequired[list[int]]
    tactical_used: NotRequired[list[int]]
    setback: NotRequired[Setback | None]
    orders: NotRequired[Orders | None]
    report: NotRequired[Report | None]


class TacticalInput(TypedDict):
    """What the tactical layer takes: a directive; later, the report on its last orders."""

    directive: NotRequired[Directive | None]
    orders: NotRequired[Orders | None]
    report: NotRequired[Report | None]
    tactical_used: NotRequired[list[int]]


class TacticalOutput(TypedDict):
    """What it gives: orders, or a setback."""

    orders: NotRequired[Orders | None]
    setback: NotRequired[Setback | None]
    tactical_used: NotRequired[list[int]]


class OperationalInput(TypedDict):
    """What the operational layer takes; of the messages only their taint counts."""

    orders: NotRequired[Orders | None]
    messages: NotRequired[Messages]


class OperationalOutput(TypedDict):
    """What it gives: the report, and how each step went."""

    report: NotRequired[Report | None]
    plan: NotRequired[Plan]
    assignments: NotRequired[dict[str, Assignment]]
    results: NotRequired[dict[str, StepResult]]


class _Strategic(StrategicInput, StrategicOutput):
    decision: NotRequired[Decision]
    course: NotRequired[str]


class _Tactical(TacticalInput, TacticalOutput):
    needs: NotRequired[list[Requirement]]


class _Operational(OperationalInput, OperationalOutput):
    chosen: NotRequired[dict[str, tuple[str, ...]]]


def create_strategic_layer(
    model: ChatModel,
    *,
    method: Callable[[Options], Sequence[Ranked]] = expected_utility,
    budget: float | Mapping[str, float] = 100.0,
    ladder: Sequence[Rung] = (Rung("fallback", limit=2),),
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create the layer that says what is wanted, which way to go, and for how much.

    Args:
        model: Clarifies the question.
        method: Chooses among the strategies.
        budget: For one goal: all of it, or what each layer may spend.
        ladder: What it does when the tactical layer has given up.

    Raises:
        ConfigurationError: The budget cannot be split.
    """
    builder = StateGraph(_Strategic, input_schema=StrategicInput, output_schema=StrategicOutput)
    builder.add_node("clarify", make_clarify(model))
    builder.add_node("reconsider", make_reconsider(ladder))
    builder.add_node("decide", make_decide(method, options=options_left, otherwise=NONE_LEFT))
    builder.add_node("direct", make_direct(budget))
    builder.add_conditional_edges(START, route_setback, ["clarify", "reconsider"])
    builder.add_edge("clarify", "decide")
    builder.add_conditional_edges(
        "reconsider", route_after_reconsider, {"decide": "decide", "direct": "direct", "stop": END}
    )
    builder.add_edge("decide", "direct")
    builder.add_edge("direct", END)
    return builder.compile(name="strategic")


def route_setback(state: StrategicInput) -> str:
    """Begin with the question, or with what went wrong."""
    return "reconsider" if state.get("setback") else "clarify"


def create_tactical_layer(
    model: ChatModel,
    roles: Sequence[Role],
    *,
    embeddings: Embeddings | str = "static",
    threshold: float = 0.4,
    max_seconds: float | None = None,
    ladder: Sequence[Rung] = (Rung("recompose"),),
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create the layer that says who does what when, and what is watched.

    Args:
        model: Breaks the goal down.
        roles: Of the team.
        embeddings: By which capabilities are compared where names do not decide.
        threshold: Least cosine by which a role fits.
        max_seconds: For a step, before the report has a word about it.
        ladder: What it does about steps that failed for good.
    """
    order = make_order(roles, embeddings=embeddings, threshold=threshold, max_seconds=max_seconds)
    builder = StateGraph(_Tactical, input_schema=TacticalInput, output_schema=TacticalOutput)
    builder.add_node("review", make_review_report(ladder))
    builder.add_node("break_down", make_break_down(model, roles))
    builder.add_node("order", order)
    builder.add_conditional_edges(START, route_report, ["break_down", "review"])
    builder.add_conditional_edges(
        "review", route_after_review_report, {"again": "break_down", "up": END}
    )
    builder.add_edge("break_down", "order")
    builder.add_edge("order", END)
    return builder.compile(name="tactical")


def route_report(state: TacticalInput) -> str:
    """Begin with the directive, or with what could not be done."""
    return "review" if state.get("report") else "break_down"


def create_operational_layer(
    make_member: MakeMember,
    tools: Sequence[BaseTool] = (),
    *,
    embeddings: Embeddings | str = "static",
    transform: Transform | None = None,
    policy: Policy | None = None,
    **options: Any,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create the layer that does the steps.

    Args:
        make_member: Gives who does a step, from the name of a role and of tools.
        tools: To choose from for each step.
        embeddings: By which tools are compared with what a step is to do.
        transform: Makes of what a step gave what is handed on.
        policy: As `make_execute` has it; the state then has a key `taint`.
        **options: As `make_execute` has them.

    Raises:
        ConfigurationError: An option is impossible.
    """
    schemas: list[Any] = [_Operational, OperationalInput, OperationalOutput]
    state, takes, gives = schemas if policy is None else map(with_taint, schemas)
    builder = StateGraph(state, input_schema=takes, output_schema=gives)
    builder.add_node("prepare", make_prepare(tools, embeddings=embeddings))
    builder.add_node("execute", make_operate(make_member, policy=policy, **options))
    builder.add_node("report", make_report(transform))
    builder.add_edge(START, "prepare")
    builder.add_edge("prepare", "execute")
    builder.add_edge("execute", "report")
    builder.add_edge("report", END)
    return builder.compile(name="operational")
