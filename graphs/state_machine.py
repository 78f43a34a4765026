"""State machine: a table of states and transitions as a graph that shows them.

    START ─▶ dispatch ─▶ (initial) ─ on event, if guard ─▶ (state) ─▶ … ─▶ (final) ─▶ END
                                                           ▲     │
                                                           └─────┘

Each state is a node, each transition an edge. A call gives the machine events; `dispatch` goes
to the state where the last call left it (the checkpointer knows, or the input says), events are
answered one after the other, ways without an event are taken as soon as their guard holds, and
the call ends when nothing is left to do. A machine inside a state is a subgraph.

Harel (1987), Statecharts: A Visual Formalism for Complex Systems,
https://doi.org/10.1016/0167-6423(87)90035-9
"""

from typing import Any, get_type_hints

from langchain_core.runnables import Runnable, RunnableSequence
from langgraph.cache.base import BaseCache
from langgraph.channels import BinaryOperatorAggregate, DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Checkpointer
from typing_extensions import is_typeddict

from cogwork.core.errors import ConfigurationError
from cogwork.memory import with_state_types
from cogwork.nodes.inner_machine import make_descend, make_return
from cogwork.nodes.machine import DISPATCH, Machine, MachineState, Transition, faults_of
from cogwork.nodes.transition import make_dispatch, make_state

__all__ = ["Machine", "MachineState", "Transition", "create_state_machine"]


def create_state_machine(
    machine: Machine,
    *,
    state_schema: type[Any] = MachineState,
    context_schema: type[Any] | None = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    cache: BaseCache[Any] | None = None,
    recursion_limit: int = 500,
    debug: bool = False,
    name: str | None = "state_machine",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Make a graph of a table of states and transitions.

    `invoke({"events": ["coin"]}, config)` answers events and returns the state, in which
    `state` is where the machine is. Without a checkpointer, give it that `state` back.
    An event that is not declared for the state is an error, one whose guards refuse is used up.

    Args:
        machine: The table.
        state_schema: A subclass of `MachineState` with the keys of your handlers.
        context_schema: The type of the run's `context`.
        checkpointer: Remembers the state of each thread.
        store: Long-term memory for the handlers.
        cache: Cache for nodes that have a cache policy.
        recursion_limit: Super-steps that one call may take, one or two for each transition.
        debug: Whether LangGraph prints each super-step.
        name: Name of the graph, also as a node of another one.

    Raises:
        ConfigurationError: The table has faults; all of them are named.
        AgentError: From a run: an event or a target is not declared for the state that the
            machine is in, which the message names; or one call took all its super-steps.

    Examples:
        >>> door = Machine(
        ...     initial="shut",
        ...     states=["shut", "open"],
        ...     transitions=[
        ...         Transition("shut", "open", on="push"),
        ...         Transition("open", "shut", on="pull"),
        ...     ],
        ... )
        >>> create_state_machine(door).invoke({"events": ["push", "pull", "push"]})["state"]
        'open'
    """
    if not is_typeddict(state_schema):
        raise ConfigurationError(f"state_schema is {state_schema!r}, which is no TypedDict")
    keys = get_type_hints(state_schema)
    missing = [key for key in get_type_hints(MachineState) if key not in keys]
    faults = [f"state_schema has no '{key}'" for key in missing]
    faults += faults_of(machine, keys)
    if faults:
        raise ConfigurationError("the state machine has faults: " + "; ".join(faults))
    builder = _builder(machine, state_schema, context_schema, inside=False)
    graph = builder.compile(
        with_state_types(checkpointer, builder),
        store=store,
        cache=cache,
        debug=debug,
        name=name,
    )
    return graph.with_config(recursion_limit=recursion_limit)


def _builder(
    machine: Machine, state_schema: type[Any], context_schema: type[Any] | None, *, inside: bool
) -> "StateGraph[Any, Any, Any, Any]":
    builder = StateGraph(state_schema, context_schema)
    merged = (BinaryOperatorAggregate, DeltaChannel)
    reduced = [key for key, each in builder.channels.items() if isinstance(each, merged)]
    dispatch = make_dispatch(machine, inside=inside)
    builder.add_node(DISPATCH, dispatch, destinations=(machine.initial,))
    builder.add_edge(START, DISPATCH)
    for name in machine.states:
        step: Runnable[Any, Any] = make_state(machine, name, inside=inside)
        if name in machine.nested:
            inner = _builder(machine.nested[name], state_schema, context_schema, inside=True)
            step = RunnableSequence(
                make_descend(reduced),
                inner.compile(name=name),
                make_return(name, reduced, make_state(machine, name, inside=inside)),
            )
        builder.add_node(name, step, destinations=_destinations(machine, name))
        if name in machine.final:
            builder.add_edge(name, END)
    return builder


def _destinations(machine: Machine, name: str) -> dict[str, str]:
    """The targets with what is written at the arrows."""
    found: dict[str, list[str]] = {}
    for way in machine.ways(name):
        found.setdefault(way.target, []).append(way.label)
    return {target: ", ".join(filter(None, labels)) for target, labels in found.items()}
