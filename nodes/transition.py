"""The steps of a state machine: finding the state it is in, entering it, leaving it.

A state's node runs once to enter and once to leave, so that guards see what the entry handler
wrote, through the reducers of the graph. `cursor` in the state says which of both is due.
"""

from collections.abc import Mapping
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Literal

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.graph import END
from langgraph.types import Command

from cogwork.core.bridge import Node, call, node
from cogwork.core.errors import AgentError
from cogwork.core.registry import nearest
from cogwork.nodes.machine import Cursor, Event, Handler, Machine, MachineState, Transition

__all__ = ["make_dispatch", "make_state"]


_OURS = frozenset(MachineState.__annotations__)
# LangGraph hands a node its counts in the config; it publishes no other way to them.
_COUNTS = "__pregel_scratchpad"


def make_dispatch(machine: Machine, *, inside: bool = False) -> Node:
    """Make the node that goes to the state in which the machine is.

    Args:
        machine: The table.
        inside: Whether it is inside a state of another one.

    Raises:
        AgentError: From the node: there is no such state; the input says another state than
            the one the machine is in; or it has ended and is given events.
    """

    @node
    def dispatch(state: Any, config: RunnableConfig) -> Command[Any]:  # noqa: ARG001 - a node's signature
        """Go to the state in which the machine is.

        Reads: state, cursor, events
        Writes: state, cursor
        """
        path, cursor = state.get("state"), state.get("cursor") or {}
        if isinstance(state.get("events"), str | Mapping):
            said = state["events"]
            raise AgentError(f"'events' is {said!r}; it is a list of events, such as [{said!r}]")
        if "asleep" in cursor:
            return Command(goto=END)
        if not path:
            began: Cursor = {"at": machine.initial, "phase": "enter"}
            return Command(update={"state": machine.initial, "cursor": began}, goto=machine.initial)
        here = path.partition("/")[0]
        _check_place(machine, here, path, cursor)
        if here in machine.final and cursor.get("phase") != "enter":
            if state.get("events") and not inside:
                _refuse_event([], path, _name(state["events"][0]))
            return Command(goto=END)
        if cursor.get("phase") != "enter":
            cursor = {**cursor, "at": path, "phase": _phase_behind_entry(machine, here)}
        return Command(update={"cursor": cursor}, goto=here)

    return dispatch


def make_state(machine: Machine, here: str, *, inside: bool = False) -> Node:
    """Make the node of a state: enter it, then leave it by the first way that is open.

    A machine stays where it is when no way is open. An event whose guards all refuse is used up.

    Args:
        machine: The table.
        here: The state.
        inside: Whether the machine is inside a state of another one, which then gets the
            events that this one does not know.

    Raises:
        AgentError: From the node: an event or a target is not declared for this state, a
            handler writes what belongs to the machine, or the call has no super-step left.
    """
    handlers: list[Any] = [machine.entry.get(here)]
    handlers += [each for way in machine.ways(here) for each in (way.guard, way.action)]

    @node(loop=any(map(_is_async, handlers)))
    async def stand(state: Any, config: RunnableConfig) -> Command[Any]:
        """Enter the state or leave it.

        Reads: state, cursor, events, event, and what the handlers read
        Writes: state, cursor, events, event, and what the handlers write
        """
        if here not in machine.final:
            _check_steps(here, state, config)
        if "asleep" in state["cursor"]:
            state = {**state, "cursor": state["cursor"]["asleep"]}
        if state["cursor"]["phase"] != "enter":
            return await _leave(machine, here, state, config, inside)
        if here in machine.entry:
            return await _enter(machine, here, state, config, inside)
        behind = _phase_behind_entry(machine, here)
        cursor: Cursor = {"at": state["state"], "phase": behind}
        if behind == "inside" or here in machine.final:
            on = _goes_on(machine, here, state, inside)
            return Command(update={"cursor": cursor}, goto=here if on else ())
        return await _leave(machine, here, {**state, "cursor": cursor}, config, inside)

    return stand


async def _enter(
    machine: Machine, here: str, state: Any, config: RunnableConfig, inside: bool
) -> Command[Any]:
    given = await _handled(machine.entry[here], state, config)
    target = _target(machine, here, given.goto) if isinstance(given, Command) else None
    cursor: Cursor = {"at": state["state"], "phase": _phase_behind_entry(machine, here)}
    if target is not None:
        cursor = {"at": state["state"], "phase": "leave", "chosen": target}
    update = {**_update(given, f"the entry handler of '{here}'"), "cursor": cursor}
    return Command(update=update, goto=here if _goes_on(machine, here, state, inside) else ())


async def _leave(
    machine: Machine, here: str, state: Any, config: RunnableConfig, inside: bool
) -> Command[Any]:
    cursor, ways = state["cursor"], machine.ways(here)
    target = cursor.get("chosen")
    if target:
        way = await _open([each for each in ways if each.target == target], state, None)
        if way is None:
            raise AgentError(
                f"the entry handler of '{here}' chose '{target}', but the guard refuses the way"
            )
        return await _take(way, state, config, None)
    if _has_ended(machine, here, state["state"]):
        way = await _open([each for each in ways if each.on is None], state, None)
        if way is not None:
            return await _take(way, state, config, None)
    if not state.get("events"):
        return Command(update={"cursor": cursor})
    return await _answer(machine, here, state, config, inside)


async def _answer(
    machine: Machine, here: str, state: Any, config: RunnableConfig, inside: bool
) -> Command[Any]:
    """Take the way of the next event; use it up where its guards refuse."""
    cursor: Cursor = state["cursor"]
    event, *later = state["events"]
    answers = [each for each in machine.ways(here) if each.on == _name(event)]
    if not answers:
        if inside:
            return Command(update={"cursor": cursor})
        _refuse_event(machine.ways(here), state["state"], _name(event))
    way = await _open(answers, state, event)
    if way is not None:
        return await _take(way, state, config, event)
    stay: Cursor = {**cursor, "phase": _phase_behind_entry(machine, here)}
    return Command(update={"cursor": stay, "events": later}, goto=here)


async def _open(ways: list[Transition], state: Any, event: Event | None) -> Transition | None:
    """The first way whose guard lets it be taken."""
    for way in ways:
        if way.guard is None:
            return way
        holds = way.guard({**state, "event": event})
        if await holds if isawaitable(holds) else holds:
            return way
    return None


async def _take(
    way: Transition, state: Any, config: RunnableConfig, event: Event | None
) -> Command[Any]:
    update: dict[str, Any] = {}
    if way.action is not None:
        given = await _handled(way.action, {**state, "event": event}, config)
        said = f"the action from '{way.source}' to '{way.target}'"
        if isinstance(given, Command) and given.goto:
            raise AgentError(f"{said} goes to {given.goto!r}; it is on its way already")
        update = _update(given, said)
    if event is not None:
        update["events"] = state["events"][1:]
    cursor: Cursor = {"at": way.target, "phase": "enter"}
    update |= {"state": way.target, "event": event, "cursor": cursor}
    return Command(update=update, goto=way.target)


async def _handled(handler: Handler, state: Any, config: RunnableConfig) -> Any:
    if isinstance(handler, Runnable):
        return await call(handler, state, config)
    given = handler(state)
    return await given if isawaitable(given) else given


def _update(given: Any, said: str) -> dict[str, Any]:
    update = given.update if isinstance(given, Command) else given
    if update is None:
        return {}
    if not isinstance(update, Mapping):
        raise AgentError(f"{said} returned {type(update).__name__}; return an update or None")
    if ours := sorted(_OURS & set(update)):
        raise AgentError(
            f"{said} writes {', '.join(map(repr, ours))}, which the machine alone does; to choose "
            "where it goes on, return Command(goto=…) from an entry handler"
        )
    return dict(update)


def _check_steps(here: str, state: Any, config: RunnableConfig) -> None:
    """Refuse the last super-step of a call: LangGraph would break it off without a reason."""
    counts = (config.get("configurable") or {}).get(_COUNTS)
    if counts is None or counts.step < counts.stop:
        return
    left = len(state.get("events") or ())
    way_out = (
        f"{left} events are left: send fewer at once"
        if left
        else (
            "it goes on by itself: see which transitions without an event form a circle, and guard one"
        )
    )
    raise AgentError(
        f"one call took its {config.get('recursion_limit')} super-steps, and the machine, now in "
        f"'{here}', is not at rest; {way_out}, or raise recursion_limit"
    )


def _check_place(machine: Machine, here: str, path: str, cursor: Mapping[str, Any]) -> None:
    if here not in machine.states:
        raise AgentError(f"there is no state '{here}'; {nearest(here, list(machine.states))}")
    if cursor.get("at", path) != path:
        raise AgentError(
            f"the machine is in '{cursor['at']}', and no transition leads from there to '{path}' "
            "by being written into the state; send it events, or write 'cursor': None too"
        )


def _target(machine: Machine, here: str, goto: Any) -> str | None:
    targets = list(dict.fromkeys(each.target for each in machine.ways(here)))
    if goto and goto not in targets:
        known = ", ".join(f"'{each}'" for each in targets) or "no state"
        raise AgentError(
            f"no transition leads from '{here}' to {goto!r}; declared from '{here}': {known}"
        )
    return goto or None


def _refuse_event(ways: list[Transition], path: str, name: str) -> None:
    if not ways:
        raise AgentError(
            f"the machine has ended in '{path}', so the event '{name}' cannot move it any more; "
            "begin a new thread"
        )
    known = [each.on for each in ways if each.on]
    offer = nearest(name, known) if known else "it answers none"
    raise AgentError(f"in the state '{path}' no event '{name}' is declared; {offer}")


def _goes_on(machine: Machine, here: str, state: Any, inside: bool) -> bool:
    """Whether a state that has been entered is to be left; a final one only refuses events."""
    return here not in machine.final or bool(state.get("events") and not inside)


def _phase_behind_entry(machine: Machine, here: str) -> Literal["inside", "leave"]:
    return "inside" if here in machine.nested else "leave"


def _has_ended(machine: Machine, here: str, path: str) -> bool:
    """Whether what is inside a state has ended; nothing inside has."""
    inner = machine.nested.get(here)
    return inner is None or path.split("/")[1] in inner.final


def _name(event: Event) -> str:
    if isinstance(event, str):
        return event
    name = event.get("type") if isinstance(event, Mapping) else None
    if not isinstance(name, str):
        raise AgentError(f"event {event!r} has no name; send a text, or a mapping with a 'type'")
    return name


def _is_async(handler: Any) -> bool:
    call_method = getattr(handler, "__call__", None)  # noqa: B004 - an object's may be async
    return iscoroutinefunction(handler) or iscoroutinefunction(call_method)
