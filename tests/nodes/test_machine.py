import pytest
from typing_extensions import TypedDict

from cogwork.core.errors import ConfigurationError
from cogwork.graphs.state_machine import create_state_machine
from cogwork.nodes.machine import Machine, MachineState, Transition


class Logged(MachineState):
    log: list[str]


def test_every_fault_of_a_table_is_named_at_once():
    table = Machine(
        initial="strat",
        states=["start", "start", "end", "log", "a/b", "dispatch", "loose"],
        transitions=[
            Transition("start", "ende", on="go"),
            Transition("strat", "end"),
            Transition("end", "start"),
            Transition("log", "end", on="x"),
            Transition("log", "start", on="x"),
            Transition("log", "start", on=""),
        ],
        final=["end", "fin"],
        entry={"stop": lambda state: None},
        nested={"end": Machine("i", ["i", "j"], [Transition("i", "i", on="x")])},
    )
    with pytest.raises(ConfigurationError) as caught:
        create_state_machine(table, state_schema=Logged)
    for said in (
        "the initial state is 'strat', which is no state; did you mean 'start'?",
        "the target of a transition from 'start' is 'ende'",
        "the source of a transition to 'end' is 'strat'",
        "a final state is 'fin'",
        "a state with an entry handler is 'stop'",
        "2 states are called 'start'",
        "cannot be called 'log', because a key",
        "cannot be called 'a/b'",
        "cannot be called 'dispatch'",
        "on an unnamed event",
        "'end' is final, but leads to 'start'",
        "'end' is final, but has a machine inside",
        "nothing leads out of 'loose'",
        "'log' never goes to 'start' on x, because the way to 'end'",
        "inside 'end': nothing leads from 'i' to 'j'",
    ):
        assert said in str(caught.value)
    with pytest.raises(ConfigurationError, match="there are no states"):
        create_state_machine(Machine("a", []))
    with pytest.raises(ConfigurationError, match="state_schema has no 'cursor'"):
        create_state_machine(
            Machine("a", ["a"], final=["a"]), state_schema=TypedDict("Bare", {"state": str})
        )
    with pytest.raises(ConfigurationError, match="nothing leads from 'a' to 'c'"):
        create_state_machine(
            Machine(
                "a", ["a", "b", "c"], [Transition(*each, on="x") for each in ("ab", "ba", "ca")]
            )
        )
    with pytest.raises(ConfigurationError, match="is no TypedDict"):
        create_state_machine(Machine("a", ["a"], final=["a"]), state_schema=dict)
