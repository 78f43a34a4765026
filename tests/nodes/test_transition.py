import operator
from typing import Annotated

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from cogwork.core.errors import AgentError
from cogwork.core.messages import Messages
from cogwork.graphs.state_machine import create_state_machine
from cogwork.nodes.machine import Machine, MachineState, Transition

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


# ---- what is not declared ----------------------------------------------------------------------


def test_an_undeclared_event_names_the_state_and_the_thread_goes_on():
    _, send = machine(TURNSTILE)
    with pytest.raises(AgentError, match=r"in the state 'locked' no event 'kick'.*coin, push"):
        send("kick")
    assert send("coin")["state"] == "unlocked"


def test_a_handler_may_choose_a_declared_way():
    def triage(state):
        return Command(goto="urgent" if state["amount"] > 5 else "normal", update={"log": ["t"]})

    table = Machine(
        "triage",
        ["triage", "urgent", "normal"],
        [
            Transition("triage", "normal", action=says("to normal")),
            Transition("triage", "urgent", guard=lambda state: state["amount"] < 100),
        ],
        final=["urgent", "normal"],
        entry={"triage": triage},
    )
    graph = create_state_machine(table, state_schema=Logged)
    assert graph.invoke({"amount": 9})["state"] == "urgent"
    assert graph.invoke({"amount": 1})["log"] == ["t", "to normal"]
    with pytest.raises(AgentError, match="'triage' chose 'urgent', but the guard refuses"):
        graph.invoke({"amount": 100})


@pytest.mark.parametrize("goto", ["shipped", "nowhere", ["paid_up"]])
def test_an_undeclared_target_names_both_states(goto):
    table = Machine(
        "draft",
        ["draft", "paid_up", "shipped"],
        ways("draft>paid_up:pay", "paid_up>shipped"),
        final=["shipped"],
        entry={"draft": lambda state: Command(goto=goto)},
    )
    said = r"no transition leads from 'draft' to .*; declared from 'draft': 'paid_up'"
    with pytest.raises(AgentError, match=said) as caught:
        create_state_machine(table).invoke({})
    assert repr(goto) in str(caught.value)


def test_a_state_that_is_written_from_outside_is_no_transition():
    _, send = machine(TURNSTILE)
    send()
    with pytest.raises(AgentError, match=r"is in 'locked', and no transition leads .* 'unlocked'"):
        send("push", state="unlocked")
    with pytest.raises(AgentError, match="there is no state 'unlokced'; did you mean 'unlocked'"):
        send("push", state="unlokced")
    assert send("push", state="unlocked", cursor=None)["state"] == "locked"


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (lambda state: {"state": "b"}, "the entry handler of 'a' writes 'state'"),
        (lambda state: "b", "the entry handler of 'a' returned str"),
    ],
)
def test_a_handler_writes_only_what_is_its_own(handler, said):
    table = Machine("a", ["a", "b"], ways("a>b:go"), final=["b"], entry={"a": handler})
    with pytest.raises(AgentError, match=said):
        create_state_machine(table).invoke({})
    moving = Transition("a", "b", on="go", action=lambda state: Command(goto="a"))
    graph = create_state_machine(Machine("a", ["a", "b"], [moving], final=["b"]))
    with pytest.raises(AgentError, match="the action from 'a' to 'b' goes to 'a'"):
        graph.invoke({"events": ["go"]})


def test_an_event_without_a_name_and_one_after_the_end_are_refused():
    table = Machine("a", ["a", "b"], ways("a>b:go"), final=["b"])
    _, send = machine(table)
    with pytest.raises(AgentError, match="has no name"):
        send({"name": "go"})
    assert send("go")["state"] == "b"
    assert send()["state"] == "b"
    said = "has ended in 'b', so the event 'go' cannot move it any more"
    with pytest.raises(AgentError, match=said):
        send("go")
    graph, send = machine(table)
    with pytest.raises(AgentError, match=said):
        send("go", "go")
    assert graph.get_state(THREAD).values["state"] == "b"


# ---- machines inside states --------------------------------------------------------------------

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


def test_entering_begins_the_machine_inside_and_its_end_leaves_again():
    _, send = machine(RADIO)
    assert send("power")["state"] == "on/playing"
    assert send("pause")["state"] == "on/paused"
    state = send("play", "end")
    assert (state["state"], state["event"]) == ("off", None)
    assert state["log"] == ["dark", "light", "sound", "pausing", "sound", "dark"]
    assert [message.text for message in state["messages"]] == ["la la", "la la"]


def test_an_event_that_is_unknown_inside_is_answered_outside():
    _, send = machine(RADIO)
    state = send("power", "pause", "power")
    assert state["state"] == "off"
    assert state["log"] == ["dark", "light", "sound", "pausing", "click", "dark"]
    assert send("power")["state"] == "on/playing"  # begins anew
    with pytest.raises(AgentError, match="in the state 'on/playing' no event 'kick'"):
        send("kick")


def test_a_guard_outside_that_refuses_leaves_the_machine_inside_where_it_is():
    _, send = machine(RADIO)
    assert send("power", "hit", "pause")["state"] == "on/paused"
    assert send("hit", amount=2)["state"] == "broken"


def test_machines_may_be_nested_deeper_and_be_restored_by_their_path():
    inner = Machine("1", ["1", "2"], ways("1>2:next"), final=["2"])
    middle = Machine("m", ["m", "n"], ways("m>n"), final=["n"], nested={"m": inner})
    outer = Machine("o", ["o", "p"], ways("o>p", "o>o:again"), final=["p"], nested={"o": middle})
    _, send = machine(outer)
    assert send()["state"] == "o/m/1"
    assert send("again")["state"] == "o/m/1"
    assert send("next")["state"] == "p"
    graph = create_state_machine(outer)
    assert graph.invoke({"state": "o/m/1", "events": ["next"]})["state"] == "p"
    with pytest.raises(AgentError, match="in the state 'o/m/1' no event 'x'"):
        graph.invoke({"state": "o/m/1", "events": ["x"]})


async def test_machines_inside_run_on_a_loop():
    graph = create_state_machine(RADIO, state_schema=Logged)
    state = await graph.ainvoke({"events": ["power", "pause"]})
    assert (state["state"], state["log"][-1]) == ("on/paused", "pausing")


def test_what_goes_through_a_machine_inside_is_not_merged_once_more():
    class Counted(MachineState):
        writes: Annotated[int, lambda old, new: old + new + 1]

    inner = Machine("i", ["i", "j"], ways("i>j"), final=["j"], entry={"i": lambda s: {"writes": 5}})
    table = Machine("o", ["o", "p"], ways("o>p"), final=["p"], nested={"o": inner})
    state = create_state_machine(table, state_schema=Counted).invoke({"writes": 1})
    assert state["writes"] == (0 + 1 + 1) + 5 + 1
