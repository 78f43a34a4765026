from functools import partial

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from cogwork.core.errors import ConfigurationError
from cogwork.nodes.decision import Decision, make_decide, route_after_decide
from cogwork.nodes.ranking import Criterion, Options, Ranked, expected_utility, topsis

TRIPS = {
    "train": {"probability": 0.9, "value": 100, "cost": 40},
    "plane": {"probability": 0.8, "value": 100, "cost": 60},
}


class State(TypedDict):
    options: Options
    decision: Decision
    went: str


def travel(decide, **options):
    builder = StateGraph(State)
    builder.add_node("decide", decide)
    for name in ("train", "plane", "stay"):
        builder.add_node(name, lambda state, name=name: {"went": name})
        builder.add_edge(name, END)
    builder.add_edge(START, "decide")
    builder.add_conditional_edges("decide", route_after_decide, ["train", "plane", "stay"])
    return builder.compile(**options)


def test_the_graph_goes_where_the_best_option_leads():
    graph = travel(make_decide(expected_utility), checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    assert graph.invoke({"options": TRIPS}, config)["went"] == "train"
    cheap = {**TRIPS, "plane": {"probability": 0.8, "value": 100, "cost": 10}}
    state = graph.invoke({"options": cheap}, config)
    assert state["went"] == "plane"
    assert state["decision"] == {
        "choice": "plane",
        "scores": {"plane": 70.0, "train": 50.0},
        "tied": [],
    }
    assert list(state["decision"]["scores"]) == ["plane", "train"]


async def test_it_runs_on_a_loop_too():
    graph = travel(make_decide(expected_utility))
    assert (await graph.ainvoke({"options": TRIPS}))["went"] == "train"


def test_options_may_be_fixed_or_made_from_the_state():
    by_price = partial(topsis, criteria=[Criterion("cost", kind="cost")])
    assert travel(make_decide(by_price, options=TRIPS)).invoke({})["went"] == "train"

    def without(state):
        return {name: has for name, has in state["options"].items() if name != "train"}

    graph = travel(make_decide(expected_utility, options=without))
    assert graph.invoke({"options": TRIPS})["went"] == "plane"


def test_nothing_good_enough_goes_elsewhere():
    decide = make_decide(expected_utility, min_score=60, otherwise="stay")
    state = travel(decide).invoke({"options": TRIPS})
    assert state["went"] == "stay"
    assert state["decision"]["scores"] == {"train": 50.0, "plane": 20.0}
    assert travel(decide).invoke({"options": {}})["went"] == "stay"
    at_least = make_decide(expected_utility, min_score=50, otherwise="stay")
    assert travel(at_least).invoke({"options": TRIPS})["went"] == "train"


def test_a_tie_takes_the_first_and_names_the_others():
    same = {name: {"value": 1} for name in ("plane", "train")}
    state = travel(make_decide(expected_utility)).invoke({"options": same})
    assert (state["went"], state["decision"]["tied"]) == ("plane", ["train"])


def test_a_method_of_ones_own_is_a_function_to_a_ranking():
    def shortest_name(options):
        ordered = sorted(options, key=len)
        return [Ranked(name, -len(name), place) for place, name in enumerate(ordered, 1)]

    given = {"train": {}, "stay": {}}
    assert travel(make_decide(shortest_name)).invoke({"options": given})["went"] == "stay"


def test_what_cannot_be_decided_is_an_error():
    with pytest.raises(ConfigurationError, match="set otherwise"):
        make_decide(expected_utility, min_score=1)
    with pytest.raises(ConfigurationError, match="nothing to decide about"):
        travel(make_decide(expected_utility)).invoke({})
    with pytest.raises(ConfigurationError, match="option 'train' has no 'value'"):
        travel(make_decide(expected_utility)).invoke({"options": {"train": {}}})
