import operator
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from cogwork.core.bridge import node
from cogwork.core.errors import AgentError
from cogwork.core.messages import Messages
from cogwork.core.topology import to_ascii
from cogwork.graphs.state_machine import (
    Machine,
    MachineState,
    Transition,
    create_state_machine,
)
from cogwork.memory import create_checkpointer

THREAD = {"configurable": {"thread_id": "1"}}


class Logged(MachineState):
    log: Annotated[list[str], operator.add]
    messages: Messages
    amount: int


def says(word):
    return lambda state: {"log": [word]}


def paid(state):
    return state.get("amount", 0) >= 2


TURNSTILE = Machine(
    initial="locked",
    states=["locked", "unlocked"],
    transitions=[
        Transition("locked", "unlocked", on="coin", action=says("clink")),
        Transition("locked", "locked", on="push", action=says("bump")),
        Transition("unlocked", "locked", on="push", action=says("turn")),
    ],
    entry={"locked": says("lock"), "unlocked": says("unlock")},
)


def machine(table, **options):
    options = {"state_schema": Logged, "checkpointer": InMemorySaver(), **options}
    graph = create_state_machine(table, **options)

    def send(*events, **more):
        return graph.invoke({"events": list(events), **more}, THREAD)

    return graph, send


def ways(*rows):
    """Transitions from `source>target`, with `:event` where there is one."""
    found = []
    for row in rows:
        source, _, rest = row.partition(">")
        target, _, event = rest.partition(":")
        found.append(Transition(source, target, on=event or None))
    return found


# ---- driving -----------------------------------------------------------------------------------


def test_a_thread_stays_where_its_last_event_left_it():
    _, send = machine(TURNSTILE)
    assert send()["state"] == "locked"
    assert send("coin")["state"] == "unlocked"
    state = send("push")
    assert (state["state"], state["event"], state["events"]) == ("locked", "push", [])
    assert state["log"] == ["lock", "clink", "unlock", "turn", "lock"]


def test_events_of_one_call_are_answered_in_their_order():
    _, send = machine(TURNSTILE)
    assert send("push", "coin", "push", "coin")["log"] == [
        *("lock", "bump", "lock", "clink", "unlock"),
        *("turn", "lock", "clink", "unlock"),
    ]


def test_without_a_checkpointer_the_state_is_handed_back_by_the_caller():
    graph = create_state_machine(TURNSTILE, state_schema=Logged)
    state = graph.invoke({"state": "unlocked", "events": ["push"]})
    assert (state["state"], state["log"]) == ("locked", ["turn", "lock"])
    first = graph.invoke({"events": ["coin"]})
    assert graph.invoke({**first, "events": ["push"]})["state"] == "locked"


async def test_it_runs_on_a_loop_and_awaits_handlers_there_and_elsewhere(tmp_path):
    async def enough(state):
        return paid(state)

    async def thank(state):
        return {"log": [f"thanks for {state['event']['coins']}"]}

    table = Machine(
        "waiting",
        ["waiting", "done"],
        [Transition("waiting", "done", on="pay", guard=enough, action=thank)],
        final=["done"],
    )
    graph = create_state_machine(table, state_schema=Logged)
    asked = {"events": [{"type": "pay", "coins": 3}], "amount": 3}
    assert (await graph.ainvoke(asked))["log"] == ["thanks for 3"]
    assert graph.invoke(asked)["state"] == "done"


async def test_the_state_survives_in_strict_checkpoints(tmp_path):
    url = f"sqlite:///{tmp_path / 'machine.db'}"
    nested = {"on": Machine("low", ["low", "high"], ways("low>high:up", "high>low:down"))}
    table = Machine("off", ["off", "on"], ways("off>on:power", "on>off:power"), nested=nested)
    for events, expected in (["power"], "on/low"), (["up"], "on/high"), (["power"], "off"):
        with create_checkpointer(url) as saver:
            graph = create_state_machine(table, state_schema=Logged, checkpointer=saver)
            assert graph.invoke({"events": events}, THREAD)["state"] == expected


# ---- guards and autonomous ways ----------------------------------------------------------------


def test_the_first_way_whose_guard_holds_is_taken():
    table = Machine(
        "cart",
        ["cart", "paid_up", "refused"],
        [
            Transition("cart", "paid_up", on="check", guard=paid),
            Transition("cart", "refused", on="check", guard=lambda s: s["event"]["strict"]),
        ],
        final=["paid_up", "refused"],
    )
    _, send = machine(table)
    check = {"type": "check", "strict": False}
    assert send(check, amount=1)["state"] == "cart"  # used up: every guard refused
    assert send()["state"] == "cart"
    assert send(check, amount=2)["state"] == "paid_up"
    _, send = machine(table)
    assert send({**check, "strict": True})["state"] == "refused"


def test_ways_without_an_event_are_taken_as_soon_as_their_guard_holds():
    def add(state):
        return {"amount": state.get("amount", 0) + 1, "log": ["add"]}

    table = Machine(
        "begin",
        ["begin", "count", "end"],
        [
            Transition("begin", "count"),
            Transition("count", "end", guard=lambda state: state["amount"] >= 3),
            Transition("count", "count"),
        ],
        final=["end"],
        entry={"count": add, "end": says("end")},
    )
    state = create_state_machine(table, state_schema=Logged).invoke({})
    assert (state["state"], state["log"]) == ("end", ["add", "add", "add", "end"])


def test_a_way_that_was_shut_opens_when_the_input_changes():
    table = Machine(
        "owed", ["owed", "settled"], [Transition("owed", "settled", guard=paid)], final=["settled"]
    )
    _, send = machine(table)
    assert send(amount=1)["state"] == "owed"
    assert send(amount=2)["state"] == "settled"


def test_guards_see_what_the_entry_handler_wrote_through_the_reducers():
    table = Machine(
        "a",
        ["a", "b"],
        [Transition("a", "b", guard=lambda state: state["log"] == ["before", "entry"])],
        final=["b"],
        entry={"a": says("entry")},
    )
    graph = create_state_machine(table, state_schema=Logged)
    assert graph.invoke({"log": ["before"]})["state"] == "b"


@pytest.mark.parametrize("inside", [False, True])
def test_a_machine_that_never_rests_meets_the_limit_and_is_told_why(inside):
    table = Machine("a", ["a", "b"], ways("a>b", "b>a"))
    if inside:
        table = Machine("out", ["out"], [Transition("out", "out", on="x")], nested={"out": table})
    graph = create_state_machine(table, recursion_limit=20)
    with pytest.raises(AgentError, match=r"took its 20 super-steps.*goes on by itself"):
        graph.invoke({})


def test_more_events_than_one_call_can_answer_are_counted():
    graph = create_state_machine(TURNSTILE, state_schema=Logged, recursion_limit=20)
    with pytest.raises(AgentError, match=r"took its 20 super-steps.*[0-9]+ events are left"):
        graph.invoke({"events": ["coin", "push"] * 20})
    assert graph.invoke({"events": ["coin", "push"] * 3})["state"] == "locked"


@pytest.mark.parametrize("events", ["coin", {"type": "coin"}])
def test_one_event_that_is_not_in_a_list_is_refused(events):
    graph = create_state_machine(TURNSTILE, state_schema=Logged)
    with pytest.raises(AgentError, match=r"it is a list of events, such as \["):
        graph.invoke({"events": events})


# ---- crashes and people ------------------------------------------------------------------------


@pytest.mark.parametrize("again", [None, {"events": []}])
def test_a_failed_entry_is_tried_again_without_its_action(again):
    failures = [OSError("down")]

    def enter(state):
        if failures:
            raise failures.pop()
        return {"log": ["entered"]}

    table = Machine(
        "a",
        ["a", "b"],
        [Transition("a", "b", on="go", action=says("on the way"))],
        final=["b"],
        entry={"b": enter},
    )
    graph, send = machine(table)
    with pytest.raises(OSError, match="down"):
        send("go")
    state = graph.invoke(again, THREAD)
    assert (state["state"], state["log"]) == ("b", ["on the way", "entered"])


def test_a_handler_that_needs_the_config_is_a_node():
    @node
    async def greet(state, config):
        return {"log": [config["configurable"]["thread_id"]]}

    table = Machine("a", ["a", "b"], ways("a>b"), final=["b"], entry={"b": greet})
    _, send = machine(table)
    assert send()["log"] == ["1"]


@pytest.mark.parametrize("where", ["outside", "inside"])
def test_a_handler_may_ask_a_person(where):
    def ask(state):
        return {"log": [interrupt("Really?")]}

    asking = Machine("a", ["a", "b"], ways("a>b:go"), final=["b"], entry={"b": ask})
    table = Machine("x", ["x", "y"], ways("x>y"), final=["y"], nested={"x": asking})
    graph, send = machine(asking if where == "outside" else table)
    (question,) = send("go", log=["before"])["__interrupt__"]
    assert question.value == "Really?"
    state = graph.invoke(Command(resume="yes"), THREAD)
    assert state["log"] == ["before", "yes"]
    assert state["state"] == ("b" if where == "outside" else "y")


PLAYER = Machine(
    "playing",
    ["playing", "paused", "over"],
    [
        Transition("playing", "paused", on="pause", action=says("pausing")),
        Transition("paused", "playing", on="play"),
        Transition("playing", "over", on="end"),
    ],
    final=["over"],
    entry={"playing": lambda state: {"log": ["sound"], "messages": [AIMessage("la la")]}},
)
RADIO = Machine(
    "off",
    ["off", "on", "broken"],
    [
        Transition("off", "on", on="power"),
        Transition("on", "off", on="power", action=says("click")),
        Transition("on", "off"),
        Transition("on", "broken", on="hit", guard=paid),
    ],
    final=["broken"],
    entry={"off": says("dark"), "on": says("light")},
    nested={"on": PLAYER},
)


# ---- the picture and the company ---------------------------------------------------------------


def test_the_picture_is_the_machine():
    graph = create_state_machine(RADIO, state_schema=Logged)
    assert to_ascii(graph) == (
        "START    ──▶ dispatch\n"
        "dispatch ┄┄▶ off\n"
        "off      ┄┄▶ on (power)\n"
        "on       ┄┄▶ off (power) ↺ | broken (hit if paid)\n"
        "broken   ──▶ END"
    )
    inside = graph.get_graph(xray=True).draw_mermaid()
    assert "subgraph on" in inside
    assert r"on\3aplaying -. &nbsp;pause&nbsp; .-> on\3apaused;" in inside


def test_it_is_a_node_like_any_other_and_takes_graphs_for_handlers():
    builder = StateGraph(Logged)
    builder.add_node("write", lambda state: {"messages": [AIMessage("written")]})
    builder.add_edge(START, "write")
    builder.add_edge("write", END)

    class Written(TypedDict):
        messages: Messages

    writer = StateGraph(Written)
    writer.add_node("write", lambda state: {"messages": [AIMessage("written", id="1")]})
    writer.add_edge(START, "write")
    table = Machine("a", ["a", "b"], ways("a>b"), final=["b"], entry={"a": writer.compile()})
    outer = StateGraph(Logged)
    outer.add_node("machine", create_state_machine(table, state_schema=Logged))
    outer.add_edge(START, "machine")
    state = outer.compile().invoke({"messages": "write"})
    assert [message.text for message in state["messages"]] == ["write", "written"]
    assert state["state"] == "b"


# ---- against a reference -----------------------------------------------------------------------

NAMES = "abcd"


def reachable(table):
    found, waiting = {"a"}, ["a"]
    while waiting:
        here = waiting.pop()
        more = {target for (source, _), target in table.items() if source == here} - found
        found |= more
        waiting += more
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(NAMES), st.sampled_from("xyz")),
        st.sampled_from(NAMES),
        min_size=7,
    ),
    st.lists(st.sampled_from("xyz"), max_size=6),
    st.booleans(),
)
def test_any_machine_goes_where_its_table_says(table, events, at_once):
    states = reachable(table)
    rows = [
        Transition(source, target, on=event, action=says(f"{source}{event}{target}"))
        for (source, event), target in table.items()
        if source in states
    ]
    final = states - {row.source for row in rows}
    graph, send = machine(Machine("a", sorted(states), rows, final=final))

    here, log = "a", []
    for event in events:
        if (here, event) not in table:
            break
        log.append(f"{here}{event}{table[here, event]}")
        here = table[here, event]

    answered = events[: len(log)]
    for batch in [answered] if at_once else [[event] for event in answered]:
        send(*batch)
    if len(log) < len(events):
        with pytest.raises(AgentError):
            send(*events[len(log) :])
    state = graph.get_state(THREAD).values
    assert (state.get("state", "a"), state.get("log", [])) == (here, log)
